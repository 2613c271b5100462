"""`AnswerEvent`s → the chunks of a stream, and an `Answer` → a whole completion (OpenAI API reference, Chat)."""

import secrets
from typing import Any

import orjson

from poe2openai.core.collect import Answer
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
from poe2openai.dialects import sse
from poe2openai.dialects.openai_errors import error_body

MAX_LINE = 131_072
"""Bytes of one SSE line, its end included: longer ones break Open WebUI (aiohttp's reader)."""

_MOST_BYTES_OF_A_CHARACTER = 6  # \u0001, as JSON writes it


def new_id() -> str:
    return f"chatcmpl-{secrets.token_hex(12)}"


class ChunkEncoder:
    """Writes one answer as a stream.

    What is the same in every chunk of a part is rendered when the part opens; a delta costs the JSON of its text.
    """

    def __init__(self, *, id: str, model: str, created: int, include_usage: bool) -> None:
        self._include_usage = include_usage
        shared = {"id": id, "object": "chat.completion.chunk", "created": created, "model": model}
        self._shared = shared
        self._head = b"data: " + orjson.dumps(shared)[:-1] + b',"choices":[{"index":0,"delta":{'
        usage = b',"usage":null' if include_usage else b""
        self._tail = b'},"finish_reason":null}]' + usage + b"}\n\n"
        self._before = self._after = b""
        self._tool_calls = 0

    def encode(self, batch: list[AnswerEvent]) -> bytes:
        """The frames of a batch; `b""` if it has nothing to say. A failure is the last thing said: no `[DONE]`."""
        if len(batch) == 1 and type(delta := batch[0]) is PartDelta:
            return self._delta(delta.text)
        return b"".join([self._frames(event) for event in batch])

    def _frames(self, event: AnswerEvent) -> bytes:
        match event:
            case PartDelta(text=text):
                return self._delta(text)
            case PartStarted():
                return self._open(event)
            case PartFinished():
                return b""
            case Started():
                return self._head + b'"role":"assistant","content":""' + self._tail
            case Finished(reason, usage):
                return self._end(reason, usage)
            case Failed(error):
                return sse.frame(error_body(error))

    def _open(self, part: PartStarted) -> bytes:
        self._after = self._tail
        if part.kind == "text":
            self._before = self._head + b'"content":'
            return b""
        if part.kind == "reasoning":
            self._before = self._head + b'"reasoning_content":'
            return b""
        index = self._tool_calls
        self._tool_calls += 1
        self._before = self._head + b'"tool_calls":[{"index":%d,"function":{"arguments":' % index
        self._after = b"}}]" + self._tail
        function = {"name": part.name, "arguments": ""}
        call = {"index": index, "id": part.call_id, "type": "function", "function": function}
        return self._head + b'"tool_calls":' + orjson.dumps([call]) + self._tail

    def _delta(self, text: str) -> bytes:
        frame = self._before + orjson.dumps(text) + self._after
        if len(frame) > MAX_LINE:
            return self._split_delta(text)
        return frame

    def _split_delta(self, text: str) -> bytes:
        room = MAX_LINE - len(self._before) - len(self._after) - len('""')
        step = max(1, room // _MOST_BYTES_OF_A_CHARACTER)
        pieces = [text[start : start + step] for start in range(0, len(text), step)]
        return b"".join([self._before + orjson.dumps(piece) + self._after for piece in pieces])

    def _end(self, reason: str, usage: Usage | None) -> bytes:
        choice = {"index": 0, "delta": {}, "finish_reason": reason}
        frames = self._chunk([choice], None)
        if self._include_usage:
            frames += self._chunk([], usage_body(usage or Usage(0, 0)))
        return frames + sse.frame(b"[DONE]")

    def _chunk(self, choices: list[dict[str, Any]], usage: dict[str, Any] | None) -> bytes:
        chunk = {**self._shared, "choices": choices}
        if self._include_usage:
            chunk["usage"] = usage
        return sse.frame(orjson.dumps(chunk))


def completion(answer: Answer, *, id: str, model: str, created: int) -> bytes:
    """A whole answer. `content` is null only where there is nothing but tool calls."""
    text = answer.text("text")
    tool_calls = [
        {"id": part.call_id, "type": "function", "function": {"name": part.name, "arguments": part.text}}
        for part in answer.parts
        if part.kind == "tool_call"
    ]
    message: dict[str, Any] = {"role": "assistant", "content": text or (None if tool_calls else ""), "refusal": None}
    if reasoning := answer.text("reasoning"):
        message["reasoning_content"] = reasoning
    if tool_calls:
        message["tool_calls"] = tool_calls
    return orjson.dumps(
        {
            "id": id,
            "object": "chat.completion",
            "created": created,
            "model": model,
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": answer.reason}],
            "usage": usage_body(answer.usage or Usage(0, 0)),
        }
    )


def usage_body(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }
