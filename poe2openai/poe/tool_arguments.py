"""The arguments of earlier tool calls, which have to be a JSON object wherever they are handed on."""

import orjson

RAW_INPUT = "input"
"""The one argument of a call whose input was no JSON object: a custom tool's, or what a model wrote amiss."""


def as_object(arguments: str) -> str:
    """The text itself where it is a JSON object; else one that holds the same, to the letter."""
    if not arguments.strip():
        return "{}"
    try:
        value = orjson.loads(arguments)
    except ValueError:
        return _wrapped(arguments)
    if isinstance(value, dict):
        return arguments
    if value is None:
        return "{}"
    # Some libraries encode arguments twice.
    return value if isinstance(value, str) and _is_object(value) else _wrapped(arguments)


def _is_object(text: str) -> bool:
    try:
        return isinstance(orjson.loads(text), dict)
    except ValueError:
        return False


def _wrapped(text: str) -> str:
    return orjson.dumps({RAW_INPUT: text}).decode()
