from typing import Any

import pytest

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.events import (
    AnswerEvent,
    Failed,
    Finished,
    PartDelta,
    PartFinished,
    PartStarted,
    Started,
    Usage,
)
from poe2openai.pipeline.usage import fill
from tests.support.pipeline import FourLetterTokens

ANSWER: list[AnswerEvent] = [
    *(Started(), PartStarted(0, "reasoning"), PartDelta(0, "aaaa"), PartDelta(0, "bb"), PartFinished(0)),
    *(PartStarted(1, "text"), PartDelta(1, "cccc"), PartDelta(1, "dddd"), PartDelta(1, "eeee"), PartFinished(1)),
    *(PartStarted(2, "tool_call", "c0", "f"), PartDelta(2, "{"), PartDelta(2, "}"), PartFinished(2)),
    Finished("tool_calls"),
]
USAGE = Usage(input_tokens=7, output_tokens=6, reasoning_tokens=2, source="estimate")


def filled(batches: list[list[AnswerEvent]], counter: FourLetterTokens | None = None) -> list[list[Any]]:
    return list(fill(batches, input_tokens=lambda: 7, counter=counter or FourLetterTokens()))


def test_usage_counts_every_part_and_tells_the_thought() -> None:
    assert filled([ANSWER]) == [ANSWER[:-1], [Finished("tool_calls", USAGE)]]
    assert filled([[event] for event in ANSWER])[-1] == [Finished("tool_calls", USAGE)]


def test_thoughts_add_up() -> None:
    thought: list[AnswerEvent] = [PartStarted(0, "reasoning"), PartDelta(0, "aaaabbbb"), PartFinished(0)]
    later: list[AnswerEvent] = [PartStarted(1, "reasoning"), PartDelta(1, "cccc"), PartFinished(1)]
    assert filled([[Started(), *thought, *later, Finished("stop")]])[-1] == [Finished("stop", Usage(7, 3, 3))]


def test_each_part_is_counted_once_and_only_after_it_is_out() -> None:
    counter = FourLetterTokens()
    asked: list[str] = []

    def input_tokens() -> int:
        asked.append("input")
        return 7

    stage = fill([ANSWER], input_tokens=input_tokens, counter=counter)
    assert next(stage) == ANSWER[:-1]
    assert counter.counted == asked == []
    assert next(stage) == [Finished("tool_calls", USAGE)]
    assert counter.counted == ["aaaabb", "ccccddddeeee", "f{}"]
    assert asked == ["input"]


def test_idle_ticks_pass_and_an_end_alone_is_not_preceded_by_one() -> None:
    finished = Finished("stop", Usage(7, 0))
    assert filled([[], [Started()], [Finished("stop")]]) == [[], [Started()], [finished]]


def test_a_failure_is_not_counted() -> None:
    failed = Failed(GatewayError(ErrorKind.UPSTREAM_ERROR, "gone"))
    stage = fill([[Started(), failed]], input_tokens=lambda: pytest.fail("counted"), counter=FourLetterTokens())
    assert list(stage) == [[Started(), failed]]


def test_poe_is_let_go_before_the_counting_begins() -> None:
    order: list[str] = []

    def input_tokens() -> int:
        order.append("counted")
        return 7

    stage = fill(
        [[*ANSWER]], input_tokens=input_tokens, counter=FourLetterTokens(), before_counting=lambda: order.append("over")
    )
    next(stage)
    assert order == ["over"]
    list(stage)
    assert order == ["over", "counted"]
