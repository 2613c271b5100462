"""Notices clients that hang up, also while there is nothing to write to them, and owners who stop a request.

Under gevent one watcher a worker looks at all connections twice a second and kills the greenlets whose clients are
gone; their `finally` blocks then end the upstream requests. Threads cannot be killed: whoever waits asks now and then.
A request that its owner stops notices by itself where it asks; one that does not is killed as well, a little later.
"""

import select
import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import gevent
from gevent import GreenletExit
from gevent.monkey import get_original, is_module_patched

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.gateway.record import RequestRecord

STOP_SECONDS = 2.8
"""So long a request may take to notice by itself that it is to stop."""

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
        self._open: dict[str, Watched] = {}
        self._stopping: list[Watched] = []
        self.before_first: Callable[[], None] | None = None
        self._running = False
        self._by_greenlets = is_module_patched("socket")

    def watch(self, environ: dict[str, Any], record: RequestRecord | None = None) -> "Watched":
        """Watches the client of a request until it is closed."""
        if self.before_first is not None:
            begin, self.before_first = self.before_first, None
            begin()
        socket = environ.get("gunicorn.socket") or environ.get("werkzeug.socket")
        watched = Watched(self, socket, record)
        if record is not None:
            self._open[record.id] = watched
        return watched

    def open(self) -> "Iterable[Watched]":
        """The requests under way that have a record, the oldest first."""
        return list(self._open.values())

    def stop(self, request_id: str) -> bool:
        """Whether there is such a request under way; it ends soon with an error that says so."""
        watched = self._open.get(request_id)
        if watched is None:
            return False
        if watched.stop_at is None:
            watched.stop_at = time.monotonic()
            if self._by_greenlets:
                self._stopping.append(watched)
        return True

    def closed(self, record: RequestRecord) -> None:
        self._open.pop(record.id, None)

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
                if self._stopping:
                    self._end_those_that_do_not_notice()
        finally:
            self._running = False

    def _end_those_that_do_not_notice(self) -> None:
        self._stopping = [watched for watched in self._stopping if watched.is_open]
        overdue = time.monotonic() - STOP_SECONDS
        for watched in self._stopping:
            if watched.stop_at is not None and watched.stop_at <= overdue:
                gevent.get_hub().loop.run_callback(self._end, watched)

    def _end(self, watched: "Watched") -> None:
        """Runs in the hub: the greenlet cannot have gone on to another request meanwhile."""
        greenlet = self._watched.get(watched.descriptor) if watched.is_open else None
        if greenlet is not None:
            # Of an answer half written there is no way to say why it ends here.
            greenlet.throw(ClientGone() if watched.is_streaming else stopped())


def stopped() -> GatewayError:
    """What a request ends with that the owner stops."""
    return GatewayError(ErrorKind.STOPPED, "The gateway's owner stopped this request.")


def end_early(record: RequestRecord, watched: "Watched") -> None:
    """Notes who ended a stream: its client, or the owner where that could not be told the client any more."""
    if watched.stop_at is None:
        record.hung_up = True
    else:
        record.error = ErrorKind.STOPPED.code


class Watched:
    """One request's client, watched until `close`. `stop_at` is when the owner stopped the request, None if not."""

    __slots__ = ("_watcher", "descriptor", "is_open", "is_streaming", "record", "stop_at")

    def __init__(self, watcher: HangUpWatcher, socket: _Pollable | None, record: RequestRecord | None = None) -> None:
        self._watcher = watcher
        self.record = record
        self.stop_at: float | None = None
        self.is_open = True
        self.is_streaming = False
        self.descriptor = socket.fileno() if socket is not None else -1
        if self.descriptor >= 0:
            watcher.add(self.descriptor)

    def is_gone(self) -> bool:
        return self.descriptor >= 0 and self._watcher.is_gone(self.descriptor)

    def check_stop(self) -> None:
        """Raises `GatewayError(STOPPED)` where the owner wants that; costs nothing."""
        if self.stop_at is not None:
            raise stopped()

    def check(self) -> None:
        """Raises as `check_stop` does, and `ClientGone` where nobody waits any more."""
        self.check_stop()
        if self.is_gone():
            raise ClientGone

    def close(self) -> None:
        self.is_open = False
        if self.record is not None:
            self._watcher.closed(self.record)
        if self.descriptor >= 0:
            self._watcher.remove(self.descriptor)
            self.descriptor = -1
