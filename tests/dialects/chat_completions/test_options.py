"""The many spellings for how much a model is to think, whether it is to search, and what form its answer has."""

from typing import Any

import pytest

from poe2openai.core.errors import GatewayError
from poe2openai.core.request import OutputFormat, ReasoningOptions, WebSearch
from poe2openai.dialects.chat_completions.options import output_format, take_reasoning, take_web_search

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ({"reasoning": {"effort": "high"}}, ("high", None, None)),
        ({"reasoning": {"max_tokens": 2000}}, (None, 2000, None)),
        ({"reasoning": {"enabled": True, "exclude": False}}, (None, None, True)),
        ({"thinking": {"type": "enabled", "budget_tokens": 8000}}, (None, 8000, True)),
        ({"thinking": {"type": "disabled"}}, (None, None, False)),
        ({"thinking": {"type": "disabled", "budget_tokens": 8000}}, (None, None, False)),
        ({"thinking": {"type": "adaptive"}}, (None, None, True)),
        ({"google": {"thinking_config": {"thinking_budget": 0}}}, (None, 0, None)),
        ({"google": {"thinking_config": {"thinking_budget": -1}}}, (None, None, True)),
        ({"google": {"thinking_config": {"thinking_level": "LOW", "include_thoughts": True}}}, ("low", None, None)),
        ({"chat_template_kwargs": {"enable_thinking": False}}, (None, None, False)),
    ],
)
def test_each_spelling_is_understood_and_kept_as_it_was_sent(extra: dict[str, Any], expected: tuple[Any, ...]) -> None:
    left = dict(extra)
    asked = take_reasoning(None, left)

    assert left == {}
    assert asked is not None
    assert (asked.effort, asked.budget, asked.enabled) == expected
    if "chat_template_kwargs" in extra:
        assert asked.sent == {"enable_thinking": False}
    else:
        assert asked.sent == extra


def test_openais_own_word_is_the_first_and_others_add_what_it_does_not_say() -> None:
    left: dict[str, Any] = {"reasoning": {"effort": "low", "max_tokens": 500}}

    assert take_reasoning("high", left) == ReasoningOptions(
        "high", 500, None, {"reasoning_effort": "high", "reasoning": {"effort": "low", "max_tokens": 500}}
    )


def test_a_bots_own_parameters_stay_where_they_are() -> None:
    own = {"thinking": "auto", "reasoning": True, "thinking_budget": 5, "google": {"safety": 1}, "a": 1}
    own["chat_template_kwargs"] = {"add_generation_prompt": True}
    left = dict(own)

    assert take_reasoning(None, left) is None
    assert left == own


def test_what_stands_beside_in_the_same_object_stays_the_bots() -> None:
    left: dict[str, Any] = {
        "google": {"thinking_config": {"thinking_budget": 9}, "cached_content": "x"},
        "chat_template_kwargs": {"enable_thinking": True, "add_generation_prompt": True},
    }

    take_reasoning(None, left)

    assert left == {
        "google": {"cached_content": "x"},
        "chat_template_kwargs": {"add_generation_prompt": True},
    }


@pytest.mark.parametrize(
    ("extra", "param"),
    [
        ({"reasoning": {"max_tokens": "many"}}, "reasoning.max_tokens"),
        ({"reasoning": {"max_tokens": 1e300}}, "reasoning.max_tokens"),
        ({"reasoning": {"effort": 3}}, "reasoning.effort"),
        ({"reasoning": {"enabled": "yes"}}, "reasoning.enabled"),
        ({"thinking": {"type": True}}, "thinking.type"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1.5}}, "thinking.budget_tokens"),
        ({"thinking": {"type": "enabled", "budget_tokens": 2**53}}, "thinking.budget_tokens"),
        ({"google": {"thinking_config": 5}}, "google.thinking_config"),
        ({"google": {"thinking_config": {"thinking_budget": True}}}, "google.thinking_config.thinking_budget"),
        ({"google": {"thinking_config": {"thinking_level": 1}}}, "google.thinking_config.thinking_level"),
        ({"chat_template_kwargs": {"enable_thinking": "no"}}, "chat_template_kwargs.enable_thinking"),
    ],
)
def test_a_wrong_type_is_told_with_its_place(extra: dict[str, Any], param: str) -> None:
    with pytest.raises(GatewayError) as caught:
        take_reasoning(None, extra)
    assert caught.value.param == param


