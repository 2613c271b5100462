"""A request over a pair of sockets, and the head that comes back; test_transport.py has the same over connections."""

import socket
import threading
from collections.abc import Iterator

import pytest

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.poe.socket_io import NoAnswerError, read_head, write_request

Pair = tuple[socket.socket, socket.socket]
HEAD = b"HTTP/1.1 200 OK\r\nX-A: b\r\n\r\n"


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, poes = socket.socketpair()
    with ours, poes:
        ours.settimeout(5.0)
        poes.settimeout(5.0)
        yield ours, poes


def test_head_and_body_arrive_in_order(pair: Pair) -> None:
    ours, poes = pair
    body = bytes(range(256)) * 8_000
    seen = bytearray()

    def take() -> None:
        while len(seen) < 4 + len(body):
            seen.extend(poes.recv(65536))

    taking = threading.Thread(target=take)
    taking.start()
    assert write_request(ours, b"head", body)
    taking.join(5)
    assert bytes(seen) == b"head" + body


def test_a_connection_that_broke_may_still_hold_an_answer(pair: Pair) -> None:
    ours, poes = pair
    poes.sendall(HEAD)
    poes.close()
    assert not write_request(ours, b"head", b"x" * 1_000_000)
    assert read_head(ours, 1.0, 1.0, None)[0].status == 200


def test_a_request_that_is_not_taken_is_a_timeout(pair: Pair) -> None:
    pair[0].settimeout(0.1)
    with pytest.raises(GatewayError) as caught:
        write_request(pair[0], b"head", b"x" * 30_000_000)
    assert caught.value.kind is ErrorKind.UPSTREAM_TIMEOUT


def test_what_comes_behind_the_head_is_handed_on(pair: Pair) -> None:
    pair[1].sendall(HEAD + b"hello")
    head, rest = read_head(pair[0], 1.0, 1.0, None)
    assert (head.status, rest) == (200, b"hello")


@pytest.mark.parametrize(("said", "error"), [(b"", NoAnswerError), (HEAD[:20], GatewayError)])
def test_an_end_before_the_head_is_whole(pair: Pair, said: bytes, error: type[Exception]) -> None:
    pair[1].sendall(said)
    pair[1].close()
    with pytest.raises(error) as caught:
        read_head(pair[0], 1.0, 1.0, None)
    if isinstance(caught.value, GatewayError):
        assert caught.value.kind is ErrorKind.UPSTREAM_CUT_OFF


def test_silence_is_told_at_each_tick_and_ends(pair: Pair) -> None:
    ticks: list[None] = []
    with pytest.raises(GatewayError) as caught:
        read_head(pair[0], 0.3, 0.05, lambda: ticks.append(None))
    assert caught.value.kind is ErrorKind.UPSTREAM_TIMEOUT
    assert 1 <= len(ticks) <= 6


def test_who_is_told_of_silence_may_give_up(pair: Pair) -> None:
    def give_up() -> None:
        raise KeyError("the client has left")

    with pytest.raises(KeyError):
        read_head(pair[0], 5.0, 0.05, give_up)
