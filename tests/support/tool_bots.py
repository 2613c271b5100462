"""Little agents on `fastapi_poe`: each reads the request as it came and answers as a model would, the same each time.

What they write is `FILE_TEXT`, byte for byte, where a tool or a schema has room for a file's content.
"""

import asyncio
import json
import random
import re
from collections.abc import AsyncIterable, Iterator, Mapping, Sequence
from typing import Any

import fastapi_poe as fp
from fastapi import HTTPException
from sse_starlette.event import ServerSentEvent

from tests.support.bot_server import FILE_NAME, FILE_TEXT, NO_TOOLS, SECOND_NAME, TWO_FILES

Answer = AsyncIterable[fp.PartialResponse | ServerSentEvent]
Schema = Mapping[str, Any]

_CONTENT_NAMES = ("content", "contents", "text", "body")
_RESULT = re.compile(r"<tool_result name=[^>]*>\n(.*?)\n</tool_result>", re.DOTALL)


class NativeAgent(fp.PoeBot):
    """Calls a tool natively, in pieces, and says what it gave. It is as strict with histories as Poe is."""

    supported_features = ("tools",)

    async def get_response(self, request: fp.QueryRequest) -> Answer:
        if fault := _fault(request):
            yield fp.ErrorResponse(text=fault, allow_retry=False)
            return
        if results := _native_results(request):
            yield fp.PartialResponse(text=_said_of(results))
            return
        tools = [tool.model_dump()["function"] for tool in request.tools or ()]
        if not tools:
            yield fp.PartialResponse(text="No tools are here.")
            return
        yield fp.PartialResponse(text="Let me use a tool.")
        for index, (name, arguments) in enumerate(_calls(tools, request.query[-1].content)):
            function = {"name": name, "arguments": ""}
            yield json_event([{"index": index, "id": f"call_{index}", "type": "function", "function": function}])
            for piece in _pieces(json.dumps(arguments)):
                yield json_event([{"index": index, "function": {"arguments": piece}}])
        yield json_event(None, "tool_calls")


class PlainAgent(fp.PoeBot):
    """Knows neither tools nor JSON mode: it does what the last message asks for, in text, and talks around it."""

    pause = 0.0

    async def get_response(self, request: fp.QueryRequest) -> Answer:
        if _speaks_of_tools(request):
            yield fp.ErrorResponse(text=NO_TOOLS, allow_retry=False)
            return
        for piece in _pieces(self.answer(request)):
            yield fp.PartialResponse(text=piece)
            if self.pause:
                await asyncio.sleep(self.pause)

    def answer(self, request: fp.QueryRequest) -> str:
        asked = request.query[-1].content
        if results := _RESULT.findall(asked):
            return _said_of(results)
        if tools := _tools_in(asked):
            return "Let me use a tool.\n\n" + _as_xml(_calls(tools, asked))
        if schema := _schema_in(asked):
            return _in_prose(_value(schema, schema))
        return "No tools are here."


class RefusingAgent(PlainAgent):
    """Poe's list promises tools, and the bot knows none."""

    supported_features = ("tools",)


class RejectingAgent(RefusingAgent):
    """Refuses by an HTTP status, as Poe itself does with queries that it finds wrong."""

    def handle_query(self, request: fp.QueryRequest, context: fp.RequestContext) -> AsyncIterable[ServerSentEvent]:
        if _speaks_of_tools(request):
            raise HTTPException(400, NO_TOOLS)
        return super().handle_query(request, context)


class JsonBot(PlainAgent):
    """Writes JSON when it is asked to; `wrong_answers` of a conversation are not what the schema says."""

    pause = 0.002
    wrong_answers = 0

    def answer(self, request: fp.QueryRequest) -> str:
        schema = _schema_in(request.query[-1].content) or _schema_in(_all_said(request))
        if schema is None:
            return "I was not told what the JSON is to look like."
        earlier = sum(message.role == "bot" for message in request.query)
        return _in_prose({"note": "of another kind"} if earlier < self.wrong_answers else _value(schema, schema))


class JsonBotOnceWrong(JsonBot):
    wrong_answers = 1


class JsonBotNever(JsonBot):
    wrong_answers = 1_000


class EditorBot(PlainAgent):
    """Edits files as aider asks for it: in a block to search and replace, or in a listing of the whole file."""

    def answer(self, request: fp.QueryRequest) -> str:
        if "SEARCH/REPLACE" in _all_said(request):
            edit = f"<<<<<<< SEARCH\n=======\n{FILE_TEXT}\n>>>>>>> REPLACE"
            return f"A file it is.\n\n{FILE_NAME}\n```html\n{edit}\n```\n"
        return f"A file it is.\n\n{FILE_NAME}\n```\n{FILE_TEXT}\n```\n"


def tool_bots() -> list[fp.PoeBot]:
    kinds: dict[str, type[fp.PoeBot]] = {
        "native-agent": NativeAgent,
        "plain-agent": PlainAgent,
        "refusing-agent": RefusingAgent,
        "rejecting-agent": RejectingAgent,
        "editor-bot": EditorBot,
        "json-bot": JsonBot,
        "json-bot-once-wrong": JsonBotOnceWrong,
        "json-bot-never": JsonBotNever,
    }
    return [kind(path=f"/bot/{name}") for name, kind in kinds.items()]


