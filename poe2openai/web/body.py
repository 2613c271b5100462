"""Reads a request's body, counting its bytes as they come: a chunked body has no other bound."""

import time
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

import gevent
from gevent.monkey import is_module_patched
from gunicorn.http.errors import ParseException

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.turns import Turns
from poe2openai.dialects.lifting import LiftedBody, Lifter

_PIECE = 256 * 1024

# A body that comes faster than this never runs into the deadline, however large it is.
_LEAST_BYTES_PER_SECOND = 16 * 1024


def read_body(environ: dict[str, Any], *, limit: int, timeout: float) -> bytes:
    """The whole body of a WSGI request; raises what `read_pieces` does."""
    pieces = list(read_pieces(environ, limit=limit, timeout=timeout))
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def read_lifted(environ: dict[str, Any], *, limit: int, timeout: float) -> LiftedBody:
    """The same, long base64 taken out of it while it comes in; a short body is left as it is."""
    pieces = read_pieces(environ, limit=limit, timeout=timeout)
    first = next(pieces, b"")
    second = next(pieces, None)
    if second is None:
        return LiftedBody(first)
    lifter = Lifter()
    lifter.feed(first)
    lifter.feed(second)
    del first, second
    for piece in pieces:
        lifter.feed(piece)
    return lifter.finish()


def read_pieces(environ: dict[str, Any], *, limit: int, timeout: float) -> Iterator[bytes]:
    """The body of a WSGI request, `limit` bytes at most; `timeout` seconds are granted, and more as it comes.

    Raises `GatewayError`: TOO_LARGE, REQUEST_TIMEOUT, or INVALID_REQUEST for broken framing.
    """
    length = _content_length(environ)
    if length is not None and length > limit:
        raise _too_large(limit)
    if length is None and not environ.get("wsgi.input_terminated"):
        return
    try:
        yield from _pieces(cast(BinaryIO, environ["wsgi.input"]), length, limit, timeout)
    except (ParseException, OSError, ValueError) as error:
        raise GatewayError(ErrorKind.INVALID_REQUEST, "The request's body could not be read.") from error


def _pieces(source: BinaryIO, length: int | None, limit: int, timeout: float) -> Iterator[bytes]:
    received = 0
    started = time.monotonic()
    turns = Turns()
    while length is None or received < length:
        deadline = started + timeout + received / _LEAST_BYTES_PER_SECOND
        piece = _read_piece(source, _PIECE if length is None else min(_PIECE, length - received), deadline)
        if not piece:
            break
        received += len(piece)
        if received > limit:
            raise _too_large(limit)
        yield piece
        if received != length:
            # A client that sends as fast as it is read is never waited for, so nobody else would run.
            turns.give_way()
    if length is not None and received < length:
        raise GatewayError(ErrorKind.INVALID_REQUEST, "The request's body ended before its Content-Length.")


def _read_piece(source: BinaryIO, size: int, deadline: float) -> bytes:
    """Gives up at the deadline under gevent alone: a thread that waits for a socket cannot be called back."""
    if not is_module_patched("socket"):
        return source.read(size)
    late = GatewayError(ErrorKind.REQUEST_TIMEOUT, "The request's body did not come in time.")
    timer = gevent.Timeout.start_new(max(deadline - time.monotonic(), 0.01), late)
    try:
        return source.read(size)
    finally:
        timer.close()


def _content_length(environ: dict[str, Any]) -> int | None:
    text = environ.get("CONTENT_LENGTH") or ""
    return int(text) if text.isascii() and text.isdigit() else None


def _too_large(limit: int) -> GatewayError:
    return GatewayError(ErrorKind.TOO_LARGE, f"The request's body is larger than the {limit} bytes allowed here.")
