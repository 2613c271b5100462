from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from poe2openai.core.collect import collect
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.events import Failed, Finished, PartDelta, PartFinished, PartStarted, Started, Usage
from poe2openai.core.request import OutputFormat, Tool
from poe2openai.pipeline.again import AskAgain
from poe2openai.pipeline.json_answer import json_form
from poe2openai.pipeline.order import PipelineOptions, pipeline
from poe2openai.pipeline.tool_rules import ToolRules
from poe2openai.poe.events import Done, Error, File, PoeEvent, Replace, Text, ToolCallDelta
from tests.support.pipeline import FourLetterTokens

IMAGE = File("https://x.example/cat.png", "image/png", "cat.png")
SHOWN = "![cat.png](https://x.example/cat.png)"
CALL = ToolCallDelta(0, "call_1", "f", "{}")


def options(**changes: Any) -> PipelineOptions:
    plain: dict[str, Any] = {
        "hold": False,
        "whole": False,
        "stop": (),
        "max_tokens": None,
        "counter": FourLetterTokens(),
        "input_tokens": None,
        "note": lambda _: None,
    }
    return PipelineOptions(**(plain | changes))


def answered(batches: list[list[PoeEvent]], **changes: Any) -> tuple[str, str, str]:
    """Thought, text and reason of an answer."""
    answer = collect(pipeline(batches, options(**changes)))
    return answer.text("reasoning"), answer.text("text"), answer.reason


def test_text_is_streamed_with_pings_in_between() -> None:
    batches: list[list[PoeEvent]] = [[], [Text("Hel")], [], [Text("lo"), Done("stop")]]
    assert list(pipeline(batches, options())) == [
        [],
        [Started(), PartStarted(0, "text"), PartDelta(0, "Hel")],
        [],
        [PartDelta(0, "lo"), PartFinished(0), Finished("stop")],
    ]


def test_whole_and_held_answers_say_nothing_before_the_end() -> None:
    batches: list[list[PoeEvent]] = [[Text("Hel")], [Text("lo")], [Done()]]
    for changes in ({"whole": True}, {"hold": True}):
        assert list(pipeline(batches, options(**changes))) == [
            [],
            [],
            [Started(), PartStarted(0, "text"), PartDelta(0, "Hello"), PartFinished(0), Finished("stop")],
        ]


def test_an_image_bot_gives_its_picture_alone() -> None:
    batches: list[list[PoeEvent]] = [[Replace(f"Generating image... ({n}s elapsed)")] for n in range(3)]
    for whole in (False, True):
        assert answered([*batches, [IMAGE, Done()]], whole=whole) == ("", SHOWN, "stop")
        assert answered([*batches, [Replace("A cat:"), IMAGE, Done()]], whole=whole) == (
            "",
            f"A cat:\n\n{SHOWN}",
            "stop",
        )


def test_every_stage_has_its_turn() -> None:
    batches: list[list[PoeEvent]] = [
        [Replace("Thinking... (1s elapsed)")],
        [Replace("*Thinking...*\n\n> He wants a cat.\n")],
        [Text("> Easy.\n\nHere "), IMAGE],
        [Text("and END more"), CALL],
        [Done()],
    ]
    shown = "Here and "
    for whole in (False, True):
        assert answered(batches, whole=whole, stop=("END",)) == ("He wants a cat.\nEasy.", shown, "stop")
        assert answered(batches, whole=whole) == ("He wants a cat.\nEasy.", f"{shown}END more\n\n{SHOWN}", "tool_calls")
        assert answered(batches, whole=whole, max_tokens=3) == ("He want", "", "length")


CITY = Tool("f", None, {"type": "object", "properties": {"city": {"type": "string"}}})
XML_CALL = '<tool_call><invoke name="f"><parameter name="city">Paris END</parameter></invoke></tool_call>'


def calls(batches: list[list[PoeEvent]], **changes: Any) -> list[tuple[str | None, str]]:
    """Names and arguments of an answer's calls."""
    parts = collect(pipeline(batches, options(**changes))).parts
    return [(part.name, part.text) for part in parts if part.kind == "tool_call"]


@pytest.mark.parametrize("changes", [{}, {"whole": True}, {"hold": True}])
def test_calls_in_the_text_are_calls_only_where_they_are_looked_for(changes: dict[str, Any]) -> None:
    batches: list[list[PoeEvent]] = [[Text("I look. " + XML_CALL[:30])], [Text(XML_CALL[30:])], [Done()]]
    assert answered(batches, **changes) == ("", "I look. " + XML_CALL, "stop")
    rules = ToolRules(xml=(CITY,), original={"f": "the client's f"})
    thought, text, reason = answered(batches, tools=rules, **changes)
    assert (thought, text.strip(), reason) == ("", "I look.", "tool_calls")
    ((name, arguments),) = calls(batches, tools=rules, **changes)
    assert (name, orjson.loads(arguments)) == ("the client's f", {"city": "Paris END"})


