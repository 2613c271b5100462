"""What tools a bot is offered, in the form that Poe takes."""

import re
import time
from typing import Any

import fastapi_poe as fp
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poe2openai.core.request import ModelRequest, Tool, ToolChoice, ToolChoiceMode
from poe2openai.poe import tool_schema
from poe2openai.poe.tool_inlining import MAX_GROWTH
from poe2openai.poe.tool_schema import MAX_GROWTH_OF_ALL, MAX_KEPT_BYTES, bot_name, offer
from tests.support.asking import CLOCK, WEATHER

STRING, NUMBER = {"type": "string"}, {"type": "number"}
NOTHING = {"type": "object", "properties": {}, "required": []}


def asking(*tools: Tool, mode: ToolChoiceMode = ToolChoiceMode.AUTO, names: tuple[str, ...] = ()) -> ModelRequest:
    return ModelRequest("bot", (), tools, ToolChoice(mode, names))


def offered(*tools: Tool, **choice: Any) -> list[Tool]:
    return [*offer(asking(*tools, **choice)).tools]


def parameters(schema: Any) -> dict[str, Any]:
    (tool,) = offered(Tool("f", "Does it.", schema))
    return dict(tool.parameters or {})


def of(required: Any = (), **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [*required]}


class TestOffer:
    def test_what_poe_takes_stays_as_it_is(self) -> None:
        assert offered(WEATHER) == [WEATHER]

    def test_no_tools(self) -> None:
        assert offered() == []
        assert offer(asking()).original == {}

    def test_what_is_missing_is_filled_in(self) -> None:
        assert offered(Tool("now", None, None)) == [Tool("now", "now", NOTHING)]
        assert offered(Tool("now", " \n", {})) == [Tool("now", "now", NOTHING)]
        assert parameters({"properties": {"a": {}}}) == of(a={})

    def test_a_schemas_description_stands_for_the_tools(self) -> None:
        schema = {"type": "object", "description": "Says the time."}
        assert offered(Tool("now", None, schema)) == [Tool("now", "Says the time.", NOTHING)]
        assert offered(Tool("now", "Mine.", schema))[0].description == "Mine."

    def test_of_two_with_one_name_the_first_counts(self) -> None:
        assert offered(CLOCK, WEATHER, Tool("clock", "Another.", None)) == offered(CLOCK, WEATHER)

    def test_the_order_is_the_clients(self) -> None:
        tools = [
            Tool(f"t{at}", "Does it.", of(**{f"p{9 - each}": STRING for each in range(5)})) for at in range(9, 0, -1)
        ]
        assert orjson.dumps([tool.parameters for tool in offered(*tools)]) == orjson.dumps(
            [tool.parameters for tool in tools]
        )
        assert [tool.name for tool in offered(*tools)] == [tool.name for tool in tools]

    def test_none_offers_nothing(self) -> None:
        assert offered(WEATHER, CLOCK, mode=ToolChoiceMode.NONE) == []

    @pytest.mark.parametrize("mode", [ToolChoiceMode.AUTO, ToolChoiceMode.REQUIRED])
    def test_names_narrow_it(self, mode: ToolChoiceMode) -> None:
        odd = Tool("the clock", "Says the time.", None)
        narrowed = offer(asking(WEATHER, odd, CLOCK, mode=mode, names=("clock", "the clock")))
        assert [tool.name for tool in narrowed.tools] == [bot_name("the clock"), "clock"]
        assert narrowed.original == {bot_name("the clock"): "the clock", "clock": "clock"}

    def test_names_of_no_tool_leave_none(self) -> None:
        assert offered(WEATHER, names=("clock",)) == []

    def test_names_lead_back(self) -> None:
        names = ["weather", "mcp/get.weather", "mcp:get weather", "天气", "天氣", "", "9"]
        original = offer(asking(*(Tool(name, None, None) for name in names))).original
        assert [original[bot_name(name)] for name in names] == names

    def test_the_request_is_left_as_it_was(self) -> None:
        schema = {"properties": {"a": {"$ref": "#/$defs/A", "strict": True}}, "$defs": {"A": {"type": "STRING"}}}
        before = orjson.dumps(schema)
        assert parameters(schema) == of(a=STRING)
        assert orjson.dumps(schema) == before

    @given(st.lists(st.builds(Tool, st.text(max_size=3), st.none() | st.text(max_size=3), st.none()), max_size=6))
    def test_any_names_lead_back(self, tools: list[Tool]) -> None:
        made = offer(asking(*tools))
        assert [made.original[tool.name] for tool in made.tools] == list(dict.fromkeys(tool.name for tool in tools))


