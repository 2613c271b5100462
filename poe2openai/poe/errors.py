"""What Poe says went wrong, as a `GatewayError`: its error events, HTTP statuses, error types and texts. Pure.

What Poe names by a type or code counts first, then texts that leave no doubt (no points, too long), then the status,
then other known texts; what is left is the client's fault (400), as the predecessor had it.
"""

import math
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import orjson

from poe2openai.core.errors import ErrorKind, GatewayError

MAX_MESSAGE = 2000
MAX_RETRY_AFTER = 86400.0
_MAX_NESTING = 8
# An error says what it is at its beginning; what follows may be megabytes of somebody's stack trace.
_MAX_SEARCHED = 8192
_MAX_WRAPPED = 256 * 1024

_KINDS_BY_TYPE = {
    "insufficient_fund": ErrorKind.INSUFFICIENT_QUOTA,
    "insufficient_funds": ErrorKind.INSUFFICIENT_QUOTA,
    "insufficient_credits": ErrorKind.INSUFFICIENT_QUOTA,
    "insufficient_quota": ErrorKind.INSUFFICIENT_QUOTA,
    "user_message_too_long": ErrorKind.CONTEXT_LENGTH,
    "context_length_exceeded": ErrorKind.CONTEXT_LENGTH,
    "privacy_authorization_error": ErrorKind.PERMISSION,
    "permission_error": ErrorKind.PERMISSION,
    "authentication_error": ErrorKind.AUTHENTICATION,
    "invalid_api_key": ErrorKind.AUTHENTICATION,
    "not_found_error": ErrorKind.MODEL_NOT_FOUND,
    "model_not_found": ErrorKind.MODEL_NOT_FOUND,
    "rate_limit_error": ErrorKind.RATE_LIMIT,
    "rate_limit_exceeded": ErrorKind.RATE_LIMIT,
    "overloaded_error": ErrorKind.OVERLOADED,
}
_KINDS_BY_STATUS = {
    401: ErrorKind.AUTHENTICATION,
    402: ErrorKind.INSUFFICIENT_QUOTA,
    403: ErrorKind.PERMISSION,
    404: ErrorKind.MODEL_NOT_FOUND,
    407: ErrorKind.UPSTREAM_UNREACHABLE,
    408: ErrorKind.UPSTREAM_TIMEOUT,
    413: ErrorKind.CONTEXT_LENGTH,
    429: ErrorKind.RATE_LIMIT,
    500: ErrorKind.UPSTREAM_INTERNAL,
    503: ErrorKind.OVERLOADED,
    504: ErrorKind.UPSTREAM_TIMEOUT,
    529: ErrorKind.OVERLOADED,
}
_NO_POINTS = re.compile(
    r"needs? more points|not (?:have )?enough points|insufficient (?:points|credits|funds)", re.IGNORECASE
)
_TOO_LONG = re.compile(
    r"context[ _](?:length|window|limit)|maximum context|too many (?:input |prompt )?tokens"
    r"|\b(?:prompt|messages?|input|conversation)(?: is| are| was)? too (?:long|large)\b"
    r"|exceeds? the (?:model'?s )?(?:token|context|maximum (?:number of tokens|tokens|input|prompt))",
    re.IGNORECASE,
)
_TOO_FAST = re.compile(r"rate[ _-]?limit|too many requests", re.IGNORECASE)
_KINDS_BY_TEXT = (
    (_TOO_FAST, ErrorKind.RATE_LIMIT),
    (re.compile(r"invalid (?:token|api[ _]key)|unauthori[sz]ed", re.IGNORECASE), ErrorKind.AUTHENTICATION),
    (re.compile(r"bot does not exist", re.IGNORECASE), ErrorKind.MODEL_NOT_FOUND),
    (re.compile(r"internal server error", re.IGNORECASE), ErrorKind.UPSTREAM_INTERNAL),
)
# Agents shorten the conversation when they read certain words. litellm (aider, OpenHands): "this model's maximum
# context length is"; Cline and Roo Code: "context length", "token"; Claude Code, opencode, pi: "prompt is too long".
_CONTEXT_LENGTH_WORDS = (
    "This model's maximum context length is exceeded: the prompt is too long. "
    "Please reduce the number of tokens in the messages."
)
# How a message begins that tells of a key which Poe did not take.
REFUSED_KEY = "Poe refused this API key: "
_BARE_REFUSAL = re.compile(r"(?:invalid (?:token|api[ _]key)|unauthori[sz]ed)(?:[: ]+\*\*\*)?[.!]?", re.IGNORECASE)
_BARE_NOT_FOUND = re.compile(r"(?:404[: ]*)?not found[.!]?", re.IGNORECASE)
_MARKUP = re.compile(rb"\s*(?:<!doctype|<html|<\?xml|<head|<body)", re.IGNORECASE)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhd])")
_DURATION = re.compile(rf"(?:{_DURATION_PART.pattern})+")
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class _Complaint(NamedTuple):
    """What an error says, however it was wrapped; `names` are its types and codes."""

    text: str
    names: frozenset[str]


def error_from_event(data: Mapping[str, Any], secret: str = "") -> GatewayError:
    """Poe's `error` event; it carries no HTTP status and is not worth a retry. `secret` is masked in the message."""
    complaint = _complaint(data)
    kind = _kind(complaint, None)
    text = clean_text(_masked(complaint.text, secret))
    return GatewayError(kind, _message(kind, text, None) or "The bot failed without saying why.")


