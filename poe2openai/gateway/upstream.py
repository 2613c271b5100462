"""Poe's answer to one query: asked for with the keys in turn, tried again while nothing was answered."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

from poe2openai.core.errors import GatewayError
from poe2openai.gateway.attempts import Waiting, attempt
from poe2openai.gateway.keys import Caller, KeyRing
from poe2openai.gateway.record import RequestRecord
from poe2openai.poe.client import PoeClient, QueryStream
from poe2openai.poe.events import Done, Error, PoeEvent, Text, read_events

# Some bots open with an empty text.
_NOTHING = Text("")

_ENDS = (Done, Error)


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks which bot, with which keys, in their order, and how long that may wait."""

    bot: str
    caller: Caller
    record: RequestRecord
    waiting: Waiting
    keys: Sequence[str]


class Upstreams:
    """Opens them. One serves a whole worker."""

    def __init__(self, poe: PoeClient, keys: KeyRing) -> None:
        self._poe = poe
        self._keys = keys

    def asker(self, bot: str, caller: Caller, record: RequestRecord, waiting: Waiting) -> Asker:
        """The caller's keys are taken in the order that is theirs at this moment."""
        return Asker(bot, caller, record, waiting, self._keys.keys_for(caller))

    def open(self, body: bytes, asker: Asker) -> "Upstream":
        """Posts until Poe's first event is there: the next key after a key's failure, again after a passing fault."""

        def ask(key: str) -> Upstream:
            asker.record.attempts += 1
            upstream = self._begin(asker.bot, body, key, asker.waiting)
            if upstream.has_begun:
                self._keys.report_success(key)
            return upstream

        return attempt(ask, keys=asker.keys, ring=self._keys, caller=asker.caller, on_silence=asker.waiting.on_silence)

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
