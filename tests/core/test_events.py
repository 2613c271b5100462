"""The grammar's checker: it lets every whole answer through and names the first event out of place."""

import pytest

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.events import (
    AnswerEvent,
    Failed,
    Finished,
    GrammarChecker,
    GrammarError,
    PartDelta,
    PartFinished,
    PartStarted,
    Started,
)

FAILED = Failed(GatewayError(ErrorKind.UPSTREAM_CUT_OFF, "cut off"))
TEXT = [PartStarted(0, "text"), PartDelta(0, "a"), PartFinished(0)]
CALL = [PartStarted(1, "tool_call", "call_1", "f"), PartDelta(1, "{}"), PartFinished(1)]


def check(*events: AnswerEvent) -> None:
    checker = GrammarChecker()
    checker.check(events)
    checker.finish()


@pytest.mark.parametrize(
    "events",
    [
        [Started(), Finished("stop")],
        [Started(), *TEXT, *CALL, Finished("tool_calls")],
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
    ],
)
def test_an_event_out_of_place_raises(events: list[AnswerEvent]) -> None:
    with pytest.raises(GrammarError):
        check(*events)
