"""Repairs JSON that a bot got wrong, where nothing of it is lost.

json_repair guesses what was meant. Its guess is taken only if every word, number and string of the original is in it,
in the same order, and nothing else; and if it goes on from what the client has got already.
"""

import math
import re
from importlib import import_module
from typing import Any, SupportsIndex

import orjson

from poe2openai.core.turns import give_way

LARGEST = 128 * 1024  # characters

# json_repair looks ahead, in hostile texts so often that its time is quadratic: so its looks are counted. A usual text
# takes two to twenty a character; a thousand take a millisecond or two, in the middle of a very long string ten.
MOST_LOOKS = 500_000
_LOOKS_A_TURN = 1_000

# Escapes are kept from it, each as one character of a private plane: it would drop line breaks at the end of strings.
_VEIL = 0xF0000
_VEILED_BACKSLASH = chr(_VEIL + ord("\\"))
_VEILED = re.compile("[\U000f0000-\U000fffff]")
_ESCAPE = re.compile(r"\\(?:u(?![0-9A-Fa-f]{4})|([\x00-\uffff]))")
_ESCAPED_CHARACTERS = frozenset('"\\/bfnrtu')

_FENCE = "```"
_BLANK_LINE = re.compile(r"\s*\n[ \t\r]*\n")
_CLOSING_FENCE = re.compile(r"\n[ \t]*```")
_WEIGHT = re.compile(r"[^\s{}\[\](),:;\"'`“”‘’]")
_QUOTES = ('"', "'", "`", "“", "”", "‘", "’")
_CLOSING_QUOTES = {"“": "”", "‘": "’"}
_SPACE = re.compile(r"\s*")
_PUNCTUATION = re.compile(r"[\s{}\[\](),:;]*")
_PUNCTUATION_AND_QUOTES = re.compile(r"[\s{}\[\](),:;\"'`“”‘’]*")
_PUNCTUATION_BEFORE_COLON = re.compile(r"[\s\"'`“”‘’]*")
_BARE_STRING = re.compile(r"[^\W\d][\w-]*")
_BARE_SCALAR = re.compile(r"[\w.+-]*")
_OUTSIDE_STRINGS = re.compile(r'("[^"]*"?)|\s+')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_SPELLINGS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "none": None}


def is_of_weight(rest: str, value: str) -> bool:
    """Whether what came behind a whole value says anything that the value does not."""
    return _WEIGHT.search(rest) is not None and rest.strip() != value.strip()


def continuation(sent: str, held: str, *, prose: bool = False) -> str | None:
    """What makes valid JSON of `sent`, which is a beginning of it, in place of `held`; None where that is not safe.

    With `prose`, what stands behind the JSON is no part of it.
    """
    if len(sent) + len(held) > LARGEST or _VEILED.search(sent + held):
        return None
    if not sent:
        held = _without_fence(held)
    unwrapped = _unwrapped(sent + held)
    if unwrapped is not None and unwrapped.startswith(sent):
        return unwrapped[len(sent) :]
    text = _veiled(sent + (_without_prose(held) if prose else held))
    value = _guess(text)
    if not isinstance(value, list if text.lstrip().startswith("[") else dict):
        return None
    writer = _Writer(text)
    try:
        writer.write(value)
        whole = writer.finish()
    except (_Lost, RecursionError):
        return None
    beginning = _OUTSIDE_STRINGS.sub(lambda found: found[1] or "", _veiled(sent))
    if not whole.startswith(beginning):
        return None
    ending = _unveiled(whole[len(beginning) :])
    return ending if _is_json(sent + ending) else None


def _is_json(text: str) -> bool:
    """Half of a surrogate pair, for one, is none."""
    try:
        orjson.loads(text)
    except ValueError:
        return False
    return True


def _unwrapped(text: str) -> str | None:
    """JSON that was made a JSON string, with its quotes or without, or `null` in place of an empty object."""
    for wrapped in (text, f'"{text}"'):
        try:
            value = orjson.loads(wrapped)
            if value is None:
                return "{}"
            inner = value if isinstance(value, str) else wrapped
            if isinstance(orjson.loads(inner), dict):
                return inner
        except ValueError:
            continue
    return None


def _without_fence(text: str) -> str:
    fenced = text.strip()
    first_line, line_break, content = fenced.partition("\n")
    if first_line.startswith(_FENCE) and line_break and content.endswith(_FENCE):
        return content.removesuffix(_FENCE).strip()
    return text


def _without_prose(held: str) -> str:
    before, *others = _CLOSING_FENCE.split(held)
    if len(others) == 1:
        return before
    end = max(held.rfind("}"), held.rfind("]")) + 1
    return held[:end] if end or _BLANK_LINE.match(held) else held


def _veiled(text: str) -> str:
    return _ESCAPE.sub(lambda found: chr(_VEIL + ord(found[1])) if found[1] else _VEILED_BACKSLASH + "u", text)


