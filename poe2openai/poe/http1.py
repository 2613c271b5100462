"""HTTP/1.1 as bytes (RFC 9112): a request's head is written, a response's head and the framing of its body are read.

Pure, and strict where leniency could make two programs see different bodies. A decoder never holds payload back: what
a read brought is handed out, and bad framing behind it is told by `failure`, not raised over the good bytes.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from poe2openai.core.errors import ErrorKind, GatewayError

MAX_HEAD = 64 * 1024
MAX_CHUNK_LINE = 4 * 1024
MAX_TRAILERS = 16 * 1024

_HEAD_END = re.compile(rb"\r?\n\r?\n")
_HEAD_BEGIN = b"HTTP/1."
_STATUS_LINE = re.compile(r"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: (.*))?", re.DOTALL)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FOLD = re.compile(r"\r?\n[ \t]+")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_TARGET = re.compile(r"[\x21-\x7e]+")
# A chunk's line together with the end of the chunk before it: one match a chunk finds both.
MAX_KNOWN_LINE = 14
MAX_KNOWN_SIZES = 4096
_known_sizes: dict[bytes, int] = {}
_PLAIN_CHUNK_LINE = re.compile(rb"[0-9a-fA-F]{1,8}\r\n")
_CHUNK_LINE = re.compile(rb"\r\n([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\r\n]*)?\r\n")
_CHUNK_LINE_BEGUN = re.compile(rb"(?:\r(?:\n(?:[0-9A-Fa-f]{1,16}(?:[ \t]*(?:;[^\r\n]*)?\r?)?)?)?)?")


def request_head(method: str, target: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """The head as it goes out; `ValueError`, without the value, for what would break out of its line."""
    if not _TOKEN.fullmatch(method) or not _TARGET.fullmatch(target):
        raise ValueError("the request line cannot be sent as it is")
    lines = [f"{method} {target} HTTP/1.1\r\n"]
    for name, value in headers:
        if not _TOKEN.fullmatch(name) or _UNPRINTABLE.search(value):
            raise ValueError("a header cannot be sent as it is")
        lines.append(f"{name}: {value}\r\n")
    lines.append("\r\n")
    try:
        return "".join(lines).encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError("a header cannot be sent as it is") from None


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """`keep_alive` says that both sides may go on after the body, as far as the head can tell."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    keep_alive: bool

    def values(self, name: str) -> list[str]:
        """Each comma-separated element of every header of that (lower-case) name, in order."""
        found = (value for field, value in self.headers if field.lower() == name)
        return [element.strip() for value in found for element in value.split(",")]


class HeadReader:
    """Reads up to the end of a response's head, over interim (1xx) ones; `rest` is what came beyond it."""

    __slots__ = ("_buffer", "_searched", "_skipped", "rest")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0
        self._skipped = 0
        self.rest = b""

    @property
    def is_empty(self) -> bool:
        """Not a byte of an answer has come."""
        return not self._buffer and not self._skipped

    def feed(self, data: bytes) -> ResponseHead | None:
        self._buffer += data
        while True:
            found = _HEAD_END.search(self._buffer, self._searched)
            if found is None:
                self._check_begun()
                self._searched = max(0, len(self._buffer) - 3)
                return None
            if self._skipped + found.start() > MAX_HEAD:
                raise _invalid_head("its head is too large")
            head = parse_head(bytes(self._buffer[: found.start()]))
            self._skipped += found.end()
            del self._buffer[: found.end()]
            self._searched = 0
            if head.status >= 200:
                self.rest = bytes(self._buffer)
                return head
            if head.status == 101:
                raise _invalid_head("it changed the protocol unasked")

    def _check_begun(self) -> None:
        if self._skipped + len(self._buffer) > MAX_HEAD + 3:
            raise _invalid_head("its head is too large")
        if not self._buffer.startswith(_HEAD_BEGIN[: len(self._buffer)]):
            raise _invalid_head("its answer is not HTTP/1")


def parse_head(data: bytes) -> ResponseHead:
    """Parses status line and headers; folded lines are joined (RFC 9112, section 5.2)."""
    status_line, *lines = _FOLD.sub(" ", data.decode("latin-1")).split("\n")
    status = _STATUS_LINE.fullmatch(status_line.removesuffix("\r"))
    if status is None:
        raise _invalid_head("its answer is not HTTP/1")
    headers: list[tuple[str, str]] = []
    for line in lines:
        name, colon, value = line.removesuffix("\r").partition(":")
        value = value.strip(" \t")
        if not colon or not _TOKEN.fullmatch(name) or _UNPRINTABLE.search(value):
            raise _invalid_head("a header is malformed")
        headers.append((name, value))
    version, code, reason = status.groups()
    head = ResponseHead(int(code), (reason or "").strip(), headers, keep_alive=True)
    options = {option.lower() for option in head.values("connection")}
    if "close" in options or (version == "0" and "keep-alive" not in options):
        return ResponseHead(head.status, head.reason, headers, keep_alive=False)
    return head


class BodyDecoder(Protocol):
    """Takes the framing off: bytes of the connection in, bytes of the body out.

    `done`: the body is whole. `reusable`: it ended where the connection can serve another request. `failure`: the
    framing broke behind the bytes that were handed out.
    """

    done: bool
    reusable: bool
    failure: GatewayError | None

    def feed(self, data: bytes) -> bytes: ...

    def end(self) -> None:
        """The connection has ended: sets `done` or `failure`."""
        ...


