"""However a client says how much to think, each bot hears it in its own terms."""

from typing import Any

import pytest

from poe2openai.core.request import ReasoningOptions
from poe2openai.poe.reasoning import from_parameters, reasoning_parameters

EFFORTS = {"reasoning_effort": {"enum": ["minimal", "low", "medium", "high"]}}
LEVELS = {"thinking_level": {"enum": ["low", "high"]}}
BUDGET = {"thinking_budget": {"type": "number", "minimum": 0, "maximum": 31999}}
SWITCH = {"enable_thinking": {"type": "boolean"}}
MODE = {"thinking": {"enum": ["auto", "enabled", "disabled"]}}

MEDIUM, NONE, MAX = (ReasoningOptions(effort=word) for word in ("medium", "none", "max"))
SOME, NOTHING = ReasoningOptions(budget=3000), ReasoningOptions(budget=0)
ON, OFF = ReasoningOptions(enabled=True), ReasoningOptions(enabled=False)


@pytest.mark.parametrize(
    ("schemas", "expected"),
    [
        (EFFORTS, ["medium", "minimal", "high", "low", "minimal", "medium", "minimal"]),
        (LEVELS, ["high", "low", "high", "low", "low", "high", "low"]),
        (BUDGET, [10_000, 0, 31_999, 3000, 0, 10_000, 0]),
        (SWITCH, [True, False, True, True, False, True, False]),
        (MODE, ["enabled", "disabled", "enabled", "enabled", "disabled", "auto", "disabled"]),
    ],
)
def test_each_word_in_each_bots_own_terms(schemas: dict[str, Any], expected: list[Any]) -> None:
    (name,) = schemas
    for asked, value in zip((MEDIUM, NONE, MAX, SOME, NOTHING, ON, OFF), expected, strict=True):
        assert reasoning_parameters(asked, schemas, None) == {name: value}


def test_of_two_controls_the_one_is_set_that_the_word_is_for() -> None:
    both = {"effort": {"enum": ["none", "low", "high"]}, **BUDGET}

    assert reasoning_parameters(MEDIUM, both, None) == {"effort": "high"}
    assert reasoning_parameters(SOME, both, None) == {"thinking_budget": 3000}
    assert reasoning_parameters(ON, both, None) == {"effort": "high"}
    assert reasoning_parameters(OFF, both, None) == {"effort": "none", "thinking_budget": 0}
    assert reasoning_parameters(ReasoningOptions("low", 500), both, None) == {"effort": "low", "thinking_budget": 500}


def test_a_switch_beside_goes_along() -> None:
    both = {**SWITCH, **EFFORTS}

    assert reasoning_parameters(MEDIUM, both, None) == {"enable_thinking": True, "reasoning_effort": "medium"}
    assert reasoning_parameters(NONE, both, None)["enable_thinking"] is False
    # No effort was named: the bot keeps its own.
    assert reasoning_parameters(ON, both, None) == {"enable_thinking": True}


def test_a_budget_leaves_room_for_the_answer() -> None:
    assert reasoning_parameters(MEDIUM, BUDGET, 5000) == {"thinking_budget": 4000}
    assert reasoning_parameters(ReasoningOptions(budget=10**9), BUDGET, None) == {"thinking_budget": 31_999}
    assert reasoning_parameters(MAX, {"thinking_budget": {"type": "number"}}, None) == {"thinking_budget": 32_000}


def test_a_bot_that_declares_nothing_gets_nothing() -> None:
    assert reasoning_parameters(MEDIUM, {"web_search": {"type": "boolean"}}, None) == {}


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ({"enable_thinking": True}, ReasoningOptions(enabled=True)),
        ({"enable_thinking": "disabled"}, ReasoningOptions(enabled=False)),
        ({"thinking_budget": "8000"}, ReasoningOptions(budget=8000)),
        ({"output_effort": "HIGH", "a": 1}, ReasoningOptions(effort="high")),
        ({"effort": "odd"}, None),
        ({"a": "high"}, None),
    ],
)
def test_other_bots_names_are_understood(extra: dict[str, Any], expected: ReasoningOptions | None) -> None:
    assert from_parameters(extra) == expected
