"""A body that is written as it comes about: a file on its way through, or frames of a stream."""

import logging
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from itertools import chain

from flask import Response, request

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.gateway.downloads import Download
from poe2openai.gateway.media_types import HEAD, type_of
from poe2openai.gateway.record import RequestRecord
from poe2openai.web.hang_up import ClientGone, Watched, end_early
from poe2openai.web.request_log import write_line
from poe2openai.web.streaming import PING, STREAM_HEADERS, AnswerBrokeOff

log = logging.getLogger(__name__)

# A file may be anybody's web page: no browser is to run it at this address.
_HARMLESS = {
    "Cache-Control": "no-cache",
    "Content-Disposition": "attachment",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
}

SayError = Callable[[GatewayError], bytes]


def stream_frames(
    frames: Generator[bytes],
    say_error: SayError,
    watched: Watched,
    record: RequestRecord,
    ping_seconds: float,
    *,
    let_go: Callable[[], None],
) -> Response:
    """A stream of events; an empty frame is an idle moment, and a ping where one is due.

    `let_go` frees what the frames come from, also where nobody read any of them.
    """
    body = _Body(frames, say_error, watched, record, ping_seconds, let_go=let_go)
    return Response(body, headers=STREAM_HEADERS, direct_passthrough=True)


def pass_file(
    download: Download, media_type: str | None, name: str | None, watched: Watched, record: RequestRecord
) -> Response:
    """A bot's file, with the content type that its bytes are of; where they break off, so does the connection."""
    try:
        pieces = download.pieces()
        first = next(pieces, b"")
        headers = {"Content-Type": type_of(first[:HEAD], media_type or download.media_type, name)}
    except BaseException:
        download.close()
        raise
    headers |= _HARMLESS
    if download.size is not None:
        headers["Content-Length"] = str(download.size)
    body = _Body(_closing(download, chain((first,), pieces)), None, watched, record, None, let_go=download.close)
    return Response(body, headers=headers, direct_passthrough=True)


def _closing(download: Download, pieces: Iterator[bytes]) -> Generator[bytes]:
    with download:
        yield from pieces


class _Body(Iterable[bytes]):
    """The server calls `close` also where it never began to read."""

    def __init__(
        self,
        frames: Generator[bytes],
        say_error: SayError | None,
        watched: Watched,
        record: RequestRecord,
        ping_seconds: float | None,
        *,
        let_go: Callable[[], None],
    ) -> None:
        self._frames = frames
        self._say_error = say_error
        self._watched = watched
        self._record = record
        self._ping_seconds = ping_seconds
        self._let_go = let_go
        self._write_line = partial(write_line, record, request.method, request.path)
        self._ended = False
        self._closed = False
        self._chunks = self._write()
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
            self._frames.close()
        finally:
            self._let_go()
            self._write_line()

    def _write(self) -> Generator[bytes]:
        written = time.monotonic()
        try:
            for frame in self._frames:
                self._watched.check_stop()
                if not frame:
                    self._watched.check()
                    if self._ping_seconds is None or time.monotonic() - written < self._ping_seconds:
                        continue
                written = time.monotonic()
                self._record.output_bytes += len(frame or PING)
                yield frame or PING
            self._ended = True
            return
        except ClientGone:
            return
        except GatewayError as error:
            self._record.error = error.kind.code
            failure = error
        except Exception:
            log.exception("an error of our own in the middle of answer %s", self._record.id)
            failure = GatewayError(ErrorKind.INTERNAL, "The gateway failed on this answer; its log says why.")
        self._ended = True
        if self._say_error is not None:
            yield self._say_error(failure)
        raise AnswerBrokeOff
