"""requests' transport adapter for the way to Poe: kept-alive connections, one write a request, wide reads.

urllib3 establishes each connection (DNS, TLS and its verification, tunnels, SOCKS); what is said over it is ours, as
`HTTPAdapter` spends more on cookies, redirects and small reads than a short answer costs. Nothing here follows a
redirect or keeps a cookie.
"""

import contextlib
import http.client
import re
import socket
import ssl
import threading
import time
from base64 import b64encode
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import unquote

import certifi
from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPConnection, HTTPSConnection, ProxyConfig
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NameResolutionError, NewConnectionError
from urllib3.util import Url, parse_url
from urllib3.util.ssl_ import create_urllib3_context

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.poe.body import WIDE, BodyStream, hang_up
from poe2openai.poe.http1 import HeadReader, ResponseHead, body_decoder, request_head

IDLE_SECONDS = 50.0
MAX_IDLE = 1000
# A write of more than this goes out in slices, so that the time limit is one for progress, not for the whole.
WRITE_SLICE = 256 * 1024

_URL = re.compile(r"(https?://[^/?#\s]+)([^#\s]*)(?:#\S*)?", re.IGNORECASE)
_PORTS = {"http": 80, "https": 443}
_SOCKS = {"socks4": (1, False), "socks4a": (1, True), "socks5": (2, False), "socks5h": (2, True)}
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+")
_SOCKET_OPTIONS: list[tuple[int, int, int | bytes]] = [
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
]


class _NoAnswerError(Exception):
    """The connection ended before the first byte of an answer."""


class Proxy:
    """The owner's proxy; its credentials are in no message and no repr."""

    def __init__(self, address: str) -> None:
        """`ValueError`, without the address, for one that cannot be used."""
        try:
            self.url: Url = parse_url(address if "://" in address else f"http://{address}")
        except HTTPError:
            raise ValueError("the proxy's address is malformed") from None
        self.scheme = self.url.scheme or ""
        if not self.url.host or self.scheme not in {*_PORTS, *_SOCKS}:
            raise ValueError(f"the proxy's address needs a host and one of {', '.join([*_PORTS, *_SOCKS])}")
        self.host = self.url.host.strip("[]")
        self.port = self.url.port or _PORTS.get(self.scheme, 1080)
        user, colon, password = (self.url.auth or "").partition(":")
        self.user = unquote(user) if user or colon else None
        self.password = unquote(password) if colon else None

    @property
    def is_socks(self) -> bool:
        return self.scheme in _SOCKS

    @property
    def headers(self) -> dict[str, str]:
        """What an HTTP proxy is shown beside the request."""
        if self.user is None:
            return {}
        credentials = b64encode(f"{self.user}:{self.password or ''}".encode()).decode("ascii")
        return {"Proxy-Authorization": f"Basic {credentials}"}

    def socks_options(self) -> Any:
        """As urllib3's SOCKS connections want them; their type asks for a port of text, PySocks for a number."""
        version, resolves_names = _SOCKS[self.scheme]
        return {
            "socks_version": version,
            "proxy_host": self.host,
            "proxy_port": self.port,
            "username": self.user,
            "password": self.password,
            "rdns": resolves_names,
        }


