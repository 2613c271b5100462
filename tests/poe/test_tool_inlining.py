"""Schemas without references, and without what Poe or the makers of its models refuse."""

import time
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poe2openai.poe.tool_inlining import MAX_DEPTH, MAX_GROWTH, inline

STRING, NUMBER = {"type": "string"}, {"type": "number"}
NODE = {
    "type": "object",
    "description": "A node.",
    "properties": {"value": NUMBER, "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}}},
}
KEYWORDS = [
    *("$ref", "$defs", "definitions", "properties", "items", "prefixItems", "anyOf", "allOf", "not"),
    *("type", "required", "enum", "description", "additionalProperties", "strict"),
]
NODE_STUB = {"type": "object", "description": "A node."}


def inlined(schema: dict[str, Any]) -> dict[str, Any]:
    before = orjson.dumps(schema)
    made, growth = inline(schema)
    assert growth <= MAX_GROWTH
    assert orjson.dumps(schema) == before
    return made


def of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def referring(reference: str, **beside: Any) -> dict[str, Any]:
    """What becomes of a reference, into a schema with one of everything."""
    whole = {
        "type": "object",
        "properties": {"here": {"$ref": reference, **beside}, "other": {"anyOf": [STRING, NUMBER]}},
        "$defs": {"A": {"type": "string", "description": "An A."}, "a/b~c d": STRING, "100%": NUMBER, "B": True},
        "definitions": {"Old": {"$ref": "#/$defs/A"}},
    }
    found = inlined(whole)["properties"]["here"]
    assert isinstance(found, dict)
    return found


class TestReferences:
    @pytest.mark.parametrize(
        ("reference", "target"),
        [
            ("#/$defs/A", {"type": "string", "description": "An A."}),
            ("#/definitions/Old", {"type": "string", "description": "An A."}),
            ("#/$defs/a~1b~0c%20d", STRING),
            ("#/%24defs/a~1b~0c d", STRING),
            ("#/$defs/100%25", NUMBER),
            ("#/$defs/100%", NUMBER),
            ("#/properties/other/anyOf/1", NUMBER),
        ],
    )
    def test_what_it_stands_for_takes_its_place(self, reference: str, target: dict[str, Any]) -> None:
        assert referring(reference) == target

    @pytest.mark.parametrize(
        "reference",
        [
            "#/$defs/Z",
            "#/properties/other/anyOf/2",
            "#/properties/other/anyOf/x",
            f"#/properties/other/anyOf/{'9' * 5_000}",
            "#/properties/other/anyOf/٣",
            "#/$defs/B",
            "#/type",
            "#A",
            "",
            "https://x.test/schema.json#/$defs/A",
        ],
    )
    def test_one_that_leads_nowhere_allows_anything_and_keeps_its_description(self, reference: str) -> None:
        assert referring(reference) == {}
        assert referring(reference, description="Mine.") == {"description": "Mine."}

    def test_what_stands_beside_it_counts_more(self) -> None:
        kept = {"type": "string", "description": "Mine.", "default": "x"}
        assert referring("#/$defs/A", description="Mine.", default="x") == kept
        beside = {"$ref": "#/$defs/P", "properties": {"b": STRING}, "required": ["b"]}
        schema = {**of(p=beside), "$defs": {"P": {**of(a=STRING), "required": ["a"]}}}
        assert inlined(schema)["properties"]["p"] == {**of(a=STRING, b=STRING), "required": ["a", "b"]}

    def test_one_at_the_top(self) -> None:
        assert inlined({"$ref": "#/$defs/A", "$defs": {"A": of(a=STRING)}}) == of(a=STRING)

    def test_one_behind_another(self) -> None:
        links = {f"L{at}": of(next={"$ref": f"#/$defs/L{at + 1}"}) for at in range(10)}
        found = inlined({**of(first={"$ref": "#/$defs/L0"}), "$defs": {**links, "L10": STRING}})["properties"]["first"]
        for _ in range(10):
            found = found["properties"]["next"]
        assert found == STRING

    def test_lone_all_of_is_a_reference_with_a_description_beside_it(self) -> None:
        whole = {**of(a={"allOf": [{"$ref": "#/$defs/A"}], "description": "Mine."}), "$defs": {"A": STRING}}
        assert inlined(whole) == of(a={"type": "string", "description": "Mine."})
        assert inlined(of(a={"allOf": [STRING, {"minLength": 1}]})) == of(a={"allOf": [STRING, {"minLength": 1}]})
        assert inlined(of(a={"allOf": [1]})) == of(a={"allOf": [{}]})


class TestRecursion:
    def test_a_schema_in_itself_is_shown_once_more_and_then_told(self) -> None:
        found = inlined({**of(tree={"$ref": "#/$defs/Node"}), "$defs": {"Node": NODE}})
        tree = found["properties"]["tree"]
        inner = tree["properties"]["children"]["items"]
        assert tree["description"] == inner["description"] == "A node."
        assert inner["properties"]["children"]["items"] == NODE_STUB

    def test_the_whole_in_itself(self) -> None:
        found = inlined(of(value=NUMBER, child={"$ref": "#", "description": "Below."}))
        for _ in range(2):
            found = found["properties"]["child"]
            assert found["description"] == "Below."
        assert found["properties"]["child"] == {"type": "object", "description": "Below."}

    @pytest.mark.parametrize(
        "definitions",
        [
            {"A": {"$ref": "#/$defs/A"}},
            {"A": {"$ref": "#/$defs/B", "description": "Mine."}, "B": {"$ref": "#/$defs/A"}},
            {"A": {"allOf": [{"$ref": "#/$defs/A"}]}},
        ],
    )
    def test_references_in_a_circle_come_to_an_end(self, definitions: dict[str, Any]) -> None:
        found = inlined({**of(a={"$ref": "#/$defs/A"}), "$defs": definitions})["properties"]["a"]
        assert found.keys() <= {"description"}

    def test_a_list_in_itself_stays_a_list(self) -> None:
        lists = {"L": {"type": "array", "items": {"$ref": "#/$defs/L"}}}
        found = inlined({**of(l={"$ref": "#/$defs/L"}), "$defs": lists})["properties"]["l"]
        assert found == {"type": "array", "items": {"type": "array", "items": {"type": "array", "items": {}}}}


def bomb(fan: int, levels: int) -> dict[str, Any]:
    """Each level holds the next one several times."""
    words = "What there is to say of it. " * 3
    levels_below = {
        f"L{at}": {**of(**{f"p{each}": {"$ref": f"#/$defs/L{at + 1}"} for each in range(fan)}), "description": words}
        for at in range(levels)
    }
    return {**of(first={"$ref": "#/$defs/L0"}, last=STRING), "$defs": levels_below}


def everything_in_everything(kinds: int) -> dict[str, Any]:
    fields = {f"p{each}": {"$ref": f"#/$defs/K{each}"} for each in range(kinds)}
    return {**of(**fields), "$defs": {f"K{each}": {**of(**fields), "description": "A kind."} for each in range(kinds)}}


class TestBounds:
    @pytest.mark.parametrize(
        "schema",
        [
            bomb(2, 60),
            bomb(30, 5),
            everything_in_everything(5),
            everything_in_everything(40),
            {
                **of(**{f"p{at}": {"$ref": "#/$defs/A"} for at in range(2_000)}),
                "$defs": {"A": {"description": "x" * 199}},
            },
            {**of(a={"anyOf": [{"$ref": "#/$defs/A"}] * 500}), "$defs": {"A": {**STRING, "description": "x" * 9_999}}},
            {**of(a={"$ref": "#/$defs/A"}), "$defs": {"A": {"allOf": [{"$ref": "#/$defs/A"}] * 9}}},
            {**of(a={"$ref": "#/$defs/A"}), "$defs": {"A": {"type": "array", "prefixItems": [{"$ref": "#"}, STRING]}}},
        ],
    )
    def test_no_schema_explodes(self, schema: dict[str, Any]) -> None:
        before = time.process_time()
        found = inlined(schema)
        assert time.process_time() - before < 1
        assert len(orjson.dumps(found)) < len(orjson.dumps(schema)) + 1.5 * MAX_GROWTH
        assert b"$ref" not in orjson.dumps(found)

    def test_what_stands_further_out_comes_first(self) -> None:
        """What a bomb leaves is the same for all that refers to it, not all for the first."""
        found = inlined({**bomb(3, 60), "properties": {name: {"$ref": "#/$defs/L0"} for name in "abc"}})
        assert all(list(found["properties"][name]["properties"]) == ["p0", "p1", "p2"] for name in "abc")

    def test_an_allowance_that_is_used_up_leaves_stubs(self) -> None:
        found, growth = inline({**of(a={"$ref": "#/$defs/Node"}), "$defs": {"Node": NODE}}, 0)
        assert growth == 0
        assert found == of(a={"type": "object"})

    @pytest.mark.parametrize("wrap", [lambda inner: of(a=inner), lambda inner: {"anyOf": [inner]}])
    def test_depth_is_bounded(self, wrap: Any) -> None:
        schema: Any = STRING
        for _ in range(100):
            schema = wrap(schema)
        assert orjson.dumps(inlined(schema)).count(b"{") <= 2 * MAX_DEPTH + 3

    def test_tuples_in_tuples_do_not_double(self) -> None:
        schema: Any = STRING
        for _ in range(60):
            schema = {"type": "array", "prefixItems": [schema, NUMBER]}
        assert len(orjson.dumps(inlined(of(a=schema)))) < 4_000

    def test_many_references_into_one_another_take_linear_time(self) -> None:
        properties = {f"p{at}": {"$ref": f"#/properties/p{at - 1}"} for at in range(20_000)}
        before = time.process_time()
        inlined(of(**properties))
        assert time.process_time() - before < 3


class TestKeywords:
    def test_what_is_refused_is_dropped_on_every_level(self) -> None:
        refused = {
            "strict": True,
            "additionalProperties": False,
            "unevaluatedProperties": False,
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": "x",
            "$comment": "y",
            "$anchor": "z",
            "$defs": {"A": STRING},
            "definitions": {"A": STRING},
        }
        inner = {**of(a={**STRING, **refused}), **refused}
        schema = {**refused, **of(o=inner, l={"type": "array", "items": inner}, c={"anyOf": [inner, STRING]})}
        kept = of(a=STRING)
        assert inlined(schema) == of(o=kept, l={"type": "array", "items": kept}, c={"anyOf": [kept, STRING]})

    def test_all_else_is_kept_in_its_order(self) -> None:
        schema = {
            "description": "All of it.",
            "type": "object",
            "properties": {
                "z": {"enum": ["b", "a", 1, None], "default": "a", "title": "Z"},
                "a": {"minimum": -9007199254740991, "exclusiveMaximum": 2.5, "type": ["integer", "null"]},
                "m": {"anyOf": [{"const": {"$ref": "#/x", "strict": 1}}, {"type": "null"}]},
                "n": {"oneOf": [{"pattern": "^a", "format": "uri"}, {"not": {"type": "object"}}]},
                "o": {"type": "object"},
                "l": {"items": STRING, "type": "array", "minItems": 1, "uniqueItems": True},
                "u": {},
                "i": {"if": {"type": "string"}, "then": {"minLength": 1}, "x-order": ["$ref"]},
            },
            "required": ["z", "a"],
            "examples": [{"$ref": "#/$defs/A", "additionalProperties": True}],
        }
        assert orjson.dumps(inlined(schema)) == orjson.dumps(schema)

    def test_names_of_properties_are_no_keywords(self) -> None:
        names = [*KEYWORDS, "$schema", "$id", "default", "title"]
        schema = of(o=of(**dict.fromkeys(names, STRING)))
        assert orjson.dumps(inlined(schema)) == orjson.dumps(schema)

    def test_types_in_capitals(self) -> None:
        schema = {"type": "OBJECT", "properties": {"a": {"type": "STRING"}, "b": {"type": ["Integer", "NULL"]}}}
        assert inlined(schema) == of(a=STRING, b={"type": ["integer", "null"]})

    def test_a_list_says_what_is_in_it(self) -> None:
        assert inlined(of(a={"type": "array"})) == of(a={"type": "array", "items": {}})
        assert inlined(of(a={"type": ["array", "null"]})) == of(a={"type": ["array", "null"], "items": {}})
        either = {"type": "array", "items": {"anyOf": [NUMBER, STRING]}}
        assert inlined(of(a={"type": "array", "items": [NUMBER, STRING, NUMBER]})) == of(a=either)
        assert inlined(of(a={"type": "array", "prefixItems": [NUMBER, STRING], "items": False})) == of(a=either)
        assert inlined(of(a={"type": "array", "prefixItems": [NUMBER], "items": STRING})) == of(a=either)
        assert inlined(of(a={"type": "array", "items": [NUMBER]})) == of(a={"type": "array", "items": NUMBER})

    def test_values_of_an_object_are_told_in_its_description(self) -> None:
        values = {"type": "object", "description": "Variables.", "additionalProperties": {"$ref": "#/$defs/A"}}
        found = inlined({**of(env=values), "$defs": {"A": STRING}})["properties"]["env"]
        assert found == {"type": "object", "description": 'Variables. Each value: {"type":"string"}'}
        more = inlined(of(o={**of(a=STRING), "additionalProperties": NUMBER}))["properties"]["o"]
        assert more == {**of(a=STRING), "description": 'Each other value: {"type":"number"}'}

    @pytest.mark.parametrize("values", [True, {}, {"not": {}}, {"enum": ["x" * 1_000]}, [1]])
    def test_values_that_may_be_anything_or_take_long_to_tell_are_not(self, values: Any) -> None:
        assert inlined(of(o={"type": "object", "additionalProperties": values})) == of(o={"type": "object"})


class TestNoSchemas:
    @pytest.mark.parametrize(
        ("given", "made"),
        [
            (
                {"properties": {"a": True, "b": False, "c": None, "d": "string", "e": [1]}},
                of(a={}, b={}, c={}, d={}, e={}),
            ),
            ({"properties": ["a"]}, {"type": "object"}),
            (
                {"anyOf": {"a": STRING}, "allOf": STRING, "oneOf": [STRING, 1]},
                {"type": "object", "oneOf": [STRING, {}]},
            ),
            ({"required": "a"}, {"type": "object"}),
            ({"required": True}, {"type": "object"}),
            ({"required": ["a", 1, "a", None]}, {"type": "object", "required": ["a"]}),
            ({"type": "any"}, {}),
            ({"type": None}, {}),
            ({"type": ["string", "any", 3]}, {"type": ["string"]}),
            ({"enum": []}, {"type": "object"}),
            ({"enum": "a"}, {"type": "object"}),
            ({"description": 3, "title": ["x"]}, {"type": "object"}),
            ({"items": "string"}, {"type": "object", "items": {}}),
            ({"$ref": 5}, {"type": "object"}),
            ({"$ref": ["#"]}, {"type": "object"}),
        ],
    )
    def test_what_makes_no_sense_is_left_out(self, given: dict[str, Any], made: dict[str, Any]) -> None:
        assert inlined({"type": "object", **given}) == made

    VALUES = st.recursive(
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(-3, 3),
            st.sampled_from(["", "#", "#/$defs/A", "#/properties/a", "object", "array", "string", "x"]),
        ),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(
                st.sampled_from([*KEYWORDS, "A", "a"]),
                inner,
                max_size=4,
            ),
        ),
        max_leaves=20,
    )

    @given(st.dictionaries(st.sampled_from(["properties", "$ref", "allOf", "items", "$defs", "type"]), VALUES))
    def test_nothing_raises(self, schema: dict[str, Any]) -> None:
        assert "$defs" not in inlined(schema)
