"""What obviously helps is done to a value, and nothing else."""

from typing import Any

import pytest

from poe2openai.poe.schema_values import bounded, fit, nearest_effort

LEVELS = {"enum": ["low", "high"]}
NUMBER = {"type": "number", "minimum": 0, "maximum": 100}


@pytest.mark.parametrize(
    ("value", "schema", "expected"),
    [
        ("HIGH", LEVELS, "high"),
        ("xhigh", LEVELS, "high"),
        ("medium", LEVELS, "high"),
        ("none", LEVELS, "low"),
        ("bananas", LEVELS, "bananas"),
        (20_000, {"enum": ["10000", "50000"]}, "10000"),
        (45_000, {"enum": ["10000", "50000"]}, "50000"),
        ("true", {"type": "boolean"}, True),
        ("perhaps", {"type": "boolean"}, "perhaps"),
        (500, NUMBER, 100),
        (-5, NUMBER, 0),
        ("50", NUMBER, 50),
        ("many", NUMBER, "many"),
        (1e300, {"type": "integer"}, 1e300),
        (True, NUMBER, True),
        (42, {"type": "string"}, "42"),
        ("a", {"type": "string"}, "a"),
        ([1], {"type": "array"}, [1]),
        ({"a": 1}, {}, {"a": 1}),
    ],
)
def test_fit(value: Any, schema: dict[str, Any], expected: Any) -> None:
    assert fit(value, schema) == expected
    assert type(fit(value, schema)) is type(expected)


def test_the_nearest_effort_and_of_two_the_greater() -> None:
    assert nearest_effort("medium", ["low", "high"]) == "high"
    assert nearest_effort("max", ["low", "xhigh", "odd"]) == "xhigh"
    assert nearest_effort("low", ["odd"]) is None


def test_bounds_may_be_missing() -> None:
    assert bounded(5, {}) == 5
    assert bounded(5, {"minimum": 10}) == 10
