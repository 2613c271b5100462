"""How one request is put to a bot: what the query says, and what the answer is held to."""

import base64
from typing import Any

import orjson
import pytest

from poe2openai.core.content import content_of
from poe2openai.core.request import (
    Message,
    OutputFormat,
    ReasoningOptions,
    Tool,
    ToolCall,
    ToolChoice,
    ToolChoiceMode,
    WebSearch,
)
from poe2openai.gateway.asking import Ask, Asking
from poe2openai.gateway.tool_ways import ToolWays, Way
from poe2openai.pipeline.again import AskAgain
from poe2openai.pipeline.tool_rules import ToolRules
from poe2openai.poe.tool_prompt import call_as_xml
from poe2openai.poe.tool_schema import bot_name
from tests.support.asking import CLOCK, ONE_ROUND, PARIS, WEATHER, asked, called, gave, route, said

NATIVE, XML, NONE = Way("native", "native"), Way("xml", "xml"), Way("none", "text")
REQUIRED = ToolChoice(ToolChoiceMode.REQUIRED)
NO_CHOICE = ToolChoice(ToolChoiceMode.NONE)
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def asking(*messages: Message, policy: dict[str, Any] | None = None, flags: bool = False, **fields: Any) -> Asking:
    request = asked(*messages, **{"tools": (WEATHER, CLOCK), **fields})
    return Asking(request, route(**(policy or {})), ToolWays("auto", "auto"), tool_flags=flags)


def body(ask: Ask) -> dict[str, Any]:
    built = orjson.loads(ask.body)
    assert isinstance(built, dict)
    return built


def last_words(ask: Ask) -> str:
    return str([message for message in body(ask)["query"] if message["role"] == "user"][-1]["content"])


def rules_of(ask: Ask) -> ToolRules:
    assert ask.rules is not None
    return ask.rules


class TestTools:
    def test_native_tools_go_in_poes_field_and_need_no_words(self) -> None:
        ask = asking().put(NATIVE)
        assert [tool["function"]["name"] for tool in body(ask)["tools"]] == ["weather", "clock"]
        assert last_words(ask) == "Hi"
        assert ask.prompts == ()
        assert ask.tools_apart

    def test_xml_tools_are_told_behind_what_the_user_said(self) -> None:
        ask = asking().put(XML)
        (prompt,) = ask.prompts
        assert last_words(ask) == f"Hi\n\n{prompt}"
        assert "Tells the weather." in prompt
        assert "tools" not in body(ask)
        assert not ask.tools_apart
        assert [tool.name for tool in rules_of(ask).xml or ()] == ["weather", "clock"]
        assert "<tool_result" in body(ask)["stop_sequences"]

    def test_without_tools_nothing_is_said_and_nothing_is_held_to_them(self) -> None:
        ask = asking(tools=()).put(NONE)
        assert (ask.prompts, ask.rules, ask.tools_apart) == ((), None, False)
        assert last_words(ask) == "Hi"

    def test_the_owners_policy_is_the_querys(self) -> None:
        turns = [said("user", "Hi"), said("assistant", "Hello"), said("user", "Bye")]
        policy = {"hold": True, "system_prompt": "Be brief.", "parameters": {"aspect": "1:1"}}
        first, *_, last = body(asking(*turns, policy=policy, tools=()).put(NONE))["query"]
        assert (first["role"], first["content"]) == ("user", "Be brief.\n\nHi")
        assert last["parameters"] == {"aspect": "1:1"}
        (single,) = body(asking(*turns, policy={"single_message": True}, tools=()).put(NONE))["query"]
        assert single["content"] == "User: Hi\n\nAssistant: Hello\n\nUser: Bye"

    @pytest.mark.parametrize(("way", "said_as"), [(XML, call_as_xml(PARIS)), (NONE, "[Called the tool weather with")])
    def test_earlier_calls_have_the_form_of_the_way(self, way: Way, said_as: str) -> None:
        assert said_as in body(asking(*ONE_ROUND).put(way))["query"][1]["content"]

    def test_a_name_that_poe_would_refuse_is_mapped_and_mapped_back(self) -> None:
        tool = Tool("get the weather!", "Tells the weather.", None)
        for way in (NATIVE, XML):
            ask = asking(tools=(tool,)).put(way)
            assert rules_of(ask).original[bot_name("get the weather!")] == "get the weather!"
            assert "get the weather!" not in ask.body.decode()


