"""The database, through SQLAlchemy Core: SQLite in one file, or PostgreSQL. Storage that fails never stops a chat.

Every piece of work runs where the caller of `Database` wants it, a thread of its own under gevent: SQLite waits for
locks in C, and would hold up the whole worker. On PostgreSQL, as on SQLite, those who write do so one after another.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import urlsplit

from poe2openai.core.errors import ErrorKind, GatewayError

if TYPE_CHECKING:
    import sqlite3

    from sqlalchemy import URL, Connection, Engine

T = TypeVar("T")

LOCK_SECONDS = 5.0

_CONNECT_SECONDS = 5
_STATEMENT_SECONDS = 30
_LOCK_NUMBER = 0x706F6532  # of PostgreSQL's advisory locks, any number that nobody else takes
_SECONDS_BETWEEN_WARNINGS = 60.0

log = logging.getLogger(__name__)


class Run(Protocol):
    """Calls a function somewhere else, and waits for it."""

    def __call__(self, work: Callable[[], Any], /) -> Any: ...


class Database:
    """One a worker. Nothing is opened, and SQLAlchemy not loaded, before there is work: few requests need it.

    `place` is SQLite's file, or PostgreSQL's URL. Work that need not be alone says so (`alone=False`): it only adds
    rows that nobody else adds, or only reads.
    """

    def __init__(self, place: Path | str, run: Run, *, alone: bool = True) -> None:
        self._place = place
        self._run = run
        self._alone = alone
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

    def close(self) -> None:
        """Lets go of its connections; later work opens others."""
        with self._lock:
            engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose()

    def _work(self, work: "Callable[[Connection], T]") -> T:
        result: T = self._run(lambda: self._in_transaction(work))
        return result

    def _in_transaction(self, work: "Callable[[Connection], T]") -> T:
        with self._lock:
            if self._engine is None:
                self._engine = _open(self._place)
            engine = self._engine
        try:
            with engine.begin() as connection:
                _begin(connection, alone=self._alone)
                return work(connection)
        except Exception:
            # Whatever it was, the next work looks anew: the file may have been deleted, or moved away.
            with self._lock:
                self._engine = None
            engine.dispose()
            raise

    def _warn(self, problem: Exception) -> None:
        now = time.monotonic()
        if now >= self._next_warning:
            self._next_warning = now + _SECONDS_BETWEEN_WARNINGS
            log.warning(
                "The store fails, and nothing is remembered: %s: %s", type(problem).__name__, self._first_line(problem)
            )

    def _first_line(self, problem: Exception) -> str:
        """Without the statement and its values, which SQLAlchemy adds, and without what the URL holds."""
        line = next(iter(str(problem).splitlines()), "")
        if isinstance(self._place, str):
            for secret in sorted(_secrets(self._place), key=len, reverse=True):
                line = line.replace(secret, "•••")
        return line


def check_url(url: str) -> None:
    """Raises ImportError without PostgreSQL's driver, ValueError for a URL that it cannot use; neither shows it."""
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415 - it costs time and memory

    import_module("psycopg")
    try:
        _postgres_url(url)
    except (ArgumentError, ValueError):
        raise ValueError from None


def _open(place: Path | str) -> "Engine":
    from sqlalchemy.schema import CreateIndex, CreateTable  # noqa: PLC0415

    from poe2openai.store.tables import metadata  # noqa: PLC0415

    engine = _sqlite(place) if isinstance(place, Path) else _postgres(place)
    try:
        with engine.begin() as connection:
            _begin(connection, alone=True)
            for table in metadata.sorted_tables:
                connection.execute(CreateTable(table, if_not_exists=True))
                for index in table.indexes:
                    connection.execute(CreateIndex(index, if_not_exists=True))
    except Exception:
        engine.dispose()
        raise
    return engine


def _sqlite(path: Path) -> "Engine":
    from sqlalchemy import NullPool, create_engine  # noqa: PLC0415

    # No URL with the path in it: a folder's name may hold what is a URL's own.
    return create_engine("sqlite://", hide_parameters=True, creator=lambda: _connection(path), poolclass=NullPool)


def _postgres(url: str) -> "Engine":
    from sqlalchemy import create_engine  # noqa: PLC0415

    # No prepared statements, and no settings of the connection: a pooler gives each transaction another one.
    return create_engine(
        _postgres_url(url),
        hide_parameters=True,
        pool_size=1,
        max_overflow=2,
        pool_pre_ping=True,
        pool_recycle=300,
        connect_args={"connect_timeout": _CONNECT_SECONDS, "prepare_threshold": None},
    )


def _postgres_url(url: str) -> "URL":
    from sqlalchemy import make_url  # noqa: PLC0415

    return make_url(url).set(drivername="postgresql+psycopg")


def _secrets(url: str) -> set[str]:
    """What of it no log may show."""
    parsed = _postgres_url(url)
    told = (url, parsed.password, urlsplit(url).password, parsed.query.get("password"))
    return {text for text in told if isinstance(text, str) and text}


def _begin(connection: "Connection", *, alone: bool) -> None:
    """On SQLite who writes waits by itself; PostgreSQL would let both go on, with what each of them knows."""
    if connection.dialect.name != "postgresql":
        return
    seconds = {"lock_timeout": LOCK_SECONDS, "statement_timeout": _STATEMENT_SECONDS}
    # Who is cut off in the middle is not to hold up the others.
    seconds["idle_in_transaction_session_timeout"] = _STATEMENT_SECONDS
    statements = [f"SET LOCAL {name} = {round(value * 1000)}" for name, value in seconds.items()]
    if alone:
        statements.append(f"SELECT pg_advisory_xact_lock({_LOCK_NUMBER})")
    connection.exec_driver_sql("; ".join(statements))


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
