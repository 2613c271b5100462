"""One line for each request, once its answer is over. No message's text, no key, and no line that a client forged."""

import logging
import os
import time
from collections.abc import Callable
from typing import Any, cast

from flask import Flask, Response, g, request

from poe2openai.gateway.record import RequestRecord, Texts

log = logging.getLogger("poe2openai.request")

_QUIET_PATHS = frozenset({"/health"})


_LONGEST_HEADER = 256

OnOver = Callable[[RequestRecord, str, str], None]


def install(app: Flask, on_over: OnOver | None = None, *, with_texts: bool = False) -> None:
    """`on_over` takes each request when its answer is over, with its method and path, and the texts if asked to."""

    def begin() -> None:
        told = request.environ.get
        g.record = RequestRecord(
            id=f"req_{os.urandom(12).hex()}",
            sender=(
                told("HTTP_X_TITLE", "")[:_LONGEST_HEADER],
                (told("HTTP_HTTP_REFERER") or told("HTTP_REFERER", ""))[:_LONGEST_HEADER],
                told("HTTP_USER_AGENT", "")[:_LONGEST_HEADER],
            ),
            texts=Texts() if with_texts else None,
            on_over=on_over,
        )

    app.before_request(begin)
    app.after_request(_finish)


def current_record() -> RequestRecord:
    """The record of the request at hand."""
    return cast(RequestRecord, g.record)


def write_line(record: RequestRecord, method: str, path: str) -> None:
    """The request is over: its line goes into the log, and its record to whoever keeps them."""
    if record.on_over is not None:
        record.on_over(record, method, path)
    level = logging.DEBUG if path in _QUIET_PATHS else logging.INFO
    if log.isEnabledFor(level):
        # Made by hand: `log.log` would look through the stack for who called it, which no format shows.
        line = logging.LogRecord(log.name, level, __file__, 0, "request", None, None)
        line.fields = _fields(record, method, path)
        log.handle(line)


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
