"""Counters and turns of the machine's own storage."""

import logging
import multiprocessing
import time
from itertools import pairwise
from pathlib import Path

import pytest
from limits import parse
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter

from poe2openai.web.interval import Turn
from poe2openai.web.shared_counts import MachineStorage
from poe2openai.web.shared_table import SharedTable

PROCESSES = multiprocessing.get_context("spawn")
LONG_AGO_BOOTED = 10**18  # about 30 years of uptime


def _hit(path: str, times: int) -> int:
    limiter = FixedWindowRateLimiter(MachineStorage(path=path, buckets=64))
    return sum(limiter.hit(parse("100/minute"), "caller") for _ in range(times))


def _reserve(path: str, times: int) -> list[tuple[int, int, int]]:
    """(before, slot, after) of each turn, on the one clock of all processes."""
    storage = MachineStorage(path=path, max_wait_ms=60_000)
    taken = []
    for _ in range(times):
        before = time.monotonic_ns()
        turn = storage.reserve("all", 0.1)
        assert turn is not None
        taken.append((before, turn.slot, time.monotonic_ns()))
        time.sleep(0.001)
    return taken


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "table")


@pytest.fixture
def storage(path: str) -> MachineStorage:
    return MachineStorage(path=path, buckets=64, max_wait_ms=30_000)


class TestCounters:
    def test_a_uri_opens_it(self) -> None:
        assert isinstance(storage_from_string("machine://"), MachineStorage)
        assert MachineStorage().check()

    def test_a_window_counts_and_tells_its_end(self, storage: MachineStorage) -> None:
        assert [storage.incr("a", 60), storage.incr("a", 60, 2), storage.incr("b", 60)] == [1, 3, 1]
        assert storage.get("a") == 3
        assert 58 < storage.get_expiry("a") - time.time() <= 60

    def test_an_unknown_key_has_ended(self, storage: MachineStorage) -> None:
        assert storage.get("a") == 0
        assert storage.get_expiry("a") <= time.time() + 0.1

    def test_a_window_ends(self, storage: MachineStorage) -> None:
        limiter, item = FixedWindowRateLimiter(storage), parse("2/second")
        assert [limiter.hit(item, "a") for _ in range(3)] == [True, True, False]
        time.sleep(1.05)
        assert limiter.hit(item, "a")

    def test_a_window_from_before_a_reboot_counts_no_more(self, storage: MachineStorage, path: str) -> None:
        storage.incr("a", 60)
        with SharedTable(Path(path), 64).locked() as rows:
            rows.put("a", LONG_AGO_BOOTED, 1000)
        assert storage.incr("a", 60) == 1

    def test_keys_can_be_cleared(self, storage: MachineStorage) -> None:
        storage.incr("a", 60)
        storage.incr("b", 60)
        storage.clear("a")
        assert (storage.get("a"), storage.get("b")) == (0, 1)
        storage.reset()
        assert storage.get("b") == 0

    def test_the_longest_window_of_all_is_no_error(self, storage: MachineStorage) -> None:
        assert storage.incr("a", 999_999_999 * 31_104_000) == 1
        assert storage.incr("a", 999_999_999 * 31_104_000) == 2

    def test_processes_count_together(self, path: str) -> None:
        with PROCESSES.Pool(3) as pool:
            allowed = pool.starmap(_hit, [(path, 60)] * 3)
        assert sum(allowed) == 100


class TestTurns:
    def test_slots_are_an_interval_apart(self, storage: MachineStorage) -> None:
        turns = [storage.reserve("all", 0.25) for _ in range(4)]
        slots = [turn.slot for turn in turns if turn]
        assert [later - earlier for earlier, later in pairwise(slots)] == [250_000_000] * 3
        assert turns[0] is not None
        assert turns[0].wait == 0
        assert 0.7 < storage.wait_of_next("all") <= 1.0

    def test_after_a_pause_nobody_waits(self, storage: MachineStorage) -> None:
        storage.reserve("all", 0.02)
        time.sleep(0.03)
        turn = storage.reserve("all", 0.02)
        assert turn is not None
        assert turn.wait == 0

    def test_a_wait_that_is_too_long_takes_no_slot(self, path: str) -> None:
        storage = MachineStorage(path=path, max_wait_ms=1000)
        assert [storage.reserve("all", 0.6) is not None for _ in range(4)] == [True, True, False, False]
        assert storage.wait_of_next("all") <= 1.2

    def test_the_last_slot_can_be_given_back(self, storage: MachineStorage) -> None:
        storage.reserve("all", 5)
        turn = storage.reserve("all", 5)
        assert turn is not None
        storage.give_back("all", turn, 5)
        again = storage.reserve("all", 5)
        assert again is not None
        assert again.slot == turn.slot

    def test_a_slot_with_others_behind_it_stays_empty(self, storage: MachineStorage) -> None:
        first = storage.reserve("all", 5)
        second = storage.reserve("all", 5)
        assert first is not None
        assert second is not None
        storage.give_back("all", first, 5)
        storage.give_back("all", Turn(0, 12345), 5)
        third = storage.reserve("all", 5)
        assert third is not None
        assert third.slot == second.slot + 5_000_000_000

    def test_a_schedule_from_before_a_reboot_holds_nobody_up(self, storage: MachineStorage, path: str) -> None:
        with SharedTable(Path(path), 64).locked() as rows:
            rows.put("all", LONG_AGO_BOOTED, 0)
        turn = storage.reserve("all", 5)
        assert turn is not None
        assert turn.wait == 0

    def test_processes_share_one_schedule_first_come_first_served(self, path: str) -> None:
        with PROCESSES.Pool(4) as pool:
            taken = [turn for turns in pool.starmap(_reserve, [(path, 40)] * 4) for turn in turns]
        taken.sort(key=lambda turn: turn[1])
        slots = [slot for _, slot, _ in taken]
        assert len(slots) == 160
        assert all(later - earlier >= 100_000_000 for earlier, later in pairwise(slots))
        for index, (before, _, _) in enumerate(taken):
            served_later = taken[index + 1 :]
            assert all(after >= before for _, _, after in served_later), "somebody who was done before waited longer"


def test_where_the_file_cannot_be_made_the_worker_counts_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_bytes(b"")
    with caplog.at_level(logging.WARNING):
        storage = MachineStorage(path=str(tmp_path / "file" / "table"))
    assert "for each worker by itself" in caplog.text
    assert storage.incr("a", 60) == 1
