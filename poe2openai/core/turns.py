"""Lets the other streams of a worker run in the middle of long work."""

import time

# Not 0: gevent takes that for "once more round the callbacks", and looks at its sockets only every so many of them.
_MOMENT = 1e-6


def give_way() -> None:
    """Others run, and their sockets are looked at; a few microseconds where nobody waits."""
    time.sleep(_MOMENT)


class Turns:
    """Work that others are to interrupt: `give_way` at least every few milliseconds of it, and seldom more."""

    __slots__ = ("_longest", "_next")

    def __init__(self, seconds: float = 0.002) -> None:
        self._longest = seconds
        self._next = time.monotonic() + seconds

    def give_way(self) -> None:
        """Call it often: it costs a look at the clock, and gives way when the time has come."""
        if time.monotonic() >= self._next:
            give_way()
            self._next = time.monotonic() + self._longest
