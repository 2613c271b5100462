"""Finds the JSON in an answer: bots put words before and behind it, and fences around it."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from poe2openai.core.turns import Turns
from poe2openai.pipeline.json_flow import JsonFlow

# Each is looked into once, as is all text between them; what has more of them is no answer that holds JSON.
_MOST_CANDIDATES = 100
_MOST_REPAIRS = 3
_SLICE = 4096  # characters; one takes a millisecond or two

_SPACE = r"[ \t\r\n]{0,200}+"
_NAME_CHARACTERS = r'(?:[^"\\\n]|\\.){0,200}+'
_VALUE_MARK = r'["{\[0-9tfnTFNu-]'
_OBJECT_BEGINS = rf'\{{{_SPACE}"{_NAME_CHARACTERS}"{_SPACE}:{_SPACE}{_VALUE_MARK}'
_OBJECT_MAY_BEGIN = rf'\{{{_SPACE}(?:\Z|"{_NAME_CHARACTERS}(?:\\?\Z|"{_SPACE}(?::{_SPACE})?\Z))'
_ARRAY_BEGINS = r'\[[ \t\r\n]{0,200}+["{\[\]0-9tfnTFN-]'
_ARRAY_MAY_BEGIN = rf"\[{_SPACE}\Z"

_CANDIDATES = {"{": r'\{(?=\s*["}])', "[": r'\[(?=\s*["{\[\]0-9tfnTFN-])'}
_FENCED = re.compile(r"```[ \t]*+(\w*+)[^\n`]*+\n(.*?)(?:\n[ \t]*```|\Z)", re.DOTALL)


class Opening:
    """Finds where JSON begins in a text that comes in pieces: a brace that a name, a colon and a value follow.

    `brackets` are those that it may begin with; `empty` says whether `{}` is a beginning, or as good as prose.
    """

    def __init__(self, brackets: str, *, empty: bool) -> None:
        certain, possible = [], []
        if "{" in brackets:
            certain.append(_OBJECT_BEGINS)
            possible.append(_OBJECT_MAY_BEGIN)
            if empty:
                certain.append(rf"\{{{_SPACE}\}}")
        if "[" in brackets:
            certain.append(_ARRAY_BEGINS)
            possible.append(_ARRAY_MAY_BEGIN)
        self._pattern = re.compile(f"(?:{'|'.join(certain) or '(?!)'})|(?P<open>{'|'.join(possible) or '(?!)'})")
        self._window = ""

    def feed(self, text: str) -> str | None:
        """All from the beginning on; None as long as there is none."""
        text = self._window + text
        found = self._pattern.search(text)
        if found and found["open"] is None:
            return text[found.start() :]
        self._window = text[found.start() :] if found else ""
        return None


@dataclass(frozen=True, slots=True)
class Found:
    """The best that an answer holds; `fault` is what is wrong with it."""

    json: str | None
    fault: str | None


def best(text: str, brackets: str, fault: Callable[[Any], str | None], *, repair: bool = True) -> Found:
    """The first value without a fault: what stands in a fence before all else, what has to be repaired after it."""
    places = [*_fenced(text), text]
    flawed: Found | None = None
    broken: list[JsonFlow] = []
    for place in places:
        for candidate in _values(place, brackets, broken):
            found = _judged(candidate, fault)
            if found and found.fault is None:
                return found
            flawed = flawed or found
    for flow in broken[: _MOST_REPAIRS if repair else 0]:
        flow.finish()
        found = _judged(flow.sent, fault) if flow.complete else None
        if found and found.fault is None:
            return found
        flawed = flawed or found
    return flawed or Found(None, "no JSON was found")


def _judged(candidate: str, fault: Callable[[Any], str | None]) -> Found | None:
    """None for what is no JSON."""
    try:
        value = orjson.loads(candidate)
    except ValueError:
        return None
    return Found(candidate, fault(value))


def _fenced(text: str) -> list[str]:
    """What stands in fences, those that say `json` first."""
    blocks = [(found[1].lower(), found[2]) for found in _FENCED.finditer(text)]
    return [content for _, content in sorted(blocks, key=lambda block: not block[0].startswith("json"))]


def _values(text: str, brackets: str, broken: list[JsonFlow]) -> Iterator[str]:
    """The values in a text from left to right; those that are not whole go to `broken`."""
    yield text.strip()
    if not brackets:
        return
    pattern = re.compile("|".join(_CANDIDATES[bracket] for bracket in brackets))
    found = pattern.search(text) or re.search(f"[{re.escape(brackets)}]", text)
    if found:
        yield text[found.start() : max(text.rfind("}"), text.rfind("]")) + 1]  # nearly always all there is
    for _ in range(_MOST_CANDIDATES):
        if found is None:
            return
        flow, end = _flow(text, found.start())
        if flow.complete:
            yield flow.sent
        else:
            broken.append(flow)
        found = pattern.search(text, max(end, found.start() + 1))


def _flow(text: str, start: int) -> tuple[JsonFlow, int]:
    """The JSON that begins there, and where it ends or is none any more."""
    flow = JsonFlow("container", prose=True)
    turns = Turns()
    while start < len(text) and flow.valid and not flow.complete:
        flow.feed(text[start : start + _SLICE])
        start += _SLICE
        turns.give_way()
    end = min(start, len(text)) - len(flow.rest)
    if not flow.complete:
        flow.feed(text[start:])
    return flow, end
