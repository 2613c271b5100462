"""Films that are being made, or were: every worker answers for each of them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from poe2openai.store.database import Database

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class VideoJob:
    """`job` is what is known of it, as JSON has it; `updated` is in Unix seconds, and fresh while its worker lives."""

    id: str
    caller: str
    created: float
    updated: float
    job: dict[str, Any]


class VideoJobs:
    """One a worker. Each caller sees its own alone. Raises what the storage does."""

    def __init__(self, database: Database, *, kept_seconds: float, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._kept_seconds = kept_seconds
        self._clock = clock

    def add(self, job_id: str, caller: str, job: dict[str, Any]) -> VideoJob:
        now = self._clock()
        stored = VideoJob(job_id, caller, now, now, job)

        def insert(connection: "Connection") -> None:
            from poe2openai.store.tables import videos  # noqa: PLC0415 - see `Database`

            connection.execute(videos.delete().where(videos.c.created <= now - self._kept_seconds))
            values = {"id": job_id, "caller": caller, "created": now, "updated": now, "job": _text(job)}
            connection.execute(videos.insert().values(**values))

        self._database.must_work(insert)
        return stored

    def update(self, job_id: str, job: dict[str, Any]) -> bool:
        """Whether it is still there: a client may have deleted it."""

        def change(connection: "Connection") -> bool:
            from poe2openai.store.tables import videos  # noqa: PLC0415

            this = videos.update().where(videos.c.id == job_id)
            return bool(connection.execute(this.values(job=_text(job), updated=self._clock())).rowcount)

        return self._database.must_work(change)

    def find(self, caller: str, job_id: str) -> VideoJob | None:
        return next(iter(self._read(caller, job_id)), None)

    def all(self, caller: str) -> list[VideoJob]:
        """The latest first."""
        return self._read(caller, None)

    def delete(self, caller: str, job_id: str) -> bool:
        def remove(connection: "Connection") -> bool:
            from poe2openai.store.tables import videos  # noqa: PLC0415

            this = (videos.c.caller == caller) & (videos.c.id == job_id)
            return bool(connection.execute(videos.delete().where(this)).rowcount)

        return self._database.must_work(remove)

    def _read(self, caller: str, job_id: str | None) -> list[VideoJob]:
        since = self._clock() - self._kept_seconds

        def read(connection: "Connection") -> list[VideoJob]:
            from poe2openai.store.tables import videos  # noqa: PLC0415

            query = videos.select().where(videos.c.caller == caller, videos.c.created > since)
            query = query if job_id is None else query.where(videos.c.id == job_id)
            rows = connection.execute(query.order_by(videos.c.created.desc(), videos.c.id.desc())).all()
            return [VideoJob(row.id, row.caller, row.created, row.updated, orjson.loads(row.job)) for row in rows]

        return self._database.must_work(read)


def _text(job: dict[str, Any]) -> str:
    return orjson.dumps(job).decode()
