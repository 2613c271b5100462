"""Waiting for sockets: as long as agreed, and no longer than somebody wants what comes."""

import select
import socket
import threading
import time
from collections.abc import Iterator
from functools import partial

import pytest

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.poe.patience import BrokenError, Patience, SlowError

Pair = tuple[socket.socket, socket.socket]


class NobodyWaits(BaseException):
    pass


def nobody_waits() -> None:
    raise NobodyWaits


def soon() -> float:
    return time.monotonic() + 0.05


def patience(seconds: float = 5.0) -> Patience:
    return Patience(seconds, lambda: None)


@pytest.fixture
def pair() -> Iterator[Pair]:
    here, there = socket.socketpair()
    with here, there:
        here.setblocking(False)
        yield here, there


class TestUntilDone:
    def test_what_comes_later_is_waited_for(self, pair: Pair) -> None:
        here, there = pair
        threading.Timer(0.1, partial(there.send, b"hello")).start()

        assert patience().until_done(here, partial(here.recv, 9), select.POLLIN, time.monotonic() + 5) == b"hello"

    def test_silence(self, pair: Pair) -> None:
        here, _ = pair
        with pytest.raises(SlowError):
            patience().until_done(here, partial(here.recv, 9), select.POLLIN, soon())

    def test_a_connection_that_breaks(self, pair: Pair) -> None:
        here, _ = pair

        def broken() -> bytes:
            raise ConnectionResetError

        with pytest.raises(BrokenError):
            patience().until_done(here, broken, select.POLLIN, soon())

    def test_a_socket_that_was_closed_from_elsewhere(self, pair: Pair) -> None:
        here, _ = pair
        here.close()
        with pytest.raises(BrokenError):
            patience().wait(here, select.POLLIN, soon())

    def test_all_in_all_it_takes_no_longer_than_agreed(self, pair: Pair) -> None:
        here, _ = pair
        with pytest.raises(GatewayError, match=r"longer than 0\.05 seconds") as caught:
            patience(0.05).until_done(here, partial(here.recv, 9), select.POLLIN, time.monotonic() + 60)
        assert caught.value.kind is ErrorKind.UPSTREAM_TIMEOUT

    def test_who_does_not_want_it_any_more_is_heard(self, pair: Pair) -> None:
        here, _ = pair
        with pytest.raises(NobodyWaits):
            Patience(5.0, nobody_waits).until_done(here, partial(here.recv, 9), select.POLLIN, time.monotonic() + 60)


class TestTurn:
    def test_a_place_is_waited_for(self) -> None:
        places = threading.BoundedSemaphore(1)
        places.acquire()
        threading.Timer(0.1, places.release).start()

        with patience().turn(places):
            assert not places.acquire(blocking=False)
        assert places.acquire(blocking=False)

    def test_whoever_fails_leaves_his_place(self) -> None:
        places = threading.BoundedSemaphore(1)
        with pytest.raises(RuntimeError), patience().turn(places):
            raise RuntimeError
        assert places.acquire(blocking=False)

    def test_not_for_longer_than_agreed(self) -> None:
        with pytest.raises(GatewayError, match="longer than"), patience(0.05).turn(threading.BoundedSemaphore(0)):
            pytest.fail("there was no place")

    def test_not_where_nobody_waits(self) -> None:
        with pytest.raises(NobodyWaits), Patience(5.0, nobody_waits).turn(threading.BoundedSemaphore(1)):
            pytest.fail("nobody wants it")
