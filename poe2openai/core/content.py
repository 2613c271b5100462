"""The bytes of one file, in the pieces in which they came: joining them would double what a large one costs."""

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass

PIECE = 256 * 1024
"""Bytes that are worked on at a time, so that nobody waits long for his turn."""

# Divides by three: of such pieces each has a base64 of its own.
_BASE64_PIECE = 3 * 64 * 1024


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Content:
    """`sha256` is of all bytes, in hexadecimal."""

    pieces: tuple[bytes, ...]
    size: int
    sha256: str

    def head(self, length: int) -> bytes:
        """The first bytes, as many as there are."""
        head = b""
        for piece in self.pieces:
            head += piece[: length - len(head)]
            if len(head) >= length:
                break
        return head

    def base64(self) -> Iterator[bytes]:
        """The whole in base64, piece by piece."""
        rest = b""
        for piece in self.pieces:
            data = rest + piece
            whole = len(data) - len(data) % 3
            for start in range(0, whole, _BASE64_PIECE):
                yield b64encode(data[start : min(start + _BASE64_PIECE, whole)])
            rest = data[whole:]
        if rest:
            yield b64encode(rest)


class ContentBuilder:
    """Takes the bytes as they come."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._hash = hashlib.sha256()
        self.size = 0

    def add(self, piece: bytes) -> None:
        if piece:
            self._pieces.append(piece)
            self._hash.update(piece)
            self.size += len(piece)

    def finish(self) -> Content:
        return Content(tuple(self._pieces), self.size, self._hash.hexdigest())


def content_of(data: bytes) -> Content:
    builder = ContentBuilder()
    for start in range(0, len(data), PIECE):
        builder.add(data[start : start + PIECE])
    return builder.finish()
