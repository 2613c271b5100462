"""One request's story, against a scripted Poe on real sockets: the ways it takes, and when it is asked again."""

import gc
import time
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from poe2openai.core.collect import collect
from poe2openai.core.errors import ErrorKind
from poe2openai.core.events import AnswerEvent, Failed, Finished, PartStarted, Usage
from poe2openai.core.request import (
    ModelRequest,
    OutputFormat,
    ToolChoice,
    ToolChoiceMode,
)
from poe2openai.gateway.tokens import tokenizer
from poe2openai.poe.client import PoeClient
from tests.support.asking import ONE_ROUND, WEATHER, asked
from tests.support.poe_script import Step, cut, done, error, error_reply, head, hold, pause, text, tool_call
from tests.support.received import Received
from tests.support.scripted_poe import ScriptedPoe
from tests.support.telling import Telling, said

WITH_TOOLS = asked(tools=(WEATHER,), stream=True)
REQUIRED = asked(tools=(WEATHER,), tool_choice=ToolChoice(ToolChoiceMode.REQUIRED), stream=True, include_usage=True)
CALL: list[Step] = [tool_call(0, "{}", id="c1", name="weather"), done()]


@pytest.fixture
def client(poe: ScriptedPoe) -> Iterator[PoeClient]:
    client = PoeClient(poe.url, connect_timeout=2.0, idle_timeout=5.0, tick=0.05)
    yield client
    client.close()


def calls(events: Sequence[AnswerEvent]) -> list[str | None]:
    return [event.name for event in events if isinstance(event, PartStarted) and event.kind == "tool_call"]


def usage_of(events: Sequence[AnswerEvent]) -> Usage:
    end = events[-1]
    assert isinstance(end, Finished)
    assert end.usage is not None
    return end.usage


def input_tokens(telling: Telling, request: ModelRequest) -> int:
    usage = collect(telling(request)).usage
    assert usage is not None
    return usage.input_tokens


def told(poe: ScriptedPoe) -> list[str]:
    """How each query told the bot of tools."""
    return ["native" if "tools" in query.json else "xml" for query in poe.queries()]


class TestAnAnswer:
    def test_it_keeps_the_grammar_and_is_noted(self, poe: ScriptedPoe, client: PoeClient) -> None:
        poe.script("bot", text("Hel"), text("lo"), done())
        telling = Telling(client)
        assert said(telling.events()) == "Hello"
        assert telling.record.output_characters == 5
        assert (telling.record.attempts, telling.record.reason) == (1, "stop")

    def test_usage_is_counted_for_whole_answers_and_where_a_stream_asks(
        self, poe: ScriptedPoe, client: PoeClient
    ) -> None:
        poe.script("bot", text("hello world"), done())
        telling = Telling(client)
        usages = [collect(telling(request)).usage for request in (asked(), asked(stream=True, include_usage=True))]
        assert [usage and usage.output_tokens for usage in usages] == [2, 2]
        assert collect(telling(asked(stream=True))).usage is None

    def test_the_prompt_counts_what_the_bot_is_told(self, poe: ScriptedPoe, client: PoeClient) -> None:
        poe.script("bot", text("{}"), done())
        bare = input_tokens(Telling(client), asked())
        native = input_tokens(Telling(client), asked(tools=(WEATHER,)))
        xml = input_tokens(Telling(client, tools_mode="xml"), asked(tools=(WEATHER,)))
        json = input_tokens(Telling(client), asked(output_format=OutputFormat()))
        definition = native - bare
        assert definition > 20
        words = tokenizer().count(poe.queries()[2].messages[0]["content"])
        # What stands in the words is counted there and not again.
        assert xml == pytest.approx(bare + words - 1, abs=5)
        assert bare + 10 < json < bare + 50

    @pytest.mark.parametrize("after", [[cut()], [error("rate limit")], []])
    def test_what_fails_after_the_first_event_is_never_asked_again(
        self, poe: ScriptedPoe, client: PoeClient, after: list[Any]
    ) -> None:
        poe.script("bot", text("half"), after)
        events = Telling(client).events(WITH_TOOLS)
        assert isinstance(events[-1], Failed)
        assert said(events) == "half"
        assert len(poe.queries()) == 1

    def test_a_stop_sequence_ends_poes_answer_at_once(self, poe: ScriptedPoe, client: PoeClient) -> None:
        for stream in (True, False):
            poe.script("bot", text("one END two"), hold())
            answer = collect(Telling(client)(asked(stream=stream, stop=("END",))))
            assert answer.text("text") == "one "
            assert poe.wait_query("bot").hung_up_after(time.monotonic()) < 1.0
            poe.reset()

    def test_closing_it_lets_poe_go(self, poe: ScriptedPoe, client: PoeClient) -> None:
        poe.script("bot", text("one"), hold())
        batches = Telling(client)()
        next(batches)
        batches.close()
        assert poe.wait_query("bot").hung_up_after(time.monotonic()) < 1.0

    def test_its_connection_serves_the_next(self, poe: ScriptedPoe, client: PoeClient) -> None:
        poe.script("bot", text("one"), done())
        telling = Telling(client)
        for _ in range(5):
            telling.events()
        assert poe.connections == 1

    def test_a_key_that_poe_repeats_reaches_nobody(self, poe: ScriptedPoe, client: PoeClient) -> None:
        poe.script("bot", error("Invalid token client-key"))
        assert "client-key" not in Telling(client).failure().message
        poe.reset()
        poe.script("bot", text("a"), error("Invalid token client-key"))
        failed = Telling(client).events()[-1]
        assert isinstance(failed, Failed)
        assert "client-key" not in failed.error.message


