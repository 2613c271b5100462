"""Databases on one file, and a clock that is set by hand."""

from collections.abc import Callable
from pathlib import Path

import pytest

from poe2openai.store.database import Database

MakeDatabase = Callable[..., Database]


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
def open_database(database_file: Path) -> MakeDatabase:
    """Another worker's database on the same file; work is done where it is asked for."""

    def make(path: Path = database_file) -> Database:
        return Database(path, lambda work: work())

    return make
