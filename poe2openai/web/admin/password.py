"""The password of the admin pages: the owner's, or one that is made at the first start, shown once and kept hashed."""

import hashlib
import hmac
import logging
import os
import secrets
from collections.abc import Callable
from functools import cache

from gevent.monkey import is_module_patched
from gevent.threadpool import ThreadPool
from werkzeug.security import check_password_hash, generate_password_hash

from poe2openai.config.settings import Settings
from poe2openai.web.private_files import kept

FILE_NAME = ".admin-password"
LONGEST = 1024
_SHORT = 8

# Those that everybody tries first, the predecessor's among them.
_KNOWN = frozenset(
    {"123456", "1234567", "12345678", "123456789", "1234567890", "000000", "111111", "666666", "888888", "654321"}
    | {"123123", "password", "passw0rd", "password1", "admin", "admin123", "administrator", "root", "toor", "qwerty"}
    | {"abc123", "letmein", "changeme", "secret", "test", "poe2openai"}
)

log = logging.getLogger(__name__)


class AdminPassword:
    """One a worker. Without a password, nobody gets in."""

    def __init__(self, settings: Settings) -> None:
        self.username = settings.admin_username
        self._plain = settings.admin_password
        self._hash = "" if self._plain else _made_or_kept(settings)
        self.is_weak = bool(self._plain) and (len(self._plain) < _SHORT or self._plain.lower() in _KNOWN)
        if self.is_weak:
            log.warning("ADMIN_PASSWORD is weak: whoever reaches the admin pages can guess it")

    @property
    def is_set(self) -> bool:
        return bool(self._plain or self._hash)

    @property
    def fingerprint(self) -> bytes:
        """Another one for another name or password: a session does not outlive them."""
        return hashlib.sha256(f"{self.username}\0{self._plain}\0{self._hash}".encode()).digest()

    def matches(self, username: str, password: str) -> bool:
        """Takes as long whatever is wrong."""
        right_name = _same(username, self.username)
        if len(password) > LONGEST or not self.is_set:
            return False
        if self._plain:
            return _same(password, self._plain) and right_name
        # It takes a tenth of a second, in which a thread leaves the worker to the others.
        return _elsewhere(lambda: check_password_hash(self._hash, password)) and right_name


def _same(given: str, right: str) -> bool:
    """Digests are compared, so that time does not tell the length either."""
    digests = [hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest() for text in (given, right)]
    return hmac.compare_digest(*digests)


def _made_or_kept(settings: Settings) -> str:
    made: list[str] = []

    def make() -> str:
        made.append(secrets.token_urlsafe(12))
        return generate_password_hash(made[0])

    path = settings.config_dir / FILE_NAME
    try:
        text, is_new = kept(path, make)
    except (OSError, ValueError) as problem:
        why = os.strerror(problem.errno or 0) if isinstance(problem, OSError) else f"{FILE_NAME} is no text"
        log.warning("The admin pages stay shut: ADMIN_PASSWORD is not set, and CONFIG_DIR takes none: %s", why)
        return ""
    if is_new:
        log.warning("The admin pages open with the name %s and the password %s (shown this once; ADMIN_PASSWORD sets "
                    "another)", settings.admin_username, made[0])  # fmt: skip
    return text.strip()


def _elsewhere(work: Callable[[], bool]) -> bool:
    if not is_module_patched("socket"):
        return work()
    return bool(_pool().apply(work))


@cache
def _pool() -> ThreadPool:
    """One at a time: each takes megabytes, and the hub's own pool looks up names for everybody."""
    return ThreadPool(1)
