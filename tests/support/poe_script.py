"""What a scripted Poe says and does, step by step: bytes are one write (and one HTTP chunk), the rest has a name.

poe.script("bot", text("Hel"), pause(0.1), text("lo"), done())
poe.script("bot", pause(1), head(), text("late headers"), done())
poe.script("bot", json_reply(429, {"error": {...}}, {"Retry-After": "1"}))
poe.script("bot", text("half"), cut())
"""

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Framing = Literal["chunked", "close", "length"]


@dataclass(frozen=True, slots=True)
class Head:
    """The response's head; a script without one gets a 200 event stream in chunks before its first step."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "text/event-stream; charset=utf-8"})
    framing: Framing = "chunked"
    length: int = 0


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes past all framing: broken chunks, broken heads."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Pause:
    seconds: float


@dataclass(frozen=True, slots=True)
class Until:
    """Waits for the test; `seconds` bounds a test that forgot to set its event."""

    event: threading.Event
    seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Hold:
    """Says nothing until the client leaves."""

    seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Cut:
    """Closes the connection without the terminating chunk; with `reset`, by RST."""

    reset: bool = False


Step = bytes | Head | Raw | Pause | Until | Hold | Cut


def head(status: int = 200, headers: Mapping[str, str] | None = None, framing: Framing = "chunked") -> Head:
    return Head(status, headers, framing) if headers is not None else Head(status, framing=framing)


def raw(data: bytes) -> Raw:
    return Raw(data)


def pause(seconds: float) -> Pause:
    return Pause(seconds)


def until(event: threading.Event, seconds: float = 30.0) -> Until:
    return Until(event, seconds)


def hold(seconds: float = 60.0) -> Hold:
    return Hold(seconds)


def cut() -> Cut:
    return Cut()


def reset() -> Cut:
    return Cut(reset=True)


def reply(status: int, body: bytes, content_type: str, headers: Mapping[str, str] | None = None) -> list[Step]:
    """A whole answer that is no event stream."""
    return [Head(status, {"Content-Type": content_type, **(headers or {})}, "length", len(body)), body]


def json_reply(status: int, value: Any, headers: Mapping[str, str] | None = None) -> list[Step]:
    return reply(status, json.dumps(value).encode(), "application/json", headers)


def error_reply(status: int, message: str, headers: Mapping[str, str] | None = None, **fields: Any) -> list[Step]:
    """An error in the shape that Poe gives HTTP errors."""
    error = {"code": status, "type": "invalid_request_error", "message": message, **fields}
    return json_reply(status, {"error": error}, headers)


def html_reply(
    status: int = 200, body: bytes = b"<!doctype html><html><body>Just a moment</body></html>"
) -> list[Step]:
    return reply(status, body, "text/html")


def slices(data: bytes, size: int) -> list[Step]:
    """The same bytes, written `size` at a time, whatever that cuts."""
    return [data[at : at + size] for at in range(0, len(data), size)]


def joined(steps: Sequence[Step]) -> bytes:
    """All bytes of a script as one write."""
    return b"".join(step for step in steps if isinstance(step, bytes))


def event(name: str | None, data: str, *, eol: str = "\r\n") -> bytes:
    lines = [] if name is None else [f"event: {name}"]
    lines += [f"data: {line}" for line in data.split("\n")]
    return (eol.join(lines) + eol + eol).encode()


def _event(name: str, eol: str, ascii_only: bool, data: Mapping[str, Any]) -> bytes:
    present = {key: value for key, value in data.items() if value is not None}
    return event(name, json.dumps(present, ensure_ascii=ascii_only), eol=eol)


def text(said: str, *, index: int | None = None, eol: str = "\r\n", ascii_only: bool = True) -> bytes:
    return _event("text", eol, ascii_only, {"text": said, "index": index})


def replace(said: str, *, index: int | None = None, eol: str = "\r\n", ascii_only: bool = True) -> bytes:
    return _event("replace_response", eol, ascii_only, {"text": said, "index": index})


def file(
    url: str, media_type: str = "image/png", name: str = "picture.png", ref: str | None = None, *, eol: str = "\r\n"
) -> bytes:
    return _event("file", eol, True, {"url": url, "content_type": media_type, "name": name, "inline_ref": ref})


def error(
    said: str | None, error_type: str | None = None, *, allow_retry: bool | None = None, eol: str = "\r\n"
) -> bytes:
    return _event("error", eol, True, {"text": said, "error_type": error_type, "allow_retry": allow_retry})


def suggested_reply(said: str, *, eol: str = "\r\n") -> bytes:
    return _event("suggested_reply", eol, True, {"text": said})


def meta(*, eol: str = "\r\n", **data: Any) -> bytes:
    return _event("meta", eol, True, {"content_type": "text/markdown", "suggested_replies": False, **data})


def json_event(delta: Mapping[str, Any], finish_reason: str | None = None, *, eol: str = "\r\n") -> bytes:
    """A `json` event: one OpenAI chat chunk, which is how Poe speaks of native tool calls."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return event("json", json.dumps({"choices": [choice]}), eol=eol)


def tool_call(
    index: int, arguments: str, *, id: str | None = None, name: str | None = None, eol: str = "\r\n"
) -> bytes:
    """One piece of a native tool call; the first piece of an index has `id` and `name`."""
    call: dict[str, Any] = {"index": index, "function": {"arguments": arguments}}
    if id is not None:
        call |= {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
    return json_event({"tool_calls": [call]}, eol=eol)


def ping(*, eol: str = "\r\n") -> bytes:
    """A comment, as servers send it to keep a connection open."""
    return f": ping{eol}{eol}".encode()


def done(*, eol: str = "\r\n") -> bytes:
    return event("done", "{}", eol=eol)
