"""Notices clients that hang up, also while there is nothing to write to them.

Under gevent one watcher a worker looks at all connections twice a second and kills the greenlets whose clients are
gone; their `finally` blocks then end the upstream requests. Threads cannot be killed: whoever waits asks now and then.
"""

import select
from typing import Any, Protocol

import gevent
from gevent import GreenletExit
from gevent.monkey import get_original, is_module_patched

_INTERVAL_SECONDS = 0.4
_GONE = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR | select.POLLNVAL


class ClientGone(GreenletExit):  # type: ignore[misc]
    """The client hung up; no `except Exception` holds it, and gunicorn takes it for a quiet end."""


class _Pollable(Protocol):
    def fileno(self) -> int: ...


class HangUpWatcher:
    """One a worker."""

    def __init__(self) -> None:
        self._new_poll = get_original("select", "poll")
        self._poll = self._new_poll()
        self._watched: dict[int, gevent.Greenlet] = {}
        self._running = False
        self._by_greenlets = is_module_patched("socket")

    def watch(self, environ: dict[str, Any]) -> "Watched":
        """Watches the client of a request until it is closed."""
        socket = environ.get("gunicorn.socket") or environ.get("werkzeug.socket")
        return Watched(self, socket)

    def add(self, descriptor: int) -> None:
        if not self._by_greenlets:
            return
        self._watched[descriptor] = gevent.getcurrent()
        self._poll.register(descriptor, _GONE)
        if not self._running:
            self._running = True
            gevent.spawn(self._run)

    def remove(self, descriptor: int) -> None:
        if self._watched.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)

    def is_gone(self, descriptor: int) -> bool:
        """Whether a client is gone at this moment."""
        poll = self._new_poll()
        poll.register(descriptor, _GONE)
        return bool(poll.poll(0))

    def _run(self) -> None:
        try:
            while self._watched:
                gevent.sleep(_INTERVAL_SECONDS)
                gone = {descriptor for descriptor, _ in self._poll.poll(0)}
                # The last to come go first: each then is the last in the queue for a turn, and can give its own back.
                for descriptor in [watched for watched in reversed(self._watched) if watched in gone]:
                    greenlet = self._watched[descriptor]
                    self.remove(descriptor)
                    gevent.kill(greenlet, ClientGone)
        finally:
            self._running = False


class Watched:
    """One request's client, watched until `close`."""

    def __init__(self, watcher: HangUpWatcher, socket: _Pollable | None) -> None:
        self._watcher = watcher
        self._descriptor = socket.fileno() if socket is not None else -1
        if self._descriptor >= 0:
            watcher.add(self._descriptor)

    def is_gone(self) -> bool:
        return self._descriptor >= 0 and self._watcher.is_gone(self._descriptor)

    def check(self) -> None:
        """Raises `ClientGone` where nobody waits any more."""
        if self.is_gone():
            raise ClientGone

    def close(self) -> None:
        if self._descriptor >= 0:
            self._watcher.remove(self._descriptor)
            self._descriptor = -1
