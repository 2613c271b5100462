"""One query's way to Poe, over real sockets: which keys are tried, what again, and when Poe is let go."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.gateway.attempts import Waiting
from poe2openai.gateway.keys import Caller, KeyRing
from poe2openai.gateway.record import RequestRecord
from poe2openai.gateway.upstream import Upstream, Upstreams
from poe2openai.poe.client import PoeClient
from poe2openai.poe.events import Done, Error, PoeEvent, Text
from tests.support.poe_script import cut, done, error, error_reply, head, hold, pause, reset, text, until
from tests.support.scripted_poe import ScriptedPoe

OWN = Caller("key-1", "client-key")
RING = ("k1", "k2", "k3")
GUEST = Caller("token-1", None)


@pytest.fixture
def client(poe: ScriptedPoe) -> Iterator[PoeClient]:
    client = PoeClient(poe.url, connect_timeout=2.0, idle_timeout=5.0, tick=0.05)
    yield client
    client.close()


class Opening:
    """Opens queries, with keys of its own."""

    def __init__(self, client: PoeClient, ring: tuple[str, ...] = (), ping_seconds: float = 30.0) -> None:
        keys = KeyRing(ring, ("token",) if ring else (), allow_client_keys=True)
        self._upstreams = Upstreams(client, keys)
        self._ping_seconds = ping_seconds
        self.record = RequestRecord("req_1")

    def __call__(self, caller: Caller = OWN, waiting: Waiting | None = None) -> Upstream:
        self.record = RequestRecord("req_1")
        waiting = waiting or Waiting(time.monotonic() + self._ping_seconds)
        return self._upstreams.open(b"{}", self._upstreams.asker("bot", caller, self.record, waiting))

    def events(self, caller: Caller = OWN) -> list[PoeEvent]:
        upstream = self(caller)
        try:
            return [event for batch in upstream.events() for event in batch]
        finally:
            upstream.finish()

    def text(self, caller: Caller = OWN) -> str:
        return "".join(event.text for event in self.events(caller) if isinstance(event, Text))

    def failure(self, caller: Caller = OWN) -> GatewayError:
        with pytest.raises(GatewayError) as caught:
            self(caller)
        return caught.value


def keys_seen(poe: ScriptedPoe) -> list[str]:
    return [(query.header("authorization") or "").removeprefix("Bearer ") for query in poe.queries()]


@pytest.mark.parametrize(
    "fault",
    [
        error_reply(500, "Internal server error"),
        error_reply(503, "busy"),
        error_reply(429, "rate limit"),
        [reset()],
        [cut()],
    ],
)
def test_what_fails_before_the_first_event_is_tried_again(
    poe: ScriptedPoe, client: PoeClient, fault: list[Any]
) -> None:
    poe.script("bot", fault)
    poe.script("bot", text("at last"), done())
    opening = Opening(client)
    assert opening.text() == "at last"
    assert opening.record.attempts == 2


def test_it_is_tried_three_times_at_most(poe: ScriptedPoe, client: PoeClient) -> None:
    poe.script("bot", error_reply(502, "bad gateway"))
    assert Opening(client).failure().kind is ErrorKind.UPSTREAM_ERROR
    assert len(poe.queries()) == 3


def test_poes_refusal_of_connections_is_told(poe: ScriptedPoe, client: PoeClient) -> None:
    with poe.refusing():
        assert Opening(client).failure().kind is ErrorKind.UPSTREAM_UNREACHABLE


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404])
def test_a_clear_refusal_is_not_asked_again(poe: ScriptedPoe, client: PoeClient, status: int) -> None:
    poe.script("bot", error_reply(status, "no"))
    Opening(client).failure()
    assert len(poe.queries()) == 1


def test_poes_wish_for_patience_is_respected_up_to_ten_seconds(poe: ScriptedPoe, client: PoeClient) -> None:
    poe.script("bot", error_reply(429, "rate limit", {"Retry-After": "1"}))
    poe.script("bot", text("ok"), done())
    began = time.monotonic()
    assert Opening(client).text() == "ok"
    assert time.monotonic() - began >= 1.0
    poe.reset()
    poe.script("bot", error_reply(429, "rate limit", {"Retry-After": "11"}))
    assert Opening(client).failure().retry_after == 11.0
    assert len(poe.queries()) == 1


def test_an_error_event_keeps_its_kind_and_is_not_asked_again(poe: ScriptedPoe, client: PoeClient) -> None:
    poe.script("bot", error("Internal server error (error_id: 7)"))
    assert Opening(client).failure().kind is ErrorKind.UPSTREAM_INTERNAL
    assert len(poe.queries()) == 1


def test_an_empty_text_before_an_error_is_no_answer_yet(poe: ScriptedPoe, client: PoeClient) -> None:
    poe.script("bot", text(""), error("Bot does not exist"))
    assert Opening(client).failure().kind is ErrorKind.MODEL_NOT_FOUND


def test_what_fails_later_is_the_last_event(poe: ScriptedPoe, client: PoeClient) -> None:
    poe.script("bot", text("half"), cut())
    *before, last = Opening(client).events()
    assert before == [Text("half")]
    assert isinstance(last, Error)
    assert len(poe.queries()) == 1


@pytest.mark.parametrize(
    "fault",
    [
        error_reply(401, "Invalid token"),
        error_reply(402, "You do not have enough points to message this bot."),
        error_reply(429, "rate limit", {"Retry-After": "60"}),
        [error("This bot needs more points to answer your request.")],
    ],
)
def test_a_failing_key_gives_way_to_the_next_and_rests(poe: ScriptedPoe, client: PoeClient, fault: list[Any]) -> None:
    def by_key(query: Any) -> list[Any]:
        return list(fault) if query.header("authorization") == "Bearer k1" else [text("ok"), done()]

    poe.script_by("bot", by_key)
    opening = Opening(client, RING)
    assert [opening.text(GUEST) for _ in range(6)] == ["ok"] * 6
    seen = keys_seen(poe)
    assert seen.count("k1") == 1
    assert {"k2", "k3"} <= set(seen)


def test_when_all_keys_fail_the_client_is_told_whose_they_are(poe: ScriptedPoe, client: PoeClient) -> None:
    poe.script("bot", error_reply(401, "Invalid token"))
    failure = Opening(client, RING).failure(GUEST)
    assert sorted(keys_seen(poe)) == ["k1", "k2", "k3"]
    assert failure.kind is ErrorKind.AUTHENTICATION
    assert "gateway" in failure.message
    assert not any(key in failure.message for key in RING)


def test_the_clients_own_key_is_the_only_one_tried(poe: ScriptedPoe, client: PoeClient) -> None:
    poe.script("bot", error_reply(401, "Invalid token"))
    Opening(client, RING).failure()
    assert keys_seen(poe) == ["client-key"]


def test_whoever_asks_twice_asks_with_the_same_keys(poe: ScriptedPoe, client: PoeClient) -> None:
    upstreams = Upstreams(client, KeyRing(RING, ("token",), allow_client_keys=True))
    asker = upstreams.asker("bot", GUEST, RequestRecord("req_1"), Waiting())
    poe.script("bot", text("ok"), done())
    for _ in range(3):
        upstreams.open(b"{}", asker).finish()
    assert sorted(asker.keys) == list(RING)
    assert keys_seen(poe) == [asker.keys[0]] * 3


def test_a_key_that_only_stumbled_is_tried_again_after_one_that_was_refused(
    poe: ScriptedPoe, client: PoeClient
) -> None:
    tried: list[str] = []

    def by_key(query: Any) -> list[Any]:
        tried.append(query.header("authorization").removeprefix("Bearer "))
        if tried[-1] == "k2":
            return error_reply(401, "Invalid token")
        return error_reply(500, "oops") if len(tried) == 1 else [text("ok"), done()]

    poe.script_by("bot", by_key)
    assert Opening(client, ("k1", "k2")).text(GUEST) == "ok"
    assert tried == ["k1", "k2", "k1"]


def test_a_key_that_fails_after_a_long_silence_rests_too(poe: ScriptedPoe, client: PoeClient) -> None:
    def by_key(query: Any) -> list[Any]:
        if query.header("authorization") == "Bearer k1":
            return [head(), pause(0.5), error("You do not have enough points to message this bot.")]
        return [text("ok"), done()]

    poe.script_by("bot", by_key)
    opening = Opening(client, ("k1", "k2"), ping_seconds=0.1)
    assert isinstance(opening.events(GUEST)[-1], Error)
    assert [opening.text(GUEST) for _ in range(3)] == ["ok"] * 3


def test_a_silent_poe_gives_a_stream_back_when_a_ping_is_due(poe: ScriptedPoe, client: PoeClient) -> None:
    go = threading.Event()
    poe.script("bot", until(go), text("late"), done())
    began = time.monotonic()
    upstream = Opening(client, ping_seconds=0.3)()
    assert 0.2 < time.monotonic() - began < 2.0
    assert not upstream.has_begun
    batches = upstream.events()
    assert next(batches) == []
    go.set()
    assert [event for batch in batches for event in batch] == [Text("late"), Done()]
    upstream.finish()


def test_ticks_come_while_poe_is_silent(poe: ScriptedPoe, client: PoeClient) -> None:
    poe.script("bot", text("a"), pause(0.5), text("b"), done())
    upstream = Opening(client)()
    batches = list(upstream.events())
    upstream.finish()
    assert [] in batches[1:-1]
    assert batches[-1][-1] == Done()


@pytest.mark.parametrize("steps", [[hold()], [head(), hold()]])
def test_whoever_waits_can_give_up_before_poes_first_event(
    poe: ScriptedPoe, client: PoeClient, steps: list[Any]
) -> None:
    class NobodyWaits(BaseException):
        pass

    def on_silence() -> None:
        if poe.queries():
            raise NobodyWaits

    poe.script("bot", *steps)
    with pytest.raises(NobodyWaits):
        Opening(client)(waiting=Waiting(None, on_silence))
    assert poe.wait_query("bot").hung_up_after(time.monotonic()) < 1.0


def test_who_has_left_by_now_costs_no_query(poe: ScriptedPoe, client: PoeClient) -> None:
    class NobodyWaits(BaseException):
        pass

    def on_silence() -> None:
        raise NobodyWaits

    with pytest.raises(NobodyWaits):
        Opening(client)(waiting=Waiting(None, on_silence))
    assert not poe.queries()


def test_an_answer_cut_short_lets_poe_go_at_once(poe: ScriptedPoe, client: PoeClient) -> None:
    poe.script("bot", text("one"), hold())
    Opening(client)().cut_short()
    assert poe.wait_query("bot").hung_up_after(time.monotonic()) < 1.0


def test_an_answer_that_ended_leaves_its_connection_for_the_next(poe: ScriptedPoe, client: PoeClient) -> None:
    # The HTTP body ends a little later than the answer.
    poe.script("bot", text("one"), done(), pause(0.01))
    opening = Opening(client)
    for _ in range(3):
        upstream = opening()
        list(upstream.events())
        upstream.cut_short()
        upstream.finish()
    assert poe.connections == 1
