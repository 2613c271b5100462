"""Calls are held to what the client allowed, and come out under the names that it knows."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.pipeline.again import AskAgain
from poe2openai.pipeline.pieces import Piece, Stopped, Thought
from poe2openai.pipeline.tool_rules import DEMAND, ToolRules, apply
from poe2openai.poe.events import Done, Error, Text, ToolCallDelta
from tests.support.pipeline import run

NAMES = {"get_weather_1a2b": "get weather", "clock": "clock"}
WEATHER: list[Piece] = [
    ToolCallDelta(0, "c1", "get_weather_1a2b", ""),
    ToolCallDelta(0, None, None, '{"city":"Paris"}'),
]
CLOCK: list[Piece] = [ToolCallDelta(1, "c2", "clock", "{}")]
OTHER: list[Piece] = [ToolCallDelta(2, "c3", "rm", "{"), ToolCallDelta(2, None, None, "}")]


def ruled(*batches: list[Piece], may_ask_again: bool = True, **rules: Any) -> list[Any]:
    given: dict[str, Any] = {"original": NAMES, **rules}
    return run(partial(apply, rules=ToolRules(**given), may_ask_again=may_ask_again), batches)


class Source:
    """Batches, and how many of them were read."""

    def __init__(self, *batches: list[Piece]) -> None:
        self.read = 0
        self.closed = False
        self._batches = batches

    def __iter__(self) -> Iterator[list[Piece]]:
        try:
            for batch in self._batches:
                self.read += 1
                yield batch
        finally:
            self.closed = True


def test_calls_come_out_under_the_names_of_the_client() -> None:
    assert ruled([Text("I look.")], WEATHER, CLOCK, OTHER, [Done("tool_calls")]) == [
        Text("I look."),
        ToolCallDelta(0, "c1", "get weather", ""),
        WEATHER[1],
        *CLOCK,
        *OTHER,
        Done("tool_calls"),
    ]


def test_calls_of_other_tools_are_dropped_where_some_are_chosen() -> None:
    weather, rest = WEATHER[:1], WEATHER[1:]
    assert ruled(OTHER[:1], weather, OTHER[1:], rest, [Done("tool_calls")], only=True) == [
        ToolCallDelta(0, "c1", "get weather", ""),
        *rest,
        Done("tool_calls"),
    ]


def test_an_answer_whose_calls_were_all_dropped_ends_like_one_without() -> None:
    assert ruled([Text("a")], WEATHER, [Done("tool_calls")], only=True, original={}) == [Text("a"), Done(None)]
    assert ruled([Text("a")], WEATHER, [Done("length")], only=True, original={}) == [Text("a"), Done("length")]


@pytest.mark.parametrize("second", [CLOCK, [ToolCallDelta(0, "c2", "clock", "{}")]], ids=["index", "id"])
def test_the_answer_ends_where_a_second_call_begins_if_only_one_is_allowed(second: list[Piece]) -> None:
    source = Source([Text("a"), *WEATHER], [Text("b")], [Text("c"), *second, Text("d")], [Done()])
    stage = partial(apply, rules=ToolRules(original=NAMES, single=True), may_ask_again=True)
    assert run(stage, source) == [
        Text("a"),
        ToolCallDelta(0, "c1", "get weather", ""),
        WEATHER[1],
        Text("bc"),
        Stopped("tool_calls"),
    ]
    assert source.read == 3


def test_a_call_that_was_dropped_does_not_count_as_the_one() -> None:
    assert ruled(OTHER, CLOCK, [Done()], only=True, single=True) == [*CLOCK, Done()]


def test_text_waits_until_the_call_that_is_required() -> None:
    batches: list[list[Piece]] = [[Text("I ")], [], [Text("look.")], CLOCK, [Text("b")], [Done()]]
    stage = apply(batches, ToolRules(required=True), may_ask_again=True)
    assert list(stage) == [[], [], [], [Text("I "), Text("look."), *CLOCK], [Text("b")], [Done()]]


@pytest.mark.parametrize("end", [Done(), Done("stop"), Done("tool_calls"), Stopped("stop")])
@pytest.mark.parametrize("calls", [[], OTHER], ids=["no call", "a call that is not allowed"])
def test_without_the_required_call_the_bot_is_asked_again(end: Piece, calls: list[Piece]) -> None:
    with pytest.raises(AskAgain) as caught:
        ruled([Text("It is ")], [], calls, [Text("sunny."), end], required=True, only=True)
    assert caught.value.said == "It is sunny."
    assert caught.value.demand == DEMAND


def test_an_empty_answer_is_asked_again_too() -> None:
    with pytest.raises(AskAgain) as caught:
        ruled([Done()], required=True)
    assert caught.value.said == ""


@pytest.mark.parametrize(("end", "ending"), [("stop", "stop"), ("tool_calls", None), ("length", "length")])
def test_the_second_time_the_text_is_the_answer(end: Any, ending: Any) -> None:
    assert ruled([Text("It is ")], [Text("sunny."), Done(end)], required=True, may_ask_again=False) == [
        Text("It is sunny."),
        Done(ending),
    ]


def test_a_thought_that_was_sent_cannot_be_taken_back() -> None:
    thought = Thought("Hm.")
    assert ruled([thought], [Text("It is sunny.")], [Done()], required=True) == [thought, Text("It is sunny."), Done()]


def test_a_thought_that_comes_with_the_end_was_not_sent() -> None:
    with pytest.raises(AskAgain):
        ruled([], [Thought("Hm."), Text("It is sunny."), Done()], required=True)


def test_text_before_an_error_is_not_asked_again() -> None:
    error = Error(GatewayError(ErrorKind.UPSTREAM_CUT_OFF, "cut off"))
    assert ruled([Text("It is")], [error], required=True) == [error]


def test_a_text_by_itself_is_passed_on_as_it_is() -> None:
    batch: list[Piece] = [Text("a")]
    (passed,) = apply([batch], ToolRules(original=NAMES, single=True, only=True), may_ask_again=True)
    assert passed is batch


def test_closing_the_stage_closes_its_source() -> None:
    source = Source([Text("a")], [Text("b")])
    stage = apply(iter(source), ToolRules(single=True), may_ask_again=True)
    next(stage)
    stage.close()  # type: ignore[attr-defined]
    del stage
    assert source.closed
