"""What a request allows and demands of calls: `tool_choice` and `parallel_tool_calls`."""

import json
import time

import pytest

from tests.support.fixtures import GatewayFactory
from tests.support.gateway import FLASK_RUN, Gateway
from tests.support.poe_script import Step, done, error_reply, head, hold, pause, text, tool_call
from tests.support.scripted_poe import ScriptedPoe
from tests.support.tool_gateway import (
    CLOCK,
    NATIVE_CALL,
    PARIS,
    QUESTION,
    TOOLS,
    XML_CALL,
    ask,
    ask_whole,
    calls_of,
    failure,
    fresh_bot,
    last_words,
    make_tool_gateway,
    parsed,
)
from tests.support.wire import chat_bytes, content, errors, finish_reasons


@pytest.fixture
def gateway(make_gateway: GatewayFactory, poe: ScriptedPoe) -> Gateway:
    return make_tool_gateway(make_gateway, poe)


SECOND_NATIVE = [tool_call(1, "", id="call_b", name="clock"), tool_call(1, "{}")]
SECOND_XML = [text('<invoke name="clock"></invoke>')]


class TestOneAtATime:
    @pytest.mark.parametrize("native", [True, False], ids=["native", "xml"])
    def test_one_call_is_let_through_and_ends_poes_answer(
        self, gateway: Gateway, poe: ScriptedPoe, native: bool
    ) -> None:
        bot = fresh_bot() if native else "a-private-bot"
        first, second = (NATIVE_CALL[:3], SECOND_NATIVE) if native else (XML_CALL[:-1], SECOND_XML)
        poe.script(bot, first, second, hold())
        chunks = ask(gateway, bot, parallel_tool_calls=False)
        assert parsed(calls_of(chunks)) == parsed([PARIS])
        assert finish_reasons(chunks) == ["tool_calls"]
        assert poe.queries(bot)[0].hung_up_after(time.monotonic()) < 1.0
        poe.reset()
        poe.script(bot, first, second, done())
        assert len(ask_whole(gateway, bot, parallel_tool_calls=False)["choices"][0]["message"]["tool_calls"]) == 1

    def test_otherwise_all_are(self, gateway: Gateway, poe: ScriptedPoe) -> None:
        bot = fresh_bot()
        poe.script(bot, NATIVE_CALL[:3], SECOND_NATIVE, done())
        assert [name for name, _ in calls_of(ask(gateway, bot))] == ["weather", "clock"]


# Before the head of Poe's answer, and behind it.
SILENCES: list[list[Step]] = [[hold(), head()], [head(), hold()]]


