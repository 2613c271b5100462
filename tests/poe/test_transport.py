"""The way to Poe over real sockets: requests, answers in any cutting, breaks and limits of time."""

import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import Queue

import pytest

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.poe.transport import PoeAdapter, PreparedQuery
from tests.support.poe_way import CHUNKED, HELLO, OK, answer_of, begin, dead_port, failure_of, post
from tests.support.raw_server import Peer, RawServer, repeating

ROOT = Path(__file__).parents[2]
HINT = "If Poe cannot be reached directly from this server, set PROXY."


def in_pieces(url: str, pieces: tuple[bytes, ...]) -> PreparedQuery:
    request = PreparedQuery()
    request.prepare("POST", url)
    request.headers.pop("Content-Length", None)
    request.body = pieces  # type: ignore[assignment]  # what the adapter takes beyond requests' own
    return request


class TestRequest:
    def test_head_and_body_go_out_in_one_write(self, adapter: PoeAdapter) -> None:
        seen: list[bytes] = []

        def serve(peer: Peer) -> None:
            seen.append(peer.sock.recv(65536))
            peer.send(HELLO)

        with RawServer(serve) as poe:
            adapter.send(post(f"{poe.url}/bot/a%20b?x=1#f", b'{"a":1}', Accept="text/event-stream")).raw.close()

        head = f"POST /bot/a%20b?x=1 HTTP/1.1\r\nHost: 127.0.0.1:{poe.port}\r\nAccept: text/event-stream\r\n"
        assert seen == [head.encode() + b'Content-Length: 7\r\n\r\n{"a":1}']

    def test_a_large_body_arrives_whole(self, adapter: PoeAdapter) -> None:
        body = bytes(range(256)) * 8_000
        seen: list[bytes] = []

        def serve(peer: Peer) -> None:
            seen.append(peer.request())
            peer.send(HELLO)

        with RawServer(serve) as poe:
            assert adapter.send(post(poe.url, body)).content == b"hello"

        assert seen[0].endswith(b"\r\n\r\n" + body)

    @pytest.mark.parametrize("sizes", [(), (0, 0), (3, 4), (60_000, 1, 0, 2_000_000)])
    def test_a_body_in_pieces_arrives_as_one(self, adapter: PoeAdapter, sizes: tuple[int, ...]) -> None:
        pieces = tuple(bytes([number]) * size for number, size in enumerate(sizes))
        seen: list[bytes] = []

        def serve(peer: Peer) -> None:
            seen.append(peer.request())
            peer.send(HELLO)

        with RawServer(serve) as poe:
            assert adapter.send(in_pieces(poe.url, pieces)).content == b"hello"

        head, _, body = seen[0].partition(b"\r\n\r\n")
        assert body == b"".join(pieces)
        assert head.endswith(b"\r\nContent-Length: %d" % sum(sizes))
        assert head.lower().count(b"content-length") == 1

    def test_whoever_waits_for_a_long_body_may_give_up_while_it_goes_out(self, adapter: PoeAdapter) -> None:
        left: Queue[bool] = Queue()
        turns = iter(range(3))

        def give_up() -> None:
            if next(turns, None) is None:
                raise KeyError("the client has left")

        def serve(peer: Peer) -> None:
            peer.head()
            with contextlib.suppress(ConnectionError):
                peer.exactly(8_000_000)
            left.put(peer.has_left())

        request = in_pieces("http://127.0.0.1/", (b"x" * 4_000_000,) * 2)
        with RawServer(serve) as poe:
            request.url = poe.url
            request.on_silence = give_up
            with pytest.raises(KeyError):
                adapter.send(request)
            assert left.get(timeout=5)

    def test_a_body_that_is_no_bytes_is_refused(self, adapter: PoeAdapter) -> None:
        request = post(f"http://127.0.0.1:{dead_port()}/")
        for body in ([b"a"], (b"a", "b"), (b"a", None), iter([b"a"])):
            request.body = body  # type: ignore[assignment]
            with pytest.raises(ValueError, match="whole"):
                adapter.send(request)

    def test_an_answer_that_comes_before_the_body_was_taken_is_read(self, adapter: PoeAdapter) -> None:
        def serve(peer: Peer) -> None:
            peer.head()
            peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
            peer.sock.shutdown(socket.SHUT_WR)
            while peer.sock.recv(65536):
                pass

        with RawServer(serve) as poe:
            response = adapter.send(post(poe.url, b"x" * 3_000_000))
            assert (response.status_code, response.content) == (413, b"big")

    def test_a_header_that_would_break_out_is_refused(self, adapter: PoeAdapter) -> None:
        request = post(f"http://127.0.0.1:{dead_port()}/")
        request.headers["X-Title"] = "a\r\nEvil: 1"

        with pytest.raises(ValueError, match="cannot be sent"):
            adapter.send(request)

    def test_an_address_needs_a_host_and_no_credentials(self, adapter: PoeAdapter) -> None:
        for address in ("ftp://127.0.0.1/", "http:///bot", "http://me:secret@127.0.0.1/"):
            request = post("http://127.0.0.1/")
            request.url = address
            with pytest.raises(ValueError, match="address") as caught:
                adapter.send(request)
            assert "secret" not in str(caught.value)


