"""Requests that start a given time apart: a strategy of `limits` in which an early request waits its turn.

A turn is the next free slot of a schedule that all who share the storage see. Whoever comes takes it and sleeps until
then, so that turns go first come, first served, without a queue that anybody would have to look after.
"""

import time
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, cast

from limits import RateLimitItem, WindowStats
from limits.storage import StorageTypes
from limits.strategies import STRATEGIES, RateLimiter

TURNS: Final = "turns"


@dataclass(frozen=True, slots=True)
class Turn:
    """A slot that was taken: `wait` is in seconds from now, `slot` in the storage's own clock and unit."""

    wait: float
    slot: int


class TurnSupport(ABC):
    """What a storage offers for turns: a schedule for each key. Its longest wait, in seconds, bounds the schedule."""

    max_wait: float

    @abstractmethod
    def reserve(self, key: str, interval: float) -> Turn | None:
        """Takes the next free slot; None if it is further away than the longest wait.

        A schedule that reaches further than it ever could (the clock began anew) is begun anew.
        """

    @abstractmethod
    def give_back(self, key: str, turn: Turn, interval: float) -> None:
        """Frees a slot if it is the last one taken; another stays empty, for those behind it know their time."""

    @abstractmethod
    def wait_of_next(self, key: str) -> float:
        """Seconds that whoever comes now has to wait."""


class TurnRateLimiter(RateLimiter):
    """`hit` comes back when the turn is there; False, at once, if the wait would be too long.

    A limit of 1000 per 100 seconds is an interval of 0.1 seconds.
    """

    def __init__(self, storage: StorageTypes) -> None:
        if not isinstance(storage, TurnSupport):
            raise NotImplementedError(f"turns are not implemented for storage of type {type(storage)}")
        super().__init__(storage)
        self._turns: TurnSupport = storage

    def hit(self, item: RateLimitItem, *identifiers: str, cost: int = 1) -> bool:
        key = item.key_for(*identifiers)
        interval = item.get_expiry() / item.amount * cost
        turn = self._turns.reserve(key, interval)
        if turn is None:
            return False
        try:
            _sleep(turn.wait)
        except BaseException:  # the client hung up: its greenlet is killed here, whatever becomes of the slot
            with suppress(Exception):
                self._turns.give_back(key, turn, interval)
            raise
        return True

    def test(self, item: RateLimitItem, *identifiers: str, cost: int = 1) -> bool:  # noqa: ARG002 — the library's
        return self._turns.wait_of_next(item.key_for(*identifiers)) <= self._turns.max_wait

    def get_window_stats(self, item: RateLimitItem, *identifiers: str) -> WindowStats:
        """The time from which a request would be let in to wait, and how many more would be let in now."""
        wait = self._turns.wait_of_next(item.key_for(*identifiers))
        room = self._turns.max_wait - wait
        remaining = int(room / (item.get_expiry() / item.amount)) + 1 if room >= 0 else 0
        return WindowStats(time.time() + max(0.0, -room), remaining)


def _sleep(seconds: float) -> None:
    """Never wakes early, which gevent's timers may: they count from when the loop last looked at the clock."""
    until = time.monotonic() + seconds
    while (rest := until - time.monotonic()) > 0:
        time.sleep(rest)


cast("dict[str, type[RateLimiter]]", STRATEGIES)[TURNS] = TurnRateLimiter
