"""JSON text that comes in pieces and goes on at once, as far as it is certainly JSON (RFC 8259).

What bots commonly get wrong is put right on the way: raw control characters and unknown escapes in strings, commas
too many, Python's words. What is wrong otherwise is held from there on and repaired at the end.
"""

import re
from typing import Literal

from poe2openai.pipeline import json_repairs

Root = Literal["object", "container", "any"]

# What may come next: the marks that may stand here, `w` for a number or a word.
_VALUE = '"{[w'
_ITEM = '"{[w],'
_KEY = '"},'
_COLON = ":"
_AFTER_MEMBER = ",}"
_AFTER_ITEM = ",]"
_ROOTS: dict[Root, str] = {"object": "{", "container": "{[", "any": '"{[w'}

_MARKS = '"{}[],:'
_SPECIAL = re.compile(r'["\\\x00-\x1f]')
_STRING_RUN = re.compile(r'(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*+')
_HALF_ESCAPE = re.compile(r"\\(?:u[0-9A-Fa-f]{0,3})?")
_WHITE_SPACE = re.compile(r"[ \t\r\n]*")
_WORD = re.compile(r"[\w.+-]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WORDS = {
    "true": "true",
    "false": "false",
    "null": "null",
    "True": "true",
    "False": "false",
    "None": "null",
    "undefined": "null",
}
_SHORT_ESCAPES = {"\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


class JsonFlow:
    """One JSON value. `feed` gives what may go out, and `finish` what is missing then.

    A comma or the end of a string goes out with what follows it: until then neither is certain. What comes after the
    value is held: with `prose` it is no part of it, and else makes it invalid if there is more to it than punctuation.
    """

    def __init__(self, root: Root = "any", *, prose: bool = False) -> None:
        self.valid = True  # so far
        self.complete = False
        self._expected = _ROOTS[root]
        self._prose = prose
        self._open: list[str] = []  # for each bracket, what may come after a value in it
        self._in_string = False
        self._is_key = False
        self._escape = ""  # half of one
        self._word: list[str] = []
        self._gap: list[str] = []  # white space, a comma, the end of a string: whatever the next token is to confirm
        self._after: list[str] = []  # all that comes once the value is complete or invalid
        self._out: list[str] = []
        self._sent: list[str] = []

    @property
    def untouched(self) -> bool:
        """Whether nothing came but white space."""
        return self.valid and not self._sent and not self._word

    @property
    def sent(self) -> str:
        """All that went out."""
        return "".join(self._sent)

    @property
    def rest(self) -> str:
        """What came behind the value, or behind the place where it is no JSON any more."""
        return "".join(self._after)

    @property
    def held(self) -> str:
        """All that did not go out, as it came."""
        return "".join([*self._gap, *self._word, self._escape, *self._after])

    def feed(self, text: str) -> str:
        if self._in_string and not self._escape and _SPECIAL.search(text) is None:
            self._sent.append(text)
            return text
        if self.complete or not self.valid:
            self._after.append(text)
            return ""
        if self._escape:
            text, self._escape = self._escape + text, ""
        self._read(text)
        out = "".join(self._out)
        if out:
            self._out.clear()
            self._sent.append(out)
        return out

    def finish(self) -> str:
        """What completes the value, or what was held as it came, where no repair is safe."""
        if self.complete:
            return "" if self._prose or not json_repairs.is_of_weight(self.rest, self.sent) else self.rest
        ending = self._ending() if self.valid else json_repairs.continuation(self.sent, self.held, prose=self._prose)
        held = self.held if ending is None else ending
        self.complete = ending is not None
        self._sent.append(held)
        return held

    def _read(self, text: str) -> None:
        position = 0
        while position < len(text):
            if self._in_string:
                position = self._read_string(text, position)
            elif self._word:
                position = self._read_word(text, position)
            else:
                position = self._read_mark(text, position)
            if self.complete or not self.valid:
                self._after.append(text[position:])
                return

    def _read_string(self, text: str, start: int) -> int:
        run = _STRING_RUN.match(text, start)
        end = run.end() if run else start
        if end > start:
            self._out.append(text[start:end])
        if end == len(text):
            return end
        mark = text[end]
        if mark == '"':
            self._in_string = False
            self._gap.append(mark)
            if self._is_key:
                self._expected = _COLON
            else:
                self._end_value()
        elif mark != "\\":
            self._out.append(_SHORT_ESCAPES.get(mark) or f"\\u{ord(mark):04x}")
        elif _HALF_ESCAPE.fullmatch(text, end):
            self._escape = text[end:]
            return len(text)
        elif text[end + 1] != "'":
            self._out.append("\\\\")
        return end + 1

    def _read_word(self, text: str, start: int) -> int:
        run = _WORD.match(text, start)
        end = run.end() if run else start
        self._word.append(text[start:end])
        if end < len(text):
            word = self._known_word()
            if word is None:
                self.valid = False
            else:
                self._word.clear()
                self._pass(word)
                self._end_value()
        return end

    def _read_mark(self, text: str, start: int) -> int:
        space = _WHITE_SPACE.match(text, start)
        end = space.end() if space else start
        if end > start:
            self._gap.append(text[start:end])
            if end == len(text):
                return end
        mark = text[end]
        if (mark if mark in _MARKS else "w") not in self._expected:
            self.valid = False
            return end
        match mark:
            case '"':
                self._is_key = self._expected == _KEY
                self._in_string = True
                self._pass(mark)
            case "{":
                self._open.append(_AFTER_MEMBER)
                self._expected = _KEY
                self._pass(mark)
            case "[":
                self._open.append(_AFTER_ITEM)
                self._expected = _ITEM
                self._pass(mark)
            case "}" | "]":
                self._open.pop()
                self._pass_without_comma(mark)
                self._end_value()
            case "," if self._expected in (_AFTER_MEMBER, _AFTER_ITEM):
                self._gap.append(mark)
                self._expected = _KEY if self._expected == _AFTER_MEMBER else _ITEM
            case ",":
                pass  # one too many
            case ":":
                self._expected = _VALUE
                self._pass(mark)
            case _:
                self._begin_word(text, end)
                return end
        return end + 1

    def _begin_word(self, text: str, start: int) -> None:
        if _WORD.fullmatch(text[start]):
            self._word.append("")
        else:
            self.valid = False

    def _end_value(self) -> None:
        if self._open:
            self._expected = self._open[-1]
        else:
            self.complete = True
            self._pass("")

    def _pass(self, text: str) -> None:
        """Lets the text out; with it comes what waited for it."""
        if self._gap:
            self._out += self._gap
            self._gap.clear()
        self._out.append(text)

    def _pass_without_comma(self, text: str) -> None:
        if "," in self._gap:
            self._gap.remove(",")
        self._pass(text)

    def _known_word(self) -> str | None:
        word = "".join(self._word)
        return word if _NUMBER.fullmatch(word) else _WORDS.get(word)

    def _ending(self) -> str | None:
        """What closes all that is open; None where a value is missing, which nobody can guess."""
        if self._in_string:
            if self._is_key:
                return None
            self._out.append(self._escape and "\\" + self._escape)
            self._gap.append('"')
        elif self._word:
            word = self._known_word()
            if word is None:
                return None
            self._pass(word)
        elif not self._open or self._expected in (_COLON, _VALUE):
            return None
        self._pass_without_comma("")
        self._out += ["}" if after == _AFTER_MEMBER else "]" for after in reversed(self._open)]
        return "".join(self._out)
