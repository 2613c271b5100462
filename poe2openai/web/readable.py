"""Waits for Poe's bytes under gevent at half of what a `recv` with a timeout costs there, once for each live event.

gevent's `recv` first tries in vain, and makes a timer for each wait.
"""

import socket

import gevent


class _Over(BaseException):
    """The time is over; thrown into the greenlet that waits, and seen by nobody else."""


class ReadableWait:
    """One stream's wait, with one watcher and one timer for all of it; used by the greenlet that makes it."""

    __slots__ = ("_give_up", "_hub", "_over", "_timer", "_watcher")

    def __init__(self, sock: socket.socket, seconds: float) -> None:
        """`seconds` is the longest that a call waits."""
        self._hub = gevent.get_hub()
        self._over = _Over()
        self._watcher = self._hub.loop.io(sock.fileno(), 1)
        self._timer = self._hub.loop.timer(seconds, seconds)
        self._give_up = gevent.getcurrent().throw

    def __call__(self) -> bool:
        """Whether there is something to read, or the connection has ended; False when the time is over."""
        # `again`, because a timer that is started anew goes on with what was left of its time.
        self._timer.again(self._give_up, self._over)
        try:
            self._hub.wait(self._watcher)
        except _Over:
            return False
        finally:
            self._timer.stop()
        return True

    def close(self) -> None:
        """Before the socket is closed: its number may serve another one at once."""
        self._watcher.close()
        self._timer.close()
