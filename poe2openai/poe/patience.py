"""Waits for a socket that does not block, a short while at a time, for as long as somebody wants what comes of it."""

import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from poe2openai.core.errors import ErrorKind, GatewayError

TICK = 0.5
"""Seconds after which the caller is asked, at the latest."""

_T = TypeVar("_T")


class SlowError(Exception):
    """The socket was not ready in time. No OSError, as those of the caller's `check` are none of ours."""


class BrokenError(Exception):
    """The connection failed; the cause tells how."""


class Patience:
    """How long one fetch may take as a whole, and whether anybody still wants it."""

    def __init__(self, seconds: float, check: Callable[[], None]) -> None:
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._check = check

    def ask(self) -> None:
        self._check()
        if time.monotonic() >= self._deadline:
            message = f"The gateway could not fetch the file: it took longer than {self._seconds:g} seconds."
            raise GatewayError(ErrorKind.UPSTREAM_TIMEOUT, message)

    def wait(self, sock: socket.socket, event: int, until: float) -> None:
        """Until the socket is ready; `SlowError` when it is not by then."""
        poll = select.poll()
        try:
            poll.register(sock, event)
        except (OSError, ValueError) as error:  # closed from elsewhere
            raise BrokenError from error
        while True:
            self.ask()
            now = time.monotonic()
            if now >= until:
                raise SlowError
            if poll.poll(max(1.0, min(TICK, until - now, self._deadline - now) * 1000)):
                return

    def until_done(self, sock: socket.socket, act: Callable[[], _T], event: int, until: float) -> _T:
        """What `act` on the socket, which does not block, gives once it can; `event` is what it waits for."""
        self.ask()
        while True:
            wanted = event
            try:
                return act()
            except ssl.SSLWantReadError:
                wanted = select.POLLIN
            except ssl.SSLWantWriteError:
                wanted = select.POLLOUT
            except BlockingIOError:
                pass
            except (OSError, ValueError) as error:  # ValueError: a TLS socket that was closed from elsewhere
                raise BrokenError from error
            self.wait(sock, wanted, until)

    @contextmanager
    def turn(self, places: threading.Semaphore) -> Iterator[None]:
        """One of a few places, once there is one."""
        self.ask()
        while not places.acquire(timeout=TICK):
            self.ask()
        try:
            yield
        finally:
            places.release()
