"""One request, whatever dialect it came in: pure, frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Url:
    """Media that the client names by address: http(s) only, `data:` URLs become `Inline`."""

    url: str


@dataclass(frozen=True, slots=True)
class Inline:
    """Media that the client sent along, still in base64 as it came."""

    base64: str


@dataclass(frozen=True, slots=True)
class Media:
    """A picture, a sound, a film or a document. `param` is its place in the client's body, for error messages."""

    source: Url | Inline
    media_type: str | None
    name: str | None
    param: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model made; `arguments` is JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolResult:
    call_id: str
    parts: "tuple[Part, ...]"
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class Reasoning:
    """Thought that an earlier answer held; Anthropic's carries a signature."""

    text: str
    signature: str | None = None


Part = Text | Media | ToolCall | ToolResult | Reasoning


@dataclass(frozen=True, slots=True)
class Message:
    role: Role
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Tool:
    """`parameters` is the JSON schema as the client sent it, None where it sent none."""

    name: str
    description: str | None
    parameters: Mapping[str, Any] | None


class ToolChoiceMode(StrEnum):
    AUTO = "auto"
    NONE = "none"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """Which tools may be called; `names` narrows them, empty means any."""

    mode: ToolChoiceMode = ToolChoiceMode.AUTO
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sampling:
    temperature: float | None = None
    logit_bias: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """What one client asks of one model.

    `max_tokens` bounds thought and answer together (OpenAI API reference, `max_completion_tokens`); `extra` holds
    the fields that the dialect does not know, to travel as the bot's own parameters.
    """

    model: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = ToolChoice()
    sampling: Sampling = Sampling()
    stop: tuple[str, ...] = ()
    max_tokens: int | None = None
    stream: bool = False
    include_usage: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)
