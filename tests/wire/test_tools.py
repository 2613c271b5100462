"""Tools: how a bot is told of them and of its earlier calls, and what its calls become."""

import json
from typing import Any

import pytest

from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway
from tests.support.poe_script import Step, done, text, tool_call
from tests.support.received import Received
from tests.support.scripted_poe import ScriptedPoe
from tests.support.tool_gateway import (
    FIRST_ROUND,
    HISTORY,
    NATIVE_CALL,
    PARIS,
    QUESTION,
    WEATHER,
    XML_CALL,
    ask,
    ask_whole,
    call,
    calls_message,
    calls_of,
    fresh_bot,
    last_words,
    make_tool_gateway,
    parsed,
    result,
    ways,
)
from tests.support.wire import content, finish_reasons


@pytest.fixture
def gateway(make_gateway: GatewayFactory, poe: ScriptedPoe) -> Gateway:
    return make_tool_gateway(make_gateway, poe)


class TestTelling:
    def test_a_bot_with_tools_is_told_in_poes_own_field(self, gateway: Gateway, poe: ScriptedPoe) -> None:
        bot = fresh_bot()
        poe.script(bot, text("I look."), NATIVE_CALL)
        chunks = ask(gateway, bot)
        assert parsed(calls_of(chunks)) == parsed([PARIS])
        assert content(chunks) == "I look."
        assert finish_reasons(chunks) == ["tool_calls"]
        (query,) = poe.queries(bot)
        assert [tool["function"]["name"] for tool in query.json["tools"]] == ["weather", "clock"]
        assert last_words(query) == "Weather?"
        assert "stop_sequences" not in query.json

    @pytest.mark.parametrize("bot", ["no-tools", "a-private-bot", "always-xml"])
    def test_other_bots_are_told_in_words_behind_the_question(
        self, gateway: Gateway, poe: ScriptedPoe, bot: str
    ) -> None:
        poe.script(bot, XML_CALL)
        chunks = ask(gateway, bot, extra_note="x", stop=["END"])
        assert parsed(calls_of(chunks)) == parsed([PARIS])
        assert content(chunks).strip() == "I look."
        assert finish_reasons(chunks) == ["tool_calls"]
        (query,) = poe.queries(bot)
        assert "tools" not in query.json
        assert query.messages[-1]["content"].startswith("Weather?\n\n")
        assert "Tells the weather." in query.messages[-1]["content"]
        assert query.messages[-1]["parameters"] == {"extra_note": "x"}
        assert query.json["stop_sequences"] == ["END", "<tool_result"]

    def test_whole_answers_call_alike(self, gateway: Gateway, poe: ScriptedPoe) -> None:
        bot = fresh_bot()
        poe.script(bot, NATIVE_CALL)
        poe.script("no-tools", XML_CALL)
        for one in (bot, "no-tools"):
            choice = ask_whole(gateway, one)["choices"][0]
            assert choice["finish_reason"] == "tool_calls"
            (made,) = choice["message"]["tool_calls"]
            assert made["type"] == "function"
            assert parsed([(made["function"]["name"], made["function"]["arguments"])]) == parsed([PARIS])

    @pytest.mark.parametrize("mode", ["native", "xml"])
    def test_the_default_can_be_set(self, make_gateway: GatewayFactory, poe: ScriptedPoe, mode: str) -> None:
        gateway = make_tool_gateway(make_gateway, poe, TOOLS_MODE=mode)
        for bot in ("no-tools", fresh_bot()):
            poe.script(bot, text("ok"), done())
            ask(gateway, bot)
            assert ("tools" in poe.queries(bot)[0].json) == (mode == "native")

    def test_strange_names_are_safe_for_the_bot_and_the_clients_own_in_the_answer(
        self, gateway: Gateway, poe: ScriptedPoe
    ) -> None:
        name = "mcp: get the weather/now!"
        tools = [{"type": "function", "function": {**WEATHER["function"], "name": name}}]
        native, xml = fresh_bot(), "a-private-bot"

        def call_natively(query: Received) -> list[Step]:
            return [tool_call(0, "{}", id="c", name=query.json["tools"][0]["function"]["name"]), done()]

        told: list[str] = []

        def call_in_xml(query: Received) -> list[Step]:
            return [text(f'<tool_call><invoke name="{told[0]}"></invoke></tool_call>'), done()]

        poe.script_by(native, call_natively)
        poe.script_by(xml, call_in_xml)
        assert [made for made, _ in calls_of(ask(gateway, native, tools=tools))] == [name]
        told.append(poe.queries(native)[0].json["tools"][0]["function"]["name"])
        assert [made for made, _ in calls_of(ask(gateway, xml, tools=tools))] == [name]
        assert told[0] in last_words(poe.queries(xml)[0])
        history = [*QUESTION, calls_message(call("c1", name, "{}")), result("c1", "sun")]
        for bot in (native, xml):
            ask(gateway, bot, tools=tools, messages=history)
            assert name not in json.dumps(poe.queries(bot)[-1].json)

    def test_tools_without_words_are_flags_where_the_owner_wants_them(
        self, make_gateway: GatewayFactory, poe: ScriptedPoe
    ) -> None:
        gateway = make_tool_gateway(make_gateway, poe, TOOL_FLAGS="true")
        poe.script("painter", text("ok"), done())
        ask(gateway, "painter", tools=[{"type": "function", "function": {"name": "hd"}}])
        (query,) = poe.queries("painter")
        assert query.messages[-1]["content"] == "Weather? --hd"
        assert "tools" not in query.json


