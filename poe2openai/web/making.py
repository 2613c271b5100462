"""What every view does that has a bot make files, around what its dialect reads and writes."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import chain

from flask import Response, request

from poe2openai.core.request import ModelRequest
from poe2openai.dialects import sse
from poe2openai.dialects.form import Fields
from poe2openai.dialects.openai_errors import error_body
from poe2openai.gateway.attempts import Waiting
from poe2openai.gateway.catalog import Route
from poe2openai.gateway.keys import Caller
from poe2openai.gateway.making import Made, Steps
from poe2openai.gateway.parallel import Check, Source, all_of, merged
from poe2openai.gateway.record import RequestRecord
from poe2openai.web.answering import CLIENT_CLOSED_REQUEST
from poe2openai.web.auth import caller_of
from poe2openai.web.forms import read_fields
from poe2openai.web.hang_up import ClientGone, Watched
from poe2openai.web.passing import stream_frames
from poe2openai.web.request_log import current_record
from poe2openai.web.services import Services, services
from poe2openai.web.streaming import PING, next_ping

MOST_AT_ONCE = 8
_TICK = 0.5


@dataclass(frozen=True, slots=True)
class Visit:
    """One request at hand: who asks, and whether anybody still waits for the answer."""

    services: Services
    caller: Caller
    record: RequestRecord
    watched: Watched

    def route(self, model: str, *, stream: bool = False) -> Route:
        route = self.services.catalog.resolve(model)
        self.record.model, self.record.bot, self.record.stream = model, route.bot, stream
        return route

    def wait_turns(self, queries: int) -> None:
        for _ in range(queries):
            self.services.limits.wait_turn(self.caller)

    def make(self, asked: ModelRequest, route: Route, check: Check) -> Steps:
        waiting = Waiting(None, check)
        return self.services.making.make(asked, route, self.caller, self.record, waiting)

    def all_made(self, asked: Sequence[ModelRequest], route: Route) -> list[Made]:
        """What comes of several requests, asked side by side; raises the error of the first that fails."""
        jobs = [partial(self.made, one, route) for one in asked]
        return all_of(jobs, most=MOST_AT_ONCE, on_silence=self.watched.check)

    def stream(self, sources: Sequence[Source[bytes]]) -> Response:
        """The frames of all sources as they come, with pings; what fails before the first one keeps its status."""
        ping_seconds = self.services.settings.stream_ping_seconds
        ping_due = next_ping(ping_seconds)
        check, tick = self.watched.check, min(_TICK, ping_seconds / 4)
        frames = merged(sources, most=MOST_AT_ONCE, on_silence=check, tick=tick)
        try:
            first = next((frame or PING for frame in frames if frame or time.monotonic() >= ping_due), PING)
        except BaseException:
            frames.close()
            raise
        return stream_frames(
            (frame or b"" for frame in chain((first,), frames)),
            lambda error: sse.frame(error_body(error)),
            self.watched,
            self.record,
            ping_seconds,
            let_go=frames.close,
        )

    def made(self, asked: ModelRequest, route: Route, check: Check) -> Made:
        with closing(self.make(asked, route, check)) as steps:
            for step in steps:
                if isinstance(step, Made):
                    return step
        raise AssertionError("the answer has no end")


def visit(view: Callable[[Visit], Response]) -> Response:
    """Answers the request at hand by `view`, whose response closes the watch itself where it is streamed."""
    here, record = services(), current_record()
    watched = here.hang_up.watch(request.environ, record)
    try:
        caller = caller_of(request, here.keys)
        record.caller = caller.id
        response = view(Visit(here, caller, record, watched))
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


def fields_of_request(visited: Visit) -> Fields:
    return read_fields(request.environ, visited.services.settings, visited.record)


def whole(body: bytes, content_type: str = "application/json") -> Response:
    return Response(body, content_type=content_type, headers={"Cache-Control": "no-cache"})
