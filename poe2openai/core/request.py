"""One request, whatever dialect it came in: pure, frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from poe2openai.core.content import Content

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
    """Media that the client sent along."""

    content: Content


@dataclass(frozen=True, slots=True)
class FileId:
    """Media that the client uploaded before (OpenAI API reference, Files)."""

    id: str


@dataclass(frozen=True, slots=True)
class Media:
    """A picture, a sound, a film or a document. `param` is its place in the client's body, for error messages.

    `media_type` and `name` are what the client says of it, None where it says nothing.
    """

    source: Url | Inline | FileId
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
    """`others` holds what Poe's query has no field for (`seed`, `top_p`, …), for the bots that declare it."""

    temperature: float | None = None
    logit_bias: Mapping[str, float] | None = None
    others: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReasoningOptions:
    """How much the model is to think, in whatever way the client said it; None is what it did not say.

    `effort` is one of the words `none`, `minimal`, `low`, `medium`, `high`, `xhigh`, `max`, or another that a bot may
    know; `budget` is in tokens of thought, 0 for none. `sent` holds the client's own fields, for a bot that Poe's list
    tells nothing of.
    """

    effort: str | None = None
    budget: int | None = None
    enabled: bool | None = None
    sent: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WebSearch:
    """Whether the bot is to search the web. `context_size` is `low`, `medium` or `high`; `location` may hold
    `country`, `region`, `city` and `timezone` (OpenAI API reference, `web_search_options`). `sent` as in reasoning.
    """

    enabled: bool = True
    context_size: str | None = None
    location: Mapping[str, str] = field(default_factory=dict)
    sent: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """The answer is to be JSON: of this JSON schema, or, where `schema` is None, any object."""

    schema: Mapping[str, Any] | None = None
    name: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """What one client asks of one model.

    `max_tokens` bounds thought and answer together (OpenAI API reference, `max_completion_tokens`); `extra` holds
    the fields that the dialect does not know, to travel as the bot's own parameters. `n` is how many answers are
    wanted, each of a query of its own. `images` says that the client wants pictures of the answer apart from its text
    as well. `lifted` holds long base64 that was taken out of the body, by the words that stand in its place: where it
    was no media, it has to be put back (`dialects.lifting`).
    """

    model: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = ToolChoice()
    parallel_tool_calls: bool = True
    sampling: Sampling = Sampling()
    reasoning: ReasoningOptions | None = None
    web_search: WebSearch | None = None
    verbosity: str | None = None
    output_format: OutputFormat | None = None
    stop: tuple[str, ...] = ()
    max_tokens: int | None = None
    n: int = 1
    stream: bool = False
    include_usage: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)
    images: bool = False
    lifted: Mapping[str, Content] = field(default_factory=dict)
