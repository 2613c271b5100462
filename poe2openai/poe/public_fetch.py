"""Fetches what an http(s) address holds that a client or a bot named, and never from a place that is not public.

A name is resolved once for each hop, every address of the answer is checked, and one of those is connected to, so that
a name that changes its mind in between gains nothing. Odd spellings of an address need no list: what the system's
resolver makes of them is what is checked. Redirects are followed here, each as strictly as the first address; one from
https to http is refused, as whoever named https wanted a server that proves its name.

The sockets never block: each wait is a short one, after which the caller is asked whether the file is still wanted, so
that neither a slow drip nor a half TLS record outlasts the time that a fetch may take.
"""

import contextlib
import errno
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from ipaddress import ip_address
from types import TracebackType
from typing import Self
from urllib.parse import urljoin

import certifi

from poe2openai import __version__
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.poe.body import hang_up
from poe2openai.poe.fetched_name import file_name, header_value, media_type
from poe2openai.poe.http1 import BodyDecoder, HeadReader, ResponseHead, body_decoder, request_head
from poe2openai.poe.patience import BrokenError, Patience, SlowError
from poe2openai.poe.public_address import Address, Place, is_public, parse_place, refusal

__all__ = ["DEFAULT_PORTS", "MAX_SIZE", "NOT_PUBLIC", "Fetched", "PublicFetcher", "is_public"]

DEFAULT_PORTS = frozenset({80, 443, 8080, 8443})
MAX_SIZE = 200 * 1024 * 1024
MAX_REDIRECTS = 5
MOST_LOOK_UPS = 4
NOT_PUBLIC = "The gateway does not fetch from this address: it is not public."

_Way = tuple[socket.AddressFamily, tuple[str, int]]

_READ = 128 * 1024
_NO_HTTP = "its server does not answer in HTTP/1.1"
_REDIRECTS = {301, 302, 303, 307, 308}