class TestChoice:
    def test_none_offers_nothing_and_lets_no_call_through(self) -> None:
        whole = asking(tool_choice=NO_CHOICE)
        assert whole.ways == [NONE]
        ask = whole.put(NONE)
        assert "tools" not in body(ask)
        assert last_words(ask) == "Hi"
        assert rules_of(ask).only
        assert not rules_of(ask).original

    @pytest.mark.parametrize("mode", [ToolChoiceMode.AUTO, ToolChoiceMode.REQUIRED])
    def test_names_narrow_the_offer_and_hold_the_answer_to_them(self, mode: ToolChoiceMode) -> None:
        whole = asking(tool_choice=ToolChoice(mode, ("clock",)))
        native, xml = whole.put(NATIVE), whole.put(XML)
        assert [tool["function"]["name"] for tool in body(native)["tools"]] == ["clock"]
        assert "Tells the weather." not in last_words(xml)
        for ask in (native, xml):
            assert rules_of(ask).only
            assert set(rules_of(ask).original.values()) == {"clock"}

    @pytest.mark.parametrize("way", [NATIVE, XML])
    def test_a_call_that_is_required_is_demanded(self, way: Way) -> None:
        ask, free = asking(tool_choice=REQUIRED).put(way), asking().put(way)
        assert rules_of(ask).required
        assert last_words(ask) != last_words(free)
        assert last_words(ask).startswith("Hi\n\n")
        assert not (free.rules and free.rules.required)

    @pytest.mark.parametrize("way", [NATIVE, XML])
    def test_one_call_at_a_time_is_demanded(self, way: Way) -> None:
        ask = asking(parallel_tool_calls=False).put(way)
        assert rules_of(ask).single
        assert last_words(ask) != last_words(asking().put(way))


class TestFlags:
    FLAGS = (Tool("hd", None, None), Tool("fast", "", {}))

    def test_tools_that_are_but_a_name_are_flags_where_the_owner_says_so(self) -> None:
        whole = asking(tools=(*self.FLAGS, WEATHER), flags=True)
        ask = whole.put(NATIVE)
        assert last_words(ask) == "Hi --hd --fast"
        assert [tool["function"]["name"] for tool in body(ask)["tools"]] == ["weather"]

    def test_flags_alone_leave_no_tools(self) -> None:
        whole = asking(tools=self.FLAGS, flags=True)
        assert whole.ways == [NONE]
        assert last_words(whole.put(NONE)) == "Hi --hd --fast"

    def test_otherwise_they_are_tools(self) -> None:
        ask = asking(tools=self.FLAGS).put(NATIVE)
        assert last_words(ask) == "Hi"
        assert [tool["function"]["name"] for tool in body(ask)["tools"]] == ["hd", "fast"]


DECLARED: dict[str, dict[str, Any]] = {
    "reasoning_effort": {"type": "string", "enum": ["low", "medium", "high"]},
    "web_search": {"type": "boolean"},
}


class TestOptions:
    def test_what_the_name_says_counts_more_than_the_body(self) -> None:
        policy = {
            "declared": DECLARED,
            "reasoning": ReasoningOptions(effort="high"),
            "web_search": WebSearch(enabled=True),
        }
        fields: dict[str, Any] = {"reasoning": ReasoningOptions(effort="low"), "web_search": WebSearch(enabled=False)}
        (message,) = body(asking(policy=policy, tools=(), **fields).put(NONE))["query"]
        assert message["parameters"] == {"reasoning_effort": "high", "web_search": True}

    def test_what_the_name_does_not_say_is_the_bodys(self) -> None:
        fields: dict[str, Any] = {"reasoning": ReasoningOptions(effort="low")}
        (message,) = body(asking(policy={"declared": DECLARED}, tools=(), **fields).put(NONE))["query"]
        assert message["parameters"] == {"reasoning_effort": "low"}


