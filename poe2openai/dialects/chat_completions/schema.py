"""The body of a request (OpenAI API reference, Create chat completion), as loose as its clients in the field.

`null` is the same as absent. What a message or a part holds besides is ignored; a field of the body that OpenAI's
reference does not have is the bot's own parameter. Messages are TypedDicts: a history of them validates in half the
time of models.
"""

from typing import Annotated, Any, Literal, NotRequired, final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, with_config
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

MAX_MESSAGES = 10_000
MAX_PARTS = 10_000
MAX_PARTS_IN_ALL = 20_000
"""Of all messages together, their tool calls among them."""
MAX_TOOLS = 10_000
MAX_OPTIONS = 1_000
"""The entries of one object that holds options, and the fields that OpenAI's reference does not have."""
MAX_CHOICES = 8
MAX_STOPS = 128
MAX_BIASED_TOKENS = 1024
MAX_TOKENS = 2**53 - 1
"""The largest integer that every JSON reader keeps exactly."""


def _as_part(value: object) -> object:
    """A plain string, and an object with `text` and no `type`, are text."""
    if isinstance(value, str):
        return {"type": "text", "text": value}
    if isinstance(value, dict) and "type" not in value and "text" in value:
        return {**value, "type": "text"}
    return value


def _as_whole(value: object) -> object:
    """JSON's 4096.0 is the integer 4096 (JSON Schema, integer)."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _at_most(most: int) -> BeforeValidator:
    """Looks before each entry is validated: a million wrong ones would be a million errors."""

    def bounded(value: object) -> object:
        if isinstance(value, dict | list) and len(value) > most:
            raise PydanticCustomError("too_long", "too many entries", {"max_length": most})
        return value

    return BeforeValidator(bounded)


def _few_parts(messages: object) -> object:
    """Each message may have many parts and calls, but not all of them at once: that would keep other requests waiting.

    More messages than are allowed are not looked through.
    """
    if not isinstance(messages, list) or len(messages) > MAX_MESSAGES:
        return messages
    known = [message for message in messages if isinstance(message, dict)]
    lists = [message.get(name) for message in known for name in ("content", "tool_calls")]
    parts = sum(len(held) for held in lists if isinstance(held, list))
    if parts > MAX_PARTS_IN_ALL:
        bounds = {"most": MAX_PARTS_IN_ALL, "parts": parts}
        raise PydanticCustomError("too_many_parts", "expected at most {most} parts in all, got {parts}", bounds)
    return messages


# Branches of unions have names that are no field's: errors are told by the names that the client's body holds.
_FUNCTION, _CUSTOM, _OTHER = "a function", "a custom tool", "another tool"


def _kind_of_tool(value: object) -> str:
    """What names no other type is to be a function, and is told what it lacks of one."""
    kind = value.get("type") if isinstance(value, dict) else None
    return _OTHER if isinstance(kind, str) and kind != "function" else _FUNCTION


def _kind_of_call(value: object) -> str:
    return _CUSTOM if isinstance(value, dict) and value.get("type") == "custom" else _FUNCTION


# JSON is read with larger ones than it is written with: orjson writes 64 bits.
Whole = Annotated[int, BeforeValidator(_as_whole), Field(ge=-(2**63), lt=2**64)]
Options = Annotated[dict[str, Any], _at_most(MAX_OPTIONS)]

# TypedDicts keep what else they hold, as the body does; those that are told apart by their fields must not.
_told_apart = with_config(ConfigDict(extra="ignore"))


class TextPart(TypedDict):
    type: Literal["text", "input_text"]
    text: str


class RefusalPart(TypedDict):
    type: Literal["refusal"]
    refusal: str


class Address(TypedDict):
    url: str


class ImagePart(TypedDict):
    type: Literal["image_url"]
    image_url: str | Address


class VideoPart(TypedDict):
    type: Literal["video_url"]
    video_url: str | Address


class InputAudio(TypedDict):
    data: str
    format: Annotated[str, Field(pattern=r"^[A-Za-z0-9.+-]{1,32}$")]


class AudioPart(TypedDict):
    type: Literal["input_audio"]
    input_audio: InputAudio


class FileSource(TypedDict):
    file_data: NotRequired[str | None]
    file_id: NotRequired[str | None]
    filename: NotRequired[str | None]


class FilePart(TypedDict):
    type: Literal["file"]
    file: FileSource


ContentPart = TextPart | RefusalPart | ImagePart | VideoPart | AudioPart | FilePart
_Part = Annotated[ContentPart, Field(discriminator="type"), BeforeValidator(_as_part)]
Content = str | Annotated[list[_Part], Field(max_length=MAX_PARTS, fail_fast=True)] | None


class CalledFunction(TypedDict):
    name: str
    arguments: NotRequired[str | None]


@final
@_told_apart
class FunctionCall(TypedDict):
    id: str
    type: NotRequired[Literal["function", "custom"]]  # never "custom", but whoever sends a third is told of both
    function: CalledFunction


class CalledCustomTool(TypedDict):
    name: str
    input: NotRequired[str | None]


@final
@_told_apart
class CustomCall(TypedDict):
    id: str
    type: Literal["custom"]
    custom: CalledCustomTool


CalledTool = FunctionCall | CustomCall
_Call = Annotated[
    Annotated[FunctionCall, Tag(_FUNCTION)] | Annotated[CustomCall, Tag(_CUSTOM)], Discriminator(_kind_of_call)
]


class PlainMessage(TypedDict):
    role: Literal["system", "developer", "user"]
    content: NotRequired[Content]


class AssistantMessage(TypedDict):
    """Reasoning comes back from clients under both names, `reasoning` from some as an object."""

    role: Literal["assistant"]
    content: NotRequired[Content]
    refusal: NotRequired[str | None]
    reasoning_content: NotRequired[Any]
    reasoning: NotRequired[Any]
    tool_calls: NotRequired[Annotated[list[_Call], Field(max_length=MAX_TOOLS, fail_fast=True)] | None]
    function_call: NotRequired[CalledFunction | None]


class ToolMessage(TypedDict):
    role: Literal["tool"]
    tool_call_id: str
    content: NotRequired[Content]


class FunctionMessage(TypedDict):
    role: Literal["function"]
    name: str
    content: NotRequired[Content]


ChatMessage = PlainMessage | AssistantMessage | ToolMessage | FunctionMessage


class Function(TypedDict):
    name: Annotated[str, Field(min_length=1)]
    description: NotRequired[str | None]
    parameters: NotRequired[dict[str, Any] | None]


class FunctionTool(TypedDict):
    type: NotRequired[Literal["function"]]
    function: Function


@final
@_told_apart
class OtherTool(TypedDict):
    """`custom`, `web_search`, …: Poe's bots take functions alone."""

    type: str