def error_from_status(status: int, headers: Mapping[str, str], body: bytes, secret: str = "") -> GatewayError:
    """An answer with an HTTP status of 400 or more; `secret` is masked in the message."""
    if _MARKUP.match(body):
        complaint = _Complaint("", frozenset())
        fallback = f"Poe answered with a web page and HTTP status {status}."
    else:
        complaint = _complaint(body.decode("utf-8", "replace"))
        fallback = f"Poe answered with HTTP status {status}."
    if status == 407:
        fallback = "The proxy to Poe asks for credentials, or refuses those in PROXY."
    kind = _kind(complaint, status)
    fields = {name.lower(): value for name, value in headers.items()}
    retry_after = _retry_after(fields.get("retry-after", ""))
    if retry_after is None and kind is ErrorKind.RATE_LIMIT:
        retry_after = _retry_after(fields.get("x-ratelimit-reset-requests", ""))
    message = _message(kind, clean_text(_masked(complaint.text, secret)), status) or fallback
    return GatewayError(kind, message, retry_after=retry_after, upstream_status=status)


def is_retryable(error: GatewayError) -> bool:
    """Whether the same query may pass a moment later, as long as nothing of an answer was seen."""
    if error.kind in (ErrorKind.UPSTREAM_UNREACHABLE, ErrorKind.UPSTREAM_CUT_OFF):
        return error.upstream_status is None
    if error.kind is ErrorKind.INSUFFICIENT_QUOTA or error.upstream_status is None:
        return False
    return error.upstream_status == 429 or error.upstream_status >= 500


def clean_text(text: str) -> str:
    """A text of Poe's that can stand in a message and in a log line: one line, bounded, encodable."""
    line = _CONTROLS.sub(" ", text[: 2 * MAX_MESSAGE]).strip()
    line = line.encode("utf-8", "replace").decode("utf-8")
    return line if len(line) <= MAX_MESSAGE else line[: MAX_MESSAGE - 1] + "…"


def _masked(text: str, secret: str) -> str:
    return text.replace(secret, "***") if secret else text


def _complaint(said: Any) -> _Complaint:
    """Unwraps objects in texts, texts in objects: Poe wraps errors of the model's maker as it gets them."""
    names: set[str] = set()
    text = ""
    for _ in range(_MAX_NESTING):
        if isinstance(said, str):
            text = said
            said = _parsed(said)
        if isinstance(said, list):
            said = said[0] if said else None
        if isinstance(said, Mapping):
            found = (said.get(name) for name in ("error_type", "type", "code"))
            names.update(str(name).lower() for name in found if isinstance(name, str | int))
            candidates = (said.get(name) for name in ("error", "text", "message", "detail", "msg", "raw_response"))
            said = next((value for value in candidates if value and isinstance(value, str | Mapping | list)), None)
        if said is None:
            break
    return _Complaint(text, frozenset(names))


def _parsed(text: str) -> Any:
    """The object or string that the text is the JSON of; None for plain text, and for more than an error is."""
    if len(text) > _MAX_WRAPPED or not text.lstrip().startswith(("{", '"')):
        return None
    try:
        value = orjson.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, str | dict) else None


def _kind(complaint: _Complaint, status: int | None) -> ErrorKind:
    for name, kind in _KINDS_BY_TYPE.items():
        if name in complaint.names:
            return kind
    text = complaint.text[:_MAX_SEARCHED]
    if _NO_POINTS.search(text):
        return ErrorKind.INSUFFICIENT_QUOTA
    if status is None or status == 400:
        status = next((code for code in _KINDS_BY_STATUS if str(code) in complaint.names), status)
    if status not in (401, 403, 404, 429) and _TOO_LONG.search(text) and not _TOO_FAST.search(text):
        return ErrorKind.CONTEXT_LENGTH
    if status in _KINDS_BY_STATUS:
        return _KINDS_BY_STATUS[status]
    if status is not None and status >= 500:
        return ErrorKind.UPSTREAM_ERROR
    for pattern, kind in _KINDS_BY_TEXT:
        if pattern.search(text):
            return kind
    return ErrorKind.INVALID_REQUEST


def _message(kind: ErrorKind, text: str, status: int | None) -> str:
    """Poe's own words, and before them what they leave open: who refused, and what is not there."""
    match kind:
        case ErrorKind.CONTEXT_LENGTH:
            return clean_text(f"{_CONTEXT_LENGTH_WORDS} Poe says: {text}" if text else _CONTEXT_LENGTH_WORDS)
        case ErrorKind.AUTHENTICATION if text and "poe" not in text.lower():
            # Without a status it may be the maker of the bot's model who refuses the key of the bot's owner.
            is_poes = status == 401 or _BARE_REFUSAL.fullmatch(text)
            return clean_text(REFUSED_KEY + text) if is_poes else text
        case ErrorKind.MODEL_NOT_FOUND if _BARE_NOT_FOUND.fullmatch(text):
            return f"Poe has no such bot: {text}"
        case _:
            return text


def _retry_after(value: str) -> float | None:
    """Seconds, from a number of them, a duration (`1m30s`), Unix time (seconds or milliseconds), or an HTTP date."""
    value = value.strip()
    if _DURATION.fullmatch(value):
        seconds = sum(float(number) * _UNIT_SECONDS[unit] for number, unit in _DURATION_PART.findall(value))
        return min(seconds, MAX_RETRY_AFTER)
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp()
        except (ValueError, OverflowError):
            return None
    if not math.isfinite(seconds):
        return None
    if seconds > 1e9:
        seconds = seconds / (1000.0 if seconds > 1e12 else 1.0) - time.time()
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)
