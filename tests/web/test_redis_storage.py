"""Turns and counters in a real Redis; skipped where there is none."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from limits import parse
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter

from poe2openai.web.interval import Turn, TurnRateLimiter
from poe2openai.web.redis_storage import SCHEME, RedisTurnStorage
from tests.support.redis_server import IS_INSTALLED, RedisServer

pytestmark = pytest.mark.skipif(not IS_INSTALLED, reason="needs redis-server and the Python package redis")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.stop()


def storage(uri: str, max_wait_ms: int = 30_000) -> RedisTurnStorage:
    opened = storage_from_string(SCHEME + uri, max_wait_ms=max_wait_ms)
    assert isinstance(opened, RedisTurnStorage)
    return opened


def reserve(storage: RedisTurnStorage, interval: float) -> Turn:
    turn = storage.reserve("all", interval)
    assert turn is not None
    return turn


def test_slots_are_an_interval_apart_for_all_machines(server: RedisServer) -> None:
    one, other = storage(server.uri), storage(server.uri)
    turns = [reserve(one, 0.25), reserve(other, 0.25), reserve(one, 0.25)]
    assert [turn.slot - turns[0].slot for turn in turns] == [0, 250_000, 500_000]
    assert turns[0].wait == 0
    assert 0.3 < turns[2].wait <= 0.5
    assert 0.5 < one.wait_of_next("all") <= 0.75


def test_after_a_pause_nobody_waits_and_nothing_is_kept(server: RedisServer) -> None:
    redis = storage(server.uri)
    reserve(redis, 0.05)
    time.sleep(0.1)
    assert redis.get_connection().keys("*") == []  # type: ignore[attr-defined]
    assert reserve(redis, 0.05).wait == 0


def test_a_wait_that_is_too_long_takes_no_slot(server: RedisServer) -> None:
    redis = storage(server.uri, max_wait_ms=1000)
    assert [redis.reserve("all", 0.6) is not None for _ in range(4)] == [True, True, False, False]
    assert redis.wait_of_next("all") <= 1.2


def test_only_the_last_slot_is_given_back(server: RedisServer) -> None:
    redis = storage(server.uri)
    first, second = reserve(redis, 5), reserve(redis, 5)
    redis.give_back("all", first, 5)
    assert redis.wait_of_next("all") > 9
    redis.give_back("all", second, 5)
    assert reserve(redis, 5).slot == second.slot


def test_a_schedule_that_reaches_absurdly_far_holds_nobody_up(server: RedisServer) -> None:
    redis = storage(server.uri)
    redis.get_connection().set("LIMITS:all", 9 * 10**15)  # type: ignore[attr-defined]
    assert reserve(redis, 5).wait == 0


def test_turns_wait_and_refuse(server: RedisServer) -> None:
    limiter, item = TurnRateLimiter(storage(server.uri, max_wait_ms=300)), parse("1000/200 seconds")
    before = time.monotonic()
    assert [limiter.hit(item, "all") for _ in range(3)] == [True] * 3
    assert 0.4 <= time.monotonic() - before < 2
    another_machine = storage(server.uri, max_wait_ms=300)
    while another_machine.reserve(item.key_for("all"), 0.2):
        pass
    assert not limiter.hit(item, "all")
    assert limiter.get_window_stats(item, "all").reset_time - time.time() < 0.3


def test_counters_are_the_librarys(server: RedisServer) -> None:
    limiter, item = FixedWindowRateLimiter(storage(server.uri)), parse("2/minute")
    assert [limiter.hit(item, "a") for _ in range(3)] == [True, True, False]
    reset_time, remaining = limiter.get_window_stats(item, "a")
    assert remaining == 0
    assert 55 < reset_time - time.time() <= 61


def test_a_redis_that_is_gone_and_back(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("poe2openai.web.redis_storage._SECONDS_BETWEEN_TRIES", 0.3)
    redis = storage(server.uri)
    assert redis.incr("a", 60) == 1
    server.stop()
    before = time.monotonic()
    for _ in range(5):
        with pytest.raises(Exception, match=r"refused|closed|just failed|reset"):
            redis.incr("a", 60)
    assert time.monotonic() - before < 1
    server.start()
    time.sleep(0.4)
    assert redis.incr("a", 60) == 1
    assert redis.incr("a", 60) == 2


def test_a_redis_that_says_nothing_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        accepted: list[socket.socket] = []
        threading.Thread(target=lambda: accepted.append(silent.accept()[0]), daemon=True).start()
        redis = storage(f"redis://127.0.0.1:{silent.getsockname()[1]}")
        before = time.monotonic()
        for _ in range(20):
            with pytest.raises(Exception, match=r"[Tt]imeout|just failed"):
                redis.reserve("all", 0.1)
        assert time.monotonic() - before < 1
        for connection in accepted:
            connection.close()
