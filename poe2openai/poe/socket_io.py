"""One request out over a connection, and the head of its answer back, each within its time."""

import socket
import time
from collections.abc import Callable, Sequence

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.poe.body import WIDE
from poe2openai.poe.http1 import HeadReader, ResponseHead

# A write of more than this goes out in slices, so that the time limit is one for progress, not for the whole.
WRITE_SLICE = 256 * 1024


class NoAnswerError(Exception):
    """The connection ended before the first byte of an answer."""


def write_request(
    sock: socket.socket, head: bytes, body: Sequence[bytes], on_slice: Callable[[], None] | None = None
) -> bool:
    """False when the connection broke meanwhile: an answer that came early may tell why.

    `on_slice` is called between the slices of a long body, and may raise to give up.
    """
    try:
        sock.sendall(head)
        for piece in body:
            view = memoryview(piece)
            for start in range(0, len(piece), WRITE_SLICE):
                sock.sendall(view[start : start + WRITE_SLICE])
                if on_slice is not None:
                    on_slice()
    except TimeoutError:
        raise GatewayError(ErrorKind.UPSTREAM_TIMEOUT, "Poe did not take the request in time.") from None
    except (OSError, ValueError):
        return False
    return True


def read_head(
    sock: socket.socket, timeout: float, tick: float, on_silence: Callable[[], None] | None
) -> tuple[ResponseHead, bytes]:
    """The head, and the bytes that came behind it; `timeout` is for the head as a whole.

    `on_silence` is called at each tick without a byte, and may raise to give up.
    """
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
            raise NoAnswerError
        if not data:
            raise GatewayError(ErrorKind.UPSTREAM_CUT_OFF, "The connection to Poe broke off.")
        head = reader.feed(data)
        if head is not None:
            return head, reader.rest