def body_decoder(head: ResponseHead) -> BodyDecoder:
    """The framing that the head announces (RFC 9112, section 6.3)."""
    encodings = [encoding.lower() for encoding in head.values("transfer-encoding")]
    lengths = set(head.values("content-length"))
    if head.status in (204, 304):
        return LengthDecoder(0, reusable=head.keep_alive)
    if encodings:
        if encodings != ["chunked"]:
            raise _invalid_head("its transfer encoding is unknown")
        # A length beside it is how requests are smuggled: such a connection serves no other.
        return ChunkedDecoder(reusable=head.keep_alive and not lengths)
    if lengths:
        length = lengths.pop()
        if lengths or not length.isascii() or not length.isdecimal() or len(length) > 18:
            raise _invalid_head("its content length is malformed")
        return LengthDecoder(int(length), reusable=head.keep_alive)
    return CloseDecoder()


class ChunkedDecoder:
    """Chunks, with extensions and trailers read over."""

    __slots__ = ("_left", "_rest", "_trailing", "done", "failure", "reusable")

    def __init__(self, *, reusable: bool = True) -> None:
        self.done = False
        self.reusable = reusable
        self.failure: GatewayError | None = None
        self._left = 0  # payload of the open chunk that has not come yet
        self._rest = b"\r\n"  # what is read again with the next bytes: the first chunk follows an invisible one
        self._trailing = False

    def feed(self, data: bytes) -> bytes:
        """All payload that `data` brings, as one piece."""
        if self._rest == b"\r\n" and (payload := _one_chunk(data)):
            return payload
        position = self._left
        length = len(data)
        if position >= length:
            self._left = position - length
            return data
        pieces = []
        if position:
            pieces.append(data[:position])
            self._left = 0
        elif self._rest:
            data = self._rest + data
            length = len(data)
            self._rest = b""
        while not self._trailing:
            # Sizes that were read before need no parsing: a bot's pieces are much alike.
            start = data.find(b"\r\n", position + 2, position + 12) + 2
            size = _known_sizes.get(data[position:start])
            if size is None:
                start, size = _parse_chunk_line(data, position)
                if start < 0:
                    self._keep_begun_line(data, position)
                    break
            position = start + size
            if not size:
                self._trailing = True
            elif position > length:
                self._left = position - length
                pieces.append(data[start:])
                break
            else:
                pieces.append(data[start:position])
        if self._trailing:
            self._read_trailers(data, position)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def end(self) -> None:
        self.failure = self.failure or _cut_off("Poe's answer was cut off.")

    def _keep_begun_line(self, data: bytes, position: int) -> None:
        rest = data[position:]
        if rest != b"\r\n" and (len(rest) > MAX_CHUNK_LINE or not _CHUNK_LINE_BEGUN.fullmatch(rest)):
            self.failure = _cut_off("Poe's answer broke off: its chunks are malformed.")
        self._rest = rest

    def _read_trailers(self, data: bytes, position: int) -> None:
        if data.startswith(b"\r\n", position):
            end = position + 2
        else:
            found = data.find(b"\r\n\r\n", position)
            size = (len(data) - 3 if found < 0 else found) - position
            if size > MAX_TRAILERS:
                self.failure = _cut_off("Poe's answer broke off: its trailers are too large.")
            if found < 0 or self.failure:
                self._rest = data[position:]
                return
            end = found + 4
        self.done = True
        self.reusable = self.reusable and end == len(data)


def _parse_chunk_line(data: bytes, position: int) -> tuple[int, int]:
    """Where the chunk's payload begins whose line, with the line end before it, stands here, and its size.

    A negative place: there is no such line.
    """
    line = _CHUNK_LINE.match(data, position)
    if line is None or line.end() - position > MAX_CHUNK_LINE:
        return -1, 0
    size = int(line[1], 16)
    if len(line[0]) < MAX_KNOWN_LINE and len(_known_sizes) < MAX_KNOWN_SIZES:
        _known_sizes[line[0]] = size
    return line.end(), size


def _one_chunk(data: bytes) -> bytes | None:
    """The payload of data that is one whole chunk behind another, as nearly every read of a live stream is."""
    line = _PLAIN_CHUNK_LINE.match(data)
    if line is None:
        return None
    start = line.end()
    end = start + int(data[: start - 2], 16)
    return data[start:end] if end + 2 == len(data) and data.endswith(b"\r\n") else None


class LengthDecoder:
    """A body whose length the head gave."""

    __slots__ = ("_left", "done", "failure", "reusable")

    def __init__(self, length: int, *, reusable: bool) -> None:
        self._left = length
        self.done = not length
        self.reusable = reusable
        self.failure: GatewayError | None = None

    def feed(self, data: bytes) -> bytes:
        left = self._left - len(data)
        if left > 0:
            self._left = left
            return data
        body = data[: self._left]
        self._left = 0
        self.done = True
        if left:
            self.reusable = False
        return body

    def end(self) -> None:
        self.failure = _cut_off("Poe's answer was cut off.")


class CloseDecoder:
    """A body that ends with the connection: whether it is whole, only what it holds can tell."""

    __slots__ = ("done", "failure", "reusable")

    def __init__(self) -> None:
        self.done = False
        self.reusable = False
        self.failure: GatewayError | None = None

    def feed(self, data: bytes) -> bytes:
        return data

    def end(self) -> None:
        self.done = True


def _invalid_head(what: str) -> GatewayError:
    return GatewayError(ErrorKind.UPSTREAM_INVALID, f"Poe's server cannot be understood: {what}.")


def _cut_off(message: str) -> GatewayError:
    return GatewayError(ErrorKind.UPSTREAM_CUT_OFF, message)
