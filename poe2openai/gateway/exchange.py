"""The story of one request: put to the bot one way or another, and its answer, asked for again where it has to be."""

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial

from poe2openai.core.errors import GatewayError
from poe2openai.core.events import AnswerEvent, Failed, Finished, Started, Usage
from poe2openai.core.request import ModelRequest
from poe2openai.core.tokens import TokenCounter
from poe2openai.core.turns import give_way
from poe2openai.gateway.asking import Ask, Asking
from poe2openai.gateway.catalog import Route
from poe2openai.gateway.keys import Caller
from poe2openai.gateway.record import RequestRecord
from poe2openai.gateway.tokens import count_messages
from poe2openai.gateway.tool_ways import ToolWays, Way, is_refusal
from poe2openai.gateway.upstream import Asker, Upstream, Upstreams, Waiting
from poe2openai.pipeline.again import AskAgain
from poe2openai.pipeline.order import PipelineOptions, pipeline

# A burst of small reads that are always there never lets other streams run by itself; who waited in between did.
_BURST_BATCHES = 8
_BURST_SECONDS = 0.005


class Exchange:
    """Answers requests. One serves a whole worker."""

    def __init__(
        self, upstreams: Upstreams, counter: TokenCounter, tool_ways: ToolWays, *, tool_flags: bool = False
    ) -> None:
        self._upstreams = upstreams
        self._counter = counter
        self._tool_ways = tool_ways
        self._tool_flags = tool_flags

    def answer(
        self,
        request: ModelRequest,
        route: Route,
        caller: Caller,
        record: RequestRecord,
        waiting: Waiting,
    ) -> Generator[list[AnswerEvent]]:
        """The answer's events, in batches. Raises `GatewayError` for what fails before Poe's first event.

        Returns once that event is there or, Poe having answered with a stream, once the waiting is over. Closing the
        generator ends the upstream request.
        """
        asking = Asking(request, route, self._tool_ways, tool_flags=self._tool_flags)
        asker = Asker(route.bot, caller, record, waiting)
        ask, upstream = self._open_some_way(asking, asker)
        answer = _Answer(request, route, record, self._counter)

        def ask_again(again: AskAgain) -> tuple[Ask, Upstream]:
            record.notes.append("asked again: " + again.demand)
            once_more = asking.put(ask.way, again)
            return once_more, self._upstreams.open(once_more.body, asker)

        return answer.deliver(ask, upstream, ask_again)

    def _open_some_way(self, asking: Asking, asker: Asker) -> tuple[Ask, Upstream]:
        """The first way that Poe does not refuse; where it refuses all, what it said of the first."""
        refused: list[Way] = []
        errors: list[GatewayError] = []
        for way in asking.ways:
            ask = asking.put(way)
            try:
                upstream = self._upstreams.open(ask.body, asker)
            except GatewayError as error:
                if not is_refusal(error):
                    raise
                errors.append(error)
                refused.append(way)
                continue
            if errors:
                asker.record.notes.append(f"refused with {refused[-1].tools} tools: {errors[0].message}")
                if upstream.has_begun:
                    self._tool_ways.remember(asker.bot, refused, errors[0])
            return ask, upstream
        raise errors[0] from None


@dataclass(frozen=True, slots=True)
class _Answer:
    """One answer on its way to the client."""

    request: ModelRequest
    route: Route
    record: RequestRecord
    counter: TokenCounter

    def deliver(
        self, ask: Ask, upstream: Upstream, ask_again: Callable[[AskAgain], tuple[Ask, Upstream]]
    ) -> Generator[list[AnswerEvent]]:
        try:
            yield from self._events(ask, upstream, may_ask_again=True)
        except AskAgain as again:
            # Its traceback would hold the first answer as long as the second lasts.
            first = again.with_traceback(None)
        else:
            return
        spent = self._spent(ask, first)
        if self._wants_usage():
            self.record.usage = spent if self.record.usage is None else self.record.usage + spent
        try:
            ask, upstream = ask_again(first)
        except GatewayError as error:
            self.record.error = error.kind.code
            yield [Started(), Failed(error)]
            return
        for batch in self._events(ask, upstream, may_ask_again=False):
            yield _with_usage_of_both(batch, spent)

    def _events(self, ask: Ask, upstream: Upstream, *, may_ask_again: bool) -> Generator[list[AnswerEvent]]:
        options = self._options(ask, upstream, may_ask_again=may_ask_again)
        batches = 0
        looked = time.monotonic()
        try:
            for batch in pipeline(upstream.events(), options):
                if batch:
                    self.record.see(batch)
                    if isinstance(batch[-1], Finished):
                        upstream.cut_short()
                yield batch
                batches += 1
                if batches % _BURST_BATCHES == 0:
                    last, looked = looked, time.monotonic()
                    if looked - last < _BURST_SECONDS:
                        give_way()
        finally:
            upstream.finish()

    def _options(self, ask: Ask, upstream: Upstream, *, may_ask_again: bool) -> PipelineOptions:
        request = self.request
        return PipelineOptions(
            hold=self.route.hold,
            whole=not request.stream,
            stop=request.stop,
            max_tokens=request.max_tokens,
            counter=self.counter,
            input_tokens=partial(self._input_tokens, ask) if self._wants_usage() else None,
            note=self.record.notes.append,
            on_end=upstream.cut_short,
            tools=ask.rules,
            json=ask.form,
            may_ask_again=may_ask_again,
        )

    def _wants_usage(self) -> bool:
        return self.request.include_usage or not self.request.stream

    def _input_tokens(self, ask: Ask) -> int:
        return count_messages(self.request, self.counter, prompts=ask.prompts, tools=ask.tools_apart)

    def _spent(self, ask: Ask, again: AskAgain) -> Usage:
        """What the first answer cost, which nobody saw."""
        if not self._wants_usage():
            return Usage(0, 0)
        return Usage(self._input_tokens(ask), self.counter.count(again.said))


def _with_usage_of_both(batch: list[AnswerEvent], spent: Usage) -> list[AnswerEvent]:
    if batch and isinstance(end := batch[-1], Finished) and end.usage is not None:
        return [*batch[:-1], Finished(end.reason, end.usage + spent)]
    return batch
