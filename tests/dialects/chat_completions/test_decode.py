from typing import Any

import orjson
import pytest

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.request import (
    Message,
    ModelRequest,
    OutputFormat,
    ReasoningOptions,
    Sampling,
    Text,
    WebSearch,
)
from poe2openai.dialects.chat_completions.decode import decode

HELLO = [{"role": "user", "content": "Hello"}]


def request(**fields: Any) -> ModelRequest:
    return decode(orjson.dumps({"model": "m", "messages": HELLO} | fields)).request


def refusal(**fields: Any) -> tuple[str | None, str]:
    with pytest.raises(GatewayError) as caught:
        request(**fields)
    assert caught.value.kind is ErrorKind.INVALID_REQUEST
    return caught.value.param, caught.value.message


def test_a_minimal_request() -> None:
    assert decode(b'{"model":"GPT-4o","messages":[{"role":"user","content":"Hello"}]}').request == ModelRequest(
        model="GPT-4o", messages=(Message("user", (Text("Hello"),)),)
    )


def test_a_full_request() -> None:
    decoded = request(
        stream=True,
        stream_options={"include_usage": True},
        temperature=0.5,
        logit_bias={"50256": -100},
        stop=["a", "", "b", "a"],
        max_completion_tokens=100,
        aspect_ratio="16:9",
    )

    assert decoded == ModelRequest(
        model="m",
        messages=(Message("user", (Text("Hello"),)),),
        sampling=Sampling(temperature=0.5, logit_bias={"50256": -100.0}),
        stop=("a", "b"),
        max_tokens=100,
        stream=True,
        include_usage=True,
        extra={"aspect_ratio": "16:9"},
    )


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"", None),
        (b"[]", None),
        (b'{"model": "m", "messages": [', None),
        (b'{"model": "m", "messages": [{"role": "user", "content": "\\ud800"}]}', None),
        (b"{}", "model"),
        (b'{"model": "", "messages": [{"role": "user", "content": "x"}]}', "model"),
        (b'{"model": null, "messages": [{"role": "user", "content": "x"}]}', "model"),
        (b'{"messages": [{"role": "user", "content": "x"}]}', "model"),
        (b'{"model": "m"}', "messages"),
        (b'{"model": "m", "messages": []}', "messages"),
        (b'{"model": "m", "messages": null}', "messages"),
        (b'{"model": "m", "messages": "x"}', "messages"),
    ],
)
def test_a_body_that_is_no_request_names_what_is_wrong(body: bytes, param: str | None) -> None:
    with pytest.raises(GatewayError) as caught:
        decode(body)

    assert caught.value.kind is ErrorKind.INVALID_REQUEST
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": ["x"]}, "messages[0]"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"messages": [*HELLO, {"role": "robot", "content": "x"}]}, "messages[1].role"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": {"type": "text"}}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [5]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": ["x", {}]}]}, "messages[0].content[1].type"),
        ({"messages": [{"role": "user", "content": [{"type": "hologram"}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        ({"messages": [{"role": "function", "content": "x"}]}, "messages[0].name"),
        ({"messages": [{"role": "assistant", "tool_calls": {}}]}, "messages[0].tool_calls"),
        ({"messages": [{"role": "assistant", "tool_calls": [{}]}]}, "messages[0].tool_calls[0].id"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "1", "function": {}}]}]},
            "messages[0].tool_calls[0].function.name",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "", "function": {"name": "", "arguments": 5}}]}]},
            "messages[0].tool_calls[0].function.arguments",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": 5, "function": {"name": "f"}}]}]},
            "messages[0].tool_calls[0].id",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"type": "custom", "custom": {"name": "c"}}]}]},
            "messages[0].tool_calls[0].id",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"type": "custom", "id": "1"}]}]},
            "messages[0].tool_calls[0].custom",
        ),
        ({"tools": [{"type": 5}]}, "tools[0].type"),
        ({"tools": [{"type": "custom"}, {"type": "function"}]}, "tools[1].function"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"tools": [{"function": {"name": "f", "parameters": []}}]}, "tools[0].function.parameters"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.function"),
        ({"tool_choice": {"type": "function", "function": {}}}, "tool_choice.function.name"),
        ({"tool_choice": {"type": "custom"}}, "tool_choice.custom"),
        ({"tool_choice": {"type": "magic"}}, "tool_choice.type"),
        ({"n": 0}, "n"),
        ({"stream": "yes"}, "stream"),
    ],
)  # fmt: skip
def test_param_is_the_path_of_what_is_wrong(fields: dict[str, Any], param: str) -> None:
    named, text = refusal(**fields)

    assert named == param
    assert param in text


def test_an_unknown_part_is_told_with_the_known_ones() -> None:
    _, text = refusal(messages=[{"role": "user", "content": ["x", {"type": "hologram"}]}])

    assert text == (
        "Invalid value: 'hologram' at messages[0].content[1].type. Supported values are: "
        "'text', 'input_text', 'refusal', 'image_url', 'video_url', 'input_audio', 'file'."
    )


def test_an_unknown_type_of_call_is_told_with_the_known_ones() -> None:
    _, text = refusal(messages=[{"role": "assistant", "tool_calls": [{"id": "1", "type": "magic"}]}])

    assert text == (
        "Invalid value: 'magic' at messages[0].tool_calls[0].type. Supported values are: 'function' or 'custom'."
    )


