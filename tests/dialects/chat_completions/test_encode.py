import itertools
import re
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from sseclient import SSEClient

from poe2openai.core.collect import Answer, AnswerPart
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.events import (
    AnswerEvent,
    Failed,
    Finished,
    FinishReason,
    GrammarChecker,
    PartDelta,
    PartFinished,
    PartStarted,
    Started,
    Usage,
)
from poe2openai.dialects.chat_completions.encode import MAX_LINE, ChunkEncoder, completion, new_id

USAGE = Usage(input_tokens=10, output_tokens=7, reasoning_tokens=3, cached_tokens=2, source="poe")
USAGE_BODY = {
    "prompt_tokens": 10,
    "completion_tokens": 7,
    "total_tokens": 17,
    "prompt_tokens_details": {"cached_tokens": 2},
    "completion_tokens_details": {"reasoning_tokens": 3},
}
TEXT_ANSWER: list[AnswerEvent] = [
    Started(),
    PartStarted(0, "text"),
    PartDelta(0, "Hel"),
    PartDelta(0, "lo"),
    PartFinished(0),
    Finished("stop", USAGE),
]
FULL_ANSWER: list[AnswerEvent] = [
    Started(),
    PartStarted(0, "reasoning"),
    PartDelta(0, "Hm"),
    PartDelta(0, "."),
    PartFinished(0),
    PartStarted(1, "text"),
    PartDelta(1, "Let me look."),
    PartFinished(1),
    PartStarted(2, "tool_call", "call_a", "weather"),
    PartDelta(2, '{"city":'),
    PartDelta(2, '"Oslo"}'),
    PartFinished(2),
    PartStarted(3, "tool_call", "call_b", "time"),
    PartDelta(3, "{}"),
    PartFinished(3),
    Finished("tool_calls", USAGE),
]


def encoder(*, model: str = "GPT-4o", include_usage: bool = False) -> ChunkEncoder:
    return ChunkEncoder(id="chatcmpl-1", model=model, created=1_700_000_000, include_usage=include_usage)


def written(events: list[AnswerEvent], **options: Any) -> bytes:
    one = encoder(**options)
    return b"".join(one.encode([event]) for event in events)


def read(stream: bytes) -> list[str]:
    return [event.data for event in SSEClient(iter([stream])).events()]


def chunks(stream: bytes) -> list[dict[str, Any]]:
    """Every chunk of a finished stream, judged by the official SDK's type."""
    *data, last = read(stream)
    assert last == "[DONE]"
    bodies: list[dict[str, Any]] = [orjson.loads(body) for body in data]
    for body in bodies:
        ChatCompletionChunk.model_validate(body, strict=True)
        assert body.keys() <= ChatCompletionChunk.model_fields.keys()
    return bodies


def deltas(stream: bytes) -> list[dict[str, Any]]:
    return [choice["delta"] for body in chunks(stream) for choice in body["choices"]]


