"""A whole answer is the stream, folded."""

import pytest

from poe2openai.core.collect import Answer, AnswerPart, collect
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.events import (
    AnswerEvent,
    Failed,
    FilesMade,
    Finished,
    MadeFile,
    PartDelta,
    PartFinished,
    PartStarted,
    Started,
    Usage,
)


def test_parts_keep_their_order_and_their_text() -> None:
    usage = Usage(3, 4)
    answer = collect(
        [
            [],
            [Started(), PartStarted(0, "reasoning"), PartDelta(0, "hm")],
            [PartDelta(0, "m"), PartFinished(0), PartStarted(1, "text"), PartDelta(1, "a")],
            [],
            [PartDelta(1, "b"), PartFinished(1), PartStarted(2, "tool_call", "call_1", "f"), PartDelta(2, "{}")],
            [PartFinished(2), Finished("tool_calls", usage)],
        ]
    )
    assert answer == Answer(
        (AnswerPart("reasoning", "hmm"), AnswerPart("text", "ab"), AnswerPart("tool_call", "{}", "call_1", "f")),
        "tool_calls",
        usage,
    )


def test_one_kinds_text_is_joined_over_its_parts() -> None:
    answer = Answer((AnswerPart("text", "a"), AnswerPart("reasoning", "x"), AnswerPart("text", "b")), "stop", None)
    assert answer.text("text") == "ab"


def test_files_that_were_made_stand_beside_the_parts() -> None:
    files = (MadeFile("https://x.test/a.png", "image/png", "a.png"), MadeFile("https://x.test/b", "audio/wav", "b"))
    text: list[AnswerEvent] = [PartStarted(0, "text"), PartDelta(0, "Here."), PartFinished(0)]

    answer = collect([[Started(), *text], [], [FilesMade(files)], [Finished("stop")]])

    assert answer == Answer((AnswerPart("text", "Here."),), "stop", None, files)
    assert collect([[Started(), *text, Finished("stop")]]).files == ()


def test_a_failed_answer_raises_what_it_failed_with() -> None:
    error = GatewayError(ErrorKind.UPSTREAM_CUT_OFF, "cut off")
    with pytest.raises(GatewayError) as caught:
        collect([[Started(), PartStarted(0, "text"), PartDelta(0, "half")], [Failed(error)]])
    assert caught.value is error


def test_an_answer_without_an_end_is_our_own_bug() -> None:
    with pytest.raises(AssertionError, match="no end"):
        collect([[Started()]])
