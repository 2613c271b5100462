"""A gateway's past and present, made up: what the admin pages show without a single request."""

import html
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from flask import Flask
from flask.testing import FlaskClient

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.gateway.balance import Spent
from poe2openai.store.record_queries import Bucket, Overview, Share
from poe2openai.store.records import Entry
from poe2openai.web.live import LiveRequest
from poe2openai.web.services import EXTENSION
from tests.support.admin import PASSWORD
from tests.support.apps import app_for

POE_KEYS = ("pk-first-0123456789-aaaa", "pk-second-0123456789-bbbb", "pk-third-0123456789-cccc")
TOKENS = ("family-token-of-many-letters", "short")
EVIL = "<img src=x onerror=alert(1)>"


def entry(id: str = "req_1", **changes: Any) -> Entry:
    plain = Entry(
        id=id,
        at=time.time() - 60,
        caller="token-0a1b2c3d",
        client="Open WebUI",
        model="gpt-4o",
        bot="Claude-Sonnet-4.5",
        path="/v1/chat/completions",
        stream=True,
        status=200,
        error="",
        reason="stop",
        hung_up=False,
        milliseconds=4210,
        first_token_ms=620,
        tokens_in=1200,
        tokens_out=340,
        estimated=True,
        attempts=1,
        question=None,
        answer=None,
    )
    return replace(plain, **changes)


