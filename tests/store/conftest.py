"""Databases that several workers share, and a clock that is set by hand."""

from collections.abc import Callable, Iterator
from inspect import signature
from pathlib import Path

import pytest

from poe2openai.store.database import Database

MakeDatabase = Callable[..., Database]

# What is said of these is so on either database.
_ON_BOTH = {"test_uploads", "test_files", "test_videos", "test_sessions", "test_records", "test_record_queries"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "open_database" in metafunc.fixturenames:
        # Whoever names the file has SQLite's own in mind.
        is_about_file = "database_file" in signature(metafunc.function).parameters
        on_both = not is_about_file and metafunc.module.__name__.rpartition(".")[2] in _ON_BOTH
        metafunc.parametrize("kind", ["sqlite", "postgres"] if on_both else ["sqlite"], indirect=True)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database_file(tmp_path: Path) -> Path:
    return tmp_path / "poe2openai.db"


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def open_database(kind: str, database_file: Path, request: pytest.FixtureRequest) -> Iterator[MakeDatabase]:
    """Another worker's database, of those that share one; work is done where it is asked for."""
    url = request.getfixturevalue("postgres_url") if kind == "postgres" else None
    opened = []

    def make(path: Path = database_file) -> Database:
        opened.append(Database(url or path, lambda work: work()))
        return opened[-1]

    yield make
    for database in opened:
        database.close()
