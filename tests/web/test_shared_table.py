"""The table that workers share: rows, bounds, the lock between processes, and who may touch the file."""

import multiprocessing
import os
import signal
import stat
import tempfile
import threading
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from poe2openai.web import shared_table
from poe2openai.web.shared_table import SharedTable, private_directory

PROCESSES = multiprocessing.get_context("spawn")


def _count(path: Path, times: int) -> None:
    table = SharedTable(path, 4)
    for _ in range(times):
        with table.locked() as rows:
            until, count = rows.get("shared")
            rows.put("shared", until, count + 1)


def _hold(path: Path, held: Event) -> None:
    table = SharedTable(path, 4)
    with table.locked():
        held.set()
        time.sleep(60)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "private" / "table"


class TestRows:
    def test_an_unknown_key_has_nothing(self, path: Path) -> None:
        with SharedTable(path, 4).locked() as rows:
            assert rows.get("nobody") == (0, 0)

    def test_a_row_is_there_for_the_next_worker(self, path: Path) -> None:
        with SharedTable(path, 4).locked() as rows:
            rows.put("key", 123, 7)
            rows.put("other", 456, 8)
        with SharedTable(path, 4).locked() as rows:
            assert rows.get("key") == (123, 7)
            assert rows.get("other") == (456, 8)
            rows.clear()
            assert rows.get("key") == (0, 0)

    def test_it_does_not_grow_and_forgets_what_ends_first(self, path: Path) -> None:
        table = SharedTable(path, 1)
        size = path.stat().st_size
        with table.locked() as rows:
            for number in range(1, 1001):
                rows.put(f"key {number}", number, 1)
            kept = [number for number in range(1, 1001) if rows.get(f"key {number}") != (0, 0)]
        assert kept == list(range(993, 1001))
        assert path.stat().st_size == size

    def test_numbers_that_are_too_large_stay_at_the_largest(self, path: Path) -> None:
        with SharedTable(path, 4).locked() as rows:
            rows.put("key", 10**30, 10**30)
            assert rows.get("key") == (2**63 - 1, 2**63 - 1)

    def test_without_a_file_it_works_in_this_process(self) -> None:
        table = SharedTable(None, 4)
        with table.locked() as rows:
            rows.put("key", 1, 2)
        with table.locked() as rows:
            assert rows.get("key") == (1, 2)


class TestLock:
    def test_no_count_is_lost_between_processes(self, path: Path) -> None:
        workers = [PROCESSES.Process(target=_count, args=(path, 2000)) for _ in range(3)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(60)
        with SharedTable(path, 4).locked() as rows:
            assert rows.get("shared") == (0, 6000)

    def test_no_count_is_lost_between_threads(self, path: Path) -> None:
        table = SharedTable(path, 4)

        def count() -> None:
            for _ in range(2000):
                with table.locked() as rows:
                    _, count = rows.get("shared")
                    time.sleep(0)
                    rows.put("shared", 0, count + 1)

        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        with table.locked() as rows:
            assert rows.get("shared") == (0, 8000)

    def test_a_process_killed_while_it_holds_the_lock_stalls_nobody(self, path: Path) -> None:
        held = PROCESSES.Event()
        worker = PROCESSES.Process(target=_hold, args=(path, held))
        worker.start()
        assert held.wait(30)
        killer = threading.Timer(0.2, os.kill, (worker.pid, signal.SIGKILL))
        killer.start()
        started = time.monotonic()
        with SharedTable(path, 4).locked() as rows:
            rows.put("key", 1, 1)
        assert time.monotonic() - started < 5
        worker.join(10)

    def test_an_error_inside_frees_the_lock(self, path: Path) -> None:
        table = SharedTable(path, 4)
        with pytest.raises(RuntimeError), table.locked():
            raise RuntimeError
        _count(path, 1)


class TestFile:
    def test_only_this_user_can_read_it(self, path: Path) -> None:
        SharedTable(path, 4)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700

    def test_a_link_is_not_followed(self, path: Path, tmp_path: Path) -> None:
        victim = tmp_path / "victim"
        victim.write_bytes(b"precious")
        path.parent.mkdir()
        path.symlink_to(victim)
        with pytest.raises(OSError, match="symbolic link"):
            SharedTable(path, 4)
        assert victim.read_bytes() == b"precious"

    def test_what_is_no_file_is_refused(self, path: Path) -> None:
        path.parent.mkdir()
        os.mkfifo(path)
        with pytest.raises(OSError, match="table"):
            SharedTable(path, 4)

    def test_a_shorter_file_is_filled(self, path: Path) -> None:
        path.parent.mkdir()
        path.write_bytes(b"\0" * 10)
        with SharedTable(path, 4).locked() as rows:
            rows.put("key", 1, 1)
            assert rows.get("key") == (1, 1)

    def test_workers_meet_again_after_the_file_was_tidied_away(self, path: Path) -> None:
        old = SharedTable(path, 4)
        path.unlink()
        new = SharedTable(path, 4)
        with old.locked() as rows:
            rows.put("key", 1, 1)
        with new.locked() as rows:
            assert rows.get("key") == (1, 1)

    def test_a_folder_that_was_tidied_away_is_made_anew(self, path: Path) -> None:
        table = SharedTable(path, 4)
        path.unlink()
        path.parent.rmdir()
        with table.locked() as rows:
            rows.put("key", 1, 1)
        assert path.exists()


class TestPrivateDirectory:
    @pytest.fixture(autouse=True)
    def _temporary(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        monkeypatch.setattr(shared_table, "_MEMORY", tmp_path / "missing")

    def test_it_is_ours_alone(self, tmp_path: Path) -> None:
        directory = private_directory()
        assert directory is not None
        assert directory.parent == tmp_path
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        assert private_directory() == directory

    def test_one_that_others_may_enter_is_not_used(self) -> None:
        directory = private_directory()
        assert directory is not None
        directory.chmod(0o755)
        assert private_directory() is None

    def test_a_link_is_not_used(self, tmp_path: Path) -> None:
        directory = private_directory()
        assert directory is not None
        directory.rename(tmp_path / "elsewhere")
        directory.symlink_to(tmp_path / "elsewhere")
        assert private_directory() is None

    def test_where_one_place_is_taken_the_next_serves(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        first = private_directory()
        assert first is not None
        first.rmdir()
        first.write_bytes(b"somebody was faster")
        (tmp_path / "memory").mkdir()
        monkeypatch.setattr(shared_table, "_MEMORY", tmp_path / "memory")
        second = private_directory()
        assert second is not None
        assert second.parent == tmp_path / "memory"
