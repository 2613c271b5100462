"""Writes an answer to the client: as a stream with pings, or whole."""

import errno
import logging
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from itertools import chain
from typing import Protocol

from flask import Response

from poe2openai.core.collect import Answer, collect
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.events import AnswerEvent, Failed, Started
from poe2openai.dialects.sse import comment
from poe2openai.gateway.record import RequestRecord
from poe2openai.web.hang_up import ClientGone, Watched, end_early, stopped

log = logging.getLogger(__name__)

PING = comment("ping")
STREAM_HEADERS = [
    ("Content-Type", "text/event-stream; charset=utf-8"),
    ("Cache-Control", "no-cache"),
    ("X-Accel-Buffering", "no"),
]

# A ping goes out when this share of its interval has passed: the next occasion may be a tick away.
_DUE = 0.95


def next_ping(ping_seconds: float) -> float:
    """When a client that hears nothing from now on is to hear a ping, in seconds of the monotonic clock."""
    return time.monotonic() + ping_seconds * _DUE


Batches = Iterator[list[AnswerEvent]]
Answering = Generator[list[AnswerEvent]]


class Encoder(Protocol):
    """How a dialect writes events: the frames of a batch, nothing where there is nothing to say."""

    def encode(self, batch: list[AnswerEvent]) -> bytes: ...


class AnswerBrokeOff(ConnectionResetError):
    """Ends the connection without the last HTTP chunk, so that a proxy sees the cut; servers take it quietly."""

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "the answer broke off")


def stream_answer(
    batches: Answering,
    encoder: Encoder,
    *,
    ping_due: float,
    ping_seconds: float,
    watched: Watched,
    record: RequestRecord,
    on_close: Callable[[], None],
) -> Response:
    """A streamed answer. Raises the error of an answer that failed before there was anything to send.

    `ping_due` is when the client is to hear something at the latest, in seconds of the monotonic clock; `on_close` is
    called once the stream is over, however it ended.
    """
    try:
        first = _await_first(batches, ping_due, watched)
    except BaseException:
        batches.close()
        raise
    body = _Body(first, batches, encoder, ping_seconds=ping_seconds, watched=watched, record=record, on_close=on_close)
    # Passed through as it is: there is nothing for werkzeug to encode.
    return Response(body, headers=STREAM_HEADERS, direct_passthrough=True)


def whole_answer(batches: Answering, watched: Watched) -> Answer:
    """A whole answer; raises what it failed with, and `ClientGone` where nobody waits for it any more."""
    with closing(batches):
        return collect(_while_wanted(batches, watched))


def _await_first(batches: Batches, ping_due: float, watched: Watched) -> list[AnswerEvent]:
    """What to begin with, nothing where a ping is due: an error that comes first can still be told by its status."""
    for batch in _while_wanted(batches, watched):
        if batch:
            if isinstance(batch[-1], Failed) and all(isinstance(event, Started) for event in batch[:-1]):
                raise batch[-1].error
            return batch
        if time.monotonic() >= ping_due:
            break
    return []


def _while_wanted(batches: Batches, watched: Watched) -> Batches:
    for batch in batches:
        if not batch:
            watched.check()
        elif watched.stop_at is not None:
            watched.check_stop()
        yield batch


class _Body(Iterable[bytes]):
    """The response's body; the server calls `close` also where it never began to read."""

    def __init__(
        self,
        first: list[AnswerEvent],
        batches: Answering,
        encoder: Encoder,
        *,
        ping_seconds: float,
        watched: Watched,
        record: RequestRecord,
        on_close: Callable[[], None],
    ) -> None:
        self._batches = batches
        self._watched = watched
        self._record = record
        self._on_close = on_close
        self._ended = False
        self._closed = False
        self._encoder = encoder
        self._chunks = self._write(chain((first,), batches), ping_seconds * _DUE)
        watched.is_streaming = True

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if not self._ended:
            end_early(self._record, self._watched)
        self._watched.close()
        try:
            self._chunks.close()
            self._batches.close()
        finally:
            self._on_close()

    def _write(self, events: Batches, due: float) -> Generator[bytes]:
        record, encoder, watched, clock = self._record, self._encoder, self._watched, time.monotonic
        # So that an empty first batch, the sign that a ping is due, pings.
        written = -due
        try:
            for batch in events:
                if watched.stop_at is not None:
                    yield self._last_words(stopped())
                    break
                frames = encoder.encode(batch) if batch else b""
                if not frames:
                    if watched.is_gone():
                        return
                    if clock() - written < due:
                        continue
                    frames = PING
                record.output_bytes += len(frames)
                yield frames
                written = clock()
                if batch and isinstance(batch[-1], Failed):
                    break
            else:
                self._ended = True
                return
        except ClientGone:
            return
        except Exception:
            log.exception("an error of our own in the middle of answer %s", record.id)
            message = "The gateway failed on this answer; its log says why."
            yield self._last_words(GatewayError(ErrorKind.INTERNAL, message))
        self._ended = True
        raise AnswerBrokeOff

    def _last_words(self, error: GatewayError) -> bytes:
        """What a client is told when the gateway itself ends an answer in the middle."""
        self._record.error = error.kind.code
        return self._encoder.encode([Failed(error)])
