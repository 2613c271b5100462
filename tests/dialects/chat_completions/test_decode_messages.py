"""Messages, their parts, and the history of tools and thoughts."""

from typing import Any

import orjson
import pytest

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.request import (
    Media,
    Message,
    ModelRequest,
    Part,
    Reasoning,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolChoiceMode,
    ToolResult,
    Url,
)
from poe2openai.dialects.chat_completions.decode import decode

HELLO = [{"role": "user", "content": "Hello"}]


def request(**fields: Any) -> ModelRequest:
    return decode(orjson.dumps({"model": "m", "messages": HELLO} | fields)).request


def message(**fields: Any) -> Message:
    return request(messages=[fields]).messages[0]


def parts(*content: Any) -> tuple[Part, ...]:
    return message(role="user", content=list(content)).parts


def refusal(**fields: Any) -> tuple[str | None, str]:
    with pytest.raises(GatewayError) as caught:
        request(**fields)
    assert caught.value.kind is ErrorKind.INVALID_REQUEST
    return caught.value.param, caught.value.message


@pytest.mark.parametrize(
    ("role", "as_role"), [("system", "system"), ("developer", "system"), ("user", "user"), ("assistant", "assistant")]
)
def test_roles(role: str, as_role: str) -> None:
    assert message(role=role, content="x", name="Anna") == Message(as_role, (Text("x"),))  # type: ignore[arg-type]


@pytest.mark.parametrize("content", ["", None, [], [""], [{"type": "text", "text": ""}]])
@pytest.mark.parametrize("role", ["system", "developer", "user", "assistant"])
def test_an_empty_message_has_no_parts(role: str, content: Any) -> None:
    assert message(role=role, content=content).parts == ()


def test_a_message_may_have_no_content_at_all() -> None:
    assert message(role="user").parts == ()


def test_white_space_is_content() -> None:
    assert message(role="user", content=" \n").parts == (Text(" \n"),)


@pytest.mark.parametrize(
    "part",
    [
        "Hello",
        {"type": "text", "text": "Hello"},
        {"type": "text", "text": "Hello", "cache_control": {"type": "ephemeral"}},
        {"text": "Hello"},
        {"type": "input_text", "text": "Hello"},
        {"type": "refusal", "refusal": "Hello"},
    ],
)
def test_text_has_many_shapes(part: Any) -> None:
    assert parts(part) == (Text("Hello"),)


def test_parts_keep_their_order() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}

    assert parts("a", image, "", "b") == (
        Text("a"),
        Media(Url("https://example.com/a.png"), None, None, "messages[0].content[1].image_url"),
        Text("b"),
    )


def called(id: str, name: str, arguments: Any) -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def test_calls_follow_what_was_said_and_thought() -> None:
    decoded = message(
        role="assistant",
        content="Let me look.",
        reasoning_content="They ask for the weather.",
        tool_calls=[called("call_1", "weather", '{"city": "Oslo"}'), called("call_2", "time", "")],
        annotations=[],
        audio=None,
        refusal=None,
    )

    assert decoded.parts == (
        Reasoning("They ask for the weather."),
        Text("Let me look."),
        ToolCall("call_1", "weather", '{"city": "Oslo"}'),
        ToolCall("call_2", "time", ""),
    )


def test_the_call_of_a_custom_tool_has_its_input_for_arguments() -> None:
    grep = {"id": "call_1", "type": "custom", "custom": {"name": "grep", "input": "-r needle"}}
    silent = {"id": "call_2", "type": "custom", "custom": {"name": "wait"}}

    decoded = message(role="assistant", tool_calls=[grep, silent, called("call_3", "time", "{}")])

    assert decoded.parts == (
        ToolCall("call_1", "grep", "-r needle"),
        ToolCall("call_2", "wait", ""),
        ToolCall("call_3", "time", "{}"),
    )


@pytest.mark.parametrize("content", [None, "", []])
def test_calls_without_a_word(content: Any) -> None:
    decoded = message(role="assistant", content=content, tool_calls=[called("call_1", "weather", "{}")])

    assert decoded.parts == (ToolCall("call_1", "weather", "{}"),)


@pytest.mark.parametrize("tool_calls", [None, []])
def test_no_calls(tool_calls: Any) -> None:
    assert message(role="assistant", content="x", tool_calls=tool_calls).parts == (Text("x"),)


def test_a_call_may_lack_its_type_and_arguments() -> None:
    decoded = message(role="assistant", tool_calls=[{"id": "call_1", "function": {"name": "now"}}])

    assert decoded.parts == (ToolCall("call_1", "now", ""),)


@pytest.mark.parametrize(
    "thought",
    [
        {"reasoning_content": "Hm."},
        {"reasoning": "Hm."},
        {"reasoning_content": "Hm.", "reasoning": "Hm."},
        {"reasoning_content": None, "reasoning": "Hm."},
    ],
)
def test_a_thought_comes_back_under_either_name(thought: dict[str, Any]) -> None:
    assert message(role="assistant", content="x", **thought).parts == (Reasoning("Hm."), Text("x"))


@pytest.mark.parametrize("thought", ["", None, {"summary": []}, [], 5])
def test_a_thought_that_is_no_text_is_ignored(thought: Any) -> None:
    assert message(role="assistant", content="x", reasoning=thought).parts == (Text("x"),)


def test_a_refusal_is_what_was_said_where_nothing_else_was() -> None:
    assert message(role="assistant", content=None, refusal="No.").parts == (Text("No."),)
    assert message(role="assistant", content="Yes.", refusal="No.").parts == (Text("Yes."),)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("12 °C", (Text("12 °C"),)),
        ([{"type": "text", "text": "12"}, {"type": "text", "text": "°C"}], (Text("12"), Text("°C"))),
        ("", ()),
        (None, ()),
        (
            [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}],
            (Media(Url("https://example.com/a.png"), None, None, "messages[0].content[0].image_url"),),
        ),
    ],
)
def test_a_tool_result(content: Any, expected: tuple[Part, ...]) -> None:
    decoded = message(role="tool", tool_call_id="call_1", content=content)

    assert decoded == Message("tool", (ToolResult("call_1", expected),))


def test_the_functions_of_old() -> None:
    decoded = request(
        functions=[{"name": "weather", "description": "d", "parameters": {"type": "object"}}],
        function_call={"name": "weather"},
        messages=[
            *HELLO,
            {"role": "assistant", "content": None, "function_call": {"name": "weather", "arguments": "{}"}},
            {"role": "function", "name": "weather", "content": "12 °C"},
        ],
    )

    assert decoded.tools == (Tool("weather", "d", {"type": "object"}),)
    assert decoded.tool_choice == ToolChoice(ToolChoiceMode.REQUIRED, ("weather",))
    assert decoded.messages[1].parts == (ToolCall("weather", "weather", "{}"),)
    assert decoded.messages[2] == Message("tool", (ToolResult("weather", (Text("12 °C"),)),))
