"""The overview: what went through the gateway, what is going on, and how the gateway itself fares."""

import os
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeGuard

from flask import make_response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from poe2openai.config.settings import Settings
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.gateway.balance import Entries
from poe2openai.store.record_queries import Bucket, Overview
from poe2openai.store.records import has_failed
from poe2openai.web.admin import page
from poe2openai.web.admin.charts import Chart, Series, bars, line, style
from poe2openai.web.admin.figures import Figures, figures_of_request
from poe2openai.web.admin.keys import ring_warnings
from poe2openai.web.admin.session import came_by_tls
from poe2openai.web.services import Services, services
from poe2openai.web.words import Words, words

LATEST: Final = 200
SPAN_COOKIE: Final = "poe2openai_span"
_HOUR: Final = 3600
_DAY: Final = 24 * _HOUR
_MOST_SHARES: Final = 12

blueprint = page.blueprint("overview")


@dataclass(frozen=True, slots=True)
class Span:
    """What the page looks at: whole hours or days of the browser's, the present one being the last."""

    name: str
    since: float
    step: int
    count: int
    now: float

    @property
    def until(self) -> float:
        return self.since + self.step * self.count

    @property
    def starts(self) -> list[float]:
        return [self.since + self.step * place for place in range(self.count)]

    @property
    def days(self) -> float:
        return (self.now - self.since) / _DAY

    def place(self, at: float) -> int | None:
        place = int((at - self.since) // self.step)
        return place if 0 <= place < self.count else None


@blueprint.get("/admin")
def without_slash() -> AnyResponse:
    return redirect(page.page_path("overview"), 308)


@blueprint.get("/admin/")
def overview() -> AnyResponse:
    here = services()
    figures, t = figures_of_request(), words("overview", page.language())
    span = span_of(_wanted_span(), time.time(), figures.offset)
    entries = here.records.latest(LATEST, with_texts=False) if here.settings.usage_retention_days else []
    told = here.records.overview(span.since, span.until, span.step) if here.settings.usage_retention_days else None
    length = span.step * span.count
    before = here.records.count(span.since - length, span.now - length) if told else 0
    response = page.render(
        "overview",
        span=span.name,
        figures=figures,
        has_records=bool(here.settings.usage_retention_days),
        is_fresh=not entries and not (told and told.requests),
        has_keys=bool(here.keys.poe_keys()),
        told=told,
        change=figures.change(told.requests, before) if told else "",
        reasons=reasons(told.errors, t) if told else "",
        charts=charts(told, span, figures, t) if told else {},
        models=told.by_model[:_MOST_SHARES] if told else [],
        clients=told.by_client[:_MOST_SHARES] if told else [],
        client_styles={name: style(number) for number, name in enumerate(_clients(told))} if told else {},
        entries=entries,
        error_word=lambda code: error_word(code, t),
        has_failed=has_failed,
        state=_state(here),
        troubles=[t[name] for name in ring_warnings(here.settings)],
    )
    if request.args.get("span") and not request.headers.get("X-Background"):
        response.set_cookie(
            SPAN_COOKIE,
            span.name,
            path=page.page_path("overview"),
            secure=came_by_tls(request),
            httponly=True,
            samesite="Lax",
        )
    return response


@blueprint.get("/admin/overview/points")
def points() -> AnyResponse:
    """A part of the page, which comes later: Poe may be slow, and its history is long."""
    here = services()
    keys = here.keys.poe_keys()
    figures, t = figures_of_request(), words("overview", page.language())
    span = span_of(request.args.get("span"), time.time(), figures.offset)
    if not keys:
        raise GatewayError(ErrorKind.NOT_FOUND, "The gateway has no Poe keys of its own.")
    spent = here.balances.spent(keys, span.since)
    series, by_bot = points_spent(spent.entries, span)
    total = sum(series)
    return make_response(
        render_template(
            "admin/_points.html",
            t=t,
            figures=figures,
            spent=total,
            is_complete=spent.is_complete,
            days_left=_days_left(here, keys, total / span.days),
            chart=bars(
                _labels(span, figures),
                [Series(t["points_spent"], series)],
                _filled(t["summary_points"], figures.whole(total), span, t),
                figures.whole,
                ticks=figures.short,
                marked=_marks(span, figures),
            ),
            bots=sorted(by_bot.items(), key=lambda bot: -bot[1])[:_MOST_SHARES],
        )
    )


@blueprint.get("/admin/api/requests/<id>")
def one_request(id: str) -> AnyResponse:
    """All that is recorded of a request."""
    here = services()
    entry = here.records.one(id) if here.settings.usage_retention_days else None
    if entry is None:
        raise GatewayError(ErrorKind.NOT_FOUND, "This request is not recorded (any more).")
    return make_response(asdict(entry))


def _wanted_span() -> str | None:
    """The address's, else the one looked at before: links from elsewhere name none."""
    return request.args.get("span") or request.cookies.get(SPAN_COOKIE)


def span_of(name: str | None, now: float, offset: int = 0) -> Span:
    """The last 24 hours, or for `month` 30 days; `offset` is the browser's distance from UTC in minutes."""
    name, step, count = ("month", _DAY, 30) if name == "month" else ("day", _HOUR, 24)
    shift = offset * 60
    last = (now + shift) // step * step - shift
    return Span(name, last - step * (count - 1), step, count, now)


def error_word(code: str, t: Words) -> str:
    return t.get(f"error_{code}", code)


def reasons(errors: Iterable[tuple[str, int]], t: Words) -> str:
    """The most frequent reasons of failure, in few words."""
    return t["comma"].join(
        t["reason"].replace("{x}", f"{count:,}").replace("{why}", error_word(code, t)) for code, count in [*errors][:3]
    )


def charts(told: Overview, span: Span, figures: Figures, t: Words) -> dict[str, Chart]:
    labels, marked = _labels(span, figures), _marks(span, figures)
    buckets = _placed(told.buckets, span)
    whole: dict[str, Any] = {"form": figures.whole, "ticks": figures.short, "marked": marked}
    by_client = [Series(name or t["others"], _padded(told.by_client_buckets[name], span)) for name in _clients(told)]
    if not by_client:
        by_client = [Series(t["requests"], [bucket.requests if bucket else 0 for bucket in buckets])]
    first = [bucket.first_token_ms if bucket else None for bucket in buckets]
    return {
        "requests": bars(
            labels, by_client, _filled(t["summary_requests"], figures.whole(told.requests), span, t), **whole
        ),
        "tokens": bars(
            labels,
            [
                Series(t["tokens_in"], [bucket.tokens_in if bucket else 0 for bucket in buckets]),
                Series(t["tokens_out"], [bucket.tokens_out if bucket else 0 for bucket in buckets]),
            ],
            _filled(t["summary_tokens"], figures.whole(told.tokens_in + told.tokens_out), span, t),
            **whole,
        ),
        "first_token": line(
            labels,
            Series(t["first_token"], first),
            _filled(t["summary_first_token"], figures.duration(told.first_token_ms), span, t),
            figures.duration,
            marked=marked,
        ),
    }


def points_spent(entries: Entries, span: Span) -> tuple[list[float], dict[str, float]]:
    """Points by the span's steps, and by bot; entries without a time or a cost are none."""
    series = [0.0] * span.count
    by_bot: dict[str, float] = {}
    for entry in entries:
        at, cost = entry.get("creation_time"), entry.get("cost_points")
        if not _is_number(at) or not _is_number(cost) or (place := span.place(at / 1e6)) is None:
            continue
        series[place] += cost
        bot = str(entry.get("bot_name") or "–")
        by_bot[bot] = by_bot.get(bot, 0.0) + cost
    return series, by_bot


def _clients(told: Overview) -> list[str]:
    """The clients that have a colour, the others last."""
    return sorted((name for name in told.by_client_buckets if any(told.by_client_buckets[name])), key=lambda x: not x)


def _placed(buckets: Iterable[Bucket], span: Span) -> list[Bucket | None]:
    found = {span.place(bucket.at): bucket for bucket in buckets}
    return [found.get(place) for place in range(span.count)]


def _padded(values: list[int], span: Span) -> list[int]:
    return (values + [0] * span.count)[: span.count]


def _labels(span: Span, figures: Figures) -> list[str]:
    if span.step == _DAY:
        return [figures.day(at) for at in span.starts]
    return [f"{figures.clock(at)}–{figures.clock(at + _HOUR)}" for at in span.starts]


def _marks(span: Span, figures: Figures) -> list[str]:
    return [figures.short_day(at) if span.step == _DAY else figures.clock(at) for at in span.starts]


def _filled(phrase: str, value: str, span: Span, t: Words) -> str:
    return phrase.replace("{x}", value).replace("{span}", t[f"last_{span.name}"])


def _days_left(here: Services, keys: list[str], a_day: float) -> float | None:
    """How long the points last at this pace."""
    try:
        left = here.balances.balance(keys).get("current_point_balance")
    except GatewayError:
        return None
    return left / a_day if _is_number(left) and a_day > 0 else None


def _state(here: Services) -> dict[str, Any]:
    contact = here.poe.last_contact
    return {
        "file": here.models_file.state(),
        "contact": contact,
        "started": here.started,
        "workers": here.settings.web_concurrency,
        "storage": _storage(here.settings),
        "days": here.settings.usage_retention_days,
        "with_texts": here.settings.record_messages,
    }


def _storage(settings: Settings) -> str:
    if settings.database_url:
        return "storage_postgresql"
    return "storage_sqlite" if os.access(settings.config_dir, os.W_OK) else "storage_temporary"


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
