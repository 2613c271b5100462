import re
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

import orjson
import pytest
from openai.types.chat import completion_create_params as reference

from poe2openai.core.errors import GatewayError
from poe2openai.core.request import ModelRequest
from poe2openai.dialects.chat_completions import schema
from poe2openai.dialects.chat_completions.decode import decode
from poe2openai.dialects.chat_completions.schema import AcceptedParameters, ChatCompletionBody
from poe2openai.dialects.validation import validate

API_PAGE = Path(__file__).resolve().parents[3] / "docs" / "api.md"
SDK_PARAMETERS = sorted(
    get_type_hints(reference.CompletionCreateParamsNonStreaming).keys()
    | get_type_hints(reference.CompletionCreateParamsStreaming).keys()
)
MINIMAL: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def accept(**fields: Any) -> ChatCompletionBody:
    return validate(ChatCompletionBody, MINIMAL | fields)


@pytest.mark.parametrize("name", SDK_PARAMETERS)
def test_every_parameter_of_the_official_sdk_is_known(name: str) -> None:
    assert name in ChatCompletionBody.model_fields


@pytest.mark.parametrize("name", SDK_PARAMETERS)
def test_every_parameter_is_documented(name: str) -> None:
    assert re.search(rf"^\|[^|]*`{name}`", API_PAGE.read_text(encoding="utf-8"), re.MULTILINE)


