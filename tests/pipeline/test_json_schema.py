"""A value is held to a schema in bounded time, and nothing is fetched; a fault is told without the value's text."""

import re
import socket
import time
from contextlib import suppress
from typing import Any

import pytest

from poe2openai.pipeline.json_schema import ALL_TYPES, LONGEST_FAULT, InvalidSchema, Schema, follow, root_types

PERSON: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": "^[A-Z]"},
        "age": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "friends": {"type": "array", "items": {"$ref": "#/$defs/Friend"}},
    },
    "required": ["name"],
    "additionalProperties": False,
    "$defs": {"Friend": {"type": "object", "properties": {"since": {"type": "string", "format": "date"}}}},
}


def part(number: int) -> dict[str, str]:
    return {"$ref": f"#/$defs/part{number}"}


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ({"name": "Ada"}, None),
        ({"name": "Ada", "age": None, "friends": [{"since": "long ago"}]}, None),
        ({"age": 36}, '"name" is a required property'),
        ({"name": 5}, '/name: value is not of type "string"'),
        ({"name": "ada"}, '/name: value does not match "^[A-Z]"'),
        ({"name": "Ada", "friends": [{}, "Bob"]}, '/friends/1: value is not of type "object"'),
        (
            {"name": "Ada", "age": "36"},
            "/age: value is not valid under any of the schemas listed in the 'anyOf' keyword",
        ),
        ({"name": "Ada", "pet": 1}, "Additional properties are not allowed ('pet' was unexpected)"),
        ("Ada", 'value is not of type "object"'),
    ],
)
def test_what_is_wrong_with_a_value(value: Any, fault: str | None) -> None:
    assert Schema(PERSON).fault(value) == fault


def test_a_fault_is_one_short_line_without_the_text_of_the_value() -> None:
    fault = Schema({"additionalProperties": {"type": "integer"}}).fault({"a\nb " * 200: "secret"})
    assert fault is not None
    assert len(fault) == LONGEST_FAULT
    assert "\n" not in fault
    assert "secret" not in Schema(PERSON).fault({"name": "secret"})  # type: ignore[operator] # it is no None


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "objekt"}, "/type: "),
        ({"properties": {"a": {"required": "b"}}}, "/properties/a/required: "),
        ({"$ref": "#/$defs/none"}, "'/$defs/none' does not exist"),
        ({"properties": {"a": {"minLength": -1}}}, "/properties/a/minLength: "),
        ({"properties": []}, "/properties: "),
        ({"$schema": "https://json-schema.org/draft/9999/schema"}, "9999"),
        ({"const": "\ud800"}, "surrogates"),
    ],
)
def test_a_schema_that_is_none_is_refused(schema: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidSchema, match=re.escape(message)) as raised:
        Schema(schema)
    assert len(str(raised.value)) <= LONGEST_FAULT


def test_a_schema_that_is_too_deep_is_refused_or_not_judged() -> None:
    deep: dict[str, Any] = {}
    for _ in range(300):
        deep = {"not": deep}
    with pytest.raises(InvalidSchema, match="Recursion"):
        Schema(deep)
    for _ in range(100_000):
        deep = {"not": deep}
    assert Schema(deep).fault(1) is None


@pytest.mark.parametrize("keyword", ["$ref", "$dynamicRef", "$schema", "$id"])
def test_nothing_is_ever_fetched(keyword: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/schema.json"
        schema: dict[str, Any] = {keyword: address, "properties": {"a": {"$ref": "other.json"}}}
        for variant in (schema, {keyword: address}, {"items": {keyword: address}}):
            with suppress(InvalidSchema):
                Schema(variant).fault({"a": 1})
        with pytest.raises(TimeoutError):
            server.accept()


def test_a_remote_reference_makes_the_schema_none() -> None:
    with pytest.raises(InvalidSchema):
        Schema({"properties": {"a": {"$ref": "https://example.com/schema.json"}}})
    with pytest.raises(InvalidSchema):
        Schema({"$ref": "file:///etc/passwd"})


def test_an_unknown_dialect_is_read_as_the_newest() -> None:
    assert Schema({"$schema": "https://example.com/mine", "type": "string"}).fault(1) is not None


@pytest.mark.parametrize("pattern", ["^(a+)+$", "(a|aa)+$", "(?:a?){50}a{50}$", "a.*b.*c.*d.*e.*f"])
def test_an_evil_pattern_takes_linear_time(pattern: str) -> None:
    schema = Schema({"pattern": pattern})
    begin = time.process_time()
    schema.fault("a" * 100_000 + "b")
    assert time.process_time() - begin < 1


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"properties": {"a": {"type": "string", "pattern": "(?=x)y"}}}, {"a": "z"}),
        ({"properties": {"a": {"type": "string", "pattern": r"(.)\1"}}}, {"a": "z"}),
        ({"properties": {"a": {"type": "string", "pattern": "(?:\\w{1000}){1000}"}}}, {"a": "z"}),
        ({"type": "object", "patternProperties": {"(?=x)y": {}, "b": {}}, "additionalProperties": False}, {"a": 1}),
    ],
)
def test_a_pattern_without_linear_time_is_left_out(schema: dict[str, Any], value: Any) -> None:
    kept = {**schema, "properties": {**schema.get("properties", {}), "c": {"pattern": "^c"}}}
    assert Schema(kept).fault(value) is None
    assert Schema(kept).fault({"c": "d"}) == '/c: value does not match "^c"'
    assert Schema(kept).fault(5) is None or schema.get("type") == "object"


