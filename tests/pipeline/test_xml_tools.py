"""Calls are read out of a text as it comes; whatever is no call stays text, to the letter."""

import json
import os
import random
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.pipeline.pieces import Stopped, Thought
from poe2openai.pipeline.xml_tools import parse
from poe2openai.poe.events import Done, Error, Text, ToolCallDelta
from tests.support.xml_calls import CLOCK, TOOLS, WRITE, gathered, random_cutting, read

CODE = 'if (a < b && c > d) { say("</parameter"); } // <b>&"é漢字</b> ]]>\n\t'
NOW = ("now", "{}")


def wrote(content: str, path: str = "a.txt") -> tuple[str, str]:
    return "write_file", json.dumps({"path": path, "content": content}, ensure_ascii=False, separators=(",", ":"))


def call(content: str, path: str = "a.txt") -> str:
    return (
        f'<tool_call>\n<invoke name="write_file">\n<parameter name="path">{path}</parameter>\n'
        f'<parameter name="content">{content}</parameter>\n</invoke>\n</tool_call>'
    )


def rome(days: str) -> str:
    city, time_span = '<parameter name="city">Rome</parameter>', f'<parameter name="days">{days}</parameter>'
    return f'<invoke name="get_weather">{city}{time_span}</invoke>'


FORMS: dict[str, tuple[str, list[Any]]] = {
    "the form of the prompt": (f"I write.\n\n{call(CODE)}", ["I write.\n\n", wrote(CODE)]),
    "an invoke alone": ('<invoke name="now"></invoke>', [NOW]),
    "a tag that closes itself": ('<invoke name="now"/><now/>', [NOW, NOW]),
    "single quotes and spaces": (
        "<invoke  name = 'get_weather' ><parameter name = 'city' >Rome</parameter></invoke>",
        [("get_weather", '{"city":"Rome"}')],
    ),
    "several in one wrapper": (
        f"<tool_calls><invoke name='now'></invoke>\n{rome(days=' 3 ')}</tool_calls>",
        [NOW, ("get_weather", '{"city":"Rome","days":3}')],
    ),
    "the tool's own tag": (
        "Look: <get_weather>\n<city>Paris</city>\n<hours>[1, 2]</hours>\n</get_weather>",
        ["Look: ", ("get_weather", '{"city":"Paris","hours":[1,2]}')],
    ),
    "JSON in the wrapper": (
        '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Rome", "days": "2"}}\n</tool_call>',
        [("get_weather", '{"city":"Rome","days":2}')],
    ),
    "a list of JSON": (
        '<tool_call>[{"name": "now", "arguments": {}}, {"name": "now"}]</tool_call>',
        [NOW, NOW],
    ),
    "JSON that is not quite": ('<tool_call>{"name": "now", "arguments": {},}</tool_call>', [NOW]),
    "wrappers in wrappers": ('<function_calls><tool_call><invoke name="now"/></tool_call></function_calls>', [NOW]),
    "text behind": (f"{call('x')}\n\nDone.", [wrote("x"), "\n\nDone."]),
    "an undeclared tool": (
        'Say <invoke name="rm"><parameter name="x">1</parameter></invoke>.',
        ['Say <invoke name="rm"><parameter name="x">1</parameter></invoke>.'],
    ),
    "an undeclared tool in a wrapper": (
        '<tool_call><invoke name="rm"></invoke></tool_call>',
        ['<tool_call><invoke name="rm"></invoke></tool_call>'],
    ),
    "undeclared JSON": (
        '<tool_call>{"name": "rm", "arguments": {}}</tool_call>!',
        ['<tool_call>{"name": "rm", "arguments": {}}</tool_call>!'],
    ),
    "a wrapper in prose": ("Use `<tool_call>` and <b>.", ["Use `<tool_call>` and <b>."]),
    "no closing invoke": (
        '<tool_call><invoke name="get_weather"><parameter name="city">Rome</parameter></tool_call>',
        [("get_weather", '{"city":"Rome"}')],
    ),
    "nothing closed but the parameter": (
        '<tool_call><invoke name="get_weather"><parameter name="city">Rome</parameter>\n',
        [("get_weather", '{"city":"Rome"}')],
    ),
    "an example of a call in a value": (call(f"See:\n{call('in')}\nthere"), [wrote(f"See:\n{call('in')}\nthere")]),
    "a closing tag in a value": (call("a</parameter>b"), [wrote("a</parameter>b")]),
    "an opening tag in a value": (call('a<parameter name="x">b'), [wrote('a<parameter name="x">b')]),
    "CDATA stays in a string": (call("<![CDATA[x]]>"), [wrote("<![CDATA[x]]>")]),
    "CDATA around a number goes": (
        rome(days="<![CDATA[5]]>"),
        [("get_weather", '{"city":"Rome","days":5}')],
    ),
    "white space of a string stays": (call("\n  x \n\n"), [wrote("\n  x \n\n")]),
    "invented results": (
        f"{call('x')}\n<tool_result name='write_file'>ok</tool_result>",
        [wrote("x"), Stopped("tool_calls")],
    ),
    "results that nobody called for": ("See <tool_result>.", ["See <tool_result>."]),
    "white space alone before": (f"\n \n{call('x')}\n", [wrote("x")]),
    "a number that is none": (
        rome(days="a few"),
        [("get_weather", '{"city":"Rome","days":"a few"}')],
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_each_form_in_every_cutting(name: str) -> None:
    text, expected = FORMS[name]
    assert read([text]) == expected
    assert read([text], whole=True) == expected
    assert read(text) == expected
    for cut in range(1, len(text)):
        assert read([text[:cut], text[cut:]]) == expected, text[:cut]
    chance = random.Random(name)
    for _ in range(60):
        chunks = list(random_cutting(text, chance))
        assert read(chunks) == expected, chunks


def test_long_strings_flow_and_hold_back_no_more_than_a_tag_may_need() -> None:
    opening = '<tool_call><invoke name="write_file"><parameter name="path">a</parameter><parameter name="content">'
    stage = parse(
        ([Text(part)] for part in [opening, *["word "] * 5, "</para", 'graph>"\n', "é"]), tools=TOOLS, whole=False
    )
    said = ["".join(piece.arguments for piece in batch if isinstance(piece, ToolCallDelta)) for batch in stage]

    assert said == ['{"path":"a","content":"', *["word "] * 5, "", '</paragraph>\\"\\n', "é"]


def test_nothing_of_a_call_goes_out_before_it_is_whole_where_that_is_asked() -> None:
    text = call("x" * 100)
    stage = parse([[Text(text[:-20])], [Text(text[-20:])], [Done()]], tools=TOOLS, whole=True)
    assert [len(batch) for batch in stage] == [0, 1, 1]


def test_text_before_a_call_goes_out_at_once_and_so_does_what_is_no_tag() -> None:
    stage = parse([[Text("Let me <look")], [Text("> a < b <tool")], [Text("box>")], [Done()]], tools=TOOLS, whole=False)
    assert list(stage) == [[Text("Let me <look")], [Text("> a < b ")], [Text("<toolbox>")], [Done()]]


@pytest.mark.parametrize(
    ("text", "streamed", "whole"),
    [
        (
            '<invoke name="write_file"><parameter name="path">a',
            [("write_file", '{"path":"a'), Done("length")],
            ['<invoke name="write_file"><parameter name="path">a'],
        ),
        (
            'Hm. <invoke name="get_weather"><parameter name="city">Pa',
            *[['Hm. <invoke name="get_weather"><parameter name="city">Pa']] * 2,
        ),
        ('<tool_call><invoke name="get_wea', *[['<tool_call><invoke name="get_wea']] * 2),
        ("<tool_call>\n ", *[["<tool_call>\n "]] * 2),
        ('<tool_call>{"name": "now", "argu', *[['<tool_call>{"name": "now", "argu']] * 2),
        ('<tool_call>{"name": "now"}', *[[NOW]] * 2),
        ('<invoke name="get_weather">', *[['<invoke name="get_weather">']] * 2),
        ('<invoke name="now">', *[[NOW]] * 2),
        ("a <invoke", *[["a <invoke"]] * 2),
    ],
)
def test_what_the_end_cuts_off(text: str, streamed: list[Any], whole: list[Any]) -> None:
    assert read([text]) == streamed
    assert read(text) == streamed
    assert read(text, whole=True) == whole


def test_an_error_is_told_and_nothing_is_invented() -> None:
    broken = Error(GatewayError(ErrorKind.UPSTREAM_CUT_OFF, "cut"))
    stage = parse([[Text("Hm <invoke name=")], [broken]], tools=TOOLS, whole=False)
    assert list(stage) == [[Text("Hm ")], [broken]]


def test_thoughts_and_idle_ticks_pass() -> None:
    thought = Thought('<invoke name="now"/>')
    assert list(parse([[thought], [], [Text("a")], [Done()]], tools=TOOLS, whole=False)) == [
        [thought],
        [],
        [Text("a")],
        [Done()],
    ]


def test_plain_text_passes_as_the_batch_that_it_came_in() -> None:
    batches: list[list[Any]] = [[Text("Hello")], [Text(" world, 3 > 2")]]
    passed = list(parse([*batches, [Done()]], tools=TOOLS, whole=False))
    assert passed[1] is batches[1]


@given(
    before=st.text(max_size=40).filter(lambda text: "<" not in text),
    content=st.text(max_size=60).filter(lambda text: "parameter" not in text),
    after=st.text(max_size=40).filter(lambda text: "<" not in text),
    seed=st.integers(0, 999),
)
def test_any_call_in_any_text_comes_out_as_that_call_and_that_text(
    before: str, content: str, after: str, seed: int
) -> None:
    result = read(random_cutting(before + call(content) + after, random.Random(seed)))

    assert [each for each in result if isinstance(each, tuple)] == [wrote(content)]
    assert "".join(each for each in result if isinstance(each, str)).strip() == (before + after).strip()


MARKS = [
    *("<", ">", "</", "/>", '"', "'", "=", " ", "\n", "{", "}", "[", "]", "x", "é", "&", "<!", "&lt;"),
    *(
        "<tool_call>",
        "</tool_call>",
        '<invoke name="now">',
        "</invoke>",
        '<invoke name="write_file">',
        "<now>",
        "</now>",
    ),
    *('<parameter name="path">', "</parameter>", '<parameter name="content">', "<write_file>", "<path>", "</path>"),
    *('{"name": "now", "arguments": {}}', '<invoke name="rm">', "<tool_result>", "</write_file>", "<tool_calls>"),
]


def mutated(chance: random.Random) -> str:
    text, _ = chance.choice(list(FORMS.values()))
    for _ in range(chance.randint(0, 5)):
        at, end = sorted((chance.randint(0, len(text)), chance.randint(0, len(text))))
        match chance.randint(0, 3):
            case 0:
                text = text[:at] + text[min(end, at + 8) :]
            case 1:
                text = text[:at] + chance.choice(MARKS) + text[at:]
            case 2:
                text = text[:at] + text[at:end] * 2 + text[end:]
            case _:
                text = "".join(chance.choices(MARKS, k=chance.randint(1, 12))) + text[at:]
    return text


def check_any_text(text: str, chance: random.Random) -> None:
    """No exception, no letter lost, and the same whatever the cutting."""
    at_once = read([text])
    assert read(random_cutting(text, chance)) == at_once, text
    calls = [each for each in at_once if isinstance(each, tuple)]
    if Done("length") not in at_once:
        for _, arguments in calls:
            json.loads(arguments)
    if not calls:
        assert "".join(at_once) == text


def test_any_text_in_any_cutting() -> None:
    """`FUZZ=1000000` for a longer run."""
    chance = random.Random(os.environ.get("FUZZ", "7"))
    for _ in range(int(os.environ.get("FUZZ", "3000"))):
        check_any_text(mutated(chance), chance)


@pytest.mark.parametrize(
    "unit", ["<", "<tool_call>", '<parameter name="', "</parameter>", "<invoke ", '{"', " ", "<now>"]
)
@pytest.mark.parametrize("before", ["", call("")[:-36], "<tool_call>", '<tool_call>{"name"'])
def test_a_megabyte_of_anything_takes_linear_time(before: str, unit: str) -> None:
    def seconds(size: int) -> float:
        text = before + unit * (size // len(unit))
        start = time.process_time()
        gathered(parse(([Text(text[at : at + 4096])] for at in range(0, len(text), 4096)), tools=TOOLS, whole=False))
        return time.process_time() - start

    least = min(seconds(100_000) for _ in range(2))
    assert seconds(1_000_000) < 40 * max(least, 0.01)


def test_tools_whose_names_are_tags_of_calls_are_called_by_invoke_alone() -> None:
    tools = (*TOOLS, type(WRITE)("invoke", "x", CLOCK.parameters))
    assert read(["<invoke></invoke>"], tools=tools) == ["<invoke></invoke>"]
    assert read(['<invoke name="invoke"></invoke>'], tools=tools) == [("invoke", "{}")]