def _speaks_of_tools(request: fp.QueryRequest) -> bool:
    native = any(message.role == "tool" or message.message_type == "function_call" for message in request.query)
    return bool(request.tools or request.tool_calls or request.tool_results or native)


def _fault(request: fp.QueryRequest) -> str:
    """What Poe and the makers of its models refuse: results that are nobody's, calls that have none."""
    known = {call.id for call in request.tool_calls or ()}
    if not all(result.tool_call_id in known for result in request.tool_results or ()):
        return "No tool call found for a tool result."
    seen: set[str] = set()
    for message, follower in zip(request.query, [*request.query[1:], None], strict=True):
        if not message.content.strip() and not message.attachments:
            return "A message is empty."
        if message.message_type != "function_call":
            continue
        asked = [call["id"] for call in json.loads(message.content)]
        if follower is None or follower.role != "tool":
            return "Tool calls have no results."
        if asked != [result["tool_call_id"] for result in json.loads(follower.content)] or seen & {*asked}:
            return "Tool results are not those of the calls."
        seen |= {*asked}
    answered = sum(message.message_type == "function_call" for message in request.query)
    if answered != sum(message.role == "tool" for message in request.query):
        return "Tool results have no calls."
    return ""


def _native_results(request: fp.QueryRequest) -> list[str]:
    """Of the round that the conversation ends with."""
    last = request.query[-1]
    return [result["content"] for result in json.loads(last.content)] if last.role == "tool" else []


def _calls(tools: Sequence[Schema], question: str) -> list[tuple[str, dict[str, Any]]]:
    """One call, of the tool that writes files where there is one; of two files two."""
    tool = next((tool for tool in tools if _writes_files(tool["parameters"])), tools[0])
    arguments = _value(tool["parameters"], tool["parameters"])
    calls = [(tool["name"], arguments)]
    if TWO_FILES in question:
        calls.append((tool["name"], {**arguments, "path": SECOND_NAME}))
    return calls


def _writes_files(parameters: Schema) -> bool:
    names = parameters["properties"]
    return "path" in names and any(name in names for name in _CONTENT_NAMES)


def _value(schema: Schema, root: Schema, name: str = "") -> Any:
    """What the schema allows: always the first of its choices, and the file's name and text where they fit."""
    if reference := schema.get("$ref"):
        target: Any = root
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]
        return _value(target, root, name)
    if choices := schema.get("enum") or ([schema["const"]] if "const" in schema else None):
        return choices[0]
    if branches := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
        return _value(next(each for each in branches if each.get("type") != "null"), root, name)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    match kind if isinstance(kind, str) else kind[0]:
        case "object":
            return {key: _value(each, root, key) for key, each in schema.get("properties", {}).items()}
        case "array":
            return [_value(schema.get("items", {}), root)]
        case "integer":
            return 3
        case "number":
            return 1.5
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return FILE_NAME if name == "path" else FILE_TEXT


def _as_xml(calls: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """In the form that the gateway's prompt asks for: strings as they are, all else as JSON."""
    invokes = "\n".join(
        f'<invoke name="{name}">\n'
        + "".join(f'<parameter name="{key}">{_written(value)}</parameter>\n' for key, value in arguments.items())
        + "</invoke>"
        for name, arguments in calls
    )
    return f"<tool_call>\n{invokes}\n</tool_call>"


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _in_prose(value: Any) -> str:
    return f"Here is what you asked for:\n\n```json\n{json.dumps(value, ensure_ascii=False, indent=2)}\n```\n\nEnjoy!"


def _said_of(results: Sequence[str]) -> str:
    return "The tool said: " + "; ".join(results)


def _all_said(request: fp.QueryRequest) -> str:
    return "\n".join(message.content for message in request.query)


def _tools_in(prompt: str) -> list[dict[str, Any]]:
    """Those that a prompt lists, if it also gives the form to call them in."""
    if '<invoke name="' not in prompt:
        return []
    return [found for found in _objects(prompt) if isinstance(found.get("parameters"), dict) and "name" in found]


def _schema_in(prompt: str) -> dict[str, Any] | None:
    """The first JSON schema of an object in a text."""
    return next((found for found in _objects(prompt) if "properties" in found or "$ref" in found), None)


def _objects(text: str) -> Iterator[dict[str, Any]]:
    decoder = json.JSONDecoder()
    at = text.find("{")
    while at >= 0:
        try:
            found, at = decoder.raw_decode(text, at)
            yield found
        except ValueError:
            at += 1
        at = text.find("{", at)


def _pieces(text: str) -> Iterator[str]:
    chance = random.Random(text)
    while text:
        size = chance.randint(1, 7)
        yield text[:size]
        text = text[size:]


def json_event(tool_calls: list[dict[str, Any]] | None, finish_reason: str | None = None) -> ServerSentEvent:
    delta = {} if tool_calls is None else {"tool_calls": tool_calls}
    choices = [{"index": 0, "delta": delta, "finish_reason": finish_reason}]
    return ServerSentEvent(data=json.dumps({"choices": choices}), event="json")
