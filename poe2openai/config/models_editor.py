"""Saves models.yaml for the admin pages: at once or not at all, and never over what somebody else has saved meanwhile.

Whoever reads it finds the former file or the new one, whole; those that save take turns at a lock that all workers
share.
"""

import errno
import hashlib
import os
import secrets
import stat
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from poe2openai.config.models_changes import Change, changes, without_before
from poe2openai.config.models_file import FILE_NAME, STILL_SECONDS
from poe2openai.config.models_object import InvalidConfig, checked, fresh, masked, read_object, write_object
from poe2openai.config.yaml_guard import MAX_BYTES, YamlError

if sys.platform != "win32":
    import fcntl

LOCK_NAME = ".models.lock"
BROKEN_NAME = ".models.broken.yaml"
ANY = "*"
MOST_STATES = 50
_MOST_STATES_BYTES = 8 * 1024 * 1024
_LOCK_SECONDS = 20.0
_LOOK_SECONDS = 0.01

_REASONS = {
    errno.EBUSY: "models.yaml is mounted by itself and cannot be replaced; mount its folder",
    errno.ENOENT: "CONFIG_DIR does not exist",
    errno.ENOTDIR: "CONFIG_DIR is no folder",
    errno.ENOSPC: "its disk is full",
    errno.EDQUOT: "its disk quota is used up",
}


class Changed(Exception):
    """The file is not what the client knows; `config`, None where the file is broken, and `found` are masked."""

    def __init__(self, etag: str, config: dict[str, Any] | None, found: list[Change]) -> None:
        super().__init__(etag)
        self.etag = etag
        self.config = config
        self.found = found


class Broken(Exception):
    """The gateway does not take the file as it is; `etag` is that of the broken file."""

    def __init__(self, problem: str, etag: str) -> None:
        super().__init__(problem)
        self.etag = etag


class Unwritable(Exception):
    """CONFIG_DIR takes no file; says why, for the owner."""


class Busy(Exception):
    """Others have been saving all the time."""


def _here(work: Callable[[], Any]) -> Any:
    return work()


