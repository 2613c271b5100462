"""Holds a JSON value to a client's JSON schema, without trusting either.

Nothing is ever fetched, and patterns are matched in linear time, those left out for which that cannot be. References
can make a small schema take exponential time: what may take too long is not judged, which is to say that it passes.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any
from urllib.parse import unquote

LONGEST_FAULT = 300  # characters

# What may be compiled: a node takes up to 20 µs, a pattern a millisecond.
_MOST_NODES = 20_000
_MOST_PATTERNS = 200
_PATTERN_SIZE = 1024 * 1024  # bytes of a compiled one
# How often a part of the schema may meet a part of the value: up to 0.1 µs each. Telling what is wrong costs ever so
# much more, and time that is exponential in the value's depth where the schema refers to itself.
_MOST_VISITS = 10_000_000
_MOST_VISITS_TO_TELL = 200_000
_MOST_CYCLES = 100_000
_DEEPEST = 10_000  # the value's depth times the schema's: the stack has to hold it

ALL_TYPES = frozenset(["object", "array", "string", "number", "integer", "boolean", "null"])


class InvalidSchema(Exception):
    """The schema is none; the message is for the client."""


class Schema:
    """A compiled one. Raises `InvalidSchema`."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._measure = _Measure(schema)
        self._validator = None if self._measure.is_too_large else _validator(dict(schema))

    def fault(self, value: Any) -> str | None:
        """What is wrong with a value, in a line that quotes no text of it but names; None where nothing is."""
        if self._validator is None:
            return None
        nodes, depth = _extent(value)
        visits = self._measure.weight * nodes
        if visits > _MOST_VISITS or self._measure.height * depth > _DEEPEST or self._validator.is_valid(value):
            return None
        if visits * min(self._measure.cycles, 1000) ** depth > _MOST_VISITS_TO_TELL:
            return "value does not match the schema"
        return _told(next(self._validator.iter_errors(value)))


def _told(error: Any) -> str:
    """jsonschema_rs's error in a line; where it lies as a JSON pointer."""
    place = "".join(f"/{part}" for part in getattr(error, "instance_path", ()))
    message = getattr(error, "message", str(error))
    return " ".join((f"{place}: {message}" if place else message).split())[:LONGEST_FAULT]


def _extent(value: Any) -> tuple[int, int]:
    """How many values there are in a value, and how deep it is."""
    nodes = depth = 0
    level = [value]
    while level:
        nodes += len(level)
        depth += 1
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below += item.values()
            elif isinstance(item, list):
                below += item
        level = below
    return nodes, depth


class _Measure:
    """How large a schema is with all that it refers to in place.

    `weight` counts its parts, `height` is how deep they lie, and `cycles` how often it refers to itself, 1 at least.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema
        self._known: dict[int, tuple[int, int, int] | None] = {}  # None while it is being looked at
        self._patterns = 0
        self._is_known = True
        applied = {keyword: value for keyword, value in schema.items() if keyword not in ("$defs", "definitions")}
        try:
            self.weight, self.height, cycles = self._look(applied)
        except RecursionError:
            self.is_too_large = True
            return
        self.cycles = max(cycles, 1)
        if not self._is_known or cycles > _MOST_CYCLES:
            self.weight = _MOST_VISITS + 1
        self.is_too_large = len(self._known) > _MOST_NODES or self._patterns > _MOST_PATTERNS

    def _look(self, node: Any) -> tuple[int, int, int]:
        if not isinstance(node, dict | list):
            return 0, 0, 0
        if id(node) in self._known:
            return self._known[id(node)] or (1, 1, 1)
        self._known[id(node)] = None
        children = list(node.values()) if isinstance(node, dict) else node
        if isinstance(node, dict):
            self._count_patterns(node)
            children += self._targets(node)
        weight, height, cycles = 1, 0, 0
        for child in children:
            more, deeper, again = self._look(child)
            weight += more
            height = max(height, deeper)
            cycles += again
        self._known[id(node)] = weight, height + 1, cycles
        return weight, height + 1, cycles

    def _count_patterns(self, node: dict[str, Any]) -> None:
        several = node.get("patternProperties")
        self._patterns += isinstance(node.get("pattern"), str) + (len(several) if isinstance(several, dict) else 0)

    def _targets(self, node: dict[str, Any]) -> list[Any]:
        """What the node refers to. Identifiers and anchors are not followed: what they lead to is not known."""
        references = [node.get(keyword) for keyword in ("$ref", "$dynamicRef", "$recursiveRef")]
        places = [reference for reference in references if isinstance(reference, str)]
        targets = [follow(self._schema, place) for place in places]
        self._is_known = self._is_known and None not in targets
        return targets


def follow(schema: Mapping[str, Any], reference: str) -> Any:
    """What a JSON pointer within the schema refers to; None where it is none, or leads nowhere."""
    if reference != "#" and not reference.startswith("#/"):
        return None
    found: Any = schema
    try:
        for part in unquote(reference).split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            found = found[int(name)] if isinstance(found, list) else found[name]
    except (LookupError, TypeError, ValueError):
        return None
    return found


def _validator(schema: dict[str, Any]) -> Any:
    """jsonschema_rs's, which takes a moment to load."""
    jsonschema_rs = import_module("jsonschema_rs")
    if "json-schema.org" not in str(schema.get("$schema", "")):
        schema.pop("$schema", None)
    while True:
        try:
            return jsonschema_rs.validator_for(
                schema,
                offline=True,
                mask="value",
                validate_formats=False,  # bots leave out what every client can do without, such as a time zone
                pattern_options=jsonschema_rs.RegexOptions(size_limit=_PATTERN_SIZE),
            )
        except jsonschema_rs.ValidationError as error:
            path = error.instance_path
            if error.kind.name == "format" and "patternProperties" in path[-2:-1]:
                schema = _without(schema, path[:-2], ("patternProperties", "additionalProperties"))
            elif error.kind.name == "format" and path[-1] == "pattern":
                schema = _without(schema, path[:-1], ("pattern",))
            else:
                raise InvalidSchema(_told(error)) from None
        except ValueError as error:
            raise InvalidSchema(_told(error)) from None


def _without(schema: Any, path: list[str | int], keywords: tuple[str, ...]) -> Any:
    """A copy that lacks these keywords at a place."""
    if not path:
        return {keyword: value for keyword, value in schema.items() if keyword not in keywords}
    copy = schema.copy()
    copy[path[0]] = _without(schema[path[0]], path[1:], keywords)
    return copy


def root_types(schema: Mapping[str, Any]) -> frozenset[str]:
    """The types that the value itself may be of, as far as the schema says so; all of them where it does not."""
    types: set[str] = set()
    nodes: list[Any] = [schema]
    seen: set[int] = set()
    while nodes:
        node = nodes.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        match node:
            case {"type": str(named)}:
                types.add(named)
            case {"type": [*named]}:
                types.update(named)
            case {"$ref": str(reference)}:
                nodes.append(follow(schema, reference))
            case {"anyOf": [*choices]} | {"oneOf": [*choices]}:
                nodes += choices
            case {"properties": _}:
                types.add("object")
            case _:
                return ALL_TYPES
    return frozenset(types)