class TestWays:
    def test_a_refused_way_gives_way_to_the_next_and_is_remembered(self, poe: ScriptedPoe, client: PoeClient) -> None:
        poe.script("bot", error_reply(400, "tools are not supported"))
        poe.script("bot", text("ok"), done())
        telling = Telling(client)
        assert said(telling.events(WITH_TOOLS)) == "ok"
        assert "tools are not supported" in telling.record.notes[0]
        telling.events(WITH_TOOLS)
        assert told(poe) == ["native", "xml", "xml"]
        telling.now += 86_401.0
        telling.events(WITH_TOOLS)
        assert told(poe)[3:] == ["native"]

    def test_a_doubtful_refusal_is_remembered_for_ten_minutes(self, poe: ScriptedPoe, client: PoeClient) -> None:
        poe.script("bot", error("Something went wrong."))
        poe.script("bot", text("ok"), done())
        telling = Telling(client)
        telling.events(WITH_TOOLS)
        telling.now += 599.0
        telling.events(WITH_TOOLS)
        telling.now += 2.0
        telling.events(WITH_TOOLS)
        assert told(poe) == ["native", "xml", "xml", "native"]

    def test_where_all_ways_are_refused_the_first_refusal_counts(self, poe: ScriptedPoe, client: PoeClient) -> None:
        poe.script("bot", error_reply(400, "the first"))
        poe.script("bot", error_reply(400, "the second"))
        telling = Telling(client)
        assert telling.failure(WITH_TOOLS).message == "the first"
        poe.reset()
        poe.script("bot", text("ok"), done())
        telling.events(WITH_TOOLS)
        assert told(poe) == ["native"]

    def test_the_next_way_may_fail_for_another_reason(self, poe: ScriptedPoe, client: PoeClient) -> None:
        poe.script("bot", error_reply(400, "no tools"))
        poe.script("bot", error_reply(402, "You do not have enough points to message this bot."))
        telling = Telling(client)
        assert telling.failure(WITH_TOOLS).kind is ErrorKind.INSUFFICIENT_QUOTA
        assert told(poe) == ["native", "xml"]

    @pytest.mark.parametrize("status", [401, 402, 403, 404, 429, 500, 503])
    def test_other_errors_take_no_other_way(self, poe: ScriptedPoe, client: PoeClient, status: int) -> None:
        poe.script("bot", error_reply(status, "no", {"Retry-After": "60"}))
        Telling(client).failure(WITH_TOOLS)
        assert set(told(poe)) == {"native"}

    def test_a_refused_history_is_told_in_words(self, poe: ScriptedPoe, client: PoeClient) -> None:
        def answer(query: Received) -> Sequence[Step]:
            return error_reply(400, "No tool call found") if "tool_results" in query.json else [text("ok"), done()]

        poe.script_by("bot", answer)
        telling = Telling(client)
        for _ in range(2):
            telling.events(asked(*ONE_ROUND, tools=(WEATHER,), stream=True))
        assert told(poe) == ["native"] * 3
        assert ["tool_results" in query.json for query in poe.queries()] == [True, False, False]

    def test_an_answer_that_has_yet_to_begin_proves_no_refusal(self, poe: ScriptedPoe, client: PoeClient) -> None:
        poe.script("bot", error_reply(400, "no tools"))
        poe.script("bot", head(), pause(0.3), text("ok"), done())
        poe.script("bot", text("ok"), done())
        telling = Telling(client)
        collect(telling(WITH_TOOLS, ping_seconds=0.05))
        telling.events(WITH_TOOLS)
        assert told(poe) == ["native", "xml", "native"]

    def test_a_request_without_tools_is_not_told_again(self, poe: ScriptedPoe, client: PoeClient) -> None:
        poe.script("bot", error_reply(400, "tools are not supported"))
        Telling(client).failure()
        assert len(poe.queries()) == 1


