"""A whole answer that will be cut lets Poe go where a stream would, and holds exactly what it would have held."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poe2openai.core.collect import collect
from poe2openai.pipeline.order import PipelineOptions, pipeline
from poe2openai.poe.events import Done, File, PoeEvent, Replace, Text
from tests.support.pipeline import FourLetterTokens

THOUGHT = Text("*Thinking...*\n\n> STOP here?\n> No.\n\n")


def options(**changes: Any) -> PipelineOptions:
    plain: dict[str, Any] = {"hold": False, "whole": True, "stop": (), "max_tokens": None}
    quiet = {"counter": FourLetterTokens(), "input_tokens": None, "note": lambda _: None}
    return PipelineOptions(**plain | quiet | changes)


class Poe:
    """Events one a read, and how many of them were read."""

    def __init__(self, *events: PoeEvent) -> None:
        self._events = events
        self.read = 0

    def batches(self) -> Iterator[list[PoeEvent]]:
        for event in self._events:
            self.read += 1
            yield [event]
            yield []

    def answer(self, **changes: Any) -> tuple[str, str]:
        answer = collect(pipeline(self.batches(), options(**changes)))
        return answer.text("text"), answer.reason


def test_a_stop_sequence_ends_the_reading_there() -> None:
    poe = Poe(Text("one "), Text("ST"), Text("OP two"), *[Text("more")] * 50, Done())
    assert poe.answer(stop=("STOP",)) == ("one ", "stop")
    assert poe.read == 3


def test_the_token_limit_ends_the_reading_soon_after_it() -> None:
    poe = Poe(*[Text("word")] * 500, Done())
    assert poe.answer(max_tokens=16) == ("word" * 16, "length")
    assert poe.read < 60


def test_what_stands_in_a_thought_ends_nothing() -> None:
    poe = Poe(THOUGHT, Text("Answer."), Done())
    assert poe.answer(stop=("STOP",)) == ("Answer.", "stop")
    assert poe.read == 3


def test_after_a_replacement_nothing_is_certain_before_the_end() -> None:
    poe = Poe(Text("a "), Replace("b STOP c"), Replace("fin STOP al"), Done())
    assert poe.answer(stop=("STOP",)) == ("fin ", "stop")
    assert poe.read == 4


def test_a_file_that_has_no_place_in_the_text_is_behind_the_cut() -> None:
    poe = Poe(Text("see"), File("https://x.example/a.png", "image/png", "a"), Text("STOP"), *[Text("more")] * 9, Done())
    assert poe.answer(stop=("STOP",)) == ("see", "stop")
    assert poe.read == 3


@given(
    st.lists(st.sampled_from(["a", "b", "ab", "\n", "> q\n", "*Thinking...*\n\n", " "]), max_size=12),
    st.sampled_from([("ab",), ("b", "\n"), ()]),
    st.sampled_from([None, 1, 3]),
)
def test_reading_less_changes_nothing(texts: list[str], stop: tuple[str, ...], limit: int | None) -> None:
    events = [*map(Text, texts), Done()]
    together = collect(pipeline(iter([events]), options(stop=stop, max_tokens=limit)))
    one_by_one = collect(pipeline(iter([[event] for event in events]), options(stop=stop, max_tokens=limit)))
    assert one_by_one == together


@pytest.mark.parametrize("hold", [True, False])
def test_a_model_that_is_held_by_policy_is_read_to_its_end(hold: bool) -> None:
    poe = Poe(Text("one STOP"), *[Text("more")] * 5, Done())
    assert poe.answer(stop=("STOP",), hold=hold) == ("one ", "stop")
    assert poe.read == (7 if hold else 1)
