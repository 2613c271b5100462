"""What a client sets arrives under the name that the bot declares, and in its terms."""

from typing import Any

import pytest

from poe2openai.core.request import ModelRequest, ReasoningOptions, Sampling, WebSearch
from poe2openai.poe.parameters import bot_parameters

DECLARED: dict[str, dict[str, Any]] = {
    "reasoning_effort": {"enum": ["low", "medium", "high"]},
    "web_search": {"type": "boolean"},
    "verbosity": {"enum": ["low", "medium", "high"]},
    "max_output_tokens": {"type": "number", "maximum": 8000},
    "seed": {"type": "string"},
    "aspect_ratio": {"enum": ["1:1", "16:9"]},
}


def parameters(declared: dict[str, Any] | None = DECLARED, owner: dict[str, Any] | None = None, **fields: Any) -> Any:
    return bot_parameters(ModelRequest("m", (), **fields), owner or {}, declared)


def test_nothing_asked_is_nothing_sent() -> None:
    assert parameters() == {}
    assert parameters(None) == {}


def test_the_owners_defaults_give_way_to_the_client() -> None:
    owner = {"reasoning_effort": "low", "aspect_ratio": "1:1"}

    assert parameters(owner=owner) == owner
    assert parameters(owner=owner, reasoning=ReasoningOptions("high"))["reasoning_effort"] == "high"
    assert parameters(owner=owner, extra={"aspect_ratio": "16:9"})["aspect_ratio"] == "16:9"


def test_reasoning_search_and_verbosity_reach_their_parameters() -> None:
    asked = {"reasoning": ReasoningOptions("xhigh"), "web_search": WebSearch(), "verbosity": "low"}

    assert parameters(**asked) == {"reasoning_effort": "high", "web_search": True, "verbosity": "low"}
    assert parameters({"aspect_ratio": {}}, **asked) == {}


def test_a_private_bot_gets_what_the_client_sent() -> None:
    assert parameters(
        None,
        reasoning=ReasoningOptions("high", sent={"reasoning_effort": "high"}),
        web_search=WebSearch(sent={"web_search_options": {}}),
        verbosity="low",
        extra={"thinking_budget": 5},
        max_tokens=100,
        sampling=Sampling(0.5, others={"seed": 1}),
    ) == {
        "reasoning_effort": "high",
        "web_search_options": {},
        "verbosity": "low",
        "thinking_budget": 5,
        "max_tokens": 100,
    }


def test_a_reasoning_parameter_of_other_bots_is_translated() -> None:
    assert parameters(extra={"thinking_budget": 3000, "x": 1}) == {"reasoning_effort": "low", "x": 1}
    assert parameters(extra={"enable_thinking": True}) == {"reasoning_effort": "medium"}
    # The bot's own name is taken at its word, within its bounds.
    assert parameters(extra={"reasoning_effort": "MAX"}, reasoning=ReasoningOptions("low")) == {
        "reasoning_effort": "high"
    }


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ({"max_output_tokens": {}}, {"max_output_tokens": 100}),
        ({"max_tokens": {}}, {"max_tokens": 100}),
        ({"max_tokens": {"enum": ["10", "200"]}}, {"max_tokens": "10"}),
        ({"max_output_tokens": {"type": "number", "maximum": 50}}, {"max_output_tokens": 50}),
        ({}, {}),
        (None, {"max_tokens": 100}),
    ],
)
def test_the_token_limit_has_the_bots_own_name(declared: Any, expected: dict[str, Any]) -> None:
    assert parameters(declared, max_tokens=100) == expected


def test_a_limit_that_was_set_by_name_stands() -> None:
    assert parameters(owner={"max_output_tokens": 7}, max_tokens=100) == {"max_output_tokens": 7}
    assert parameters(extra={"max_tokens": 9}, max_tokens=100) == {"max_tokens": 9}


def test_sampling_goes_to_bots_that_declare_it_and_in_their_type() -> None:
    sampling = Sampling(0.5, others={"seed": 42, "top_p": 0.9})

    assert parameters(sampling=sampling) == {"seed": "42"}
    assert parameters({"temperature": {"type": "number", "maximum": 0.3}}, sampling=sampling) == {"temperature": 0.3}


def test_search_options_go_where_they_are_declared() -> None:
    search = WebSearch(context_size="high", location={"country": "FR", "city": "Paris"})
    declared = {"enable_web_search": {}, "search_context_size": {"enum": ["low", "high"]}, "country": {}}

    assert parameters(declared, web_search=search) == {
        "enable_web_search": True,
        "search_context_size": "high",
        "country": "FR",
    }
    assert parameters({"tool_web_search": {}}, web_search=WebSearch(False)) == {"tool_web_search": False}