class TestAgain:
    def test_an_answer_that_calls_no_tool_is_asked_for_again(self, poe: ScriptedPoe, client: PoeClient) -> None:
        poe.script("bot", text("hello "), text("world"), done())
        poe.script("bot", CALL)
        telling = Telling(client)
        events = telling.events(REQUIRED)
        assert calls(events) == ["weather"]
        assert "hello" not in said(events)
        second = poe.queries()[1]
        assert [message["role"] for message in second.messages] == ["user", "bot", "user"]
        assert second.messages[1]["content"] == "hello world"
        assert any("asked again" in note for note in telling.record.notes)
        assert telling.record.attempts == 2

    def test_usage_is_of_both_answers(self, poe: ScriptedPoe, client: PoeClient) -> None:
        telling = Telling(client)
        poe.script("bot", CALL)
        alone = usage_of(telling.events(REQUIRED))
        poe.reset()
        poe.script("bot", text("hello world"), done())
        poe.script("bot", CALL)
        both = usage_of(telling.events(REQUIRED))
        assert both.output_tokens == alone.output_tokens + 2
        assert both.input_tokens >= 2 * alone.input_tokens
        assert telling.record.usage == both

    def test_it_is_asked_again_once(self, poe: ScriptedPoe, client: PoeClient) -> None:
        poe.script("bot", text("first"), done())
        poe.script("bot", text("second"), done())
        events = Telling(client).events(REQUIRED)
        assert (said(events), calls(events)) == ("second", [])
        assert isinstance(events[-1], Finished)
        assert events[-1].reason == "stop"
        assert len(poe.queries()) == 2

    def test_it_is_asked_again_the_way_that_was_taken(self, poe: ScriptedPoe, client: PoeClient) -> None:
        poe.script("bot", error_reply(400, "no tools"))
        poe.script("bot", text("first"), done())
        poe.script("bot", text("second"), done())
        Telling(client).events(REQUIRED)
        assert told(poe) == ["native", "xml", "xml"]

    def test_an_error_of_the_second_query_is_the_first_thing_said(self, poe: ScriptedPoe, client: PoeClient) -> None:
        poe.script("bot", text("first"), done())
        poe.script("bot", error_reply(402, "You do not have enough points to message this bot."))
        telling = Telling(client)
        events = telling.events(REQUIRED)
        assert len(events) == 2
        assert isinstance(events[-1], Failed)
        assert events[-1].error.kind is ErrorKind.INSUFFICIENT_QUOTA
        assert telling.record.error == "insufficient_quota"

    def test_what_was_sent_is_never_asked_again(self, poe: ScriptedPoe, client: PoeClient) -> None:
        poe.script("bot", text("*Thinking...*\n\n> hm\n"), pause(0.1), text("\nSunny."), done())
        events = Telling(client).events(REQUIRED)
        assert said(events) == "hmSunny."
        assert len(poe.queries()) == 1

    def test_closing_it_ends_the_second_query(self, poe: ScriptedPoe, client: PoeClient) -> None:
        poe.script("bot", text("first"), done())
        poe.script("bot", tool_call(0, "{", id="c1", name="weather"), hold())
        batches = Telling(client)(REQUIRED)
        while not next(batches):
            pass
        batches.close()
        assert poe.wait_query("bot", 2).hung_up_after(time.monotonic()) < 1.0

    def test_the_first_answer_is_forgotten(self, poe: ScriptedPoe, client: PoeClient) -> None:
        class Extra(dict[str, Any]):
            pass

        poe.script("bot", text("first"), done())
        poe.script("bot", CALL)
        gc.collect()
        gc.disable()
        try:
            extra = Extra(aspect="1:1")
            request = asked(tools=(WEATHER,), tool_choice=REQUIRED.tool_choice, stream=True, extra=extra)
            watched = weakref.ref(extra)
            del extra
            Telling(client).events(request)
            del request
            assert watched() is None, "a cycle holds the request until the collector runs"
        finally:
            gc.enable()