class TestAnswer:
    def test_is_a_response_of_requests(self, adapter: PoeAdapter) -> None:
        with RawServer(repeating(OK + b"X-A: b\r\nSet-Cookie: c=d\r\nContent-Length: 5\r\n\r\nhello")) as poe:
            response = adapter.send(post(f"{poe.url}/bot/x"))

            assert (response.status_code, response.reason, response.headers["x-a"]) == (200, "OK", "b")
            assert (response.url, response.text) == (f"{poe.url}/bot/x", "hello")

    @pytest.mark.parametrize("answer", [HELLO, OK + b"Content-Length: 5\r\n\r\nhello", OK + b"\r\nhello"])
    def test_every_cutting_reads_the_same(self, adapter: PoeAdapter, answer: bytes) -> None:
        def serve(peer: Peer) -> None:
            while peer.number and peer.request():
                place = next(places, None)
                if place is None:
                    return
                peer.send(answer[:place])
                time.sleep(0.002)
                peer.send(answer[place:])
                if b"chunked" not in answer and b"Length" not in answer:
                    return

        places = iter(range(1, len(answer)))
        with RawServer(serve) as poe:
            for _ in range(1, len(answer)):
                assert answer_of(adapter, poe.url) == b"hello"

    def test_a_redirect_is_an_answer_like_any_other(self, adapter: PoeAdapter) -> None:
        with RawServer(repeating(b"HTTP/1.1 302 Found\r\nLocation: /else\r\nContent-Length: 0\r\n\r\n")) as poe:
            assert adapter.send(post(poe.url)).status_code == 302
            assert poe.connections == 1

    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            (b"\x16\x03\x01garbage", ErrorKind.UPSTREAM_INVALID),
            (b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n", ErrorKind.UPSTREAM_INVALID),
            (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 20_000, ErrorKind.UPSTREAM_INVALID),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", ErrorKind.UPSTREAM_INVALID),
            (b"HTTP/1.1 200 OK\r\nConte", ErrorKind.UPSTREAM_CUT_OFF),
            (CHUNKED + b"5\r\nhel", ErrorKind.UPSTREAM_CUT_OFF),
            (CHUNKED + b"5\r\nhelloX", ErrorKind.UPSTREAM_CUT_OFF),
            (OK + b"Content-Length: 9\r\n\r\nhello", ErrorKind.UPSTREAM_CUT_OFF),
            (b"", ErrorKind.UPSTREAM_UNREACHABLE),
        ],
    )
    def test_what_is_no_whole_answer_is_an_error(self, adapter: PoeAdapter, answer: bytes, kind: ErrorKind) -> None:
        def serve(peer: Peer) -> None:
            peer.request()
            peer.send(answer)

        with RawServer(serve) as poe:
            assert failure_of(adapter, poe.url).kind is kind
            assert poe.connections == 1

    def test_a_reset_within_the_body_is_a_cut_off(self, adapter: PoeAdapter) -> None:
        def serve(peer: Peer) -> None:
            peer.request()
            peer.send(CHUNKED + b"5\r\nhello\r\n")
            time.sleep(0.05)
            peer.reset()

        with RawServer(serve) as poe:
            body = begin(adapter, poe.url)
            assert next(piece for piece in body if piece) == b"hello"
            with pytest.raises(GatewayError) as caught:
                list(body)

        assert caught.value.kind is ErrorKind.UPSTREAM_CUT_OFF


