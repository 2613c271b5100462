"""What the JSON of an event holds, as far as it can be used."""

import json  # noqa: TID251 - it alone reads the lone surrogates that bots in JavaScript send
import re
from collections.abc import Sequence
from itertools import islice
from typing import Any

import orjson

SURROGATES = re.compile("[\ud800-\udfff]")


def plain_texts(blocks: list[bytes], start: int) -> str | None:
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
    texts = [text for payload in payloads if (text := text_of(payload)) is not None]
    return "".join(texts) if len(texts) == len(blocks) else None


def text_of(payload: bytes) -> str | None:
    """The text of `{"text": …}`; None where there is anything else to look at."""
    try:
        value = orjson.loads(payload)
    except ValueError:
        return None
    if type(value) is not dict or (len(value) != 1 and value != {"text": value.get("text"), "index": 0}):
        return None
    text = value.get("text")
    return text if type(text) is str else None


def object_of(data: str) -> dict[str, Any] | None:
    try:
        value = orjson.loads(data)
    except ValueError:
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, dict) else None


def without_surrogates(text: str) -> str:
    """Pairs become the character they stand for, single ones U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def string_of(value: object) -> str | None:
    """A string of Poe's that can be written out again; None for anything else."""
    if not isinstance(value, str):
        return None
    return without_surrogates(value) if SURROGATES.search(value) else value


def json_text(value: object) -> str:
    """Arguments that a bot sent as an object and not as text."""
    try:
        return json.dumps(value)
    except RecursionError:
        return ""


class ArgumentsForm:
    """How one bot writes a chunk that is nothing but a piece of one call's arguments (OpenAI API reference, Chat).

    All such chunks of a call are the same but for one string, so that many of them are read as one.
    """

    _STRING = re.compile(rb'"arguments": ?"((?:[^"\\]|\\.)*)"', re.DOTALL)

    def __init__(self, index: int, before: bytes, behind: bytes) -> None:
        self.index = index
        self._before = before
        self._behind = behind
        self._around = len(before) + len(behind)

    @classmethod
    def of(cls, payload: bytes) -> "ArgumentsForm | None":
        """The form of a chunk; None where there is anything else to look at in it."""
        found = cls._STRING.search(payload)
        if found is None:
            return None
        try:
            (choice,) = orjson.loads(payload)["choices"]
            delta = choice["delta"]
            (call,) = delta["tool_calls"]
            function, index = call["function"], call["index"]
        except (ValueError, KeyError, TypeError):
            return None
        is_plain = len(delta) == len(function) == 1 and len(call) == 2 and choice.get("finish_reason") is None
        if not is_plain or type(index) is not int or type(function.get("arguments")) is not str:
            return None
        return cls(index, payload[: found.start(1)], payload[found.end(1) :])

    def run(self, payloads: Sequence[bytes], start: int) -> int:
        """How many chunks from there on have this form."""
        before, behind, least = self._before, self._behind, self._around
        place = start
        for payload in islice(payloads, start, None):
            if len(payload) < least or not payload.startswith(before) or not payload.endswith(behind):
                break
            place += 1
        return place - start

    def text(self, payloads: Sequence[bytes]) -> str | None:
        """What chunks of this form say together; None if one of them has another form after all."""
        if self.run(payloads, 0) < len(payloads):
            return None
        first, last = len(self._before), -len(self._behind)
        strings = [payload[first:last] for payload in payloads]
        # Behind half an escape, the closing quote would be none.
        if any(string.endswith(b"\\") and _ends_in_half_an_escape(string) for string in strings):
            return None
        try:
            text = orjson.loads(b'"' + b"".join(strings) + b'"')
        except ValueError:
            return None
        return text if type(text) is str else None


def _ends_in_half_an_escape(string: bytes) -> bool:
    return (len(string) - len(string.rstrip(b"\\"))) % 2 == 1
