"""Ends an answer where the request asked for it, for bots that ignore stop sequences and token limits.

Both see the answer as one text, so that what comes out does not depend on where Poe cut it. An answer that breaks off
while text is held ends without that text.
"""

import re
from collections.abc import Iterable, Iterator

from poe2openai.core.tokens import TokenCounter
from poe2openai.pipeline.pieces import Piece, Stopped, Thought
from poe2openai.poe.events import Error, Text, ToolCallDelta

# The count of a text may fall by a few tokens as its last word goes on: so near the limit nothing is certain.
_MARGIN = 8  # tokens
_STRIDE = 64  # bytes that come in between two counts there


def enforce(
    batches: Iterable[list[Piece]], *, stop: tuple[str, ...], max_tokens: int | None, counter: TokenCounter
) -> Iterator[list[Piece]]:
    """`stop` looks at the content alone, `max_tokens` bounds thought, content and arguments together."""
    sequences = tuple(filter(None, stop))
    if sequences:
        batches = _until_sequence(batches, sequences)
    if max_tokens is not None:
        batches = _within_limit(batches, max_tokens, counter)
    return iter(batches)


def _until_sequence(batches: Iterable[list[Piece]], sequences: tuple[str, ...]) -> Iterator[list[Piece]]:
    scanner = _Scanner(sequences)
    for batch in batches:
        if len(batch) == 1 and type(piece := batch[0]) is Text and scanner.has_nothing_to_do_with(piece.text):
            yield batch
            continue
        yield scanner.take(batch)
        if scanner.found:
            return


class _Scanner:
    """Looks for the sequence that begins first, and holds only what may begin one."""

    def __init__(self, sequences: tuple[str, ...]) -> None:
        self.found = False
        self._held = ""
        self._sequences = sequences
        self._first_characters = frozenset(sequence[0] for sequence in sequences)
        self._beginning = re.compile(f"[{re.escape(''.join(self._first_characters))}]")
        self._reach = max(map(len, sequences)) - 1

    def has_nothing_to_do_with(self, text: str) -> bool:
        return not self._held and self._beginning.search(text) is None

    def take(self, batch: list[Piece]) -> list[Piece]:
        result: list[Piece] = []
        for piece in batch:
            match piece:
                case Text(text):
                    shown = self._read(text)
                case Error():
                    shown = ""
                case _:
                    shown = self._finish()
            if shown:
                result.append(Text(shown))
            if self.found:
                return [*result, Stopped("stop")]
            if not isinstance(piece, Text):
                result.append(piece)
        return result

    def _read(self, text: str) -> str:
        """What of the text so far is certain to be shown."""
        text = self._held + text
        begin = self._first_whole(text)
        open_at = self._first_open(text, len(text) if begin is None else begin)
        if open_at is not None:
            self._held = text[open_at:]
            return text[:open_at]
        self._held = ""
        self.found = begin is not None
        return text[:begin]

    def _finish(self) -> str:
        """What was held: no sequence that is still open will be whole."""
        begin = self._first_whole(self._held)
        text, self._held = self._held[:begin], ""
        self.found = begin is not None
        return text

    def _first_whole(self, text: str) -> int | None:
        places = [place for sequence in self._sequences if (place := text.find(sequence)) >= 0]
        return min(places, default=None)

    def _first_open(self, text: str, before: int) -> int | None:
        """Where, before that place, a sequence may begin whose end has not come."""
        for place in range(max(0, len(text) - self._reach), before):
            if text[place] in self._first_characters:
                rest = text[place:]
                for sequence in self._sequences:
                    if sequence.startswith(rest):
                        return place
        return None


def _within_limit(batches: Iterable[list[Piece]], limit: int, counter: TokenCounter) -> Iterator[list[Piece]]:
    limiter = _Limiter(limit, counter)
    for batch in batches:
        yield limiter.take(batch)
        if limiter.over:
            return


class _Limiter:
    """Lets pieces through as long as they certainly fit, and holds them near the limit until it is decided."""

    def __init__(self, limit: int, counter: TokenCounter) -> None:
        self.over = False
        self._limit = limit
        self._tally = _Tally(counter)
        self._held: list[Piece] = []
        self._certain = limit - _MARGIN  # bytes that fit whatever they are: a token has one at least
        self._next_count = 0  # bytes until the next count, once nothing is certain

    def take(self, batch: list[Piece]) -> list[Piece]:
        for piece in batch:
            match piece:
                case Text(text) | Thought(text) | ToolCallDelta(arguments=text):
                    self._add(piece, text)
                case _:
                    return self._finish(piece)
        return self._look()

    def _add(self, piece: Text | Thought | ToolCallDelta, text: str) -> None:
        self._held.append(piece)
        self._tally.add(type(piece), text)
        size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
        self._certain -= size
        self._next_count -= size

    def _look(self) -> list[Piece]:
        if self._certain < 0:
            if self._next_count > 0:
                return []
            tokens = self._tally.count()
            if tokens > self._limit + _MARGIN:
                return self._cut()
            self._certain = self._limit - _MARGIN - tokens
            if self._certain < 0:
                self._next_count = _STRIDE
                return []
        return self._release()

    def _finish(self, end: Piece) -> list[Piece]:
        if self._certain < 0:
            if self._tally.count() > self._limit:
                return self._cut()
            if isinstance(end, Error):
                return [end]
        return [*self._release(), end]

    def _release(self) -> list[Piece]:
        released, self._held = self._held, []
        self._tally.passed()
        return released

    def _cut(self) -> list[Piece]:
        self.over = True
        room = self._tally.room(self._limit)
        result: list[Piece] = []
        for piece in self._held:
            match piece:
                case Text(text) if room > 0:
                    result.append(Text(text[:room]))
                case Thought(text) if room > 0:
                    result.append(Thought(text[:room]))
                case ToolCallDelta(index, id, name, text) if room > 0:
                    result.append(ToolCallDelta(index, id, name, text[:room]))
                case _:
                    break
            room -= len(text)
        result.append(Stopped("length"))
        return result


class _Tally:
    """All that was said, in runs of one kind, each of which counts by itself."""

    def __init__(self, counter: TokenCounter) -> None:
        self._counter = counter
        self._runs: list[list[str]] = []
        self._counts: list[int] = []  # of the runs that have ended
        self._kind: type[Piece] | None = None
        self._said = 0
        self._passed = 0

    def add(self, kind: type[Piece], text: str) -> None:
        if kind is not self._kind:
            self._kind = kind
            self._runs.append([])
        self._runs[-1].append(text)
        self._said += len(text)

    def passed(self) -> None:
        """All that was said so far has gone out."""
        self._passed = self._said

    def count(self) -> int:
        texts = ["".join(run) for run in self._runs[len(self._counts) :]]
        counts = [*self._counts, *map(self._counter.count, texts)]
        self._counts = counts[:-1]
        return sum(counts)

    def room(self, limit: int) -> int:
        """How many characters may still go out."""
        characters = 0
        for run in self._runs:
            text = "".join(run)
            tokens = self._counter.count(text)
            if tokens > limit:
                characters += len(self._counter.truncate(text, limit))
                break
            limit -= tokens
            characters += len(text)
        return characters - self._passed
