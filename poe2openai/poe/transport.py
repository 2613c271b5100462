"""requests' transport adapter for the way to Poe: kept-alive connections, one write a request, wide reads.

urllib3 establishes each connection (DNS, TLS and its verification, tunnels, SOCKS); what is said over it is ours, as
`HTTPAdapter` spends more on cookies, redirects and small reads than a short answer costs. Nothing here follows a
redirect or keeps a cookie.
"""

import contextlib
import http.client
import logging
import re
import socket
import ssl
import threading
import time
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
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
from poe2openai.poe.body import WIDE, BodyStream, MakeWait, hang_up
from poe2openai.poe.http1 import body_decoder, request_head
from poe2openai.poe.socket_io import NoAnswerError, read_head, write_request

IDLE_SECONDS = 50.0
MAX_IDLE = 1000
# What the owner of a gateway without a proxy can do about it.
HINT = "If Poe cannot be reached directly from this server, set PROXY."

_URL = re.compile(r"(https?://[^/?#\s]+)([^#\s]*)(?:#\S*)?", re.IGNORECASE)
_PORTS = {"http": 80, "https": 443}
_SOCKS = {"socks4": (1, False), "socks4a": (1, True), "socks5": (2, False), "socks5h": (2, True)}
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+")
_SOCKET_OPTIONS: list[tuple[int, int, int | bytes]] = [
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
]

logger = logging.getLogger(__name__)


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
        host = re.escape(self.host)
        self._own_name = re.compile(rf"\[?{host}\]?:{self.port}\b|(?<=['\"]){host}(?=['\"])", re.IGNORECASE)

    def unnamed(self, text: str) -> str:
        """Another's text without the proxy's host and port, which are none of a client's business."""
        return self._own_name.sub("***", text)

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


class ConnectionPool:
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
        self._last_trouble = ""
        forwards = proxy is not None and not self._is_secure and not proxy.is_socks
        self.host_header = url.netloc or url.host
        self.target_prefix = origin if forwards else ""
        self.proxy_headers = proxy.headers if proxy is not None and forwards else {}

    def take(self) -> socket.socket | None:
        """The connection that was used last, if one is still alive: a readable idle one is dead or out of step."""
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

    def close(self) -> None:
        """Ends what is idle now, and what comes back later."""
        self._is_closed = True
        self.drop_expired()

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
        self._last_trouble = ""
        return sock

    def drop_expired(self) -> None:
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
        there = f"Poe ({self._host})" if proxy is None else "the proxy"
        hint = f" {HINT}" if proxy is None else ""
        cause = error.__cause__
        if isinstance(error, ImportError):
            message = "A SOCKS proxy needs the Python package PySocks, which is not installed."
        elif isinstance(error, NameResolutionError):
            message = f"The name of {there} cannot be resolved.{hint}"
        elif isinstance(error, ssl.SSLCertVerificationError):
            message = f"The TLS certificate of Poe or its proxy cannot be verified: {error.verify_message}."
        elif isinstance(error, ssl.SSLError | ssl.CertificateError):
            message = f"No TLS connection to {there} could be made: {error.reason or 'it broke off'}."
        elif isinstance(error, NewConnectionError) and isinstance(cause, OSError) and cause.strerror:
            message = f"{there} cannot be reached: {cause.strerror}.{hint}"
        elif isinstance(error, TimeoutError | ConnectTimeoutError) and not isinstance(error, NewConnectionError):
            message = f"{there} did not answer within {timeout:g} seconds.{hint}"
        elif proxy is not None:
            message = f"{there} did not open a way to Poe: {_reason(error)}."
        else:
            message = f"{there} cannot be reached.{hint}"
        message = message[0].upper() + message[1:]
        if proxy is not None:
            message = proxy.unnamed(message)
            self._log_once(f"No way to {self._host} by the proxy {proxy.host}:{proxy.port}: {message}")
        return GatewayError(ErrorKind.UPSTREAM_UNREACHABLE, message)

    def _log_once(self, trouble: str) -> None:
        """Says what a client is not told; the same trouble is said anew only after a connection came about."""
        if trouble != self._last_trouble:
            self._last_trouble = trouble
            logger.warning("%s", trouble)


def _reason(error: Exception) -> str:
    text = _UNPRINTABLE.sub(" ", str(error)).rpartition("onnection: ")[2]
    return text.strip(" .")[:200] or type(error).__name__


