"""Which result is whose. What becomes of it is told in test_tool_history.py."""

from collections.abc import Sequence

import pytest

from poe2openai.core.request import Message, Text, ToolCall, ToolResult
from poe2openai.poe.tool_matching import Given, Round, match
from tests.support.asking import called, gave, said

HURRY, HM = said("user", "Hurry"), said("assistant", "Hm.")


def call(call_id: str, name: str = "f") -> ToolCall:
    return ToolCall(call_id, name, "{}")


def matched(*history: Message) -> list[list[str]]:
    """The texts of each call's results, call by call."""
    rounds = [each for each in match(history) if isinstance(each, Round)]
    return [[_text(result) for result in call.results] for each in rounds for call in each.calls]


def nobodys(*history: Message) -> list[str]:
    return [_text(each.result) for each in match(history) if isinstance(each, Given) and each.call is None]


def _text(result: ToolResult) -> str:
    return "".join(part.text for part in result.parts if isinstance(part, Text))


class TestIds:
    def test_they_decide_whatever_the_order(self) -> None:
        history = [
            called(call("a"), call("b")),
            gave("b", "2"),
            HURRY,
            called(call("c")),
            gave("a", "1"),
            gave("c", "3"),
        ]
        assert matched(*history) == [["1"], ["2"], ["3"]]

    def test_one_that_is_there_again_is_of_the_nearest_call_before(self) -> None:
        history = [called(call("a")), HURRY, called(call("a")), gave("a", "2"), HURRY, gave("a", "late")]
        assert matched(*history) == [["late"], ["2"]]

    def test_within_one_answer_the_first_comes_first(self) -> None:
        assert matched(called(call("a"), call("a")), gave("a", "1"), gave("a", "2")) == [["1"], ["2"]]
        assert matched(called(call("a")), HM, called(call("a")), gave("a", "1"), gave("a", "2")) == [["1"], ["2"]]

    def test_results_end_an_answer(self) -> None:
        assert matched(called(call("a"), call("b")), gave("b", "1"), called(call("a")), gave("a", "2")) == [
            [],
            ["1"],
            ["2"],
        ]

    @pytest.mark.parametrize("between", [HURRY, HM, called(call("c"))])
    def test_a_second_result_is_the_calls_as_long_as_nothing_was_said(self, between: Message) -> None:
        history = [called(call("a"), call("b")), gave("a", "1"), gave("b", "2"), gave("a", "more")]
        assert matched(*history) == [["1", "more"], ["2"]]
        assert nobodys(*history, between, gave("a", "news")) == ["news"]

    def test_an_unknown_one_is_nobodys(self) -> None:
        history = [called(call("a")), gave("z", "?")]
        assert matched(*history) == [[]]
        assert nobodys(*history) == ["?"]


class TestWithoutIds:
    def test_results_are_matched_in_order(self) -> None:
        assert matched(called(call("a"), call("b")), gave("", "1"), gave("", "2")) == [["1"], ["2"]]

    def test_the_latest_answer_comes_first(self) -> None:
        assert matched(called(call("a")), HURRY, called(call("b")), gave("", "2"), gave("", "1")) == [["1"], ["2"]]

    def test_calls_are_matched_in_order_too(self) -> None:
        assert matched(called(call(""), call("")), gave("a", "1"), gave("b", "2")) == [["1"], ["2"]]

    def test_one_too_many_is_nobodys(self) -> None:
        assert nobodys(called(call("a")), gave("", "1"), gave("", "2")) == ["2"]
        assert nobodys(called(call("")), gave("", "1"), gave("", "2")) == ["2"]

    def test_a_call_without_an_id_is_the_likelier_one(self) -> None:
        assert matched(called(call("a"), call("")), gave("", "1")) == [[], ["1"]]

    def test_a_name_may_stand_for_an_id(self) -> None:
        history = [
            called(call("a", "f"), call("b", "g"), call("c", "f")),
            gave("g", "2"),
            gave("f", "1"),
            gave("f", "3"),
        ]
        assert matched(*history) == [["1"], ["2"], ["3"]]

    def test_a_name_may_stand_for_an_id_twice(self) -> None:
        assert matched(called(call("a", "f")), gave("f", "1"), gave("f", "more")) == [["1", "more"]]

    def test_an_id_counts_more_than_a_name(self) -> None:
        assert matched(called(call("a", "b"), call("b", "g")), gave("b", "2"), gave("a", "1")) == [["1"], ["2"]]


class TestEarlyResults:
    def test_one_before_its_call_finds_it(self) -> None:
        assert matched(gave("a", "1"), called(call("a"))) == [["1"]]

    def test_one_whose_call_has_another_is_nobodys(self) -> None:
        history = [gave("a", "0"), called(call("a")), gave("a", "1")]
        assert matched(*history) == [["1"]]
        assert nobodys(*history) == ["0"]

    def test_one_without_an_id_finds_none(self) -> None:
        assert matched(gave("", "0"), called(call(""))) == [[]]

    def test_several_find_theirs_in_order(self) -> None:
        history = [gave("a", "1"), gave("a", "2"), called(call("a"), call("a")), HURRY, called(call("a"))]
        assert matched(*history) == [["1"], ["2"], []]


class TestWords:
    @staticmethod
    def told(*history: Message) -> list[tuple[str, Sequence[object]]]:
        kinds = {Round: "round", Message: "message"}
        return [
            (kinds[type(each)], each.said if isinstance(each, Round) else each.parts)
            for each in match(history)
            if not isinstance(each, Given)
        ]

    def test_what_the_assistant_says_before_the_results_belongs_to_the_calls(self) -> None:
        history = [called(call("a"), call("b"), text="I look."), HM, gave("a", "1"), HM, gave("b", "2"), HM]
        together = [Text("I look."), Text("Hm."), Text("Hm.")]
        assert self.told(*history) == [("round", together), ("message", HM.parts)]

    def test_not_where_the_user_has_spoken(self) -> None:
        history = [called(call("a")), HURRY, HM, gave("a", "1")]
        assert self.told(*history) == [("round", []), ("message", HURRY.parts), ("message", HM.parts)]

    def test_not_where_the_results_are_of_an_earlier_answer(self) -> None:
        history = [called(call("a")), called(call("b")), HM, gave("a", "1")]
        assert self.told(*history) == [("round", []), ("round", []), ("message", HM.parts)]