class Route:
    """The way to one origin, and the connections on it that wait for work."""

    def __init__(self, origin: str, proxy: Proxy | None, tls_context: Callable[[], ssl.SSLContext]) -> None:
        url = parse_url(origin)
        if not url.host or url.auth is not None:
            raise ValueError("an address of Poe needs a host, and no credentials")
        self._is_secure = url.scheme == "https"
        self._tls_context = tls_context
        self._proxy = proxy
        self._host = url.host
        self._port = url.port or _PORTS[url.scheme or "http"]
        self._idle: deque[tuple[socket.socket, float]] = deque()
        self._is_closed = False
        forwards = proxy is not None and not self._is_secure and not proxy.is_socks
        self.host_header = url.netloc or url.host
        self.target_prefix = origin if forwards else ""
        self.proxy_headers = proxy.headers if proxy is not None and forwards else {}

    def take(self) -> socket.socket | None:
        """The connection that was used last, if one is still alive: a readable idle one is dead or out of step."""
        self._drop_expired()
        while True:
            try:
                sock, _ = self._idle.pop()
            except IndexError:
                return None
            try:
                sock.settimeout(0.0)
                sock.recv(1)
            except (BlockingIOError, ssl.SSLWantReadError):
                return sock
            except (OSError, ValueError):
                pass
            hang_up(sock)

    def keep(self, sock: socket.socket) -> None:
        self._idle.append((sock, time.monotonic()))
        self._drop_expired()

    def close(self) -> None:
        """Ends what is idle now, and what comes back later."""
        self._is_closed = True
        self._drop_expired()

    def dial(self, timeout: float) -> socket.socket:
        """A fresh connection, through the proxy where there is one; UPSTREAM_UNREACHABLE when there is no way."""
        connection: HTTPConnection | None = None
        try:
            connection = self._connection(timeout)
            connection.connect()
            sock: socket.socket = connection.sock
            connection.sock = None
        except (HTTPError, http.client.HTTPException, OSError, ValueError, ImportError) as error:
            raise self._unreachable(error, timeout) from None
        finally:
            if connection is not None:
                connection.close()
        return sock

    def _drop_expired(self) -> None:
        oldest = time.monotonic() - IDLE_SECONDS
        with contextlib.suppress(IndexError):
            while self._idle[0][1] < oldest or len(self._idle) > MAX_IDLE or self._is_closed:
                hang_up(self._idle.popleft()[0])

    def _connection(self, timeout: float) -> HTTPConnection:
        options: dict[str, Any] = {"timeout": timeout, "socket_options": _SOCKET_OPTIONS}
        proxy = self._proxy
        uses_tls = self._is_secure or (proxy is not None and proxy.scheme == "https")
        if uses_tls:
            options["ssl_context"] = self._tls_context()
        if proxy is None:
            return (HTTPSConnection if uses_tls else HTTPConnection)(self._host, self._port, **options)
        if proxy.is_socks:
            # PySocks comes with requests[socks]; who has no SOCKS proxy does not need it.
            from urllib3.contrib.socks import SOCKSConnection, SOCKSHTTPSConnection  # noqa: PLC0415

            kind = SOCKSHTTPSConnection if self._is_secure else SOCKSConnection
            return kind(proxy.socks_options(), self._host, self._port, **options)
        options["proxy"] = proxy.url
        if uses_tls:
            options["proxy_config"] = ProxyConfig(options["ssl_context"], False, None, None)
        connection = (HTTPSConnection if uses_tls else HTTPConnection)(proxy.host, proxy.port, **options)
        if self._is_secure:
            connection.set_tunnel(self._host, self._port, proxy.headers, scheme=proxy.scheme)
        return connection

    def _unreachable(self, error: Exception, timeout: float) -> GatewayError:
        """Told by what the error is, not by its text, which may hold the proxy's address as the owner wrote it."""
        proxy = self._proxy
        there = f"Poe ({self._host})" if proxy is None else f"the proxy ({proxy.host}:{proxy.port})"
        cause = error.__cause__
        if isinstance(error, ImportError):
            message = "A SOCKS proxy needs the Python package PySocks, which is not installed."
        elif isinstance(error, NameResolutionError):
            message = f"The name of {there} cannot be resolved."
        elif isinstance(error, ssl.SSLCertVerificationError):
            message = f"The TLS certificate of Poe or its proxy cannot be verified: {error.verify_message}."
        elif isinstance(error, ssl.SSLError | ssl.CertificateError):
            message = f"No TLS connection to {there} could be made: {error.reason or 'it broke off'}."
        elif isinstance(error, NewConnectionError) and isinstance(cause, OSError) and cause.strerror:
            message = f"{there} cannot be reached: {cause.strerror}."
        elif isinstance(error, TimeoutError | ConnectTimeoutError) and not isinstance(error, NewConnectionError):
            message = f"{there} did not answer within {timeout:g} seconds."
        elif proxy is not None:
            message = f"{there} did not open a way to Poe: {_reason(error)}."
        else:
            message = f"{there} cannot be reached."
        return GatewayError(ErrorKind.UPSTREAM_UNREACHABLE, message[0].upper() + message[1:])


def _reason(error: Exception) -> str:
    text = _UNPRINTABLE.sub(" ", str(error)).rpartition("onnection: ")[2]
    return text.strip(" .")[:200] or type(error).__name__


class _Message(NamedTuple):
    """What goes out: a small body travels with its head, in one write."""

    request: PreparedRequest
    route: Route
    head: bytes
    body: bytes


class Query(PreparedRequest):
    """A prepared request; `on_silence` is called at each tick without an answer, and may raise to give up."""

    on_silence: Callable[[], None] | None = None

    def copy(self) -> "Query":
        """Without what this adapter does not look at: cookies and hooks."""
        copied = Query()
        copied.method, copied.url, copied.body = self.method, self.url, self.body
        copied.headers = self.headers.copy()
        return copied


