"""Tools in the form that Poe demands: it refuses a query for small deviations (Poe documentation, "Function calling").

A tool has a name that every maker of models takes, a description, and parameters that are an object: of them, `type`,
`properties` and `required` are what Poe's own library hands on, so there is nothing else at their top.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from poe2openai.core.request import ModelRequest, Tool, ToolChoiceMode
from poe2openai.poe.tool_inlining import Schema, inline

MAX_NAME_LENGTH = 64
MAX_GROWTH_OF_ALL = 500_000
"""Bytes that references may add to all schemas of a request together."""
KEPT_LISTS = 16
MAX_KEPT_BYTES = 200_000

# Google's models want a letter or an underscore first.
_SAFE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
_HASH_LENGTH = 8
# orjson writes 254 levels; a query wraps the parameters in some.
_LEVELS_ADDED_LATER = 16


@dataclass(frozen=True, slots=True)
class OfferedTools:
    """The tools that a bot is told of; `original` has the client's names by the bot's.

    Requests with the same tools share them: they are not to be changed.
    """

    tools: tuple[Tool, ...]
    original: Mapping[str, str]


_NOTHING = OfferedTools((), {})


def offer(request: ModelRequest) -> OfferedTools:
    """The request's tools as `tool_choice` lets them be called; of two with one name the first counts."""
    choice = request.tool_choice
    if not request.tools or choice.mode is ToolChoiceMode.NONE:
        return _NOTHING
    listed = orjson.dumps([(tool.name, tool.description, tool.parameters) for tool in request.tools], default=dict)
    # An agent sends the same tools with each of its turns.
    offered = _prepared(listed) if len(listed) <= MAX_KEPT_BYTES else _prepared.__wrapped__(listed)
    if not choice.names:
        return offered
    names = {bot_name(name) for name in choice.names}
    tools = tuple(tool for tool in offered.tools if tool.name in names)
    return OfferedTools(tools, {tool.name: offered.original[tool.name] for tool in tools})


def bot_name(name: str) -> str:
    """The name itself where Poe and the makers of its models take it, else one like it that is nobody else's."""
    if _SAFE_NAME.fullmatch(name):
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_LENGTH]
    readable = _UNSAFE.sub("_", name).strip("_-") or "tool"
    if readable[0].isdigit():
        readable = f"_{readable}"
    return f"{readable[: MAX_NAME_LENGTH - _HASH_LENGTH - 1]}_{digest}"


@lru_cache(maxsize=KEPT_LISTS)
def _prepared(listed: bytes) -> OfferedTools:
    """`listed` is JSON, `[[name, description, parameters], …]`: what is kept holds nothing of one request's objects."""
    original: dict[str, str] = {}
    tools: list[Tool] = []
    allowance = MAX_GROWTH_OF_ALL
    for name, description, parameters in orjson.loads(listed):
        safe = bot_name(name)
        if safe in original:
            continue
        original[safe] = name
        schema = parameters if isinstance(parameters, dict) else {}
        inlined, growth = _inlined(schema, allowance)
        allowance -= growth
        told = (text for text in (description, schema.get("description"), name) if _is_said(text))
        tools.append(Tool(safe, next(told, safe), _as_object(inlined)))
    return OfferedTools(tuple(tools), original)


def _is_said(text: Any) -> bool:
    return isinstance(text, str) and bool(text.strip())


def _inlined(schema: Mapping[str, Any], allowance: int) -> tuple[Schema, int]:
    """References may lead deeper than what can be written: then they stay out."""
    inlined, growth = inline(schema, allowance)
    value: Any = inlined
    for _ in range(_LEVELS_ADDED_LATER):
        value = (value,)
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:
        return inline(schema, 0)[0], growth
    return inlined, growth


def _as_object(schema: Schema) -> Schema:
    properties, required = _members(schema)
    known = [name for name in dict.fromkeys(required) if name in properties]
    return {"type": "object", "properties": properties, "required": known}


def _members(schema: Schema) -> tuple[Schema, list[str]]:
    """Properties and required ones of an object, with those of the branches that its top is made of.

    Where branches describe a property differently, it may be either; what a branch alone requires is not required.
    """
    own = schema.get("properties", {})
    required: list[str] = list(schema.get("required", ()))
    described: dict[str, list[Schema]] = {}
    for keyword in ("allOf", "anyOf", "oneOf"):
        branches = [_members(branch) for branch in schema.get(keyword, ()) if _may_be_object(branch)]
        for properties, _ in branches:
            for name, each in properties.items():
                described.setdefault(name, []).append(each)
        names = [set(names) for _, names in branches]
        if keyword == "allOf":
            required += [name for _, names_of_one in branches for name in names_of_one]
        elif branches:
            required += [name for name in branches[0][1] if all(name in others for others in names)]
    return {**own, **{name: _either(kinds) for name, kinds in described.items() if name not in own}}, required


def _may_be_object(schema: Schema) -> bool:
    kind = schema.get("type", "object")
    return kind == "object" or (isinstance(kind, list) and "object" in kind)


def _either(kinds: Sequence[Schema]) -> Schema:
    """One schema for a property that branches describe: choices of single values become one choice of them all."""
    distinct = list({orjson.dumps(kind): kind for kind in kinds}.values())
    if len(distinct) == 1:
        return distinct[0]
    values = [_values(kind) for kind in distinct]
    if all(values):
        common = {keyword: value for keyword, value in distinct[0].items() if keyword in ("type", "title")}
        same = all(kind.get("type") == common.get("type") for kind in distinct)
        choices = list({orjson.dumps(value): value for each in values for value in each}.values())
        return {**(common if same else {}), "enum": choices}
    return {"anyOf": distinct}


def _values(kind: Schema) -> list[Any]:
    """The values that the schema allows, if it lists them and says no more than that."""
    if not kind.keys() <= {"type", "title", "description", "const", "enum", "default"}:
        return []
    return [kind["const"]] if "const" in kind else list(kind.get("enum", ()))
