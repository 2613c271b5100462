"""The story of one request: a query to Poe, tried again while nothing was answered, and its answer."""

import random
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.events import AnswerEvent, Finished
from poe2openai.core.request import ModelRequest
from poe2openai.core.tokens import TokenCounter
from poe2openai.core.turns import give_way
from poe2openai.gateway.catalog import Route
from poe2openai.gateway.keys import Caller, KeyRing
from poe2openai.gateway.record import RequestRecord
from poe2openai.gateway.tokens import count_messages
from poe2openai.pipeline.order import PipelineOptions, pipeline
from poe2openai.poe.client import PoeClient, QueryStream
from poe2openai.poe.errors import REFUSED_KEY, is_retryable
from poe2openai.poe.events import Done, Error, PoeEvent, Text, read_events
from poe2openai.poe.query import BotPolicy, build_query

MAX_RETRIES = 2
MAX_RETRY_AFTER = 10.0
_LONGEST_SLEEP = 0.5  # seconds, so that who waits meanwhile is asked
_BACKOFF_SECONDS = (0.3, 1.0)

# A burst of small reads that are always there never lets other streams run by itself; who waited in between did.
_BURST_BATCHES = 8
_BURST_SECONDS = 0.005

# Some bots open with an empty text.
_NOTHING = Text("")

_ENDS = (Done, Error)

_KEY_FAILURES = (ErrorKind.AUTHENTICATION, ErrorKind.INSUFFICIENT_QUOTA, ErrorKind.RATE_LIMIT)


@dataclass(frozen=True, slots=True)
class Waiting:
    """How Poe's first event is waited for.

    `until`, in seconds of the monotonic clock, is when a client that streams is to hear a ping, None where no ping
    helps; `on_silence` is called at each tick, and may raise to give up.
    """

    until: float | None = None
    on_silence: Callable[[], None] = lambda: None


class Exchange:
    """Answers requests. One serves a whole worker."""

    def __init__(self, poe: PoeClient, keys: KeyRing, counter: TokenCounter) -> None:
        self._poe = poe
        self._keys = keys
        self._counter = counter

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
        policy = BotPolicy(
            system_as_user=route.hold,
            system_prompt=route.system_prompt,
            parameters=route.parameters,
            declared=route.declared,
        )
        body = build_query(request, policy)
        upstream = self._open(route.bot, body, caller, waiting, record)
        return self._deliver(upstream, request, route, record)

    def _deliver(
        self, upstream: "_Upstream", request: ModelRequest, route: Route, record: RequestRecord
    ) -> Generator[list[AnswerEvent]]:
        batches = 0
        looked = time.monotonic()
        try:
            for batch in pipeline(upstream.events(), self._options(request, route, record, upstream.cut_short)):
                if batch:
                    record.see(batch)
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

    def _options(
        self, request: ModelRequest, route: Route, record: RequestRecord, on_end: Callable[[], None]
    ) -> PipelineOptions:
        wants_usage = request.include_usage or not request.stream
        return PipelineOptions(
            hold=route.hold,
            whole=not request.stream,
            stop=request.stop,
            max_tokens=request.max_tokens,
            counter=self._counter,
            input_tokens=partial(count_messages, request, self._counter) if wants_usage else None,
            note=record.notes.append,
            on_end=on_end,
        )

    def _open(self, bot: str, body: bytes, caller: Caller, waiting: Waiting, record: RequestRecord) -> "_Upstream":
        """Posts until Poe's first event is there: the next key after a key's failure, again after a passing fault."""
        keys = self._keys.keys_for(caller)
        retries = 0
        while True:
            key, *others = keys
            waiting.on_silence()
            record.attempts += 1
            try:
                upstream = self._begin(bot, body, key, waiting)
            except GatewayError as error:
                self._keys.report(key, error)
                if others and error.kind in _KEY_FAILURES:
                    keys = others
                    continue
                if retries >= MAX_RETRIES or not _may_pass(error):
                    # Without a cause: the error would be its own, and hold the request's body until it is collected.
                    raise _as_seen_by(caller, error) from None
                _pause(_delay(error, retries), waiting)
                retries += 1
                keys = [*others, key]
            else:
                if upstream.has_begun:
                    self._keys.report_success(key)
                return upstream

    def _begin(self, bot: str, body: bytes, key: str, waiting: Waiting) -> "_Upstream":
        stream = self._poe.query(bot, body, key, waiting.on_silence)
        upstream = _Upstream(stream, key, partial(self._keys.report, key))
        try:
            upstream.await_first(waiting)
        except BaseException:
            upstream.close()
            raise
        return upstream


class _Upstream:
    """Poe's answer, its first event looked at before anything is promised to the client."""

    def __init__(self, stream: QueryStream, key: str, report: Callable[[GatewayError], None]) -> None:
        """`report` takes an error that comes later than the first event, or instead of it once nobody waits for it."""
        self._stream = stream
        self._report = report
        self._batches = read_events(stream, secret=key)
        self._first: list[PoeEvent] = []
        self._ended = False

    @property
    def has_begun(self) -> bool:
        """Whether Poe has said anything yet."""
        return bool(self._first)

    def await_first(self, waiting: Waiting) -> None:
        """Waits for the first event that says something; raises what it says where it is an error."""
        for batch in self._batches:
            events = [event for event in batch if event != _NOTHING]
            if events:
                if isinstance(events[0], Error):
                    raise events[0].error
                self._first = events
                return
            waiting.on_silence()
            if waiting.until is not None and time.monotonic() >= waiting.until:
                return

    def events(self) -> Iterator[list[PoeEvent]]:
        for batch in chain((self._first,), self._batches):
            if batch and isinstance(last := batch[-1], _ENDS):
                self._ended = True
                if isinstance(last, Error):
                    self._report(last.error)
            yield batch

    def cut_short(self) -> None:
        """The gateway ends the answer: Poe is not to write on."""
        if not self._ended:
            self.close()

    def finish(self) -> None:
        if self._ended:
            self._stream.finish()
        else:
            self.close()

    def close(self) -> None:
        self._stream.close()


def _pause(seconds: float, waiting: Waiting) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, _LONGEST_SLEEP))
        waiting.on_silence()


def _may_pass(error: GatewayError) -> bool:
    """Whether the same query may fare better a moment later."""
    if error.retry_after is not None and error.retry_after > MAX_RETRY_AFTER:
        return False
    return is_retryable(error)


def _delay(error: GatewayError, retries: int) -> float:
    """Seconds to wait, jittered so that requests that failed together do not come back together."""
    asked = error.retry_after or 0.0
    return max(asked, _BACKOFF_SECONDS[retries] * random.uniform(0.5, 1.5))


def _as_seen_by(caller: Caller, error: GatewayError) -> GatewayError:
    """A client that presented an access token has no Poe key to mend: it is told whose key was refused."""
    if caller.poe_key is not None or error.kind is not ErrorKind.AUTHENTICATION:
        return error
    message = f"Poe refused this gateway's own key: {error.message.removeprefix(REFUSED_KEY)}"
    return GatewayError(error.kind, message, upstream_status=error.upstream_status)
