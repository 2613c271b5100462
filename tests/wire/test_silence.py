"""Silence: pings keep a client, a bound ends Poe's, and a client that hangs up ends Poe's answer."""

import time
from collections.abc import Sequence
from typing import Any

import pytest

from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway
from tests.support.poe_script import (
    Step,
    done,
    error,
    head,
    hold,
    pause,
    ping,
    replace,
    text,
)
from tests.support.scripted_poe import ScriptedPoe
from tests.support.wire import chat_bytes, content, errors

QUICK = {"STREAM_PING_SECONDS": "0.4", "UPSTREAM_IDLE_TIMEOUT": "2"}


@pytest.fixture
def quick(make_gateway: GatewayFactory) -> Gateway:
    """Pings every 0.4 s, and gives Poe up after 2 s."""
    return make_gateway(QUICK)


@pytest.mark.parametrize(
    "steps",
    [
        [pause(1.5), text("late"), done()],
        [text("ear"), pause(1.5), text("ly"), done()],
        [pause(0.7), ping(), pause(0.8), text("late"), done()],
        [replace("Searching..."), pause(1.5), replace("found"), done()],
    ],
)
def test_pings_fill_a_silence(quick: Gateway, poe: ScriptedPoe, steps: Sequence[Step]) -> None:
    poe.script("bot", *steps)
    asked = time.monotonic()
    with quick.client() as client:
        response = client.chat(model="bot", stream=True)
        events = list(response.events())
        assert response.whole
    pings = [one.at - asked for one in events if one.comment == "ping"]
    assert 2 <= len(pings) <= 4
    assert pings[0] < 0.7
    chunks = [one.json for one in events if one.data not in (None, "[DONE]")]
    assert content(chunks) in ("late", "early", "found")
    assert events[-1].data == "[DONE]"


def test_no_ping_where_there_is_no_silence(quick: Gateway, poe: ScriptedPoe) -> None:
    steps: list[Step] = []
    for _ in range(10):
        steps += [text("word "), pause(0.1)]
    poe.script("bot", *steps, done())
    with quick.client() as client:
        events = list(client.chat(model="bot", stream=True).events())
    assert [one for one in events if one.comment] == []


def test_late_headers_count_as_silence_and_have_a_bound(quick: Gateway, poe: ScriptedPoe) -> None:
    poe.script("bot", pause(0.9), head(), text("late"), done())
    with quick.client() as client:
        assert content(client.chat(model="bot", stream=True).chunks()) == "late"


@pytest.mark.parametrize("before", [[], [head()], [text("half")], [replace("Searching...")]])
def test_an_endless_silence_is_an_error(quick: Gateway, poe: ScriptedPoe, before: list[Step]) -> None:
    poe.script("bot", *before, hold())
    asked = time.monotonic()
    with quick.client() as client:
        response = client.chat(model="bot", stream=True)
        if response.status == 200:
            chunks = response.chunks()
            assert [found["code"] for found in errors(chunks)] == ["upstream_timeout"]
            assert "[DONE]" not in chunks
            assert response.whole is False
        else:
            assert (response.status, response.json()["error"]["code"]) == (504, "upstream_timeout")
    if before != []:
        assert 1.9 < time.monotonic() - asked < 4
    assert poe.wait_query("bot").hung_up_after(asked) < 8


def test_an_error_whose_body_never_ends_is_told(quick: Gateway, poe: ScriptedPoe) -> None:
    poe.script("silent", head(403, {"Content-Type": "application/json"}), b'{"error"', hold())
    poe.script("endless", head(403, {"Content-Type": "text/plain"}), [b"x" * 65536] * 2000, hold())
    for bot in ("silent", "endless"):
        asked = time.monotonic()
        with quick.client() as client:
            response = client.chat(model=bot)
            assert response.status == 403
            assert len(response.read()) < 10_000
        assert time.monotonic() - asked < 6
        assert poe.queries(bot)[0].hung_up_after(asked) < 8


def test_an_error_after_pings_is_told_in_the_stream(quick: Gateway, poe: ScriptedPoe) -> None:
    poe.script("bot", pause(0.9), error("You do not have enough points to message this bot."))
    with quick.client() as client:
        response = client.chat(model="bot", stream=True)
        assert response.status == 200
        chunks = response.chunks()
        assert response.whole is False
    assert [found["code"] for found in errors(chunks)] == ["insufficient_quota"]


HANGING: list[tuple[str, list[Step]]] = [
    ("before headers", [hold()]),
    ("before the first event", [head(), hold()]),
    ("in silence", [text("half"), hold()]),
    ("while it is held back", [replace("Searching..."), hold()]),
]


@pytest.mark.parametrize("how", ["close", "abort"])
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("steps", [steps for _, steps in HANGING], ids=[name for name, _ in HANGING])
def test_a_client_that_hangs_up_ends_the_query(
    gateway: Gateway, poe: ScriptedPoe, steps: list[Step], stream: bool, how: str
) -> None:
    poe.script("bot", *steps)
    client = gateway.client()
    client.send(chat_bytes(model="bot", stream=stream))
    query = poe.wait_query("bot")
    time.sleep(0.2)
    left = time.monotonic()
    client.close() if how == "close" else client.abort()
    assert query.hung_up_after(left) < 1.0


def test_a_client_that_hangs_up_in_a_flood_ends_the_query(gateway: Gateway, poe: ScriptedPoe) -> None:
    steps: list[Step] = []
    for _ in range(2000):
        steps += [text("word " * 20), pause(0.005)]
    poe.script("bot", *steps, done())
    client = gateway.client()
    client.send(chat_bytes(model="bot", stream=True))
    query = poe.wait_query("bot")
    time.sleep(0.3)
    left = time.monotonic()
    client.close()
    assert query.hung_up_after(left) < 1.0


def test_one_hang_up_does_not_touch_the_others(gateway: Gateway, poe: ScriptedPoe) -> None:
    poe.script("gone", text("half"), hold())
    poe.script("bot", text("slow"), pause(1.5), text("ly"), done())
    with gateway.client() as other:
        other.send(chat_bytes(model="bot", stream=True))
        client = gateway.client()
        client.send(chat_bytes(model="gone", stream=True))
        query = poe.wait_query("gone")
        left = time.monotonic()
        client.close()
        assert query.hung_up_after(left) < 1.0
        chunks: list[Any] = other.response().chunks()
    assert content(chunks) == "slowly"
    assert chunks[-1] == "[DONE]"
