"""A `ModelRequest` becomes the JSON of a bot query (Poe's protocol specification, "Requests", type `query`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NotRequired, TypedDict

import orjson

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.request import Message, ModelRequest, Text, Tool
from poe2openai.poe.history import HistoryForm, PoeMessage, as_single_message, last_round, poe_messages
from poe2openai.poe.parameters import Declared, bot_parameters
from poe2openai.poe.tool_history import repair
from poe2openai.poe.tool_prompt import RESULT_TAG

# Poe answers a user's message: where a conversation ends with the bot's own words, the bot is asked to go on.
CONTINUE = "Continue."


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
class BotPolicy:
    """What the owner's models.yaml and Poe's list say of one bot.

    `declared` holds the parameters that the bot's entry in Poe's list declares, None where it has none.
    """

    system_as_user: bool = False
    system_prompt: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    declared: Declared | None = None
    single_message: bool = False


@dataclass(frozen=True, slots=True)
class Wording:
    """How one request is put to one bot.

    `history` is the form of earlier tool calls, `tools` those that go in Poe's own field. `demands` are said below the
    last message, and `flags` behind it.
    """

    history: HistoryForm = "text"
    tools: Sequence[Tool] = ()
    demands: Sequence[str] = ()
    flags: Sequence[str] = ()


def build_query(request: ModelRequest, policy: BotPolicy, wording: Wording | None = None) -> bytes:
    """The body to post. Raises `GatewayError` for media that cannot be handed on and for messages without content."""
    wording = wording or Wording()
    history = repair(request.messages)
    messages = poe_messages(
        (Message("system", (Text(policy.system_prompt),)), *history) if policy.system_prompt else history,
        wording.history,
        system_as_user=policy.system_as_user,
    )
    if not messages:
        raise GatewayError(ErrorKind.INVALID_REQUEST, "The messages have no content.", param="messages")
    _let_user_ask(messages)
    if policy.single_message:
        messages = [as_single_message(messages)]
    _say(_last_user_message(messages), wording)
    if parameters := bot_parameters(request, policy.parameters, policy.declared):
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
    if stop := _stop_sequences(request, wording):
        query["stop_sequences"] = stop
    if wording.tools:
        query["tools"] = [_tool(tool) for tool in wording.tools]
    if latest := last_round(messages):
        query["tool_calls"], query["tool_results"] = latest.calls, latest.results
    return orjson.dumps(query)


def _let_user_ask(messages: list[PoeMessage]) -> None:
    """Sees to it that somebody asks: Poe answers a user's message, and parameters travel in the last one."""
    if not any(message["role"] == "user" for message in messages):
        # Instructions alone are the question themselves.
        if messages[-1]["role"] == "system":
            messages[-1]["role"] = "user"
        elif messages[-1]["role"] == "tool":
            first_said = next((at for at, message in enumerate(messages) if message["role"] != "system"), 0)
            messages.insert(first_said, _user_message(CONTINUE))
        else:
            messages.append(_user_message(CONTINUE))
    elif messages[-1]["role"] == "bot":
        messages.append(_user_message(CONTINUE))


def _user_message(content: str) -> PoeMessage:
    return {"role": "user", "content": content, "content_type": "text/markdown"}


def _last_user_message(messages: list[PoeMessage]) -> PoeMessage:
    return [message for message in messages if message["role"] == "user"][-1]


def _say(message: PoeMessage, wording: Wording) -> None:
    """Behind what the user said, where bots heed it most."""
    said = message["content"] + "".join(f" --{flag}" for flag in wording.flags)
    message["content"] = "\n\n".join(filter(None, (said, *wording.demands)))


def _stop_sequences(request: ModelRequest, wording: Wording) -> list[str]:
    """A bot that writes its calls as text is not to write their results as well."""
    invented = [f"<{RESULT_TAG}"] if wording.history == "xml" else []
    return [*request.stop, *invented]


def _tool(tool: Tool) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}