class TestNames:
    @pytest.mark.parametrize("name", ["f", "get_weather", "get-weather", "_x", "A" * 64, "mcp__server__tool-2"])
    def test_a_good_name_stays(self, name: str) -> None:
        assert bot_name(name) == name

    @pytest.mark.parametrize(
        "name",
        ["", " ", "a b", "a.b", "a/b", "a:b", "9lives", "-x", "天气", "é", "f\n", "A" * 65, "\0", "…" * 999, "\ud800"],
    )
    def test_any_other_is_made_one(self, name: str) -> None:
        made = bot_name(name)
        assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]{0,63}", made)
        assert made == bot_name(name)
        assert made == bot_name(made)

    def test_it_can_still_be_read(self) -> None:
        assert bot_name("mcp: get the weather/now!").startswith("mcp_get_the_weather_now_")
        assert bot_name("9lives").startswith("_9lives_")

    def test_two_never_meet(self) -> None:
        names = ["a b", "a.b", "a/b", "a__b", "a_b", "A" * 65, "A" * 66, "A" * 64, "", " ", "tool", "天", "气"]
        assert len({bot_name(name) for name in names}) == len(names)

    def test_it_is_the_same_in_every_worker(self) -> None:
        assert bot_name("a b") == "a_b_c8687a08"


class TestTop:
    """Poe hands on `type`, `properties` and `required`, and wants the first two."""

    def test_nothing_else_stands_there(self) -> None:
        schema = {**of(["a"], a=STRING), "title": "F", "description": "x", "minProperties": 1, "x": 1, "not": {}}
        assert parameters(schema) == of(["a"], a=STRING)

    @pytest.mark.parametrize("kind", ["array", "string", "null", ["object", "null"], ["string"], None, 5, "any"])
    def test_it_is_an_object(self, kind: Any) -> None:
        assert parameters({"type": kind, "properties": {"a": STRING}}) == of(a=STRING)

    @pytest.mark.parametrize("schema", [True, False, [], [1], "x", 5, {"type": "array", "items": STRING}])
    def test_what_is_no_schema_of_an_object_asks_for_nothing(self, schema: Any) -> None:
        assert parameters(schema) == NOTHING

    def test_required_are_those_that_exist(self) -> None:
        assert parameters(of(["b", "a", "b", "c"], a=STRING, b=STRING))["required"] == ["b", "a"]

    @pytest.mark.parametrize("keyword", ["anyOf", "oneOf"])
    def test_alternatives_become_one_object(self, keyword: str) -> None:
        alternatives = [of(["a", "b"], a=STRING, b=STRING), of(["b", "c"], b=NUMBER, c=STRING), {"type": "null"}]
        assert parameters({keyword: alternatives}) == of(["b"], a=STRING, b={"anyOf": [STRING, NUMBER]}, c=STRING)

    def test_all_of_them_become_one_object(self) -> None:
        schema = {"allOf": [of(["a"], a=STRING), {"$ref": "#/$defs/B"}], "$defs": {"B": of(["b"], b=NUMBER)}}
        assert parameters(schema) == of(["a", "b"], a=STRING, b=NUMBER)

    def test_they_add_to_what_the_top_has(self) -> None:
        schema = {**of(["a"], a=STRING), "anyOf": [of(["b"], a=NUMBER, b=STRING), of(["b"], b=STRING)]}
        assert parameters(schema) == of(["a", "b"], a=STRING, b=STRING)

    def test_kinds_that_a_word_tells_apart(self) -> None:
        """Any of the words may be called with, not the first kind's alone."""
        kinds = [
            of(["op", "x"], op={"const": "move", "type": "string"}, x=NUMBER),
            of(["op"], op={"enum": ["stay", "stop"], "type": "string", "description": "How."}),
        ]
        expected = of(["op"], op={"type": "string", "enum": ["move", "stay", "stop"]}, x=NUMBER)
        assert parameters({"oneOf": kinds}) == expected
        mixed = [of(op={"const": "a"}), of(op={"const": 1, "type": "integer"}), of(op={"const": "a", "title": "A"})]
        assert parameters({"anyOf": mixed}) == of(op={"enum": ["a", 1]})
        free = [{"const": "a"}, {"enum": ["b"], "minLength": 1}]
        assert parameters({"anyOf": [of(op=kind) for kind in free]}) == of(op={"anyOf": free})

    def test_alternatives_within_alternatives(self) -> None:
        schema = {"anyOf": [{"allOf": [of(["a"], a=STRING), of(["b"], b=STRING)]}, of(["a"], a=STRING)]}
        assert parameters(schema) == of(["a"], a=STRING, b=STRING)

    def test_a_reference_at_the_top(self) -> None:
        schema = {"$ref": "#/definitions/F", "definitions": {"F": of(["a"], a=STRING)}, "$schema": "x"}
        assert parameters(schema) == of(["a"], a=STRING)


