"""Answers → a legacy completion, whole or in chunks (OpenAI API reference, "The completion object")."""

import secrets
from collections.abc import Sequence
from typing import Any

import orjson

from poe2openai.core.choices import ChoiceBatch
from poe2openai.core.collect import Answer
from poe2openai.core.events import AnswerEvent, Failed, Finished, PartDelta, PartStarted, Started, Usage
from poe2openai.dialects import sse
from poe2openai.dialects.chat_completions.encode import MAX_LINE, usage_body
from poe2openai.dialects.openai_errors import error_body

_LONGEST_TEXT = MAX_LINE // 8
"""Characters of one chunk: JSON writes some in six bytes."""


def new_id() -> str:
    return f"cmpl-{secrets.token_hex(12)}"


class CompletionEncoder:
    """Writes answers as one stream. There is no place for thoughts and tool calls: they are left out."""

    def __init__(self, *, id: str, model: str, created: int, include_usage: bool, beginnings: Sequence[str]) -> None:
        """`beginnings` holds what the text of each answer begins with."""
        self._include_usage = include_usage
        self._shared = {"id": id, "object": "text_completion", "created": created, "model": model}
        self._head = b"data: " + orjson.dumps(self._shared)[:-1] + b',"choices":[{"text":'
        usage = b',"usage":null' if include_usage else b""
        self._tails = [
            b',"index":%d,"logprobs":null,"finish_reason":null}]%b}\n\n' % (index, usage)
            for index, _ in enumerate(beginnings)
        ]
        self._beginnings = beginnings
        self._in_text = [False for _ in beginnings]
        self._unfinished = len(beginnings)
        self._usage: Usage | None = None

    def encode(self, batch: list[AnswerEvent]) -> bytes:
        index = batch.choice if isinstance(batch, ChoiceBatch) else 0
        return b"".join([self._frames(index, event) for event in batch])

    def _frames(self, index: int, event: AnswerEvent) -> bytes:
        match event:
            case Started():
                return self._texts(index, self._beginnings[index])
            case PartStarted(kind=kind):
                self._in_text[index] = kind == "text"
                return b""
            case PartDelta(text=text) if self._in_text[index]:
                return self._texts(index, text)
            case Finished(reason, usage):
                return self._end(index, reason, usage)
            case Failed(error):
                return sse.frame(error_body(error))
            case _:
                return b""

    def _texts(self, index: int, text: str) -> bytes:
        pieces = [text[start : start + _LONGEST_TEXT] for start in range(0, len(text), _LONGEST_TEXT)]
        return b"".join([self._head + orjson.dumps(piece) + self._tails[index] for piece in pieces])

    def _end(self, index: int, reason: str, usage: Usage | None) -> bytes:
        if usage is not None:
            self._usage = usage if self._usage is None else self._usage + usage
        frames = self._chunk([_choice(index, "", _finish_reason(reason))])
        self._unfinished -= 1
        if self._unfinished:
            return frames
        if self._include_usage:
            frames += self._chunk([], usage_body(self._usage or Usage(0, 0)))
        return frames + sse.frame(b"[DONE]")

    def _chunk(self, choices: list[dict[str, Any]], usage: dict[str, Any] | None = None) -> bytes:
        chunk: dict[str, Any] = {**self._shared, "choices": choices}
        if self._include_usage:
            chunk["usage"] = usage
        return sse.frame(orjson.dumps(chunk))


def completion(answers: Sequence[Answer], *, id: str, model: str, created: int, beginnings: Sequence[str]) -> bytes:
    usage = sum((answer.usage for answer in answers if answer.usage is not None), start=Usage(0, 0))
    choices = [
        _choice(index, beginning + answer.text("text"), _finish_reason(answer.reason))
        for index, (answer, beginning) in enumerate(zip(answers, beginnings, strict=True))
    ]
    return orjson.dumps(
        {
            "id": id,
            "object": "text_completion",
            "created": created,
            "model": model,
            "choices": choices,
            "usage": usage_body(usage),
        }
    )


def _choice(index: int, text: str, reason: str | None) -> dict[str, Any]:
    return {"text": text, "index": index, "logprobs": None, "finish_reason": reason}


def _finish_reason(reason: str) -> str:
    """OpenAI's type knows no `tool_calls` here."""
    return "stop" if reason == "tool_calls" else reason
