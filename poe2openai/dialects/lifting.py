"""Takes long base64 out of a JSON body while it comes in: parsed as one text it would cost three times its size, and
block everybody for seconds.

In its place stands a word that nobody can guess, and which `base64` itself could hold. What turns out to be no file
(a long `data:` URL in somebody's source code) is put back when the bot's query is written.
"""

import binascii
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from poe2openai.core.content import Content, ContentBuilder

LEAST_LIFTED = 16 * 1024
"""Characters: shorter base64 stays where it is."""

# Where base64 begins: in a `data:` URL, and in the fields that hold it bare (`input_audio.data`, `file.file_data`).
_START = re.compile(rb'base64,|"(?:data|file_data)"\s{0,8}:\s{0,8}"')
_LONGEST_START = 48
_BASE64 = re.compile(rb"[A-Za-z0-9+/]*={0,2}")
_ESCAPES = {b"/": b"/", b"u002f": b"/", b"u002b": b"+", b"u003d": b"="} | dict.fromkeys(
    (b"n", b"r", b"u000a", b"u000d"),
    b"",  # line breaks, as MIME has them
)
_ESCAPE = re.compile(rb"\\(/|n|r|u00(?:2[fFbB]|3[dD]|0[aAdD]))")
_LONGEST_ESCAPE = 6


@dataclass(frozen=True, slots=True)
class LiftedBody:
    """A body's text, and what was taken out of it, by the words that stand in its place."""

    text: bytes
    files: Mapping[str, Content] = field(default_factory=dict)


class Lifter:
    """Reads one body piece by piece; pieces are at most some hundred kilobytes, as each is worked on at once."""

    def __init__(self) -> None:
        self._word = f"lifted{secrets.token_hex(16)}x"
        self._files: dict[str, Content] = {}
        self._text: list[bytes] = []
        self._tail = b""
        self._run: _Run | None = None

    def feed(self, piece: bytes) -> None:
        data = self._tail + piece
        self._tail = b""
        while data:
            data = self._find_run(data) if self._run is None else self._read_run(data, self._run)

    def finish(self) -> LiftedBody:
        if self._run is not None:
            self._text += self._run.undone()
        self._text.append(self._tail)
        return LiftedBody(b"".join(self._text), self._files)

    def _find_run(self, data: bytes) -> bytes:
        """Text up to where base64 begins; what is left to read."""
        start = _START.search(data)
        if start is not None:
            self._text.append(data[: start.end()])
            self._run = _Run()
            return data[start.end() :]
        cut = max(0, len(data) - _LONGEST_START)
        self._text.append(data[:cut])
        self._tail = data[cut:]
        return b""

    def _read_run(self, data: bytes, run: "_Run") -> bytes:
        end = data.find(b'"')
        part = data if end < 0 else data[:end]
        rest = b"" if end < 0 else data[end:]
        if end < 0 and (escape := part.rfind(b"\\", -_LONGEST_ESCAPE)) >= 0:
            part, self._tail = part[:escape], part[escape:]
        left = run.feed(part)
        if not left and end < 0:
            return b""
        self._run = None
        self._text += self._lifted(run)
        # A tail is behind what ended the run.
        tail, self._tail = self._tail, b""
        return left + tail + rest

    def _lifted(self, run: "_Run") -> list[bytes]:
        content = run.finish()
        if content is None:
            return run.undone()
        word = f"{self._word}{len(self._files)}x"
        self._files[word] = content
        return [word.encode()]


class _Run:
    """Base64 that is being decoded; as long as it is short it is kept as it came."""

    def __init__(self) -> None:
        self._builder = ContentBuilder()
        self._raw: list[bytes] = []
        self._carry = b""
        self._length = 0
        self._ended = False  # by its padding

    def feed(self, data: bytes) -> bytes:
        """What follows the base64; nothing where it may go on."""
        if self._ended:
            return data
        plain = _ESCAPE.sub(lambda found: _ESCAPES[found[1].lower()], data) if b"\\" in data else data
        plain, behind = self._carry + plain, b""
        decoded, used = _decoded(plain)
        if decoded is None:
            # Rare: the base64 ends in the middle, or is none.
            plain, behind = _split(plain)
            decoded, used = _decoded(plain)
        if decoded is None:
            decoded, used, plain, behind = b"", 0, b"", plain + behind
        if self._length < LEAST_LIFTED:
            self._raw.append(plain[:used])
        self._length += used
        self._builder.add(decoded)
        self._carry = plain[used:]
        if self._carry and plain[used - 1 : used] == b"=":
            behind, self._carry = self._carry + behind, b""
        if not behind and used and plain[used - 1 : used] == b"=":
            self._ended = True
        return behind

    def finish(self) -> Content | None:
        """None where it is too short, or breaks off in the middle of a byte."""
        if self._carry:
            padded = self._carry + b"=" * (-len(self._carry) % 4)
            try:
                self._builder.add(binascii.a2b_base64(padded, strict_mode=True))
            except binascii.Error:
                return None
            if self._length < LEAST_LIFTED:
                self._raw.append(self._carry)
            self._length += len(self._carry)
            self._carry = b""
        return self._builder.finish() if self._length >= LEAST_LIFTED else None

    def undone(self) -> list[bytes]:
        """The text as it came."""
        if self._length < LEAST_LIFTED:
            return [*self._raw, self._carry]
        return [*self._builder.finish().base64(), self._carry]


def _split(plain: bytes) -> tuple[bytes, bytes]:
    """The base64 that a text begins with, and the rest."""
    found = _BASE64.match(plain)
    end = 0 if found is None else found.end()
    return plain[:end], plain[end:]


def _decoded(plain: bytes) -> tuple[bytes | None, int]:
    """What whole groups of four stand for, and how many characters they are; None where not all of it is base64."""
    used = len(plain) - len(plain) % 4
    if _BASE64.fullmatch(plain, used) is None:
        return None, 0
    try:
        return binascii.a2b_base64(plain[:used], strict_mode=True), used
    except binascii.Error:
        return None, 0
