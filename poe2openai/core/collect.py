"""A whole answer is the same stream, folded: there is no second path."""

from collections.abc import Iterable
from dataclasses import dataclass

from poe2openai.core.events import (
    AnswerEvent,
    Failed,
    FilesMade,
    Finished,
    FinishReason,
    MadeFile,
    PartDelta,
    PartKind,
    PartStarted,
    Usage,
)


@dataclass(frozen=True, slots=True)
class AnswerPart:
    kind: PartKind
    text: str
    call_id: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    parts: tuple[AnswerPart, ...]
    reason: FinishReason
    usage: Usage | None
    files: tuple[MadeFile, ...] = ()

    def text(self, kind: PartKind) -> str:
        """All text of one kind, joined as it was said."""
        return "".join(part.text for part in self.parts if part.kind == kind)


def collect(batches: Iterable[list[AnswerEvent]]) -> Answer:
    """Folds an answer; raises the `GatewayError` that it failed with."""
    opened: list[tuple[PartStarted, list[str]]] = []
    files: tuple[MadeFile, ...] = ()
    for batch in batches:
        for event in batch:
            match event:
                case PartDelta(text=text):
                    opened[-1][1].append(text)
                case PartStarted():
                    opened.append((event, []))
                case FilesMade(made):
                    files = made
                case Finished(reason, usage):
                    return Answer(tuple(_part(start, texts) for start, texts in opened), reason, usage, files)
                case Failed(error):
                    raise error
                case _:
                    pass
    raise AssertionError("the answer has no end")


def _part(start: PartStarted, texts: list[str]) -> AnswerPart:
    return AnswerPart(start.kind, "".join(texts), start.call_id, start.name)
