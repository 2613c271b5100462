"""Connections to Poe: which are used again, and which are ended."""

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import Queue

import pytest

from poe2openai.core.errors import ErrorKind
from poe2openai.poe import transport
from poe2openai.poe.transport import PoeAdapter
from tests.support.poe_way import CHUNKED, HELLO, OK, answer_of, begin, failure_of
from tests.support.raw_server import Peer, RawServer, repeating


def _answers_and_waits(left: "Queue[bool]") -> Callable[[Peer], None]:
    """Answers once, and tells when the connection is ended from the other side."""

    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(HELLO)
        left.put(peer.has_left(5.0))

    return serve


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

    def test_one_idle_for_long_is_ended_by_a_request_to_anywhere(
        self, adapter: PoeAdapter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(transport, "IDLE_SECONDS", 0.05)
        left: Queue[bool] = Queue()
        with RawServer(_answers_and_waits(left)) as poe, RawServer(repeating(HELLO)) as other:
            answer_of(adapter, poe.url)
            time.sleep(0.1)
            body = begin(adapter, other.url)
            assert left.get(timeout=2)
            body.close()

    def test_one_idle_for_long_is_ended_by_the_end_of_any_answer(
        self, adapter: PoeAdapter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(transport, "IDLE_SECONDS", 1.0)
        left: Queue[bool] = Queue()
        go_on = threading.Event()

        def serve(peer: Peer) -> None:
            peer.request()
            peer.send(CHUNKED)
            go_on.wait(5)
            peer.send(b"5\r\nhello\r\n0\r\n\r\n")
            peer.has_left()

        with RawServer(_answers_and_waits(left)) as poe, RawServer(serve) as other:
            answer_of(adapter, poe.url)
            body = begin(adapter, other.url)
            assert left.empty()
            time.sleep(1.1)
            go_on.set()
            assert b"".join(body) == b"hello"
            assert left.get(timeout=2)

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
            sock = adapter._pools[poe.url].take()
            assert sock is not None
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            sock.close()
