"""A conversation becomes the messages of a bot query (Poe's protocol specification, "Requests", `query`).

Rounds of tool calls have three forms. `native`: Poe's own, a bot's message of the type `function_call` and one of the
role `tool` (Poe documentation, "Function (tool) calling"); `xml`: the form in which `tool_prompt` asks for calls;
`text`: told in words, for bots that are offered no tools or refuse the native form.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypedDict

import orjson

from poe2openai.core.content import type_by_name
from poe2openai.core.request import Media, Message, Part, Text, ToolCall, ToolResult, Url
from poe2openai.poe.tool_prompt import call_as_xml, result_as_xml
from poe2openai.poe.tool_schema import bot_name

HistoryForm = Literal["native", "xml", "text"]
PoeRole = Literal["system", "user", "bot", "tool"]

_ROLE_MARKS = {"system": "System", "user": "User", "bot": "Assistant", "tool": "Tool"}


class Attachment(TypedDict):
    url: str
    content_type: str
    name: str


class PoeMessage(TypedDict):
    role: PoeRole
    content: str
    content_type: Literal["text/markdown", "text/plain"]
    message_type: NotRequired[Literal["function_call"]]
    attachments: NotRequired[list[Attachment]]
    parameters: NotRequired[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class ToolRound:
    """Calls and their results as Poe writes them."""

    calls: list[dict[str, Any]]
    results: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _Run:
    """Neighbours of one role, which Poe gets as one message; joined once, as a run may be all of a long history."""

    role: PoeRole
    texts: list[str]
    attachments: list[Attachment]

    def message(self) -> PoeMessage:
        content = "\n\n".join(text for text in self.texts if text)
        message: PoeMessage = {"role": self.role, "content": content, "content_type": "text/markdown"}
        if self.attachments:
            message["attachments"] = self.attachments
        return message


def poe_messages(history: Sequence[Message], form: HistoryForm, *, system_as_user: bool) -> list[PoeMessage]:
    """Empty messages are left out, neighbours of one role joined by a blank line.

    The history is whole: each round of calls is followed by its results (`tool_history.repair`). Media have addresses
    that Poe knows.
    """
    writer = _Writer(form, _call_names(history))
    for message in history:
        if form == "native" and any(isinstance(part, ToolCall | ToolResult) for part in message.parts):
            writer.add_native(message)
        else:
            writer.add(_poe_role(message, system_as_user=system_as_user), message.parts)
    return writer.messages()


def last_round(messages: Sequence[PoeMessage]) -> ToolRound | None:
    """The native round that a conversation ends with, where its results are the last thing said."""
    if len(messages) < 2 or messages[-1]["role"] != "tool":
        return None
    return ToolRound(orjson.loads(messages[-2]["content"]), orjson.loads(messages[-1]["content"]))


def as_single_message(messages: Sequence[PoeMessage]) -> PoeMessage:
    """A conversation told in one message, for bots that read only the last one; a lone question stays as it is."""
    texts = [message["content"] for message in messages]
    if len(messages) > 1:
        marked = zip(messages, texts, strict=True)
        texts = [f"{_ROLE_MARKS[message['role']]}: {text}" for message, text in marked]
    single: PoeMessage = {"role": "user", "content": "\n\n".join(texts), "content_type": "text/markdown"}
    if attachments := [each for message in messages for each in message.get("attachments", ())]:
        single["attachments"] = attachments
    return single


class _Writer:
    def __init__(self, form: HistoryForm, names: Mapping[str, str]) -> None:
        self._form = form
        self._names = names
        self._written: list[_Run | PoeMessage] = []

    def messages(self) -> list[PoeMessage]:
        return [written.message() if isinstance(written, _Run) else written for written in self._written]

    def add(self, role: PoeRole, parts: Sequence[Part]) -> None:
        content = self._content(parts)
        attachments = [_attachment(part) for part in parts if isinstance(part, Media)]
        if not content and not attachments:
            return
        last = self._written[-1] if self._written else None
        if not isinstance(last, _Run) or last.role != role:
            last = _Run(role, [], [])
            self._written.append(last)
        last.texts.append(content)
        last.attachments.extend(attachments)

    def add_native(self, message: Message) -> None:
        calls = [_call_json(part) for part in message.parts if isinstance(part, ToolCall)]
        results = [_result_json(part, self._names) for part in message.parts if isinstance(part, ToolResult)]
        said = [part for part in message.parts if not isinstance(part, ToolCall | ToolResult)]
        self.add("bot" if calls else "user", said)
        if calls:
            content = orjson.dumps(calls).decode()
            call: PoeMessage = {"role": "bot", "content": content, "content_type": "text/plain"}
            self._written.append({**call, "message_type": "function_call"})
        if results:
            content = orjson.dumps(results).decode()
            self._written.append({"role": "tool", "content": content, "content_type": "text/plain"})

    def _content(self, parts: Sequence[Part]) -> str:
        return "\n\n".join(text for text in map(self._part_text, parts) if text)

    def _part_text(self, part: Part) -> str:
        match part:
            case Text(text):
                return text
            case ToolCall() if self._form == "xml":
                return call_as_xml(part)
            case ToolCall(_, name, arguments):
                return f"[Called the tool {name} with {arguments}]"
            case ToolResult(call_id) if self._form == "xml":
                return result_as_xml(part, self._names.get(call_id, call_id), _result_text(part))
            case ToolResult(call_id):
                outcome = "failed with" if part.is_error else "gave"
                return f"[The tool {self._names.get(call_id, call_id)} {outcome}]\n{_result_text(part)}"
            case _:
                return ""


def _poe_role(message: Message, *, system_as_user: bool) -> PoeRole:
    match message.role:
        case "assistant":
            return "bot"
        case "system":
            return "user" if system_as_user else "system"
        case "user" | "tool":
            return "user"


def _attachment(media: Media) -> Attachment:
    assert isinstance(media.source, Url)  # noqa: S101 (`gateway.attachments` has seen to it)
    url = media.source.url
    path = url.split("?", 1)[0].split("#", 1)[0]
    name = media.name or path.rsplit("/", 1)[-1] or "file"
    return {"url": url, "content_type": media.media_type or type_by_name(path) or "image/png", "name": name}


def _result_text(result: ToolResult) -> str:
    return "\n\n".join(part.text for part in result.parts if isinstance(part, Text) and part.text)


def _call_json(call: ToolCall) -> dict[str, Any]:
    function = {"name": bot_name(call.name), "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


def _result_json(result: ToolResult, names: Mapping[str, str]) -> dict[str, Any]:
    name = bot_name(names.get(result.call_id, result.call_id))
    return {"role": "tool", "name": name, "tool_call_id": result.call_id, "content": _result_text(result)}


def _call_names(messages: Sequence[Message]) -> dict[str, str]:
    return {part.id: part.name for message in messages for part in message.parts if isinstance(part, ToolCall)}
