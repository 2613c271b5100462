"""The bytes of Poe's answer become `PoeEvent`s, in batches (Poe's protocol specification, "Response").

A batch holds all events of one read, adjacent texts joined, so that cost goes with reads and not with events.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, cast

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.events import FinishReason
from poe2openai.core.turns import give_way
from poe2openai.poe.errors import error_from_event
from poe2openai.poe.event_values import (
    SURROGATES,
    ArgumentsForm,
    json_text,
    object_of,
    plain_texts,
    string_of,
    text_of,
    without_surrogates,
)
from poe2openai.poe.sse import EventSplitter, EventTooLarge, parse_block


@dataclass(frozen=True, slots=True)
class Text:
    """Append this. `index` tells several answers of one bot apart."""

    text: str
    index: int = 0


@dataclass(frozen=True, slots=True)
class Replace:
    """Forget all text so far, show this instead."""

    text: str
    index: int = 0


@dataclass(frozen=True, slots=True)
class File:
    """A file of the answer; with `ref`, the text refers to it as `![title][ref]`."""

    url: str
    media_type: str
    name: str
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of a native tool call: id and name come with the first piece of an `index`."""

    index: int
    id: str | None
    name: str | None
    arguments: str


@dataclass(frozen=True, slots=True)
class Done:
    """The answer is whole; `reason` is there where a `json` event named one."""

    reason: FinishReason | None = None


@dataclass(frozen=True, slots=True)
class Error:
    """The answer broke off: Poe's `error` event, or what is wrong with the stream itself."""

    error: GatewayError


PoeEvent = Text | Replace | File | ToolCallDelta | Done | Error

# How an event stream begins: a comment or a field that the specification knows.
_STREAM_OPENING = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?::|event:|data:|id:|retry:)")
# A read that brought so many bytes is part of a burst: the next one will find more, and wait for nobody. Others run
# after each stretch of a burst, which takes a few milliseconds, at worst some thirty.
_WIDE = 4096
_LONGEST_BURST = 48 * 1024
_FINISH_REASONS = ("stop", "length", "tool_calls", "content_filter")


def read_events(chunks: Iterable[bytes], *, secret: str = "") -> Iterator[list[PoeEvent]]:
    """Poe's answer, event by event, in batches; the last event is `Done` or `Error`, whatever Poe does.

    An empty chunk (nothing came for a while) gives an empty batch. A stream that ends without `done` or `error`
    was cut off: that is an `Error`, never an end. `secret` is masked in what Poe says of an error.
    """
    reader = _EventReader(secret)
    burst = 0
    try:
        for chunk in chunks:
            batch = reader.feed(chunk)
            if len(chunk) >= _WIDE:
                burst += len(chunk)
                if burst >= _LONGEST_BURST:
                    give_way()
                    burst = 0
            yield batch
            if reader.ended:
                return
    except GatewayError as error:
        yield [Error(error)]
        return
    yield [Error(reader.missing_end())]


class _Form:
    """How Poe writes plain events with one kind of line end."""

    def __init__(self, line_end: bytes) -> None:
        self.line_end = line_end
        self.blank_line = line_end + line_end
        self.text = b"event: text" + line_end + b"data: "
        self.json = b"event: json" + line_end + b"data: "
        self.done = b"event: done" + line_end + b"data: {}"


_CRLF, _LF = _Form(b"\r\n"), _Form(b"\n")
_LONGEST_OPENING = len(_CRLF.text)


