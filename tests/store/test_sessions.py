"""Sessions that begin and end, and attempts that are counted: by a clock that is set by hand."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from poe2openai.core.errors import GatewayError
from poe2openai.store.database import Database
from poe2openai.store.sessions import (
    FAILURES,
    GATE_SECONDS,
    LOCKED_SECONDS,
    LONGEST_WAIT,
    MOST_FAILURES,
    AdminSessions,
    LoginAttempts,
    Refused,
)

MakeDatabase = Callable[..., Database]
IDLE, TOTAL = 60.0, 600.0


@pytest.fixture
def sessions(open_database: MakeDatabase, clock: Any) -> AdminSessions:
    return AdminSessions(open_database(), idle_seconds=IDLE, total_seconds=TOTAL, clock=clock)


@pytest.fixture
def attempts(open_database: MakeDatabase, clock: Any) -> LoginAttempts:
    return LoginAttempts(open_database(), clock=clock)


class TestSessions:
    def test_each_is_known_to_all_workers_until_it_ends(
        self, sessions: AdminSessions, open_database: MakeDatabase, clock: Any
    ) -> None:
        one, two = sessions.begin("192.0.2.1"), sessions.begin("192.0.2.1")
        other = AdminSessions(open_database(), idle_seconds=IDLE, total_seconds=TOTAL, clock=clock)
        assert other.is_alive(one)
        other.end(one)
        assert not sessions.is_alive(one)
        assert sessions.is_alive(two)

    def test_nobody_clicks(self, sessions: AdminSessions, clock: Any) -> None:
        token = sessions.begin("192.0.2.1")
        clock.now += IDLE
        assert not sessions.is_alive(token)

    def test_somebody_clicks_now_and_then_but_not_for_ever(self, sessions: AdminSessions, clock: Any) -> None:
        token = sessions.begin("192.0.2.1")
        for _ in range(round(TOTAL / 50) - 1):
            clock.now += 50
            assert sessions.is_alive(token)
        clock.now += 50
        assert not sessions.is_alive(token)

    def test_a_look_that_does_not_count(self, sessions: AdminSessions, clock: Any) -> None:
        token = sessions.begin("192.0.2.1")
        clock.now += IDLE - 1
        assert sessions.is_alive(token, counts=False)
        clock.now += 1
        assert not sessions.is_alive(token)

    @pytest.mark.parametrize("token", ["", "x", "' OR 1=1", "\udc80"])
    def test_what_is_no_token(self, sessions: AdminSessions, token: str) -> None:
        sessions.begin("192.0.2.1")
        assert not sessions.is_alive(token)
        sessions.end(token)

    def test_who_reads_the_storage_cannot_log_in(self, sessions: AdminSessions, database_file: Path) -> None:
        token = sessions.begin("192.0.2.1")
        with sqlite3.connect(database_file) as connection:
            rows = connection.execute("SELECT * FROM admin_sessions").fetchall()
        assert len(rows) == 1
        assert token not in repr(rows)

    def test_those_that_are_over_do_not_pile_up(self, sessions: AdminSessions, database_file: Path, clock: Any) -> None:
        for _ in range(5):
            sessions.begin("192.0.2.1")
            clock.now += IDLE
        with sqlite3.connect(database_file) as connection:
            assert connection.execute("SELECT count(*) FROM admin_sessions").fetchone() == (1,)


class TestAttempts:
    def test_an_address_is_locked_for_a_while(self, attempts: LoginAttempts, clock: Any) -> None:
        assert [attempts.begin("a") for _ in range(FAILURES)] == [0.0] * FAILURES
        clock.now += 100
        assert attempts.begin("a") == Refused(LOCKED_SECONDS - 100)
        assert attempts.begin("b") == 0.0
        clock.now += LOCKED_SECONDS - 100
        assert attempts.begin("a") == 0.0

    def test_to_try_while_locked_does_not_lock_for_longer(self, attempts: LoginAttempts, clock: Any) -> None:
        for _ in range(FAILURES):
            attempts.begin("a")
        for _ in range(10):
            clock.now += LOCKED_SECONDS / 10
            attempts.begin("a")
        assert attempts.begin("a") == 0.0

    def test_a_success_begins_anew(self, attempts: LoginAttempts) -> None:
        for _ in range(FAILURES - 1):
            attempts.begin("a")
        attempts.succeeded("a")
        assert [attempts.begin("a") for _ in range(FAILURES)] == [0.0] * FAILURES

    def test_many_addresses_stand_in_one_row(self, attempts: LoginAttempts, clock: Any) -> None:
        for number in range(MOST_FAILURES):
            assert attempts.begin(f"a{number}") == 0.0
        waits = [attempts.begin(f"b{number}") for number in range(3)]
        assert waits == [0.0, GATE_SECONDS, 2 * GATE_SECONDS]
        clock.now += LOCKED_SECONDS
        assert attempts.begin("c") == 0.0

    def test_a_row_that_is_too_long_takes_nobody_more(self, attempts: LoginAttempts) -> None:
        for number in range(MOST_FAILURES):
            attempts.begin(f"a{number}")
        waits = [attempts.begin(f"b{number}") for number in range(20)]
        assert isinstance(waits[-1], Refused)
        assert max(wait for wait in waits if isinstance(wait, float)) <= LONGEST_WAIT

    def test_who_is_known_does_not_stand_in_the_row(self, attempts: LoginAttempts) -> None:
        for number in range(MOST_FAILURES + 15):
            attempts.begin(f"a{number}")
        assert isinstance(attempts.begin("b"), Refused)
        assert [attempts.begin("browser x", may_queue=False) for _ in range(FAILURES)] == [0.0] * FAILURES
        assert isinstance(attempts.begin("browser x", may_queue=False), Refused)

    def test_a_clock_that_was_set_back_locks_nobody_for_longer(self, attempts: LoginAttempts, clock: Any) -> None:
        for _ in range(FAILURES):
            attempts.begin("a")
        clock.now -= 10_000
        assert attempts.begin("a") == Refused(LOCKED_SECONDS)


def test_without_storage_nobody_gets_in(open_database: MakeDatabase, database_file: Path, clock: Any) -> None:
    database_file.mkdir()
    sessions = AdminSessions(open_database(), idle_seconds=IDLE, total_seconds=TOTAL, clock=clock)
    attempts = LoginAttempts(open_database(), clock=clock)
    calls: list[Callable[[], object]] = [
        lambda: sessions.begin("a"),
        lambda: sessions.is_alive("x"),
        lambda: attempts.begin("a"),
    ]
    for call in calls:
        with pytest.raises(GatewayError, match="storage fails"):
            call()
