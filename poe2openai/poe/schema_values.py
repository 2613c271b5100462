"""Makes a value fit the schema with which a bot declares a parameter, where that obviously helps."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""Efforts of all vendors, the least first."""

_LARGEST = 2**53  # what every JSON reader keeps exactly
_MIDDLE = EFFORTS.index("medium")
_WORDS = {"true": True, "1": True, "on": True, "yes": True, "false": False, "0": False, "off": False, "no": False}


def fit(value: Any, schema: Mapping[str, Any]) -> Any:
    """The value as the schema has it; unchanged where there is no obvious way, for Poe to judge."""
    choices = schema.get("enum")
    if isinstance(choices, list) and choices:
        return _choice(value, choices)
    kind = schema.get("type")
    if kind == "boolean" and isinstance(value, str):
        return _WORDS.get(value.strip().lower(), value)
    if kind in ("number", "integer"):
        number = as_number(value)
        return value if number is None else bounded(number, schema)
    if kind == "string" and isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value}"
    return value


def nearest_effort(effort: str, choices: Sequence[Any]) -> Any:
    """The choice that is nearest to an effort; of two as near, the greater."""
    wanted = rank(effort)
    ranked = [(abs(rank(choice) - wanted), -rank(choice), choice) for choice in choices if is_effort(choice)]
    return min(ranked)[2] if ranked else None


def is_effort(word: Any) -> bool:
    return isinstance(word, str) and word.strip().lower() in EFFORTS


def rank(effort: str) -> int:
    word = effort.strip().lower()
    return EFFORTS.index(word) if word in EFFORTS else _MIDDLE


def as_number(value: Any) -> float | int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if not isinstance(value, int | float) or not math.isfinite(value) or abs(value) > _LARGEST:
        return None
    return int(value) if float(value).is_integer() else value


def bounded(number: float, schema: Mapping[str, Any]) -> float | int:
    least, most = as_number(schema.get("minimum")), as_number(schema.get("maximum"))
    if least is not None:
        number = max(number, least)
    return number if most is None else min(number, most)


def _choice(value: Any, choices: Sequence[Any]) -> Any:
    if value in choices:
        return value
    if isinstance(value, str):
        folded = value.strip().casefold()
        for choice in choices:
            if isinstance(choice, str) and choice.casefold() == folded:
                return choice
        if is_effort(value) and (effort := nearest_effort(value, choices)) is not None:
            return effort
    number = as_number(value)
    numbers = [(choice, as_number(choice)) for choice in choices]
    if number is None or any(each is None for _, each in numbers):
        return value
    return min(((abs(each - number), -each, choice) for choice, each in numbers if each is not None))[2]
