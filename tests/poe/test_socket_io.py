"""A request over a pair of sockets, and the head that comes back; test_transport.py has the same over connections."""

import socket
import threading
from collections.abc import Iterator

import pytest

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.poe.socket_io import WRITE_SLICE, NoAnswerError, read_head, write_request

Pair = tuple[socket.socket, socket.socket]
HEAD = b"HTTP/1.1 200 OK\r\nX-A: b\r\n\r\n"


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, poes = socket.socketpair()
    with ours, poes:
        ours.settimeout(5.0)
        poes.settimeout(5.0)
        yield ours, poes


@pytest.mark.parametrize("sizes", [(2_048_000,), (0,), (), (1, 2_000_000, 0, 47_999), (1000,) * 2_000])
def test_head_and_body_arrive_in_order(pair: Pair, sizes: tuple[int, ...]) -> None:
    ours, poes = pair
    whole = bytes(range(256)) * 8_000
    pieces = [whole[sum(sizes[:place]) :][:size] for place, size in enumerate(sizes)]
    body = b"".join(pieces)
    seen = bytearray()

    def take() -> None:
        while len(seen) < 4 + len(body):
            seen.extend(poes.recv(65536))

    taking = threading.Thread(target=take)
    taking.start()
    assert write_request(ours, b"head", pieces)
    taking.join(5)
    assert bytes(seen) == b"head" + body


def test_a_connection_that_broke_may_still_hold_an_answer(pair: Pair) -> None:
    ours, poes = pair
    poes.sendall(HEAD)
    poes.close()
    assert not write_request(ours, b"head", [b"x" * 1_000_000])
    assert read_head(ours, 1.0, 1.0, None)[0].status == 200


def test_a_request_that_is_not_taken_is_a_timeout(pair: Pair) -> None:
    pair[0].settimeout(0.1)
    with pytest.raises(GatewayError) as caught:
        write_request(pair[0], b"head", [b"x" * 30_000_000])
    assert caught.value.kind is ErrorKind.UPSTREAM_TIMEOUT


def drain(sock: socket.socket) -> threading.Thread:
    def take() -> None:
        while sock.recv(65536):
            pass

    taking = threading.Thread(target=take)
    taking.start()
    return taking


def test_between_the_slices_of_a_long_body_others_have_their_turn(pair: Pair) -> None:
    ours, poes = pair
    turns: list[None] = []
    taking = drain(poes)
    body = [b"x" * (3 * WRITE_SLICE + 1), b"y" * 10]

    assert write_request(ours, b"head", body, lambda: turns.append(None))
    assert len(turns) == 5

    ours.shutdown(socket.SHUT_WR)
    taking.join(5)


def test_who_is_told_of_slices_may_give_up(pair: Pair) -> None:
    ours, poes = pair
    taking = drain(poes)
    left = iter([None, None])

    def give_up() -> None:
        if next(left, "gone") == "gone":
            raise KeyError("the client has left")

    with pytest.raises(KeyError):
        write_request(ours, b"head", [b"x" * (9 * WRITE_SLICE)], give_up)
    assert list(left) == []

    ours.shutdown(socket.SHUT_WR)
    taking.join(5)


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
