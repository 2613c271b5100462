"""The body of Poe's answer as it comes: each read of the socket is one piece, whatever it brought.

Works with gevent's sockets and with plain ones in threads, and knows neither.
"""

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Protocol, cast

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.poe.http1 import BodyDecoder

WIDE = 64 * 1024
FINISH_SECONDS = 0.05
# To look for a further TLS record costs as much as to read one: after a look in vain, so many reads go without.
READS_WITHOUT_LOOK = 7


def hang_up(sock: socket.socket) -> None:
    """Ends a connection at once; whoever waits on it in another thread or greenlet wakes up."""
    # TLS inside TLS (an https:// proxy) is urllib3's SSLTransport, which has its socket as an attribute.
    plain: socket.socket = getattr(sock, "socket", sock)
    with contextlib.suppress(OSError):
        plain.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError):
        sock.close()


class Wait(Protocol):
    """Waits for a socket to become readable, more cheaply than the socket's own `recv` does."""

    def __call__(self) -> bool:
        """False when the time is over."""
        ...

    def close(self) -> None:
        """Comes before the socket is closed."""
        ...


MakeWait = Callable[[socket.socket, float], Wait]


class BodyStream(Iterator[bytes]):
    """Pieces of the body; b"" after each `tick` seconds of silence, and for a read that held framing alone.

    Raises `GatewayError`: UPSTREAM_TIMEOUT after `idle_timeout` seconds without a byte, UPSTREAM_CUT_OFF when the
    connection or its framing broke before the body was whole. A whole body gives its connection back by itself.
    """

    __slots__ = (
        "_decoder",
        "_failure",
        "_idle_timeout",
        "_keep",
        "_make_wait",
        "_readable",
        "_reads_without_look",
        "_ready",
        "_silent",
        "_sock",
        "_tick",
        "_tls",
        "_wait",
    )

    def __init__(
        self,
        sock: socket.socket,
        decoder: BodyDecoder,
        first: bytes,
        *,
        tick: float,
        idle_timeout: float,
        keep: Callable[[socket.socket], None] | None,
        make_wait: MakeWait | None = None,
    ) -> None:
        """`first` are the bytes that came with the head; `keep` takes a connection that can serve again."""
        self._sock: socket.socket | None = sock
        self._tls = isinstance(sock, ssl.SSLSocket) or not isinstance(sock, socket.socket)
        self._decoder = decoder
        self._keep = keep
        self._tick = min(tick, idle_timeout)
        self._idle_timeout = idle_timeout
        # TLS inside TLS, to a proxy, is no socket of its own.
        self._make_wait = make_wait if hasattr(sock, "setsockopt") else None
        self._readable: Wait | None = None
        self._silent = 0.0
        self._reads_without_look = 0
        self._failure: GatewayError | None = None
        self._wait = self._tick
        sock.settimeout(self._tick)
        self._ready = decoder.feed(first) if first else b""
        self._settle()

    def __next__(self) -> bytes:
        if self._ready:
            ready, self._ready = self._ready, b""
            return ready
        sock = self._sock
        if sock is None:
            return self._after_end()
        try:
            if self._make_wait is not None and not (self._tls and self._has_pending(sock)):
                wait = self._readable or self._first_wait(sock)
                if not wait():
                    return self._be_silent()
            data = self._receive_records(sock) if self._tls else sock.recv(WIDE)
        except TimeoutError:
            return self._be_silent()
        except (OSError, ValueError):  # ValueError: a TLS socket that was closed from elsewhere
            self.close()
            raise _broken_off() from None
        except BaseException:
            self.close()
            raise
        if self._silent:
            self._silent = 0.0
            self._set_wait(self._tick)
        decoder = self._decoder
        if not data:
            return self._end()
        body = decoder.feed(data)
        if decoder.done or decoder.failure is not None:
            self._settle()
        return body

    def _has_pending(self, sock: socket.socket) -> bool:
        """Bytes that came over TLS with the last read, and that no look at the socket shows."""
        return cast("ssl.SSLSocket", sock).pending() > 0

    def _first_wait(self, sock: socket.socket) -> Wait:
        """Here and not before: a short answer is whole with its head, and never waits."""
        wait = cast("MakeWait", self._make_wait)(sock, self._tick)
        self._readable = wait
        return wait

    def _stop_waiting(self) -> None:
        self._make_wait = None
        if self._readable is not None:
            self._readable.close()
            self._readable = None

    def stream(self, _amount: int | None = None, decode_content: bool | None = None) -> Iterator[bytes]:  # noqa: ARG002
        """What `Response.iter_content` and `Response.content` of requests read from `raw`."""
        return filter(None, self)

    def read(self, limit: int, seconds: float) -> bytes:
        """The whole body, within `seconds`; of one longer than `limit`, its first `limit` + 1 bytes."""
        deadline = time.monotonic() + seconds
        self._stop_waiting()
        self._tick = min(self._tick, seconds, 1.0)
        self._set_wait(self._tick)
        pieces: list[bytes] = []
        size = 0
        for piece in self:
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                self.close()
            elif time.monotonic() > deadline:
                self.close()
                raise GatewayError(ErrorKind.UPSTREAM_TIMEOUT, "Poe's answer took too long to come.")
        return b"".join(pieces)[: limit + 1]

    def finish(self) -> None:
        """Nobody wants the rest: keeps the connection if the body ends within a moment, else ends it."""
        deadline = time.monotonic() + FINISH_SECONDS
        self._stop_waiting()
        try:
            while (sock := self._sock) is not None and (left := deadline - time.monotonic()) > 0:
                self._set_wait(left)
                data = self._receive_records(sock) if self._tls else sock.recv(WIDE)
                if not data:
                    break
                self._decoder.feed(data)
                self._settle()
        except (OSError, ValueError):
            pass
        finally:
            self.close()

    def close(self) -> None:
        """Ends the connection, unless the body was whole and gave it back; from wherever it is called."""
        sock, self._sock = self._sock, None
        self._ready = b""
        self._failure = None
        self._stop_waiting()
        if sock is not None:
            hang_up(sock)

    def _end(self) -> bytes:
        if self._sock is None:  # closed from elsewhere, meanwhile
            raise _broken_off()
        self._decoder.end()
        self._settle()
        return b""

    def _after_end(self) -> bytes:
        failure, self._failure = self._failure, None
        raise failure or StopIteration

    def _settle(self) -> None:
        """Parts with the connection if the body is whole or broke; what is broken is told at the next piece."""
        decoder = self._decoder
        if not decoder.done and decoder.failure is None:
            return
        self._failure = None if decoder.done else decoder.failure
        sock, self._sock = self._sock, None
        self._stop_waiting()
        if sock is None:
            return
        if decoder.done and decoder.reusable and self._keep is not None:
            self._keep(sock)
        else:
            hang_up(sock)

    def _be_silent(self) -> bytes:
        self._silent += self._wait
        left = self._idle_timeout - self._silent
        if left < 0.001:
            self.close()
            raise GatewayError(ErrorKind.UPSTREAM_TIMEOUT, f"Poe was silent for {self._idle_timeout:g} seconds.")
        if left < self._tick:
            self._stop_waiting()
        self._set_wait(min(self._tick, left))
        return b""

    def _set_wait(self, seconds: float) -> None:
        if seconds != self._wait and self._sock is not None:
            self._wait = seconds
            self._sock.settimeout(seconds)

    def _receive_records(self, sock: socket.socket) -> bytes:
        """Over TLS a read gives one record, often one event: takes the records that have come already."""
        data = sock.recv(WIDE)
        if not data:
            return b""
        if self._reads_without_look:
            self._reads_without_look -= 1
            return data
        pieces = [data]
        size = len(data)
        try:
            sock.settimeout(0.0)
            while size < WIDE and (data := sock.recv(WIDE - size)):
                pieces.append(data)
                size += len(data)
        except (OSError, ValueError):
            pass  # nothing more for now (SSLWantReadError), or broken, which the next read tells
        finally:
            sock.settimeout(self._wait)
        if len(pieces) > 1:
            return b"".join(pieces)
        self._reads_without_look = READS_WITHOUT_LOOK
        return pieces[0]


def _broken_off() -> GatewayError:
    return GatewayError(ErrorKind.UPSTREAM_CUT_OFF, "The connection to Poe broke off.")
