"""What every view that asks a bot does once its dialect has read the body, and until its answer is written."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from flask import Response, request

from poe2openai.config.settings import Settings
from poe2openai.core.collect import Answer
from poe2openai.core.request import ModelRequest
from poe2openai.dialects.lifting import LiftedBody
from poe2openai.gateway.attempts import Waiting
from poe2openai.gateway.keys import Caller
from poe2openai.gateway.record import RequestRecord
from poe2openai.web.auth import caller_of
from poe2openai.web.body import read_body, read_lifted
from poe2openai.web.hang_up import ClientGone, Watched
from poe2openai.web.request_log import current_record, write_line
from poe2openai.web.services import Services, services
from poe2openai.web.side_by_side import collect_all, side_by_side
from poe2openai.web.streaming import Answering, Encoder, next_ping, stream_answer, whole_answer

log = logging.getLogger(__name__)

FORMAT_ERROR_HEADER = "x-response-format-error"
"""Says why an answer is not the JSON that `response_format` asked for."""

_MOST_LOGGED = 64 * 1024  # bytes of a body

# nginx's status for a client that closed its request; nobody reads it but the log.
CLIENT_CLOSED_REQUEST = 499


@dataclass(frozen=True, slots=True)
class Question:
    """A body as its dialect read it.

    `requests` has one for each answer that is wanted, all of one model and all streamed or none; of several, the
    batches are `ChoiceBatch`es. `encoder` is made for a stream, `render` writes whole answers.
    """

    requests: Sequence[ModelRequest]
    encoder: Callable[[], Encoder]
    render: Callable[[Sequence[Answer]], bytes]


def _by_key() -> Caller:
    return caller_of(request, services().keys)


def respond(read: Callable[[LiftedBody, Settings], Question], find_caller: Callable[[], Caller] = _by_key) -> Response:
    """Answers the request at hand; `read` is the dialect, and raises `GatewayError` for a body that is wrong.

    `find_caller` says who asks, and raises where nobody may.
    """
    here, record = services(), current_record()
    watched = here.hang_up.watch(request.environ, record)
    try:
        caller = find_caller()
        record.caller = caller.id
        response = _answer(here, record, watched, caller, read)
    except ClientGone:
        watched.close()
        record.hung_up = True
        return Response(status=CLIENT_CLOSED_REQUEST)
    except BaseException:
        watched.close()
        raise
    if not response.is_streamed:
        watched.close()
    return response


def _answer(
    here: Services,
    record: RequestRecord,
    watched: Watched,
    caller: Caller,
    read: Callable[[LiftedBody, Settings], Question],
) -> Response:
    question = read(_read_lifted(here.settings, record), here.settings)
    asked = question.requests[0]
    route = here.catalog.resolve(asked.model)
    record.model, record.bot, record.stream = asked.model, route.bot, asked.stream
    for _ in question.requests:
        here.limits.wait_turn(caller)
    ping_seconds = here.settings.stream_ping_seconds
    ping_due = next_ping(ping_seconds)

    def ask(one: ModelRequest, check: Callable[[], None] = watched.check) -> Answering:
        waiting = Waiting(ping_due if asked.stream else None, check)
        return here.exchange.answer(one, route, caller, record, waiting)

    several = len(question.requests) > 1
    batches = side_by_side(ask, question.requests) if several else ask(asked)
    if asked.stream:
        response = stream_answer(
            batches,
            question.encoder(),
            ping_due=ping_due,
            ping_seconds=ping_seconds,
            watched=watched,
            record=record,
            on_close=partial(write_line, record, request.method, request.path),
        )
    else:
        whole = collect_all(batches, len(question.requests), watched) if several else [whole_answer(batches, watched)]
        body = question.render(whole)
        response = Response(body, content_type="application/json", headers={"Cache-Control": "no-cache"})
    if record.format_error:
        response.headers[FORMAT_ERROR_HEADER] = record.format_error
    return response


def _read_lifted(settings: Settings, record: RequestRecord) -> LiftedBody:
    body = read_lifted(request.environ, limit=settings.max_request_size, timeout=settings.request_body_timeout)
    record.input_bytes = len(body.text)
    log.debug("request %s asks: %s", record.id, body.text[:_MOST_LOGGED])
    return body


def read_request_body(settings: Settings, record: RequestRecord) -> bytes:
    """The body of the request at hand, within its bounds of size and time."""
    body = read_body(request.environ, limit=settings.max_request_size, timeout=settings.request_body_timeout)
    record.input_bytes = len(body)
    log.debug("request %s asks: %s", record.id, body[:_MOST_LOGGED])
    return body