class _Message(NamedTuple):
    """What goes out: a small body travels with its head, in one write; a file's stays in its pieces."""

    request: PreparedRequest
    pool: ConnectionPool
    head: bytes
    body: Sequence[bytes]


class PreparedQuery(PreparedRequest):
    """A prepared request; its body may be a tuple of pieces.

    `on_silence` is called at each tick without an answer, and while a long body goes out; it may raise to give up.
    """

    on_silence: Callable[[], None] | None = None

    def copy(self) -> "PreparedQuery":
        """Without what this adapter does not look at: cookies and hooks."""
        copied = PreparedQuery()
        copied.method, copied.url, copied.body = self.method, self.url, self.body
        copied.headers = self.headers.copy()
        return copied


class PoeAdapter(BaseAdapter):
    """Sends prepared requests whose body is whole; the response's `raw` is a `BodyStream`.

    The way (proxy, certificates, limits) is fixed here, so `verify`, `cert` and `proxies` of a call do not count.
    Raises `GatewayError` in place of requests' exceptions. No timer ends idle connections: each request to any origin
    ends those, of all origins, that have waited longer than `IDLE_SECONDS`, and so does each answer that was read.
    """

    def __init__(
        self,
        *,
        proxy: str = "",
        connect_timeout: float = 10.0,
        idle_timeout: float = 300.0,
        tick: float = 1.0,
        ca_bundle: str | None = None,
        make_wait: MakeWait | None = None,
    ) -> None:
        """`ca_bundle` takes the place of certifi's and the system's authorities."""
        super().__init__()
        self._proxy = Proxy(proxy) if proxy else None
        self._connect_timeout = connect_timeout
        self._idle_timeout = idle_timeout
        self._tick = tick
        self._ca_bundle = ca_bundle
        self._make_wait = make_wait
        self._context: ssl.SSLContext | None = None
        self._lock = threading.Lock()
        self._pools: dict[str, ConnectionPool] = {}

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
        self._drop_expired()
        sock = message.pool.take()
        if sock is not None:
            # Poe may end an idle connection just as it is taken: then nothing of the request was worked on.
            with contextlib.suppress(NoAnswerError):
                return self._answer(sock, message, idle_timeout)
        sock = message.pool.dial(connect_timeout or self._connect_timeout)
        try:
            return self._answer(sock, message, idle_timeout)
        except NoAnswerError:
            reason = "Poe closed the connection without an answer."
            raise GatewayError(ErrorKind.UPSTREAM_UNREACHABLE, reason) from None

    def close(self) -> None:
        for pool in tuple(self._pools.values()):
            pool.close()

    def _drop_expired(self) -> None:
        for pool in tuple(self._pools.values()):
            pool.drop_expired()

    def _keep(self, pool: ConnectionPool, sock: socket.socket) -> None:
        pool.keep(sock)
        self._drop_expired()

    def _message(self, request: PreparedRequest) -> _Message:
        url = _URL.fullmatch(request.url or "")
        body: Any = request.body or b""
        if isinstance(body, str):
            body = body.encode()
        pieces = body if isinstance(body, tuple) else (body,)
        if url is None or not all(isinstance(piece, bytes) for piece in pieces):
            raise ValueError("a request needs an http(s) address and a body that is whole")
        origin, target = url[1], url[2] if url[2].startswith("/") else f"/{url[2]}"
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools.setdefault(origin, ConnectionPool(origin, self._proxy, self._tls_context))
        headers = {"Host": pool.host_header, **pool.proxy_headers, **request.headers}
        length = sum(map(len, pieces))
        if length or request.method == "POST":
            headers["Content-Length"] = str(length)
        head = request_head(request.method or "GET", pool.target_prefix + target, headers.items())
        if length <= WIDE:
            return _Message(request, pool, head + b"".join(pieces), ())
        return _Message(request, pool, head, pieces)

    def _answer(self, sock: socket.socket, message: _Message, idle_timeout: float) -> Response:
        try:
            sock.settimeout(idle_timeout)
            on_silence = getattr(message.request, "on_silence", None)
            was_sent = write_request(sock, message.head, message.body, on_silence)
            head, rest = read_head(sock, idle_timeout, self._tick, on_silence)
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
        keep = partial(self._keep, message.pool) if was_sent else None
        response.raw = BodyStream(
            sock,
            decoder,
            rest,
            tick=self._tick,
            idle_timeout=idle_timeout,
            keep=keep,
            make_wait=self._make_wait,
        )
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
