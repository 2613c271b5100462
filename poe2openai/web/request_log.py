"""One line for each request, once its answer is over. No message's text, no key, and no line that a client forged."""

import logging
import os
import time
from typing import Any, cast

from flask import Flask, Response, g, request

from poe2openai.gateway.record import RequestRecord

log = logging.getLogger("poe2openai.request")

_QUIET_PATHS = frozenset({"/health"})


def install(app: Flask) -> None:
    app.before_request(_begin)
    app.after_request(_finish)


def current_record() -> RequestRecord:
    """The record of the request at hand."""
    return cast(RequestRecord, g.record)


def write_line(record: RequestRecord, method: str, path: str) -> None:
    level = logging.DEBUG if path in _QUIET_PATHS else logging.INFO
    if log.isEnabledFor(level):
        # Made by hand: `log.log` would look through the stack for who called it, which no format shows.
        line = logging.LogRecord(log.name, level, __file__, 0, "request", None, None)
        line.fields = _fields(record, method, path)
        log.handle(line)


def _begin() -> None:
    g.record = RequestRecord(id=f"req_{os.urandom(12).hex()}")


def _finish(response: Response) -> Response:
    record = current_record()
    record.status = response.status_code
    response.headers["x-request-id"] = record.id
    if not response.is_streamed:
        record.output_bytes = response.content_length or 0
        write_line(record, request.method, request.path)
    return response


def _fields(record: RequestRecord, method: str, path: str) -> dict[str, Any]:
    now = time.monotonic()
    fields: dict[str, Any] = {
        "id": record.id,
        "method": method,
        "path": path,
        "status": record.status,
        "ms": _milliseconds(now - record.started),
    }
    if record.caller:
        fields["caller"] = record.caller
    if record.model:
        fields |= {"model": record.model, "bot": record.bot, "stream": record.stream, "attempts": record.attempts}
        if record.first_token is not None:
            fields["first_token_ms"] = _milliseconds(record.first_token - record.started)
        fields["tokens_in"], fields["tokens_out"] = record.tokens()
    fields["bytes"] = record.output_bytes
    if record.reason:
        fields["finish"] = record.reason
    if record.error:
        fields["error"] = record.error
    if record.hung_up:
        fields["hung_up"] = True
    if record.notes:
        fields["notes"] = "; ".join(record.notes)
    return fields


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
