"""Bodies that are written as they come about: what they begin with, how they break off, what they leave behind."""

from collections.abc import Callable, Generator, Iterator
from types import TracebackType
from typing import Self

import pytest
from flask import Flask, Response

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.gateway.record import RequestRecord
from poe2openai.web.hang_up import ClientGone, HangUpWatcher
from poe2openai.web.passing import pass_file, stream_frames
from poe2openai.web.streaming import PING, AnswerBrokeOff
from tests.support import sample_files

CUT_OFF = GatewayError(ErrorKind.UPSTREAM_CUT_OFF, "cut off")
MP3 = sample_files.mp3()


class Source:
    """A file on its way here; what is no bytes is raised."""

    def __init__(self, *pieces: bytes | BaseException, media_type: str | None = None, size: int | None = None) -> None:
        self.media_type = media_type
        self.size = size
        self.closed = 0
        self._pieces = pieces

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self.closed += 1

    def pieces(self) -> Iterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, BaseException):
                raise piece
            yield piece


@pytest.fixture
def record() -> Iterator[RequestRecord]:
    with Flask("test").test_request_context("/v1/audio/speech", method="POST"):
        yield RequestRecord("req_1")


def passed(source: Source, record: RequestRecord, media_type: str | None = None, name: str | None = None) -> Response:
    return pass_file(source, media_type, name, HangUpWatcher().watch({}), record)


def chunks(response: Response) -> Iterator[bytes]:
    return iter(response.response)  # type: ignore[arg-type]


class TestFiles:
    def test_the_bytes_with_the_type_that_they_are_of(self, record: RequestRecord) -> None:
        source = Source(MP3[:100], MP3[100:], media_type="audio/wav", size=len(MP3))
        response = passed(source, record, "audio/ogg", "speech.wav")
        assert response.headers["Content-Type"] == "audio/mpeg"
        assert response.headers["Content-Length"] == str(len(MP3))
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert b"".join(chunks(response)) == MP3
        response.close()
        assert source.closed
        assert (record.output_bytes, record.hung_up, record.error) == (len(MP3), False, "")

    def test_a_type_that_the_bytes_do_not_tell(self, record: RequestRecord) -> None:
        assert passed(Source(b"a,b\n"), record, "text/csv").headers["Content-Type"].startswith("text/csv")
        assert passed(Source(b"a,b\n", media_type="text/csv"), record).headers["Content-Type"].startswith("text/csv")

    def test_an_empty_one_and_one_of_unknown_size(self, record: RequestRecord) -> None:
        response = passed(Source(), record, "audio/wav")
        assert b"".join(chunks(response)) == b""
        assert "Content-Length" not in response.headers

    def test_one_that_breaks_off_breaks_the_answer(self, record: RequestRecord) -> None:
        source = Source(b"first", b"second", CUT_OFF)
        response = passed(source, record)
        body = chunks(response)
        assert [next(body), next(body)] == [b"first", b"second"]
        with pytest.raises(AnswerBrokeOff):
            next(body)
        response.close()
        assert source.closed
        assert (record.error, record.hung_up) == (ErrorKind.UPSTREAM_CUT_OFF.code, False)

    def test_one_that_does_not_begin_keeps_its_status(self, record: RequestRecord) -> None:
        source = Source(CUT_OFF)
        with pytest.raises(GatewayError):
            passed(source, record)
        assert source.closed

    def test_a_client_that_leaves_midway(self, record: RequestRecord) -> None:
        source = Source(b"first", b"second", b"third")
        response = passed(source, record)
        next(chunks(response))
        response.close()
        assert source.closed
        assert record.hung_up

    def test_a_body_that_nobody_reads_is_let_go_of(self, record: RequestRecord) -> None:
        """As that of a HEAD request."""
        source = Source(b"first", b"second")
        passed(source, record).close()
        assert source.closed


