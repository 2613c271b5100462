"""A Chat Completions body → `ModelRequest`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.request import (
    FileId,
    Media,
    Message,
    ModelRequest,
    OutputFormat,
    Part,
    Reasoning,
    Sampling,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolChoiceMode,
    ToolResult,
)
from poe2openai.dialects.chat_completions.options import output_format, take_reasoning, take_web_search
from poe2openai.dialects.chat_completions.schema import (
    MAX_OPTIONS,
    Address,
    AssistantMessage,
    CalledTool,
    ChatCompletionBody,
    ChatMessage,
    Content,
    ContentPart,
    FileSource,
    InputAudio,
    NamedFunction,
)
from poe2openai.dialects.json_body import parse_object, require_shallow
from poe2openai.dialects.media import NOTHING_LIFTED, Lifted, is_address, media_from_url, media_inline, pasted_media
from poe2openai.dialects.validation import path_of, validate

_AUDIO_TYPES = {"mp3": "audio/mpeg", "m4a": "audio/mp4"}
_ANY_TOOL = ToolChoice()
# Sent to the bots that declare a parameter of the name.
_SAMPLING_OPTIONS = ("seed", "top_p", "frequency_penalty", "presence_penalty", "logprobs", "top_logprobs")


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """`functions` says that the client speaks of functions, as it was before tools: calls go back in that form."""

    request: ModelRequest
    functions: bool


def decode(body: bytes, *, default_model: str = "", lifted: Lifted = NOTHING_LIFTED) -> ChatRequest:
    """Raises `GatewayError(INVALID_REQUEST)`, its `param` naming the place in the body.

    `default_model` is for a body that names no model; `lifted` was taken out of the body before.
    """
    parsed = parse_object(body)
    _require_few_unknown(parsed)
    if default_model and parsed.get("model") in (None, ""):
        parsed["model"] = default_model
    fields = validate(ChatCompletionBody, parsed)
    functions = bool(fields.functions) and not fields.tools
    extra = _extra(fields)
    tools = _tools(fields)
    request = ModelRequest(
        model=fields.model,
        messages=tuple([_message(message, index, lifted) for index, message in enumerate(fields.messages)]),
        tools=tools,
        tool_choice=_tool_choice(fields, tools),
        parallel_tool_calls=fields.parallel_tool_calls is not False and not functions,
        sampling=_sampling(fields),
        reasoning=take_reasoning(fields.reasoning_effort, extra),
        web_search=take_web_search(fields.web_search_options, parsed.get("tools"), extra),
        verbosity=fields.verbosity,
        output_format=_output_format(fields),
        stop=_stop(fields.stop),
        max_tokens=_max_tokens(fields),
        n=fields.n or 1,
        stream=fields.stream is True,
        include_usage=(fields.stream_options or {}).get("include_usage") is True,
        extra=extra,
        images="image" in (fields.modalities or ()),
        lifted=lifted,
    )
    return ChatRequest(request, functions)


def _require_few_unknown(body: Mapping[str, Any]) -> None:
    """Before anything is done for each of them; the first one that is too many is named."""
    unknown = (name for name in body if name not in ChatCompletionBody.model_fields)
    surplus = next(islice(unknown, MAX_OPTIONS, None), None)
    if surplus is not None:
        param = path_of((surplus,))
        raise _invalid(f"Too many unknown parameters: at most {MAX_OPTIONS} are taken, '{param}' is one more.", param)


def _message(message: ChatMessage, index: int, lifted: Lifted) -> Message:
    role = message["role"]
    content = message.get("content")
    if role in {"system", "developer"}:
        return Message("system", _parts(content, index, lifted, may_hold_files=False))
    parts = _parts(content, index, lifted)
    match message["role"]:
        case "assistant":
            return Message("assistant", _assistant_parts(message, parts))
        case "tool":
            return Message("tool", (ToolResult(message["tool_call_id"], parts),))
        case "function":
            return Message("tool", (ToolResult(message["name"], parts),))
        case _:
            return Message("user", parts)


def _parts(content: Content, index: int, lifted: Lifted, *, may_hold_files: bool = True) -> tuple[Part, ...]:
    """Empty texts are dropped: an empty message has no parts. Instructions may quote a `data:` URL."""
    if isinstance(content, str):
        if not may_hold_files or ";base64," not in content:
            return (Text(content),) if content else ()
        return tuple(pasted_media(content, f"messages[{index}].content", lifted))
    if not content:
        return ()
    parts: list[Part] = []
    for position, part in enumerate(content):
        made = _part(part, f"messages[{index}].content[{position}].{part['type']}", lifted)
        if may_hold_files and isinstance(made, Text):
            parts += pasted_media(made.text, f"messages[{index}].content[{position}].text", lifted)
        elif not isinstance(made, Text) or made.text:
            parts.append(made)
    return tuple(parts)


def _part(part: ContentPart, param: str, lifted: Lifted) -> Text | Media:
    match part["type"]:
        case "text" | "input_text":
            return Text(part["text"])
        case "refusal":
            return Text(part["refusal"])
        case "image_url":
            return _at_address(part["image_url"], param, lifted)
        case "video_url":
            return _at_address(part["video_url"], param, lifted)
        case "input_audio":
            return _audio(part["input_audio"], param, lifted)
        case "file":
            return _file(part["file"], param, lifted)


def _at_address(place: str | Address, param: str, lifted: Lifted) -> Media:
    return media_from_url(place if isinstance(place, str) else place["url"], param, lifted)


def _audio(audio: InputAudio, param: str, lifted: Lifted) -> Media:
    data, audio_format = audio["data"], audio["format"].lower()
    media_type = _AUDIO_TYPES.get(audio_format, f"audio/{audio_format}")
    as_media = media_from_url if is_address(data) else media_inline
    return as_media(data, f"{param}.data", lifted, media_type=media_type)


def _file(file: FileSource, param: str, lifted: Lifted) -> Media:
    """`file_data` is a `data:` URL, bare base64, or (OpenRouter's clients) an address; some put one into `file_id`."""
    data, file_id, name = file.get("file_data"), file.get("file_id"), file.get("filename")
    if data:
        as_media = media_from_url if is_address(data) else media_inline
        return as_media(data, f"{param}.file_data", lifted, name=name)
    if file_id and is_address(file_id):
        return media_from_url(file_id, f"{param}.file_id", lifted, name=name)
    if file_id:
        return Media(FileId(file_id), None, name, f"{param}.file_id")
    raise _invalid(f"Missing required parameter: '{param}.file_data'.", f"{param}.file_data")


def _assistant_parts(message: AssistantMessage, said: tuple[Part, ...]) -> tuple[Part, ...]:
    """In the order in which they came about: the thought, what was said, the calls."""
    if not said and (refusal := message.get("refusal")):
        said = (Text(refusal),)
    calls = [_call(call) for call in message.get("tool_calls") or ()]
    if function_call := message.get("function_call"):
        calls.append(ToolCall(function_call["name"], function_call["name"], function_call.get("arguments") or ""))
    thought = message.get("reasoning_content") or message.get("reasoning")
    if isinstance(thought, str) and thought:
        return (Reasoning(thought), *said, *calls)
    return (*said, *calls) if calls else said


def _call(call: CalledTool) -> ToolCall:
    """A custom tool's input is any text; it stands for the arguments."""
    if "custom" in call:
        return ToolCall(call["id"], call["custom"]["name"], call["custom"].get("input") or "")
    return ToolCall(call["id"], call["function"]["name"], call["function"].get("arguments") or "")


def _tools(fields: ChatCompletionBody) -> tuple[Tool, ...]:
    """`functions` is what tools were called before there were any. What is no function is left out."""
    if not fields.tools and not fields.functions:
        return ()
    functions = [
        (f"tools[{i}].function", tool["function"]) for i, tool in enumerate(fields.tools or ()) if "function" in tool
    ]
    functions += [(f"functions[{i}]", function) for i, function in enumerate(fields.functions or ())]
    require_shallow([(f"{param}.parameters", function.get("parameters")) for param, function in functions])
    return tuple([Tool(tool["name"], tool.get("description"), tool.get("parameters")) for _, tool in functions])


def _sampling(fields: ChatCompletionBody) -> Sampling:
    if fields.model_fields_set.isdisjoint(_SAMPLING_OPTIONS):
        return Sampling(fields.temperature, fields.logit_bias)
    others = {name: value for name in _SAMPLING_OPTIONS if (value := getattr(fields, name)) is not None}
    return Sampling(fields.temperature, fields.logit_bias, others)


def _output_format(fields: ChatCompletionBody) -> OutputFormat | None:
    if fields.response_format is not None:
        _require_shallow(fields.response_format, "response_format")
    return output_format(fields.response_format)


def _tool_choice(fields: ChatCompletionBody, tools: Sequence[Tool]) -> ToolChoice:
    """OpenAI refuses a choice that the tools cannot meet (OpenAI API reference, `tool_choice`)."""
    choice = _wanted(fields)
    param = "function_call" if fields.tool_choice is None else "tool_choice"
    if choice.mode is ToolChoiceMode.REQUIRED and not tools and not fields.tools:
        raise _invalid(f"'{param}' asks for a tool, but no tools are given.", param)
    known = {tool.name for tool in tools}
    if missing := next((name for name in choice.names if name not in known), None):
        raise _invalid(f"'{param}' names '{path_of((missing,))}', which is not among the tools.", param)
    if choice.mode is ToolChoiceMode.REQUIRED and not tools:  # those that there are, no bot of Poe's takes
        return _ANY_TOOL
    return choice


def _wanted(fields: ChatCompletionBody) -> ToolChoice:
    choice = fields.tool_choice
    if choice is None:
        return _function_choice(fields.function_call)
    if isinstance(choice, str):
        return ToolChoice(ToolChoiceMode.REQUIRED if choice == "any" else ToolChoiceMode(choice))
    if choice["type"] == "function":
        return ToolChoice(ToolChoiceMode.REQUIRED, (choice["function"]["name"],))
    if choice["type"] == "custom":
        return _ANY_TOOL
    allowed = choice["allowed_tools"]
    names = tuple([tool["function"]["name"] for tool in allowed["tools"] if "function" in tool])
    return ToolChoice(ToolChoiceMode(allowed["mode"]), names) if names else _ANY_TOOL


def _function_choice(choice: str | NamedFunction | None) -> ToolChoice:
    if choice is None:
        return _ANY_TOOL
    if isinstance(choice, str):
        return ToolChoice(ToolChoiceMode(choice))
    return ToolChoice(ToolChoiceMode.REQUIRED, (choice["name"],))


def _stop(stop: str | list[str] | None) -> tuple[str, ...]:
    if not stop:
        return ()
    if isinstance(stop, str):
        return (stop,)
    return tuple(dict.fromkeys(sequence for sequence in stop if sequence))


def _max_tokens(fields: ChatCompletionBody) -> int | None:
    """`max_completion_tokens` is the newer name; a client that sends both means the smaller."""
    if fields.max_tokens and fields.max_completion_tokens:
        return min(fields.max_tokens, fields.max_completion_tokens)
    return fields.max_tokens or fields.max_completion_tokens


def _extra(fields: ChatCompletionBody) -> dict[str, Any]:
    """Some clients send `extra_body` as it stands in their settings; what stands beside it wins."""
    if not fields.model_extra and not fields.extra_body:
        return {}
    beneath, beside = fields.extra_body or {}, fields.model_extra or {}
    _require_shallow(beneath, "extra_body")
    _require_shallow(beside)
    return {name: value for name, value in {**beneath, **beside}.items() if value is not None}


def _require_shallow(options: Mapping[str, Any], *place: str) -> None:
    """All at once, as nearly all bodies pass; paths are made only where one of them has to be told."""
    try:
        require_shallow([("", options)])
    except GatewayError:
        require_shallow([(path_of((*place, name)), value) for name, value in options.items()])


def _invalid(message: str, param: str) -> GatewayError:
    return GatewayError(ErrorKind.INVALID_REQUEST, message, param=param)