class TestRequired:
    @pytest.mark.parametrize("native", [True, False], ids=["native", "xml"])
    @pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
    def test_an_answer_without_a_call_is_asked_for_again(
        self, gateway: Gateway, poe: ScriptedPoe, native: bool, stream: bool
    ) -> None:
        bot = fresh_bot() if native else "a-private-bot"
        poe.script(bot, text("It is "), text("sunny."), done())
        poe.script(bot, NATIVE_CALL if native else XML_CALL)
        fields = {"tool_choice": "required", "stream_options": {"include_usage": True}} if stream else {}
        if stream:
            chunks = ask(gateway, bot, **fields)
            assert "sunny" not in content(chunks)
            assert parsed(calls_of(chunks)) == parsed([PARIS])
            assert finish_reasons(chunks) == ["tool_calls"]
            usage = chunks[-2]["usage"]
        else:
            body = ask_whole(gateway, bot, tool_choice="required")
            assert "sunny" not in json.dumps(body)
            assert body["choices"][0]["message"]["tool_calls"]
            usage = body["usage"]
        first, second = poe.queries(bot)
        said = [(message["role"], message["content"]) for message in second.messages]
        assert said[1] == ("bot", "It is sunny.")
        assert said[2][1].startswith("Your answer called no tool.")
        assert (said[0][1], len(said)) == ("Weather?", 3)
        assert ("tools" in second.json) == native == ("tools" in first.json)
        poe.reset()
        poe.script(bot, NATIVE_CALL if native else XML_CALL)
        alone = ask_whole(gateway, bot, tool_choice="required")["usage"]
        assert usage["prompt_tokens"] >= 2 * alone["prompt_tokens"]
        assert usage["completion_tokens"] > alone["completion_tokens"]

    @pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
    def test_the_second_time_the_text_is_the_answer(self, gateway: Gateway, poe: ScriptedPoe, stream: bool) -> None:
        bot = fresh_bot()
        poe.script(bot, text("first"), done())
        poe.script(bot, text("second"), done())
        if stream:
            chunks = ask(gateway, bot, tool_choice="required")
            assert (content(chunks), finish_reasons(chunks)) == ("second", ["stop"])
        else:
            choice = ask_whole(gateway, bot, tool_choice="required")["choices"][0]
            assert (choice["message"]["content"], choice["finish_reason"]) == ("second", "stop")
        assert len(poe.queries(bot)) == 2

    def test_what_was_sent_is_not_asked_for_again(self, gateway: Gateway, poe: ScriptedPoe) -> None:
        bot = fresh_bot()
        thought: list[Step] = [text("*Thinking...*\n\n> hm\n> so\n"), pause(0.1), text("\nIt is sunny."), done()]
        poe.script(bot, thought)
        chunks = ask(gateway, bot, tool_choice="required")
        assert (content(chunks), finish_reasons(chunks)) == ("It is sunny.", ["stop"])
        assert len(poe.queries(bot)) == 1
        # A whole answer has sent nothing yet.
        body = ask_whole(gateway, bot, tool_choice="required")
        assert body["choices"][0]["finish_reason"] == "stop"
        assert len(poe.queries(bot)) == 3

    @pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
    def test_an_error_of_the_second_query_keeps_its_status(
        self, gateway: Gateway, poe: ScriptedPoe, stream: bool
    ) -> None:
        bot = fresh_bot()
        poe.script(bot, text("first"), done())
        poe.script(bot, error_reply(402, "You do not have enough points to message this bot."))
        status, said = failure(gateway, bot, tool_choice="required", stream=stream)
        assert (status, said["code"]) == (429, "insufficient_quota")

    def test_a_ping_is_nothing_that_was_sent(self, make_gateway: GatewayFactory, poe: ScriptedPoe) -> None:
        gateway = make_tool_gateway(make_gateway, poe, STREAM_PING_SECONDS="0.4")
        called, failing = fresh_bot(), fresh_bot()
        late: list[Step] = [pause(0.8), text("no call"), done()]
        poe.script(called, late)
        poe.script(called, NATIVE_CALL)
        assert parsed(calls_of(ask(gateway, called, tool_choice="required"))) == parsed([PARIS])
        poe.script(failing, late)
        poe.script(failing, error_reply(402, "You do not have enough points to message this bot."))
        with gateway.client() as client:
            response = client.chat(model=failing, messages=QUESTION, tools=TOOLS, tool_choice="required", stream=True)
            assert response.status == 200
            chunks = response.chunks()
            assert response.whole is False
        assert [found["code"] for found in errors(chunks)] == ["insufficient_quota"]

    @pytest.mark.parametrize("command", [None, FLASK_RUN], ids=["gunicorn", "flask run"])
    @pytest.mark.parametrize("how", [(stream, steps) for stream in (True, False) for steps in SILENCES])
    def test_who_hangs_up_ends_the_second_query(
        self, make_gateway: GatewayFactory, poe: ScriptedPoe, command: list[str] | None, how: tuple[bool, list[Step]]
    ) -> None:
        stream, silence = how
        gateway = make_tool_gateway(make_gateway, poe, command=command, STREAM_PING_SECONDS="0.4")
        bot = fresh_bot()
        poe.script(bot, pause(0.8), text("no call"), done())
        poe.script(bot, *silence)
        client = gateway.client()
        client.send(chat_bytes(model=bot, messages=QUESTION, tools=TOOLS, tool_choice="required", stream=stream))
        second = poe.wait_query(bot, 2)
        time.sleep(0.2)
        left = time.monotonic()
        client.close()
        assert second.hung_up_after(left) < 1.5
        assert "hung_up=yes" in gateway.wait_log(f"model={bot}")
        time.sleep(0.3)
        assert "Traceback" not in gateway.log()

    def test_a_named_tool_is_the_one_that_is_offered(self, gateway: Gateway, poe: ScriptedPoe) -> None:
        bot = fresh_bot()
        poe.script(bot, tool_call(0, "{}", id="c", name="clock"), done())
        chunks = ask(gateway, bot, tool_choice={"type": "function", "function": {"name": "clock"}})
        assert calls_of(chunks) == [("clock", "{}")]
        (query,) = poe.queries(bot)
        assert [tool["function"]["name"] for tool in query.json["tools"]] == ["clock"]

    def test_the_log_and_the_usage_are_of_both(self, gateway: Gateway, poe: ScriptedPoe) -> None:
        before = len(gateway.log())
        bot = fresh_bot()
        poe.script(bot, text("no call"), done())
        poe.script(bot, NATIVE_CALL)
        usage = ask_whole(gateway, bot, tool_choice="required")["usage"]
        line = gateway.wait_log(f"model={bot}", start=before)
        assert f"tokens_in={usage['prompt_tokens']}" in line
        assert f"tokens_out={usage['completion_tokens']}" in line
        assert "asked again" in line


class TestChoice:
    @pytest.mark.parametrize("bot", [None, "a-private-bot"], ids=["native", "xml"])
    def test_none_offers_none_and_drops_calls(self, gateway: Gateway, poe: ScriptedPoe, bot: str | None) -> None:
        bot = bot or fresh_bot()
        poe.script(bot, text("Sunny."), NATIVE_CALL)
        chunks = ask(gateway, bot, tool_choice="none")
        assert (content(chunks), calls_of(chunks), finish_reasons(chunks)) == ("Sunny.", [], ["stop"])
        (query,) = poe.queries(bot)
        assert "tools" not in query.json
        assert last_words(query) == "Weather?"

    def test_allowed_tools_are_offered_and_others_dropped(self, gateway: Gateway, poe: ScriptedPoe) -> None:
        bot = fresh_bot()
        poe.script(bot, NATIVE_CALL[:3], SECOND_NATIVE, done())
        allowed = [{"type": "function", "function": {"name": "clock"}}]
        choice = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": allowed}}
        chunks = ask(gateway, bot, tool_choice=choice)
        assert calls_of(chunks) == [("clock", "{}")]
        (query,) = poe.queries(bot)
        assert [tool["function"]["name"] for tool in query.json["tools"]] == ["clock"]
        assert CLOCK["function"]["description"] == query.json["tools"][0]["function"]["description"]
