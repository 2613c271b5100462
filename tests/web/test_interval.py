"""Turns as one sees them who waits for one."""

import multiprocessing
import os
import signal
import time
from multiprocessing.queues import Queue
from pathlib import Path

import pytest
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import STRATEGIES

from poe2openai.web.interval import TURNS, Turn, TurnRateLimiter, TurnSupport
from poe2openai.web.shared_counts import MachineStorage

PROCESSES = multiprocessing.get_context("spawn")
EVERY_50_MS = parse("1000/50 seconds")


class Leaves(BaseException):
    """What kills a greenlet whose client hung up."""


def strategy(path: Path, max_wait_ms: int = 30_000) -> TurnRateLimiter:
    return TurnRateLimiter(MachineStorage(path=str(path), max_wait_ms=max_wait_ms))


def _wait_turns(path: Path, times: int, started: "Queue[float]") -> None:
    limiter = strategy(path)
    for _ in range(times):
        assert limiter.hit(EVERY_50_MS, "all")
        started.put(time.monotonic())


def test_flask_limiter_finds_it_by_name() -> None:
    assert STRATEGIES[TURNS] is TurnRateLimiter  # type: ignore[comparison-overlap]


def test_the_first_one_does_not_wait_and_the_next_ones_do(tmp_path: Path) -> None:
    limiter = strategy(tmp_path / "turns")
    before = time.monotonic()
    for number in range(4):
        assert limiter.hit(EVERY_50_MS, "all")
        assert time.monotonic() >= before + number * 0.05
    assert time.monotonic() - before < 1


def test_who_would_wait_too_long_is_refused_at_once_and_told_when(tmp_path: Path) -> None:
    limiter, item = strategy(tmp_path / "turns", max_wait_ms=2000), parse("1000/5000 seconds")
    assert limiter.test(item, "all")
    assert limiter.get_window_stats(item, "all").remaining == 1
    assert limiter.hit(item, "all")
    before = time.monotonic()
    assert not limiter.test(item, "all")
    assert not limiter.hit(item, "all")
    assert time.monotonic() - before < 0.5
    reset_time, remaining = limiter.get_window_stats(item, "all")
    assert remaining == 0
    assert 2.5 < reset_time - time.time() <= 3


def test_the_window_tells_how_many_may_still_queue(tmp_path: Path) -> None:
    limiter = strategy(tmp_path / "turns", max_wait_ms=1000)
    assert limiter.get_window_stats(parse("1000/100 seconds"), "all").remaining == 11


def test_who_leaves_the_queue_gives_the_last_slot_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limiter, item = strategy(tmp_path / "turns"), parse("1000/5000 seconds")
    assert limiter.hit(item, "all")

    def leave(_: float) -> None:
        raise Leaves

    with monkeypatch.context() as patched:
        patched.setattr("poe2openai.web.interval.time.sleep", leave)
        with pytest.raises(Leaves):
            limiter.hit(item, "all")
    assert limiter.get_window_stats(item, "all").reset_time <= time.time() + 0.1
    assert limiter.storage.wait_of_next(item.key_for("all")) <= 5  # type: ignore[attr-defined]


def test_who_leaves_does_not_reach_poe_even_when_the_storage_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(MachineStorage):
        def give_back(self, key: str, turn: Turn, interval: float) -> None:
            raise OSError("gone")

    def leave(_: float) -> None:
        raise Leaves

    limiter, item = TurnRateLimiter(Failing(max_wait_ms=30_000)), parse("1000/5000 seconds")
    assert limiter.hit(item, "all")
    with monkeypatch.context() as patched:
        patched.setattr("poe2openai.web.interval.time.sleep", leave)
        with pytest.raises(Leaves):
            limiter.hit(item, "all")


def test_processes_start_an_interval_apart_though_one_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "turns"
    started: Queue[float] = PROCESSES.Queue()
    workers = [PROCESSES.Process(target=_wait_turns, args=(path, 12, started)) for _ in range(3)]
    doomed = PROCESSES.Process(target=_wait_turns, args=(path, 1000, PROCESSES.Queue()))
    before = time.monotonic()
    for worker in (*workers, doomed):
        worker.start()
    moments = [started.get(timeout=30) for _ in range(6)]
    assert doomed.pid is not None
    os.kill(doomed.pid, signal.SIGKILL)
    killed = time.monotonic()
    moments += [started.get(timeout=30) for _ in range(30)]
    assert time.monotonic() - killed < 36 * 0.05 + 5
    for worker in (*workers, doomed):
        worker.join(30)
    # No start is before its slot, and no slot before this; a start may be late on a busy machine.
    for number, moment in enumerate(sorted(moments)):
        assert moment >= before + number * 0.05


def test_other_storages_have_no_turns() -> None:
    storage = MemoryStorage()
    with pytest.raises(NotImplementedError, match="turns"):
        TurnRateLimiter(storage)
    storage.timer.join(5)


def test_a_cost_takes_several_intervals(tmp_path: Path) -> None:
    limiter, item = strategy(tmp_path / "turns"), parse("1000/1000 seconds")
    limiter.hit(item, "all", cost=4)
    assert isinstance(limiter.storage, TurnSupport)
    assert 3.5 < limiter.storage.wait_of_next(_key(item)) <= 4


def _key(item: RateLimitItem) -> str:
    return item.key_for("all")
