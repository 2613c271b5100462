"""One request's story, against a scripted Poe on real sockets: which keys are tried, what again, when Poe is let go."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from poe2openai.core.collect import collect
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.events import AnswerEvent, Failed, Finished, GrammarChecker, PartDelta
from poe2openai.core.request import Message, ModelRequest, Text
from poe2openai.gateway.catalog import Route
from poe2openai.gateway.exchange import Exchange, Waiting
from poe2openai.gateway.keys import Caller, KeyRing
from poe2openai.gateway.record import RequestRecord
from poe2openai.gateway.tokens import tokenizer
from poe2openai.poe.client import PoeClient
from tests.support.poe_script import cut, done, error, error_reply, head, hold, pause, reset, text, until
from tests.support.scripted_poe import ScriptedPoe

OWN = Caller("key-1", "client-key")


@pytest.fixture
def client(poe: ScriptedPoe) -> Iterator[PoeClient]:
    client = PoeClient(poe.url, connect_timeout=2.0, idle_timeout=5.0, tick=0.05)
    yield client
    client.close()


def route(bot: str = "bot", **fields: Any) -> Route:
    known: dict[str, Any] = {"hold": False, "parameters": {}, "system_prompt": None, "declared": None}
    return Route(**{"model": bot, "bot": bot, **known, **fields})


def asked(**fields: Any) -> ModelRequest:
    return ModelRequest("bot", (Message("user", (Text("Hi"),)),), **fields)


class Asking:
    """One request to an exchange of its own."""

    def __init__(self, client: PoeClient, ring: tuple[str, ...] = (), ping_seconds: float = 30.0) -> None:
        self.keys = KeyRing(ring, ("token",) if ring else (), allow_client_keys=True)
        self.exchange = Exchange(client, self.keys, tokenizer())
        self._ping_seconds = ping_seconds
        self.record = RequestRecord("req_1")

    def __call__(self, request: ModelRequest | None = None, caller: Caller = OWN) -> Iterator[list[AnswerEvent]]:
        self.record = RequestRecord("req_1")
        waiting = Waiting(time.monotonic() + self._ping_seconds)
        return self.exchange.answer(request or asked(stream=True), route(), caller, self.record, waiting)

    def text(self, request: ModelRequest | None = None, caller: Caller = OWN) -> str:
        return collect(self(request, caller)).text("text")

    def failure(self, request: ModelRequest | None = None, caller: Caller = OWN) -> GatewayError:
        with pytest.raises(GatewayError) as caught:
            self(request, caller)
        return caught.value


def keys_seen(poe: ScriptedPoe) -> list[str]:
    return [(query.header("authorization") or "").removeprefix("Bearer ") for query in poe.queries()]


def test_an_answer_keeps_the_grammar_and_is_noted(poe: ScriptedPoe, client: PoeClient) -> None:
    poe.script("bot", text("Hel"), text("lo"), done())
    asking, checker = Asking(client), GrammarChecker()
    batches = list(asking())
    for batch in batches:
        checker.check(batch)
    checker.finish()
    assert asking.record.output_characters == 5
    assert (asking.record.attempts, asking.record.reason) == (1, "stop")


def test_usage_is_counted_for_whole_answers_and_where_a_stream_asks(poe: ScriptedPoe, client: PoeClient) -> None:
    poe.script("bot", text("hello world"), done())
    asking = Asking(client)
    usages = [collect(asking(request)).usage for request in (asked(), asked(stream=True, include_usage=True))]
    assert [usage and usage.output_tokens for usage in usages] == [2, 2]
    assert collect(asking(asked(stream=True))).usage is None


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
    asking = Asking(client)
    assert asking.text() == "at last"
    assert asking.record.attempts == 2


def test_it_is_tried_three_times_at_most(poe: ScriptedPoe, client: PoeClient) -> None:
    poe.script("bot", error_reply(502, "bad gateway"))
    assert Asking(client).failure().kind is ErrorKind.UPSTREAM_ERROR
    assert len(poe.queries()) == 3


def test_poes_refusal_of_connections_is_told(poe: ScriptedPoe, client: PoeClient) -> None:
    with poe.refusing():
        assert Asking(client).failure().kind is ErrorKind.UPSTREAM_UNREACHABLE


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404])
def test_a_clear_refusal_is_not_asked_again(poe: ScriptedPoe, client: PoeClient, status: int) -> None:
    poe.script("bot", error_reply(status, "no"))
    Asking(client).failure()
    assert len(poe.queries()) == 1


def test_poes_wish_for_patience_is_respected_up_to_ten_seconds(poe: ScriptedPoe, client: PoeClient) -> None:
    poe.script("bot", error_reply(429, "rate limit", {"Retry-After": "1"}))
    poe.script("bot", text("ok"), done())
    began = time.monotonic()
    assert Asking(client).text() == "ok"
    assert time.monotonic() - began >= 1.0
    poe.reset()
    poe.script("bot", error_reply(429, "rate limit", {"Retry-After": "11"}))
    assert Asking(client).failure().retry_after == 11.0
    assert len(poe.queries()) == 1


def test_an_error_event_keeps_its_kind_and_is_not_asked_again(poe: ScriptedPoe, client: PoeClient) -> None:
    poe.script("bot", error("Internal server error (error_id: 7)"))
    assert Asking(client).failure().kind is ErrorKind.UPSTREAM_INTERNAL
    assert len(poe.queries()) == 1


@pytest.mark.parametrize("after", [[cut()], [error("rate limit")], []])
def test_what_fails_after_the_first_event_is_never_asked_again(
    poe: ScriptedPoe, client: PoeClient, after: list[Any]
) -> None:
    poe.script("bot", text("half"), after)
    events = [event for batch in Asking(client)() for event in batch]
    assert isinstance(events[-1], Failed)
    assert [event.text for event in events if isinstance(event, PartDelta)] == ["half"]
    assert len(poe.queries()) == 1


RING = ("k1", "k2", "k3")
GUEST = Caller("token-1", None)


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
    asking = Asking(client, RING)
    assert [asking.text(caller=GUEST) for _ in range(6)] == ["ok"] * 6
    seen = keys_seen(poe)
    assert seen.count("k1") == 1
    assert {"k2", "k3"} <= set(seen)


def test_when_all_keys_fail_the_client_is_told_whose_they_are(poe: ScriptedPoe, client: PoeClient) -> None:
    poe.script("bot", error_reply(401, "Invalid token"))
    failure = Asking(client, RING).failure(caller=GUEST)
    assert sorted(keys_seen(poe)) == ["k1", "k2", "k3"]
    assert failure.kind is ErrorKind.AUTHENTICATION
    assert "gateway" in failure.message
    assert not any(key in failure.message for key in RING)


def test_the_clients_own_key_is_the_only_one_tried(poe: ScriptedPoe, client: PoeClient) -> None:
    poe.script("bot", error_reply(401, "Invalid token"))
    Asking(client, RING).failure()
    assert keys_seen(poe) == ["client-key"]


def test_a_stop_sequence_ends_poes_answer_at_once(poe: ScriptedPoe, client: PoeClient) -> None:
    poe.script("bot", text("one END two"), hold())
    answer = collect(Asking(client)(asked(stream=True, stop=("END",))))
    assert answer.text("text") == "one "
    assert poe.wait_query("bot").hung_up_after(time.monotonic()) < 1.0


def test_closing_the_answer_lets_poe_go(poe: ScriptedPoe, client: PoeClient) -> None:
    poe.script("bot", text("one"), hold())
    batches = Asking(client)()
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert poe.wait_query("bot").hung_up_after(time.monotonic()) < 1.0


def test_a_finished_answer_leaves_its_connection_for_the_next(poe: ScriptedPoe, client: PoeClient) -> None:
    poe.script("bot", text("one"), done())
    asking = Asking(client)
    for _ in range(5):
        asking.text()
    assert poe.connections == 1


def test_a_silent_poe_gives_a_stream_back_when_a_ping_is_due(poe: ScriptedPoe, client: PoeClient) -> None:
    go = threading.Event()
    poe.script("bot", until(go), text("late"), done())
    began = time.monotonic()
    batches = Asking(client, ping_seconds=0.3)()
    assert 0.2 < time.monotonic() - began < 2.0
    assert next(batches) == []
    go.set()
    assert collect(batches).text("text") == "late"


def test_ticks_come_while_poe_is_silent(poe: ScriptedPoe, client: PoeClient) -> None:
    poe.script("bot", text("a"), pause(0.5), text("b"), done())
    batches = list(Asking(client)())
    assert [] in batches[1:-1]
    assert isinstance(batches[-1][-1], Finished)


def test_a_key_that_poe_repeats_reaches_nobody(poe: ScriptedPoe, client: PoeClient) -> None:
    poe.script("bot", error("Invalid token client-key"))
    assert "client-key" not in Asking(client).failure().message
    poe.reset()
    poe.script("bot", text("a"), error("Invalid token client-key"))
    failed = [event for batch in Asking(client)() for event in batch][-1]
    assert isinstance(failed, Failed)
    assert "client-key" not in failed.error.message


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
    asking = Asking(client)
    with pytest.raises(NobodyWaits):
        asking.exchange.answer(asked(), route(), OWN, asking.record, Waiting(None, on_silence))
    assert poe.wait_query("bot").hung_up_after(time.monotonic()) < 1.0


def test_who_has_left_by_now_costs_no_query(poe: ScriptedPoe, client: PoeClient) -> None:
    class NobodyWaits(BaseException):
        pass

    def on_silence() -> None:
        raise NobodyWaits

    asking = Asking(client)
    with pytest.raises(NobodyWaits):
        asking.exchange.answer(asked(), route(), OWN, asking.record, Waiting(None, on_silence))
    assert not poe.queries()


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
    assert Asking(client, ("k1", "k2")).text(caller=GUEST) == "ok"
    assert tried == ["k1", "k2", "k1"]


def test_a_key_that_fails_after_a_long_silence_rests_too(poe: ScriptedPoe, client: PoeClient) -> None:
    def by_key(query: Any) -> list[Any]:
        if query.header("authorization") == "Bearer k1":
            return [head(), pause(0.5), error("You do not have enough points to message this bot.")]
        return [text("ok"), done()]

    poe.script_by("bot", by_key)
    asking = Asking(client, ("k1", "k2"), ping_seconds=0.1)
    first = [event for batch in asking(caller=GUEST) for event in batch]
    assert isinstance(first[-1], Failed)
    assert [asking.text(caller=GUEST) for _ in range(3)] == ["ok"] * 3


def test_an_empty_text_before_an_error_is_no_answer_yet(poe: ScriptedPoe, client: PoeClient) -> None:
    poe.script("bot", text(""), error("Bot does not exist"))
    assert Asking(client).failure().kind is ErrorKind.MODEL_NOT_FOUND


def test_a_whole_answer_that_is_cut_lets_poe_go_at_once(poe: ScriptedPoe, client: PoeClient) -> None:
    poe.script("bot", text("one END two"), hold())
    answer = collect(Asking(client)(asked(stop=("END",))))
    assert answer.text("text") == "one "
    assert poe.wait_query("bot").hung_up_after(time.monotonic()) < 1.0
