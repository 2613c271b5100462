"""The file on disk: its owner's alone, made once by whoever comes first, and what it holds."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import inspect

from poe2openai.store.database import Database
from poe2openai.store.tables import metadata
from poe2openai.store.uploads import Upload, UploadCache

MakeDatabase = Callable[..., Database]
ROOT = Path(__file__).parents[2]

OPEN = """
import pathlib, sys, time
from poe2openai.store.database import Database
from poe2openai.store.tables import uploads

database = Database(pathlib.Path(sys.argv[1]), lambda work: work())
while time.time() < float(sys.argv[2]):
    pass
print(database.must_work(lambda connection: connection.execute(uploads.select()).all()))
"""


def test_every_table_is_there_with_its_columns(open_database: MakeDatabase) -> None:
    found = open_database().must_work(
        lambda connection: {
            name: [column["name"] for column in inspect(connection).get_columns(name)]
            for name in inspect(connection).get_table_names()
        }
    )

    assert found == {table.name: table.columns.keys() for table in metadata.sorted_tables}
    assert set(found) == {
        *("uploads", "upload_claims", "files", "videos", "admin_sessions", "admin_login_failures"),
        *("requests", "request_texts"),
    }


def test_every_index_is_there(open_database: MakeDatabase) -> None:
    found = open_database().must_work(
        lambda connection: {
            index["name"] for table in metadata.tables for index in inspect(connection).get_indexes(table)
        }
    )

    assert found == {index.name for table in metadata.sorted_tables for index in table.indexes}
    assert len(found) >= 5


@pytest.mark.parametrize("is_there", [False, True])
def test_nobody_else_can_read_the_file(open_database: MakeDatabase, database_file: Path, is_there: bool) -> None:
    if is_there:
        open_database().must_work(lambda _: None)
    modes: dict[str, int] = {}

    def look(_: object) -> None:
        modes.update({path.name: path.stat().st_mode & 0o777 for path in database_file.parent.iterdir()})

    open_database().must_work(look)

    assert modes[database_file.name] == 0o600
    assert set(modes.values()) == {0o600}


def test_several_workers_may_make_the_file_at_once(database_file: Path) -> None:
    begin = str(time.time() + 1.5)
    arguments = [sys.executable, "-W", "error", "-c", OPEN, str(database_file), begin]
    workers = [subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(6)]
    ended = [(worker.communicate(timeout=60), worker.returncode) for worker in workers]

    assert ended == [((b"[]\n", b""), 0)] * 6


def test_an_address_may_be_long_and_a_size_large(open_database: MakeDatabase) -> None:
    cache = UploadCache(open_database(), ttl_seconds=60, max_bytes=10**15)
    upload = Upload("o" * 64, "s" * 80, "https://x.test/" + "é" * 9_000, "image/png", "n" * 900, 5_000_000_000)
    cache.put(upload)

    assert cache.find(["o" * 64], "s" * 80) == upload
