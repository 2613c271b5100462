"""Bytes in any cutting become whole server-sent events (WHATWG HTML, "Server-sent events", parsing an event stream).

sseclient-py reads the lines of an event; where one event ends and the next begins is found here, because the library
copies an event anew for each piece that arrives, and knows neither mixed line ends nor a byte order mark.
"""

import re
from collections.abc import Iterator

import sseclient

# An answer has at most 512,000 characters; written as \uXXXX pairs that is 6 MB.
MAX_EVENT_BYTES = 8 * 1024 * 1024

MAX_EVENT_LINES = 10_000
# sseclient-py copies the data of an event anew for each of its lines: this bounds the bytes it copies, to 2 GiB.
_MAX_LINES_TIMES_BYTES = 2**32

# What ends an event, and the blank lines behind it, which mean nothing.
_BLANK_LINE = re.compile(rb"((?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r))[\r\n]*+")
_LINE_ENDS = b"\r\n"
_COMMENTS = re.compile(rb"(?::[^\r\n]*+|[\r\n]++)*+")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class EventTooLarge(ValueError):
    """One event is larger than `MAX_EVENT_BYTES`, or has too many lines."""


class EventSplitter:
    """Cuts bytes into blocks, one event each, in time linear to the bytes however they were cut before."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._at_start = True

    @property
    def is_between_events(self) -> bool:
        """Whether the next byte begins an event."""
        return not (self._pending or self._at_start)

    def open(self, data: bytes) -> tuple[bytes, bytes]:
        """Completes the pending event, if there is one: (its block or nothing, what follows it).

        Line ends in front of an event are swallowed: blank lines, or the second half of a CRLF.
        """
        if self._at_start:
            data = self._without_byte_order_mark(data)
        if not self._pending or not data:
            return b"", data.lstrip(_LINE_ENDS)
        tail = bytes(self._pending[-3:])
        found = _BLANK_LINE.search(tail + data)
        if found is None:
            self.keep(data)
            return b"", b""
        end = found.end(1) - len(tail)
        block = bytes(self._pending) + data[:end]
        self._pending.clear()
        return block, data[end:].lstrip(_LINE_ENDS)

    def split(self, data: bytes) -> list[bytes]:
        """The whole events of `data`; the beginning of one that has not ended is kept."""
        data = data.lstrip(_LINE_ENDS)
        blocks = []
        start = 0
        for found in _BLANK_LINE.finditer(data):
            blocks.append(data[start : found.end(1)])
            start = found.end()
        self.keep(data[start:])
        return blocks

    def keep(self, data: bytes) -> None:
        self._pending += data
        if len(self._pending) > MAX_EVENT_BYTES:
            raise EventTooLarge(f"an event of more than {MAX_EVENT_BYTES} bytes")

    def _without_byte_order_mark(self, data: bytes) -> bytes:
        data = bytes(self._pending) + data
        self._pending.clear()
        if len(data) < len(_BYTE_ORDER_MARK) and _BYTE_ORDER_MARK.startswith(data):
            self._pending += data
            return b""
        self._at_start = False
        return data.removeprefix(_BYTE_ORDER_MARK)


class _Blocks(sseclient.SSEClient):
    """The library, reading events that are cut already."""

    def __init__(self, blocks: list[bytes]) -> None:
        super().__init__(iter(blocks))
        self._blocks = blocks

    def _read(self) -> Iterator[bytes]:
        yield from self._blocks


def parse_block(block: bytes) -> Iterator[sseclient.Event]:
    """The event that a block holds, if any: comments alone make none. Raises UnicodeDecodeError, EventTooLarge."""
    if _COMMENTS.fullmatch(block):
        block.decode()
        return iter(())
    lines = block.count(b"\n") + block.count(b"\r") - block.count(b"\r\n")
    if lines > MAX_EVENT_LINES:
        raise EventTooLarge(f"an event of more than {MAX_EVENT_LINES} lines")
    if lines * len(block) > _MAX_LINES_TIMES_BYTES:
        raise EventTooLarge(f"an event of {len(block)} bytes in {lines} lines")
    return _Blocks([block]).events()