class PublicFetcher:
    """One a worker; greenlets and threads share it."""

    def __init__(
        self,
        *,
        connect_timeout: float = 10.0,
        idle_timeout: float = 60.0,
        total_seconds: float = 300.0,
        max_size: int = MAX_SIZE,
        may_connect: Callable[[Address], bool] = is_public,
        ports: frozenset[int] | None = DEFAULT_PORTS,
        ca_bundle: str | None = None,
    ) -> None:
        """`connect_timeout` is for each hop, TLS included; `ports` None: any; `ca_bundle` replaces all authorities."""
        self._connect_timeout = connect_timeout
        self._idle_timeout = idle_timeout
        self._total_seconds = total_seconds
        self._max_size = max_size
        self._may_connect = may_connect
        self._ports = ports
        self._ca_bundle = ca_bundle
        self._context: ssl.SSLContext | None = None
        self._lock = threading.Lock()
        # A look-up takes as long as its name server likes, and the worker's other look-ups share its few places.
        self._look_ups = threading.BoundedSemaphore(MOST_LOOK_UPS)

    def open(self, url: str, *, check: Callable[[], None] = lambda: None) -> "Fetched":
        """The file behind `url`, its body still to come; `GatewayError` for a refusal and for a failure.

        `check` is called between steps and at least twice a second, and may raise to give up.
        """
        patience = Patience(self._total_seconds, check)
        place = parse_place(url, self._ports)
        for _ in range(MAX_REDIRECTS + 1):
            sock = self._dial(place, patience)
            try:
                head, rest = self._ask(sock, place, patience)
                if head.status not in _REDIRECTS:
                    return Fetched(
                        sock, place, head, rest, patience, idle_timeout=self._idle_timeout, max_size=self._max_size
                    )
            except BaseException:
                _end(sock)
                raise
            _end(sock)
            place = _redirected(place, head, self._ports)
        raise _failed(f"it redirects more than {MAX_REDIRECTS} times")

    def _dial(self, place: Place, patience: Patience) -> socket.socket:
        until = time.monotonic() + self._connect_timeout
        sock = self._connect(self._resolve(place, patience), patience, until)
        if place.scheme == "http":
            return sock
        try:
            name = place.host.removesuffix(".")
            tls = self._tls_context().wrap_socket(sock, server_hostname=name, do_handshake_on_connect=False)
        except (OSError, ValueError):
            _end(sock)
            raise _failed("no TLS connection to its server could be made") from None
        try:
            self._shake_hands(tls, patience, until)
        except BaseException:
            _end(tls)
            raise
        return tls

    def _shake_hands(self, tls: ssl.SSLSocket, patience: Patience, until: float) -> None:
        try:
            patience.until_done(tls, tls.do_handshake, select.POLLIN, until)
        except SlowError:
            raise _too_slow(self._connect_timeout) from None
        except BrokenError as error:
            cause = error.__cause__
            why = "no TLS connection to its server could be made"
            if isinstance(cause, ssl.SSLCertVerificationError):
                why = f"its server's TLS certificate cannot be verified ({cause.verify_message.rstrip('.')})"
            raise _failed(why) from None

    def _resolve(self, place: Place, patience: Patience) -> list[_Way]:
        """The one look-up; each address of its answer has passed the guard."""
        with patience.turn(self._look_ups):
            try:
                answers = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
            except (OSError, UnicodeError):
                raise _failed("the name of its host cannot be resolved") from None
        ways: list[_Way] = list(
            dict.fromkeys((family, (str(address[0]), place.port)) for family, _, _, _, address in answers)
        )
        if not all(self._is_allowed(address) for _, (address, _) in ways):
            raise GatewayError(ErrorKind.INVALID_REQUEST, NOT_PUBLIC)
        return ways

    def _is_allowed(self, text: str) -> bool:
        try:
            return self._may_connect(ip_address(text))
        except ValueError:
            return False

    def _connect(self, ways: list[_Way], patience: Patience, until: float) -> socket.socket:
        """To the first that answers; each has its share of the time, so that a dead IPv6 leaves some for IPv4."""
        was_slow = False
        for number, way in enumerate(ways):
            now = time.monotonic()
            try:
                return _connected(way, patience, now + (until - now) / (len(ways) - number))
            except SlowError:
                was_slow = True
            except BrokenError:
                was_slow = False
        raise _too_slow(self._connect_timeout) if was_slow else _failed("its server cannot be reached")

    def _ask(self, sock: socket.socket, place: Place, patience: Patience) -> tuple[ResponseHead, bytes]:
        """Sends the request; the head of the answer, and the bytes that came behind it."""
        headers = {
            "Host": place.host_header,
            "User-Agent": f"poe2openai/{__version__}",
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            "Connection": "close",
        }
        request = request_head("GET", place.target, headers.items())
        reader = HeadReader()
        until = time.monotonic() + self._idle_timeout
        try:
            while request:
                request = request[patience.until_done(sock, partial(sock.send, request), select.POLLOUT, until) :]
            while data := patience.until_done(sock, partial(sock.recv, _READ), select.POLLIN, until):
                if (head := _head(reader, data)) is not None:
                    return head, reader.rest
        except SlowError:
            raise _too_slow(self._idle_timeout) from None
        except BrokenError:
            pass
        raise _failed("its server closed the connection without an answer")

    def _tls_context(self) -> ssl.SSLContext:
        """One for all connections, as loading the authorities takes milliseconds."""
        with self._lock:
            if self._context is None:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.load_verify_locations(self._ca_bundle or certifi.where())
                if self._ca_bundle is None:
                    context.load_default_certs()
                self._context = context
            return self._context


