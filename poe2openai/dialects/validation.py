"""pydantic at the door: its errors told as OpenAI tells them, with `param` naming the place (`messages[0].content`)."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.dialects.json_body import name_of_type

_MAX_SHOWN = 100

_EXPECTED = {
    "string_type": "a string",
    "literal_error": "a string",
    "int_parsing": "an integer",
    "float_parsing": "a number",
    "bool_parsing": "a boolean",
    "int_type": "an integer",
    "float_type": "a number",
    "bool_type": "a boolean",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}

_BOUNDS = {
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "less than {lt:g}",
    "less_than_equal": "at most {le:g}",
    "too_short": "at least {min_length} item(s)",
    "too_long": "at most {max_length} items",
    "string_too_short": "at least {min_length} character(s)",
    "string_too_long": "at most {max_length} characters",
}

Place = tuple[str | int, ...]
_Model = TypeVar("_Model", bound=BaseModel)


def validate(model: type[_Model], data: dict[str, Any], *, strict: bool = True) -> _Model:
    """Raises `GatewayError(INVALID_REQUEST)` for the first thing that is wrong.

    Strict: `"1"` is no number; in a form, where all is text, it is.
    """
    try:
        return model.model_validate(data, strict=strict)
    except ValidationError as error:
        raise _first_error(error, data) from None


def _first_error(error: ValidationError, data: dict[str, Any]) -> GatewayError:
    """A union reports one error for each of its branches: the branch that got furthest is what the client meant."""
    placed = [(_place(details, data), details) for details in error.errors(include_url=False)]
    first = placed[0][0]
    siblings = [(place, details) for place, details in placed if place[: len(first)] == first]
    furthest = max((place for place, _ in siblings), key=len)
    param = path_of(furthest)
    message = _message(param, [details for place, details in siblings if place == furthest])
    return GatewayError(ErrorKind.INVALID_REQUEST, message, param=param)


def _place(details: ErrorDetails, data: Any) -> Place:
    """pydantic's `loc` without the names of union branches: what the client's own body does not hold."""
    *steps, last = details["loc"]
    if details["type"] != "missing":
        steps.append(last)
    place: list[str | int] = []
    for step in steps:
        if (step in data) if isinstance(data, dict) else (isinstance(data, list) and isinstance(step, int)):
            data = data[step]
            place.append(step)
    if details["type"] == "missing":
        place.append(last)
    elif details["type"] in {"union_tag_invalid", "union_tag_not_found"}:
        place.append(_discriminator(details))
    return tuple(place)


def path_of(place: Place) -> str:
    """`("messages", 0, "content")` → `messages[0].content`.

    A step that the client named itself (a token of `logit_bias`) is bounded, and cannot forge a line of the log.
    """
    path = ""
    for step in place:
        if isinstance(step, int):
            path += f"[{step}]"
        else:
            name = step[:_MAX_SHOWN]
            name = name if name.isidentifier() else ascii(name)[1:-1]
            path += f".{name}" if path else name
    return path


def _message(param: str, errors: list[ErrorDetails]) -> str:
    for details in errors:
        kind, value, context = details["type"], details["input"], details.get("ctx", {})
        if kind in {"missing", "union_tag_not_found"}:
            return f"Missing required parameter: '{param}'."
        if kind == "union_tag_invalid":
            return _unsupported(param, value[_discriminator(details)], context["expected_tags"])
        if kind == "literal_error" and isinstance(value, str):
            return _unsupported(param, value, context["expected"])
        if kind in _BOUNDS:
            return f"Invalid value for '{param}': expected {_BOUNDS[kind].format(**context)}, got {_shown(value)}."
    expected = list(dict.fromkeys(_EXPECTED[details["type"]] for details in errors if details["type"] in _EXPECTED))
    if expected:
        return f"Invalid type for '{param}': expected {' or '.join(expected)}, got {name_of_type(errors[0]['input'])}."
    return f"Invalid value for '{param}': {errors[0]['msg'][:_MAX_SHOWN]}."


def _unsupported(param: str, value: object, supported: str) -> str:
    if not isinstance(value, str):
        return f"Invalid type for '{param}': expected a string, got {name_of_type(value)}."
    return f"Invalid value: {_shown(value)} at {param}. Supported values are: {supported}."


def _discriminator(details: ErrorDetails) -> str:
    name: str = details["ctx"]["discriminator"]
    return name.strip("'")


def _shown(value: object) -> str:
    """A short value as the client wrote it, of a long one its beginning; of a list or an object its length."""
    match value:
        case str():
            return repr(value if len(value) <= _MAX_SHOWN else value[:_MAX_SHOWN] + "…")
        case list() | dict():
            return str(len(value))
        case _:
            return repr(value)
