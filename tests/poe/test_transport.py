"""The way to Poe over real sockets: connections, answers in any cutting, breaks, TLS and proxies."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from requests import PreparedRequest, Request

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.poe import transport
from poe2openai.poe.body import BodyStream
from poe2openai.poe.transport import PoeAdapter, Proxy
from tests.support.raw_server import (
    Authority,
    Peer,
    RawServer,
    make_authority,
    repeating,
    socks5_proxy,
    tunnel_proxy,
)

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
HELLO = CHUNKED + b"5\r\nhello\r\n0\r\n\r\n"

ROOT = Path(__file__).parents[2]


@pytest.fixture
def adapters() -> Iterator[Callable[..., PoeAdapter]]:
    """Makes adapters with limits that suit a test, and closes them."""
    made: list[PoeAdapter] = []

    def make(**options: Any) -> PoeAdapter:
        made.append(PoeAdapter(**{"connect_timeout": 5.0, "idle_timeout": 5.0, **options}))
        return made[-1]

    yield make
    for adapter in made:
        adapter.close()


@pytest.fixture
def adapter(adapters: Callable[..., PoeAdapter]) -> PoeAdapter:
    return adapters()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"))


def post(url: str, body: bytes = b"{}", **headers: str) -> PreparedRequest:
    request = Request("POST", url, headers).prepare()
    request.body = body
    return request


def begin(adapter: PoeAdapter, url: str, **options: Any) -> BodyStream:
    body = adapter.send(post(url), stream=True, **options).raw
    assert isinstance(body, BodyStream)
    return body


def answer_of(adapter: PoeAdapter, url: str) -> bytes:
    return b"".join(begin(adapter, url))


def ticks_and_hello(body: BodyStream) -> bool:
    """How often it ticks depends on how busy the machine is."""
    pieces = list(body)
    return pieces[0] == b"" and b"".join(pieces) == b"hello"


def failure_of(adapter: PoeAdapter, url: str) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        answer_of(adapter, url)
    return caught.value


def dead_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


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


class TestConnections:
    def test_one_after_another_share_one(self, adapter: PoeAdapter) -> None:
        with RawServer(repeating(HELLO)) as poe:
            assert [answer_of(adapter, poe.url) for _ in range(5)] == [b"hello"] * 5
            assert poe.connections == 1

    def test_as_many_as_there_are_streams_at_once(self, adapter: PoeAdapter) -> None:
        with RawServer(repeating(HELLO)) as poe:
            with ThreadPoolExecutor(8) as pool:
                bodies = list(pool.map(lambda _: answer_of(adapter, poe.url), range(40)))
            assert bodies == [b"hello"] * 40
            assert poe.connections <= 8

    @pytest.mark.parametrize(
        "answer",
        [
            OK + b"Content-Length: 5\r\nConnection: close\r\n\r\nhello",
            HELLO + b"beyond",
            OK + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        ],
    )
    def test_one_that_cannot_be_trusted_is_not_used_again(self, adapter: PoeAdapter, answer: bytes) -> None:
        def serve(peer: Peer) -> None:
            peer.request()
            peer.send(answer)
            peer.has_left()

        with RawServer(serve) as poe:
            assert [answer_of(adapter, poe.url) for _ in range(2)] == [b"hello"] * 2
            assert poe.connections == 2

    @pytest.mark.parametrize("end", [Peer.close, Peer.reset])
    def test_one_that_poe_ended_while_it_was_idle_is_passed_over(
        self, adapter: PoeAdapter, end: Callable[[Peer], None]
    ) -> None:
        ended = threading.Event()

        def serve(peer: Peer) -> None:
            peer.request()
            peer.send(HELLO)
            if peer.number == 1:
                time.sleep(0.05)
                end(peer)
                ended.set()
            else:
                peer.has_left()

        with RawServer(serve) as poe:
            assert answer_of(adapter, poe.url) == b"hello"
            ended.wait(5)
            assert answer_of(adapter, poe.url) == b"hello"
            assert poe.connections == 2

    def test_one_that_says_something_unasked_is_passed_over(self, adapter: PoeAdapter) -> None:
        said = threading.Event()

        def serve(peer: Peer) -> None:
            peer.request()
            peer.send(HELLO)
            time.sleep(0.05)
            if peer.number == 1:
                peer.send(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
                said.set()
            peer.has_left()

        with RawServer(serve) as poe:
            assert answer_of(adapter, poe.url) == b"hello"
            said.wait(5)
            assert answer_of(adapter, poe.url) == b"hello"

    @pytest.mark.parametrize("end", [Peer.close, Peer.reset])
    def test_one_that_poe_ends_as_it_is_taken_is_tried_once_more(
        self, adapter: PoeAdapter, end: Callable[[Peer], None]
    ) -> None:
        requests: list[bytes] = []

        def serve(peer: Peer) -> None:
            requests.append(peer.request())
            peer.send(HELLO)
            requests.append(peer.request())
            if peer.number == 1:
                end(peer)
            else:
                peer.send(HELLO)

        with RawServer(serve) as poe:
            assert [answer_of(adapter, poe.url) for _ in range(2)] == [b"hello"] * 2
            assert poe.connections == 2
        assert len([request for request in requests if request]) == 3

    def test_a_fresh_one_that_ends_without_an_answer_is_an_error(self, adapter: PoeAdapter) -> None:
        def serve(peer: Peer) -> None:
            peer.request()

        with RawServer(serve) as poe:
            assert failure_of(adapter, poe.url).kind is ErrorKind.UPSTREAM_UNREACHABLE
            assert poe.connections == 1

    def test_a_used_one_that_ends_within_the_answer_is_an_error(self, adapter: PoeAdapter) -> None:
        def serve(peer: Peer) -> None:
            peer.request()
            peer.send(HELLO)
            peer.request()
            peer.send(b"HTTP/1.1 2")

        with RawServer(serve) as poe:
            answer_of(adapter, poe.url)
            assert failure_of(adapter, poe.url).kind is ErrorKind.UPSTREAM_CUT_OFF
            assert poe.connections == 1

    def test_one_idle_for_long_is_ended(self, adapter: PoeAdapter, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(transport, "IDLE_SECONDS", 0.05)
        with RawServer(repeating(HELLO)) as poe:
            answer_of(adapter, poe.url)
            time.sleep(0.1)
            answer_of(adapter, poe.url)
            assert poe.connections == 2

    def test_a_stream_that_is_closed_ends_its_connection(self, adapter: PoeAdapter) -> None:
        left: Queue[bool] = Queue()

        def serve(peer: Peer) -> None:
            peer.request()
            peer.send(CHUNKED + b"5\r\nhello\r\n")
            left.put(peer.has_left(2.0))

        with RawServer(serve) as poe:
            body = begin(adapter, poe.url)
            next(body)
            body.close()
            assert left.get(timeout=5)

    def test_a_finished_stream_leaves_it_to_the_next(self, adapter: PoeAdapter) -> None:
        def serve(peer: Peer) -> None:
            while peer.request():
                peer.send(CHUNKED + b"5\r\nhello\r\n")
                time.sleep(0.01)
                peer.send(b"0\r\n\r\n")

        with RawServer(serve) as poe:
            for _ in range(3):
                body = begin(adapter, poe.url)
                assert next(piece for piece in body if piece) == b"hello"
                body.finish()
            assert poe.connections == 1

    def test_close_ends_the_idle_ones_and_those_that_come_back(self, adapter: PoeAdapter) -> None:
        left: Queue[bool] = Queue()
        go_on = threading.Event()

        def serve(peer: Peer) -> None:
            peer.request()
            peer.send(CHUNKED)
            if peer.number == 1:
                go_on.wait(5)
            peer.send(b"5\r\nhello\r\n0\r\n\r\n")
            left.put(peer.has_left())

        with RawServer(serve) as poe:
            open_body = begin(adapter, poe.url)
            answer_of(adapter, poe.url)
            adapter.close()
            assert left.get(timeout=5)
            go_on.set()
            assert b"".join(open_body) == b"hello"
            assert left.get(timeout=5)

    def test_are_made_without_delay_and_watched_by_the_system(self, adapter: PoeAdapter) -> None:
        with RawServer(repeating(HELLO)) as poe:
            answer_of(adapter, poe.url)
            sock = adapter._routes[poe.url].take()
            assert sock is not None
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            sock.close()


class TestNoWay:
    def test_nobody_listens(self, adapter: PoeAdapter) -> None:
        error = failure_of(adapter, f"http://127.0.0.1:{dead_port()}/")

        assert error.kind is ErrorKind.UPSTREAM_UNREACHABLE
        assert error.message == "Poe (127.0.0.1) cannot be reached: Connection refused."

    def test_a_name_that_nobody_has(self, adapter: PoeAdapter, monkeypatch: pytest.MonkeyPatch) -> None:
        def resolve(*_: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        error = failure_of(adapter, "http://poe.invalid/")

        assert error.kind is ErrorKind.UPSTREAM_UNREACHABLE
        assert error.message == "The name of Poe (poe.invalid) cannot be resolved."

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
        assert time.monotonic() - began < 3.0


class TestTls:
    def test_every_record_that_has_come_is_one_piece(
        self, adapters: Callable[..., PoeAdapter], authority: Authority
    ) -> None:
        sent = threading.Event()

        def serve(peer: Peer) -> None:
            peer.request()
            peer.send(CHUNKED)
            for number in range(10):
                peer.send(b"2\r\n%02d\r\n" % number)
            sent.set()
            peer.has_left()

        with RawServer(serve, authority.server) as poe:
            body = begin(adapters(ca_bundle=authority.bundle), poe.url)
            sent.wait(5)
            time.sleep(0.05)
            pieces = [next(body)]
            while len(b"".join(pieces)) < 20:
                pieces.append(next(body))
            body.close()
        assert b"".join(pieces) == b"".join(b"%02d" % number for number in range(10))
        assert len(pieces) <= 2

    def test_silence_ticks_and_the_connection_is_used_again(
        self, adapters: Callable[..., PoeAdapter], authority: Authority
    ) -> None:
        def serve(peer: Peer) -> None:
            while peer.request():
                peer.send(CHUNKED)
                time.sleep(0.25)
                peer.send(b"5\r\nhello\r\n0\r\n\r\n")

        with RawServer(serve, authority.server) as poe:
            adapter = adapters(ca_bundle=authority.bundle, tick=0.05)
            for _ in range(3):
                assert ticks_and_hello(begin(adapter, poe.url))
            assert poe.connections == 1

    def test_an_authority_that_nobody_knows_is_refused(self, adapter: PoeAdapter, authority: Authority) -> None:
        with RawServer(repeating(HELLO), authority.server) as poe:
            error = failure_of(adapter, poe.url)

        assert error.kind is ErrorKind.UPSTREAM_UNREACHABLE
        assert "certificate" in error.message

    def test_a_certificate_for_another_host_is_refused(
        self, adapters: Callable[..., PoeAdapter], authority: Authority
    ) -> None:
        with RawServer(repeating(HELLO), authority.server) as poe, RawServer(socks5_proxy([])) as proxy:
            adapter = adapters(ca_bundle=authority.bundle, proxy=f"socks5h://127.0.0.1:{proxy.port}")
            error = failure_of(adapter, f"https://other.test:{poe.port}/")

        assert error.kind is ErrorKind.UPSTREAM_UNREACHABLE
        assert "certificate" in error.message

    def test_a_server_without_tls_is_told(self, adapters: Callable[..., PoeAdapter], authority: Authority) -> None:
        with RawServer(lambda peer: peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as poe:
            error = failure_of(adapters(ca_bundle=authority.bundle), f"https://127.0.0.1:{poe.port}/")

        assert error.kind is ErrorKind.UPSTREAM_UNREACHABLE
        assert "TLS" in error.message

    def test_an_end_within_the_body_is_a_cut_off(
        self, adapters: Callable[..., PoeAdapter], authority: Authority
    ) -> None:
        def serve(peer: Peer) -> None:
            peer.request()
            peer.send(CHUNKED + b"5\r\nhel")

        with RawServer(serve, authority.server) as poe:
            error = failure_of(adapters(ca_bundle=authority.bundle), poe.url)

        assert error.kind is ErrorKind.UPSTREAM_CUT_OFF

    def test_a_bundle_that_is_not_there_is_told(self, adapters: Callable[..., PoeAdapter], tmp_path: Path) -> None:
        error = failure_of(adapters(ca_bundle=str(tmp_path / "none.pem")), "https://127.0.0.1:1/")

        assert error.kind is ErrorKind.UPSTREAM_UNREACHABLE


class TestProxies:
    @pytest.mark.parametrize("credentials", [None, "me:s3cr3t@/ü"])
    def test_a_tunnel_for_https(
        self, adapters: Callable[..., PoeAdapter], authority: Authority, credentials: str | None
    ) -> None:
        heads: list[bytes] = []
        user = "" if credentials is None else "me:s3cr3t%40%2F%C3%BC@"
        with (
            RawServer(repeating(HELLO), authority.server) as poe,
            RawServer(tunnel_proxy(heads, credentials)) as proxy,
        ):
            adapter = adapters(ca_bundle=authority.bundle, proxy=f"http://{user}127.0.0.1:{proxy.port}")
            url = f"https://poe.test:{poe.port}/bot/x"
            assert [answer_of(adapter, url) for _ in range(2)] == [b"hello"] * 2
            assert (poe.connections, proxy.connections) == (1, 1)
        assert heads[0].startswith(f"CONNECT poe.test:{poe.port} HTTP/1.".encode())

    def test_a_tunnel_through_a_proxy_that_speaks_tls(
        self, adapters: Callable[..., PoeAdapter], authority: Authority
    ) -> None:
        heads: list[bytes] = []

        def serve(peer: Peer) -> None:
            while peer.request():
                peer.send(CHUNKED)
                time.sleep(0.25)
                peer.send(b"5\r\nhello\r\n0\r\n\r\n")

        with (
            RawServer(serve, authority.server) as poe,
            RawServer(tunnel_proxy(heads, "me:s3cr3t"), authority.server) as proxy,
        ):
            adapter = adapters(ca_bundle=authority.bundle, tick=0.05, proxy=f"https://me:s3cr3t@127.0.0.1:{proxy.port}")
            for _ in range(2):
                assert ticks_and_hello(begin(adapter, f"https://poe.test:{poe.port}/"))
            assert (poe.connections, proxy.connections) == (1, 1)

    def test_credentials_that_the_proxy_refuses_are_told_and_not_shown(
        self, adapters: Callable[..., PoeAdapter], authority: Authority
    ) -> None:
        with RawServer(tunnel_proxy([], "me:other")) as proxy:
            adapter = adapters(ca_bundle=authority.bundle, proxy=f"http://me:s3cr3t@127.0.0.1:{proxy.port}")
            error = failure_of(adapter, "https://poe.test/")

        assert error.kind is ErrorKind.UPSTREAM_UNREACHABLE
        assert "407" in error.message
        assert "s3cr3t" not in str(error.__dict__)

    @pytest.mark.parametrize("secure", [False, True])
    def test_http_is_asked_of_the_proxy_by_its_whole_address(
        self, adapters: Callable[..., PoeAdapter], authority: Authority, secure: bool
    ) -> None:
        seen: list[bytes] = []

        def serve(peer: Peer) -> None:
            while request := peer.request():
                seen.append(request)
                peer.send(HELLO)

        with RawServer(serve, authority.server if secure else None) as proxy:
            scheme = "https" if secure else "http"
            adapter = adapters(ca_bundle=authority.bundle, proxy=f"{scheme}://me:s3cr3t@127.0.0.1:{proxy.port}")
            assert [answer_of(adapter, "http://poe.test:81/bot/x") for _ in range(2)] == [b"hello"] * 2
            assert proxy.connections == 1
        assert seen[0].startswith(b"POST http://poe.test:81/bot/x HTTP/1.1\r\nHost: poe.test:81\r\n")
        assert b"\r\nProxy-Authorization: Basic bWU6czNjcjN0\r\n" in seen[0]

    @pytest.mark.parametrize("way", [("socks5", "localhost", "127.0.0.1"), ("socks5h", "poe.test", "poe.test")])
    @pytest.mark.parametrize("secure", [False, True])
    def test_socks(
        self, adapters: Callable[..., PoeAdapter], authority: Authority, way: tuple[str, str, str], secure: bool
    ) -> None:
        seen: list[str] = []
        scheme, host, asked = way

        def serve(peer: Peer) -> None:
            while peer.request():
                peer.send(CHUNKED)
                time.sleep(0.25)
                peer.send(b"5\r\nhello\r\n0\r\n\r\n")

        with (
            RawServer(serve, authority.server if secure else None) as poe,
            RawServer(socks5_proxy(seen, ("me", "s3cr3t"))) as proxy,
        ):
            adapter = adapters(
                ca_bundle=authority.bundle, tick=0.05, proxy=f"{scheme}://me:s3cr3t@127.0.0.1:{proxy.port}"
            )
            url = f"{'https' if secure else 'http'}://{host}:{poe.port}/"
            assert all(ticks_and_hello(begin(adapter, url)) for _ in range(2))
            assert poe.connections == 1
        assert seen == [asked]

    def test_a_socks_proxy_that_refuses_is_told_and_no_secret_shown(self, adapters: Callable[..., PoeAdapter]) -> None:
        with RawServer(socks5_proxy([], ("me", "other"))) as proxy:
            adapter = adapters(proxy=f"socks5h://me:s3cr3t@127.0.0.1:{proxy.port}")
            error = failure_of(adapter, "http://poe.test/")

        assert error.kind is ErrorKind.UPSTREAM_UNREACHABLE
        assert "authentication" in error.message.lower()
        assert "s3cr3t" not in str(error.__dict__)

    @pytest.mark.parametrize("scheme", ["http", "https", "socks4", "socks5", "socks5h"])
    def test_a_proxy_that_is_not_there_is_told(self, adapters: Callable[..., PoeAdapter], scheme: str) -> None:
        port = dead_port()
        for url in ("http://127.0.0.1:9/", "https://127.0.0.1:9/"):
            error = failure_of(adapters(proxy=f"{scheme}://me:s3cr3t@127.0.0.1:{port}"), url)

            assert error.kind is ErrorKind.UPSTREAM_UNREACHABLE
            assert f"proxy (127.0.0.1:{port})" in error.message
            assert "s3cr3t" not in error.message

    def test_a_socks_proxy_without_pysocks_is_told(
        self, adapters: Callable[..., PoeAdapter], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "urllib3.contrib.socks", None)
        error = failure_of(adapters(proxy="socks5://127.0.0.1:1"), "http://poe.test/")

        assert error.kind is ErrorKind.UPSTREAM_UNREACHABLE
        assert "PySocks" in error.message

    @pytest.mark.parametrize("address", ["ftp://me:s3cr3t@host:1", "http://", "http://me:s3cr3t@host:port", "://"])
    def test_an_address_of_no_proxy_is_refused_without_being_shown(self, address: str) -> None:
        with pytest.raises(ValueError, match="proxy") as caught:
            PoeAdapter(proxy=address)

        assert "s3cr3t" not in str(caught.value)

    def test_an_address_without_scheme_is_an_http_proxy(self) -> None:
        proxy = Proxy("proxy.test:3128")

        assert (proxy.scheme, proxy.host, proxy.port, proxy.headers) == ("http", "proxy.test", 3128, {})

    def test_no_proxy_of_the_environment_is_used(self, adapter: PoeAdapter, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{dead_port()}")
        monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{dead_port()}")
        with RawServer(repeating(HELLO)) as poe:
            assert answer_of(adapter, poe.url) == b"hello"


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
    assert reader.dead and left and left[0] - killed < 0.5, (answers, reader, left)
    assert not any(route._idle for route in adapter._routes.values())
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
        tests = "'tests/poe/test_body.py', 'tests/poe/test_transport.py'"
        options = "'-q', '-p', 'no:cacheprovider', '-p', 'no:xdist', '-k', 'not WithGevent'"
        code = "from gevent import monkey; monkey.patch_all(); import sys, pytest; "
        run_with_gevent(f"{code}sys.exit(pytest.main([{tests}, {options}]))")
