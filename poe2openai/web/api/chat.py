"""POST /v1/chat/completions (OpenAI API reference, Chat, Create chat completion)."""

import logging
import time
from functools import partial

from flask import Blueprint, Response, request

from poe2openai.config.settings import Settings
from poe2openai.core.request import ModelRequest
from poe2openai.dialects.chat_completions.decode import decode
from poe2openai.dialects.chat_completions.encode import ChunkEncoder, completion, new_id
from poe2openai.gateway.exchange import Waiting
from poe2openai.gateway.record import RequestRecord
from poe2openai.web.auth import caller_of
from poe2openai.web.body import read_body
from poe2openai.web.hang_up import ClientGone, Watched
from poe2openai.web.request_log import current_record, write_line
from poe2openai.web.services import Services, services
from poe2openai.web.streaming import next_ping, stream_answer, whole_answer

blueprint = Blueprint("chat", __name__)
log = logging.getLogger(__name__)

_MOST_LOGGED = 64 * 1024  # bytes of a body

# nginx's status for a client that closed its request; nobody reads it but the log.
CLIENT_CLOSED_REQUEST = 499


@blueprint.post("/v1/chat/completions")
@blueprint.post("/chat/completions")
def chat_completions() -> Response:
    here, record = services(), current_record()
    watched = here.hang_up.watch(request.environ)
    try:
        response = _answer(here, record, watched)
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


def _answer(here: Services, record: RequestRecord, watched: Watched) -> Response:
    caller = caller_of(request, here.keys)
    record.caller = caller.id
    asked = _read_request(here.settings, record)
    route = here.catalog.resolve(asked.model)
    record.model, record.bot, record.stream = asked.model, route.bot, asked.stream
    here.limits.wait_turn(caller)
    ping_seconds = here.settings.stream_ping_seconds
    ping_due = next_ping(ping_seconds)
    waiting = Waiting(ping_due if asked.stream else None, watched.check)
    batches = here.exchange.answer(asked, route, caller, record, waiting)
    answer_id, created = new_id(), int(time.time())
    if asked.stream:
        return stream_answer(
            batches,
            ChunkEncoder(id=answer_id, model=asked.model, created=created, include_usage=asked.include_usage),
            ping_due=ping_due,
            ping_seconds=ping_seconds,
            watched=watched,
            record=record,
            on_close=partial(write_line, record, request.method, request.path),
        )
    answer = whole_answer(batches, watched)
    body = completion(answer, id=answer_id, model=asked.model, created=created)
    return Response(body, content_type="application/json", headers={"Cache-Control": "no-cache"})


def _read_request(settings: Settings, record: RequestRecord) -> ModelRequest:
    body = read_body(request.environ, limit=settings.max_request_size, timeout=settings.request_body_timeout)
    record.input_bytes = len(body)
    log.debug("request %s asks: %s", record.id, body[:_MOST_LOGGED])
    return decode(body)
