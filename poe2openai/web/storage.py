"""Where the database lies, and the thread that works on it: SQLite waits in C, where gevent cannot run others."""

import hashlib
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gevent.monkey import is_module_patched
from gevent.threadpool import ThreadPool

from poe2openai.config.settings import Settings
from poe2openai.store.database import Database
from poe2openai.web.shared_table import private_directory

FILE_NAME = "poe2openai.db"

log = logging.getLogger(__name__)


def database(settings: Settings) -> Database:
    """One a worker; all workers of one gateway share the file."""
    return Database(_path(settings), _in_thread())


def _path(settings: Settings) -> Path:
    """In `CONFIG_DIR`, or, where nothing can be written there, in a folder that lasts until the machine restarts."""
    own = settings.config_dir / FILE_NAME
    if os.access(own if own.exists() else settings.config_dir, os.W_OK):
        return own
    shared = private_directory()
    if shared is None:
        return own
    log.warning("CONFIG_DIR is not writable: what is known of uploaded files is lost when the machine restarts")
    gateway = hashlib.sha256(os.fsencode(settings.config_dir.resolve())).hexdigest()[:16]
    return shared / f"{gateway}.db"


def _in_thread() -> Callable[[Callable[[], Any]], Any]:
    """One thread: the work of one worker would only wait for itself."""
    if not is_module_patched("socket"):
        return lambda work: work()
    pool = ThreadPool(1)
    return pool.apply  # type: ignore[no-any-return]  # gevent has no types
