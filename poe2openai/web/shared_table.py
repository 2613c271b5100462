"""A small table that all workers of one gateway read and write, in a file that belongs to nobody else.

Its size is fixed: where a bucket is full, the row that ends first makes room. A row is what a rate limit needs: until
when, and how many.
"""

import errno
import hashlib
import mmap
import os
import stat
import struct
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

if sys.platform != "win32":
    import fcntl

_ROW: Final = struct.Struct("<16sqq")
_ROWS_IN_A_BUCKET: Final = 8
_BUCKET_SIZE: Final = _ROW.size * _ROWS_IN_A_BUCKET
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 — the folder in it is checked to be ours alone
_NUMBER_MAX: Final = 2**63 - 1


def private_directory() -> Path | None:
    """A folder for such files that only this user can enter, or None where there is no such place.

    It is in memory where there is such a file system: a busy disk would hold up all workers at the lock. An owner's
    TMPDIR goes first. A folder that somebody else has put there, or a link, is not used.
    """
    if sys.platform == "win32":
        return None
    temporary = Path(tempfile.gettempdir())
    bases = [_MEMORY, temporary] if temporary == Path("/tmp") else [temporary, _MEMORY]  # noqa: S108 — as above
    for base in bases:
        directory = base / f"poe2openai-{os.geteuid()}"
        if _is_made_or_ours(directory):
            return directory
    return None


def _is_made_or_ours(directory: Path) -> bool:
    try:
        directory.mkdir(mode=0o700)
    except FileExistsError:
        pass
    except OSError:
        return False
    status = directory.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077


class Rows:
    """The table while it is locked. A key's row is (until, count), in the caller's unit of time; (0, 0) if unknown."""

    def __init__(self, memory: mmap.mmap, buckets: int) -> None:
        self._memory = memory
        self._buckets = buckets

    def get(self, key: str) -> tuple[int, int]:
        digest, start = self._place(key)
        for found, until, count in _ROW.iter_unpack(self._memory[start : start + _BUCKET_SIZE]):
            if found == digest:
                return until, count
        return 0, 0

    def put(self, key: str, until: int, count: int) -> None:
        digest, start = self._place(key)
        rows = list(_ROW.iter_unpack(self._memory[start : start + _BUCKET_SIZE]))
        # The key's own row, else the one that ends first: an empty or a finished one where there is any.
        place = min(range(len(rows)), key=lambda index: (rows[index][0] != digest, rows[index][1]))
        row = _ROW.pack(digest, min(until, _NUMBER_MAX), min(count, _NUMBER_MAX))
        self._memory[start + place * _ROW.size : start + (place + 1) * _ROW.size] = row

    def clear(self) -> None:
        self._memory[:] = bytes(len(self._memory))

    def _place(self, key: str) -> tuple[bytes, int]:
        digest = hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=16).digest()
        return digest, int.from_bytes(digest[:4], "little") % self._buckets * _BUCKET_SIZE


class SharedTable:
    """The table in `path`, or in this process alone where that is None. Raises OSError if the file cannot be used.

    The lock is held for microseconds and freed by the system with the process that holds it, however that ends.
    """

    def __init__(self, path: Path | None, buckets: int) -> None:
        self._path = path
        self._size = buckets * _BUCKET_SIZE
        self._buckets = buckets
        self._file = -1
        # The file's lock is the process's: it holds no other thread back.
        self._threads = threading.Lock()
        if path is None:
            self._rows = Rows(mmap.mmap(-1, self._size), buckets)
        else:
            self._open(path)

    @contextmanager
    def locked(self) -> Iterator[Rows]:
        """Nothing inside may wait: all workers would."""
        with self._threads:
            if self._path is None or sys.platform == "win32":
                yield self._rows
                return
            self._lock(self._path)
            try:
                yield self._rows
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN)

    def _lock(self, path: Path) -> None:
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        if os.fstat(self._file).st_nlink:
            return
        # Somebody tidied up: a worker that starts from here on would lock another file than the others.
        deleted = self._file
        try:
            self._open(path)
        except BaseException:
            fcntl.lockf(deleted, fcntl.LOCK_UN)
            raise
        os.close(deleted)
        fcntl.lockf(self._file, fcntl.LOCK_EX)

    def _open(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
                raise PermissionError(f"{path.name} is not a file of this user's")
            _fill(file, status.st_size, self._size)
            self._rows = Rows(mmap.mmap(file, self._size), self._buckets)
        except BaseException:
            os.close(file)
            raise
        self._file = file

    def __del__(self) -> None:
        if self._file >= 0:
            os.close(self._file)


def _fill(file: int, present: int, size: int) -> None:
    """Writes the file to its full size: a hole is filled at a later write, and kills the process where no room is."""
    missing = size - present
    if missing > 0 and os.pwrite(file, bytes(missing), present) != missing:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
