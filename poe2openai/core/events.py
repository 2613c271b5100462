"""The answer as a stream of events, and the grammar it keeps.

    Started (PartStarted PartDelta* PartFinished)* FilesMade? (Finished | Failed)

One part is open at a time: Anthropic's content blocks and the items of OpenAI's Responses need it. Parts are numbered
0, 1, 2, … in the order in which they open. Events travel in batches, `list[AnswerEvent]`; an empty one is an idle tick.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from poe2openai.core.errors import GatewayError

PartKind = Literal["text", "reasoning", "tool_call"]
FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]
UsageSource = Literal["poe", "estimate"]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one request. `output_tokens` includes `reasoning_tokens`; `source` says who counted."""

    input_tokens: int
    output_tokens: int
    reasoning_tokens: int = 0
    cached_tokens: int = 0
    source: UsageSource = "estimate"

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self.cached_tokens + other.cached_tokens,
            self.source if self.source == other.source else "estimate",
        )


@dataclass(frozen=True, slots=True)
class Started:
    pass


@dataclass(frozen=True, slots=True)
class PartStarted:
    """`call_id` and `name` are there for a tool call alone."""

    index: int
    kind: PartKind
    call_id: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class PartDelta:
    """A piece of text, thought, or of a tool call's JSON arguments."""

    index: int
    text: str


@dataclass(frozen=True, slots=True)
class PartFinished:
    index: int


@dataclass(frozen=True, slots=True)
class MadeFile:
    """A file that the bot made; `media_type` is what the bot says of it."""

    url: str
    media_type: str
    name: str


@dataclass(frozen=True, slots=True)
class FilesMade:
    """All files of the answer, for those who want them apart from its text."""

    files: tuple[MadeFile, ...]


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer is whole. `usage` is None where nobody asked for it."""

    reason: FinishReason
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The answer broke off; what came before stays true, and nothing follows."""

    error: GatewayError


AnswerEvent = Started | PartStarted | PartDelta | PartFinished | FilesMade | Finished | Failed


class GrammarError(AssertionError):
    """An event came out of order: our own bug, never a client's or Poe's."""


class GrammarChecker:
    """Reads an answer event by event and raises `GrammarError` at the first that is out of place."""

    def __init__(self) -> None:
        self._started = False
        self._ended = False
        self._open: int | None = None
        self._files_made = False
        self._next_index = 0

    def check(self, events: Iterable[AnswerEvent]) -> None:
        for event in events:
            self._check_one(event)

    def finish(self) -> None:
        """The stream is over: it has to have ended in `Finished` or `Failed`."""
        if not self._ended:
            raise GrammarError("the answer has no end")

    def _check_one(self, event: AnswerEvent) -> None:
        if self._ended:
            raise GrammarError(f"{event} after the end")
        if self._started == isinstance(event, Started):
            raise GrammarError(f"{event} where the answer {'has already begun' if self._started else 'has not begun'}")
        if self._files_made and not isinstance(event, Finished | Failed):
            raise GrammarError(f"{event} after the files")
        match event:
            case Started():
                self._started = True
            case PartStarted():
                self._check_part_started(event)
            case PartDelta(index) | PartFinished(index):
                if index != self._open:
                    raise GrammarError(f"{event} while the open part is {self._open}")
                if isinstance(event, PartFinished):
                    self._open = None
            case FilesMade():
                if self._open is not None:
                    raise GrammarError(f"{event} while part {self._open} is open")
                self._files_made = True
            case Finished() | Failed():
                # A failure may leave its part open: what was said so far is all there is.
                if self._open is not None and isinstance(event, Finished):
                    raise GrammarError(f"{event} while part {self._open} is open")
                self._ended = True

    def _check_part_started(self, event: PartStarted) -> None:
        if self._open is not None or event.index != self._next_index:
            raise GrammarError(f"{event} while part {self._open} is open and {self._next_index} is next")
        if (event.kind == "tool_call") != (event.call_id is not None and event.name is not None):
            raise GrammarError(f"{event}: a tool call, and nothing else, has an id and a name")
        self._open = event.index
        self._next_index += 1