def test_a_stream_byte_for_byte() -> None:
    head = (
        b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"GPT-4o","choices":['
    )

    assert written(TEXT_ANSWER).split(b"\n\n") == [
        head + b'{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}',
        head + b'{"index":0,"delta":{"content":"Hel"},"finish_reason":null}]}',
        head + b'{"index":0,"delta":{"content":"lo"},"finish_reason":null}]}',
        head + b'{"index":0,"delta":{},"finish_reason":"stop"}]}',
        b"data: [DONE]",
        b"",
    ]


def test_the_role_comes_once_and_first_in_a_frame_of_its_own() -> None:
    assert read(encoder().encode([Started()])) == read(written(TEXT_ANSWER))[:1]
    assert [delta for delta in deltas(written(FULL_ANSWER)) if "role" in delta] == [
        {"role": "assistant", "content": ""}
    ]


def test_the_finish_reason_comes_once_and_last() -> None:
    reasons = [choice["finish_reason"] for body in chunks(written(FULL_ANSWER)) for choice in body["choices"]]

    assert reasons == [None] * (len(reasons) - 1) + ["tool_calls"]


@pytest.mark.parametrize("reason", ["stop", "length", "tool_calls", "content_filter"])
def test_every_finish_reason(reason: FinishReason) -> None:
    assert chunks(written([Started(), Finished(reason)]))[-1]["choices"][0]["finish_reason"] == reason


def test_thoughts_are_reasoning_content() -> None:
    assert deltas(written(FULL_ANSWER))[1:4] == [
        {"reasoning_content": "Hm"},
        {"reasoning_content": "."},
        {"content": "Let me look."},
    ]


def test_tool_calls_are_numbered_among_themselves_and_named_once() -> None:
    calls = [call for delta in deltas(written(FULL_ANSWER)) for call in delta.get("tool_calls", [])]

    assert calls == [
        {"index": 0, "id": "call_a", "type": "function", "function": {"name": "weather", "arguments": ""}},
        {"index": 0, "function": {"arguments": '{"city":'}},
        {"index": 0, "function": {"arguments": '"Oslo"}'}},
        {"index": 1, "id": "call_b", "type": "function", "function": {"name": "time", "arguments": ""}},
        {"index": 1, "function": {"arguments": "{}"}},
    ]


def test_usage_comes_in_a_last_chunk_without_choices() -> None:
    *before, last = chunks(written(FULL_ANSWER, include_usage=True))

    assert last["choices"] == []
    assert last["usage"] == USAGE_BODY
    assert all(body["choices"] and body["usage"] is None for body in before)


def test_usage_that_nobody_asked_for_is_not_there() -> None:
    assert all("usage" not in body for body in chunks(written(FULL_ANSWER)))


@pytest.mark.parametrize("include_usage", [True, False])
def test_every_chunk_is_of_the_same_answer(include_usage: bool) -> None:
    for body in chunks(written(FULL_ANSWER, include_usage=include_usage)):
        assert {name: body[name] for name in ("id", "object", "created", "model")} == {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1_700_000_000,
            "model": "GPT-4o",
        }


@pytest.mark.parametrize("said", [0, 1, 3])
def test_a_failure_is_the_last_thing_said(said: int) -> None:
    failed = Failed(GatewayError(ErrorKind.UPSTREAM_CUT_OFF, "The bot broke off."))

    *before, last = read(written([*TEXT_ANSWER[:said], failed], include_usage=True))

    assert orjson.loads(last) == {
        "error": {"message": "The bot broke off.", "type": "server_error", "param": None, "code": "upstream_cut_off"}
    }
    for body in before:
        assert orjson.loads(body)["choices"][0]["finish_reason"] is None


@pytest.mark.parametrize("batch", [[], [PartStarted(0, "text")], [PartFinished(0)]])
def test_a_batch_may_have_nothing_to_say(batch: list[AnswerEvent]) -> None:
    assert encoder().encode(batch) == b""


def test_a_model_name_cannot_break_the_frame() -> None:
    name = 'a"b\n\ndata: [DONE]\n\n\u2028é'

    assert {body["model"] for body in chunks(written(TEXT_ANSWER, model=name))} == {name}


@pytest.mark.parametrize("text", ["x" * 500_000, "é😀" * 100_000, "\x01" * 100_000, '"\\\n' * 100_000, "x" * 130_900])
@pytest.mark.parametrize("kind", ["text", "reasoning", "tool_call"])
def test_no_line_is_too_long_for_open_webui(text: str, kind: Any) -> None:
    names = ("call_a", "f") if kind == "tool_call" else (None, None)
    events: list[AnswerEvent] = [
        Started(),
        PartStarted(0, kind, *names),
        PartDelta(0, text),
        PartFinished(0),
        Finished("stop"),
    ]
    stream = written(events, model="m" * 512)

    assert encoder(model="m" * 512).encode(events) == stream
    assert max(len(line) for line in stream.splitlines(keepends=True)) <= MAX_LINE
    assert len(stream) < 8 * len(text) + MAX_LINE
    assert "".join(spoken(delta) for delta in deltas(stream)) == text


def spoken(delta: dict[str, Any]) -> str:
    calls = delta.get("tool_calls", [])
    return (delta.get("content") or delta.get("reasoning_content") or "") + "".join(
        call["function"]["arguments"] for call in calls
    )


def test_ids_are_openais_and_never_the_same() -> None:
    ids = {new_id() for _ in range(1000)}

    assert len(ids) == 1000
    assert all(re.fullmatch(r"chatcmpl-[0-9a-f]{20,}", new) for new in ids)


def whole(*parts: AnswerPart, reason: FinishReason = "stop", usage: Usage | None = USAGE) -> dict[str, Any]:
    body = orjson.loads(
        completion([Answer(parts, reason, usage)], id="chatcmpl-1", model="GPT-4o", created=1_700_000_000)
    )
    ChatCompletion.model_validate(body, strict=True)
    assert isinstance(body, dict)
    return body


def test_a_whole_answer() -> None:
    assert whole(AnswerPart("text", "Hello")) == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "GPT-4o",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": USAGE_BODY,
    }