@pytest.mark.parametrize("changes", [{}, {"whole": True}, {"hold": True}])
def test_a_stop_sequence_ends_content_and_no_calls(changes: dict[str, Any]) -> None:
    rules = ToolRules(xml=(CITY,))
    batches: list[list[PoeEvent]] = [[Text(f"a{XML_CALL}")], [Text("b END c"), Done()]]
    thought, text, reason = answered(batches, tools=rules, stop=("END",), **changes)
    assert (thought, text.replace("\n", ""), reason) == ("", "ab ", "tool_calls")
    ((_, arguments),) = calls(batches, tools=rules, stop=("END",), **changes)
    assert orjson.loads(arguments) == {"city": "Paris END"}


def test_xml_in_a_thought_is_no_call() -> None:
    batches: list[list[PoeEvent]] = [[Text(f"*Thinking...*\n\n> {XML_CALL}\n\nNo."), Done()]]
    assert answered(batches, tools=ToolRules(xml=(CITY,))) == (XML_CALL, "No.", "stop")


@pytest.mark.parametrize("changes", [{}, {"whole": True}, {"hold": True}])
@pytest.mark.parametrize(
    "demands", [{"tools": ToolRules(required=True)}, {"json": json_form(OutputFormat())}], ids=["tools", "json"]
)
def test_an_answer_that_is_not_what_was_asked_for_is_asked_for_again(
    changes: dict[str, Any], demands: dict[str, Any]
) -> None:
    batches: list[list[PoeEvent]] = [[], [Text("Hel")], [], [Text("lo"), Done()]]
    notes: list[str] = []
    asking = pipeline(batches, options(**changes, **demands, may_ask_again=True, note=notes.append))
    with pytest.raises(AskAgain) as caught:
        [next(asking) for _ in batches]
    assert caught.value.said == "Hello"
    assert answered(batches, **changes, **demands, note=notes.append) == ("", "Hello", "stop")


@pytest.mark.parametrize("changes", [{"whole": True}, {"hold": True}])
def test_a_thought_that_nobody_saw_keeps_nobody_from_asking_again(changes: dict[str, Any]) -> None:
    batches: list[list[PoeEvent]] = [[Text("*Thinking...*\n\n> hm\n")], [Text("\nHello"), Done()]]
    for demands in ({"tools": ToolRules(required=True)}, {"json": json_form(OutputFormat())}):
        with pytest.raises(AskAgain):
            answered(batches, **changes, **demands, may_ask_again=True)


@pytest.mark.parametrize("changes", [{}, {"whole": True}, {"hold": True}])
def test_json_is_told_from_the_prose_around_it_and_calls_stay(changes: dict[str, Any]) -> None:
    batches: list[list[PoeEvent]] = [[Text("Sure:\n```json\n{")], [Text('"a": 1}\n```\nDone.')], [Done()]]
    form = json_form(OutputFormat({"type": "object"}))
    _, text, reason = answered(batches, json=form, **changes)
    assert (orjson.loads(text), reason) == ({"a": 1}, "stop")
    called: list[list[PoeEvent]] = [[CALL], [Done()]]
    assert calls(called, json=form, **changes) == [("f", "{}")]
    rules = ToolRules(xml=(CITY,))
    assert len(calls([[Text(XML_CALL), Done()]], tools=rules, json=form, **changes)) == 1


def test_usage_is_counted_only_where_it_is_asked_for() -> None:
    batches: list[list[PoeEvent]] = [[Text("*Thinking...*\n\n> aaaa\n\nbbbb cccc")], [Done()]]
    counter = FourLetterTokens()
    assert list(pipeline(batches, options(counter=counter)))[-1][-1] == Finished("stop")
    assert counter.counted == []
    assert list(pipeline(batches, options(input_tokens=lambda: 9)))[-1] == [Finished("stop", Usage(9, 4, 1))]


def test_a_rewritten_answer_is_noted() -> None:
    notes: list[str] = []
    batches: list[list[PoeEvent]] = [[Text("Hello")], [Replace("Bye"), Done()]]
    assert answered(batches, note=notes.append) == ("", "Hello\n\nBye", "stop")
    assert len(notes) == 1
    assert answered(batches, note=pytest.fail, whole=True) == ("", "Bye", "stop")


def test_a_failure_before_any_text_is_the_first_thing_that_is_said() -> None:
    error = GatewayError(ErrorKind.INSUFFICIENT_QUOTA, "no points")
    batches: list[list[PoeEvent]] = [[Replace("Searching...")], [Text("Half")], [Error(error)]]
    assert list(pipeline(batches, options())) == [[], [], [Started(), Failed(error)]]


@pytest.mark.parametrize("changes", [{}, {"stop": ("END",), "max_tokens": 100, "input_tokens": int}])
def test_closing_the_pipeline_closes_its_source(changes: dict[str, Any]) -> None:
    closed: list[bool] = []

    def source() -> Iterator[list[PoeEvent]]:
        try:
            while True:
                yield [Text("*Thinking...*\n\n> a" if not closed else "b")]
        finally:
            closed.append(True)

    events = pipeline(source(), options(**changes))
    next(events)
    events.close()  # type: ignore[attr-defined]
    assert closed == [True]
