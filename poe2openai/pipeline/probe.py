"""Ends a held answer early: where the stages that follow will cut it, Poe need not write on."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import takewhile

from poe2openai.pipeline import files, replace, thinking
from poe2openai.pipeline.pieces import Piece, Stopped
from poe2openai.poe.events import Done, Error, PoeEvent, Replace


def end_where_cut(
    batches: Iterable[list[PoeEvent]], enforce: Callable[[Iterable[list[Piece]]], Iterator[list[Piece]]]
) -> Iterator[list[PoeEvent]]:
    """The same batches; a `Done` comes in place of the rest once the answer so far holds all that will be shown.

    What is held is also sent through the stages of a stream, to no client: it ends where they stop. A replacement
    undoes what was said, so from there on nothing is known before the end.
    """
    trial = _Trial(enforce)
    source = iter(batches)
    for batch in source:
        before = list(takewhile(lambda event: not isinstance(event, Replace), batch))
        if trial.is_cut(before):
            # Whether the answer broke off right behind the cut does not matter.
            yield [*(event for event in before if not isinstance(event, Done | Error)), Done()]
            return
        yield batch
        if len(before) < len(batch):
            break
    yield from source


class _Trial:
    """A stream's stages, which give a batch for each batch they are given."""

    def __init__(self, enforce: Callable[[Iterable[list[Piece]]], Iterator[list[Piece]]]) -> None:
        self._given: deque[list[PoeEvent]] = deque()
        settled = replace.settle(self._feed(), hold=False, note=lambda _: None)
        self._pieces = enforce(thinking.split(files.link(settled)))

    def is_cut(self, batch: list[PoeEvent]) -> bool:
        self._given.append(batch)
        return any(isinstance(piece, Stopped) for piece in next(self._pieces, ()))

    def _feed(self) -> Iterator[list[PoeEvent]]:
        while self._given:
            yield self._given.popleft()
