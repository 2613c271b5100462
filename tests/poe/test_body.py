"""The body as it comes over a socket: pieces, silence, ends and breaks."""

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.poe.body import BodyStream
from poe2openai.poe.http1 import BodyDecoder, ChunkedDecoder, CloseDecoder, LengthDecoder


class Line:
    """A connection to Poe, seen from both ends."""

    def __init__(self) -> None:
        self.ours, self.poes = socket.socketpair()
        self.poes.settimeout(10.0)
        self.kept: list[socket.socket] = []

    def stream(
        self, decoder: BodyDecoder | None = None, first: bytes = b"", tick: float = 5.0, idle: float = 5.0
    ) -> BodyStream:
        decoder = ChunkedDecoder() if decoder is None else decoder
        return BodyStream(self.ours, decoder, first, tick=tick, idle_timeout=idle, keep=self.kept.append)

    def says(self, data: bytes) -> None:
        self.poes.sendall(data)

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        threading.Timer(seconds, act).start()

    def is_over(self) -> bool:
        """Poe sees that the connection has ended."""
        try:
            return self.poes.recv(1) == b""
        except ConnectionError:
            return True


@pytest.fixture
def line() -> Iterator[Line]:
    line = Line()
    yield line
    line.poes.close()
    line.ours.close()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


END = b"0\r\n\r\n"


class TestPieces:
    def test_each_read_is_one_piece_with_all_it_brought(self, line: Line) -> None:
        stream = line.stream()
        line.says(chunk(b"one ") + chunk(b"two ") + chunk(b"three"))
        assert next(stream) == b"one two three"

        line.says(chunk(b"four") + END)
        assert next(stream) == b"four"
        assert list(stream) == []

    def test_a_wide_read_takes_what_has_come(self, line: Line) -> None:
        line.says(chunk(b"x" * 100) * 300)

        assert next(line.stream()) == b"x" * 30_000

    def test_what_came_with_the_head_is_the_first_piece(self, line: Line) -> None:
        stream = line.stream(first=chunk(b"early"))

        assert next(stream) == b"early"

    def test_a_body_that_came_with_the_head_frees_the_connection_at_once(self, line: Line) -> None:
        stream = line.stream(first=chunk(b"all") + END)

        assert line.kept == [line.ours]
        assert list(stream) == [b"all"]

    def test_a_body_of_no_length_is_empty(self, line: Line) -> None:
        assert list(line.stream(LengthDecoder(0, reusable=True))) == []
        assert line.kept == [line.ours]

    def test_requests_reads_it_without_the_silence(self, line: Line) -> None:
        line.later(0.15, lambda: line.says(chunk(b"late") + END))

        assert b"".join(line.stream(tick=0.05).stream(1024, decode_content=True)) == b"late"


class TestSilence:
    def test_is_an_empty_piece_each_tick(self, line: Line) -> None:
        stream = line.stream(tick=0.05)
        began = time.monotonic()

        assert [next(stream) for _ in range(4)] == [b""] * 4
        assert 0.19 < time.monotonic() - began < 3.0
        line.says(chunk(b"at last"))
        assert next(stream) == b"at last"

    def test_that_lasts_is_a_timeout_and_ends_the_connection(self, line: Line) -> None:
        stream = line.stream(tick=0.08, idle=0.2)
        began = time.monotonic()

        with pytest.raises(GatewayError, match="silent") as caught:
            list(stream)

        assert caught.value.kind is ErrorKind.UPSTREAM_TIMEOUT
        assert 0.19 < time.monotonic() - began < 3.0
        assert line.is_over()
        assert list(stream) == []

    def test_any_byte_breaks_it(self, line: Line) -> None:
        stream = line.stream(tick=0.1, idle=0.3)
        for byte in b"5\r\nhello\r\n":
            assert next(stream) == b""
            assert next(stream) == b""
            line.says(bytes([byte]))
            next(stream)

        assert next(stream) == b""


class TestBreaks:
    @pytest.mark.parametrize("sent", [b"", b"5\r\nhel", b"5\r\nhello\r\n"])
    def test_an_end_within_the_body_is_a_cut_off(self, line: Line, sent: bytes) -> None:
        stream = line.stream(first=sent)
        line.poes.close()

        with pytest.raises(GatewayError) as caught:
            list(stream)

        assert caught.value.kind is ErrorKind.UPSTREAM_CUT_OFF
        assert line.kept == []

    def test_bad_framing_is_told_after_the_good_bytes(self, line: Line) -> None:
        stream = line.stream()
        line.says(chunk(b"good") + b"bad\n")

        assert next(stream) == b"good"
        with pytest.raises(GatewayError, match="malformed"):
            next(stream)
        assert line.is_over()
        assert list(stream) == []

    def test_bad_framing_behind_the_head_is_told_by_the_iteration(self, line: Line) -> None:
        stream = line.stream(first=b"bad\n")

        with pytest.raises(GatewayError, match="malformed"):
            list(stream)

    def test_without_framing_the_connections_end_is_the_bodys(self, line: Line) -> None:
        stream = line.stream(CloseDecoder())
        line.says(b"to the end")
        line.poes.close()

        assert b"".join(stream) == b"to the end"
        assert line.kept == []


