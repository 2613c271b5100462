"""Takes long base64 out of a JSON body while it comes in: parsed as one text it would cost three times its size, and
block everybody for seconds.

In its place stands a word that nobody can guess, and which `base64` itself could hold. What turns out to be no file
(a long `data:` URL in somebody's source code) is put back when the bot's query is written: only what can be put back
as it was is lifted, so base64 in lines is not.
"""

import binascii
import re
import secrets
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field

from poe2openai.core.content import Content, ContentBuilder

LEAST_LIFTED = 16 * 1024
"""Characters: shorter base64 stays where it is."""

# Where base64 begins: in a `data:` URL, and in the fields that hold it bare (`input_audio.data`, `file.file_data`).
_START = re.compile(rb'base64,|"(?:data|file_data)"\s{0,8}:\s{0,8}"')
_LONGEST_START = 48
# Base64 and its padding, with the escapes that JSON writers make of their characters.
_BASE64 = re.compile(rb"((?:[A-Za-z0-9+/]++|\\/|\\u002[fFbB])*+)((?:=|\\u003[dD]){0,2})")
_ESCAPE = re.compile(rb"\\(/|u002[fFbB]|u003[dD])")
_ESCAPES = {b"/": b"/", b"u002f": b"/", b"u002b": b"+", b"u003d": b"="}
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
        data, at = self._tail + piece, 0
        self._tail = b""
        while at < len(data):
            at = self._find_run(data, at) if self._run is None else self._read_run(data, at, self._run)

    def finish(self) -> LiftedBody:
        if self._run is not None:
            self._text += self._run.undone()
        self._text.append(self._tail)
        return LiftedBody(b"".join(self._text), self._files)

    def _find_run(self, data: bytes, at: int) -> int:
        """Text up to where long base64 may begin; where to read on."""
        behind = at
        while start := _START.search(data, behind):
            behind = start.end()
            ends = _match(data, behind).end()
            if ends - behind >= LEAST_LIFTED or _may_go_on(data, ends):
                self._text.append(data[at:behind])
                self._run = _Run()
                return behind
        cut = max(behind, len(data) - _LONGEST_START)
        self._text.append(data[at:cut])
        self._tail = data[cut:]
        return len(data)

    def _read_run(self, data: bytes, at: int, run: "_Run") -> int:
        found = _match(data, at)
        run.add(_plain(found[1]))
        if _may_go_on(data, found.end()):
            # With its padding, which is looked at as a whole.
            self._tail = data[found.end(1) :]
            return len(data)
        self._run = None
        content = run.finish(_plain(found[2]), is_value_end=data[found.end()] == ord('"'))
        if content is None:
            self._text += run.undone()
            return found.end(1)
        word = f"{self._word}{len(self._files)}x"
        self._files[word] = content
        self._text.append(word.encode())
        return found.end() if run.is_padded else found.end(1)


class _Run:
    """Base64 that is being decoded."""

    def __init__(self) -> None:
        self._builder = ContentBuilder()
        self._carry = b""
        self.is_padded = False

    def add(self, plain: bytes) -> None:
        plain = self._carry + plain
        whole = len(plain) - len(plain) % 4
        self._builder.add(binascii.a2b_base64(plain[:whole], strict_mode=True))
        self._carry = plain[whole:]

    def finish(self, padding: bytes, *, is_value_end: bool) -> Content | None:
        """None where it is too short, or would not be put back as it was. Padding may be missing at a value's end."""
        if self._builder.size * 4 // 3 + len(self._carry) < LEAST_LIFTED:
            return None
        if self._carry:
            padded = self._carry + b"=" * (-len(self._carry) % 4)
            if self._carry + padding != padded and (padding or not is_value_end):
                return None
            try:
                last = binascii.a2b_base64(padded, strict_mode=True)
            except binascii.Error:
                return None
            if b64encode(last) != padded:
                return None
            self._builder.add(last)
            self.is_padded = True
        return self._builder.finish()

    def undone(self) -> list[bytes]:
        """What was read, but for its padding."""
        return [*self._builder.finish().base64(), self._carry]


def _match(data: bytes, at: int) -> re.Match[bytes]:
    found = _BASE64.match(data, at)
    assert found is not None  # noqa: S101 (it matches nothing at all, too)
    return found


def _may_go_on(data: bytes, at: int) -> bool:
    """Whether the next piece may continue what ends here: all was base64, or an escape is cut."""
    return at == len(data) or (data[at] == ord("\\") and len(data) - at < _LONGEST_ESCAPE)


def _plain(base64: bytes) -> bytes:
    return _ESCAPE.sub(lambda found: _ESCAPES[found[1].lower()], base64) if b"\\" in base64 else base64