def documented_as(effect: str) -> set[str]:
    rows = re.findall(r"^\|([^|]+)\|([^|]+)\|", API_PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {name for names, stated in rows if effect in stated for name in re.findall(r"`(\w+)`", names)}


def test_what_has_no_effect_is_documented_to_have_none() -> None:
    assert documented_as("accepted without effect") == set(AcceptedParameters.model_fields)


WITHOUT_EFFECT: dict[str, Any] = {
    "audio": {"format": "wav", "voice": "alloy"},
    "metadata": {"session": "1", "nested": {"a": 1}},
    "moderation": {"model": "omni-moderation-latest"},
    "prediction": {"type": "content", "content": "x"},
    "prompt_cache_key": "k",
    "prompt_cache_options": {"mode": "implicit"},
    "prompt_cache_retention": "24h",
    "safety_identifier": "s",
    "service_tier": "auto",
    "store": False,
    "user": "u",
}
OPTIONAL: dict[str, Any] = {
    "frequency_penalty": 0.5,
    "logprobs": True,
    "modalities": ["text", "image"],
    "n": 2,
    "parallel_tool_calls": False,
    "presence_penalty": -1,
    "reasoning_effort": "high",
    "response_format": {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": {"$defs": {}}}},
    "seed": 7,
    "top_logprobs": 2,
    "top_p": 1,
    "verbosity": "low",
    "web_search_options": {"search_context_size": "low"},
}
OTHERS: dict[str, Any] = {
    "function_call": "none",
    "functions": [{"name": "g"}],
    "logit_bias": {"1": 1},
    "max_completion_tokens": 5,
    "max_tokens": 5,
    "messages": [{"role": "user", "content": "other"}],
    "model": "other",
    "stop": "x",
    "stream": True,
    "stream_options": {"include_usage": True},
    "temperature": 1,
    "tool_choice": "none",
    "tools": [{"type": "function", "function": {"name": "g"}}],
}
EXAMPLES = WITHOUT_EFFECT | OPTIONAL | OTHERS
THE_BOTS = {"sampling", "reasoning", "web_search", "verbosity"}


def changes(name: str) -> set[str]:
    """The fields of the request that are another with the parameter than without."""
    plain, asked = decode(orjson.dumps(MINIMAL)), decode(orjson.dumps(MINIMAL | {name: EXAMPLES[name]}))
    names = (field.name for field in fields(ModelRequest))
    return {each for each in names if getattr(plain.request, each) != getattr(asked.request, each)}


def test_there_is_an_example_for_every_parameter() -> None:
    assert set(WITHOUT_EFFECT) == set(AcceptedParameters.model_fields)
    assert set(EXAMPLES) == set(SDK_PARAMETERS)


@pytest.mark.parametrize("name", SDK_PARAMETERS)
def test_a_parameter_changes_what_is_asked_unless_it_is_documented_to_have_no_effect(name: str) -> None:
    assert bool(changes(name)) == (name not in documented_as("accepted without effect"))


@pytest.mark.parametrize("name", SDK_PARAMETERS)
def test_what_goes_to_the_bots_own_parameters_is_documented_so(name: str) -> None:
    sent_by_poes_query = {"temperature", "logit_bias"}
    assert bool(changes(name) & THE_BOTS) == (name in documented_as("the bot's parameter") | sent_by_poes_query)


@pytest.mark.parametrize(("name", "value"), (WITHOUT_EFFECT | OPTIONAL).items())
def test_a_parameter_is_no_parameter_of_the_bots_own(name: str, value: Any) -> None:
    assert getattr(accept(**{name: value}), name) == value
    assert not accept(**{name: value}).model_extra


@pytest.mark.parametrize("name", WITHOUT_EFFECT | OPTIONAL)
def test_a_parameter_has_its_type_with_an_effect_or_without(name: str) -> None:
    wrong = "x" if not isinstance(EXAMPLES[name], str) else 5
    with pytest.raises(GatewayError) as caught:
        accept(**{name: wrong})

    assert caught.value.param == name


@pytest.mark.parametrize("name", sorted(set(ChatCompletionBody.model_fields) - {"model", "messages"}))
def test_null_is_the_same_as_absent(name: str) -> None:
    assert getattr(accept(**{name: None}), name) is None


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens", "n", "seed", "top_logprobs"])
def test_an_integer_may_be_written_with_a_point(name: str) -> None:
    value = getattr(accept(**{name: 1.0}), name)

    assert value == 1
    assert isinstance(value, int)
    with pytest.raises(GatewayError, match="expected an integer"):
        accept(**{name: 1.5})


@pytest.mark.parametrize(
    ("name", "allowed", "refused"),
    [
        ("temperature", [0, 0.7, 2, 2.0], [-0.1, 2.1, "1", True]),
        ("max_tokens", [1, schema.MAX_TOKENS], [0, -1, schema.MAX_TOKENS + 1, "1", True]),
        ("max_completion_tokens", [1, 32_000], [0, -1, 1e300]),
        ("n", [1, 2, 8], [0, -1, 9, "1", True]),
        ("seed", [0, -(2**63), 2**63, 2**64 - 1], [1e300, -1e300, "1"]),
        ("logit_bias", [{}, {"1": 100, "2": -100, "3": 0.5}], [{"1": 101}, {"1": "x"}, {"1": None}, []]),
        ("stop", ["x", "", [], ["a"] * 5, ["", "b"]], [5, [5], ["a", None], ["a"] * 129]),
        ("stream", [True, False], ["true", 1]),
        ("stream_options", [{}, {"include_usage": True, "include_obfuscation": False}], [{"include_usage": 1}, True]),
        ("tools", [[]], [{}, [{}], ["x"], [{"type": "function"}], [{"type": "function", "function": {"name": ""}}]]),
        ("tool_choice", ["none", "auto", "required", "any"], ["all", 5, {}, {"type": "custom"}, {"type": "function"}]),
        ("function_call", ["none", "auto", {"name": "f"}], ["required", {}, {"name": 5}]),
        ("extra_body", [{}, {"a": 1}], ["x", []]),
    ],
)
def test_bounds_and_types(name: str, allowed: list[Any], refused: list[Any]) -> None:
    for value in allowed:
        accept(**{name: value})
    for value in refused:
        with pytest.raises(GatewayError) as caught:
            accept(**{name: value})
        assert caught.value.param is not None
        assert re.match(rf"{name}\b", caught.value.param)


def test_the_bias_of_very_many_tokens_is_refused_at_once() -> None:
    accept(logit_bias={str(token): 1 for token in range(schema.MAX_BIASED_TOKENS)})

    with pytest.raises(GatewayError, match="at most 1024 items, got 200000"):
        accept(logit_bias={str(token): "x" for token in range(200_000)})


def test_very_many_messages_are_refused() -> None:
    validate(ChatCompletionBody, MINIMAL | {"messages": MINIMAL["messages"] * schema.MAX_MESSAGES})

    with pytest.raises(GatewayError, match="at most 10000 items"):
        validate(ChatCompletionBody, MINIMAL | {"messages": MINIMAL["messages"] * (schema.MAX_MESSAGES + 1)})


@pytest.mark.parametrize(
    "name",
    [
        "audio",
        "metadata",
        "moderation",
        "prediction",
        "prompt_cache_options",
        "response_format",
        "web_search_options",
        "extra_body",
    ],
)
def test_an_object_with_very_many_options_is_refused(name: str) -> None:
    accept(**{name: {str(number): 1 for number in range(schema.MAX_OPTIONS)}})

    with pytest.raises(GatewayError, match="at most 1000 items, got 1001") as caught:
        accept(**{name: {str(number): 1 for number in range(schema.MAX_OPTIONS + 1)}})
    assert caught.value.param == name


def test_very_many_modalities_are_refused() -> None:
    with pytest.raises(GatewayError, match="'modalities': expected at most 1000 items"):
        accept(modalities=["text"] * 1001)


@pytest.mark.parametrize(
    "many",
    [
        {"role": "user", "content": ["x"] * 8_000},
        {"role": "tool", "tool_call_id": "call", "content": [{"type": "text", "text": "x"}] * 8_000},
        {"role": "assistant", "tool_calls": [{"id": "call", "function": {"name": "f"}}] * 8_000},
    ],
    ids=["texts", "results", "calls"],
)
def test_the_parts_of_all_messages_together_are_bounded(many: dict[str, Any]) -> None:
    accept(messages=[many, many])

    with pytest.raises(GatewayError, match="'messages': expected at most 20000 parts in all, got 24000") as caught:
        accept(messages=[many, many, many])
    assert caught.value.param == "messages"


def test_every_role_and_part_type_of_the_official_sdk_is_known() -> None:
    roles = {value for message in get_args(schema.ChatMessage) for value in get_args(get_type_hints(message)["role"])}
    types = {value for part in get_args(schema.ContentPart) for value in get_args(get_type_hints(part)["type"])}

    assert roles == {"system", "developer", "user", "assistant", "tool", "function"}
    assert types >= {"text", "refusal", "image_url", "input_audio", "file"}