def _unveiled(text: str) -> str:
    return _VEILED.sub(lambda found: _escape(chr(ord(found[0]) - _VEIL)), text)


def _escape(character: str) -> str:
    """As JSON writes what stood behind a backslash."""
    if character in _ESCAPED_CHARACTERS:
        return "\\" + character
    return character if character == "'" else "\\\\" + orjson.dumps(character).decode()[1:-1]


def _guess(text: str) -> Any:
    """json_repair's; None where it has none."""
    try:
        return import_module("json_repair").repair_json(
            _Watched.of(text, _Looks()), return_objects=True, skip_json_loads=True
        )
    except Exception:  # noqa: BLE001 - it guesses, and whatever it runs into, there is no guess
        return None


class _TooDear(Exception):
    """The text is one that json_repair would take too long for."""


class _Looks:
    """Counts them; others have their turn in between."""

    def __init__(self) -> None:
        self._left = MOST_LOOKS

    def count(self) -> None:
        self._left -= 1
        if self._left % _LOOKS_A_TURN == 0:
            if not self._left:
                raise _TooDear
            give_way()


class _Watched(str):
    """A text that counts how often its characters are looked at, as do the texts that are cut and joined from it."""

    __slots__ = ("_looks",)
    _looks: _Looks

    @classmethod
    def of(cls, text: str, looks: _Looks) -> "_Watched":
        watched = cls(text)
        watched._looks = looks
        return watched

    def __getitem__(self, key: SupportsIndex | slice) -> str:
        self._looks.count()
        found = super().__getitem__(key)
        return _Watched.of(found, self._looks) if isinstance(key, slice) else found

    def __add__(self, other: str) -> str:
        return _Watched.of(super().__add__(other), self._looks)


class _Lost(Exception):
    """Something of the original is not in the guess, or something of the guess not in the original."""


class _Writer:
    """Writes a value as compact JSON, and finds all of it in the original, where numbers are taken from."""

    def __init__(self, original: str) -> None:
        self._original = original
        self._position = 0
        self._written: list[str] = []

    def write(self, value: Any) -> None:
        match value:
            case dict():
                self._write_object(value)
            case list():
                self._write_array(value)
            case str():
                self._written.append(self._find_string(value))
            case _:
                self._written.append(self._find_scalar(value))

    def finish(self) -> str:
        if _WEIGHT.search(self._original, self._position):
            raise _Lost
        return "".join(self._written)

    def _write_object(self, members: dict[str, Any]) -> None:
        mark = "{"
        for name, value in members.items():
            self._written.append(mark)
            self._written.append(self._find_string(name))
            self._position = self._skip(_PUNCTUATION_BEFORE_COLON, self._position)
            if not self._original.startswith(":", self._position):
                raise _Lost
            self._written.append(":")
            self.write(value)
            mark = ","
        self._written.append("}" if members else "{}")

    def _write_array(self, items: list[Any]) -> None:
        mark = "["
        for item in items:
            self._written.append(mark)
            self.write(item)
            mark = ","
        self._written.append("]" if items else "[]")

    def _find_string(self, text: str) -> str:
        place = self._skip(_PUNCTUATION, self._position)
        while self._original.startswith(_QUOTES, place):
            if self._original.startswith(text, place + 1):
                return _as_string(text + self._end_string(text, self._original[place], place + 1 + len(text)))
            place = self._skip(_PUNCTUATION, place + 1)
        bare = _BARE_STRING.match(self._original, place)
        if bare is None or bare[0] != text:
            raise _Lost
        self._position = bare.end()
        return "null" if text == "undefined" else _as_string(text)

    def _end_string(self, text: str, quote: str, place: int) -> str:
        """The white space before the closing quote, which the guess may have cut off."""
        space = self._skip(_SPACE, place)
        if self._original.startswith(_QUOTES, space):
            self._position = space + 1
            return self._original[place:space]
        if text.endswith(_CLOSING_QUOTES.get(quote, quote)):
            raise _Lost  # the closing quote was taken for a part of the string
        self._position = place
        return ""

    def _find_scalar(self, value: float | bool | None) -> str:
        """The value as it is written, if that is JSON."""
        start = self._skip(_PUNCTUATION_AND_QUOTES, self._position)
        self._position = self._skip(_BARE_SCALAR, start)
        written = self._original[start : self._position]
        if value is None or isinstance(value, bool):
            found, json = _SPELLINGS.get(written.lower(), written) is value, orjson.dumps(value).decode()
        else:
            found, json = _is_number(written, value), written if _NUMBER.fullmatch(written) else str(value)
        if not found:
            raise _Lost
        return json

    def _skip(self, what: re.Pattern[str], place: int) -> int:
        found = what.match(self._original, place)
        return found.end() if found else place


def _as_string(text: str) -> str:
    return orjson.dumps(text).decode()


def _is_number(written: str, value: float) -> bool:
    try:
        return math.isfinite(value) and float(written) == float(value)
    except (ValueError, OverflowError):
        return False
