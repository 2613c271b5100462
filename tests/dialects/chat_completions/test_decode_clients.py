"""Shapes that real clients send."""

from typing import Any

import orjson

from poe2openai.core.request import (
    Media,
    ModelRequest,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from poe2openai.dialects.chat_completions.decode import decode

HELLO = [{"role": "user", "content": "Hello"}]


def request(**fields: Any) -> ModelRequest:
    return decode(orjson.dumps({"model": "m", "messages": HELLO} | fields)).request


def called(id: str, name: str, arguments: Any) -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


WEATHER_SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "city": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "days": {"type": ["integer", "null"], "maximum": 9007199254740991},
        "places": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
        "place": {"$ref": "#/$defs/place"},
    },
    "additionalProperties": False,
}


def test_opencode() -> None:
    decoded = request(
        stream=True,
        stream_options={"include_usage": True},
        max_tokens=32000,
        tool_choice="auto",
        tools=[{"type": "function", "function": {"name": "weather", "description": "d", "parameters": WEATHER_SCHEMA}}],
        messages=[
            {"role": "system", "content": "You are an agent."},
            {"role": "user", "content": [{"type": "text", "text": "Look."}, {"type": "text", "text": "Please."}]},
            {"role": "assistant", "content": "", "tool_calls": [called("call_1", "weather", '{"city":"Oslo"}')]},
            {"role": "tool", "tool_call_id": "call_1", "content": "12 °C"},
        ],
    )

    assert [entry.role for entry in decoded.messages] == ["system", "user", "assistant", "tool"]
    assert decoded.tools[0].parameters == WEATHER_SCHEMA
    assert decoded.include_usage


def test_cline_sends_null_beside_calls() -> None:
    decoded = request(
        messages=[
            {"role": "user", "content": [{"type": "text", "text": "<task>x</task>"}]},
            {"role": "assistant", "content": None, "tool_calls": [called("call_1", "read_file", "{}")]},
            {"role": "tool", "tool_call_id": "call_1", "content": "text"},
        ],
        temperature=0,
        parallel_tool_calls=True,
    )

    assert decoded.messages[1].parts == (ToolCall("call_1", "read_file", "{}"),)
    assert decoded.sampling.temperature == 0


def test_qwen_code_sends_tools_without_parameters_and_results_as_parts() -> None:
    decoded = request(
        tools=[
            {"type": "function", "function": {"name": "list", "description": "d"}},
            {"type": "function", "function": {"name": "exit", "description": "", "parameters": {"type": "object"}}},
        ],
        messages=[
            *HELLO,
            {"role": "assistant", "content": "", "reasoning_content": "", "tool_calls": [called("c1", "list", "{}")]},
            {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "a.py"}]},
        ],
    )

    assert decoded.tools == (Tool("list", "d", None), Tool("exit", "", {"type": "object"}))
    assert decoded.messages[2].parts == (ToolResult("c1", (Text("a.py"),)),)


def test_pi_sends_store_and_the_newer_limit() -> None:
    decoded = request(store=False, max_completion_tokens=64000, stream=True)

    assert (decoded.max_tokens, decoded.extra) == (64000, {})


def test_langchain_and_instructor_force_a_schema() -> None:
    output = {"type": "json_schema", "json_schema": {"name": "out", "strict": True, "schema": WEATHER_SCHEMA}}
    forced = {"type": "function", "function": {"name": "final_result"}}
    tool = {"type": "function", "function": {"name": "final_result", "strict": True, "parameters": WEATHER_SCHEMA}}

    decoded = request(response_format=output, tools=[tool], tool_choice=forced)

    assert decoded.tool_choice.names == ("final_result",)
    assert request(response_format={"type": "json_object"}).extra == {}


def test_chatbox_with_a_picture() -> None:
    decoded = request(
        stream=True,
        temperature=0.7,
        top_p=1,
        messages=[
            {"role": "system", "content": "You are a helpful assistant."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,/9j/4AA="}},
                ],
            },
        ],
    )

    assert isinstance(decoded.messages[1].parts[1], Media)
    assert decoded.messages[1].parts[1].param == "messages[1].content[1].image_url"