def exponential(keyword: str, depth: int, leaf: dict[str, Any]) -> dict[str, Any]:
    parts = {f"part{number}": {keyword: [part(number + 1)] * 2} for number in range(depth)}
    return {**part(0), "$defs": {**parts, f"part{depth}": leaf}}


def recursive(keyword: str) -> dict[str, Any]:
    return {**part(0), "$defs": {"part0": {"type": "object", "properties": {"c": {keyword: [part(0)] * 2}}}}}


def all_to_all(keyword: str, count: int) -> dict[str, Any]:
    parts = {f"part{n}": {keyword: [*map(part, range(count)), {"type": "object"}]} for n in range(count)}
    return {**part(0), "$defs": parts}


def chain(depth: int, end: Any) -> Any:
    for _ in range(depth):
        end = {"c": end}
    return end


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (exponential("allOf", 40, {"type": "object"}), {}),
        (exponential("anyOf", 18, {"type": "string"}), {}),
        (exponential("oneOf", 200, {"type": "string"}), {}),
        (recursive("anyOf"), chain(60, 0)),
        (recursive("oneOf"), chain(500, 0)),
        (all_to_all("allOf", 18), {}),
        (all_to_all("allOf", 30), {}),
        (all_to_all("anyOf", 12), 5),
        ({"$ref": "#"}, {}),
        ({"items": {"$ref": "#"}}, "deep"),
        ({"items": {"anyOf": [{"const": number} for number in range(1_000)]}}, ["x"] * 20_000),
        ({"items": {"pattern": "(?:a{0,30}b?){200}c"}}, ["a" * 10_000] * 50),
        ({"properties": {f"p{n}": {"pattern": f"a{{1000}}b{{{n}}}"} for n in range(5_000)}}, {"p0": "a"}),
        ({"$defs": {f"part{n}": part(n + 1) for n in range(50_000)} | {"part50000": {}}, **part(0)}, {}),
    ],
    ids=lambda value: "",
)
def test_what_may_take_too_long_is_not_judged(schema: dict[str, Any], value: Any) -> None:
    if value == "deep":
        value = []
        for _ in range(200_000):
            value = [value]
    begin = time.process_time()
    Schema(schema).fault(value)
    assert time.process_time() - begin < 3


def test_a_schema_that_takes_too_long_to_compile_is_not_judged() -> None:
    assert Schema({"properties": {f"p{n}": {"type": "string"} for n in range(9_000)}}).fault({"p1": 1}) is not None
    assert Schema({"properties": {f"p{n}": {"type": "string"} for n in range(30_000)}}).fault({"p1": 1}) is None
    patterns = [{"pattern": f"^a{{{n}}}$"} for n in range(300)]
    assert Schema({"allOf": patterns[1:100]}).fault("b") is not None
    assert Schema({"allOf": patterns}).fault("b") is None
    assert Schema({"patternProperties": {pattern["pattern"]: False for pattern in patterns}}).fault({"a": 1}) is None


def test_a_recursive_schema_is_judged() -> None:
    node: dict[str, Any] = {"type": "object", "properties": {"c": {"anyOf": [part(0), {"type": "integer"}]}}}
    schema = Schema({**part(0), "$defs": {"part0": node}})
    assert schema.fault(chain(50, 1)) is None
    assert schema.fault(chain(3, "x")) is not None
    assert Schema(recursive("anyOf")).fault(chain(20, 0)) == "value does not match the schema"


def test_names_that_look_like_keywords_are_names() -> None:
    schema = {"properties": {"pattern": {"type": "string"}, "$ref": {"type": "string"}, "type": {"type": "integer"}}}
    assert Schema(schema).fault({"pattern": "(", "$ref": "x", "type": 1}) is None
    assert Schema(schema).fault({"pattern": 1}) == '/pattern: value is not of type "string"'


def test_identifiers_are_not_followed() -> None:
    schema = {"$ref": "#node", "$defs": {"node": {"$anchor": "node", "type": "string"}}}
    assert Schema(schema).fault(5) is None


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("#", {"a/b": [{"~": 1}]}),
        ("#/a~1b/0/~0", 1),
        ("#/a%7E1b/0", {"~": 1}),
        ("#/none", None),
        ("#a", None),
        ("a", None),
    ],
)
def test_references_within_a_schema(reference: str, found: Any) -> None:
    assert follow({"a/b": [{"~": 1}]}, reference) == found


@pytest.mark.parametrize(
    ("schema", "types"),
    [
        ({"type": "object"}, {"object"}),
        ({"type": ["array", "null"]}, {"array", "null"}),
        ({"properties": {}}, {"object"}),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"type": "array"}}}, {"array"}),
        (
            {"anyOf": [{"type": "array"}, {"$ref": "#/$defs/a"}], "$defs": {"a": {"type": "object"}}},
            {"array", "object"},
        ),
        ({"$ref": "#"}, set()),
        ({}, ALL_TYPES),
        ({"oneOf": [{"type": "array"}, {}]}, ALL_TYPES),
        ({"oneOf": [True]}, ALL_TYPES),
    ],
)
def test_the_types_of_the_whole_value(schema: dict[str, Any], types: set[str]) -> None:
    assert root_types(schema) == types