class Fetched:
    """A file whose head has come; it holds a connection until its pieces were read or it is closed."""

    def __init__(
        self,
        sock: socket.socket,
        place: Place,
        head: ResponseHead,
        rest: bytes,
        patience: Patience,
        *,
        idle_timeout: float,
        max_size: int,
    ) -> None:
        """`GatewayError` for an answer that is not the file, or not one to take; the caller closes `sock` then."""
        if head.status != 200:
            raise _failed(f"its server answered with HTTP status {head.status}")
        if set(map(str.lower, head.values("content-encoding"))) - {"", "identity"}:
            raise _failed("its server sends it compressed, unasked")
        try:
            self._decoder: BodyDecoder = body_decoder(head)
        except GatewayError:
            raise _failed(_NO_HTTP) from None
        lengths = [] if head.values("transfer-encoding") else head.values("content-length")
        self.size = int(lengths[0]) if lengths else None
        self._max_size = max_size
        if self.size is not None and self.size > max_size:
            raise self._too_large()
        self.url = place.url
        self.media_type = media_type(head)
        self.name = file_name(head, place.target)
        self._sock = sock
        self._rest = rest
        self._patience = patience
        self._idle_timeout = idle_timeout

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection, from wherever it is called."""
        _end(self._sock)

    def pieces(self) -> Iterator[bytes]:
        """The body, once, each piece of at most 256 KB.

        Raises `GatewayError`: TOO_LARGE, UPSTREAM_TIMEOUT, and UPSTREAM_CUT_OFF for a body that did not come whole.
        """
        decoder = self._decoder
        data, self._rest = self._rest, b""
        size = 0
        try:
            while True:
                piece = decoder.feed(data) if data else b""
                size += len(piece)
                if size > self._max_size:
                    raise self._too_large()
                if piece:
                    yield piece
                if decoder.failure is not None:
                    raise _cut_off()
                if decoder.done:
                    return
                data = self._receive()
                if not data:
                    decoder.end()
        finally:
            self.close()

    def _receive(self) -> bytes:
        time.sleep(0)  # a server that is never slow would leave no turn to the other streams of the worker
        until = time.monotonic() + self._idle_timeout
        try:
            return self._patience.until_done(self._sock, partial(self._sock.recv, _READ), select.POLLIN, until)
        except SlowError:
            raise _too_slow(self._idle_timeout) from None
        except BrokenError:
            raise _cut_off() from None

    def _too_large(self) -> GatewayError:
        message = f"The gateway did not fetch the file: it has more than {self._max_size} bytes."
        return GatewayError(ErrorKind.TOO_LARGE, message)


def _redirected(place: Place, head: ResponseHead, ports: frozenset[int] | None) -> Place:
    """Where the answer sends to."""
    try:
        location = header_value(head, "location").encode("latin-1").decode()
        # Before it is joined, as that drops some characters in silence.
        url = urljoin(place.url, location) if location.isprintable() else location
    except ValueError:
        raise _failed("its server redirects to an address that is malformed") from None
    if not location:
        raise _failed("its server redirects without saying where to")
    there = parse_place(url, ports)
    if place.scheme == "https" and there.scheme == "http":
        raise refusal("it redirects from https to http")
    return there


def _failed(why: str) -> GatewayError:
    return GatewayError(ErrorKind.INVALID_REQUEST, f"The gateway could not fetch the file from this address: {why}.")


def _too_slow(seconds: float) -> GatewayError:
    message = f"The gateway could not fetch the file from this address: its server was silent for {seconds:g} seconds."
    return GatewayError(ErrorKind.UPSTREAM_TIMEOUT, message)


def _cut_off() -> GatewayError:
    message = "The gateway could not fetch the file from this address: its server broke off within the file."
    return GatewayError(ErrorKind.UPSTREAM_CUT_OFF, message)


def _head(reader: HeadReader, data: bytes) -> ResponseHead | None:
    try:
        return reader.feed(data)
    except GatewayError:  # which speaks of Poe
        raise _failed(_NO_HTTP) from None


def _connected(way: _Way, patience: Patience, until: float) -> socket.socket:
    """A connection that does not block."""
    family, address = way
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:  # a machine without IPv6
        raise BrokenError from error
    try:
        sock.settimeout(0.0)
        failure = sock.connect_ex(address)
        if failure == errno.EINPROGRESS:
            patience.wait(sock, select.POLLOUT, until)
            failure = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failure:
            raise BrokenError
    except BaseException:
        _end(sock)
        raise
    return sock


def _end(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):  # a gevent socket that is closed already has no attributes to ask for
        hang_up(sock)
