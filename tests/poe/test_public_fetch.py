"""What an address holds, fetched over loopback, and what becomes of servers that do not answer well."""

import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from poe2openai import __version__
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.poe.public_fetch import Fetched
from tests.support.fetching import HELLO, content, failure, fetcher
from tests.support.poe_way import dead_port
from tests.support.raw_server import Authority, Peer, RawServer, Recorder, answer, repeating

ROOT = Path(__file__).resolve().parents[2]
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class LeftError(OSError):
    """The client has left; of a kind that a broken connection might be taken for."""


class TestWhatComes:
    def test_a_file(self) -> None:
        recorder = Recorder(
            answer(b"hello", "Image/PNG; x=y", Content_Disposition="inline; filename*=UTF-8''%C3%BC.png")
        )
        with RawServer(recorder) as server, fetcher().open(f"{server.url}/a/b.jpg?c=d#e") as fetched:
            assert (fetched.media_type, fetched.name, fetched.size) == ("image/png", "ü.png", 5)
            assert fetched.url == f"{server.url}/a/b.jpg?c=d"
            assert b"".join(fetched.pieces()) == b"hello"
        assert recorder.requests == [
            f"GET /a/b.jpg?c=d HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nUser-Agent: poe2openai/{__version__}\r\n"
            "Accept: */*\r\nAccept-Encoding: identity\r\nConnection: close\r\n\r\n".encode()
        ]

    @pytest.mark.parametrize("framing", ["length", "chunks", "close"])
    def test_a_large_file_comes_whole_in_pieces(self, framing: str) -> None:
        body = bytes(range(256)) * 4 * 4096
        heads = {"length": b"Content-Length: %d" % len(body), "chunks": b"Transfer-Encoding: chunked", "close": b"A: b"}
        sent = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if framing == "chunks" else body

        def serve(peer: Peer) -> None:
            peer.request()
            peer.send(b"HTTP/1.1 200 OK\r\n%s\r\n\r\n%s" % (heads[framing], sent))

        with RawServer(serve) as server, fetcher(max_size=len(body)).open(server.url) as fetched:
            assert fetched.size == (len(body) if framing == "length" else None)
            assert (fetched.media_type, fetched.name) == (None, None)
            pieces = list(fetched.pieces())
        assert b"".join(pieces) == body
        assert 0 < min(map(len, pieces)) <= max(map(len, pieces)) <= 256 * 1024

    def test_redirects_are_followed_and_carry_nothing_along(self) -> None:
        recorder = Recorder(HELLO)
        with RawServer(recorder) as last:
            moved = answer(b"", status="302 Found", Location=f"{last.url}/x/../猫.png", Set_Cookie="a=b")
            with RawServer(repeating(moved)) as first, fetcher().open(f"{first.url}/old") as fetched:
                assert b"".join(fetched.pieces()) == b"hello"
                assert fetched.name == "猫.png"
                assert fetched.url == f"{last.url}/x/../%E7%8C%AB.png"
        assert b"Cookie" not in recorder.requests[0]
        assert b"Referer" not in recorder.requests[0]

    @pytest.mark.parametrize(("redirects", "is_followed"), [(5, True), (6, False)])
    def test_redirects_have_an_end(self, redirects: int, is_followed: bool) -> None:
        def serve(peer: Peer) -> None:
            left = int(peer.request().split(b" ")[1][1:])
            peer.send(answer(b"", status="303 See Other", Location=f"{left - 1}") if left else HELLO)

        with RawServer(serve) as server:
            if is_followed:
                assert content(f"{server.url}/{redirects}") == b"hello"
            else:
                assert "redirects more than 5 times" in failure(f"{server.url}/{redirects}").message
            assert server.connections == 6

    def test_the_next_address_is_tried_when_one_is_dead(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with RawServer(repeating(HELLO)) as server:
            found = [
                (family, socket.SOCK_STREAM, 6, "", (address, server.port))
                for family, address in [(socket.AF_INET, "127.0.0.3"), (socket.AF_INET, "127.0.0.1")]
            ]
            monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
            assert content(f"http://two.test:{server.port}/", may_connect=lambda _: True) == b"hello"
            monkeypatch.undo()

    @pytest.mark.parametrize(
        ("host", "is_proven"), [("127.0.0.1", True), ("poe.test", True), ("POE.test.", True), ("other.test", False)]
    )
    def test_tls_proves_the_name(
        self, authority: Authority, monkeypatch: pytest.MonkeyPatch, host: str, is_proven: bool
    ) -> None:
        with RawServer(repeating(HELLO), authority.server) as server:
            found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))]
            monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
            url = f"https://{host}:{server.port}/"
            if is_proven:
                assert content(url, ca_bundle=authority.bundle) == b"hello"
            else:
                assert "certificate" in failure(url, ca_bundle=authority.bundle).message
            assert "certificate" in failure(url).message
            monkeypatch.undo()


