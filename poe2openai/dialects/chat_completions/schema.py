"""The body of a request (OpenAI API reference, Create chat completion), as loose as its clients in the field.

`null` is the same as absent. What a message or a part holds besides is ignored; a field of the body that OpenAI's
reference does not have is the bot's own parameter. Messages are TypedDicts: a history of them validates in half the
time of models.
"""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

MAX_MESSAGES = 10_000
MAX_PARTS = 10_000
MAX_TOOLS = 10_000
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


def _bounded(value: object) -> object:
    """Looks before each entry is validated: a million wrong ones would be a million errors."""
    if isinstance(value, dict) and len(value) > MAX_BIASED_TOKENS:
        raise PydanticCustomError("too_long", "too many tokens", {"max_length": MAX_BIASED_TOKENS})
    return value


Whole = Annotated[int, BeforeValidator(_as_whole)]


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


class CalledTool(TypedDict):
    id: str
    type: NotRequired[Literal["function"]]
    function: CalledFunction


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
    tool_calls: NotRequired[Annotated[list[CalledTool], Field(max_length=MAX_TOOLS, fail_fast=True)] | None]
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


class NamedFunction(TypedDict):
    name: str


class NamedChoice(TypedDict):
    type: Literal["function"]
    function: NamedFunction


class AllowedTool(TypedDict):
    type: NotRequired[Literal["function"]]
    function: NamedFunction


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

    audio: dict[str, Any] | None = None
    frequency_penalty: float | None = None
    logprobs: bool | None = None
    metadata: dict[str, Any] | None = None
    modalities: list[Any] | None = None
    moderation: dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    prediction: dict[str, Any] | None = None
    presence_penalty: float | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: dict[str, Any] | None = None
    prompt_cache_retention: str | None = None
    reasoning_effort: str | None = None
    response_format: dict[str, Any] | None = None
    safety_identifier: str | None = None
    seed: Whole | None = None
    service_tier: str | None = None
    store: bool | None = None
    top_logprobs: Whole | None = None
    top_p: float | None = None
    user: str | None = None
    verbosity: str | None = None
    web_search_options: dict[str, Any] | None = None


class ChatCompletionBody(AcceptedParameters):
    model_config = ConfigDict(extra="allow")

    model: Annotated[str, Field(min_length=1, max_length=512)]
    messages: Annotated[
        list[Annotated[ChatMessage, Field(discriminator="role")]],
        Field(min_length=1, max_length=MAX_MESSAGES, fail_fast=True),
    ]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    logit_bias: Annotated[dict[str, Annotated[float, Field(ge=-100, le=100)]], BeforeValidator(_bounded)] | None = None
    stop: str | Annotated[list[str], Field(max_length=MAX_STOPS, fail_fast=True)] | None = None
    max_tokens: Annotated[Whole, Field(gt=0, le=MAX_TOKENS)] | None = None
    max_completion_tokens: Annotated[Whole, Field(gt=0, le=MAX_TOKENS)] | None = None
    n: Annotated[Whole, Field(ge=1, le=1)] | None = None
    tools: Annotated[list[FunctionTool], Field(max_length=MAX_TOOLS, fail_fast=True)] | None = None
    functions: Annotated[list[Function], Field(max_length=MAX_TOOLS, fail_fast=True)] | None = None
    tool_choice: (
        Literal["none", "auto", "required"] | Annotated[NamedChoice | AllowedChoice, Field(discriminator="type")] | None
    ) = None
    function_call: Literal["none", "auto"] | NamedFunction | None = None
    extra_body: dict[str, Any] | None = None