class TestHistory:
    def test_native_rounds(self, gateway: Gateway, poe: ScriptedPoe) -> None:
        bot = fresh_bot()
        poe.script(bot, text("ok"), done())
        ask(gateway, bot, messages=HISTORY)
        (query,) = poe.queries(bot)
        kinds = [(message["role"], message.get("message_type")) for message in query.messages]
        a_round = [("bot", "function_call"), ("tool", None)]
        assert kinds == [("user", None), ("bot", None), *a_round, *a_round]
        assert json.loads(query.messages[2]["content"]) == [call("c1", "weather", '{"city":"Paris"}')]
        assert json.loads(query.messages[3]["content"]) == [
            {"role": "tool", "name": "weather", "tool_call_id": "c1", "content": "sun"}
        ]
        latest = [call("c2", "weather", '{"city":"Rome"}'), call("c3", "clock", "{}")]
        results = [
            {"role": "tool", "name": "weather", "tool_call_id": "c2", "content": "rain"},
            {"role": "tool", "name": "clock", "tool_call_id": "c3", "content": "noon"},
        ]
        assert json.loads(query.messages[4]["content"]) == query.json["tool_calls"] == latest
        assert json.loads(query.messages[5]["content"]) == query.json["tool_results"] == results

    def test_rounds_in_xml(self, gateway: Gateway, poe: ScriptedPoe) -> None:
        poe.script("no-tools", text("ok"), done())
        ask(gateway, "no-tools", messages=HISTORY)
        (query,) = poe.queries("no-tools")
        assert [message["role"] for message in query.messages] == ["user", "bot", "user", "bot", "user"]
        assert '<invoke name="weather">' in query.messages[1]["content"]
        assert query.messages[1]["content"].startswith("I look.")
        assert "<tool_result" in query.messages[2]["content"]
        assert "noon" in query.messages[4]["content"]
        assert "Tells the weather." in query.messages[4]["content"]
        assert not query.json.keys() & {"tools", "tool_calls", "tool_results"}

    @pytest.mark.parametrize("fields", [{"tools": []}, {"tool_choice": "none"}], ids=["no tools", "none chosen"])
    def test_rounds_in_words_where_no_tools_are_offered(
        self, gateway: Gateway, poe: ScriptedPoe, fields: dict[str, Any]
    ) -> None:
        bot = fresh_bot()
        poe.script(bot, text("ok"), done())
        ask(gateway, bot, messages=HISTORY, **fields)
        (query,) = poe.queries(bot)
        assert [message["role"] for message in query.messages] == ["user", "bot", "user", "bot", "user"]
        assert "sun" in query.messages[2]["content"]
        assert query.messages[4]["content"].endswith("noon")
        assert not query.json.keys() & {"tools", "tool_calls", "tool_results", "stop_sequences"}

    def test_rounds_in_words_where_the_owner_says_so(self, gateway: Gateway, poe: ScriptedPoe) -> None:
        poe.script("native-with-text", text("ok"), done())
        ask(gateway, "native-with-text", messages=HISTORY)
        (query,) = poe.queries("native-with-text")
        assert ways([query]) == ["native, text"]
        assert "[Called the tool weather with" in query.messages[1]["content"]

    def test_damage_is_repaired(self, gateway: Gateway, poe: ScriptedPoe) -> None:
        damaged = [
            result("c0", "an orphan"),
            *QUESTION,
            calls_message(call("c1", "weather", "{}"), call("c1", "clock", "{}")),
            result("c1", "sun"),
        ]
        bot = fresh_bot()
        poe.script(bot, text("ok"), done())
        ask(gateway, bot, messages=damaged)
        (query,) = poe.queries(bot)
        ids = [made["id"] for made in query.json["tool_calls"]]
        assert len(set(ids)) == 2
        assert sorted(ids) == sorted(one["tool_call_id"] for one in query.json["tool_results"])
        assert "an orphan" in json.dumps(query.messages)


class TestSingleMessage:
    def test_a_conversation_goes_as_one_message(self, gateway: Gateway, poe: ScriptedPoe) -> None:
        poe.script("one-message", text("ok"), done())
        picture = {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}
        messages = [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Look"}, picture]},
            *FIRST_ROUND,
            {"role": "user", "content": "And?"},
        ]
        ask(gateway, "one-message", messages=messages)
        (query,) = poe.queries("one-message")
        (single,) = query.messages
        assert single["role"] == "user"
        said = single["content"]
        order = ["System: Be brief.", "User: Look", "Assistant: I look.", "sun", "And?", "Tells the weather."]
        assert sorted(order, key=said.index) == order
        (upload,) = poe.uploads
        assert upload.download_url == "https://x.test/a.png"
        assert [each["url"] for each in single["attachments"]] == [upload.url]
        assert single["parameters"] == {"aspect": "1:1"}
