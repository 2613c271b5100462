"""What became of the gateway's requests: one row each, and the sums that the overview draws."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from poe2openai.store.database import Database
from poe2openai.store.record_queries import Bucket, Overview, Share, empty, overview

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row, Select, Table

__all__ = ["Bucket", "Entry", "Overview", "Records", "Share"]

MOST_ROWS = 1_000_000
"""What is kept at most; a row has about 300 bytes."""

MOST_ROWS_IN_MEMORY = 50_000
"""Where the database lies in memory, for want of a folder that can be written."""

LONGEST_NAME = 200
LONGEST_TEXT = 4000

_PRUNED_AT_ONCE = 5000  # whoever else writes waits that long
_MOST_KEYS = 1000
_NAMED_AT_ONCE = 500  # SQLite takes so many values, and more in some builds alone
_SEEN_SECONDS = 30 * 86_400.0
_BIGGEST_NUMBER = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Entry:
    """One request that is over. `at` is when it began, in Unix seconds; durations are milliseconds.

    `error` is the kind of error (also of a stream that broke off with status 200), `reason` why the answer ended;
    `question` and `answer` are None unless texts are recorded.
    """

    id: str
    at: float
    caller: str
    client: str
    model: str
    bot: str
    path: str
    stream: bool
    status: int
    error: str
    reason: str
    hung_up: bool
    milliseconds: int
    first_token_ms: int | None
    tokens_in: int
    tokens_out: int
    estimated: bool
    attempts: int
    question: str | None
    answer: str | None


class Records:
    """One a worker. Never raises: storage that fails means nothing recorded, and an empty overview."""

    def __init__(
        self, database: Database, *, most_rows: int = MOST_ROWS, clock: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._most_rows = most_rows
        self._clock = clock

    def write(self, entries: Sequence[Entry]) -> bool:
        """Whether they are written, all of them; the log tells why not."""
        if not entries:
            return True
        rows = [_row(entry) for entry in entries]
        texts = [_texts(entry) for entry in entries if entry.question is not None or entry.answer is not None]

        def insert(connection: "Connection") -> bool:
            from poe2openai.store.tables import request_texts, requests  # noqa: PLC0415 - see `Database`

            _insert(connection, requests, rows)
            if texts:
                connection.execute(request_texts.insert(), texts)
            return True

        return self._database.work(insert, False)

    def latest(self, limit: int = 200, *, with_texts: bool = True) -> list[Entry]:
        """The latest first."""

        def read(connection: "Connection") -> list[Entry]:
            rows = connection.execute(_latest_first(with_texts=with_texts).limit(limit))
            return [_entry(row) for row in rows]

        return self._database.work(read, [])

    def one(self, id: str) -> Entry | None:
        """That request with its texts; quick for one of the latest, where the search begins."""

        def read(connection: "Connection") -> Entry | None:
            from poe2openai.store.tables import requests  # noqa: PLC0415

            row = connection.execute(_latest_first(with_texts=True).where(requests.c.id == id).limit(1)).one_or_none()
            return None if row is None else _entry(row)

        return self._database.work(read, None)

    def count(self, since: float, until: float) -> int:
        """How many began from `since` on and before `until`."""

        def read(connection: "Connection") -> int:
            from sqlalchemy import func, select  # noqa: PLC0415

            from poe2openai.store.tables import requests  # noqa: PLC0415

            within = (requests.c.at >= round(since * 1000)) & (requests.c.at < round(until * 1000))
            return connection.execute(select(func.count()).select_from(requests).where(within)).scalar_one()

        return self._database.work(read, 0)

    def overview(self, since: float, until: float, step: float) -> Overview:
        """Of what began from `since` on and before `until`, in buckets of `step` seconds."""
        return self._database.work(
            lambda connection: overview(connection, since, until, step), empty(since, until, step)
        )

    def last_seen(self) -> dict[str, tuple[float, int]]:
        """Of each caller's id, when its last request began and how many there were in the last 30 days."""
        month = round((self._clock() - _SEEN_SECONDS) * 1000)

        def read(connection: "Connection") -> dict[str, tuple[float, int]]:
            from sqlalchemy import case, func, select  # noqa: PLC0415

            from poe2openai.store.tables import requests  # noqa: PLC0415

            recent = func.sum(case((requests.c.at > month, 1), else_=0))
            last = func.max(requests.c.at)
            query = select(requests.c.caller, last, recent).group_by(requests.c.caller).order_by(last.desc())
            # Of tokens there are as many as the owner made, of keys as many as anybody likes to invent.
            is_token = requests.c.caller.like("token-%")
            found = [
                *connection.execute(query.where(is_token)),
                *connection.execute(query.where(~is_token).limit(_MOST_KEYS)),
            ]
            return {caller: (at / 1000, int(count)) for caller, at, count in found if caller}

        return self._database.work(read, {})

    def prune(self, days: float) -> None:
        """Forgets what is older, and the oldest where there is too much."""
        oldest = round((self._clock() - days * 86_400) * 1000)
        while self._database.work(lambda connection: _prune(connection, oldest, self._most_rows), 0) >= _PRUNED_AT_ONCE:
            pass


