"""Requests, and the ways to a bot, for tests of what lies between a dialect and Poe."""

from typing import Any

from poe2openai.core.request import Message, ModelRequest, Part, Role, Text, Tool, ToolCall, ToolResult
from poe2openai.gateway.catalog import Route

WEATHER = Tool(
    "weather",
    "Tells the weather.",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
CLOCK = Tool("clock", "Tells the time.", {"type": "object", "properties": {}})


def said(role: Role, *texts: str) -> Message:
    return Message(role, tuple(Text(text) for text in texts))


def called(*calls: ToolCall, text: str = "") -> Message:
    parts: tuple[Part, ...] = ((Text(text),) if text else ()) + calls
    return Message("assistant", parts)


def gave(call_id: str, *texts: str, is_error: bool = False) -> Message:
    return Message("tool", (ToolResult(call_id, tuple(Text(text) for text in texts), is_error),))


PARIS, ROME = ToolCall("c1", "weather", '{"city":"Paris"}'), ToolCall("c2", "weather", '{"city":"Rome"}')
ONE_ROUND = (said("user", "Weather?"), called(PARIS, ROME, text="I look."), gave("c1", "sun"), gave("c2", "rain"))


def asked(*messages: Message, **fields: Any) -> ModelRequest:
    return ModelRequest("bot", messages or (said("user", "Hi"),), **fields)


def route(bot: str = "bot", **fields: Any) -> Route:
    """The way to a bot that Poe's list says nothing of, and the owner neither."""
    unknown: dict[str, Any] = {"hold": False, "parameters": {}, "system_prompt": None, "declared": None}
    return Route(**{"model": bot, "bot": bot, **unknown, **fields})
