from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import Model

from poe2openai.dialects.catalog import RenderedList, openai_list, openai_model
from tests.support.poe_models import CREATED_SECONDS, entry, poe_list


def test_the_official_sdk_takes_it() -> None:
    model = Model.model_validate(openai_model(entry("GPT-4o")), strict=True)
    assert (model.id, model.object, model.created, model.owned_by) == ("gpt-4o", "model", CREATED_SECONDS, "Someone")


def test_poes_own_fields_stay() -> None:
    bot = entry("GPT-4o")
    model = openai_model(bot)
    assert {key: model[key] for key in bot if key != "created"} == {key: bot[key] for key in bot if key != "created"}


def test_what_other_clients_look_for() -> None:
    model = openai_model(entry("GPT-4o", parameters=[{"name": "reasoning_effort"}, {"name": "temperature"}]))
    assert model["name"] == model["displayName"] == "GPT-4o"
    assert model["type"] == "chat"
    assert model["context_length"] == model["max_model_len"] == model["contextWindowTokens"] == 200_000
    assert model["max_output_tokens"] == model["max_completion_tokens"] == model["maxOutput"] == 8_000
    assert model["top_provider"] == {"context_length": 200_000, "max_completion_tokens": 8_000, "is_moderated": False}
    assert model["functionCall"] is model["vision"] is model["search"] is True
    assert {"tools", "tool_choice", "reasoning", "reasoning_effort", "stop"} <= set(model["supported_parameters"])
    assert len(set(model["supported_parameters"])) == len(model["supported_parameters"])


def test_what_poe_does_not_tell_has_no_field() -> None:
    model = openai_model({"id": "my-own", "created": 17, "owned_by": "me"})
    assert (model["id"], model["name"], model["created"], model["owned_by"]) == ("my-own", "my-own", 17, "me")
    assert model.keys().isdisjoint(
        ["context_length", "max_output_tokens", "top_provider", "vision", "functionCall", "search", "pricing"]
    )
    assert "tools" not in model["supported_parameters"]
    assert "reasoning" not in model["supported_parameters"]


def test_a_bot_that_sees_no_pictures() -> None:
    assert openai_model(entry("A", architecture={"input_modalities": ["text"]}))["vision"] is False


def test_the_window_tells_the_context_where_the_entry_does_not() -> None:
    model = openai_model(entry("A", context_length=None, context_window={"context_length": "32768"}))
    assert model["context_length"] == 32768
    assert model["top_provider"]["max_completion_tokens"] is None


@pytest.mark.parametrize(
    ("created", "seconds"),
    [
        (1_694_610_718_936, 1_694_610_718),
        (1_694_610_718, 1_694_610_718),
        ("1694610718936", 1_694_610_718),
        (1_694_610_718_936_000, 1_694_610_718),
        (1_694_610_718_936.0, 1_694_610_718),
        (0, 0),
        (None, 0),
        ("", 0),
        ("yesterday", 0),
        ("²", 0),
        (True, 0),
        (-5, 0),
        (1.5, 0),
        (float("nan"), 0),
        (float("inf"), 0),
        ([1], 0),
    ],
)
def test_created_is_in_seconds(created: object, seconds: int) -> None:
    assert openai_model({"id": "x", "created": created})["created"] == seconds


def test_the_list() -> None:
    listed = orjson.loads(openai_list(poe_list("A", "B")))
    assert listed["object"] == "list"
    assert [Model.model_validate(model, strict=True).id for model in listed["data"]] == ["a", "b"]
    assert orjson.loads(openai_list([])) == {"object": "list", "data": []}


def test_a_list_is_rendered_once() -> None:
    rendered = RenderedList()
    entries = poe_list("A", "B")
    first = rendered.render(entries)
    assert first == openai_list(entries)
    assert rendered.render(entries) is first
    assert rendered.render(entries[:1]) == openai_list(entries[:1])
    assert rendered.render(list(entries)) == first


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["display_name", "context_length", "max_output_tokens", "name", "input_modalities"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)
FIELDS = [*entry("A"), "name", "top_provider"]


@given(st.text(min_size=1, max_size=10), st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_any_entry_with_an_id_is_a_model(name: str, fields: dict[str, Any]) -> None:
    (model,) = orjson.loads(openai_list([{**fields, "id": name}]))["data"]
    assert Model.model_validate(model, strict=True).id == name
