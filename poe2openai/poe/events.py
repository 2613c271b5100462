"""The bytes of Poe's answer become `PoeEvent`s, in batches (Poe's protocol specification, "Response").

A batch holds all events of one read, adjacent texts joined, so that cost goes with reads and not with events.
"""

import json  # noqa: TID251 - it alone reads the lone surrogates that bots in JavaScript send
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import orjson

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.events import FinishReason
from poe2openai.core.turns import give_way
from poe2openai.poe.errors import error_from_event
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
_SURROGATES = re.compile("[\ud800-\udfff]")
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
        self.done = b"event: done" + line_end + b"data: {}"


_CRLF, _LF = _Form(b"\r\n"), _Form(b"\n")
_LONE_BEGINNING = _CRLF.text


class _EventReader:
    """Takes bytes in any cutting and gives the events that they complete."""

    def __init__(self, secret: str) -> None:
        self.ended = False
        self._secret = secret
        self._splitter = EventSplitter()
        self._opening = b""
        self._high_surrogate = ""
        self._reason: FinishReason | None = None
        self._batch: list[PoeEvent] = []

    def feed(self, chunk: bytes) -> list[PoeEvent]:
        if (text := self._lone_text(chunk)) is not None:
            return [Text(text)]
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

    def _lone_text(self, chunk: bytes) -> str | None:
        """What nearly every read of a live stream brings: one plain text event and nothing else."""
        if (
            not chunk.startswith(_LONE_BEGINNING)
            or chunk.count(b"\n") != 3
            or not chunk.endswith(b"\r\n\r\n")
            or not self._splitter.is_between_events
            or self._high_surrogate
        ):
            return None
        payload = chunk[len(_LONE_BEGINNING) : -4]
        return None if b"\r" in payload else _text_of(payload)

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
        """Texts in Poe's plain form go together; whatever is not plain is looked at one by one."""
        plain = [block for block in blocks if block.startswith(form.text)]
        if len(plain) == len(blocks):
            self._take_plain(plain, form)
            return
        plain = []
        for block in blocks:
            if block.startswith(form.text):
                plain.append(block)
                continue
            self._take_plain(plain, form)
            plain = []
            if self.ended:
                return
            if block == form.done:
                self._end(Done(self._reason))
                return
            self._take_unplain(block + form.blank_line)
        self._take_plain(plain, form)

    def _take_plain(self, blocks: list[bytes], form: _Form) -> None:
        if not blocks or self.ended:
            return
        text = _plain_texts(blocks, len(form.text))
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
                self._end(Error(error_from_event(_object(data) or {"text": data}, secret=self._secret)))
            case _:
                pass

    def _take_text(self, name: str, data: str) -> None:
        value = _object(data)
        text = value.get("text") if value is not None else None
        if value is None or not isinstance(text, str):
            self._fail(f"Poe sent a {name} event without a text.")
            return
        index = value.get("index")
        index = index if isinstance(index, int) else 0
        if name == "text":
            self._append(Text(self._whole_characters(text), index))
        else:
            self._append(Replace(_without_surrogates(text), index))

    def _whole_characters(self, text: str) -> str:
        """Joins a character whose two surrogates came in two events."""
        if not self._high_surrogate and not _SURROGATES.search(text):
            return text
        text, self._high_surrogate = self._high_surrogate + text, ""
        if "\ud800" <= text[-1] <= "\udbff":
            text, self._high_surrogate = text[:-1], text[-1]
        return _without_surrogates(text)

    def _take_file(self, data: str) -> None:
        value = _object(data) or {}
        url = _string(value.get("url"))
        if not url:
            self._fail("Poe sent a file event without a URL.")
            return
        media_type = _string(value.get("content_type")) or "application/octet-stream"
        self._append(File(url, media_type, _string(value.get("name")) or "", _string(value.get("inline_ref"))))

    def _take_json(self, data: str) -> None:
        """An OpenAI chat chunk (OpenAI API reference, "The chat completion chunk object")."""
        choices = (_object(data) or {}).get("choices")
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
        else:
            self._batch.append(event)

    def _end(self, event: Done | Error) -> None:
        if self._high_surrogate:
            self._append(Text(_without_surrogates(self._high_surrogate)))
        self._batch.append(event)
        self.ended = True

    def _fail(self, message: str) -> None:
        self._end(Error(GatewayError(ErrorKind.UPSTREAM_INVALID, message)))


def _plain_texts(blocks: list[bytes], start: int) -> str | None:
    """The joined text of blocks that are `event: text` and one line of `data: {"text": …}` each, else None."""
    payloads = [block[start:] for block in blocks]
    joined = b"".join(payloads)
    if b"\n" in joined or b"\r" in joined:
        return None
    try:
        values = [orjson.loads(payload) for payload in payloads]
        texts = [value["text"] for value in values if len(value) == 1]
        if len(texts) == len(blocks):
            return "".join(texts)
    except (ValueError, KeyError, TypeError):
        return None
    texts = [text for payload in payloads if (text := _text_of(payload)) is not None]
    return "".join(texts) if len(texts) == len(blocks) else None


def _text_of(payload: bytes) -> str | None:
    """The text of `{"text": …}`; None where there is anything else to look at."""
    try:
        value = orjson.loads(payload)
    except ValueError:
        return None
    if type(value) is not dict or (len(value) != 1 and value != {"text": value.get("text"), "index": 0}):
        return None
    text = value.get("text")
    return text if type(text) is str else None


def _object(data: str) -> dict[str, Any] | None:
    try:
        value = orjson.loads(data)
    except ValueError:
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, dict) else None


def _without_surrogates(text: str) -> str:
    """Pairs become the character they stand for, single ones U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _string(value: object) -> str | None:
    """A string of Poe's that can be written out again; None for anything else."""
    if not isinstance(value, str):
        return None
    return _without_surrogates(value) if _SURROGATES.search(value) else value


def _json_text(value: object) -> str:
    """Arguments that a bot sent as an object and not as text."""
    try:
        return json.dumps(value)
    except RecursionError:
        return ""


def _tool_call_delta(call: dict[str, Any], position: int) -> ToolCallDelta:
    function = call.get("function")
    function = function if isinstance(function, dict) else {}
    index, arguments = call.get("index"), function.get("arguments")
    if arguments is not None and not isinstance(arguments, str):
        arguments = _json_text(arguments)
    return ToolCallDelta(
        index if isinstance(index, int) else position,
        _string(call.get("id")) or None,
        _string(function.get("name")) or None,
        _string(arguments) or "",
    )