class TestTime:
    def test_a_head_that_does_not_come_is_a_timeout(self, adapters: Callable[..., PoeAdapter]) -> None:
        left: Queue[bool] = Queue()

        def serve(peer: Peer) -> None:
            peer.request()
            left.put(peer.has_left())

        with RawServer(serve) as poe:
            began = time.monotonic()
            error = failure_of(adapters(idle_timeout=0.2), poe.url)
            assert (error.kind, error.message) == (ErrorKind.UPSTREAM_TIMEOUT, "Poe did not answer within 0.2 seconds.")
            assert 0.19 < time.monotonic() - began < 3.0
            assert left.get(timeout=5)

    def test_a_head_that_drips_has_the_same_limit(self, adapters: Callable[..., PoeAdapter]) -> None:
        def serve(peer: Peer) -> None:
            peer.request()
            for byte in HELLO:
                peer.send(bytes([byte]))
                time.sleep(0.05)

        with RawServer(serve) as poe:
            began = time.monotonic()
            assert failure_of(adapters(idle_timeout=0.3), poe.url).kind is ErrorKind.UPSTREAM_TIMEOUT
            assert time.monotonic() - began < 3.0

    def test_a_request_that_is_not_taken_is_a_timeout(self, adapters: Callable[..., PoeAdapter]) -> None:
        done = threading.Event()

        def serve(peer: Peer) -> None:
            done.wait(5)

        with RawServer(serve) as poe:
            with pytest.raises(GatewayError) as caught:
                adapters(idle_timeout=0.2).send(post(poe.url, b"x" * 30_000_000))
            done.set()

        assert caught.value.kind is ErrorKind.UPSTREAM_TIMEOUT

    def test_a_call_may_have_its_own_limits(self, adapter: PoeAdapter) -> None:
        def serve(peer: Peer) -> None:
            peer.request()
            peer.has_left()

        with RawServer(serve) as poe:
            began = time.monotonic()
            with pytest.raises(GatewayError, match=r"0\.2"):
                begin(adapter, poe.url, timeout=(1.0, 0.2))
            assert time.monotonic() - began < 3.0

    def test_silence_ticks_and_ends(self, adapters: Callable[..., PoeAdapter]) -> None:
        def serve(peer: Peer) -> None:
            peer.request()
            peer.send(CHUNKED)
            time.sleep(0.25)
            peer.send(b"5\r\nhello\r\n")
            peer.has_left()

        with RawServer(serve) as poe:
            body = begin(adapters(tick=0.05, idle_timeout=0.4), poe.url)
            assert next(body) == b""
            assert next(piece for piece in body if piece) == b"hello"
            with pytest.raises(GatewayError) as caught:
                list(body)

        assert caught.value.kind is ErrorKind.UPSTREAM_TIMEOUT


class TestNoWay:
    def test_nobody_listens(self, adapter: PoeAdapter) -> None:
        error = failure_of(adapter, f"http://127.0.0.1:{dead_port()}/")

        assert error.kind is ErrorKind.UPSTREAM_UNREACHABLE
        assert error.message == f"Poe (127.0.0.1) cannot be reached: Connection refused. {HINT}"

    def test_a_name_that_nobody_has(self, adapter: PoeAdapter, monkeypatch: pytest.MonkeyPatch) -> None:
        def resolve(*_: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        error = failure_of(adapter, "http://poe.invalid/")

        assert error.kind is ErrorKind.UPSTREAM_UNREACHABLE
        assert error.message == f"The name of Poe (poe.invalid) cannot be resolved. {HINT}"

    def test_a_server_that_does_not_take_the_connection(self, adapters: Callable[..., PoeAdapter]) -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
            port = listener.getsockname()[1]
            waiting = [socket.socket() for _ in range(4)]
            for sock in waiting:
                sock.setblocking(False)
                sock.connect_ex(("127.0.0.1", port))
            began = time.monotonic()
            error = failure_of(adapters(connect_timeout=0.3), f"http://127.0.0.1:{port}/")
            for sock in waiting:
                sock.close()

        assert error.kind is ErrorKind.UPSTREAM_UNREACHABLE
        assert error.message == f"Poe (127.0.0.1) did not answer within 0.3 seconds. {HINT}"
        assert time.monotonic() - began < 3.0


KILL = """
import gevent
from gevent import monkey; monkey.patch_all()
import socket, sys, time
from poe2openai.poe.transport import PoeAdapter
from requests import Request

class HungUp(gevent.GreenletExit): pass

def serve(connection):
    connection.recv(65536)
    if answers: connection.sendall(b"HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n5\\r\\nhello\\r\\n")
    while connection.recv(65536): pass
    left.append(time.monotonic())

def read(adapter):
    body = adapter.send(request).raw
    try:
        for piece in body: pass
    finally:
        body.close()
        body.finish()

listener = socket.create_server(("127.0.0.1", 0))
request = Request("POST", "http://127.0.0.1:%d/" % listener.getsockname()[1], data=b"{}").prepare()
for answers in (True, False):
    left = []
    adapter = PoeAdapter()
    reader = gevent.spawn(read, adapter)
    server = gevent.spawn(lambda: serve(listener.accept()[0]))
    gevent.sleep(0.2)
    killed = time.monotonic()
    reader.kill(HungUp, timeout=2)
    server.join(2)
    assert reader.dead and left and left[0] - killed < 1.0, (answers, reader, left)
    assert not any(pool._idle for pool in adapter._pools.values())
print("both ended")
"""


def run_with_gevent(code: str) -> str:
    arguments = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class TestWithGevent:
    def test_a_greenlet_that_is_killed_as_it_waits_ends_its_connection(self) -> None:
        assert run_with_gevent(KILL) == "both ended\n"

    def test_all_of_this_is_true_of_gevents_sockets(self) -> None:
        files = ("test_body", "test_socket_io", "test_transport", "test_transport_connections", "test_transport_tls")
        tests = ", ".join(f"'tests/poe/{file}.py'" for file in files)
        options = "'-q', '-p', 'no:cacheprovider', '-p', 'no:xdist', '-k', 'not WithGevent'"
        code = "from gevent import monkey; monkey.patch_all(); import sys, pytest; "
        run_with_gevent(f"{code}sys.exit(pytest.main([{tests}, {options}]))")
