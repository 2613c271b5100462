"""Which files Poe has already, by the digest of their bytes or address, for each Poe key.

What is kept is where a file lies with Poe, not its bytes; its true size counts against the cache's bound.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from poe2openai.store.database import Database

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

CLAIM_SECONDS = 15.0
"""An upload whose worker says nothing for so long is another's to make."""

MOST_REMOVED = 1000
"""Entries that one upload removes at most."""

LEAST_SIZE = 1024
"""What an entry counts at least, and where nobody knows the file's size."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that Poe has. `size` is in bytes, 0 where nobody knows it."""

    owner: str
    source: str
    url: str
    media_type: str
    name: str
    size: int


def owner_of(poe_key: str) -> str:
    """A digest that does not lead back to the key."""
    return hashlib.sha256(b"poe2openai upload\0" + poe_key.encode()).hexdigest()


class UploadCache:
    """One a worker; the entries are everybody's."""

    def __init__(
        self, database: Database, *, ttl_seconds: float, max_bytes: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._ttl = ttl_seconds
        self._max_bytes = max_bytes
        self._clock = clock

    def find(self, owners: Sequence[str], source: str) -> Upload | None:
        """What any of these owners uploaded; it counts as used."""
        return self._database.work(lambda connection: self._find(connection, owners, source), None)

    def claim(self, owner: str, source: str, holder: str) -> bool:
        """Whether `holder` is to upload; True too where there is no storage to ask, and again for who holds it."""
        return self._database.work(lambda connection: self._claim(connection, owner, source, holder), True)

    def put(self, upload: Upload) -> None:
        """Remembers an upload; what was used least recently makes room."""
        self._database.work(lambda connection: self._put(connection, upload), None)

    def give_back(self, owner: str, source: str, holder: str) -> None:
        """The upload is over, whatever came of it."""
        self._database.work(lambda connection: _give_back(connection, owner, source, holder), None)

    def forget(self, urls: Sequence[str]) -> None:
        """Poe no longer knows these files."""
        self._database.work(lambda connection: _forget(connection, urls), None)

    def _find(self, connection: "Connection", owners: Sequence[str], source: str) -> Upload | None:
        from poe2openai.store.tables import uploads  # noqa: PLC0415 - see `Database`

        now = self._clock()
        known = uploads.c.owner.in_(owners) & (uploads.c.source == source) & (uploads.c.created > now - self._ttl)
        row = connection.execute(uploads.select().where(known).limit(1)).one_or_none()
        if row is None:
            return None
        this = (uploads.c.owner == row.owner) & (uploads.c.source == source)
        connection.execute(uploads.update().where(this).values(used=now))
        return upload_in(row)

    def _claim(self, connection: "Connection", owner: str, source: str, holder: str) -> bool:
        from sqlalchemy.exc import IntegrityError  # noqa: PLC0415

        from poe2openai.store.tables import claims  # noqa: PLC0415

        now = self._clock()
        this = (claims.c.owner == owner) & (claims.c.source == source)
        free = (claims.c.holder == holder) | (claims.c.until <= now)
        # Of workers that were ended, whose files nobody brought again.
        connection.execute(claims.delete().where(~this & (claims.c.until <= now - CLAIM_SECONDS)))
        until = now + CLAIM_SECONDS
        if connection.execute(claims.update().where(this & free).values(holder=holder, until=until)).rowcount:
            return True
        try:
            with connection.begin_nested():
                connection.execute(claims.insert().values(owner=owner, source=source, holder=holder, until=until))
        except IntegrityError:
            return False
        return True

    def _put(self, connection: "Connection", upload: Upload) -> None:
        from poe2openai.store.tables import uploads  # noqa: PLC0415

        now = self._clock()
        this = (uploads.c.owner == upload.owner) & (uploads.c.source == upload.source)
        connection.execute(uploads.delete().where(this | (uploads.c.created <= now - self._ttl)))
        if self._ttl > 0:
            values = {name: getattr(upload, name) for name in Upload.__slots__}
            connection.execute(uploads.insert().values(**values, created=now, used=now))
            self._make_room(connection, upload)

    def _make_room(self, connection: "Connection", newest: Upload) -> None:
        """The newest stays even where it is larger than all there is room for: its request is under way."""
        from sqlalchemy import case, func, select  # noqa: PLC0415

        from poe2openai.store.tables import uploads  # noqa: PLC0415

        counted = case((uploads.c.size > LEAST_SIZE, uploads.c.size), else_=LEAST_SIZE)
        surplus = (connection.execute(select(func.sum(counted))).scalar() or 0) - self._max_bytes
        if surplus <= 0:
            return
        oldest = select(uploads.c.owner, uploads.c.source, counted.label("counted")).order_by(uploads.c.used)
        # Each upload makes room for itself: more than this is but a bound that was lowered, and the next one's to do.
        others = oldest.where(~((uploads.c.owner == newest.owner) & (uploads.c.source == newest.source)))
        for row in connection.execute(others.limit(MOST_REMOVED)).all():
            if surplus <= 0:
                return
            this = (uploads.c.owner == row.owner) & (uploads.c.source == row.source)
            connection.execute(uploads.delete().where(this))
            surplus -= row.counted


def upload_in(row: "Row[Any]") -> Upload:
    return Upload(row.owner, row.source, row.url, row.media_type, row.name, row.size)


def _give_back(connection: "Connection", owner: str, source: str, holder: str) -> None:
    from poe2openai.store.tables import claims  # noqa: PLC0415

    this = (claims.c.owner == owner) & (claims.c.source == source) & (claims.c.holder == holder)
    connection.execute(claims.delete().where(this))


def _forget(connection: "Connection", urls: Sequence[str]) -> None:
    from poe2openai.store.tables import uploads  # noqa: PLC0415

    connection.execute(uploads.delete().where(uploads.c.url.in_(urls)))
