"""A tool's JSON schema without references and without what Poe and the makers of its models refuse.

Poe's own library hands on the `properties` of a schema and nothing of its `$defs`: each reference has to be replaced by
what it stands for. Outer references come first, and all growth is bounded: a schema that holds itself ends in a stub.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import orjson

MAX_DEPTH = 40
"""Levels of a schema, with its references in place; what lies deeper may be anything."""
MAX_UNROLLED = 2
"""How often a reference is replaced on one way down, where a schema holds itself."""
MAX_GROWTH = 32_000
"""Bytes that references may add to one schema."""
MAX_UNROLLED_GROWTH = 8_000
"""Of these, what may go into schemas that stand within themselves."""

_LONGEST_STUB_TEXT = 200
_LONGEST_VALUE_NOTE = 400

_TYPES = frozenset(("string", "number", "integer", "boolean", "object", "array", "null"))
# Besides all that begin with `$`.
_DROPPED = frozenset(
    ("strict", "definitions", "dependencies", "unevaluatedProperties", "unevaluatedItems", "additionalItems")
)
# Keywords whose value is a schema, a list of schemas, or schemas by name: in all others `$ref` is a word like any.
_HOLD_ONE = frozenset(("contains", "propertyNames", "not", "if", "then", "else"))
_HOLD_LIST = frozenset(("anyOf", "oneOf", "allOf"))
_HOLD_ITEMS = frozenset(("items", "prefixItems"))
_HOLD_NAMED = frozenset(("properties", "patternProperties", "dependentSchemas"))

_NOTHING_FITS: dict[str, Any] = {"not": {}}

Schema = dict[str, Any]
_Trail = tuple[str, ...]


def inline(schema: Mapping[str, Any], allowance: int = MAX_GROWTH) -> tuple[Schema, int]:
    """The schema with its references in place, and by how many bytes they made it grow: `allowance` at the most."""
    inliner = _Inliner(schema, min(allowance, MAX_GROWTH))
    return inliner.inlined(), inliner.growth


@dataclass(frozen=True, slots=True)
class _Pending:
    """A place whose schema is yet to be filled in. `trail` are the references on the way there."""

    place: Schema
    reference: str
    beside: Schema
    trail: _Trail
    depth: int


class _Inliner:
    def __init__(self, root: Mapping[str, Any], allowance: int) -> None:
        self.growth = 0
        self._root = root
        self._pending: deque[_Pending] = deque()
        self._allowance = allowance
        self._most = {False: allowance, True: min(allowance, MAX_UNROLLED_GROWTH)}
        self._values: list[tuple[Schema, Schema]] = []

    def inlined(self) -> Schema:
        whole = self._copied(self._root, (), 0)
        while self._pending:
            self._replace(self._pending.popleft())
        for place, each in reversed(self._values):
            _tell_of_values(place, each)
        return whole

    def _copied(self, schema: Any, trail: _Trail, depth: int) -> Schema:
        """`true`, and what is no schema, becomes one that allows anything."""
        place: Schema = {}
        if isinstance(schema, Mapping) and depth <= MAX_DEPTH:
            self._fill(place, schema, trail, depth)
        return place

    def _fill(self, place: Schema, schema: Mapping[str, Any], trail: _Trail, depth: int) -> None:
        schema = _without_lone_all_of(schema)
        reference = schema.get("$ref")
        if isinstance(reference, str):
            beside = {keyword: value for keyword, value in schema.items() if keyword != "$ref"}
            self._pending.append(_Pending(place, reference, beside, trail, depth))
            return
        for keyword, value in schema.items():
            if keyword in _HOLD_NAMED:
                if isinstance(value, Mapping):
                    place[keyword] = {str(name): self._copied(each, trail, depth + 1) for name, each in value.items()}
            elif keyword in _HOLD_LIST:
                if isinstance(value, list):
                    place[keyword] = [self._copied(each, trail, depth + 1) for each in value]
            elif keyword in _HOLD_ONE:
                place[keyword] = self._copied(value, trail, depth + 1)
            elif keyword in _HOLD_ITEMS:
                if "items" not in place:
                    place["items"] = self._items(schema, trail, depth)
            elif keyword == "additionalProperties":
                if isinstance(value, Mapping) and value:
                    self._values.append((place, self._copied(value, trail, depth + 1)))
            elif keyword not in _DROPPED and not keyword.startswith("$") and (plain := _plain(keyword, value)):
                place[keyword] = plain[0]
        if "items" not in place and _is_array(place):
            place["items"] = {}

    def _items(self, schema: Mapping[str, Any], trail: _Trail, depth: int) -> Schema:
        """One schema for all items: the makers of the models insist on one, and know nothing of tuples."""
        kinds = [each for keyword in ("prefixItems", "items") for each in _list(schema.get(keyword))]
        choices = [self._copied(each, trail, depth + 2) for each in _distinct(kinds)]
        return {"anyOf": choices} if len(choices) > 1 else choices[0] if choices else {}

    def _replace(self, pending: _Pending) -> None:
        trail = (*pending.trail, pending.reference)
        target = self._target(unquote(pending.reference)) or self._target(pending.reference)
        if target is None:
            self._fill(pending.place, pending.beside, trail, pending.depth)
            return
        times = pending.trail.count(pending.reference)
        if times < MAX_UNROLLED and pending.depth <= MAX_DEPTH and self._has_room(target, unrolls=times > 0):
            self._fill(pending.place, _merged(target, pending.beside), trail, pending.depth + 1)
        else:
            self._fill(pending.place, {**self._stub(target), **pending.beside}, trail, pending.depth)

    def _has_room(self, target: Mapping[str, Any], *, unrolls: bool) -> bool:
        room = self._most[unrolls] - self.growth
        if room <= 0:
            return False
        size = len(orjson.dumps(target))
        if size > room:
            self._most[unrolls] = 0  # what comes later is no more important than this
            return False
        self.growth += size
        return True

    def _stub(self, target: Mapping[str, Any]) -> Schema:
        """What little is said of a schema that is not put in place once more."""
        stub: Schema = {}
        if kind := _plain("type", target.get("type")):
            stub["type"] = kind[0]
        elif "properties" in target:
            stub["type"] = "object"
        text = target.get("description")
        if isinstance(text, str) and len(text) <= min(_LONGEST_STUB_TEXT, self._allowance - self.growth):
            self.growth += len(text)
            stub["description"] = text
        return stub

    def _target(self, reference: str) -> Mapping[str, Any] | None:
        """What a reference into this schema stands for (RFC 6901); None for any other."""
        if reference == "#":
            return self._root
        if not reference.startswith("#/"):
            return None
        target: Any = self._root
        for escaped in reference[2:].split("/"):
            step = escaped.replace("~1", "/").replace("~0", "~")
            if isinstance(target, list) and step.isdecimal() and len(step) < 10 and int(step) < len(target):
                target = target[int(step)]
            elif isinstance(target, Mapping) and step in target:
                target = target[step]
            else:
                return None
        return target if isinstance(target, Mapping) else None


def _is_array(schema: Schema) -> bool:
    kind = schema.get("type")
    return kind == "array" or (isinstance(kind, list) and "array" in kind)


def _list(value: Any) -> list[Any]:
    """Before draft 2020-12, `items` was either a schema or the list of a tuple's."""
    return value if isinstance(value, list) else [value]


