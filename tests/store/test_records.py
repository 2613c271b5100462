"""What became of requests: written by any worker, read by any, and forgotten in time."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from poe2openai.store import records as records_module
from poe2openai.store.database import Database
from poe2openai.store.records import LONGEST_TEXT, Records
from poe2openai.store.tables import request_texts, requests
from tests.support.entries import entry

MakeDatabase = Callable[..., Database]
NOW = 1_000_000.0
DAY = 86_400.0


@pytest.fixture
def records(open_database: MakeDatabase, clock: Any) -> Records:
    return Records(open_database(), clock=clock)


def ids(records: Records) -> list[str]:
    return [each.id for each in records.latest()]


def rows(database: Database) -> tuple[int, ...]:
    """Of requests, and of texts."""
    return database.must_work(
        lambda connection: tuple(
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (requests, request_texts)
        )
    )


def test_what_one_worker_writes_the_other_reads_as_it_was(open_database: MakeDatabase) -> None:
    told = [
        entry("req_1", at=NOW + 0.125, question="What's 1 + 1?", answer="二"),
        entry("req_2", at=NOW, first_token_ms=None, error="upstream_cut_off", estimated=True, hung_up=True),
    ]
    assert Records(open_database()).write(told)

    assert Records(open_database()).latest() == told


def test_the_latest_come_first_and_no_more_than_wanted(records: Records) -> None:
    records.write([entry(f"req_{number}", at=NOW + number) for number in range(30)])
    records.write([entry("late", at=NOW - 5)])

    assert [each.id for each in records.latest(3)] == ["req_29", "req_28", "req_27"]
    assert len(records.latest()) == 31
    assert ids(records)[-1] == "late"


def test_the_latest_are_there_without_their_texts_and_one_with_them(records: Records) -> None:
    told = entry("req_1", at=NOW, question="What's 1 + 1?", answer="二")
    records.write([told, entry("req_2", at=NOW + 1)])

    assert [(each.id, each.question) for each in records.latest(with_texts=False)] == [("req_2", None), ("req_1", None)]
    assert records.one("req_1") == told
    assert records.one("req_3") is None
    assert records.one("a\0b") is None


def test_of_two_with_one_id_the_later_is_found(records: Records) -> None:
    records.write([entry("req_1", at=NOW, tokens_out=1), entry("req_1", at=NOW + 1, tokens_out=2)])

    found = records.one("req_1")
    assert found is not None
    assert found.tokens_out == 2


def test_how_many_there_were(records: Records) -> None:
    records.write([entry(f"req_{number}", at=NOW + number) for number in range(10)])
    assert records.count(NOW + 2, NOW + 5) == 3


def test_nothing_written_is_nothing_there(records: Records) -> None:
    assert records.write([])
    assert records.latest() == []
    assert records.last_seen() == {}


def test_what_clients_say_of_themselves_spoils_no_batch(records: Records) -> None:
    strange = entry("strange", client="a\0b\ud800", model="é" * 5000, tokens_out=10**12, question="\0")
    assert records.write([entry("plain"), strange])

    found = {each.id: each for each in records.latest()}
    assert set(found) == {"plain", "strange"}
    assert found["strange"].client == "a\ufffdb?"
    assert found["strange"].question == "\ufffd"
    assert len(found["strange"].model) == 200
    assert found["strange"].tokens_out == 2**31 - 1


def test_texts_are_cut(records: Records) -> None:
    records.write([entry(question="q" * 9_000, answer="a" * 9_000)])

    (found,) = records.latest()
    assert (found.question, found.answer) == ("q" * LONGEST_TEXT, "a" * LONGEST_TEXT)


def test_without_texts_no_row_of_texts_is_made(open_database: MakeDatabase) -> None:
    database = open_database()
    Records(database).write([entry()])
    assert rows(database) == (1, 0)


def test_last_seen_tells_of_each_caller(records: Records, clock: Any) -> None:
    clock.now = NOW + 40 * DAY
    records.write([entry(f"a{day}", caller="alice", at=NOW + day * DAY) for day in (1, 20, 30)])
    records.write([entry("b", caller="bob", at=NOW), entry("nobody", caller="", at=NOW + 39 * DAY)])

    assert records.last_seen() == {"alice": (NOW + 30 * DAY, 2), "bob": (NOW, 0)}


class TestForgetting:
    def test_what_is_too_old_goes_with_its_texts(
        self, open_database: MakeDatabase, clock: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(records_module, "_PRUNED_AT_ONCE", 7)
        database = open_database()
        records = Records(database, clock=clock)
        old = [entry(f"old{number}", at=NOW - 3 * DAY - number, question="q") for number in range(20)]
        records.write([*old, entry("new", at=NOW - 1.9 * DAY, answer="a")])

        records.prune(2)

        assert ids(records) == ["new"]
        assert rows(database) == (1, 1)
        records.prune(2)
        assert ids(records) == ["new"]

    def test_there_is_a_bound_whoever_knocks(self, open_database: MakeDatabase, clock: Any) -> None:
        records = Records(open_database(), most_rows=5, clock=clock)
        for number in range(12):
            records.write([entry(f"req_{number}", at=NOW + number)])

        records.prune(90)

        assert ids(records) == ["req_11", "req_10", "req_9", "req_8", "req_7"]


def test_storage_that_fails_raises_nothing(open_database: MakeDatabase, database_file: Path) -> None:
    database_file.mkdir()
    records = Records(open_database())

    assert not records.write([entry()])
    assert records.latest() == []
    assert records.one("req_1") is None
    assert records.count(0, NOW * 2) == 0
    assert records.last_seen() == {}
    assert records.overview(0, 10, 5).requests == 0
    records.prune(1)
