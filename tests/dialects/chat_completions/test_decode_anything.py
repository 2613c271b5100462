"""Whatever a body holds, it is decoded or refused, and nothing else happens."""

import copy
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.request import ModelRequest
from poe2openai.dialects.chat_completions.decode import decode

SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=9)
)
JSON = st.recursive(
    SCALARS,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=9), children, max_size=4),
    max_leaves=12,
)
EVERYTHING: dict[str, Any] = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "x"},
        {
            "role": "user",
            "content": [
                "x",
                {"type": "input_text", "text": "x"},
                {"type": "refusal", "refusal": "x"},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
                {"type": "video_url", "video_url": "data:video/mp4;base64,aGk="},
                {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
                {"type": "file", "file": {"file_data": "aGk=", "file_id": "https://x", "filename": "a.pdf"}},
            ],
        },
        {
            "role": "assistant",
            "content": [{"type": "text", "text": "x"}],
            "reasoning_content": "x",
            "refusal": "x",
            "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                {"id": "d", "type": "custom", "custom": {"name": "c", "input": "x"}},
            ],
            "function_call": {"name": "f", "arguments": "{}"},
        },
        {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "x"}]},
        {"role": "function", "name": "f", "content": "x"},
    ],
    "tools": [
        {"type": "function", "function": {"name": "f", "description": "x", "parameters": {"type": "object"}}},
        {"type": "custom", "custom": {"name": "c"}},
        {"type": "builtin_function", "function": {"name": "$web_search"}},
    ],
    "functions": [{"name": "f"}],
    "tool_choice": {
        "type": "allowed_tools",
        "allowed_tools": {
            "mode": "auto",
            "tools": [{"type": "function", "function": {"name": "f"}}, {"type": "custom"}],
        },
    },
    "function_call": {"name": "f"},
    "stream": True,
    "stream_options": {"include_usage": True},
    "temperature": 1,
    "logit_bias": {"1": 1},
    "stop": ["x"],
    "max_tokens": 1,
    "max_completion_tokens": 1,
    "n": 1,
    "extra_body": {"a": {}},
    "chat_template_kwargs": {"enable_thinking": True},
    "reasoning_effort": "high",
    "reasoning": {"effort": "high", "max_tokens": 1, "enabled": True},
    "thinking": {"type": "enabled", "budget_tokens": 1},
    "google": {"thinking_config": {"thinking_budget": 1, "thinking_level": "low"}},
    "plugins": [{"id": "web", "enabled": True}],
    "web_search_options": {
        "search_context_size": "low",
        "user_location": {"type": "approximate", "approximate": {"country": "FR"}},
    },
    "verbosity": "low",
    "seed": 1,
    "top_logprobs": 1,
    "parallel_tool_calls": False,
    "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}},
}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *[place for key, child in children for place in places(child, (*path, key))]]


PLACES = places(EVERYTHING)[1:]


def is_decoded_or_refused(body: bytes) -> bool:
    try:
        decoded = decode(body).request
    except GatewayError as error:
        return error.kind is ErrorKind.INVALID_REQUEST and len(error.message) < 600
    return isinstance(decoded, ModelRequest)


def test_the_body_with_everything_is_a_request() -> None:
    assert decode(orjson.dumps(EVERYTHING)).request.model == "m"


@given(JSON)
def test_any_json_is_a_request_or_a_refusal(value: Any) -> None:
    assert is_decoded_or_refused(orjson.dumps(value))


@given(st.dictionaries(st.sampled_from(sorted(EVERYTHING)) | st.text(max_size=9), JSON))
def test_any_fields_make_a_request_or_a_refusal(fields: dict[str, Any]) -> None:
    assert is_decoded_or_refused(orjson.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}]} | fields))


@given(st.lists(st.tuples(st.sampled_from(PLACES), JSON), min_size=1, max_size=3))
def test_any_value_in_any_place_makes_a_request_or_a_refusal(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    body = copy.deepcopy(EVERYTHING)
    for place, value in changes:
        holder: Any = body
        for step in place[:-1]:
            holder = holder[step] if isinstance(holder, dict | list) and step in keys_of(holder) else None
        if isinstance(holder, dict) or (isinstance(holder, list) and place[-1] in keys_of(holder)):
            holder[place[-1]] = value

    assert is_decoded_or_refused(orjson.dumps(body))


def keys_of(holder: Any) -> Any:
    return holder if isinstance(holder, dict) else range(len(holder))


@pytest.mark.parametrize("place", PLACES)
def test_a_wrong_type_in_any_place_is_refused_there_or_harmless(place: tuple[Any, ...]) -> None:
    body = copy.deepcopy(EVERYTHING)
    holder: Any = body
    for step in place[:-1]:
        holder = holder[step]
    holder[place[-1]] = "x" if type(holder[place[-1]]) is int else 5

    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)[1:]
    assert (param_at_fault(orjson.dumps(body)) or path).startswith(path)


def param_at_fault(body: bytes) -> str | None:
    try:
        decode(body)
    except GatewayError as error:
        return error.param
    return None