class Frames:
    """Frames of a stream; what is no bytes is raised."""

    def __init__(self, *frames: bytes | BaseException) -> None:
        self.closed = 0
        self.let_go_of = 0
        self._frames = frames

    def generate(self) -> Generator[bytes]:
        try:
            for frame in self._frames:
                if isinstance(frame, BaseException):
                    raise frame
                yield frame
        finally:
            self.closed += 1

    def let_go(self) -> None:
        self.let_go_of += 1

    def response(self, record: RequestRecord, ping_seconds: float = 60.0) -> Response:
        say_error: Callable[[GatewayError], bytes] = lambda error: error.kind.code.encode()  # noqa: E731
        return stream_frames(
            self.generate(), say_error, HangUpWatcher().watch({}), record, ping_seconds, let_go=self.let_go
        )


class TestFrames:
    def test_what_they_come_from_is_let_go_of_though_nobody_read_any(self, record: RequestRecord) -> None:
        frames = Frames(b"first")
        frames.response(record).close()
        assert frames.let_go_of == 1

    def test_are_written_and_idle_moments_are_not(self, record: RequestRecord) -> None:
        frames = Frames(b"", b"a", b"", b"", b"b", b"")
        response = frames.response(record)
        assert response.headers["Content-Type"].startswith("text/event-stream")
        assert list(chunks(response)) == [b"a", b"b"]
        response.close()
        assert frames.closed == 1
        assert (record.output_bytes, record.hung_up) == (2, False)

    def test_an_idle_moment_is_a_ping_where_one_is_due(self, record: RequestRecord) -> None:
        assert list(chunks(Frames(b"a", b"", b"b").response(record, 0.0))) == [b"a", PING, b"b"]

    def test_an_error_is_an_event_and_no_good_end(self, record: RequestRecord) -> None:
        frames = Frames(b"a", CUT_OFF)
        response = frames.response(record)
        body = chunks(response)
        assert [next(body), next(body)] == [b"a", b"upstream_cut_off"]
        with pytest.raises(AnswerBrokeOff):
            next(body)
        response.close()
        assert (frames.closed, record.error, record.hung_up) == (1, "upstream_cut_off", False)

    def test_a_fault_of_the_gateway_is_told_without_its_words(
        self, record: RequestRecord, caplog: pytest.LogCaptureFixture
    ) -> None:
        body = chunks(Frames(b"a", ZeroDivisionError("a secret")).response(record))
        assert [next(body), next(body)] == [b"a", b"internal_error"]
        with pytest.raises(AnswerBrokeOff):
            next(body)
        assert "req_1" in caplog.text

    def test_a_client_that_is_gone_ends_them_in_silence(self, record: RequestRecord) -> None:
        response = Frames(b"a", ClientGone(), b"b").response(record)
        assert list(chunks(response)) == [b"a"]
        response.close()
        assert (record.hung_up, record.error) == (True, "")

    def test_closing_twice_writes_one_line(self, record: RequestRecord, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level("INFO", "poe2openai.request")
        response = Frames(b"a", b"b").response(record)
        next(chunks(response))
        body = response.response
        body.close()  # type: ignore[union-attr]
        body.close()  # type: ignore[union-attr]
        assert len([line for line in caplog.records if line.name == "poe2openai.request"]) == 1
        assert record.hung_up


@pytest.mark.parametrize("rest", [[b"b", b"c"], [b"", b""]])
def test_frames_that_the_owner_stops_end_with_an_error(record: RequestRecord, rest: list[bytes]) -> None:
    watcher = HangUpWatcher()

    def frames() -> Generator[bytes]:
        yield b"a"
        yield from rest

    watched = watcher.watch({}, record)
    said = stream_frames(
        frames(), lambda error: error.kind.code.encode(), watched, record, ping_seconds=60, let_go=lambda: None
    )
    body = chunks(said)
    assert next(body) == b"a"
    watcher.stop("req_1")
    assert next(body) == b"stopped_by_owner"
    with pytest.raises(AnswerBrokeOff):
        next(body)
    said.close()
    assert (record.error, record.hung_up) == ("stopped_by_owner", False)
