"""Who is logged in to the admin pages, and how often somebody failed to: the same for all workers."""

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from poe2openai.store.database import Database

if TYPE_CHECKING:
    from sqlalchemy import Connection

FAILURES = 5
"""After as many, an address is locked."""
LOCKED_SECONDS = 900.0
MOST_FAILURES = 20
"""After as many from all addresses together, attempts are made one after another."""
GATE_SECONDS = 1.0
LONGEST_WAIT = 10.0
_SEEN_SECONDS = 30.0  # between two notes that a session is in use
_ALL = ""  # stands for all addresses


@dataclass(frozen=True, slots=True)
class Refused:
    """An attempt that is not looked at; `seconds` until one may be."""

    seconds: float


class AdminSessions:
    """One a worker. Raises `GatewayError` where the storage fails: nobody gets in then."""

    def __init__(
        self, database: Database, *, idle_seconds: float, total_seconds: float, clock: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._idle = idle_seconds
        self._total = total_seconds
        self._clock = clock

    def begin(self, address: str) -> str:
        """A new session's token, which the storage does not hold."""
        token = secrets.token_urlsafe(32)

        def insert(connection: "Connection") -> None:
            from poe2openai.store.tables import sessions  # noqa: PLC0415 - see `Database`

            now = self._clock()
            over = (sessions.c.seen <= now - self._idle) | (sessions.c.created <= now - self._total)
            connection.execute(sessions.delete().where(over))
            values = {"id": _digest(token), "created": now, "seen": now, "address": address[:64]}
            connection.execute(sessions.insert().values(**values))

        self._database.must_work(insert)
        return token

    def is_alive(self, token: str, *, counts: bool = True) -> bool:
        """Whether the session has neither ended nor been idle for too long; `counts`: it is in use at the moment."""

        def look(connection: "Connection") -> bool:
            from poe2openai.store.tables import sessions  # noqa: PLC0415

            now = self._clock()
            this = sessions.c.id == _digest(token)
            row = connection.execute(sessions.select().where(this)).one_or_none()
            if row is None or row.seen <= now - self._idle or row.created <= now - self._total:
                return False
            if counts and row.seen <= now - min(_SEEN_SECONDS, self._idle / 4):
                connection.execute(sessions.update().where(this).values(seen=now))
            return True

        return self._database.must_work(look)

    def end(self, token: str) -> None:
        def delete(connection: "Connection") -> None:
            from poe2openai.store.tables import sessions  # noqa: PLC0415

            connection.execute(sessions.delete().where(sessions.c.id == _digest(token)))

        self._database.must_work(delete)


class LoginAttempts:
    """One a worker; counts what failed, by address and altogether. Raises as `AdminSessions` does."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def begin(self, address: str, *, may_queue: bool = True) -> Refused | float:
        """Seconds to wait before the password is looked at, 0 as a rule; `Refused` where it is not to be.

        The attempt counts as failed until `succeeded` is told: many that come at once are not all looked at. Without
        `may_queue` it does not wait for those of others.
        """
        return self._database.must_work(lambda connection: self._begin(connection, address[:64], may_queue=may_queue))

    def succeeded(self, address: str) -> None:
        def forget(connection: "Connection") -> None:
            from poe2openai.store.tables import login_failures as failures  # noqa: PLC0415

            connection.execute(failures.delete().where(failures.c.address == address[:64]))

        self._database.must_work(forget)

    def _begin(self, connection: "Connection", address: str, *, may_queue: bool) -> Refused | float:
        from sqlalchemy import func, select  # noqa: PLC0415

        from poe2openai.store.tables import login_failures as failures  # noqa: PLC0415

        now = self._clock()
        lapsed = (failures.c.at <= now - LOCKED_SECONDS) & (failures.c.address != _ALL)
        connection.execute(failures.delete().where(lapsed))
        own = connection.execute(failures.select().where(failures.c.address == address)).one_or_none()
        if own is not None and own.attempts >= FAILURES:
            return Refused(min(own.at, now) + LOCKED_SECONDS - now)
        everybodys = select(func.sum(failures.c.attempts)).where(failures.c.address != _ALL)
        wait: Refused | float = 0.0
        if may_queue and (connection.execute(everybodys).scalar() or 0) >= MOST_FAILURES:
            wait = self._queue(connection, now)
        if isinstance(wait, float):
            self._count(connection, address, now)
        return wait

    def _queue(self, connection: "Connection", now: float) -> Refused | float:
        """A place in the row of all attempts, `GATE_SECONDS` behind the last one."""
        from poe2openai.store.tables import login_failures as failures  # noqa: PLC0415

        this = failures.c.address == _ALL
        last = connection.execute(failures.select().where(this)).one_or_none()
        at = max(now, (last.at if last is not None else 0.0) + GATE_SECONDS)
        if at - now > LONGEST_WAIT:
            return Refused(at - now)
        if last is None:
            connection.execute(failures.insert().values(address=_ALL, attempts=0, at=at))
        else:
            connection.execute(failures.update().where(this).values(at=at))
        return at - now

    def _count(self, connection: "Connection", address: str, now: float) -> None:
        from poe2openai.store.tables import login_failures as failures  # noqa: PLC0415

        this = failures.c.address == address
        changed = connection.execute(failures.update().where(this).values(attempts=failures.c.attempts + 1, at=now))
        if not changed.rowcount:
            connection.execute(failures.insert().values(address=address, attempts=1, at=now))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
