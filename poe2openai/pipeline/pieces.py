"""What travels between the stages: Poe's events, and what the stages themselves found out."""

from dataclasses import dataclass

from poe2openai.core.events import FinishReason
from poe2openai.poe.events import Done, Error, Text, ToolCallDelta


@dataclass(frozen=True, slots=True)
class Thought:
    """Reasoning, told apart from the answer proper."""

    text: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """The gateway itself ends the answer here; nothing follows."""

    reason: FinishReason


Piece = Text | Thought | ToolCallDelta | Stopped | Done | Error
