"""What a bot is told of tools in words, and earlier calls in the form that it is told."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poe2openai.core.request import ModelRequest, Tool, ToolCall, ToolChoice, ToolChoiceMode, ToolResult
from poe2openai.pipeline.xml_tools import parse
from poe2openai.poe.events import Done, Text, ToolCallDelta
from poe2openai.poe.tool_prompt import RESULT_TAG, call_as_xml, native_demand, result_as_xml, tool_prompt
from poe2openai.poe.tool_schema import bot_name, offer
from tests.support.asking import CLOCK, WEATHER

FREE = ToolChoice()
REQUIRED = ToolChoice(ToolChoiceMode.REQUIRED)
FORM = """\
<tool_call>
<invoke name="tool_name">
<parameter name="parameter_name">value</parameter>
</invoke>
</tool_call>"""


def xml(arguments: Any, name: str = "f") -> str:
    return call_as_xml(ToolCall("c1", name, orjson.dumps(arguments).decode()))


class TestPrompt:
    def test_without_tools_nothing_is_said(self) -> None:
        assert tool_prompt((), FREE, parallel=True) == ""
        assert tool_prompt((), REQUIRED, parallel=False) == ""

    def test_each_tool_is_listed_with_all_that_is_known_of_it(self) -> None:
        tools = offer(ModelRequest("bot", (), (WEATHER, Tool("the clock", 'Says "noon".\n', None)))).tools
        listed = tool_prompt(tools, FREE, parallel=True).split("<tools>\n")[1].split("\n</tools>")[0]
        assert [orjson.loads(line) for line in listed.split("\n")] == [
            {"name": tool.name, "description": tool.description, "parameters": tool.parameters} for tool in tools
        ]

    def test_it_gives_the_form_and_is_short(self) -> None:
        prompt = tool_prompt((WEATHER,), FREE, parallel=True)
        rules = prompt.split("<tools>")[0]
        assert prompt.count(FORM) == 1
        assert len(rules.split()) < 250
        for word in ("raw", "escaped", "CDATA", "JSON", "several <invoke>", f"<{RESULT_TAG}>", "plain text"):
            assert word in rules

    def test_its_own_example_is_no_call(self) -> None:
        """A bot that repeats the prompt calls nothing, and all of it is text."""
        prompt = tool_prompt((WEATHER, CLOCK), REQUIRED, parallel=False)
        calls, said = read(prompt, (WEATHER, CLOCK))
        assert calls == []
        assert said == prompt

    def test_what_is_asked_of_the_bot_comes_last(self) -> None:
        demand = native_demand(REQUIRED, parallel=False, tools=(WEATHER, CLOCK))
        assert tool_prompt((WEATHER, CLOCK), REQUIRED, parallel=False).endswith(f"</tools>\n\n{demand}")
        assert tool_prompt((WEATHER,), FREE, parallel=True).endswith("</tools>")


class TestDemand:
    @pytest.mark.parametrize(
        ("choice", "parallel", "tools", "demand"),
        [
            (FREE, True, (WEATHER, CLOCK), ""),
            (FREE, False, (), ""),
            (REQUIRED, True, (), ""),
            (FREE, False, (WEATHER, CLOCK), "Make at most one tool call in a message."),
            (REQUIRED, True, (WEATHER, CLOCK), "Your next message has to call at least one of the tools."),
            (
                ToolChoice(ToolChoiceMode.REQUIRED, ("clock",)),
                True,
                (CLOCK,),
                "Your next message has to call the tool clock.",
            ),
            (
                REQUIRED,
                False,
                (CLOCK,),
                "Your next message has to call the tool clock. Make at most one tool call in a message.",
            ),
        ],
    )
    def test_it_says_what_the_choice_leaves(
        self, choice: ToolChoice, parallel: bool, tools: tuple[Tool, ...], demand: str
    ) -> None:
        assert native_demand(choice, parallel=parallel, tools=tools) == demand


class TestCall:
    def test_it_has_the_form_of_the_prompt(self) -> None:
        assert xml({"parameter_name": "value"}, "tool_name") == FORM

    def test_strings_are_raw_and_other_values_json(self) -> None:
        arguments = {
            "text": ' <b>&"é漢字</b>\n\n]]> ',
            "empty": "",
            "looks_like": "[1]",
            "number": 1.5,
            "yes": True,
            "none": None,
            "list": ["<i>", {"a": "é"}],
        }
        assert xml(arguments) == (
            '<tool_call>\n<invoke name="f">\n'
            '<parameter name="text"> <b>&"é漢字</b>\n\n]]> </parameter>\n'
            '<parameter name="empty"></parameter>\n'
            '<parameter name="looks_like">[1]</parameter>\n'
            '<parameter name="number">1.5</parameter>\n'
            '<parameter name="yes">true</parameter>\n'
            '<parameter name="none">null</parameter>\n'
            '<parameter name="list">["<i>",{"a":"é"}]</parameter>\n'
            "</invoke>\n</tool_call>"
        )

    def test_no_arguments(self) -> None:
        expected = '<tool_call>\n<invoke name="f">\n</invoke>\n</tool_call>'
        assert [xml({}), call_as_xml(ToolCall("c1", "f", ""))] == [expected] * 2

    def test_names_are_those_that_the_bot_was_told(self) -> None:
        assert f'<invoke name="{bot_name("get the weather")}">' in xml({}, "get the weather")

    def test_what_is_no_object_is_the_one_argument(self) -> None:
        said = call_as_xml(ToolCall("c1", "shell", 'ls "a"\n'))
        assert '<parameter name="input">ls "a"\n</parameter>' in said

    @pytest.mark.parametrize(
        "arguments",
        [
            {"a": 'see <parameter name="x">'},
            {"a": "</parameter>"},
            {'a"b': "1"},
            {"a<b": "1"},
            {" a": "1"},
            {"": "1"},
            {"x" * 129: "1"},
        ],
    )
    def test_what_could_not_be_read_back_is_json(self, arguments: dict[str, str]) -> None:
        lines = xml(arguments).split("\n")
        assert (lines[0], lines[-1], len(lines)) == ("<tool_call>", "</tool_call>", 3)
        assert orjson.loads(lines[1]) == {"name": "f", "arguments": arguments}

    def test_what_is_too_deep_to_be_written_again_stays_as_it_was_written(self) -> None:
        deep = '{"a":' * 300 + "1" + "}" * 300
        assert call_as_xml(ToolCall("c1", "f", deep)) == (
            f'<tool_call>\n{{"name":"f","arguments":{deep}}}\n</tool_call>'
        )


class TestResult:
    def test_its_text_stays_as_it_is(self) -> None:
        text = ' <b>&"é漢字</b> ]]>\n'
        assert result_as_xml(ToolResult("c1", ()), "f", text) == f'<tool_result name="f">\n{text}\n</tool_result>'

    def test_one_that_failed_says_so(self) -> None:
        said = result_as_xml(ToolResult("c1", (), is_error=True), "the clock", "broken")
        assert said == f'<tool_result name="{bot_name("the clock")}" status="error">\nbroken\n</tool_result>'


# Names, and the types that values have.
TYPES = {
    "s": "string",
    "n": "integer",
    "x": "number",
    "b": "boolean",
    "l": "array",
    "o": "object",
    'odd "name': "string",
    " wide ": "string",
}
READER = Tool("f", "Does it.", {"type": "object", "properties": {name: {"type": kind} for name, kind in TYPES.items()}})


def read(text: str, tools: tuple[Tool, ...]) -> tuple[list[tuple[str, Any]], str]:
    """Calls, and what was said beside them, of an answer."""
    batches = parse([[Text(text)], [Done("stop")]], tools=tools, whole=False)
    names: dict[int, str] = {}
    arguments: dict[int, str] = {}
    said = ""
    for piece in (piece for batch in batches for piece in batch):
        if isinstance(piece, ToolCallDelta):
            names.setdefault(piece.index, piece.name or "")
            arguments[piece.index] = arguments.get(piece.index, "") + piece.arguments
        elif isinstance(piece, Text):
            said += piece.text
    return [(name, orjson.loads(arguments[index])) for index, name in names.items()], said


TAGS = st.sampled_from(
    [
        '<parameter name="s">',
        "</parameter>",
        '<invoke name="f">',
        "</invoke>",
        "<tool_call>",
        "</tool_call>",
        "<tool_result",
        "<f>",
        *'<>{" \nx',
    ]
)
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12), st.lists(TAGS, max_size=5).map("".join)
)
INTEGERS = st.integers(-(2**60), 2**60)
VALUES = st.recursive(
    st.one_of(TEXTS, INTEGERS, st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=5,
)
ARGUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "s": TEXTS,
        "n": INTEGERS,
        "x": st.floats(-1e15, 1e15),
        "b": st.booleans(),
        "l": st.lists(VALUES, max_size=3),
        "o": st.dictionaries(TEXTS, VALUES, max_size=3),
        'odd "name': TEXTS,
        " wide ": TEXTS,
    },
)


@given(st.lists(ARGUMENTS, min_size=1, max_size=3))
def test_a_bot_that_writes_as_its_history_does_is_understood(calls: list[dict[str, Any]]) -> None:
    answer = "I look.\n\n" + "\n\n".join(xml(arguments) for arguments in calls)
    made, said = read(answer, (READER,))
    assert made == [("f", arguments) for arguments in calls]
    assert said.strip() == "I look."
