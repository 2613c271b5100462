"""`AnswerEvent`s → the chunks of a stream, and `Answer`s → a whole completion (OpenAI API reference, Chat)."""

import secrets
from collections.abc import Sequence
from typing import Any

import orjson

from poe2openai.core.choices import ChoiceBatch
from poe2openai.core.collect import Answer
from poe2openai.core.events import (
    AnswerEvent,
    Failed,
    FilesMade,
    Finished,
    MadeFile,
    PartDelta,
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
    """Writes one answer as a stream, or the several of `n`, whose batches are `ChoiceBatch`es.

    `functions`: tool calls have the form that they had before there were tools, and only the first one counts.
    """

    def __init__(
        self, *, id: str, model: str, created: int, include_usage: bool, functions: bool = False, n: int = 1
    ) -> None:
        self._include_usage = include_usage
        self._shared = {"id": id, "object": "chat.completion.chunk", "created": created, "model": model}
        self._choices = [_ChoiceEncoder(self._shared, index, include_usage, functions) for index in range(n)]
        self._first = self._choices[0]
        self._several = n > 1
        self._started = False
        self._unfinished = n
        self._usage: Usage | None = None

    def encode(self, batch: list[AnswerEvent]) -> bytes:
        """The frames of a batch; `b""` if it has nothing to say. A failure is the last thing said: no `[DONE]`."""
        choice = self._choices[batch.choice] if self._several and isinstance(batch, ChoiceBatch) else self._first
        if len(batch) == 1 and type(delta := batch[0]) is PartDelta:  # `choice.delta`, without the call
            frame = choice.before + orjson.dumps(delta.text) + choice.after
            return frame if len(frame) <= MAX_LINE else choice.split_delta(delta.text)
        return b"".join(
            [choice.delta(event.text) if type(event) is PartDelta else self._frames(choice, event) for event in batch]
        )

    def _frames(self, choice: "_ChoiceEncoder", event: AnswerEvent) -> bytes:
        """What is no delta; a part's end is told by what follows it."""
        match event:
            case PartStarted():
                return choice.open(event)
            case Started():
                return self._start()
            case FilesMade(files):
                return choice.images(files)
            case Finished(reason, usage):
                return choice.finish(reason) + self._end(usage)
            case Failed(error):
                return sse.frame(error_body(error))
            case _:
                return b""

    def _start(self) -> bytes:
        """All choices begin together and in order: OpenAI's SDKs put them into a list by it."""
        if self._started:
            return b""
        self._started = True
        return b"".join([choice.start() for choice in self._choices])

    def _end(self, usage: Usage | None) -> bytes:
        """After the last choice, what is said once for all of them."""
        if usage is not None:
            self._usage = usage if self._usage is None else self._usage + usage
        self._unfinished -= 1
        if self._unfinished:
            return b""
        frames = b""
        if self._include_usage:
            chunk = {**self._shared, "choices": [], "usage": usage_body(self._usage or Usage(0, 0))}
            frames = sse.frame(orjson.dumps(chunk))
        return frames + sse.frame(b"[DONE]")


class _ChoiceEncoder:
    """Writes one choice.

    What is the same in every chunk of a part is rendered when the part opens; a delta costs the JSON of its text.
    """

    def __init__(self, shared: dict[str, Any], index: int, include_usage: bool, functions: bool) -> None:
        self._functions = functions
        self._head = b"data: " + orjson.dumps(shared)[:-1] + b',"choices":[{"index":%d,"delta":{' % index
        usage = b',"usage":null' if include_usage else b""
        self._end = b"}]" + usage + b"}\n\n"
        self._tail = b'},"finish_reason":null' + self._end
        self.before = self.after = b""
        self._tool_calls = 0

    def start(self) -> bytes:
        return self._head + b'"role":"assistant","content":""' + self._tail

    def finish(self, reason: str) -> bytes:
        told = orjson.dumps(_finish_reason(reason, functions=self._functions))
        return self._head + b'},"finish_reason":' + told + self._end

    def open(self, part: PartStarted) -> bytes:
        self.after = self._tail
        if part.kind == "text":
            self.before = self._head + b'"content":'
            return b""
        if part.kind == "reasoning":
            self.before = self._head + b'"reasoning_content":'
            return b""
        return self._open_function(part) if self._functions else self._open_call(part)

    def delta(self, text: str) -> bytes:
        frame = self.before + orjson.dumps(text) + self.after
        return frame if len(frame) <= MAX_LINE else self.split_delta(text)

    def split_delta(self, text: str) -> bytes:
        room = MAX_LINE - len(self.before) - len(self.after) - len('""')
        step = max(1, room // _MOST_BYTES_OF_A_CHARACTER)
        pieces = [text[start : start + step] for start in range(0, len(text), step)]
        return b"".join([self.before + orjson.dumps(piece) + self.after for piece in pieces])

    def images(self, files: Sequence[MadeFile]) -> bytes:
        shown = images_body(files)
        frame = self._images(shown)
        return frame if len(frame) <= MAX_LINE else b"".join([self._images([picture]) for picture in shown])

    def _images(self, shown: list[dict[str, Any]]) -> bytes:
        return self._head + b'"images":' + orjson.dumps(shown) + self._tail if shown else b""

    def _open_call(self, part: PartStarted) -> bytes:
        index = self._tool_calls
        self._tool_calls += 1
        self.before = self._head + b'"tool_calls":[{"index":%d,"function":{"arguments":' % index
        self.after = b"}}]" + self._tail
        function = {"name": part.name, "arguments": ""}
        call = {"index": index, "id": part.call_id, "type": "function", "function": function}
        return self._head + b'"tool_calls":' + orjson.dumps([call]) + self._tail

    def _open_function(self, part: PartStarted) -> bytes:
        self.before = self._head + b'"function_call":{"arguments":'
        self.after = b"}" + self._tail
        return self._head + b'"function_call":' + orjson.dumps({"name": part.name, "arguments": ""}) + self._tail


def completion(answers: Sequence[Answer], *, id: str, model: str, created: int, functions: bool = False) -> bytes:
    """Whole answers, one for each choice; the usage is that of all of them, as each is a query of its own."""
    choices = [
        {
            "index": index,
            "message": _message(answer, functions=functions),
            "logprobs": None,
            "finish_reason": _finish_reason(answer.reason, functions=functions),
        }
        for index, answer in enumerate(answers)
    ]
    usage = sum((answer.usage for answer in answers if answer.usage is not None), start=Usage(0, 0))
    return orjson.dumps(
        {
            "id": id,
            "object": "chat.completion",
            "created": created,
            "model": model,
            "choices": choices,
            "usage": usage_body(usage),
        }
    )


def _message(answer: Answer, *, functions: bool) -> dict[str, Any]:
    """`content` is null only where there is nothing but tool calls."""
    text = answer.text("text")
    calls = [part for part in answer.parts if part.kind == "tool_call"]
    message: dict[str, Any] = {"role": "assistant", "content": text or (None if calls else ""), "refusal": None}
    if reasoning := answer.text("reasoning"):
        message["reasoning_content"] = reasoning
    if images := images_body(answer.files):
        message["images"] = images
    if calls and functions:
        message["function_call"] = {"name": calls[0].name, "arguments": calls[0].text}
    elif calls:
        message["tool_calls"] = [
            {"id": call.call_id, "type": "function", "function": {"name": call.name, "arguments": call.text}}
            for call in calls
        ]
    return message


def images_body(files: Sequence[MadeFile]) -> list[dict[str, Any]]:
    """The pictures among them, in OpenRouter's form (OpenRouter documentation, "Image Generation")."""
    pictures = [file for file in files if file.media_type.lower().startswith("image/")]
    return [
        {"type": "image_url", "image_url": {"url": picture.url}, "index": index}
        for index, picture in enumerate(pictures)
    ]


def _finish_reason(reason: str, *, functions: bool) -> str:
    return "function_call" if functions and reason == "tool_calls" else reason


def usage_body(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }
