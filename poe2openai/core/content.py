"""The bytes of one file, in the pieces in which they came: joining them would double what a large one costs."""

import hashlib
import mimetypes
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from poe2openai.core.turns import Turns

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


def put_back(text: bytes, lifted: Mapping[str, Content]) -> bytes:
    """A text with the base64 that was taken out of it (`dialects.lifting`): words that differ in their number alone."""
    if not lifted:
        return text
    beginning = next(iter(lifted))[:-1].rstrip("0123456789").encode()
    if beginning not in text:
        return text
    pieces: list[bytes] = []
    at = 0
    turns = Turns()
    for found in re.finditer(re.escape(beginning) + rb"\d+x", text):
        content = lifted.get(found[0].decode())
        if content is None:
            continue
        pieces.append(text[at : found.start()])
        for piece in content.base64():
            pieces.append(piece)
            turns.give_way()
        at = found.end()
    pieces.append(text[at:])
    return b"".join(pieces)


def type_by_name(name: str) -> str | None:
    """The media type that a file's ending tells; of a name nothing else is looked at."""
    ending = name.rpartition(".")[2]
    return mimetypes.guess_type(f"file.{ending}")[0] if ending.isalnum() and ending != name else None
