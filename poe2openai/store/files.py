"""Files that clients uploaded first, to name them by an id later: kept as long as the upload cache keeps the upload."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from poe2openai.store.database import Database
from poe2openai.store.uploads import Upload, upload_in

if TYPE_CHECKING:
    from sqlalchemy import Connection, Select


@dataclass(frozen=True, slots=True)
class StoredFile:
    """`created` and `expires` in Unix seconds; `name` and `purpose` are what the client said."""

    id: str
    name: str
    purpose: str
    created: float
    expires: float
    upload: Upload


class FileIds:
    """One a worker. Each caller sees its own files alone. Raises what the storage does."""

    def __init__(self, database: Database, *, ttl_seconds: float, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._ttl = ttl_seconds
        self._clock = clock

    def add(self, caller: str, upload: Upload, *, name: str, purpose: str) -> StoredFile:
        now = self._clock()
        file = StoredFile(f"file-{secrets.token_hex(16)}", name, purpose, now, now + self._ttl, upload)

        def insert(connection: "Connection") -> None:
            from sqlalchemy import func, select  # noqa: PLC0415 - see `Database`

            from poe2openai.store.tables import files  # noqa: PLC0415

            last = connection.execute(select(func.max(files.c.number))).scalar() or 0
            values = {"id": file.id, "caller": caller, "owner": upload.owner, "source": upload.source}
            told = {"name": name, "purpose": purpose, "created": now, "number": last + 1}
            connection.execute(files.delete().where(files.c.created <= now - self._ttl))
            connection.execute(files.insert().values(**values, **told))

        self._database.must_work(insert)
        return file

    def find(self, caller: str, file_id: str) -> StoredFile | None:
        """It counts as used."""
        return next(iter(self._read(caller, file_id)), None)

    def all(self, caller: str) -> list[StoredFile]:
        """The latest first."""
        return self._read(caller, None)

    def delete(self, caller: str, file_id: str) -> bool:
        """Whether there was such a file. Poe keeps what it has: it knows no way to delete."""

        def remove(connection: "Connection") -> bool:
            from poe2openai.store.tables import files  # noqa: PLC0415

            this = (files.c.caller == caller) & (files.c.id == file_id)
            return bool(connection.execute(files.delete().where(this)).rowcount)

        return self._database.must_work(remove)

    def _read(self, caller: str, file_id: str | None) -> list[StoredFile]:
        since = self._clock() - self._ttl

        def read(connection: "Connection") -> list[StoredFile]:
            from poe2openai.store.tables import uploads  # noqa: PLC0415

            rows = connection.execute(_known(caller, file_id, since)).all()
            if file_id is not None:
                for row in rows:
                    this = (uploads.c.owner == row.owner) & (uploads.c.source == row.source)
                    connection.execute(uploads.update().where(this).values(used=self._clock()))
            return [self._file(row) for row in rows]

        return self._database.must_work(read)

    def _file(self, row: Any) -> StoredFile:
        expires = row.uploaded + self._ttl
        return StoredFile(row.id, row.told_name, row.purpose, row.told_created, expires, upload_in(row))


def _known(caller: str, file_id: str | None, since: float) -> "Select[Any]":
    from sqlalchemy import select  # noqa: PLC0415

    from poe2openai.store.tables import files, uploads  # noqa: PLC0415

    told = (files.c.id, files.c.name.label("told_name"), files.c.purpose, files.c.created.label("told_created"))
    kept = (*(column for column in uploads.c if column.name != "created"), uploads.c.created.label("uploaded"))
    same = (uploads.c.owner == files.c.owner) & (uploads.c.source == files.c.source)
    query = select(*told, *kept).join(uploads, same).where(files.c.caller == caller, uploads.c.created > since)
    query = query if file_id is None else query.where(files.c.id == file_id)
    return query.order_by(files.c.number.desc())
