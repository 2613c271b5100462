"""The database: one file for all workers, and never a reason to stop."""

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.store.database import Database

MakeDatabase = Callable[..., Database]
ROOT = Path(__file__).parents[2]


def note(name: str) -> Callable[[Connection], None]:
    """Work that leaves a trace."""

    def insert(connection: Connection) -> None:
        claim = {"name": name}
        connection.execute(text("INSERT INTO upload_claims VALUES ('o', :name, 'h', 0)"), claim)

    return insert


def noted(connection: Connection) -> list[str]:
    return list(connection.execute(text("SELECT source FROM upload_claims ORDER BY source")).scalars())


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_what_one_writes_the_other_reads(open_database: MakeDatabase) -> None:
    one, other = open_database(), open_database()

    one.must_work(note("a"))
    other.must_work(note("b"))

    assert one.must_work(noted) == other.must_work(noted) == ["a", "b"]
    assert open_database().must_work(noted) == ["a", "b"]


def test_nothing_is_opened_before_there_is_work(open_database: MakeDatabase, database_file: Path) -> None:
    open_database()

    assert not database_file.exists()


LOADED = """
import pathlib, sys
from poe2openai.store.database import Database
from poe2openai.store.files import FileIds
from poe2openai.store.uploads import UploadCache

database = Database(pathlib.Path("none"), lambda work: work())
UploadCache(database, ttl_seconds=1, max_bytes=1)
FileIds(database, ttl_seconds=1)
sys.exit("sqlalchemy" in sys.modules)
"""


def test_sqlalchemy_is_not_loaded_before_there_is_work() -> None:
    assert subprocess.run([sys.executable, "-c", LOADED], cwd=ROOT, timeout=30, check=False).returncode == 0


@pytest.mark.parametrize("folder", ["a b", "a?b=c", "a#b", "a%20b", "ü", "a:b@c"])
def test_the_folder_may_have_any_name(open_database: MakeDatabase, tmp_path: Path, folder: str) -> None:
    path = tmp_path / folder / "x.db"
    path.parent.mkdir()
    open_database(path).must_work(note("a"))

    assert open_database(path).must_work(noted) == ["a"]
    assert {each.name for each in tmp_path.iterdir()} == {folder}
    assert path.stat().st_size


def test_work_that_fails_leaves_no_trace(open_database: MakeDatabase) -> None:
    database = open_database()

    def half(connection: Connection) -> None:
        note("a")(connection)
        raise KeyError("b")

    with pytest.raises(GatewayError, match="storage fails"):
        database.must_work(half)
    assert database.work(half, None) is None
    assert database.must_work(noted) == []


def test_all_work_runs_where_it_is_wanted(database_file: Path) -> None:
    done: list[Any] = []

    def run(work: Callable[[], Any]) -> Any:
        done.append(work())
        return done[-1]

    Database(database_file, run).must_work(noted)

    assert done == [[]]


def test_many_threads_share_one(open_database: MakeDatabase) -> None:
    databases = [open_database(), open_database()]
    names = [f"{number:02}" for number in range(40)]
    threads = [threading.Thread(target=databases[int(name) % 2].work, args=(note(name), None)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert databases[0].must_work(noted) == names


def test_whoever_writes_is_waited_for(open_database: MakeDatabase) -> None:
    one, other = open_database(), open_database()
    one.must_work(noted)
    is_writing = threading.Event()

    def slowly(connection: Connection) -> None:
        note("a")(connection)
        is_writing.set()
        time.sleep(0.3)

    writing = threading.Thread(target=one.must_work, args=(slowly,))
    writing.start()
    is_writing.wait(5)
    other.must_work(note("b"))
    writing.join(5)

    assert one.must_work(noted) == ["a", "b"]


class TestBrokenStorage:
    def test_gives_what_was_asked_for_otherwise_and_one_warning(
        self, open_database: MakeDatabase, database_file: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        database_file.mkdir()
        database = open_database()

        assert [database.work(noted, ["otherwise"]) for _ in range(5)] == [["otherwise"]] * 5
        (said,) = warnings(caplog)
        assert said.startswith("The store fails, and nothing is remembered: ")

    def test_a_file_full_of_garbage(
        self, open_database: MakeDatabase, database_file: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        database_file.write_bytes(b"garbage " * 5_000)
        database = open_database()

        assert database.work(noted, None) is None
        assert database.work(note("a"), None) is None
        assert len(warnings(caplog)) == 1
        with pytest.raises(GatewayError, match="storage fails") as caught:
            database.must_work(noted)
        assert caught.value.kind is ErrorKind.OVERLOADED
        assert database_file.read_bytes() == b"garbage " * 5_000

    def test_a_folder_that_is_not_there(
        self, open_database: MakeDatabase, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert open_database(tmp_path / "none" / "x.db").work(noted, ["otherwise"]) == ["otherwise"]
        assert len(warnings(caplog)) == 1

    def test_a_folder_nobody_may_write_to(
        self, open_database: MakeDatabase, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        folder = tmp_path / "read-only"
        folder.mkdir(0o500)
        if os.geteuid() == 0:  # who may write anywhere but there
            folder = Path("/proc/self")

        assert open_database(folder / "x.db").work(noted, ["otherwise"]) == ["otherwise"]
        assert len(warnings(caplog)) == 1

    def test_a_disk_without_room(self, open_database: MakeDatabase, caplog: pytest.LogCaptureFixture) -> None:
        database = open_database()
        database.must_work(note("a"))

        def too_much(connection: Connection) -> str:
            connection.execute(text("PRAGMA max_page_count = 1"))
            for number in range(9_000):
                note(f"{number}")(connection)
            return "all"

        assert database.work(too_much, "otherwise") == "otherwise"
        assert database.must_work(noted) == ["a"]
        assert len(warnings(caplog)) == 1

    def test_storage_that_is_mended_works_again(self, open_database: MakeDatabase, database_file: Path) -> None:
        database = open_database()
        database_file.mkdir()
        assert database.work(noted, None) is None

        database_file.rmdir()
        assert database.work(noted, None) == []

    def test_a_file_that_is_deleted_meanwhile_is_made_again(
        self, open_database: MakeDatabase, database_file: Path
    ) -> None:
        database = open_database()
        database.must_work(note("a"))
        for path in database_file.parent.iterdir():
            path.unlink()

        database.work(note("b"), None)  # may be lost
        database.work(note("c"), None)

        assert "c" in database.must_work(noted)
        assert database_file.stat().st_mode & 0o777 == 0o600

    def test_the_warning_shows_no_values(self, open_database: MakeDatabase, caplog: pytest.LogCaptureFixture) -> None:
        database = open_database()
        database.must_work(note("secret"))
        database.work(note("secret"), None)

        (said,) = warnings(caplog)
        assert "secret" not in said
        assert "\n" not in said
