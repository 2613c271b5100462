"""What every view does that has a bot make files, around what its dialect reads and writes."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from flask import Response, request

from poe2openai.core.request import ModelRequest
from poe2openai.dialects.form import Fields
from poe2openai.gateway.attempts import Waiting
from poe2openai.gateway.catalog import Route
from poe2openai.gateway.keys import Caller
from poe2openai.gateway.making import Made, Steps
from poe2openai.gateway.parallel import Check, all_of
from poe2openai.gateway.record import RequestRecord
from poe2openai.web.answering import CLIENT_CLOSED_REQUEST
from poe2openai.web.auth import caller_of
from poe2openai.web.forms import read_fields
from poe2openai.web.hang_up import ClientGone, Watched
from poe2openai.web.request_log import current_record
from poe2openai.web.services import Services, services

MOST_AT_ONCE = 8


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

    def made(self, asked: Sequence[ModelRequest], route: Route) -> list[Made]:
        """What comes of several requests, asked side by side; raises the error of the first that fails."""
        self.wait_turns(len(asked))
        jobs = [partial(self._made, one, route) for one in asked]
        return all_of(jobs, most=MOST_AT_ONCE, on_silence=self.watched.check)

    def _made(self, asked: ModelRequest, route: Route, check: Check) -> Made:
        with closing(self.make(asked, route, check)) as steps:
            for step in steps:
                if isinstance(step, Made):
                    return step
        raise AssertionError("the answer has no end")


def visit(view: Callable[[Visit], Response]) -> Response:
    """Answers the request at hand by `view`, whose response closes the watch itself where it is streamed."""
    here, record = services(), current_record()
    watched = here.hang_up.watch(request.environ)
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
