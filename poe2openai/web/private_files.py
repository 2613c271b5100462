"""Small secrets that the gateway makes itself, and that all its workers share: each in a file of its own."""

import hashlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from poe2openai.web.shared_table import private_directory

_LONGEST = 64 * 1024
_KEY_BYTES = 32


def kept(path: Path, make: Callable[[], str]) -> tuple[str, bool]:
    """What the file holds, and whether it was made just now; of several workers that come at once, one makes it.

    The file is readable for this user alone. Raises `OSError` where it can neither be read nor made.
    """
    try:
        return _read(path), False
    except FileNotFoundError:
        pass
    text = make()
    aside = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        try:
            # Unlike a rename, a link never takes the place of what another worker has made meanwhile.
            os.link(aside, path)
        except FileExistsError:
            return _read(path), False
        except OSError:
            # A file system without links; whoever comes at this very moment may take it for another's rubbish.
            aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    return text, True


def replace(path: Path, text: str) -> None:
    """Puts another text in its place, at once or not at all."""
    aside = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def secret_key(directory: Path, name: str) -> bytes:
    """32 random bytes: of a file in the directory or, where that cannot be written, of one that lasts until the machine
    restarts, or until this process ends.
    """
    shared = private_directory()
    places = [directory / name]
    if shared is not None:
        places.append(shared / f"{hashlib.sha256(os.fsencode(directory.resolve())).hexdigest()[:16]}{name}")
    for path in places:
        try:
            text, _ = kept(path, lambda: secrets.token_hex(_KEY_BYTES))
            key = bytes.fromhex(text)
        except (OSError, ValueError):
            continue
        if len(key) == _KEY_BYTES:
            return key
    return secrets.token_bytes(_KEY_BYTES)


def _read(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        return file.read(_LONGEST)
