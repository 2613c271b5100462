"""A `ModelRequest` becomes the JSON of a bot query (Poe's protocol specification, "Requests", type `query`)."""

import mimetypes
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypedDict

import orjson

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.request import (
    Inline,
    Media,
    Message,
    ModelRequest,
    Part,
    Text,
    Tool,
    ToolCall,
    ToolChoiceMode,
    ToolResult,
)

# What Poe's bots call the bound on an answer's length, the commonest first.
TOKEN_LIMIT_PARAMETERS = ("max_output_tokens", "max_tokens", "max_completion_tokens")

# Poe answers a user's message: where a conversation ends with the bot's own words, the bot is asked to go on.
CONTINUE = "Continue."


class Attachment(TypedDict):
    url: str
    content_type: str
    name: str


class PoeMessage(TypedDict):
    role: Literal["system", "user", "bot"]
    content: str
    content_type: Literal["text/markdown"]
    attachments: NotRequired[list[Attachment]]
    parameters: NotRequired[dict[str, Any]]


class Query(TypedDict):
    version: Literal["1.2"]
    type: Literal["query"]
    query: list[PoeMessage]
    user_id: str
    conversation_id: str
    message_id: str
    temperature: NotRequired[float]
    logit_bias: NotRequired[Mapping[str, float]]
    stop_sequences: NotRequired[list[str]]
    tools: NotRequired[list[dict[str, Any]]]
    tool_calls: NotRequired[list[dict[str, Any]]]
    tool_results: NotRequired[list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class _Run:
    """Neighbours of one role, which Poe gets as one message; joined once, as a run may be all of a long history."""

    role: Literal["system", "user", "bot"]
    texts: list[str]
    attachments: list[Attachment]

    def message(self) -> PoeMessage:
        content = "\n\n".join(text for text in self.texts if text)
        message: PoeMessage = {"role": self.role, "content": content, "content_type": "text/markdown"}
        if self.attachments:
            message["attachments"] = self.attachments
        return message


@dataclass(frozen=True, slots=True)
class BotPolicy:
    """What the owner's models.yaml and Poe's list say of one bot.

    `declared` holds the names of the parameters that the bot's entry in Poe's list declares, None where it has none.
    """

    system_as_user: bool = False
    system_prompt: str | None = None
    parameters: Mapping[str, Any] | None = None
    declared: frozenset[str] | None = None


def build_query(request: ModelRequest, policy: BotPolicy) -> bytes:
    """The body to post. Raises `GatewayError` for media that cannot be handed on and for messages without content."""
    history, tool_round = _split_tool_round(request.messages)
    messages = _poe_messages(history, policy)
    if not messages and tool_round is None:
        raise GatewayError(ErrorKind.INVALID_REQUEST, "The messages have no content.", param="messages")
    _let_user_ask(messages, answered=tool_round is not None)
    if parameters := _parameters(request, policy):
        _last_user_message(messages)["parameters"] = parameters
    query: Query = {
        "version": "1.2",
        "type": "query",
        "query": messages,
        "user_id": "",
        "conversation_id": "",
        "message_id": "",
    }
    if request.sampling.temperature is not None:
        query["temperature"] = request.sampling.temperature
    if request.sampling.logit_bias:
        query["logit_bias"] = request.sampling.logit_bias
    if request.stop:
        query["stop_sequences"] = list(request.stop)
    if tools := _tools(request):
        query["tools"] = tools
    if tool_round is not None:
        query["tool_calls"], query["tool_results"] = tool_round
    return orjson.dumps(query)


def _poe_messages(history: Sequence[Message], policy: BotPolicy) -> list[PoeMessage]:
    """Poe's form of the history: empty messages left out, neighbours of one role joined by a blank line."""
    names = _call_names(history)
    runs: list[_Run] = []
    if policy.system_prompt:
        history = (Message("system", (Text(policy.system_prompt),)), *history)
    for message in history:
        content = _content(message.parts, names)
        attachments = [_attachment(part) for part in message.parts if isinstance(part, Media)]
        if not content and not attachments:
            continue
        role = _poe_role(message, policy)
        if not runs or runs[-1].role != role:
            runs.append(_Run(role, [], []))
        runs[-1].texts.append(content)
        runs[-1].attachments.extend(attachments)
    return [run.message() for run in runs]


def _poe_role(message: Message, policy: BotPolicy) -> Literal["system", "user", "bot"]:
    match message.role:
        case "assistant":
            return "bot"
        case "system":
            return "user" if policy.system_as_user else "system"
        case "user" | "tool":
            return "user"


def _let_user_ask(messages: list[PoeMessage], *, answered: bool) -> None:
    """Sees to it that somebody asks: Poe answers a user's message, and parameters travel in the last one."""
    if not any(message["role"] == "user" for message in messages):
        # Instructions alone are the question themselves.
        last = messages[-1] if messages else None
        if last is not None and last["role"] == "system":
            last["role"] = "user"
        else:
            messages.append({"role": "user", "content": CONTINUE, "content_type": "text/markdown"})
    elif messages[-1]["role"] == "bot" and not answered:
        messages.append({"role": "user", "content": CONTINUE, "content_type": "text/markdown"})


def _last_user_message(messages: list[PoeMessage]) -> PoeMessage:
    return [message for message in messages if message["role"] == "user"][-1]


def _parameters(request: ModelRequest, policy: BotPolicy) -> dict[str, Any]:
    """The owner's defaults, overridden by what the client sent beyond OpenAI's own parameters."""
    parameters = {**(policy.parameters or {}), **request.extra}
    if request.max_tokens is not None and not any(name in parameters for name in TOKEN_LIMIT_PARAMETERS):
        # A private bot has no entry in Poe's list: it gets what the client sent.
        declared = {"max_tokens"} if policy.declared is None else policy.declared
        name = next((name for name in TOKEN_LIMIT_PARAMETERS if name in declared), None)
        if name is not None:
            parameters[name] = request.max_tokens
    return parameters


def _content(parts: Sequence[Part], names: Mapping[str, str]) -> str:
    return "\n\n".join(text for text in (_part_text(part, names) for part in parts) if text)


def _part_text(part: Part, names: Mapping[str, str]) -> str:
    match part:
        case Text(text):
            return text
        case ToolCall(_, name, arguments):
            return f"[Called the tool {name} with {arguments}]"
        case ToolResult():
            outcome = "failed with" if part.is_error else "gave"
            return f"[The tool {names.get(part.call_id, part.call_id)} {outcome}]\n{_result_text(part)}"
        case _:
            return ""


def _result_text(result: ToolResult) -> str:
    return _content(result.parts, {})


def _attachment(media: Media) -> Attachment:
    if isinstance(media.source, Inline):
        raise GatewayError(
            ErrorKind.INVALID_REQUEST,
            "Files sent along in a request cannot be uploaded to Poe by this version: give the file's http(s) URL.",
            param=media.param,
        )
    url = media.source.url
    path = url.split("?", 1)[0].split("#", 1)[0]
    name = media.name or path.rsplit("/", 1)[-1] or "file"
    return {"url": url, "content_type": media.media_type or mimetypes.guess_type(path)[0] or "image/png", "name": name}


def _tools(request: ModelRequest) -> list[dict[str, Any]]:
    """The tools in the form that Poe demands: description, type and properties have to be there."""
    choice = request.tool_choice
    if choice.mode is ToolChoiceMode.NONE:
        return []
    return [_tool(tool) for tool in request.tools if not choice.names or tool.name in choice.names]


def _tool(tool: Tool) -> dict[str, Any]:
    schema = tool.parameters or {}
    parameters: dict[str, Any] = {**schema, "type": "object", "properties": schema.get("properties") or {}}
    return {
        "type": "function",
        "function": {"name": tool.name, "description": tool.description or tool.name, "parameters": parameters},
    }


ToolRound = tuple[list[dict[str, Any]], list[dict[str, Any]]]


def _split_tool_round(messages: Sequence[Message]) -> tuple[Sequence[Message], ToolRound | None]:
    """Takes the latest round of tools off a history that ends with results: Poe wants it beside the query.

    Poe refuses a result whose call it was not shown, so a round that does not match stays in the history, as text.
    """
    end = len(messages)
    while end and messages[end - 1].role == "tool":
        end -= 1
    if end == len(messages) or not end or messages[end - 1].role != "assistant":
        return messages, None
    asking = messages[end - 1]
    calls = {part.id: part for part in asking.parts if isinstance(part, ToolCall)}
    results = [part for message in messages[end:] for part in message.parts if isinstance(part, ToolResult)]
    if not calls or sorted(calls) != sorted(result.call_id for result in results):
        return messages, None
    said = tuple(part for part in asking.parts if not isinstance(part, ToolCall))
    history = (*messages[: end - 1], Message("assistant", said))
    return history, (
        [_call_json(call) for call in calls.values()],
        [_result_json(result, calls[result.call_id].name) for result in results],
    )


def _call_json(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _result_json(result: ToolResult, name: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": result.call_id, "name": name, "content": _result_text(result)}


def _call_names(messages: Iterable[Message]) -> dict[str, str]:
    return {part.id: part.name for message in messages for part in message.parts if isinstance(part, ToolCall)}
