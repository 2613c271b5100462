"""The story of one request: put to the bot one way or another, and its answer, asked for again where it has to be."""

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from functools import partial

from poe2openai.core.content import Content
from poe2openai.core.errors import GatewayError
from poe2openai.core.events import AnswerEvent, Failed, FilesMade, Finished, MadeFile, Started, Usage
from poe2openai.core.request import ModelRequest
from poe2openai.core.tokens import TokenCounter
from poe2openai.core.turns import give_way
from poe2openai.gateway.asking import Ask, Asking
from poe2openai.gateway.attachments import Attached, Attachments, may_be_lost
from poe2openai.gateway.attempts import Waiting
from poe2openai.gateway.catalog import Route
from poe2openai.gateway.keys import Caller
from poe2openai.gateway.record import RequestRecord
from poe2openai.gateway.tokens import count_messages
from poe2openai.gateway.tool_ways import ToolWays, Way, is_refusal
from poe2openai.gateway.uploading import Uploader
from poe2openai.gateway.upstream import Asker, Upstream, Upstreams
from poe2openai.pipeline.again import AskAgain
from poe2openai.pipeline.order import PipelineOptions, pipeline
from poe2openai.poe.events import File

# A burst of small reads that are always there never lets other streams run by itself; who waited in between did.
_BURST_BATCHES = 8
_BURST_SECONDS = 0.005


class Exchange:
    """Answers requests. One serves a whole worker."""

    def __init__(
        self,
        upstreams: Upstreams,
        attachments: Attachments,
        counter: TokenCounter,
        tool_ways: ToolWays,
        *,
        tool_flags: bool = False,
    ) -> None:
        self._upstreams = upstreams
        self._attachments = attachments
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
        asker = self._upstreams.asker(route.bot, caller, record, waiting)
        asking, ask, upstream = self._open(request, route, asker)
        answer = _Answer(asking.request, route, record, self._counter)

        def ask_again(again: AskAgain) -> tuple[Ask, Upstream]:
            record.notes.append("asked again: " + again.demand)
            once_more = asking.put(ask.way, again)
            return once_more, self._upstreams.open(once_more.body, asker)

        return answer.deliver(ask, upstream, ask_again)

    def open(
        self, request: ModelRequest, route: Route, caller: Caller, record: RequestRecord, waiting: Waiting
    ) -> Upstream:
        """Poe's own events, for those who look for files alone; raises as `answer` does."""
        asker = self._upstreams.asker(route.bot, caller, record, waiting)
        return self._open(request, route, asker)[2]

    def _open(self, request: ModelRequest, route: Route, asker: Asker) -> tuple[Asking, Ask, Upstream]:
        """With the request's files; where Poe may have forgotten one that it had, once more with all of them anew."""
        if asker.record.texts is not None:
            asker.record.texts.ask(request)
        attached = self._attach(request, route, asker)
        asking = Asking(attached.request, route, self._tool_ways, tool_flags=self._tool_flags)
        try:
            return asking, *self._open_some_way(asking, asker)
        except GatewayError as error:
            if not attached.remembered or not may_be_lost(error):
                raise
        asker.record.notes.append("files uploaded again")
        self._attachments.forget(attached)
        attached = self._attach(request, route, asker)
        asking = Asking(attached.request, route, self._tool_ways, tool_flags=self._tool_flags)
        return asking, *self._open_some_way(asking, asker)

    def _attach(self, request: ModelRequest, route: Route, asker: Asker) -> Attached:
        who = Uploader(asker.caller, asker.keys)
        on_silence = asker.waiting.on_silence
        return self._attachments.attach(request, who, on_silence, last_files=route.attach_last_files)

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
        files: list[File] = []
        if self.request.images:
            options = replace(options, on_file=files.append)
        batches = 0
        looked = time.monotonic()
        try:
            for batch in pipeline(upstream.events(), options):
                if batch:
                    self.record.see(batch)
                    if isinstance(end := batch[-1], Finished):
                        upstream.cut_short()
                        if files:
                            batch = [*batch[:-1], _made(files), end]  # noqa: PLW2901 (the same, and one more)
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
        counted = count_messages(self.request, self.counter, prompts=ask.prompts, tools=ask.tools_apart)
        return counted + sum(_base64_tokens(content, self.counter) for content in self.request.lifted.values())

    def _spent(self, ask: Ask, again: AskAgain) -> Usage:
        """What the first answer cost, which nobody saw."""
        if not self._wants_usage():
            return Usage(0, 0)
        return Usage(self._input_tokens(ask), self.counter.count(again.said))


def _base64_tokens(content: Content, counter: TokenCounter) -> int:
    """Of base64 that stands in some text: counted at its beginning, which is as good as all of it."""
    sample = next(content.base64(), b"").decode()
    return round(counter.count(sample) * (content.size * 4 / 3) / max(len(sample), 1))


def _made(files: list[File]) -> FilesMade:
    return FilesMade(tuple([MadeFile(file.url, file.media_type, file.name) for file in files]))


def _with_usage_of_both(batch: list[AnswerEvent], spent: Usage) -> list[AnswerEvent]:
    if batch and isinstance(end := batch[-1], Finished) and end.usage is not None:
        return [*batch[:-1], Finished(end.reason, end.usage + spent)]
    return batch
