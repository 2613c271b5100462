"""What fails before Poe's first event is tried again, at most twice; what comes after it never is."""

import time
from collections.abc import Sequence

import pytest

from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway
from tests.support.poe_script import (
    Step,
    cut,
    done,
    error,
    error_reply,
    pause,
    reset,
    text,
)
from tests.support.scripted_poe import ScriptedPoe
from tests.support.wire import chat_bytes, content, errors

KEYS = {"POE_API_KEYS": "poe-one,poe-two,poe-three", "ACCESS_TOKENS": '["let-me-in"]'}

PASSING: list[list[Step]] = [
    error_reply(429, "slow down", {"Retry-After": "0"}),
    error_reply(500, "broken"),
    error_reply(502, "broken"),
    error_reply(503, "busy", {"Retry-After": "1"}),
    error_reply(529, "busy"),
    [reset()],
    [cut()],
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("failure", PASSING)
def test_a_passing_failure_does_not_show(
    gateway: Gateway, poe: ScriptedPoe, failure: Sequence[Step], stream: bool
) -> None:
    poe.script("bot", failure)
    poe.script("bot", text("ok"), done())
    with gateway.client() as client:
        response = client.chat(model="bot", stream=stream)
        assert response.status == 200
        response.read()
        assert response.whole
    assert len(poe.queries("bot")) == 2


def test_two_retries_are_enough(gateway: Gateway, poe: ScriptedPoe) -> None:
    poe.script("bot", error_reply(503, "busy"))
    with gateway.client() as client:
        response = client.chat(model="bot", stream=True)
        assert response.status == 503
        assert "busy" in response.json()["error"]["message"]
    assert len(poe.queries("bot")) == 3


def test_retry_after_is_waited_for(gateway: Gateway, poe: ScriptedPoe) -> None:
    poe.script("bot", error_reply(429, "slow down", {"Retry-After": "2"}))
    poe.script("bot", text("ok"), done())
    with gateway.client() as client:
        assert client.chat(model="bot").status == 200
    first, second = poe.queries("bot")
    assert second.at - first.at >= 1.95


def test_a_long_retry_after_is_told_at_once(gateway: Gateway, poe: ScriptedPoe) -> None:
    poe.script("bot", error_reply(429, "slow down", {"Retry-After": "60"}))
    asked = time.monotonic()
    with gateway.client() as client:
        assert client.chat(model="bot").status == 429
    assert time.monotonic() - asked < 2
    assert len(poe.queries("bot")) == 1


def test_who_hangs_up_is_not_tried_for_again(gateway: Gateway, poe: ScriptedPoe) -> None:
    poe.script("bot", error_reply(503, "busy", {"Retry-After": "2"}))
    client = gateway.client()
    client.send(chat_bytes(model="bot"))
    poe.wait_query("bot")
    time.sleep(0.3)
    client.close()
    time.sleep(3)
    assert len(poe.queries("bot")) == 1


@pytest.mark.parametrize("failure", [error_reply(400, "no"), error_reply(401, "no"), error_reply(404, "no")])
def test_what_will_not_pass_is_not_tried_again(gateway: Gateway, poe: ScriptedPoe, failure: list[Step]) -> None:
    poe.script("bot", failure)
    with gateway.client() as client:
        assert client.chat(model="bot").status in (400, 401, 404)
    assert len(poe.queries("bot")) == 1


def test_nothing_is_tried_again_after_the_first_event(gateway: Gateway, poe: ScriptedPoe) -> None:
    poe.script("bot", text("half"), pause(0.05), cut())
    poe.script("bot", text("whole"), done())
    with gateway.client() as client:
        chunks = client.chat(model="bot", stream=True).chunks()
    assert content(chunks) == "half"
    assert len(errors(chunks)) == 1
    with gateway.client() as client:
        assert client.chat(model="bot").json()["choices"][0]["message"]["content"] == "whole"
    assert len(poe.queries("bot")) == 2


def test_a_stale_connection_does_not_show(gateway: Gateway, poe: ScriptedPoe) -> None:
    poe.script("bot", text("ok"), done())
    with gateway.client() as client:
        assert client.chat(model="bot").status == 200
        with poe.refusing():
            pass
        assert client.chat(model="bot").status == 200


def test_a_poe_that_refuses_connections(gateway: Gateway, poe: ScriptedPoe) -> None:
    poe.script("bot", text("ok"), done())
    with gateway.client() as client:
        with poe.refusing():
            response = client.chat(model="bot", stream=True)
            assert (response.status, response.json()["error"]["code"]) == (502, "upstream_unreachable")
        assert client.chat(model="bot").status == 200


def test_the_next_key_serves_where_one_fails(make_gateway: GatewayFactory, poe: ScriptedPoe) -> None:
    gateway = make_gateway(KEYS, fresh=True)
    poe.script_by(
        "bot",
        lambda query: (
            [error("You do not have enough points to message this bot.")]
            if query.header("authorization") == "Bearer poe-two"
            else [text("ok"), done()]
        ),
    )
    with gateway.client() as client:
        for _ in range(6):
            assert client.chat(model="bot", key="let-me-in").status == 200
    used = [query.header("authorization") for query in poe.queries("bot")]
    assert set(used) == {"Bearer poe-one", "Bearer poe-two", "Bearer poe-three"}
    # Once it failed, it rests.
    assert used.count("Bearer poe-two") == 1
    assert len(used) == 7


def test_keys_that_all_fail_are_told_and_not_shown(make_gateway: GatewayFactory, poe: ScriptedPoe) -> None:
    gateway = make_gateway(KEYS, fresh=True)
    poe.script_by("bot", lambda query: error_reply(401, f"Invalid token {query.header('authorization')}"))
    with gateway.client() as client:
        response = client.chat(model="bot", key="let-me-in")
        assert response.status == 401
        assert "poe-" not in response.json()["error"]["message"]
    assert len(poe.queries("bot")) == 3
    assert not any(key in gateway.log() for key in ("poe-one", "poe-two", "poe-three"))


def test_a_clients_own_key_is_never_exchanged(make_gateway: GatewayFactory, poe: ScriptedPoe) -> None:
    gateway = make_gateway(KEYS)
    poe.script("bot", error_reply(401, "Invalid token"))
    with gateway.client() as client:
        assert client.chat(model="bot", key="a-poe-key").status == 401
    assert [query.header("authorization") for query in poe.queries("bot")] == ["Bearer a-poe-key"]


def test_client_keys_may_be_refused(make_gateway: GatewayFactory, poe: ScriptedPoe) -> None:
    gateway = make_gateway(KEYS, ALLOW_CLIENT_KEYS="false")
    poe.script("bot", text("ok"), done())
    with gateway.client() as client:
        assert client.chat(model="bot", key="a-poe-key").status == 401
        assert client.chat(model="bot", key="poe-one").status == 401
        assert client.chat(model="bot", key="let-me-in").status == 200
    assert len(poe.queries("bot")) == 1