def overview(since: float = 0.0, step: float = 3600.0, count: int = 24, **changes: Any) -> Overview:
    """Busy in the middle, with a silent hour in it."""
    ups = [2 + 3 * min(place, count - place) * (place % 7 != 3) for place in range(count)]
    buckets = [
        Bucket(since + step * place, up, up // 20, up * 1500, up * 400, 500 + 40 * (place % 5) if up > 2 else None)
        for place, up in enumerate(ups)
    ]
    names = ["Open WebUI", "Cline", "Cherry Studio", "NextChat", "aider", ""]
    parts = (0.4, 0.25, 0.15, 0.1, 0.06, 0.04)
    by_client = [
        Share(name or "curl", round(sum(ups) * part), 1, 90_000, 30_000, 600)
        for name, part in zip(names, parts, strict=True)
    ]
    plain = Overview(
        requests=sum(ups),
        failed=sum(up // 20 for up in ups),
        tokens_in=sum(ups) * 1500,
        tokens_out=sum(ups) * 400,
        first_token_ms=620,
        first_token_p95_ms=1900,
        buckets=buckets,
        by_model=[
            Share("claude-sonnet-4.5", 402, 3, 1_830_000, 420_000, 710),
            Share("gpt-5", 260, 0, 610_000, 188_000, 530),
            Share("nano-banana", 31, 2, 4_100, 0, None),
        ],
        by_client=by_client,
        errors=[("insufficient_quota", 14), ("rate_limit_exceeded", 4), ("upstream_cut_off", 1)],
        by_client_buckets={
            name: [round(up * part) for up in ups] for name, part in zip(names, parts, strict=True)
        },
    )  # fmt: skip
    return replace(plain, **changes)


NOTHING = Overview(0, 0, 0, 0, None, None, [], [], [], [], {})


@dataclass
class MadeUpRecords:
    entries: list[Entry] = field(default_factory=list)
    now: Overview | None = None
    before: int = 0
    seen: Mapping[str, tuple[float, int]] = field(default_factory=dict)
    asked: list[tuple[float, float, float]] = field(default_factory=list)
    counted: list[tuple[float, float]] = field(default_factory=list)

    def latest(self, limit: int = 200, *, with_texts: bool = True) -> list[Entry]:
        found = self.entries[:limit]
        return found if with_texts else [replace(entry, question=None, answer=None) for entry in found]

    def one(self, id: str) -> Entry | None:
        return next((entry for entry in self.entries if entry.id == id), None)

    def count(self, since: float, until: float) -> int:
        self.counted.append((since, until))
        return self.before

    def overview(self, since: float, until: float, step: float) -> Overview:
        self.asked.append((since, until, step))
        return self.now if self.now is not None else overview(since, step, round((until - since) / step))

    def last_seen(self) -> dict[str, tuple[float, int]]:
        return dict(self.seen)


@dataclass
class MadeUpLive:
    requests: list[LiveRequest] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)

    def all(self) -> list[LiveRequest]:
        return self.requests

    def close(self) -> None:
        pass

    def stop(self, id: str) -> bool:
        self.stopped.append(id)
        return any(request.id == id for request in self.requests)


@dataclass
class MadeUpBalances:
    """`left` by key; a key without is refused."""

    left: Mapping[str, float] = field(default_factory=lambda: dict(zip(POE_KEYS, (612_400, 200_000, 0), strict=True)))
    entries: list[Mapping[str, Any]] = field(default_factory=list)
    is_complete: bool = True

    def balance(self, keys: Sequence[str]) -> dict[str, Any]:
        known = [self.left[key] for key in keys if key in self.left]
        if not known:
            raise GatewayError(ErrorKind.AUTHENTICATION, f"Poe refuses the key {keys[0]}")
        return {"current_point_balance": sum(known)}

    def spent(self, keys: Sequence[str], since: float) -> Spent:
        return Spent(self.entries, self.is_complete)


@contextmanager
def made_up_app(
    poe_url: str, config_dir: Path, *, records: Any = None, live: Any = None, balances: Any = None, **settings: Any
) -> Iterator[Flask]:
    """The whole app, with a past of its own."""
    own = {"poe_api_keys": POE_KEYS, "access_tokens": TOKENS, "admin_password": PASSWORD, **settings}
    with app_for(poe_url, config_dir, **own) as app:
        here = app.extensions[EXTENSION]
        app.extensions[EXTENSION] = replace(
            here,
            records=records or MadeUpRecords(),
            live=live or MadeUpLive(),
            balances=balances or MadeUpBalances(),
        )
        yield app


class MakeApp(Protocol):
    def __call__(self, **settings: Any) -> AbstractContextManager[Flask]: ...


def history(now: float, count: int = 60) -> list[Mapping[str, Any]]:
    """Poe's, an entry each half an hour."""
    bots = ("Claude-Sonnet-4.5", "GPT-5", "Nano-Banana")
    return [
        {
            "creation_time": int((now - 1800 * place) * 1e6),
            "cost_points": 900 + 100 * (place % 9),
            "bot_name": bots[place % 3],
        }
        for place in range(count)
    ]


class Stage:
    """What the gateway has to tell; a test changes it while the page is open."""

    def __init__(self) -> None:
        self.records = MadeUpRecords()
        self.live = MadeUpLive()
        self.balances = MadeUpBalances()
        self.ring: Any = None
        self.reset()

    def reset(self) -> None:
        now = time.time()
        self.records.entries = [entry(f"req_{number}", at=now - 60 * number) for number in range(40)]
        self.records.entries[3] = entry("req_3", at=now - 180, status=429, error="insufficient_quota", question=EVIL)
        self.records.now, self.records.before = None, 100
        self.live.requests = [live("req_a", model="claude-sonnet-4.5", age=42.0), live("req_b", model="gpt-5")]
        self.live.stopped = []
        self.balances.left = dict(zip(POE_KEYS, (612_400, 200_000, 0), strict=True))
        self.balances.entries = history(now)


def live(id: str, *, model: str, age: float = 3.0, tokens: int = 90, stopping: bool = False) -> LiveRequest:
    return LiveRequest(id, "token-0a1b2c3d", "Cline", model, model.upper(), True, age, tokens, stopping)


def visitor(app: Flask, language: str = "en") -> FlaskClient:
    """Who has logged in, with a browser of that language."""
    client = app.test_client()
    client.environ_base["HTTP_ACCEPT_LANGUAGE"] = language
    page = client.get("/admin/login").text
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token is not None
    form = {"username": "admin", "password": PASSWORD, "csrf_token": token[1]}
    assert client.post("/admin/login", data=form).status_code == 303
    return client


def words_of(page: str) -> str:
    """What a reader sees of a page: no markup, no words kept for scripts, one space between words."""
    body = re.sub(r"<script.*?</script>|<title>.*?</title>", " ", page[page.index("<main") :], flags=re.DOTALL)
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", body)))