class TestJson:
    @pytest.mark.parametrize("way", [NATIVE, XML, NONE])
    def test_the_bot_is_told_of_the_form_last(self, way: Way) -> None:
        whole = asking(output_format=OutputFormat(SCHEMA))
        ask = whole.put(way)
        assert ask.form is not None
        assert last_words(ask).endswith(ask.prompts[-1])
        assert '"city"' in ask.prompts[-1]

    def test_without_a_form_there_is_none(self) -> None:
        assert asking().put(NATIVE).form is None


class TestAgain:
    @pytest.mark.parametrize("way", [NATIVE, XML])
    def test_the_bot_is_shown_its_words_and_what_was_wrong(self, way: Way) -> None:
        whole = asking(said("user", "Weather?"), tool_choice=REQUIRED)
        ask = whole.put(way, AskAgain("It is sunny.", "Call a tool."))
        dialogue = [(message["role"], message["content"]) for message in body(ask)["query"]]
        assert dialogue[:2] == [("user", "Weather?"), ("bot", "It is sunny.")]
        assert dialogue[2][1].startswith("Call a tool.\n\n")
        assert dialogue[2][1].endswith(ask.prompts[-1])
        assert len(dialogue) == 3

    def test_a_bot_that_said_nothing_hears_the_demand_all_the_same(self) -> None:
        ask = asking(said("user", "Weather?"), tool_choice=REQUIRED).put(NATIVE, AskAgain("", "Call a tool."))
        assert "Weather?" in last_words(ask)
        assert "Call a tool." in last_words(ask)

    def test_results_of_earlier_calls_stay_where_they_were(self) -> None:
        ask = asking(*ONE_ROUND, tool_choice=REQUIRED).put(NATIVE, AskAgain("Sunny.", "Call a tool."))
        roles = [message["role"] for message in body(ask)["query"]]
        assert roles == ["user", "bot", "bot", "tool", "bot", "user"]
        assert "tool_results" not in body(ask)


class TestLifted:
    DATA = bytes(range(256)) * 100
    WORD = "lifted0123456789abcdefx0x"

    def test_base64_that_is_no_file_is_put_back_wherever_it_stands(self) -> None:
        source = f'<img src="data:image/png;base64,{self.WORD}">'
        call = ToolCall("c1", "weather", '{"city":"' + self.WORD + '"}')
        turns = (said("user", source), called(call), gave("c1", self.WORD), said("user", "And now?"))
        whole = asking(*turns, lifted={self.WORD: content_of(self.DATA)})
        encoded = base64.b64encode(self.DATA).decode()
        for way in (NATIVE, XML):
            ask = whole.put(way)
            assert self.WORD not in ask.body.decode()
            assert ask.body.decode().count(encoded) == 3
            assert encoded in body(ask)["query"][0]["content"]

    def test_a_word_that_stands_nowhere_is_left_out(self) -> None:
        with_it = asking(lifted={self.WORD: content_of(self.DATA)}).put(NATIVE)
        assert len(with_it.body) == len(asking().put(NATIVE).body)

    def test_of_several_each_comes_to_its_place(self) -> None:
        words = [f"lifted0123456789abcdefx{number}x" for number in range(12)]
        pieces = {word: content_of(bytes([number]) * 30) for number, word in enumerate(words)}
        ask = asking(said("user", " ".join(words)), lifted=pieces, tools=()).put(NONE)
        wanted = [base64.b64encode(bytes([number]) * 30).decode() for number in range(12)]
        assert last_words(ask) == " ".join(wanted)
