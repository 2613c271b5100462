"""PostgreSQL in the file's place: as many workers, one state, and an outage that is over when it is over."""

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, inspect, text

from poe2openai.core.errors import GatewayError
from poe2openai.store.database import Database, check_url
from poe2openai.store.sessions import FAILURES, LoginAttempts, Refused
from poe2openai.store.tables import metadata
from tests.support.postgres_server import PASSWORD, QUOTED_PASSWORD, PostgresServer

Open = Callable[..., Database]


@pytest.fixture
def open_postgres(postgres_url: str) -> Iterator[Open]:
    opened = []

    def make(url: str = postgres_url, *, alone: bool = True) -> Database:
        opened.append(Database(url, lambda work: work(), alone=alone))
        return opened[-1]

    yield make
    for database in opened:
        database.close()


def note(name: str) -> Callable[[Connection], None]:
    def insert(connection: Connection) -> None:
        connection.execute(text("INSERT INTO upload_claims VALUES ('o', :name, 'h', 0)"), {"name": name})

    return insert


def noted(connection: Connection) -> list[str]:
    return list(connection.execute(text("SELECT source FROM upload_claims ORDER BY source")).scalars())


def warnings(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING)


def test_all_tables_and_indexes_are_made_however_many_begin_at_once(open_postgres: Open) -> None:
    databases = [open_postgres() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda database: database.must_work(noted), databases)) == [[]] * 8

    def look(connection: Connection) -> tuple[set[str], set[str]]:
        found = inspect(connection)
        indexes = {str(index["name"]) for table in metadata.tables for index in found.get_indexes(table)}
        return set(found.get_table_names()), indexes

    tables, indexes = databases[0].must_work(look)
    assert tables == set(metadata.tables)
    assert indexes == {index.name for table in metadata.sorted_tables for index in table.indexes}


def test_the_short_scheme_is_understood(open_postgres: Open, postgres_url: str) -> None:
    open_postgres().must_work(note("a"))
    assert open_postgres(postgres_url.replace("postgresql://", "postgres://")).must_work(noted) == ["a"]


def test_who_looks_first_and_writes_then_is_alone_with_it(open_postgres: Open) -> None:
    """On SQLite the file's lock sees to that; here two could both find that there is room for one more."""
    databases = [open_postgres() for _ in range(6)]
    for database in databases:
        database.must_work(noted)
    attempts = [LoginAttempts(database) for database in databases]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda number: attempts[number % 6].begin("1.2.3.4"), range(30)))

    assert len([one for one in found if not isinstance(one, Refused)]) == FAILURES


def test_what_fails_leaves_nothing_behind_and_the_next_works(
    open_postgres: Open, caplog: pytest.LogCaptureFixture
) -> None:
    database = open_postgres()

    def half(connection: Connection) -> None:
        note("a")(connection)
        note("a")(connection)

    database.work(half, None)
    assert database.must_work(noted) == []
    assert "IntegrityError" in warnings(caplog)


def test_a_server_that_restarts_costs_what_was_asked_meanwhile(
    postgres_server: PostgresServer, open_postgres: Open, caplog: pytest.LogCaptureFixture
) -> None:
    database = open_postgres()
    database.must_work(note("a"))
    postgres_server.end()
    try:
        assert database.work(noted, ["otherwise"]) == ["otherwise"]
        with pytest.raises(GatewayError, match="storage fails"):
            database.must_work(noted)
    finally:
        postgres_server.begin()

    assert database.must_work(noted) == ["a"]
    assert len(caplog.records) == 1


def test_options_of_the_url_count_beside_our_own(open_postgres: Open, postgres_url: str) -> None:
    def shown(connection: Connection) -> list[object]:
        return [connection.execute(text(f"SHOW {name}")).scalar() for name in ("work_mem", "lock_timeout")]

    database = open_postgres(postgres_url + "?options=-c%20work_mem%3D5MB")
    assert database.must_work(shown) == ["5MB", "5s"]


def test_connections_stay_few(postgres_server: PostgresServer, open_postgres: Open, postgres_url: str) -> None:
    database = open_postgres(alone=False)
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda _: database.must_work(noted), range(60)))

    name = postgres_url.rpartition("/")[2]
    ((count,),) = postgres_server.execute(f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'")
    assert isinstance(count, int)
    assert count <= 3


def test_no_secret_is_told(
    postgres_server: PostgresServer, open_postgres: Open, caplog: pytest.LogCaptureFixture
) -> None:
    urls = [
        postgres_server.url(password="wr%40ng-secret"),
        postgres_server.url("nowhere"),
        postgres_server.url().replace("127.0.0.1", "secret%20host"),
        postgres_server.url() + "?password=a%20secret",
        postgres_server.url() + "?no_such_option=secret",
    ]
    for url in urls:
        assert open_postgres(url).work(noted, None) is None

    assert len(caplog.records) == len(urls)
    for secret in (PASSWORD, QUOTED_PASSWORD, "wr@ng-secret", "wr%40ng", "a secret", *urls):
        assert secret not in caplog.text
    assert "Traceback" not in caplog.text


def test_one_that_holds_the_lock_is_not_waited_for_for_ever(
    open_postgres: Open, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("poe2openai.store.database.LOCK_SECONDS", 0.3)
    one, other, aside = open_postgres(), open_postgres(), open_postgres(alone=False)
    for database in (one, other, aside):
        database.must_work(noted)
    holds, go = threading.Event(), threading.Event()

    def hold(_: Connection) -> None:
        holds.set()
        go.wait(10)

    thread = threading.Thread(target=one.must_work, args=(hold,))
    thread.start()
    holds.wait(5)
    try:
        assert other.work(noted, ["otherwise"]) == ["otherwise"]
        assert aside.must_work(noted) == [], "what only adds rows waits for nobody"
    finally:
        go.set()
        thread.join(5)
    assert "lock timeout" in warnings(caplog)
    assert other.must_work(noted) == []


@pytest.mark.parametrize("url", ["postgresql://host:port/x", "postgresql://[::1/x"])
def test_a_url_that_is_none_is_told_without_it(url: str) -> None:
    with pytest.raises(ValueError, match="^$"):
        check_url(url)