class NamedFunction(TypedDict):
    name: str


class NamedCustomTool(TypedDict):
    name: str


class NamedChoice(TypedDict):
    type: Literal["function"]
    function: NamedFunction


class CustomChoice(TypedDict):
    type: Literal["custom"]
    custom: NamedCustomTool


class AllowedFunction(TypedDict):
    type: NotRequired[Literal["function"]]
    function: NamedFunction


_Other = Annotated[OtherTool, Tag(_OTHER)]
AnyTool = Annotated[Annotated[FunctionTool, Tag(_FUNCTION)] | _Other, Discriminator(_kind_of_tool)]
AllowedTool = Annotated[Annotated[AllowedFunction, Tag(_FUNCTION)] | _Other, Discriminator(_kind_of_tool)]


class AllowedTools(TypedDict):
    mode: Literal["auto", "required"]
    tools: Annotated[list[AllowedTool], Field(max_length=MAX_TOOLS, fail_fast=True)]


class AllowedChoice(TypedDict):
    type: Literal["allowed_tools"]
    allowed_tools: AllowedTools


class StreamOptions(TypedDict):
    include_usage: NotRequired[bool | None]
    include_obfuscation: NotRequired[bool | None]


class AcceptedParameters(BaseModel):
    """Parameters of OpenAI's reference that are taken, with their type checked, and have no effect."""

    audio: Options | None = None
    metadata: Options | None = None
    moderation: Options | None = None
    prediction: Options | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: Options | None = None
    prompt_cache_retention: str | None = None
    safety_identifier: str | None = None
    service_tier: str | None = None
    store: bool | None = None
    user: str | None = None


class OptionalParameters(AcceptedParameters):
    """Those that go to a parameter of the bot's own, or that the gateway itself sees to."""

    frequency_penalty: float | None = None
    logprobs: bool | None = None
    modalities: Annotated[list[Any], _at_most(MAX_OPTIONS)] | None = None
    n: Annotated[Whole, Field(ge=1, le=MAX_CHOICES)] | None = None
    parallel_tool_calls: bool | None = None
    presence_penalty: float | None = None
    reasoning_effort: str | None = None
    response_format: Options | None = None
    seed: Whole | None = None
    top_logprobs: Whole | None = None
    top_p: float | None = None
    verbosity: str | None = None
    web_search_options: Options | None = None


class ChatCompletionBody(OptionalParameters):
    model_config = ConfigDict(extra="allow")

    model: Annotated[str, Field(min_length=1, max_length=512)]
    messages: Annotated[
        list[Annotated[ChatMessage, Field(discriminator="role")]],
        Field(min_length=1, max_length=MAX_MESSAGES, fail_fast=True),
        BeforeValidator(_few_parts),
    ]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    logit_bias: Annotated[dict[str, Annotated[float, Field(ge=-100, le=100)]], _at_most(MAX_BIASED_TOKENS)] | None = (
        None
    )
    stop: str | Annotated[list[str], Field(max_length=MAX_STOPS, fail_fast=True)] | None = None
    max_tokens: Annotated[Whole, Field(gt=0, le=MAX_TOKENS)] | None = None
    max_completion_tokens: Annotated[Whole, Field(gt=0, le=MAX_TOKENS)] | None = None
    tools: Annotated[list[AnyTool], Field(max_length=MAX_TOOLS, fail_fast=True)] | None = None
    functions: Annotated[list[Function], Field(max_length=MAX_TOOLS, fail_fast=True)] | None = None
    tool_choice: (
        Literal["none", "auto", "required", "any"]
        | Annotated[NamedChoice | CustomChoice | AllowedChoice, Field(discriminator="type")]
        | None
    ) = None
    function_call: Literal["none", "auto"] | NamedFunction | None = None
    extra_body: Options | None = None