def test_a_whole_answer_with_a_thought_and_calls() -> None:
    choice = whole(
        AnswerPart("reasoning", "Hm."),
        AnswerPart("text", "Let me "),
        AnswerPart("tool_call", '{"city":"Oslo"}', "call_a", "weather"),
        AnswerPart("text", "look."),
        reason="tool_calls",
    )["choices"][0]

    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"] == {
        "role": "assistant",
        "content": "Let me look.",
        "refusal": None,
        "reasoning_content": "Hm.",
        "tool_calls": [
            {"id": "call_a", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Oslo"}'}}
        ],
    }


def test_content_is_null_only_beside_calls() -> None:
    assert whole(AnswerPart("tool_call", "{}", "call_a", "f"))["choices"][0]["message"]["content"] is None
    assert whole()["choices"][0]["message"]["content"] == ""
    assert whole(AnswerPart("reasoning", "Hm."))["choices"][0]["message"]["content"] == ""


def test_a_whole_answer_always_has_usage() -> None:
    assert whole(AnswerPart("text", "x"), usage=None)["usage"]["total_tokens"] == 0


# Any answer within the grammar, with a part left open where it fails.
PARTS = st.lists(
    st.tuples(st.sampled_from(["text", "reasoning", "tool_call"]), st.lists(st.text(max_size=8), max_size=3)),
    max_size=5,
)
ENDS = st.sampled_from(
    [Finished("stop"), Finished("length", USAGE), Failed(GatewayError(ErrorKind.UPSTREAM_TIMEOUT, "No answer."))]
)


def answer(parts: list[tuple[Any, list[str]]], end: Finished | Failed) -> list[AnswerEvent]:
    events: list[AnswerEvent] = [Started()]
    for index, (kind, texts) in enumerate(parts):
        names = (f"call_{index}", "f") if kind == "tool_call" else (None, None)
        events += [PartStarted(index, kind, *names), *[PartDelta(index, text) for text in texts]]
        if index < len(parts) - 1 or isinstance(end, Finished):
            events.append(PartFinished(index))
    return [*events, end]


@given(PARTS, ENDS, st.booleans(), st.lists(st.integers(0, 30)))
def test_any_answer_is_written_whole(
    parts: list[tuple[Any, list[str]]], end: Finished | Failed, include_usage: bool, cuts: list[int]
) -> None:
    events = answer(parts, end)
    checker = GrammarChecker()
    checker.check(events)
    checker.finish()

    stream = written(events, include_usage=include_usage)

    borders = [0, *sorted(min(cut, len(events)) for cut in cuts), len(events)]
    one = encoder(include_usage=include_usage)
    assert b"".join(one.encode(events[a:b]) for a, b in itertools.pairwise(borders)) == stream
    if isinstance(end, Failed):
        *data, last = read(stream)
        assert orjson.loads(last)["error"]["code"] == "upstream_timeout"
        spoken_deltas = [orjson.loads(body)["choices"][0]["delta"] for body in data]
    else:
        spoken_deltas = deltas(stream)
    for kind, name in (("text", "content"), ("reasoning", "reasoning_content")):
        said = "".join(text for part_kind, texts in parts for text in texts if part_kind == kind)
        assert "".join(delta.get(name, "") for delta in spoken_deltas) == said
