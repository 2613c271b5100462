"""Tool calls as JSON, which many models write between the tags: `{"name": …, "arguments": {…}}`, one or several."""

import json  # noqa: TID251 - it alone reads one value after another
from collections.abc import Mapping
from typing import Any

import orjson

from poe2openai.core.request import Tool
from poe2openai.pipeline.json_repairs import continuation
from poe2openai.pipeline.tool_values import fit
from poe2openai.pipeline.xml_call import new_call_id
from poe2openai.poe.events import ToolCallDelta

MOST_CALLS = 128

_decoder = json.JSONDecoder()


def read_calls(text: str, tools: Mapping[str, Tool], first_index: int) -> list[ToolCallDelta] | None:
    """The calls in a text that is nothing but calls of these tools; None for any other."""
    values = _values(text.strip())
    if not values or len(values) > MOST_CALLS:
        return None
    calls: list[ToolCallDelta] = []
    for index, value in enumerate(values, first_index):
        call = _call(value, tools, index)
        if call is None:
            return None
        calls.append(call)
    return calls


def _call(value: Any, tools: Mapping[str, Tool], index: int) -> ToolCallDelta | None:
    if not isinstance(value, dict):
        return None
    if isinstance(function := value.get("function"), dict):  # as OpenAI writes it
        value = function
    tool = tools.get(name) if isinstance(name := value.get("name"), str) else None
    if tool is None:
        return None
    arguments = value.get("arguments", value.get("parameters", {}))
    if isinstance(arguments, str):
        arguments = _object(arguments)
    if arguments is None:
        arguments = {}
    if not isinstance(arguments, dict):
        return None
    fitted = fit(arguments, tool.parameters or {})
    try:
        written = orjson.dumps(fitted).decode()
    except (orjson.JSONEncodeError, UnicodeEncodeError):
        return None
    return ToolCallDelta(index, new_call_id(), tool.name, written)


def _values(text: str) -> list[Any]:
    """One JSON value or several; of a list, its items. What is not quite JSON is repaired where nothing is lost."""
    values: list[Any] = []
    try:
        value = orjson.loads(text)
        return value if isinstance(value, list) else [value]
    except ValueError:
        pass
    place = 0
    try:
        while place < len(text) and len(values) <= MOST_CALLS:
            value, end = _decoder.raw_decode(text, place)
            values.append(value)
            place = end + len(text[end:]) - len(text[end:].lstrip(", \t\r\n"))
        return values
    except (ValueError, RecursionError):
        repaired = continuation("", text)
        value = orjson.loads(repaired) if repaired is not None else None
        return value if isinstance(value, list) else [value]


def _object(text: str) -> Any:
    if not text.strip():
        return {}
    try:
        return orjson.loads(text)
    except ValueError:
        repaired = continuation("", text)
        return None if repaired is None else orjson.loads(repaired)
