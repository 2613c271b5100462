"""A storage of `limits` in Redis that knows turns too, for gateways on several machines.

The schedule's clock is the Redis server's. Whatever Redis does, a call ends within a second, and after one that failed
the next ones fail at once for a while.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import gevent
from gevent.monkey import is_module_patched
from limits.storage import RedisStorage

from poe2openai.web.interval import Turn, TurnSupport

SCHEME: Final = "turns+"
REDIS_SCHEMES: Final = ("redis", "rediss", "redis+unix", "valkey", "valkeys", "valkey+unix")

_SOCKET_SECONDS: Final = 0.4
_CALL_SECONDS: Final = 0.9
_SECONDS_BETWEEN_TRIES: Final = 5.0
_MICROSECONDS: Final = 1_000_000

_NOW = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local free_from = tonumber(redis.call('GET', KEYS[1]) or '0')
"""

_KEEP = """
local function keep(slot)
    redis.call('SET', KEYS[1], string.format('%.0f', slot), 'PX', math.max(1, math.ceil((slot - now) / 1000)))
end
"""

# ARGV: interval, longest wait. Answers {wait, slot}; a negative slot where the wait is too long. All in microseconds.
_RESERVE = f"""{_NOW}{_KEEP}
local interval, longest = tonumber(ARGV[1]), tonumber(ARGV[2])
local slot = now
if free_from > now and free_from <= now + longest + interval then
    slot = free_from
end
if slot - now > longest then
    return {{slot - now, -1}}
end
keep(slot + interval)
return {{slot - now, slot}}
"""

# ARGV: interval, slot.
_GIVE_BACK = f"""{_NOW}{_KEEP}
if free_from == ARGV[1] + ARGV[2] then
    keep(tonumber(ARGV[2]))
end
return 0
"""

_WAIT_OF_NEXT = f"""{_NOW}
return math.max(0, free_from - now)
"""


class RedisTurnStorage(RedisStorage, TurnSupport):
    """The library's Redis storage and a schedule. Its URI is a usual one behind `turns+`."""

    STORAGE_SCHEME = [SCHEME + scheme for scheme in REDIS_SCHEMES]  # noqa: RUF012 — the library's

    def __init__(self, uri: str, *, max_wait_ms: int = 0, **options: Any) -> None:
        self.max_wait = max_wait_ms / 1000
        self._next_try = 0.0
        timeouts = {"socket_timeout": _SOCKET_SECONDS, "socket_connect_timeout": _SOCKET_SECONDS}
        super().__init__(uri.removeprefix(SCHEME), **(timeouts | options))
        connection = self.get_connection()
        self._reserve = connection.register_script(_RESERVE.encode())
        self._give_back = connection.register_script(_GIVE_BACK.encode())
        self._wait_of_next = connection.register_script(_WAIT_OF_NEXT.encode())

    def reserve(self, key: str, interval: float) -> Turn | None:
        longest = round(self.max_wait * _MICROSECONDS)
        with self._call():
            wait, slot = self._reserve([self.prefixed_key(key)], [round(interval * _MICROSECONDS), longest])
        return Turn(wait=int(wait) / _MICROSECONDS, slot=int(slot)) if int(slot) >= 0 else None

    def give_back(self, key: str, turn: Turn, interval: float) -> None:
        with self._call():
            self._give_back([self.prefixed_key(key)], [round(interval * _MICROSECONDS), turn.slot])

    def wait_of_next(self, key: str) -> float:
        with self._call():
            return int(self._wait_of_next([self.prefixed_key(key)], [])) / _MICROSECONDS

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        with self._call():
            return super().incr(key, expiry, amount)

    def get(self, key: str) -> int:
        with self._call():
            return super().get(key)

    def get_expiry(self, key: str) -> float:
        with self._call():
            return super().get_expiry(key)

    @contextmanager
    def _call(self) -> Iterator[None]:
        if self._next_try:
            if time.monotonic() < self._next_try:
                raise ConnectionError("it has just failed")
            self._next_try = time.monotonic() + _SECONDS_BETWEEN_TRIES
        try:
            with _bounded():
                yield
        except Exception:
            self._next_try = time.monotonic() + _SECONDS_BETWEEN_TRIES
            raise
        self._next_try = 0.0


@contextmanager
def _bounded() -> Iterator[None]:
    """Bounds what socket timeouts do not: looking the server's name up, and an answer that drips in."""
    if not is_module_patched("socket"):
        yield
        return
    with gevent.Timeout(_CALL_SECONDS, TimeoutError("no answer in time")):
        yield