def test_a_default_model_serves_a_body_that_names_none() -> None:
    for model in ({}, {"model": None}, {"model": ""}):
        assert decode(orjson.dumps({"messages": HELLO} | model), default_model="gpt-5").request.model == "gpt-5"
    assert decode(orjson.dumps({"messages": HELLO, "model": "a"}), default_model="b").request.model == "a"
    for body, default in (({}, ""), ({"model": 0}, "gpt-5"), ({"model": False}, "gpt-5")):
        with pytest.raises(GatewayError) as caught:
            decode(orjson.dumps({"messages": HELLO} | body), default_model=default)
        assert caught.value.param == "model"


@pytest.mark.parametrize(
    ("stop", "expected"),
    [(None, ()), ("", ()), ("END", ("END",)), ([], ()), (["a", "b", "c", "d", "e"], ("a", "b", "c", "d", "e"))],
)
def test_stop(stop: Any, expected: tuple[str, ...]) -> None:
    assert request(stop=stop).stop == expected


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, None),
        ({"max_tokens": 5}, 5),
        ({"max_completion_tokens": 7}, 7),
        ({"max_tokens": 5, "max_completion_tokens": 7}, 5),
        ({"max_tokens": 9, "max_completion_tokens": 7}, 7),
        ({"max_tokens": None, "max_completion_tokens": 4096.0}, 4096),
    ],
)
def test_of_two_limits_the_smaller_counts(limits: dict[str, Any], expected: int | None) -> None:
    assert request(**limits).max_tokens == expected


@pytest.mark.parametrize("options", [None, {}, {"include_usage": False}, {"include_usage": None}])
def test_usage_in_a_stream_has_to_be_asked_for(options: Any) -> None:
    decoded = request(stream=True, stream_options=options)

    assert decoded.stream
    assert not decoded.include_usage


@pytest.mark.parametrize("stream", [None, False])
def test_an_answer_is_whole_unless_a_stream_is_asked_for(stream: bool | None) -> None:
    assert request(stream=stream).stream is False


def test_unknown_fields_are_the_bots_own_parameters() -> None:
    own = {"thinking": "auto", "enable_thinking": False, "thinking_budget": 1000, "reasoning": "deep"}

    assert request(**own, web_search=True, image_only=None).extra == own | {"web_search": True}  # fmt: skip


def test_a_literal_extra_body_is_merged_and_what_stands_beside_it_wins() -> None:
    asked = request(extra_body={"google": {"thinking_config": {"thinking_budget": 1000}}, "a": 1, "b": 1}, b=2)

    assert asked.extra == {"a": 1, "b": 2}
    assert asked.reasoning is not None
    assert asked.reasoning.budget == 1000
    assert request(extra_body=None).extra == {}


def test_what_asks_for_reasoning_and_search_becomes_one_thing_each() -> None:
    asked = request(
        reasoning_effort="low",
        thinking={"type": "enabled", "budget_tokens": 2000},
        web_search_options={"search_context_size": "low"},
        verbosity="high",
        response_format={"type": "json_object"},
        aspect="1:1",
    )

    sent = {"reasoning_effort": "low", "thinking": {"type": "enabled", "budget_tokens": 2000}}
    assert asked.reasoning == ReasoningOptions("low", 2000, True, sent)
    assert asked.web_search == WebSearch(True, "low", {}, {"web_search_options": {"search_context_size": "low"}})
    assert asked.verbosity == "high"
    assert asked.output_format == OutputFormat()
    assert asked.extra == {"aspect": "1:1"}


def test_known_parameters_never_travel_as_the_bots_own() -> None:
    assert request(seed=1, user="u", top_p=0.5, reasoning_effort="high", n=2, metadata={"a": "b"}).extra == {}


def options(count: int) -> dict[str, int]:
    return {f"option_{number}": number for number in range(count)}


def test_very_many_unknown_fields_are_refused() -> None:
    assert request(**options(1000), extra_body={"a": 1}).extra == {"a": 1} | options(1000)

    named, text = refusal(**options(1001))
    assert named == "option_1000"
    assert "at most 1000" in text
    assert refusal(extra_body=options(1001))[0] == "extra_body"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"thinking": None}, "thinking"),
        ({"extra_body": {"google": None}}, "extra_body.google"),
        ({"a b": None}, "a b"),
        ({"tools": [{"function": {"name": "f"}}, {"function": {"name": "g", "parameters": None}}]},
         "tools[1].function.parameters"),
        ({"functions": [{"name": "f", "parameters": None}]}, "functions[0].parameters"),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": {"a": None}}}},
         "response_format.json_schema"),
    ],
)  # fmt: skip
def test_what_is_too_deep_to_be_written_again_is_refused(fields: dict[str, Any], param: str) -> None:
    body = orjson.dumps({"model": "m", "messages": HELLO} | fields)
    for levels, refused in ((100, False), (500, True)):
        deep = b'{"a":' * levels + b"{}" + b"}" * levels
        if not refused:
            decode(body.replace(b"null", deep))
            continue
        with pytest.raises(GatewayError, match="nested too deeply") as caught:
            decode(body.replace(b"null", deep))
        assert caught.value.param == param


def test_two_long_names_that_begin_alike_are_both_looked_at() -> None:
    name = b"x" * 200
    deep = b"[" * 500 + b"]" * 500
    body = b'{"model":"m","messages":[{"role":"user","content":"x"}],"%s1":%s,"%s2":1}' % (name, deep, name)

    with pytest.raises(GatewayError, match="nested too deeply"):
        decode(body)
