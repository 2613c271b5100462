"""The keys: the gateway's own, the tokens that they serve, and those that clients bring. None is shown whole."""

from dataclasses import dataclass
from typing import Any

from flask import Response, make_response

from poe2openai.config.settings import Settings
from poe2openai.core.errors import GatewayError
from poe2openai.gateway.keys import KeyState, masked
from poe2openai.gateway.parallel import Check, all_of
from poe2openai.web.admin import page
from poe2openai.web.admin.figures import figures_of_request
from poe2openai.web.services import Services, services
from poe2openai.web.words import Words, words

_AT_ONCE = 8
_MOST_CLIENT_KEYS = 50

blueprint = page.blueprint("keys")


@dataclass(frozen=True, slots=True)
class Seen:
    """A credential by its caller's id; `at` is when its last request began, `requests` counts the last 30 days."""

    caller: str
    at: float | None = None
    requests: int = 0
    masked: str = ""


@blueprint.get("/admin/keys")
def keys() -> Response:
    here = services()
    t = words("keys", page.language())
    has_records = bool(here.settings.usage_retention_days)
    last_seen = here.records.last_seen() if has_records else {}
    return page.render(
        "keys",
        figures=figures_of_request(),
        error_word=lambda code: t.get(f"error_{code}", code),
        ago=lambda seconds: ago(seconds, t),
        states=here.keys.states(),
        tokens=_tokens(here, last_seen),
        client_keys=client_keys(last_seen),
        allow_client_keys=here.settings.allow_client_keys,
        workers=here.settings.web_concurrency,
        has_records=has_records,
        troubles=ring_warnings(here.settings),
    )


@blueprint.get("/admin/api/balance")
def balance() -> Response:
    """Of each key, asked of Poe all at once: `{"keys": [{"position", "points", "error"}], "points": their sum}`.

    `points` is null where Poe tells none; `error` is then the kind of what went wrong.
    """
    here = services()
    states = here.keys.states()
    jobs = [_job(here, key, state) for key, state in zip(here.keys.poe_keys(), states, strict=True)]
    found = all_of(jobs, most=_AT_ONCE, on_silence=lambda: None) if jobs else []
    known = [one["points"] for one in found if one["points"] is not None]
    return make_response({"keys": found, "points": sum(known) if known else None})


def ring_warnings(settings: Settings) -> list[str]:
    """What is wrong with the combination of keys, as names of phrases."""
    has_keys, has_tokens = bool(settings.poe_api_keys), bool(settings.access_tokens)
    if not settings.allow_client_keys and not (has_keys and has_tokens):
        return ["nobody_can_call"]
    if has_keys and not has_tokens:
        return ["keys_serve_nobody"]
    if has_tokens and not has_keys:
        return ["tokens_of_no_use"]
    return []


def ago(seconds: float, t: Words) -> str:
    minutes = max(1, round(seconds / 60))
    if minutes < 90:
        return t["minutes"].replace("{x}", str(minutes))
    return t["hours"].replace("{x}", f"{minutes / 60:.0f}")


def client_keys(last_seen: dict[str, tuple[float, int]]) -> list[Seen]:
    """Those of the clients, the last to be seen first."""
    found = [Seen(caller, at, count) for caller, (at, count) in last_seen.items() if caller.startswith("key-")]
    return sorted(found, key=lambda seen: -(seen.at or 0))[:_MOST_CLIENT_KEYS]


def _tokens(here: Services, last_seen: dict[str, tuple[float, int]]) -> list[Seen]:
    found = []
    for token in dict.fromkeys(here.settings.access_tokens):
        caller = here.keys.token_id(token)
        at, requests = last_seen.get(caller, (None, 0))
        found.append(Seen(caller, at, requests, masked(token)))
    return found


def _job(here: Services, key: str, state: KeyState) -> Any:
    def ask(_: Check) -> dict[str, Any]:
        points, error = None, None
        try:
            points = _points(here.balances.balance([key]))
        except GatewayError as problem:
            error = problem.kind.code
        if points is None and error is None:
            error = "upstream_invalid"
        return {"position": state.position, "key": state.masked, "points": points, "error": error}

    return ask


def _points(told: dict[str, Any]) -> float | None:
    points = told.get("current_point_balance")
    return points if isinstance(points, int | float) and not isinstance(points, bool) else None