class PoeAdapter(BaseAdapter):
    """Sends prepared requests whose body is whole; the response's `raw` is a `BodyStream`.

    The way (proxy, certificates, limits) is fixed here, so `verify`, `cert` and `proxies` of a call do not count.
    Raises `GatewayError` in place of requests' exceptions.
    """

    def __init__(
        self,
        *,
        proxy: str = "",
        connect_timeout: float = 10.0,
        idle_timeout: float = 300.0,
        tick: float = 1.0,
        ca_bundle: str | None = None,
    ) -> None:
        """`ca_bundle` takes the place of certifi's and the system's authorities."""
        super().__init__()
        self._proxy = Proxy(proxy) if proxy else None
        self._connect_timeout = connect_timeout
        self._idle_timeout = idle_timeout
        self._tick = tick
        self._ca_bundle = ca_bundle
        self._context: ssl.SSLContext | None = None
        self._lock = threading.Lock()
        self._routes: dict[str, Route] = {}

    def send(  # noqa: PLR0917 (the signature is requests')
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> Response:
        """`timeout`: seconds for (connecting, silence), or one number for both; else what the adapter was made with."""
        del stream, verify, cert, proxies
        connect_timeout, idle_timeout = timeout if isinstance(timeout, tuple) else (timeout, timeout)
        idle_timeout = idle_timeout or self._idle_timeout
        message = self._message(request)
        sock = message.route.take()
        if sock is not None:
            # Poe may end an idle connection just as it is taken: then nothing of the request was worked on.
            with contextlib.suppress(_NoAnswerError):
                return self._answer(sock, message, idle_timeout)
        sock = message.route.dial(connect_timeout or self._connect_timeout)
        try:
            return self._answer(sock, message, idle_timeout)
        except _NoAnswerError:
            reason = "Poe closed the connection without an answer."
            raise GatewayError(ErrorKind.UPSTREAM_UNREACHABLE, reason) from None

    def close(self) -> None:
        for route in self._routes.values():
            route.close()

    def _message(self, request: PreparedRequest) -> _Message:
        url = _URL.fullmatch(request.url or "")
        body: Any = request.body or b""
        if isinstance(body, str):
            body = body.encode()
        if url is None or not isinstance(body, bytes):
            raise ValueError("a request needs an http(s) address and a body that is whole")
        origin, target = url[1], url[2] if url[2].startswith("/") else f"/{url[2]}"
        route = self._routes.get(origin)
        if route is None:
            route = self._routes.setdefault(origin, Route(origin, self._proxy, self._tls_context))
        headers = {"Host": route.host_header, **route.proxy_headers, **request.headers}
        if body or request.method == "POST":
            headers["Content-Length"] = str(len(body))
        head = request_head(request.method or "GET", route.target_prefix + target, headers.items())
        if len(body) <= WIDE:
            return _Message(request, route, head + body, b"")
        return _Message(request, route, head, body)

    def _answer(self, sock: socket.socket, message: _Message, idle_timeout: float) -> Response:
        try:
            sock.settimeout(idle_timeout)
            was_sent = _write(sock, message.head, message.body)
            head, rest = _read_head(sock, idle_timeout, self._tick, getattr(message.request, "on_silence", None))
            decoder = body_decoder(head)
        except BaseException:
            hang_up(sock)
            raise
        response = Response()
        response.status_code = head.status
        response.reason = head.reason
        response.headers = CaseInsensitiveDict(head.headers)
        response.url = message.request.url or ""
        response.request = message.request
        keep = message.route.keep if was_sent else None
        response.raw = BodyStream(sock, decoder, rest, tick=self._tick, idle_timeout=idle_timeout, keep=keep)
        return response

    def _tls_context(self) -> ssl.SSLContext:
        """One for all connections, as loading the authorities takes milliseconds."""
        with self._lock:
            if self._context is None:
                context = create_urllib3_context()
                context.load_verify_locations(self._ca_bundle or certifi.where())
                if self._ca_bundle is None:
                    context.load_default_certs()
                self._context = context
            return self._context


def _write(sock: socket.socket, head: bytes, body: bytes) -> bool:
    """False when the connection broke meanwhile: an answer that came early may tell why."""
    try:
        sock.sendall(head)
        view = memoryview(body)
        for start in range(0, len(body), WRITE_SLICE):
            sock.sendall(view[start : start + WRITE_SLICE])
    except TimeoutError:
        raise GatewayError(ErrorKind.UPSTREAM_TIMEOUT, "Poe did not take the request in time.") from None
    except (OSError, ValueError):
        return False
    return True


def _read_head(
    sock: socket.socket, timeout: float, tick: float, on_silence: Callable[[], None] | None
) -> tuple[ResponseHead, bytes]:
    """The head, and the bytes that came behind it; `timeout` is for the head as a whole."""
    deadline = time.monotonic() + timeout
    reader = HeadReader()
    while True:
        left = deadline - time.monotonic()
        sock.settimeout(max(0.001, left if on_silence is None else min(left, tick)))
        try:
            data = sock.recv(WIDE)
        except TimeoutError:
            if on_silence is None or time.monotonic() >= deadline:
                reason = f"Poe did not answer within {timeout:g} seconds."
                raise GatewayError(ErrorKind.UPSTREAM_TIMEOUT, reason) from None
            on_silence()
            continue
        except (OSError, ValueError):
            data = b""
        if not data and reader.is_empty:
            raise _NoAnswerError
        if not data:
            raise GatewayError(ErrorKind.UPSTREAM_CUT_OFF, "The connection to Poe broke off.")
        head = reader.feed(data)
        if head is not None:
            return head, reader.rest
