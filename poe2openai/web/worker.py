"""The worker that serves: gevent's, with errors as the rest of the gateway has them, and bodies that block nobody.

gunicorn's master imports this before gevent has patched anything, so it takes nothing that opens a socket; Flask and
requests come with the application, in the worker.
"""

import os
from contextlib import suppress
from http import HTTPStatus
from socket import SHUT_WR
from ssl import SSLError
from typing import Any

import gevent
from gunicorn.http.body import Body, ChunkedReader, LengthReader
from gunicorn.http.errors import (
    ConfigurationProblem,
    ExpectationFailed,
    ForbiddenProxyRequest,
    InvalidHeader,
    InvalidHeaderName,
    InvalidHTTPVersion,
    InvalidRequestLine,
    InvalidRequestMethod,
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    ObsoleteFolding,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.workers.ggevent import GeventWorker

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.turns import Turns, give_way
from poe2openai.dialects.openai_errors import error_body

_PIECE = 256 * 1024

# A connection that is closed while bytes of the client are unread is reset, and the answer may be lost with it.
_SECONDS_TO_SAY_WHY = 2

_REFUSALS: dict[type[Exception], tuple[int, str]] = {
    ConfigurationProblem: (400, "The path does not begin with the request's SCRIPT_NAME."),
    ExpectationFailed: (417, "Of Expect, 100-continue alone is understood."),
    ForbiddenProxyRequest: (403, "No proxy is expected at this address."),
    InvalidHTTPVersion: (400, "HTTP/1.0 and HTTP/1.1 are spoken here."),
    InvalidHeader: (400, "A header is malformed, or contradicts another."),
    InvalidHeaderName: (400, "A header's name is malformed."),
    InvalidRequestLine: (400, "The request line is malformed."),
    InvalidRequestMethod: (400, "The method is malformed; methods are written in capitals."),
    LimitRequestHeaders: (431, "The headers are too many or too long."),
    LimitRequestLine: (414, "The address is too long."),
    ObsoleteFolding: (400, "A header goes on in a second line."),
    SSLError: (403, "TLS is spoken here."),
    UnsupportedTransferCoding: (501, "Of Transfer-Encoding, chunked alone is understood."),
}
_NO_HTTP = (400, "The request is no valid HTTP.")
_TOO_LARGE = {414, 431}


class GatewayWorker(GeventWorker):  # type: ignore[misc]
    """What gunicorn refuses is answered in JSON, and neither the answer nor the log repeats what the client sent."""

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:  # noqa: ARG002
        if isinstance(exc, gevent.GreenletExit):
            return
        request_id = f"req_{os.urandom(12).hex()}"
        status, error = _refusal(exc)
        fields = {"id": request_id, "status": status, "client": addr[0] if addr else "", "why": type(exc).__name__}
        if error.kind is ErrorKind.INTERNAL:
            self.log.error("an error of our own", exc_info=exc, extra={"fields": fields})
        else:
            self.log.info("no valid request", extra={"fields": fields})
        with suppress(OSError):
            _say_why(client, _answer(status, error, request_id))

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        reader = req.body.reader
        chunked = isinstance(reader, ChunkedReader)
        if chunked and not isinstance(req.unreader.sock, _FairSource):
            req.unreader.sock = _FairSource(req.unreader.sock)
        super().handle_request(listener_name, req, _Client(sock), addr)
        if (chunked and reader.parser) or (isinstance(reader, LengthReader) and reader.length):
            self._skip(req.body)

    def _skip(self, body: Body) -> None:
        """Reads what the application left unread of a body; the connection ends where that takes too long.

        gunicorn would do so by the kilobyte, which copies all that is buffered each time, and give way to nobody.
        """
        turns = Turns()
        with self.timeout_ctx():
            while not body.failed and body.read(_PIECE):
                turns.give_way()
            return
        raise StopIteration


class _Client:
    """A client's socket whose short writes are one call: gevent's `sendall` is five, and asks the system for a size."""

    __slots__ = ("_sock",)

    def __init__(self, sock: Any) -> None:
        self._sock = sock

    def sendall(self, data: bytes) -> None:
        sent = self._sock.send(data)
        if sent < len(data):
            self._sock.sendall(memoryview(data)[sent:])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class _FairSource:
    """A client's socket to read from: gevent's gives way only where it has to wait, which a busy client spares it.

    Eight kilobytes of tiny chunks take milliseconds to read, and they are the most that is read at a time.
    """

    __slots__ = ("_sock", "_turns")

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._turns = Turns()

    def recv(self, size: int) -> bytes:
        self._turns.give_way()
        return bytes(self._sock.recv(size))


def _refusal(exc: BaseException) -> tuple[int, GatewayError]:
    """The status and what is told: of a request that gunicorn refuses, or of a failure of ours."""
    of_ours = isinstance(exc, InvalidResponseHeader | InvalidResponseHeaderName)
    if of_ours or not isinstance(exc, ParseException | SSLError):
        message = "The gateway failed on this request; its log says why."
        return 500, GatewayError(ErrorKind.INTERNAL, message)
    kinds = (refused for refused in _REFUSALS if isinstance(exc, refused))
    status, message = _REFUSALS.get(next(kinds, Exception), _NO_HTTP)
    return status, GatewayError(ErrorKind.TOO_LARGE if status in _TOO_LARGE else ErrorKind.INVALID_REQUEST, message)


def _answer(status: int, error: GatewayError, request_id: str) -> bytes:
    body = error_body(error)
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
        "Connection: close\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n"
        f"x-request-id: {request_id}\r\n\r\n"
    )
    return head.encode() + body


def _say_why(client: Any, answer: bytes) -> None:
    with gevent.Timeout(_SECONDS_TO_SAY_WHY, False):
        client.sendall(answer)
        client.shutdown(SHUT_WR)
        while client.recv(_PIECE):
            give_way()
