"""Values that a bot wrote as text take the types of a tool's JSON schema; one that fits none stays a string."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from poe2openai.pipeline.json_repairs import continuation

Schema = Mapping[str, Any]

_CDATA = ("<![CDATA[", "]]>")
_LARGEST_WORD = 64  # characters of a number, true, false or null
_ALTERNATIVES = ("anyOf", "oneOf", "allOf")


def property_schema(schema: Schema, name: str) -> Schema:
    """What the schema says of one property; nothing where it does not know it."""
    properties = schema.get("properties")
    found = properties.get(name) if isinstance(properties, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def is_plain_string(schema: Schema) -> bool:
    """Whether any text at all is such a value, as it stands."""
    return schema.get("type") == "string" and "enum" not in schema and "const" not in schema


def from_text(text: str, schema: Schema) -> Any:
    """The value that the text stands for; a string keeps every character."""
    if is_plain_string(schema):
        return text
    choices = _choices(schema)
    if choices:
        return _choice(text, choices)
    types = _types(schema)
    for kind in types or ("any",):
        if kind != "string":
            found, value = _read(_bare(text), kind)
            if found:
                return fit(value, schema)
    return text


def fit(value: Any, schema: Schema, depth: int = 0) -> Any:
    """The same value, strings inside it read where the schema wants another type."""
    if depth > 64:
        return value
    if isinstance(value, str):
        types = _types(schema)
        return value if not types or "string" in types or _choices(schema) else from_text(value, schema)
    if isinstance(value, dict):
        return {name: fit(each, _member(schema, name), depth + 1) for name, each in value.items()}
    if isinstance(value, list):
        items = _items(schema)
        return [fit(each, items, depth + 1) for each in value] if items else value
    return value


def _member(schema: Schema, name: str) -> Schema:
    for branch in (schema, *_branches(schema)):
        if found := property_schema(branch, name):
            return found
    return {}


def _items(schema: Schema) -> Schema:
    for branch in (schema, *_branches(schema)):
        if isinstance(items := branch.get("items"), Mapping) and items:
            return items
    return {}


def _branches(schema: Schema) -> list[Schema]:
    lists = (schema.get(keyword) for keyword in _ALTERNATIVES)
    return [branch for each in lists if isinstance(each, list) for branch in each if isinstance(branch, Mapping)]


def _types(schema: Schema) -> list[str]:
    """The types that the schema allows, as it lists them; none where it allows any."""
    kind = schema.get("type")
    if isinstance(kind, str):
        return [kind]
    if isinstance(kind, list):
        return [each for each in kind if isinstance(each, str)]
    return [each for branch in _branches(schema) for each in _types(branch)]


def _choices(schema: Schema) -> Sequence[Any]:
    if "const" in schema:
        return [schema["const"]]
    choices = schema.get("enum")
    return choices if isinstance(choices, list) else ()


def _choice(text: str, choices: Sequence[Any]) -> Any:
    if text in choices:
        return text
    bare = _bare(text)
    if bare in choices:
        return bare
    found, value = _read(bare, "any")
    return value if found and any(value == choice and type(value) is type(choice) for choice in choices) else text


def _bare(text: str) -> str:
    bare = text.strip()
    opening, closing = _CDATA
    if bare.startswith(opening) and bare.endswith(closing):
        bare = bare[len(opening) : -len(closing)].strip()
    return bare


def _read(text: str, kind: str) -> tuple[bool, Any]:
    """Whether a text without white space around it is a value of that type, and which."""
    match kind:
        case "integer":
            return _number(text, whole=True)
        case "number":
            return _number(text, whole=False)
        case "boolean":
            word = text.lower()
            return word in ("true", "false"), word == "true"
        case "null":
            return text.lower() in ("null", "none"), None
        case "array":
            return _container(text, "[", list)
        case "object":
            return _container(text, "{", dict)
        case _:
            return _anything(text)


def _number(text: str, *, whole: bool) -> tuple[bool, Any]:
    if not text or len(text) > _LARGEST_WORD or not text[-1].isdigit():
        return False, None
    try:
        number: float | int = int(text) if text.lstrip("+-").isdecimal() else float(text)
    except ValueError:
        return False, None
    if not math.isfinite(number):
        return False, None
    if whole and float(number).is_integer():
        number = int(number)
    fits = (isinstance(number, int) or not whole) and -(2**63) <= number < 2**64
    return fits, number


def _container(text: str, opening: str, kind: type) -> tuple[bool, Any]:
    if not text.startswith(opening):
        return False, None
    try:
        value = orjson.loads(text)
    except ValueError:
        repaired = continuation("", text)
        if repaired is None:
            return False, None
        value = orjson.loads(repaired)
    return isinstance(value, kind), value


def _anything(text: str) -> tuple[bool, Any]:
    """For a value without a type: JSON, unless it is a string either way."""
    if text.startswith(("{", "[")):
        return _container(text, text[0], dict if text[0] == "{" else list)
    if len(text) > _LARGEST_WORD:
        return False, None
    try:
        value = orjson.loads(text)
    except ValueError:
        return False, None
    return not isinstance(value, str), value
