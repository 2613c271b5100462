"""Poe's list of models: fetched in the background, kept when Poe is down, never fetched twice at a time."""

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import orjson

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.gateway.model_names import fold

# A client that asks for the list before there is one waits this long at most.
FIRST_WAIT_SECONDS = 5.0
FRESH_WAIT_SECONDS = 30.0
# After a failure, requests fail at once for this long instead of all trying again.
FAILED_FOR_SECONDS = 1.0
RETRY_SECONDS = 1.0
MAX_RETRY_SECONDS = 60.0
SHORTEST_REFRESH_SECONDS = 0.05
# An entry is written within a list within an object, and may be shown within more.
LEVELS_AROUND_ENTRY = 8

logger = logging.getLogger(__name__)

Entry = dict[str, Any]
Fetch = Callable[[], list[Entry]]


class _Flight:
    """One fetch under way, and all who wait for it."""

    def __init__(self) -> None:
        self.landed = threading.Event()
        self.raw: list[Entry] = []
        self.error: GatewayError | None = None
        self.landed_at = 0.0


class ModelList:
    """`entries` holds what was last fetched in order: dicts with an `id` each, no id twice; None before the first."""

    def __init__(self, fetch: Fetch, refresh_seconds: float) -> None:
        self._fetch = fetch
        self._refresh_seconds = max(refresh_seconds, SHORTEST_REFRESH_SECONDS)
        self._lock = threading.Lock()
        self._flight: _Flight | None = None
        self._last: _Flight | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.entries: tuple[Entry, ...] | None = None

    def start(self) -> None:
        """Keeps the list fresh from now on; more calls change nothing."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._stopping.clear()
                self._thread = threading.Thread(target=self._keep_fresh, name="poe-model-list", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        self._stopping.set()

    def load(self) -> None:
        """Sees to it that there is a list, waiting a little for the first; raises `GatewayError` if there is none."""
        if self.entries is not None:
            return
        last = self._last
        if last is not None and last.error is not None and time.monotonic() - last.landed_at < FAILED_FOR_SECONDS:
            raise _again(last.error)
        self._join(self._take_off(), FIRST_WAIT_SECONDS)

    def fresh(self) -> list[Entry]:
        """Fetched just now, and as Poe sent it, but for what cannot be written again; raises `GatewayError`."""
        flight = self._take_off()
        self._join(flight, FRESH_WAIT_SECONDS)
        return flight.raw

    def _take_off(self) -> _Flight:
        """The fetch under way, begun here if there is none; it ends by itself, whoever waits."""
        with self._lock:
            if self._flight is not None:
                return self._flight
            flight = self._flight = _Flight()
        threading.Thread(target=self._fly, args=(flight,), name="poe-model-fetch", daemon=True).start()
        return flight

    @staticmethod
    def _join(flight: _Flight, seconds: float) -> None:
        if not flight.landed.wait(seconds):
            raise GatewayError(ErrorKind.UPSTREAM_TIMEOUT, "Poe's list of models did not come in time.")
        if flight.error is not None:
            raise _again(flight.error)

    def _fly(self, flight: _Flight) -> None:
        try:
            flight.raw = _writable(self._fetch())
            entries = clean(flight.raw)
            # The same content stays the same object, so that nothing is rendered anew.
            if self.entries != entries:
                self.entries = entries
        except GatewayError as error:
            flight.error = error
        except Exception:
            logger.exception("Poe's list of models could not be read")
            flight.error = GatewayError(ErrorKind.INTERNAL, "Poe's list of models could not be read.")
        finally:
            flight.landed_at = time.monotonic()
            with self._lock:
                self._flight, self._last = None, flight
            flight.landed.set()

    def _keep_fresh(self) -> None:
        failures = 0
        while True:
            flight = self._take_off()
            flight.landed.wait()
            failures = 0 if flight.error is None else failures + 1
            if failures == 1 and flight.error is not None:
                logger.warning("Poe's list of models could not be fetched: %s", flight.error.message)
            if self._stopping.wait(self._pause(failures, flight.error)):
                return

    def _pause(self, failures: int, error: GatewayError | None) -> float:
        pause = self._refresh_seconds
        if failures:
            retry = min(RETRY_SECONDS * 2 ** min(failures - 1, 10), MAX_RETRY_SECONDS)
            pause = min(pause, max(retry, (error and error.retry_after) or 0.0))
        # Workers that started together spread out.
        return pause * random.uniform(0.8, 1.2)


def _writable(raw: object) -> list[Entry]:
    """Without the entries that no answer can hold: orjson reads what is nested too deeply for it to write."""
    entries = raw if isinstance(raw, list) else []
    kept = [entry for entry in entries if _can_be_written(entry)]
    if left_out := len(entries) - len(kept):
        logger.warning("Entries of Poe's list of models that are nested too deeply are left out: %d", left_out)
    return kept


def _can_be_written(entry: object) -> bool:
    for _ in range(LEVELS_AROUND_ENTRY):
        entry = [entry]
    try:
        orjson.dumps(entry)
    except orjson.JSONEncodeError:
        return False
    return True


def clean(raw: object) -> tuple[Entry, ...]:
    """The entries that can be used; raises `GatewayError` if there are none, because Poe is never without bots."""
    entries: dict[str, Entry] = {}
    for entry in raw if isinstance(raw, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("id"), str) and entry["id"].strip():
            entries.setdefault(fold(entry["id"]), entry)
    if not entries:
        raise GatewayError(ErrorKind.UPSTREAM_INVALID, "Poe's list of models is empty or not a list.")
    return tuple(entries.values())


def _again(error: GatewayError) -> GatewayError:
    # One exception raised in many threads would grow one long traceback.
    return GatewayError(
        error.kind,
        error.message,
        param=error.param,
        retry_after=error.retry_after,
        upstream_status=error.upstream_status,
    )
