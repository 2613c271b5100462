"""A client's body as JSON; whatever is wrong with it is told with its place.

orjson refuses what would bite later: NaN, lone surrogates, more than 1,024 levels, numbers beyond a double.
"""

from collections.abc import Sequence
from typing import Any

import orjson

from poe2openai.core.errors import ErrorKind, GatewayError

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LEVELS_ADDED_LATER = 16


def parse_object(body: bytes) -> dict[str, Any]:
    """Raises `GatewayError(INVALID_REQUEST)` with line and column, or with the byte offset where UTF-8 breaks."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if body.startswith(_BYTE_ORDER_MARK):
            return parse_object(body[len(_BYTE_ORDER_MARK) :])
        raise GatewayError(ErrorKind.INVALID_REQUEST, _what_is_wrong(body, error)) from None
    if not isinstance(parsed, dict):
        raise GatewayError(
            ErrorKind.INVALID_REQUEST, f"The body has to be a JSON object, but is {name_of_type(parsed)}."
        )
    return parsed


def _what_is_wrong(body: bytes, error: orjson.JSONDecodeError) -> str:
    try:
        body.decode()
    except UnicodeDecodeError as not_utf8:
        return f"The body is not valid UTF-8 (at byte offset {not_utf8.start})."
    if not body.strip():
        return "The body is empty: a JSON object was expected."
    return f"The body is not valid JSON: {error.msg} (line {error.lineno}, column {error.colno})."


def require_shallow(values: Sequence[tuple[str, object]]) -> None:
    """Refuses what can be read but not written again: orjson reads 1,024 levels and writes 254.

    Each value comes with its `param`. Some levels are kept free for what it is wrapped in on its way to Poe.
    """
    if _is_writable([value for _, value in values]):
        return
    param = next(param for param, value in values if not _is_writable([value]))
    raise GatewayError(ErrorKind.INVALID_REQUEST, f"'{param}' is nested too deeply.", param=param)


def _is_writable(value: object) -> bool:
    for _ in range(_LEVELS_ADDED_LATER):
        value = (value,)
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:
        return False
    return True


def name_of_type(value: object) -> str:
    """What JSON calls it, with its article."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int():
            return "an integer"
        case float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "a list"
        case _:
            return "an object"
