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
from poe2openai.gateway.catalog import Route
from poe2openai.gateway.keys import Caller, KeyRing
from poe2openai.gateway.record import RequestRecord
from poe2openai.gateway.tokens import count_messages
from poe2openai.pipeline.order import PipelineOptions, pipeline
from poe2openai.poe.client import PoeClient, QueryStream
from poe2openai.poe.errors import is_retryable, without_secret
from poe2openai.poe.events import Done, Error, PoeEvent, read_events
from poe2openai.poe.query import BotPolicy, build_query

MAX_RETRIES = 2
MAX_RETRY_AFTER = 10.0
_BACKOFF_SECONDS = (0.3, 1.0)

# A burst that is always there to be read never lets other streams run by itself.
_BATCHES_BETWEEN_SWITCHES = 8

_KEY_FAILURES = (ErrorKind.AUTHENTICATION, ErrorKind.INSUFFICIENT_QUOTA, ErrorKind.RATE_LIMIT)


def _wait_on() -> None:
    """Patience without end."""


class Exchange:
    """Answers requests. One serves a whole worker."""

    def __init__(
        self, poe: PoeClient, keys: KeyRing, tokenizer: Callable[[], TokenCounter], *, ping_seconds: float
    ) -> None:
        self._poe = poe
        self._keys = keys
        self._tokenizer = tokenizer
        self._ping_seconds = ping_seconds

    def answer(
        self,
        request: ModelRequest,
        route: Route,
        caller: Caller,
        record: RequestRecord,
        on_silence: Callable[[], None] = _wait_on,
    ) -> Generator[list[AnswerEvent]]:
        """The answer's events, in batches. Raises `GatewayError` for what fails before Poe's first event.

        Returns once that event is there, or, for a stream, once Poe has been silent for as long as a client is left
        without a ping. `on_silence` is called at each tick until then, and may raise to give up. Closing the iterator
        ends the upstream request.
        """
        policy = BotPolicy(
            system_as_user=route.hold,
            system_prompt=route.system_prompt,
            parameters=route.parameters,
            declared=route.declared,
        )
        body = build_query(request, policy)
        waiting = _Waiting(self._ping_seconds if request.stream else None, on_silence)
        upstream = self._open(route.bot, body, caller, waiting, record)
        return _deliver(upstream, self._options(request, route, record), record)

    def _options(self, request: ModelRequest, route: Route, record: RequestRecord) -> PipelineOptions:
        counter = _LazyCounter(self._tokenizer)
        wants_usage = request.include_usage or not request.stream
        return PipelineOptions(
            hold=route.hold,
            whole=not request.stream,
            stop=request.stop,
            max_tokens=request.max_tokens,
            counter=counter,
            input_tokens=partial(count_messages, request, counter) if wants_usage else None,
            note=record.notes.append,
        )

    def _open(self, bot: str, body: bytes, caller: Caller, waiting: "_Waiting", record: RequestRecord) -> "_Upstream":
        """Posts until Poe's first event is there: the next key after a key's failure, again after a passing fault."""
        keys = self._keys.keys_for(caller)
        position, retries = 0, 0
        while True:
            key = keys[position % len(keys)]
            record.attempts += 1
            try:
                upstream = self._begin(bot, body, key, waiting)
            except GatewayError as error:
                self._keys.report(key, error)
                position += 1
                if error.kind in _KEY_FAILURES and position < len(keys):
                    continue
                if retries >= MAX_RETRIES or not _may_pass(error):
                    raise _as_seen_by(caller, error) from error
                time.sleep(_delay(error, retries))
                retries += 1
            else:
                self._keys.report_success(key)
                return upstream

    def _begin(self, bot: str, body: bytes, key: str, waiting: "_Waiting") -> "_Upstream":
        upstream = _Upstream(self._poe.query(bot, body, key, waiting.on_silence), key)
        try:
            upstream.await_first(waiting)
        except BaseException:
            upstream.close()
            raise
        return upstream


@dataclass(frozen=True, slots=True)
class _Waiting:
    """How Poe's first event is waited for: `patience` seconds once Poe has answered, or as long as it takes."""

    patience: float | None
    on_silence: Callable[[], None]


class _Upstream:
    """Poe's answer, its first event looked at before anything is promised to the client."""

    def __init__(self, stream: QueryStream, key: str) -> None:
        self._stream = stream
        self._key = key
        self._batches = read_events(stream)
        self._first: list[PoeEvent] = []
        self._ended = False

    def await_first(self, waiting: _Waiting) -> None:
        """Waits for the first event; raises what it says where it is an error."""
        deadline = None if waiting.patience is None else time.monotonic() + waiting.patience
        for batch in self._batches:
            if batch:
                if isinstance(batch[0], Error):
                    raise without_secret(batch[0].error, self._key)
                self._first = batch
                return
            waiting.on_silence()
            if deadline is not None and time.monotonic() >= deadline:
                return

    def events(self) -> Iterator[list[PoeEvent]]:
        for batch in chain((self._first,), self._batches):
            if batch and isinstance(last := batch[-1], Done | Error):
                self._ended = True
                if isinstance(last, Error):
                    batch[-1] = Error(without_secret(last.error, self._key))
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


def _deliver(upstream: _Upstream, options: PipelineOptions, record: RequestRecord) -> Generator[list[AnswerEvent]]:
    batches = 0
    try:
        for batch in pipeline(upstream.events(), options):
            if batch:
                record.see(batch)
                if isinstance(batch[-1], Finished):
                    upstream.cut_short()
            yield batch
            batches += 1
            if batches % _BATCHES_BETWEEN_SWITCHES == 0:
                time.sleep(0)
    finally:
        upstream.finish()


class _LazyCounter:
    """The tokenizer, loaded by the first request that counts."""

    def __init__(self, load: Callable[[], TokenCounter]) -> None:
        self._load = load

    def count(self, text: str) -> int:
        return self._load().count(text)

    def truncate(self, text: str, limit: int) -> str:
        return self._load().truncate(text, limit)


def _may_pass(error: GatewayError) -> bool:
    """Whether the same query may fare better a moment later."""
    if error.retry_after is not None and error.retry_after > MAX_RETRY_AFTER:
        return False
    return is_retryable(error) or error.kind is ErrorKind.UPSTREAM_CUT_OFF


def _delay(error: GatewayError, retries: int) -> float:
    """Seconds to wait, jittered so that requests that failed together do not come back together."""
    asked = error.retry_after or 0.0
    return max(asked, _BACKOFF_SECONDS[retries] * random.uniform(0.5, 1.5))


def _as_seen_by(caller: Caller, error: GatewayError) -> GatewayError:
    """A client that presented an access token has no Poe key to mend: it is told whose key was refused."""
    if caller.poe_key is not None or error.kind is not ErrorKind.AUTHENTICATION:
        return error
    message = f"Poe refused this gateway's own key: {error.message}"
    return GatewayError(error.kind, message, upstream_status=error.upstream_status)