def _latest_first(*, with_texts: bool) -> "Select[Any]":
    from sqlalchemy import null, select  # noqa: PLC0415

    from poe2openai.store.tables import request_texts as texts  # noqa: PLC0415
    from poe2openai.store.tables import requests  # noqa: PLC0415

    if with_texts:
        both = requests.outerjoin(texts, texts.c.id == requests.c.id)
        query = select(requests, texts.c.question, texts.c.answer).select_from(both)
    else:
        query = select(requests, null().label("question"), null().label("answer"))
    return query.order_by(requests.c.at.desc(), requests.c.number.desc())


def _insert(connection: "Connection", table: "Table", rows: Sequence[dict[str, Any]]) -> None:
    """By the driver itself: what SQLAlchemy does with each value costs more than the database does."""
    statement = table.insert().compile(connection, column_keys=list(rows[0]))
    if names := statement.positiontup:
        connection.exec_driver_sql(str(statement), [tuple([row[name] for name in names]) for row in rows])
    else:
        connection.exec_driver_sql(str(statement), list(rows))


def _prune(connection: "Connection", oldest: int, most_rows: int) -> int:
    """How many rows went, of at most `_PRUNED_AT_ONCE`."""
    from sqlalchemy import func, select  # noqa: PLC0415

    from poe2openai.store.tables import request_texts, requests  # noqa: PLC0415

    last = connection.execute(select(func.max(requests.c.number))).scalar() or 0
    surplus = (requests.c.at < oldest) | (requests.c.number <= last - most_rows)
    oldest_first = select(requests.c.number, requests.c.id).where(surplus).order_by(requests.c.number)
    rows = connection.execute(oldest_first.limit(_PRUNED_AT_ONCE)).all()
    for start in range(0, len(rows), _NAMED_AT_ONCE):
        some = rows[start : start + _NAMED_AT_ONCE]
        connection.execute(request_texts.delete().where(request_texts.c.id.in_([row.id for row in some])))
        connection.execute(requests.delete().where(requests.c.number.in_([row.number for row in some])))
    return len(rows)


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "id": _fit(entry.id, 64),
        "at": round(entry.at * 1000),
        "caller": _fit(entry.caller),
        "client": _fit(entry.client),
        "model": _fit(entry.model),
        "bot": _fit(entry.bot),
        "path": _fit(entry.path),
        "stream": entry.stream,
        "status": entry.status,
        "error": _fit(entry.error),
        "reason": _fit(entry.reason),
        "hung_up": entry.hung_up,
        "failed": int(has_failed(entry)),
        "milliseconds": _small(entry.milliseconds),
        "first_token_ms": None if entry.first_token_ms is None else _small(entry.first_token_ms),
        "tokens_in": _small(entry.tokens_in),
        "tokens_out": _small(entry.tokens_out),
        "estimated": entry.estimated,
        "attempts": _small(entry.attempts),
    }


def has_failed(entry: Entry) -> bool:
    """A client that leaves is no failure, whatever status its answer would have had."""
    return bool(entry.error) or (entry.status >= 400 and not entry.hung_up)


def _texts(entry: Entry) -> dict[str, Any]:
    return {
        "id": _fit(entry.id, 64),
        "at": round(entry.at * 1000),
        "question": None if entry.question is None else _fit(entry.question, LONGEST_TEXT),
        "answer": None if entry.answer is None else _fit(entry.answer, LONGEST_TEXT),
    }


def _entry(row: "Row[Any]") -> Entry:
    known = {name: getattr(row, name) for name in Entry.__slots__}
    return Entry(**known | {"at": row.at / 1000})


def _fit(text: str, longest: int = LONGEST_NAME) -> str:
    """What either database takes: PostgreSQL refuses NUL, and both refuse half of a surrogate pair."""
    if len(text) <= longest and text.isascii() and "\0" not in text:
        return text
    return text[:longest].replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _small(number: int) -> int:
    return number if 0 <= number <= _BIGGEST_NUMBER else min(max(number, 0), _BIGGEST_NUMBER)
