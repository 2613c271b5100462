"""Hands the requests that are over to the store, in the background.

Whoever ends a request only appends to a queue. What does not fit, or cannot be written, is lost and counted: no answer
waits for a record.
"""

import atexit
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from poe2openai.gateway.record import RequestRecord
from poe2openai.store.records import Entry, Records

MOST_WAITING = 10_000
BATCH = 500
MOST_REFUSALS = 60
MOST_STRANGERS = 5
"""Requests a minute, of clients with a key and without, that reach no bot and are recorded all the same."""

_BATCH_SECONDS = 1.0
_PRUNE_SECONDS = 600.0
_REFUSALS_SECONDS = 60.0
_SECONDS_BETWEEN_WARNINGS = 60.0
_GATEWAYS_OWN = ("/admin", "/api/admin")

ClientName = Callable[[tuple[str, str, str]], str]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Over:
    record: RequestRecord
    path: str
    ended: float  # of the monotonic clock


class Recorder:
    """One a worker. With no days to keep them for, nothing is recorded."""

    def __init__(
        self,
        records: Records,
        *,
        days: int,
        client_name: ClientName,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.records = records
        self._days = days
        self._client_name = client_name
        self._clock = clock
        self._waiting: deque[_Over] = deque()
        self._some_wait = threading.Event()
        self._is_awake = False
        self._thread: threading.Thread | None = None
        self._writing = threading.Lock()
        self._lost = 0
        self._next_warning = 0.0
        self._next_pruning = 0.0
        self._refusals = [0, 0]  # of clients that are known, and of strangers
        self._refusals_until = 0.0
        self._ended = False

    def note(self, record: RequestRecord, method: str, path: str) -> None:
        """Takes a request that is over, if it is one to record; the record belongs to nobody else from here on."""
        if not self._days or not self._is_worth_it(record, method, path):
            return
        if len(self._waiting) >= MOST_WAITING:
            self._lost += 1
            return
        self._waiting.append(_Over(record, path, time.monotonic()))
        if not self._is_awake:
            self._is_awake = True
            self._wake()

    def _is_worth_it(self, record: RequestRecord, method: str, path: str) -> bool:
        """Whether a bot was asked, or a client wanted to and could not; the pages' own mistakes are not told.

        Whom no limit holds back leaves a few rows a minute, and a stranger fewer.
        """
        if record.attempts or (record.model and record.hung_up):
            return True
        if not record.error and (method != "POST" or record.status < 400):
            return False
        return not path.startswith(_GATEWAYS_OWN) and self._has_room_for_a_refusal(is_stranger=not record.caller)

    def _has_room_for_a_refusal(self, *, is_stranger: bool) -> bool:
        now = time.monotonic()
        if now >= self._refusals_until:
            self._refusals_until, self._refusals = now + _REFUSALS_SECONDS, [0, 0]
        self._refusals[is_stranger] += 1
        return self._refusals[is_stranger] <= (MOST_STRANGERS if is_stranger else MOST_REFUSALS)

    def flush(self) -> None:
        """Writes what waits."""
        with self._writing:
            while self._waiting:
                some = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
                if not self.records.write([self._entry(over) for over in some]):
                    self._lost += len(some)
            self._tell_of_losses()

    def close(self) -> None:
        """Writes what waits, and ends."""
        self._ended = True
        self._some_wait.set()
        self.flush()

    def _wake(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
            self._thread.start()
            atexit.register(self.close)
        self._some_wait.set()

    def _run(self) -> None:
        while not self._ended:
            self._some_wait.wait()
            self._some_wait.clear()
            time.sleep(_BATCH_SECONDS)
            # Before the look at what waits: who comes after it wakes this thread again.
            self._is_awake = False
            try:
                self.flush()
                self._prune()
            except Exception:
                log.exception("an error of our own while requests were recorded")

    def _prune(self) -> None:
        now = time.monotonic()
        if now >= self._next_pruning:
            self._next_pruning = now + _PRUNE_SECONDS
            self.records.prune(self._days)

    def _tell_of_losses(self) -> None:
        now = time.monotonic()
        if self._lost and now >= self._next_warning:
            self._next_warning = now + _SECONDS_BETWEEN_WARNINGS
            lost, self._lost = self._lost, 0
            log.warning("%d requests were not recorded: the store fails, or is too slow", lost)

    def _entry(self, over: _Over) -> Entry:
        record = over.record
        first_token = record.first_token
        tokens_in, tokens_out, estimated = record.token_counts()
        return Entry(
            id=record.id,
            at=self._clock() - (time.monotonic() - record.started),
            caller=record.caller,
            client=self._client_name(record.sender),
            model=record.model,
            bot=record.bot,
            path=over.path,
            stream=record.stream,
            status=record.status or 200,  # of a film the request is answered long before
            error=record.error,
            reason=record.reason,
            hung_up=record.hung_up,
            milliseconds=round((over.ended - record.started) * 1000),
            first_token_ms=None if first_token is None else round((first_token - record.started) * 1000),
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            estimated=estimated,
            attempts=record.attempts,
            question=record.texts.question if record.texts is not None else None,
            answer=record.texts.answer if record.texts is not None else None,
        )
