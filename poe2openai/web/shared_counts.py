"""A storage of `limits` whose counters and turns all workers of this machine share, without a server.

Time is the system's monotonic clock, one for all processes: nobody sets it, and it stands still for all of them alike.
It begins anew with the machine; a row from before that reaches too far ahead, which its reader knows.
"""

import logging
import time
from pathlib import Path
from typing import Final

from limits.storage import Storage

from poe2openai.web.interval import Turn, TurnSupport
from poe2openai.web.shared_table import SharedTable

SCHEME: Final = "machine"

_NANOSECONDS: Final = 1_000_000_000
_log = logging.getLogger(__name__)


class MachineStorage(Storage, TurnSupport):
    """`path` names the file of a table with `buckets`; without one, each process has a table of its own.

    One file serves counters or turns, never both: a flood of counters could crowd a schedule out.
    """

    STORAGE_SCHEME = [SCHEME]  # noqa: RUF012 — the library's

    def __init__(
        self,
        uri: str | None = None,
        wrap_exceptions: bool = False,
        *,
        path: str = "",
        buckets: int = 1,
        max_wait_ms: int = 0,
        **options: float | str | bool,
    ) -> None:
        super().__init__(uri, wrap_exceptions, **options)
        self.max_wait = max_wait_ms / 1000
        self._table = _open(path, buckets)

    @property
    def base_exceptions(self) -> type[Exception]:
        return OSError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        window = expiry * _NANOSECONDS
        with self._table.locked() as rows:
            now = time.monotonic_ns()
            until, count = rows.get(key)
            if not now < until <= now + window:
                until, count = now + window, 0
            rows.put(key, until, count + amount)
        return count + amount

    def get(self, key: str) -> int:
        with self._table.locked() as rows:
            until, count = rows.get(key)
        return count if until > time.monotonic_ns() else 0

    def get_expiry(self, key: str) -> float:
        with self._table.locked() as rows:
            until, _ = rows.get(key)
        return time.time() + max(0, until - time.monotonic_ns()) / _NANOSECONDS

    def check(self) -> bool:
        with self._table.locked():
            return True

    def reset(self) -> int | None:
        with self._table.locked() as rows:
            rows.clear()
        return None

    def clear(self, key: str) -> None:
        with self._table.locked() as rows:
            rows.put(key, 0, 0)

    def reserve(self, key: str, interval: float) -> Turn | None:
        step = round(interval * _NANOSECONDS)
        longest = round(self.max_wait * _NANOSECONDS)
        with self._table.locked() as rows:
            now = time.monotonic_ns()
            free_from, _ = rows.get(key)
            slot = free_from if now < free_from <= now + longest + step else now
            if slot - now > longest:
                return None
            rows.put(key, slot + step, 0)
        return Turn(wait=(slot - now) / _NANOSECONDS, slot=slot)

    def give_back(self, key: str, turn: Turn, interval: float) -> None:
        with self._table.locked() as rows:
            free_from, _ = rows.get(key)
            if free_from == turn.slot + round(interval * _NANOSECONDS):
                rows.put(key, turn.slot, 0)

    def wait_of_next(self, key: str) -> float:
        with self._table.locked() as rows:
            free_from, _ = rows.get(key)
        return max(0, free_from - time.monotonic_ns()) / _NANOSECONDS


def _open(path: str, buckets: int) -> SharedTable:
    try:
        return SharedTable(Path(path) if path else None, buckets)
    except OSError as problem:
        _log.warning("Rate limits count for each worker by itself: %s.", problem.strerror or problem)
        return SharedTable(None, buckets)