SCHEMAS = [
    None,
    {},
    True,
    {"type": ["object"], "properties": {"a": {"$ref": "#"}}},
    {"anyOf": [of(["a"], a=STRING), of(a=NUMBER)], "strict": True},
    {"$ref": "#/$defs/A", "$defs": {"A": of(["a"], a={"type": "array"})}},
    {"required": "a", "properties": {"a": {"additionalProperties": STRING}}},
]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_poes_own_library_takes_it_and_loses_nothing_of_it(schema: Any) -> None:
    (tool,) = offered(Tool("a tool", None, schema))
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    definition = {"type": "function", "function": function}
    assert fp.ToolDefinition.model_validate(definition).model_dump() == definition


class TestBounds:
    def test_references_of_all_tools_together_are_bounded(self) -> None:
        fields = {f"p{each}": {"$ref": f"#/$defs/K{each}"} for each in range(30)}
        bomb = {"properties": fields, "$defs": {f"K{each}": {"properties": fields} for each in range(30)}}
        tools = [Tool(f"t{at}", None, bomb) for at in range(100)]
        before = time.process_time()
        made = offered(*tools)
        assert time.process_time() - before < 5
        sizes = [len(orjson.dumps(tool.parameters)) for tool in made]
        assert sizes[0] > MAX_GROWTH / 3
        assert sizes[-1] < sizes[0] / 5
        assert sum(sizes) < 2 * MAX_GROWTH_OF_ALL + 100 * len(orjson.dumps(bomb))

    def test_references_that_lead_too_deep_to_be_written_stay_out(self) -> None:
        deep: Any = 1
        for _ in range(215):
            deep = [deep]
        links = {f"L{at}": {"properties": {"next": {"$ref": f"#/$defs/L{at + 1}"}}} for at in range(15)}
        made = parameters({**of(a={"$ref": "#/$defs/L0"}), "$defs": {**links, "L15": {"default": deep}}})
        assert made["properties"]["a"] == {"type": "object"}
        orjson.dumps(made)

    def test_many_alternatives_take_linear_time(self) -> None:
        branches = [of([f"p{at}", "all"], all={"const": at}, **{f"p{at}": STRING}) for at in range(5_000)]
        before = time.process_time()
        made = parameters({"anyOf": branches})
        assert time.process_time() - before < 3
        assert made["required"] == ["all"]
        assert len(made["properties"]) == 5_001


class TestTheSameToolsAgain:
    def test_they_are_prepared_once(self) -> None:
        """An agent sends its tools with each of its turns: parsed anew, equal, and not the same objects."""
        first = offer(asking(Tool("f", "Again.", orjson.loads('{"properties": {"a": {}}}'))))
        assert offer(asking(Tool("f", "Again.", orjson.loads('{"properties": {"a": {}}}')))) is first

    @pytest.mark.parametrize(
        "other", [Tool("f", "b", None), Tool("g", "a", None), Tool("f", "a", {"properties": {"a": {}}})]
    )
    def test_others_are_others(self, other: Tool) -> None:
        assert offered(Tool("f", "a", None)) != offered(other)

    def test_the_order_of_properties_tells_tools_apart(self) -> None:
        one, other = parameters(of(a=STRING, b=STRING)), parameters(of(b=STRING, a=STRING))
        assert list(one["properties"]) == ["a", "b"]
        assert list(other["properties"]) == ["b", "a"]

    def test_large_ones_are_not_kept(self) -> None:
        large = asking(Tool("f", "x" * MAX_KEPT_BYTES, None))
        kept = tool_schema._prepared.cache_info().currsize
        assert offer(large) == offer(large)
        assert offer(large) is not offer(large)
        assert tool_schema._prepared.cache_info().currsize == kept
