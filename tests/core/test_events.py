"""The grammar's checker: it lets every whole answer through and names the first event out of place."""

import pytest

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.events import (
    AnswerEvent,
    Failed,
    FilesMade,
    Finished,
    GrammarChecker,
    GrammarError,
    MadeFile,
    PartDelta,
    PartFinished,
    PartStarted,
    Started,
    Usage,
)

FAILED = Failed(GatewayError(ErrorKind.UPSTREAM_CUT_OFF, "cut off"))
TEXT = [PartStarted(0, "text"), PartDelta(0, "a"), PartFinished(0)]
CALL = [PartStarted(1, "tool_call", "call_1", "f"), PartDelta(1, "{}"), PartFinished(1)]

FILES = FilesMade((MadeFile("https://x.test/a.png", "image/png", "a.png"),))


def check(*events: AnswerEvent) -> None:
    checker = GrammarChecker()
    checker.check(events)
    checker.finish()


@pytest.mark.parametrize(
    "events",
    [
        [Started(), Finished("stop")],
        [Started(), *TEXT, *CALL, Finished("tool_calls")],
        [Started(), FILES, Finished("stop")],
        [Started(), *TEXT, *CALL, FILES, Finished("tool_calls")],
        [Started(), *TEXT, FILES, FAILED],
        [Started(), FAILED],
        [Started(), PartStarted(0, "text"), PartDelta(0, "a"), FAILED],
    ],
)
def test_whole_answers_pass(events: list[AnswerEvent]) -> None:
    check(*events)


@pytest.mark.parametrize(
    "events",
    [
        [],
        [Finished("stop")],
        [Started(), *TEXT],
        [Started(), Started(), Finished("stop")],
        [Started(), Finished("stop"), Finished("stop")],
        [Started(), *TEXT, FAILED, PartStarted(1, "text")],
        [Started(), PartDelta(0, "a"), Finished("stop")],
        [Started(), PartStarted(0, "text"), PartDelta(1, "a"), Finished("stop")],
        [Started(), PartStarted(0, "text"), PartStarted(1, "text"), Finished("stop")],
        [Started(), PartStarted(0, "text"), Finished("stop")],
        [Started(), PartStarted(1, "text"), PartFinished(1), Finished("stop")],
        [Started(), *TEXT, PartDelta(0, "late"), Finished("stop")],
        [Started(), PartStarted(0, "tool_call"), PartFinished(0), Finished("stop")],
        [Started(), PartStarted(0, "text", "call_1", "f"), PartFinished(0), Finished("stop")],
        [FILES, Started(), Finished("stop")],
        [Started(), PartStarted(0, "text"), FILES, PartFinished(0), Finished("stop")],
        [Started(), Finished("stop"), FILES],
        [Started(), FILES, *TEXT, Finished("stop")],
        [Started(), *TEXT, FILES, FILES, Finished("stop")],
    ],
)
def test_an_event_out_of_place_raises(events: list[AnswerEvent]) -> None:
    with pytest.raises(GrammarError):
        check(*events)


def test_usages_add_up_and_are_poes_own_count_only_if_both_are() -> None:
    poes, estimated = Usage(1, 20, 3, 40, "poe"), Usage(100, 2000, 300, 4000)
    assert poes + estimated == Usage(101, 2020, 303, 4040, "estimate")
    assert estimated + poes == poes + estimated
    assert poes + poes == Usage(2, 40, 6, 80, "poe")
