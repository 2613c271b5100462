"""What may be called, and how it may be chosen."""

from typing import Any

import orjson
import pytest

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.request import Message, ModelRequest, Tool, ToolCall, ToolChoice, ToolChoiceMode, WebSearch
from poe2openai.dialects.chat_completions.decode import decode

HELLO = [{"role": "user", "content": "Hello"}]
F: dict[str, Any] = {"type": "function", "function": {"name": "f"}}
G: dict[str, Any] = {"type": "function", "function": {"name": "g"}}


def request(**fields: Any) -> ModelRequest:
    return decode(orjson.dumps({"model": "m", "messages": HELLO} | fields)).request


def refusal(**fields: Any) -> tuple[str | None, str]:
    with pytest.raises(GatewayError) as caught:
        request(**fields)
    assert caught.value.kind is ErrorKind.INVALID_REQUEST
    return caught.value.param, caught.value.message


def test_tools_that_are_no_functions_are_left_out() -> None:
    custom = {"type": "custom", "custom": {"name": "grep", "format": {"type": "text"}}}

    decoded = request(tools=[custom, {"type": "function", "function": {"name": "now"}}, {"type": "web_search"}])

    assert decoded.tools == (Tool("now", None, None),)
    assert request(tools=[custom]).tools == ()


def test_fields_of_another_type_are_not_looked_at() -> None:
    other = {"type": "builtin_function", "function": 5}
    call = {"id": "c", "type": "function", "function": {"name": "f"}, "custom": 5}
    custom = {"id": "d", "type": "custom", "custom": {"name": "c", "input": "x"}, "function": 5}
    chosen = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [other]}}

    asked = request(tools=[other], tool_choice=chosen, messages=[{"role": "assistant", "tool_calls": [call, custom]}])

    assert asked.tools == ()
    assert asked.tool_choice == ToolChoice()
    assert asked.messages == (Message("assistant", (ToolCall("c", "f", ""), ToolCall("d", "c", "x"))),)


def test_a_tool_needs_no_more_than_its_name() -> None:
    decoded = request(tools=[{"type": "function", "function": {"name": "now"}}, {"function": {"name": "then"}}])

    assert decoded.tools == (Tool("now", None, None), Tool("then", None, None))


def test_a_schema_travels_untouched() -> None:
    parameters = {"$schema": "x", "anyOf": [{"type": ["string", "null"]}], "maximum": 2**53 - 1, "x": {"oneOf": []}}

    decoded = request(tools=[{"type": "function", "function": {"name": "f", "parameters": parameters, "strict": True}}])

    assert decoded.tools[0].parameters == parameters


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, ToolChoice()),
        ("auto", ToolChoice()),
        ("none", ToolChoice(ToolChoiceMode.NONE)),
        ("required", ToolChoice(ToolChoiceMode.REQUIRED)),
        ({"type": "function", "function": {"name": "f"}}, ToolChoice(ToolChoiceMode.REQUIRED, ("f",))),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "auto",
                    "tools": [{"type": "function", "function": {"name": "f"}}, {"function": {"name": "g"}}],
                },
            },
            ToolChoice(ToolChoiceMode.AUTO, ("f", "g")),
        ),
        ({"type": "custom", "custom": {"name": "grep"}}, ToolChoice()),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "required", "tools": [{"type": "custom", "custom": {"name": "grep"}}]},
            },
            ToolChoice(),
        ),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "required", "tools": [{"type": "custom"}, {"function": {"name": "f"}}]},
            },
            ToolChoice(ToolChoiceMode.REQUIRED, ("f",)),
        ),
    ],
)
def test_tool_choice(choice: Any, expected: ToolChoice) -> None:
    assert request(tool_choice=choice, tools=[F, G]).tool_choice == expected


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "h"}}, "tools": [F, G]}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "h"}}, "tools": [{"type": "web"}]}, "tool_choice"),
        ({"function_call": {"name": "h"}, "functions": [{"name": "f"}]}, "function_call"),
    ],
)
def test_a_choice_that_the_tools_cannot_meet_is_refused(fields: dict[str, Any], param: str) -> None:
    assert refusal(**fields)[0] == param


def test_a_tool_that_is_not_there_is_named_in_one_short_line() -> None:
    _, text = refusal(tool_choice={"type": "function", "function": {"name": "x\n" * 1000}}, tools=[F])

    assert "\n" not in text
    assert len(text) < 300


def test_a_tool_is_required_where_only_others_than_functions_are_given() -> None:
    assert request(tool_choice="required", tools=[{"type": "web_search"}]).tool_choice == ToolChoice()


def test_any_tool_is_how_others_say_required() -> None:
    assert request(tool_choice="any", tools=[F]).tool_choice == ToolChoice(ToolChoiceMode.REQUIRED)


def test_parallel_calls_are_allowed_unless_the_client_says_otherwise_or_speaks_of_functions() -> None:
    assert request(tools=[F]).parallel_tool_calls
    assert not request(tools=[F], parallel_tool_calls=False).parallel_tool_calls
    assert not request(functions=[F["function"]]).parallel_tool_calls


def test_functions_are_answered_in_their_own_form() -> None:
    body = {"model": "m", "messages": HELLO}

    assert decode(orjson.dumps(body | {"functions": [F["function"]]})).functions
    assert not decode(orjson.dumps(body | {"tools": [F]})).functions
    assert not decode(orjson.dumps(body)).functions


@pytest.mark.parametrize(("choice", "mode"), [("none", ToolChoiceMode.NONE), ("auto", ToolChoiceMode.AUTO)])
def test_function_call_is_tool_choice_of_old(choice: str, mode: ToolChoiceMode) -> None:
    assert request(function_call=choice, tools=[F]).tool_choice == ToolChoice(mode)
    assert request(function_call=choice, tool_choice="required", tools=[F]).tool_choice.mode is ToolChoiceMode.REQUIRED


def test_a_search_tool_is_no_function_and_turns_the_search_on() -> None:
    asked = request(tools=[F, {"type": "builtin_function", "function": {"name": "$web_search"}}])

    assert asked.tools == (Tool("f", None, None),)
    assert asked.web_search == WebSearch(sent={"web_search": True})
