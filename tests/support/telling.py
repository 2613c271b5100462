"""Requests told to an exchange of its own, against a scripted Poe on real sockets."""

import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import pytest

from poe2openai.core.errors import GatewayError
from poe2openai.core.events import AnswerEvent, GrammarChecker, PartDelta
from poe2openai.core.request import ModelRequest
from poe2openai.gateway.attempts import Waiting
from poe2openai.gateway.exchange import Exchange
from poe2openai.gateway.record import RequestRecord
from poe2openai.gateway.tokens import tokenizer
from poe2openai.gateway.tool_ways import ToolWays
from poe2openai.gateway.upstream import Upstreams
from poe2openai.poe.client import PoeClient
from tests.support.asking import asked, route
from tests.support.attaching import OWN, Worker


class Telling:
    """Requests to an exchange of its own; the bot has tools, Poe says. What it knows of files is kept in `folder`."""

    def __init__(self, client: PoeClient, folder: Path = Path("nowhere"), **policy: Any) -> None:
        self.now = 1000.0
        self.ways = ToolWays("auto", "auto", lambda: self.now)
        worker = Worker(client, folder)
        self.exchange = Exchange(Upstreams(client, worker.keys), worker.attachments, tokenizer(), self.ways)
        self.record = RequestRecord("req_1")
        self._route = route(**{"supports_tools": True, **policy})

    def __call__(self, request: ModelRequest | None = None, ping_seconds: float = 30.0) -> Generator[list[AnswerEvent]]:
        self.record = RequestRecord("req_1")
        waiting = Waiting(time.monotonic() + ping_seconds)
        return self.exchange.answer(request or asked(stream=True), self._route, OWN.caller, self.record, waiting)

    def events(self, request: ModelRequest | None = None) -> list[AnswerEvent]:
        """All events of the answer, their grammar checked."""
        checker, events = GrammarChecker(), []
        for batch in self(request):
            checker.check(batch)
            events += batch
        checker.finish()
        return events

    def failure(self, request: ModelRequest | None = None) -> GatewayError:
        with pytest.raises(GatewayError) as caught:
            self(request)
        return caught.value


def said(events: Sequence[AnswerEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, PartDelta))
