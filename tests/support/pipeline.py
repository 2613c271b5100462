"""Cuts texts and folds what the stages of the pipeline make of them."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations, groupby
from typing import Any

from poe2openai.pipeline.pieces import Thought
from poe2openai.poe.events import Text

Stage = Callable[[Iterable[list[Any]]], Iterator[list[Any]]]


def cuttings(text: str) -> Iterator[list[str]]:
    """A text whole, in single characters, and in every cutting into two and three; every cutting at all if short."""
    most = len(text) if len(text) <= 10 else 2
    for count in range(most + 1):
        for cuts in combinations(range(1, len(text)), count):
            yield [text[start:end] for start, end in zip((0, *cuts), (*cuts, len(text)), strict=True)]
    yield list(text)


def batches_of(pieces: Iterable[str], *rest: object) -> list[list[Any]]:
    """Each text as a read of its own, an idle tick after it, and then the rest in one read."""
    batches: list[list[Any]] = []
    for piece in pieces:
        batches += [[Text(piece)], []]
    return [*batches, list(rest)]


def run(stage: Stage, batches: Iterable[list[Any]]) -> list[Any]:
    """All that a stage gives, neighbours of one kind joined."""
    return merged(event for batch in stage(batches) for event in batch)


def merged(events: Iterable[Any]) -> list[Any]:
    result: list[Any] = []
    for kind, group in groupby(events, type):
        if kind in (Text, Thought):
            if text := "".join(event.text for event in group):
                result.append(kind(text))
        else:
            result += group
    return result


def text_of(events: Iterable[Any]) -> str:
    return "".join(event.text for event in events if isinstance(event, Text))


def regrouped(events: Sequence[Any], sizes: Iterable[int]) -> list[list[Any]]:
    """The same events in reads of these sizes; 0 is an idle tick."""
    batches: list[list[Any]] = []
    start = 0
    for size in sizes:
        batches.append(list(events[start : start + size]))
        start += size
    return [*batches, list(events[start:])]


class FourLetterTokens:
    """Counts every run of four letters or fewer as a token, and every space; notes each text it was given."""

    _TOKEN = re.compile(r"\S{1,4}|\s")

    def __init__(self) -> None:
        self.counted: list[str] = []

    def count(self, text: str) -> int:
        self.counted.append(text)
        return len(self._TOKEN.findall(text))

    def truncate(self, text: str, limit: int) -> str:
        return "".join(self._TOKEN.findall(text)[:limit])


class WholeWordTokens:
    """As real tokenizers do, counts a finished word less than its beginning: "tokeniz" is 2, "tokenize" is 1."""

    _TOKEN = re.compile(r"tokenize|token|[a-z]{1,3}|.", re.DOTALL)

    def count(self, text: str) -> int:
        return len(self._TOKEN.findall(text))

    def truncate(self, text: str, limit: int) -> str:
        return next(text[:end] for end in range(len(text), -1, -1) if self.count(text[:end]) <= limit)