def test_web_search() -> None:
    options = {
        "search_context_size": "high",
        "user_location": {"type": "approximate", "approximate": {"country": "FR", "city": "Paris", "zip": "1"}},
    }

    assert take_web_search(options, None, {}) == WebSearch(
        True, "high", {"country": "FR", "city": "Paris"}, {"web_search_options": options}
    )
    assert take_web_search({}, None, {}) == WebSearch(sent={"web_search_options": {}})
    assert take_web_search(None, None, {}) is None


@pytest.mark.parametrize(
    ("tool", "searches"),
    [
        ({"type": "web_search"}, True),
        ({"type": "web_search_preview_2025_03_11"}, True),
        ({"type": "web_search_20250305", "name": "web_search"}, True),
        ({"type": "builtin_function", "function": {"name": "$web_search"}}, True),
        ({"type": "builtin_function", "function": {"name": "$other"}}, False),
        ({"type": "builtin_function"}, False),
        ({"type": "custom", "custom": {"name": "web_search"}}, False),
        ({"type": "function", "function": {"name": "web_search"}}, False),
        ({"function": {"name": "web_search"}}, False),
    ],
)
def test_a_web_search_tool_turns_the_search_on(tool: dict[str, Any], searches: bool) -> None:
    asked = take_web_search(None, [{"type": "function", "function": {"name": "f"}}, tool], {})

    assert asked == (WebSearch(sent={"web_search": True}) if searches else None)


@pytest.mark.parametrize(
    ("plugins", "searches"),
    [
        ([{"id": "web"}], True),
        ([{"id": "file-parser"}, {"id": "web", "max_results": 3}], True),
        ([{"id": "web", "enabled": False}], False),
        ([{"id": "file-parser"}, "web"], False),
        ("web", False),
    ],
)
def test_openrouters_plugin_turns_the_search_on(plugins: Any, searches: bool) -> None:
    left: dict[str, Any] = {"plugins": plugins, "a": 1}

    assert take_web_search(None, None, left) == (WebSearch(sent={"plugins": plugins}) if searches else None)
    assert left == ({"a": 1} if searches else {"plugins": plugins, "a": 1})


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (None, None),
        ({"type": "text"}, None),
        ({"type": "json_object"}, OutputFormat()),
        ({"type": "json_object", "schema": SCHEMA}, OutputFormat(SCHEMA)),
        (
            {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA, "strict": True}},
            OutputFormat(SCHEMA, "place"),
        ),
        (
            {"type": "json_schema", "json_schema": {"name": "any", "description": "x", "schema": {}}},
            OutputFormat({}, "any", "x"),
        ),
        ({"type": "json_schema", "schema": SCHEMA}, OutputFormat(SCHEMA)),
    ],
)
def test_output_format(sent: dict[str, Any] | None, expected: OutputFormat | None) -> None:
    assert output_format(sent) == expected


@pytest.mark.parametrize(
    ("sent", "param"),
    [
        ({}, "response_format.type"),
        ({"type": "xml"}, "response_format.type"),
        ({"type": "json_schema"}, "response_format.json_schema"),
        ({"type": "json_schema", "schema": "x"}, "response_format.schema"),
        ({"type": "json_object", "schema": []}, "response_format.schema"),
        ({"type": "json_schema", "json_schema": "x"}, "response_format.json_schema"),
        ({"type": "json_schema", "json_schema": {"name": "x"}}, "response_format.json_schema.schema"),
        ({"type": "json_schema", "json_schema": {"schema": []}}, "response_format.json_schema.schema"),
        ({"type": "json_schema", "json_schema": {"schema": {}, "name": 5}}, "response_format.json_schema.name"),
    ],
)
def test_a_format_that_is_none_is_refused_with_its_place(sent: dict[str, Any], param: str) -> None:
    with pytest.raises(GatewayError) as caught:
        output_format(sent)
    assert caught.value.param == param
