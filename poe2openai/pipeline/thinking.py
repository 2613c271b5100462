"""Tells reasoning from the answer: "Thinking..." and a markdown quote that an answer opens with (Poe's bots)."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import cast

from poe2openai.pipeline.pieces import Piece, Thought
from poe2openai.pipeline.progress import Opening
from poe2openai.poe.events import Done, PoeEvent, Text, ToolCallDelta

_BLANK_LINES = re.compile(r"(?:[ \t]*\r?\n)*")
_WIDEST_INDENT = 250  # characters; what is wider is no indentation but an answer of white space


def split(batches: Iterable[list[PoeEvent]]) -> Iterator[list[Piece]]:
    """Thoughts come out line by line as they come in; once the answer proper began, batches pass untouched."""
    source = iter(batches)
    splitter = _Splitter()
    for batch in source:
        yield [piece for event in batch for piece in splitter.take(event)]
        if splitter.answer_began:
            break
    yield from cast("Iterator[list[Piece]]", source)


class _Splitter:
    """The answer's beginning; `take` is the state that it is in."""

    def __init__(self) -> None:
        self.answer_began = False
        self.take: Callable[[PoeEvent], list[Piece]] = self._opening
        self._scan = Opening()
        self._quote = _Quote()
        self._gap = ""

    def _opening(self, event: PoeEvent) -> list[Piece]:
        """It is not known yet whether the marker of reasoning stands here."""
        match event:
            case Text(text):
                rest = self._scan.feed(text)
                if rest is None:
                    return []
                if not self._scan.is_thought:
                    return self._answer(Text(rest))
                self.take = self._thought
                return self._thought(Text(rest))
            case Done() | ToolCallDelta():
                rest = self._scan.finish(alone=True)
                return [*(self._answer(Text(rest)) if rest else []), *self._answer(event)]
            case _:
                return self._answer(event)

    def _thought(self, event: PoeEvent) -> list[Piece]:
        match event:
            case Text(text):
                thought, after = self._quote.read(text)
                pieces: list[Piece] = [Thought(thought)] if thought else []
                if after is not None:
                    self.take = self._between
                    pieces += self._between(Text(after))
                return pieces
            case Done() | ToolCallDelta():
                thought = self._quote.finish()
                return [*([Thought(thought)] if thought else []), *self._answer(event)]
            case _:
                return self._answer(event)

    def _between(self, event: PoeEvent) -> list[Piece]:
        """The blank lines after the quote are no content; the answer's own indentation is."""
        if not isinstance(event, Text):
            return self._answer(event)
        self._gap = _BLANK_LINES.sub("", self._gap + event.text, count=1)
        if not self._gap.strip() and len(self._gap) <= _WIDEST_INDENT:
            return []
        return self._answer(Text(self._gap))

    def _answer(self, event: PoeEvent) -> list[Piece]:
        self.answer_began = True
        self.take = self._answer
        return [cast("Piece", event)]


class _Quote:
    """Takes the `> ` off the lines of a quote, in any cutting.

    A line break is held until the next line is known to belong to the quote: the last one is no part of the thought.
    """

    def __init__(self) -> None:
        self._line_break: str | None = ""  # the one before the line that comes next, None inside a line
        self._held = ""  # a `>` whose space may follow, or a CR whose LF may

    def read(self, text: str) -> tuple[str, str | None]:
        """The thought in this text, and what follows the quote, None as long as it goes on."""
        text = self._held + text
        self._held = ""
        thought: list[str] = []
        position = 0
        while position < len(text):
            if self._line_break is None:
                position = self._read_line(text, position, thought)
            elif text[position] != ">":
                return "".join(thought), text[position:]
            elif position + 1 == len(text):
                self._held = ">"
                break
            else:
                position += 2 if text[position + 1] == " " else 1
                thought.append(self._line_break)
                self._line_break = None
        return "".join(thought), None

    def finish(self) -> str:
        """What was held, if the quote ends here."""
        return (self._line_break or "") if self._held == ">" else self._held

    def _read_line(self, text: str, start: int, thought: list[str]) -> int:
        end = text.find("\n", start)
        if end >= 0:
            line_end = end - 1 if end > start and text[end - 1] == "\r" else end
            self._line_break = text[line_end : end + 1]
            thought.append(text[start:line_end])
            return end + 1
        if text.endswith("\r"):
            self._held = "\r"
        thought.append(text[start : len(text) - len(self._held)])
        return len(text)
