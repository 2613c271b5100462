"""Answers in the shape of a legacy completion, judged by the SDK's type."""

from typing import Any

import orjson
from openai.types import Completion

from poe2openai.core.choices import ChoiceBatch
from poe2openai.core.collect import collect
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
from poe2openai.dialects.chat_completions.encode import MAX_LINE
from poe2openai.dialects.completions.encode import CompletionEncoder, completion, new_id

IDENTITY: dict[str, Any] = {"id": "cmpl-1", "model": "m", "created": 1_700_000_000}


def says(text: str) -> list[AnswerEvent]:
    thought = [PartStarted(0, "reasoning"), PartDelta(0, "Hm."), PartFinished(0)]
    said = [PartStarted(1, "text"), PartDelta(1, text), PartFinished(1)]
    return [Started(), *thought, *said, Finished("stop", Usage(2, 3))]


def frames(stream: bytes) -> list[Any]:
    data = [block.removeprefix("data: ") for block in stream.decode().strip().split("\n\n")]
    return [each if each == "[DONE]" else orjson.loads(each) for each in data]


def test_a_stream_of_two_with_what_they_begin_with() -> None:
    encoder = CompletionEncoder(**IDENTITY, include_usage=True, beginnings=["A:", "B:"])

    told = frames(encoder.encode(ChoiceBatch(1, says("two"))) + encoder.encode(ChoiceBatch(0, says("one"))))

    assert told.pop() == "[DONE]"
    assert told.pop()["usage"]["total_tokens"] == 10
    texts = {0: "", 1: ""}
    for frame in told:
        assert frame["usage"] is None
        (choice,) = frame["choices"]
        texts[choice["index"]] += choice["text"]
    assert texts == {0: "A:one", 1: "B:two"}
    reasons = [frame["choices"][0]["finish_reason"] for frame in told]
    assert [reason for reason in reasons if reason] == ["stop", "stop"]


def test_whole_answers_without_their_thoughts() -> None:
    body = completion([collect([says("one")]), collect([says("two")])], **IDENTITY, beginnings=["", "B:"])

    whole = Completion.model_validate_json(body)
    assert [(choice.index, choice.text) for choice in whole.choices] == [(0, "one"), (1, "B:two")]
    assert whole.usage is not None
    assert whole.usage.prompt_tokens == 4


def test_no_line_is_longer_than_clients_read() -> None:
    encoder = CompletionEncoder(**IDENTITY, include_usage=False, beginnings=[""])
    stream = encoder.encode(says("\x01" * 300_000))
    assert max(map(len, stream.split(b"\n"))) <= MAX_LINE


def test_a_failure_is_the_last_thing_said() -> None:
    encoder = CompletionEncoder(**IDENTITY, include_usage=False, beginnings=[""])
    told = frames(encoder.encode([Started(), Failed(GatewayError(ErrorKind.UPSTREAM_CUT_OFF, "cut"))]))
    assert [frame["error"]["code"] for frame in told] == ["upstream_cut_off"]


def test_ids() -> None:
    assert new_id().startswith("cmpl-")
    assert new_id() != new_id()
