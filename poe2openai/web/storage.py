"""Where the database lies, and the threads that work on it: SQLite waits in C, where gevent cannot run others."""

import hashlib
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gevent.monkey import is_module_patched
from gevent.threadpool import ThreadPool

from poe2openai.config.settings import Settings, SettingsError
from poe2openai.store.database import Database, check_url
from poe2openai.web.shared_table import private_directory

FILE_NAME = "poe2openai.db"

log = logging.getLogger(__name__)


def database(settings: Settings) -> Database:
    """One a worker; all workers of one gateway share what is in it. Raises `SettingsError`."""
    place = _place(settings)
    if is_temporary(settings):
        log.warning("CONFIG_DIR is not writable: what is known of uploaded files is lost when the machine restarts")
    return Database(place, _in_thread())


def database_aside(settings: Settings) -> Database:
    """The same, for the records of requests: no upload waits for them. Raises `SettingsError`."""
    return Database(_place(settings), _in_thread(), alone=False)


def is_temporary(settings: Settings) -> bool:
    """Whether what is stored is gone when the machine restarts."""
    place = _place(settings)
    return isinstance(place, Path) and place.parent != settings.config_dir


def _place(settings: Settings) -> Path | str:
    url = settings.database_url
    if not url:
        return _path(settings)
    try:
        check_url(url)
    except ImportError:
        raise SettingsError("DATABASE_URL needs a Python package: pip install psycopg[binary].") from None
    except ValueError:
        raise SettingsError("DATABASE_URL is no URL that a PostgreSQL client understands.") from None
    return url


def _path(settings: Settings) -> Path:
    """In `CONFIG_DIR`, or, where nothing can be written there, in a folder that lasts until the machine restarts."""
    own = settings.config_dir / FILE_NAME
    if os.access(own if own.exists() else settings.config_dir, os.W_OK):
        return own
    shared = private_directory()
    if shared is None:
        return own
    gateway = hashlib.sha256(os.fsencode(settings.config_dir.resolve())).hexdigest()[:16]
    return shared / f"{gateway}.db"


def _in_thread() -> Callable[[Callable[[], Any]], Any]:
    """One thread: the work of one worker would only wait for itself."""
    if not is_module_patched("socket"):
        return lambda work: work()
    pool = ThreadPool(1)

    def run(work: Callable[[], Any]) -> Any:
        result, problem = pool.apply(_outcome, (work,))
        if problem is not None:
            raise problem
        return result

    return run


def _outcome(work: Callable[[], Any]) -> tuple[Any, Exception | None]:
    """What the work gives or raises: of an exception gevent's pool would print all, with what it is about."""
    try:
        return work(), None
    except Exception as problem:  # noqa: BLE001 - it is raised where it is waited for
        return None, problem
