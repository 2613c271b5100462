"""Poe's answer to one query: asked for with the keys in turn, tried again while nothing was answered."""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.gateway.keys import Caller, KeyRing
from poe2openai.gateway.record import RequestRecord
from poe2openai.poe.client import PoeClient, QueryStream
from poe2openai.poe.errors import REFUSED_KEY, is_retryable
from poe2openai.poe.events import Done, Error, PoeEvent, Text, read_events

MAX_RETRIES = 2
MAX_RETRY_AFTER = 10.0
_LONGEST_SLEEP = 0.5  # seconds, so that who waits meanwhile is asked
_BACKOFF_SECONDS = (0.3, 1.0)

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


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks which bot, and how long that may wait."""

    bot: str
    caller: Caller
    record: RequestRecord
    waiting: Waiting


class Upstreams:
    """Opens them. One serves a whole worker."""

    def __init__(self, poe: PoeClient, keys: KeyRing) -> None:
        self._poe = poe
        self._keys = keys

    def open(self, body: bytes, asker: Asker) -> "Upstream":
        """Posts until Poe's first event is there: the next key after a key's failure, again after a passing fault."""
        keys = self._keys.keys_for(asker.caller)
        retries = 0
        while True:
            key, *others = keys
            asker.waiting.on_silence()
            asker.record.attempts += 1
            try:
                upstream = self._begin(asker.bot, body, key, asker.waiting)
            except GatewayError as error:
                self._keys.report(key, error)
                if others and error.kind in _KEY_FAILURES:
                    keys = others
                    continue
                if retries >= MAX_RETRIES or not _may_pass(error):
                    # Without a cause: the error would be its own, and hold the request's body until it is collected.
                    raise _as_seen_by(asker.caller, error) from None
                _pause(_delay(error, retries), asker.waiting)
                retries += 1
                keys = [*others, key]
            else:
                if upstream.has_begun:
                    self._keys.report_success(key)
                return upstream

    def _begin(self, bot: str, body: bytes, key: str, waiting: Waiting) -> "Upstream":
        stream = self._poe.query(bot, body, key, waiting.on_silence)
        upstream = Upstream(stream, key, partial(self._keys.report, key))
        try:
            upstream.await_first(waiting)
        except BaseException:
            upstream.close()
            raise
        return upstream


class Upstream:
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
