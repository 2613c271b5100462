"""Readers of one value each: a variable's text becomes what it means, or ValueError("must be …") without the text.

The message is put after the variable's name, and the text may be a secret. Standard library only, as in `settings`.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, cast
from urllib.parse import urlsplit

T = TypeVar("T")

ToolsMode = Literal["auto", "native", "xml"]
ToolHistory = Literal["auto", "native", "text"]


def text(value: str) -> str:
    """As it stands: spaces may belong to a password, and line ends to YAML."""
    return value


def word(value: str) -> str:
    stripped = value.strip()
    if not _printable(stripped):
        raise ValueError("must be printable ASCII without spaces")
    return stripped


def directory(value: str) -> Path:
    return Path(value).expanduser()


def whole(least: int, most: int | None = None) -> Callable[[str], int]:
    accepted = (
        f"must be a whole number, {least} or more" if most is None else f"must be a whole number, {least} to {most}"
    )

    def read(value: str) -> int:
        number = int(value) if re.fullmatch(r"\s*[+-]?[0-9]{1,18}\s*", value) else least - 1
        if number < least or (most is not None and number > most):
            raise ValueError(accepted)
        return number

    return read


def amount(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or number <= 0:
        raise ValueError("must be a number above 0")
    return number


def seconds(*, zero: bool = False) -> Callable[[str], float]:
    """`zero`: 0 is a meaningful answer."""
    accepted = "must be a number of seconds, 0 or more" if zero else "must be a number of seconds above 0"

    def read(value: str) -> float:
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not math.isfinite(number) or number < 0 or (number == 0 and not zero):
            raise ValueError(accepted)
        return number

    return read


def choice(choices: Mapping[str, T], *, accepted: str) -> Callable[[str], T]:
    """One of `choices` in any case; `accepted` is how they are shown."""

    def read(value: str) -> T:
        try:
            return choices[value.strip().lower()]
        except KeyError:
            raise ValueError(f"must be {accepted}") from None

    return read


flag = choice(
    {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False},
    accepted="true or false (1, 0, yes, no, on and off do as well)",
)
log_level = choice(
    {"debug": "debug", "info": "info", "warn": "warn", "warning": "warn", "error": "error"},
    accepted="debug, info, warn or error",
)
log_format = choice({"text": "text", "json": "json"}, accepted="text or json")
tools_mode = cast(
    "Callable[[str], ToolsMode]",
    choice({"auto": "auto", "native": "native", "xml": "xml"}, accepted="auto, native or xml"),
)
tool_history = cast(
    "Callable[[str], ToolHistory]",
    choice({"auto": "auto", "native": "native", "text": "text"}, accepted="auto, native or text"),
)


def strings(value: str) -> tuple[str, ...]:
    """A JSON list, or strings between commas; order stays, doubles and empty ones go."""
    items: list[Any] = value.split(",")
    if value.lstrip().startswith("["):
        try:
            items = json.loads(value)
        except (ValueError, RecursionError):
            raise ValueError('must be a JSON list such as ["one", "two"], or one,two') from None
    kept: dict[str, None] = {}
    for number, item in enumerate(items, start=1):
        if not isinstance(item, str):
            raise ValueError(f"must be a list of strings; item {number} is not a string")
        stripped = item.strip()
        if stripped and not _printable(stripped):
            raise ValueError(f"must hold printable ASCII without spaces; item {number} does not")
        if stripped:
            kept[stripped] = None
    return tuple(kept)


def url(*schemes: str) -> Callable[[str], str]:
    """A URL with a host, without the slash at its end."""
    accepted = f"must be a URL that starts with {_either(schemes)}"

    def read(value: str) -> str:
        stripped = value.strip()
        try:
            parts = urlsplit(stripped)
            fits = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
        except ValueError:  # a port that is no number, a bracket that stays open
            fits = False
        if not fits or not _printable(stripped):
            raise ValueError(accepted)
        return stripped.rstrip("/")

    return read


def limits_storage(value: str) -> str:
    """In the notation of `limits`, as far as poe2openai.web.limits knows how to take turns in it."""
    schemes = ("redis", "rediss", "redis+unix", "valkey", "valkeys", "valkey+unix", "memory")
    stripped = value.strip()
    scheme, mark, _ = stripped.partition("://")
    if scheme not in schemes or not mark or not _printable(stripped):
        raise ValueError(f"must be a URL that starts with {_either(schemes)}")
    return stripped


def database_url(value: str) -> str:
    """As SQLAlchemy reads it."""
    stripped = value.strip()
    scheme, mark, rest = stripped.partition("://")
    if scheme not in ("postgresql", "postgres") or not mark or not rest or not _printable(stripped):
        raise ValueError("must be a URL that starts with postgresql://")
    return stripped


def rate_limits(value: str) -> str:
    """The notation of `limits`, which raises when it reads worse; checked here so that a bad one stops the start."""
    one = r"\s*[1-9][0-9]{0,8}\s*(/|\s*per\s*)\s*([1-9][0-9]{0,8})?\s*(second|minute|hour|day|month|year)s?\s*"
    if not re.fullmatch(rf"{one}([,;|]{one})*", value, re.IGNORECASE):
        raise ValueError("must be limits such as 60/minute, or several as in 10/second;1000/day")
    return value.strip()


def _printable(value: str) -> bool:
    """Fit for a header or a URL as it stands."""
    return re.fullmatch(r"[!-~]+", value) is not None


def _either(schemes: tuple[str, ...]) -> str:
    *others, last = [f"{scheme}://" for scheme in schemes]
    return f"{', '.join(others)} or {last}"