class ModelsEditor:
    """One a worker. `elsewhere` runs what takes tens of milliseconds, so that it holds nobody up."""

    def __init__(
        self, config_dir: Path, inline_yaml: str = "", *, elsewhere: Callable[[Callable[[], Any]], Any] = _here
    ) -> None:
        self._path = config_dir / FILE_NAME
        self._inline = inline_yaml.encode(errors="surrogatepass")
        self._elsewhere = elsewhere
        self._states: OrderedDict[str, bytes] = OrderedDict()
        self._last: tuple[str, dict[str, Any]] = ("", {})

    def show(self) -> tuple[dict[str, Any], str]:
        """The configuration, its token masked, and its etag; raises `Broken`."""
        data = self._read()
        config = self._elsewhere(lambda: self._object(data))
        return masked(config), self._remember(data)

    def export(self) -> bytes:
        """The file as it is, but for the token; raises `Broken` and `Unchangeable`."""
        data = self._read()

        def written() -> bytes:
            config = self._object(data)
            return write_object(data, config, masked(config))[0]

        return bytes(self._elsewhere(written))

    def save(self, config: dict[str, Any], known: Collection[str] | None) -> tuple[dict[str, Any], str]:
        """What `show` shows from now on. `known`: the etags one of which the file must have; None: whatever it has.

        Raises `InvalidConfig`, `Unchangeable`, `Changed`, `Broken`, `Unwritable` and `Busy`.
        """
        with self._locked():
            data = self._read()
            base = next((self._states[one] for one in known or () if one in self._states), None)
            # Another worker may have shown it.
            etag = self._remember(data)
            if known is not None and ANY not in known and etag not in known:
                raise self._elsewhere(lambda: self._conflict(config, base, data))
            new, after = self._elsewhere(lambda: self._save(config, data, anew=known is not None))
        etag = self._remember(new)
        self._last = (etag, after)
        return masked(after), etag

    def _save(self, config: dict[str, Any], data: bytes, *, anew: bool) -> tuple[bytes, dict[str, Any]]:
        try:
            before = self._object(data)
        except Broken:
            # Only for whoever has seen that it is broken, and it is not lost.
            if not anew:
                raise
            new, after = fresh(checked(config, None))
            self._write(self._path.with_name(BROKEN_NAME), data)
        else:
            new, after = write_object(data, before, checked(config, before.get("api_token")))
        if new != data or not self._path.exists():
            self._write(self._target(), new)
        return new, after

    def _conflict(self, config: dict[str, Any], base: bytes | None, data: bytes) -> Changed:
        etag = etag_of(data)
        try:
            now = masked(self._object(data))
        except Broken:
            return Changed(etag, None, [])
        if base is not None:
            with suppress(YamlError):
                return Changed(etag, now, changes(masked(read_object(base)[0]), now))
        try:
            theirs = masked(checked(config, None))
        except InvalidConfig:
            theirs = config
        return Changed(etag, now, without_before(changes(theirs, now)))

    def _object(self, data: bytes) -> dict[str, Any]:
        etag, config = self._last
        if etag == etag_of(data):
            return config
        try:
            config, _ = read_object(data)
        except YamlError as problem:
            raise Broken(str(problem), etag_of(data)) from None
        self._last = (etag_of(data), config)
        return config

    def _remember(self, data: bytes) -> str:
        """Keeps a state that a client is shown, as long as there is room."""
        etag = etag_of(data)
        self._states[etag] = data
        self._states.move_to_end(etag)
        while len(self._states) > 1 and (
            len(self._states) > MOST_STATES or sum(map(len, self._states.values())) > _MOST_STATES_BYTES
        ):
            self._states.popitem(last=False)
        return etag

    def _read(self) -> bytes:
        """The file, else MODELS_YAML."""
        try:
            # Opening a pipe would wait for its writer.
            if not stat.S_ISREG(self._path.stat().st_mode):
                raise Broken("it is not a file", "")
            with self._path.open("rb") as file:
                return file.read(MAX_BYTES + 1)
        except (FileNotFoundError, NotADirectoryError):
            return self._inline
        except OSError as error:
            raise Broken(f"it cannot be read: {os.strerror(error.errno or 0)}", "") from None

    def _target(self) -> Path:
        """Where models.yaml leads, if it is a link: it stays one."""
        try:
            return self._path.resolve()
        except (OSError, RuntimeError):
            return self._path

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            handle = os.open(self._path.with_name(LOCK_NAME), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise _unwritable(error) from None
        try:
            deadline = time.monotonic() + _LOCK_SECONDS
            while not _took(handle):
                if time.monotonic() >= deadline:
                    raise Busy
                time.sleep(_LOOK_SECONDS)
            yield
        finally:
            os.close(handle)

    def _write(self, path: Path, data: bytes) -> None:
        aside = path.with_name(f".{path.name.lstrip('.')}.{secrets.token_hex(8)}")
        try:
            with os.fdopen(os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
                file.write(data)
                file.flush()
                _keep_owner(file.fileno(), path)
                os.fsync(file.fileno())
            # It is whole: the workers need not wait until it has been still for a while.
            settled = time.time_ns() - int((STILL_SECONDS + 0.05) * 1e9)
            os.utime(aside, ns=(settled, settled))
            aside.replace(path)
        except OSError as error:
            raise _unwritable(error) from None
        finally:
            with suppress(OSError):
                aside.unlink(missing_ok=True)
        with suppress(OSError):
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def etag_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _took(handle: int) -> bool:
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise _unwritable(error) from None
    return True


def _keep_owner(handle: int, path: Path) -> None:
    """The file stays whose it was, where this process may give it away."""
    if sys.platform == "win32":
        return
    with suppress(OSError):
        found = path.stat()
        if (found.st_uid, found.st_gid) != (os.geteuid(), os.getegid()):
            os.fchown(handle, found.st_uid, found.st_gid)


def _unwritable(error: OSError) -> Unwritable:
    number = error.errno or 0
    return Unwritable(_REASONS.get(number, f"CONFIG_DIR cannot be written to ({os.strerror(number)})"))