class TestTheConnectionAfterwards:
    def test_is_kept_once_the_body_is_whole(self, line: Line) -> None:
        stream = line.stream()
        line.says(chunk(b"all") + END)
        assert next(stream) == b"all"

        assert line.kept == [line.ours]
        stream.close()
        stream.finish()
        line.says(b"x")
        assert line.ours.recv(1) == b"x"

    def test_is_ended_when_bytes_came_beyond_the_body(self, line: Line) -> None:
        stream = line.stream()
        line.says(chunk(b"all") + END + b"HTTP/1.1 200 OK\r\n")
        assert list(stream) == [b"all"]

        assert line.kept == []
        assert line.is_over()

    def test_is_ended_by_close_within_the_body(self, line: Line) -> None:
        stream = line.stream(first=chunk(b"some"))
        stream.close()
        stream.close()

        assert line.is_over()
        assert list(stream) == []

    def test_close_from_elsewhere_ends_a_wait(self, line: Line) -> None:
        stream = line.stream()
        line.later(0.1, stream.close)
        began = time.monotonic()

        with pytest.raises(GatewayError) as caught:
            next(stream)

        assert caught.value.kind is ErrorKind.UPSTREAM_CUT_OFF
        assert time.monotonic() - began < 3.0


class TestFinish:
    def test_reads_the_end_that_has_come(self, line: Line) -> None:
        stream = line.stream()
        line.says(chunk(b"event: done"))
        assert next(stream) == b"event: done"
        line.says(END)
        stream.finish()

        assert line.kept == [line.ours]

    def test_waits_a_moment_for_the_end(self, line: Line) -> None:
        stream = line.stream(first=chunk(b"event: done"))
        line.later(0.01, lambda: line.says(chunk(b"more") + END))
        stream.finish()

        assert line.kept == [line.ours]

    def test_does_not_wait_for_long(self, line: Line) -> None:
        stream = line.stream(first=chunk(b"event: done"))
        began = time.monotonic()
        stream.finish()
        stream.finish()

        assert 0.04 < time.monotonic() - began < 3.0
        assert line.kept == []
        assert line.is_over()

    def test_a_server_that_never_stops_is_left(self, line: Line) -> None:
        stream = line.stream()
        stopped = threading.Event()

        def babble() -> None:
            try:
                while not stopped.is_set():
                    line.says(chunk(b"and more"))
                    time.sleep(0.005)
            except OSError:
                pass

        line.later(0.0, babble)
        began = time.monotonic()
        stream.finish()
        stopped.set()

        assert time.monotonic() - began < 3.0
        assert line.kept == []

    def test_a_broken_connection_is_no_matter(self, line: Line) -> None:
        stream = line.stream(first=chunk(b"event: done"))
        line.poes.close()
        stream.finish()

        assert line.kept == []


class TestRead:
    def test_is_the_whole_body(self, line: Line) -> None:
        line.says(chunk(b"one "))
        line.later(0.05, lambda: line.says(chunk(b"two") + END))

        assert line.stream().read(100, 5.0) == b"one two"
        assert line.kept == [line.ours]

    def test_is_one_byte_more_than_the_limit_of_what_is_longer(self, line: Line) -> None:
        line.says(chunk(b"x" * 500))

        assert line.stream().read(100, 5.0) == b"x" * 101
        assert line.is_over()

    def test_has_a_deadline_however_the_bytes_drip(self, line: Line) -> None:
        stopped = threading.Event()

        def drip() -> None:
            try:
                while not stopped.is_set():
                    line.says(b"1\r\nx\r\n")
                    time.sleep(0.02)
            except OSError:
                pass

        line.later(0.0, drip)
        with pytest.raises(GatewayError) as caught:
            line.stream().read(10_000, 0.2)
        stopped.set()

        assert caught.value.kind is ErrorKind.UPSTREAM_TIMEOUT
        assert line.is_over()

    def test_has_a_deadline_in_silence(self, line: Line) -> None:
        began = time.monotonic()
        with pytest.raises(GatewayError):
            line.stream().read(100, 0.1)

        assert time.monotonic() - began < 3.0