class _EventReader:
    """Takes bytes in any cutting and gives the events that they complete."""

    def __init__(self, secret: str) -> None:
        self.ended = False
        self._secret = secret
        self._splitter = EventSplitter()
        self._opening = b""
        self._high_surrogate = ""
        self._call_form: ArgumentsForm | None = None
        self._reason: FinishReason | None = None
        self._batch: list[PoeEvent] = []

    def feed(self, chunk: bytes) -> list[PoeEvent]:
        if (event := self._lone_event(chunk)) is not None:
            return [event]
        self._batch = []
        if chunk:
            if len(self._opening) < 64:
                self._opening += chunk[:64]
            try:
                self._read(chunk)
            except EventTooLarge as error:
                self._fail(f"Poe's answer holds {error}.")
        return self._batch

    def missing_end(self) -> GatewayError:
        """What is wrong with a stream that ended by itself."""
        if not self._opening.strip():
            return GatewayError(ErrorKind.UPSTREAM_EMPTY, "Poe's answer was empty.")
        if not _STREAM_OPENING.match(self._opening):
            return GatewayError(ErrorKind.UPSTREAM_INVALID, "Poe's answer was no event stream.")
        return GatewayError(ErrorKind.UPSTREAM_CUT_OFF, "Poe's answer was cut off before its end.")

    def _lone_event(self, chunk: bytes) -> Text | ToolCallDelta | None:
        """What nearly every read of a live stream brings: one plain piece of text, or of a call, and nothing else."""
        opening = chunk[:_LONGEST_OPENING]
        is_text = opening == _CRLF.text
        if (
            not (is_text or opening == _CRLF.json)
            or chunk.count(b"\n") != 3
            or not chunk.endswith(b"\r\n\r\n")
            or not self._splitter.is_between_events
            or self._high_surrogate
        ):
            return None
        payload = chunk[_LONGEST_OPENING:-4]
        if b"\r" in payload:
            return None
        if is_text:
            text = text_of(payload)
            return None if text is None else Text(text)
        return self._arguments([payload])

    def _read(self, chunk: bytes) -> None:
        block, rest = self._splitter.open(chunk)
        if block:
            self._take_block(block)
        if not rest or self.ended:
            return
        form = _CRLF if _CRLF.line_end in rest else _LF
        *blocks, tail = rest.split(form.blank_line)
        self._take_blocks(blocks, form)
        if tail and not self.ended:
            for block in self._splitter.split(tail):
                self._take_block(block)

    def _take_blocks(self, blocks: list[bytes], form: _Form) -> None:
        """Runs of texts, or of pieces of a call, in plain form go together; the others are looked at one by one."""
        if len([block for block in blocks if block.startswith(form.text)]) == len(blocks):
            self._take_plain(blocks, form)
            return
        for opening, run in groupby(blocks, lambda block: block[: len(form.text)]):
            if self.ended:
                return
            if opening == form.text:
                self._take_plain(list(run), form)
            elif opening == form.json:
                self._take_plain_json(list(run), form)
            else:
                self._take_others(run, form)

    def _take_others(self, blocks: Iterable[bytes], form: _Form) -> None:
        for block in blocks:
            if block == form.done and not self.ended:
                self._end(Done(self._reason))
            if self.ended:
                return
            self._take_unplain(block + form.blank_line)

    def _take_plain_json(self, blocks: list[bytes], form: _Form) -> None:
        payloads = [block[len(form.json) :] for block in blocks]
        place = 0
        while place < len(blocks) and not self.ended:
            alike = 0 if self._call_form is None else self._call_form.run(payloads, place)
            run = payloads[place : place + max(alike, 1)]
            delta = self._arguments(run) if len(run) > 1 else None
            if delta is not None:
                self._append(delta)
            else:
                self._take_each(run, form)
            place += len(run)

    def _take_each(self, payloads: list[bytes], form: _Form) -> None:
        for payload in payloads:
            if (delta := self._arguments([payload])) is not None:
                self._append(delta)
            else:
                self._take_unplain(form.json + payload + form.blank_line)
            if self.ended:
                return

    def _arguments(self, payloads: list[bytes]) -> ToolCallDelta | None:
        """Chunks that are pieces of one call's arguments, as one; None where there is anything else to look at."""
        text = None if self._call_form is None else self._call_form.text(payloads)
        if text is None and len(payloads) == 1 and b"\n" not in payloads[0] and b"\r" not in payloads[0]:
            self._call_form = ArgumentsForm.of(payloads[0]) or self._call_form
            text = None if self._call_form is None else self._call_form.text(payloads)
        return (
            None if text is None or self._call_form is None else ToolCallDelta(self._call_form.index, None, None, text)
        )

    def _take_plain(self, blocks: list[bytes], form: _Form) -> None:
        if not blocks or self.ended:
            return
        text = plain_texts(blocks, len(form.text))
        if text is not None:
            self._append(Text(self._whole_characters(text) if self._high_surrogate else text))
            return
        for block in blocks:
            self._take_unplain(block + form.blank_line)

    def _take_unplain(self, data: bytes) -> None:
        # Its blank line may not be the only one: line ends may be mixed.
        for block in self._splitter.split(data):
            self._take_block(block)

    def _take_block(self, block: bytes) -> None:
        if self.ended:
            return
        try:
            for event in parse_block(block):
                self._take_event(event.event, event.data)
        except UnicodeDecodeError:
            self._fail("Poe's answer is not UTF-8.")

    def _take_event(self, name: str, data: str) -> None:
        match name:
            case "text" | "replace_response":
                self._take_text(name, data)
            case "file":
                self._take_file(data)
            case "json":
                self._take_json(data)
            case "done":
                self._end(Done(self._reason))
            case "error":
                self._end(Error(error_from_event(object_of(data) or {"text": data}, secret=self._secret)))
            case _:
                pass

    def _take_text(self, name: str, data: str) -> None:
        value = object_of(data)
        text = value.get("text") if value is not None else None
        if value is None or not isinstance(text, str):
            self._fail(f"Poe sent a {name} event without a text.")
            return
        index = value.get("index")
        index = index if isinstance(index, int) else 0
        if name == "text":
            self._append(Text(self._whole_characters(text), index))
        else:
            self._append(Replace(without_surrogates(text), index))

    def _whole_characters(self, text: str) -> str:
        """Joins a character whose two surrogates came in two events."""
        if not self._high_surrogate and not SURROGATES.search(text):
            return text
        text, self._high_surrogate = self._high_surrogate + text, ""
        if "\ud800" <= text[-1] <= "\udbff":
            text, self._high_surrogate = text[:-1], text[-1]
        return without_surrogates(text)

    def _take_file(self, data: str) -> None:
        value = object_of(data) or {}
        url = string_of(value.get("url"))
        if not url:
            self._fail("Poe sent a file event without a URL.")
            return
        media_type = string_of(value.get("content_type")) or "application/octet-stream"
        self._append(File(url, media_type, string_of(value.get("name")) or "", string_of(value.get("inline_ref"))))

    def _take_json(self, data: str) -> None:
        """An OpenAI chat chunk (OpenAI API reference, "The chat completion chunk object")."""
        choices = (object_of(data) or {}).get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, dict):
            return
        if choice.get("finish_reason") in _FINISH_REASONS:
            self._reason = cast(FinishReason, choice["finish_reason"])
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            return
        content, calls = delta.get("content"), delta.get("tool_calls")
        if isinstance(content, str) and content:
            self._append(Text(self._whole_characters(content)))
        for position, call in enumerate(calls if isinstance(calls, list) else ()):
            if isinstance(call, dict):
                self._append(_tool_call_delta(call, position))

    def _append(self, event: PoeEvent) -> None:
        last = self._batch[-1] if self._batch else None
        if isinstance(event, Text) and isinstance(last, Text) and event.index == last.index:
            self._batch[-1] = Text(last.text + event.text, event.index)
        elif isinstance(event, ToolCallDelta) and isinstance(last, ToolCallDelta) and _continues(last, event):
            self._batch[-1] = ToolCallDelta(last.index, last.id, last.name, last.arguments + event.arguments)
        else:
            self._batch.append(event)

    def _end(self, event: Done | Error) -> None:
        if self._high_surrogate:
            self._append(Text(without_surrogates(self._high_surrogate)))
        self._batch.append(event)
        self.ended = True

    def _fail(self, message: str) -> None:
        self._end(Error(GatewayError(ErrorKind.UPSTREAM_INVALID, message)))


def _tool_call_delta(call: dict[str, Any], position: int) -> ToolCallDelta:
    function = call.get("function")
    function = function if isinstance(function, dict) else {}
    index, arguments = call.get("index"), function.get("arguments")
    if arguments is not None and not isinstance(arguments, str):
        arguments = json_text(arguments)
    return ToolCallDelta(
        index if isinstance(index, int) else position,
        string_of(call.get("id")) or None,
        string_of(function.get("name")) or None,
        string_of(arguments) or "",
    )


def _continues(last: ToolCallDelta, delta: ToolCallDelta) -> bool:
    """Whether a piece of a call is no more than the next piece of its arguments."""
    return delta.index == last.index and delta.id is None and delta.name is None
