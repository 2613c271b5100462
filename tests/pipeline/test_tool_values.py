"""Values that were written as text take the types of the schema; what fits none is not lost."""

from typing import Any

import pytest

from poe2openai.pipeline.tool_values import fit, from_text, is_plain_string, property_schema

INTEGER, STRING = {"type": "integer"}, {"type": "string"}
EITHER = {"type": ["string", "null"]}
OPTIONAL = {"anyOf": [{"type": "integer"}, {"type": "null"}]}
PLACE = {"type": "object", "properties": {"lat": {"type": "number"}, "tags": {"type": "array", "items": INTEGER}}}


@pytest.mark.parametrize(
    ("text", "schema", "expected"),
    [
        (" 5\n", INTEGER, 5),
        ("5.0", INTEGER, 5),
        ("-3", INTEGER, -3),
        ("5.5", INTEGER, "5.5"),
        ("five", INTEGER, "five"),
        ("9" * 30, INTEGER, "9" * 30),
        ("1e400", {"type": "number"}, "1e400"),
        ("0.5", {"type": "number"}, 0.5),
        ("TRUE", {"type": "boolean"}, True),
        ("false", {"type": "boolean"}, False),
        ("yes", {"type": "boolean"}, "yes"),
        ("null", {"type": "null"}, None),
        ("[1, 2]", {"type": "array"}, [1, 2]),
        ("[1, 2,]", {"type": "array"}, [1, 2]),
        ('{"lat": "48.8", "tags": ["1", 2]}', PLACE, {"lat": 48.8, "tags": [1, 2]}),
        ("not { json", PLACE, "not { json"),
        ("5", STRING, "5"),
        (' "q" \n', STRING, ' "q" \n'),
        ("null", EITHER, None),
        ("word", EITHER, "word"),
        ("7", OPTIONAL, 7),
        ("None", OPTIONAL, None),
        ("7", {"type": ["integer", "string"]}, 7),
        (" b ", {"enum": ["a", "b"]}, "b"),
        ("2", {"enum": [1, 2]}, 2),
        ("c", {"enum": ["a", "b"]}, "c"),
        ("x", {"const": "x"}, "x"),
        ("5", {}, 5),
        ("5 apples", {}, "5 apples"),
        ('"5"', {}, '"5"'),
        ('{"a": 1}', {}, {"a": 1}),
        ("true", {}, True),
    ],
)
def test_from_text(text: str, schema: dict[str, Any], expected: Any) -> None:
    value = from_text(text, schema)
    assert value == expected
    assert type(value) is type(expected)


def test_strings_inside_a_value_take_their_types_too() -> None:
    schema = {"anyOf": [{"type": "null"}, PLACE]}
    assert fit({"lat": "1", "other": "2", "tags": ["3"]}, schema) == {"lat": 1, "other": "2", "tags": [3]}
    assert fit([{"lat": "1"}], {"type": "array", "items": PLACE}) == [{"lat": 1}]


def test_a_value_that_is_nested_without_end_stays_as_it_is() -> None:
    deep: Any = "1"
    schema: Any = INTEGER
    for _ in range(100):
        deep, schema = [deep], {"type": "array", "items": schema}
    assert fit(deep, schema) == deep


def test_what_counts_as_a_plain_string() -> None:
    assert is_plain_string(STRING)
    assert not is_plain_string({"type": "string", "enum": ["a"]})
    assert not is_plain_string({})
    assert property_schema({"properties": {"a": STRING, "b": True}}, "a") == STRING
    assert property_schema({"properties": {"b": True}}, "b") == {}
