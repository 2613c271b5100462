"""What travels between the stages: Poe's events, and what the stages themselves found out."""

from collections.abc import Iterable
from dataclasses import dataclass

from poe2openai.core.events import FinishReason
from poe2openai.poe.events import Done, Error, PoeEvent, Text, ToolCallDelta


@dataclass(frozen=True, slots=True)
class Thought:
    """Reasoning, told apart from the answer proper."""

    text: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """The gateway itself ends the answer here; nothing follows."""

    reason: FinishReason


Piece = Text | Thought | ToolCallDelta | Stopped | Done | Error


def joined(events: Iterable[PoeEvent]) -> list[PoeEvent]:
    """The same events, neighbouring texts made one and empty ones left out."""
    result: list[PoeEvent] = []
    texts: list[str] = []
    for event in events:
        if isinstance(event, Text):
            texts.append(event.text)
            continue
        if text := "".join(texts):
            result.append(Text(text))
        texts.clear()
        result.append(event)
    if text := "".join(texts):
        result.append(Text(text))
    return result
