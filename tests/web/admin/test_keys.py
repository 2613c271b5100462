"""The keys page: what is told of each key, and that none is told whole."""

import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from poe2openai.config.settings import Settings
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.gateway.keys import KeyRing
from poe2openai.web.admin.keys import ago, client_keys, ring_warnings
from poe2openai.web.services import EXTENSION
from poe2openai.web.words import words
from tests.support.admin_data import (
    POE_KEYS,
    TOKENS,
    MadeUpBalances,
    MadeUpRecords,
    MakeApp,
    made_up_app,
    visitor,
    words_of,
)
from tests.support.scripted_poe import ScriptedPoe


@pytest.fixture
def make_app(poe: ScriptedPoe, tmp_path: Path) -> MakeApp:
    return partial(made_up_app, poe.url, tmp_path)


def ring_of(app: Flask) -> KeyRing:
    ring: KeyRing = app.extensions[EXTENSION].keys
    return ring


def test_each_key_with_its_state(make_app: MakeApp) -> None:
    with make_app() as app:
        ring = ring_of(app)
        ring.report(POE_KEYS[1], GatewayError(ErrorKind.INSUFFICIENT_QUOTA, "needs more points"))
        ring.report(POE_KEYS[2], GatewayError(ErrorKind.RATE_LIMIT, "slow down"))
        ring.report_success(POE_KEYS[2])
        text = words_of(visitor(app).get("/admin/keys").text)
    assert "1 pk-…aaaa in order …" in text
    assert "2 pk-…bbbb paused 10:00 · no points …" in text
    assert "3 pk-…cccc in order · last: rate limited, 1 min ago …" in text


def test_each_token_with_its_last_use(make_app: MakeApp) -> None:
    records = MadeUpRecords()
    with make_app(records=records) as app:
        caller = ring_of(app).identify(TOKENS[0]).id
        records.seen = {caller: (1_763_726_400.0, 3912)}
        text = words_of(visitor(app).get("/admin/keys").text)
    assert f"fam…ters {caller} Nov 21 12:00:00 3,912" in text
    assert "•••• token-" in text
    assert "not seen 0" in text


def test_the_keys_that_clients_bring(make_app: MakeApp) -> None:
    now = time.time()
    seen = {
        "key-00000001": (now - 500, 1),
        "key-00000002": (now, 1234),
        "token-77777777": (now, 1),
        "playground": (now, 1),
    }
    with make_app(records=MadeUpRecords(seen=seen)) as app:
        text = words_of(visitor(app).get("/admin/keys").text)
    assert "Clients' own Poe keys Allowed" in text
    assert text.index("key-00000002") < text.index("key-00000001")
    assert "1,234" in text
    assert "token-77777777" not in text
    assert [found.caller for found in client_keys(seen)] == ["key-00000002", "key-00000001"]


def test_where_clients_keys_are_refused(make_app: MakeApp) -> None:
    with make_app(allow_client_keys=False) as app:
        text = words_of(visitor(app).get("/admin/keys").text)
    assert "Clients' own Poe keys Not allowed" in text
    assert "None was seen" not in text


def test_without_records_and_keys_the_page_says_so(make_app: MakeApp) -> None:
    with make_app(poe_api_keys=(), access_tokens=(), usage_retention_days=0) as app:
        client = visitor(app)
        text = words_of(client.get("/admin/keys").text)
        balance = client.get("/admin/api/balance").json
    assert "POE_API_KEYS is not set" in text
    assert "ACCESS_TOKENS is not set" in text
    assert "USAGE_RETENTION_DAYS is 0" in text
    assert balance == {"keys": [], "points": None}


class TestBalance:
    def test_each_key_and_all_together(self, make_app: MakeApp) -> None:
        with make_app() as app:
            told = visitor(app).get("/admin/api/balance").json
        assert told is not None
        assert [(key["position"], key["key"], key["points"], key["error"]) for key in told["keys"]] == [
            (1, "pk-…aaaa", 612_400, None),
            (2, "pk-…bbbb", 200_000, None),
            (3, "pk-…cccc", 0, None),
        ]
        assert told["points"] == 812_400

    def test_one_that_poe_refuses_does_not_hide_the_others(self, make_app: MakeApp) -> None:
        with make_app(balances=MadeUpBalances({POE_KEYS[0]: 500})) as app:
            told = visitor(app).get("/admin/api/balance")
        assert told.json is not None
        assert [key["points"] for key in told.json["keys"]] == [500, None, None]
        assert [key["error"] for key in told.json["keys"]] == [None, "invalid_api_key", "invalid_api_key"]
        assert told.json["points"] == 500
        assert POE_KEYS[1] not in told.text

    @pytest.mark.parametrize("told", [{}, {"current_point_balance": None}, {"current_point_balance": "many"}])
    def test_a_balance_of_no_known_shape_is_an_error(self, make_app: MakeApp, told: dict[str, Any]) -> None:
        balances = MadeUpBalances()
        balances.balance = lambda keys: told  # type: ignore[method-assign]
        with make_app(balances=balances, poe_api_keys=POE_KEYS[:1]) as app:
            answer = visitor(app).get("/admin/api/balance").json
        assert answer is not None
        assert answer["points"] is None
        assert answer["keys"][0]["error"] == "upstream_invalid"

    def test_a_poe_that_cannot_be_reached_is_told_for_each(self, make_app: MakeApp) -> None:
        with make_app(balances=MadeUpBalances({})) as app:
            answer = visitor(app).get("/admin/api/balance").json
        assert answer is not None
        assert [key["error"] for key in answer["keys"]] == ["invalid_api_key"] * 3
        assert answer["points"] is None


@pytest.mark.parametrize(
    ("poe_keys", "tokens", "allow", "found"),
    [
        (("k",), ("t",), True, []),
        (("k",), ("t",), False, []),
        ((), (), True, []),
        (("k",), (), True, ["keys_serve_nobody"]),
        ((), ("t",), True, ["tokens_of_no_use"]),
        (("k",), (), False, ["nobody_can_call"]),
        ((), ("t",), False, ["nobody_can_call"]),
        ((), (), False, ["nobody_can_call"]),
    ],
)
def test_combinations_that_serve_nobody(
    poe_keys: tuple[str, ...], tokens: tuple[str, ...], allow: bool, found: list[str]
) -> None:
    assert ring_warnings(Settings(poe_api_keys=poe_keys, access_tokens=tokens, allow_client_keys=allow)) == found


@pytest.mark.parametrize("language", ["en", "zh-CN", "zh-TW"])
def test_warnings_stand_on_the_page_in_each_language(make_app: MakeApp, language: str) -> None:
    with make_app(access_tokens=()) as app:
        text = words_of(visitor(app, language).get("/admin/keys").text)
    assert words("keys", language)["keys_serve_nobody"] in text
    assert "{" not in text


def test_no_key_or_token_is_ever_whole(make_app: MakeApp) -> None:
    with make_app() as app:
        ring_of(app).report(POE_KEYS[0], GatewayError(ErrorKind.AUTHENTICATION, POE_KEYS[0]))
        client = visitor(app)
        page, balance = client.get("/admin/keys").text, client.get("/admin/api/balance").text
    main = page[page.index("<main") :]
    assert not [secret for secret in (*POE_KEYS, *TOKENS) if secret in main or secret in balance]
    assert not [key for key in POE_KEYS if key[3:-4] in page]


def test_how_long_ago() -> None:
    t = words("keys", "en")
    assert [ago(seconds, t) for seconds in (3, 150, 5300, 7300, 90_000)] == ["1 min", "2 min", "88 min", "2 h", "25 h"]