class TestFailures:
    @pytest.mark.parametrize(
        ("said", "kind", "told"),
        [
            (answer(b"", status="404 Not Found"), ErrorKind.INVALID_REQUEST, "HTTP status 404"),
            (answer(b"x", status="206 Partial Content"), ErrorKind.INVALID_REQUEST, "HTTP status 206"),
            (answer(b"", status="304 Not Modified"), ErrorKind.INVALID_REQUEST, "HTTP status 304"),
            (answer(b"x", Content_Encoding="gzip"), ErrorKind.INVALID_REQUEST, "compressed"),
            (answer(b"x", Content_Encoding="identity, br"), ErrorKind.INVALID_REQUEST, "compressed"),
            (answer(b"", status="302 Found"), ErrorKind.INVALID_REQUEST, "without saying where"),
            (answer(b"", status="302 Found", Location="\xff"), ErrorKind.INVALID_REQUEST, "could not"),
            (answer(b"", status="302 Found", Location="/a\tb"), ErrorKind.INVALID_REQUEST, "cannot be printed"),
            (b"SSH-2.0-OpenSSH_9.6\r\n", ErrorKind.INVALID_REQUEST, "HTTP/1.1"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", ErrorKind.INVALID_REQUEST, "HTTP/1.1"),
            (b"HTTP/1.1 200 OK\r\nA: b", ErrorKind.INVALID_REQUEST, "without an answer"),
            (b"", ErrorKind.INVALID_REQUEST, "without an answer"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", ErrorKind.UPSTREAM_CUT_OFF, "broke off"),
            (CHUNKED + b"5\r\nhello\r\n", ErrorKind.UPSTREAM_CUT_OFF, "broke off"),
            (CHUNKED + b"5\r\nhello, malformed", ErrorKind.UPSTREAM_CUT_OFF, "broke off"),
            (answer(b"x" * 101), ErrorKind.TOO_LARGE, "more than 100 bytes"),
            (CHUNKED + b"65\r\n" + b"x" * 101 + b"\r\n0\r\n\r\n", ErrorKind.TOO_LARGE, "more than 100 bytes"),
            (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 101, ErrorKind.TOO_LARGE, "more than 100 bytes"),
        ],
        ids=lambda value: ascii(value)[:50],
    )
    def test_an_answer_that_is_not_the_file(self, said: bytes, kind: ErrorKind, told: str) -> None:
        def serve(peer: Peer) -> None:
            peer.request()
            peer.send(said)

        with RawServer(serve) as server:
            error = failure(server.url, max_size=100)

        assert error.kind is kind
        assert told in error.message

    def test_a_reset_within_a_body_without_a_length_is_a_cut_off(self) -> None:
        def serve(peer: Peer) -> None:
            peer.request()
            peer.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
            time.sleep(0.1)
            peer.reset()

        with RawServer(serve) as server:
            assert failure(server.url).kind is ErrorKind.UPSTREAM_CUT_OFF

    def test_a_size_that_was_not_declared_ends_the_connection(self) -> None:
        left = threading.Event()

        def serve(peer: Peer) -> None:
            peer.request()
            peer.send(CHUNKED + b"100000\r\n" + b"x" * 200)
            if peer.has_left(5):
                left.set()

        with RawServer(serve) as server:
            assert failure(server.url, max_size=100).kind is ErrorKind.TOO_LARGE
            assert left.wait(5)

    @pytest.mark.parametrize(
        ("first", "drip", "limits"),
        [
            (CHUNKED, b"1\r\nx\r\n", {"total_seconds": 0.5}),
            (b"HTTP/1.1 200 OK\r\n", b"A: b\r\n", {"total_seconds": 0.5}),
            (b"HTTP/1.1 200 OK\r\n", b"A: b\r\n", {"idle_timeout": 0.5}),
            (CHUNKED, b"", {"idle_timeout": 0.5}),
            (b"", b"", {"idle_timeout": 0.5}),
        ],
    )
    def test_a_slow_answer_is_given_up(self, first: bytes, drip: bytes, limits: dict[str, float]) -> None:
        error, seconds = self._drip(first, drip, "http", limits)

        assert error.kind is ErrorKind.UPSTREAM_TIMEOUT
        assert 0.4 < seconds < 3

    @pytest.mark.parametrize("limit", ["connect_timeout", "total_seconds"])
    def test_a_slow_handshake_is_given_up(self, limit: str) -> None:
        error, seconds = self._drip(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc", b"\x03", "https", {limit: 0.5})

        assert error.kind is ErrorKind.UPSTREAM_TIMEOUT
        assert 0.4 < seconds < 3

    def _drip(self, first: bytes, drip: bytes, scheme: str, limits: dict[str, float]) -> tuple[GatewayError, float]:
        def serve(peer: Peer) -> None:
            peer.sock.recv(65536)
            peer.send(first)
            end = time.monotonic() + 5
            while time.monotonic() < end and not peer.has_left(0.05):
                peer.send(drip)

        with RawServer(serve) as server:
            begin = time.monotonic()
            return failure(f"{scheme}://127.0.0.1:{server.port}/", **limits), time.monotonic() - begin

    def test_a_server_that_is_not_there(self) -> None:
        error = failure(f"http://127.0.0.1:{dead_port()}/")

        assert error.kind is ErrorKind.INVALID_REQUEST
        assert "cannot be reached" in error.message

    def test_a_name_that_nobody_knows(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def unknown(*_: Any, **__: Any) -> list[Any]:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
        error = failure("http://unknown.test/")

        assert error.kind is ErrorKind.INVALID_REQUEST
        assert "cannot be resolved" in error.message


class TestGivingUp:
    @pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\n", CHUNKED, CHUNKED + b"5\r\nhello\r\n"])
    @pytest.mark.parametrize(
        "error", [LeftError(), GatewayError(ErrorKind.UPSTREAM_INVALID, "Mine."), KeyboardInterrupt()]
    )
    def test_what_the_check_raises_comes_through_and_the_connection_ends(
        self, said: bytes, error: BaseException
    ) -> None:
        left = threading.Event()
        end = time.monotonic() + 0.3

        def serve(peer: Peer) -> None:
            peer.request()
            peer.send(said)
            if peer.has_left(5):
                left.set()

        def check() -> None:
            if time.monotonic() > end:
                raise error

        with RawServer(serve) as server:
            with pytest.raises(type(error)) as caught, fetcher().open(server.url, check=check) as fetched:
                list(fetched.pieces())
            assert caught.value is error
            assert time.monotonic() < end + 2
            assert left.wait(5)

    @pytest.mark.parametrize("way", ["close", "with", "pieces", "another thread"])
    def test_closing_ends_the_connection(self, way: str) -> None:
        left = threading.Event()

        def serve(peer: Peer) -> None:
            peer.request()
            peer.send(CHUNKED + b"5\r\nhello\r\n")
            if peer.has_left(5):
                left.set()

        with RawServer(serve) as server:
            fetched: Fetched = fetcher().open(server.url)
            pieces = fetched.pieces()
            assert next(pieces) == b"hello"
            if way == "close":
                fetched.close()
            elif way == "with":
                with fetched:
                    pass
            elif way == "pieces":
                pieces.close()  # type: ignore[attr-defined]
            else:
                timer = threading.Timer(0.1, fetched.close)
                timer.start()
                with pytest.raises(GatewayError) as caught:
                    next(pieces)
                assert caught.value.kind is ErrorKind.UPSTREAM_CUT_OFF
                timer.join()
            assert left.wait(5)


class TestWithGevent:
    def test_all_of_this_is_true_of_gevents_sockets(self) -> None:
        tests = "'tests/poe/test_public_fetch.py', 'tests/poe/test_public_fetch_guard.py'"
        options = "'-q', '-p', 'no:cacheprovider', '-p', 'no:xdist', '-k', 'not WithGevent and not ways_to_it'"
        code = "from gevent import monkey; monkey.patch_all(); import sys, pytest; "
        arguments = [sys.executable, "-W", "error", "-c", f"{code}sys.exit(pytest.main([{tests}, {options}]))"]
        done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)

        assert done.returncode == 0, done.stdout + done.stderr
