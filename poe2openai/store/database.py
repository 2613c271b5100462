"""The database: SQLite in one file, through SQLAlchemy Core. Storage that fails never stops a chat.

Every piece of work runs where the caller of `Database` wants it, a thread of its own under gevent: SQLite waits for
locks in C, and would hold up the whole worker.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from poe2openai.core.errors import ErrorKind, GatewayError

if TYPE_CHECKING:
    import sqlite3

    from sqlalchemy import Connection, Engine

T = TypeVar("T")

LOCK_SECONDS = 5.0
_SECONDS_BETWEEN_WARNINGS = 60.0

log = logging.getLogger(__name__)


class Run(Protocol):
    """Calls a function somewhere else, and waits for it."""

    def __call__(self, work: Callable[[], Any], /) -> Any: ...


class Database:
    """One a worker. Nothing is opened, and SQLAlchemy not loaded, before there is work: few requests need it."""

    def __init__(self, path: Path, run: Run) -> None:
        self._path = path
        self._run = run
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._next_warning = 0.0

    def work(self, work: "Callable[[Connection], T]", otherwise: T) -> T:
        """What the work gives, done in one transaction; `otherwise` where the storage fails, which the log tells."""
        try:
            return self._work(work)
        except Exception as problem:  # noqa: BLE001 - a driver has errors of its own
            self._warn(problem)
            return otherwise

    def must_work(self, work: "Callable[[Connection], T]") -> T:
        """The same for those that are of no use without storage; raises GatewayError(OVERLOADED)."""
        try:
            return self._work(work)
        except Exception as problem:  # noqa: BLE001 - as above
            self._warn(problem)
            message = "The gateway's own storage fails at the moment; its log says why."
            raise GatewayError(ErrorKind.OVERLOADED, message) from None

    def _work(self, work: "Callable[[Connection], T]") -> T:
        result: T = self._run(lambda: self._in_transaction(work))
        return result

    def _in_transaction(self, work: "Callable[[Connection], T]") -> T:
        with self._lock:
            if self._engine is None:
                self._engine = _open(self._path)
            engine = self._engine
        try:
            with engine.begin() as connection:
                return work(connection)
        except Exception:
            # Whatever it was, the next work looks anew: the file may have been deleted, or moved away.
            with self._lock:
                self._engine = None
            raise

    def _warn(self, problem: Exception) -> None:
        now = time.monotonic()
        if now >= self._next_warning:
            self._next_warning = now + _SECONDS_BETWEEN_WARNINGS
            log.warning(
                "The store fails, and nothing is remembered: %s: %s", type(problem).__name__, _first_line(problem)
            )


def _open(path: Path) -> "Engine":
    from sqlalchemy import NullPool, create_engine  # noqa: PLC0415 - it costs time and memory
    from sqlalchemy.schema import CreateTable  # noqa: PLC0415

    from poe2openai.store.tables import metadata  # noqa: PLC0415

    # No URL with the path in it: a folder's name may hold what is a URL's own.
    engine = create_engine("sqlite://", hide_parameters=True, creator=lambda: _connection(path), poolclass=NullPool)
    with engine.begin() as connection:
        for table in metadata.sorted_tables:
            connection.execute(CreateTable(table, if_not_exists=True))
    return engine


def _connection(path: Path) -> "sqlite3.Connection":
    import sqlite3  # noqa: PLC0415

    # Readable for its owner alone, from the first byte on; SQLite gives its other files the same mode.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    connection = sqlite3.connect(path, LOCK_SECONDS)
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
        except sqlite3.OperationalError:
            # Where two begin a file at once SQLite does not wait, but tells one of them that it is locked.
            if time.monotonic() >= deadline:
                connection.close()
                raise
            time.sleep(0.01)
        except BaseException:
            connection.close()
            raise
        else:
            return connection


def _first_line(problem: Exception) -> str:
    """Without the statement and its values, which SQLAlchemy adds."""
    lines = str(problem).splitlines()
    return lines[0] if lines else ""