def _distinct(schemas: list[Any]) -> list[Mapping[str, Any]]:
    """Without what is no schema, or says nothing."""
    return list({orjson.dumps(each): each for each in schemas if isinstance(each, Mapping) and each}.values())


def _merged(beneath: Mapping[str, Any], above: Mapping[str, Any]) -> Schema:
    """Two schemas that both count; where they disagree, the one above does."""
    merged = {**beneath, **above}
    lower, upper = beneath.get("properties"), above.get("properties")
    if isinstance(lower, Mapping) and isinstance(upper, Mapping):
        merged["properties"] = {**lower, **upper}
    lower, upper = beneath.get("required"), above.get("required")
    if isinstance(lower, list) and isinstance(upper, list):
        merged["required"] = [*lower, *upper]
    return merged


def _without_lone_all_of(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """`allOf` with one entry is how some libraries write a reference with a description beside it."""
    while isinstance(branches := schema.get("allOf"), list) and len(branches) == 1:
        branch = branches[0]
        rest = {keyword: value for keyword, value in schema.items() if keyword != "allOf"}
        if not isinstance(branch, Mapping) or ("$ref" in branch and "$ref" in rest):
            break
        schema = _merged(branch, rest)
    return schema


def _plain(keyword: str, value: Any) -> tuple[Any] | None:
    """The value of a keyword that holds no schema; None where it makes no sense."""
    match keyword:
        case "type":
            kinds = [kind for kind in map(_json_type, value if isinstance(value, list) else [value]) if kind]
            return None if not kinds else (kinds,) if isinstance(value, list) else (kinds[0],)
        case "required":
            names = value if isinstance(value, list) else ()
            return (list(dict.fromkeys(name for name in names if isinstance(name, str))),) if names else None
        case "enum":
            return (value,) if isinstance(value, list) and value else None
        case "title" | "description":
            return (value,) if isinstance(value, str) else None
        case _:
            return (value,)


def _json_type(kind: Any) -> str | None:
    """Google's libraries write types in capitals."""
    lowered = kind.lower() if isinstance(kind, str) else None
    return lowered if lowered in _TYPES else None


def _tell_of_values(place: Schema, each: Schema) -> None:
    """`additionalProperties` may not stand there: what it says of an object's values goes into the description."""
    which = "Each other value" if place.get("properties") else "Each value"
    note = f"{which}: {orjson.dumps(each).decode()}"
    if each and each != _NOTHING_FITS and len(note) <= _LONGEST_VALUE_NOTE:
        place["description"] = " ".join(filter(None, (place.get("description"), note)))
