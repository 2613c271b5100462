"""models.yaml while the gateway runs: noticed when it changes, kept as it last was when it breaks.

A changed file is read once it has been still for a moment, because a half-written one is often valid. The last good
one is kept in memory and, for a worker that starts while the file is broken, as a copy beside it; where nothing can be
written there is no copy, and that is no obstacle.
"""

import logging
import os
import stat
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from poe2openai.config.models_schema import CustomModel, ModelSettings, ModelsFile, read_models_file
from poe2openai.config.yaml_guard import MAX_BYTES, YamlError

__all__ = ["ConfigState", "CustomModel", "ModelSettings", "ModelsFile", "ModelsFileStore"]

FILE_NAME = "models.yaml"
COPY_NAME = ".models.last-good.yaml"
# A file that was written to less than this long ago may be half there.
STILL_SECONDS = 0.2
# Editors that save by renaming leave a moment without the file.
GONE_SECONDS = 0.5
WATCH_SECONDS = 0.2

logger = logging.getLogger(__name__)

Source = Literal["file", "environment", "last_good", "none"]
# None: there is no file. A single number: the errno of why it cannot be looked at.
Signature = tuple[int, ...] | None
# Like no file's signature: the next look settles the matter.
UNSETTLED: Signature = ()

_APPLIES: dict[Source, str] = {
    "file": "it applies",
    "environment": "MODELS_YAML applies",
    "last_good": "what was last good applies",
    "none": "the defaults apply",
}


@dataclass(frozen=True, slots=True)
class ConfigState:
    """What /health tells: `ok` False means that the file is broken and `source` serves instead.

    `loaded_at` is in seconds since 1970, None where nothing was ever loaded.
    """

    source: Source
    ok: bool
    error: str | None = None
    loaded_at: float | None = None


class _Moving(Exception):
    """The file changed while it was read."""


class ModelsFileStore:
    """`CONFIG_DIR/models.yaml` if it exists, else `inline_yaml` (MODELS_YAML), else the defaults."""

    def __init__(self, config_dir: Path, inline_yaml: str = "") -> None:
        self._path = config_dir / FILE_NAME
        self._copy = config_dir / COPY_NAME
        self._reloading = threading.Lock()
        self._stopping = threading.Event()
        self._fallback = _read_inline(inline_yaml)
        self._file, self._state = self._fallback
        self._data: bytes | None = None
        self._seen: Signature = self._look()
        self._seen_at = time.monotonic()
        # What the answer of `current` stands for; differs from `_seen` while a change settles.
        self._taken: Signature = self._seen
        if self._seen is not None:
            self._start(self._seen)

    def current(self) -> ModelsFile:
        """The file as it is, or as it last was in order; the same object until something changed. One `os.stat`."""
        signature = self._look()
        # Who finds a reload under way goes on with what there is.
        if signature != self._taken and self._reloading.acquire(blocking=False):
            try:
                self._settle(signature)
            finally:
                self._reloading.release()
        return self._file

    def watch(self) -> None:
        """Looks by itself too: a change applies, and is logged, within a second where no request comes to see it."""
        threading.Thread(target=self._keep_watch, name="models-file", daemon=True).start()

    def stop(self) -> None:
        self._stopping.set()

    def _keep_watch(self) -> None:
        while not self._stopping.wait(WATCH_SECONDS):
            try:
                self.current()
            except Exception:
                logger.exception("%s could not be looked at", FILE_NAME)

    def state(self) -> ConfigState:
        self.current()
        return self._state

    def _look(self) -> Signature:
        try:
            found = os.stat(self._path)  # noqa: PTH116 (half the cost of Path.stat, once a request)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            return (error.errno or 0,)
        return _signature(found)

    def _start(self, signature: tuple[int, ...]) -> None:
        """A worker begins: there is nothing yet to go on with, so the file is taken at once."""
        try:
            self._take_file(signature)
        except _Moving:
            self._state = replace(self._state, ok=False, error="it is being written")
        if not self._state.ok:
            self._use_copy()
        elif _age(signature) < STILL_SECONDS:
            self._taken = UNSETTLED

    def _settle(self, signature: Signature) -> None:
        now = time.monotonic()
        if signature != self._seen:
            self._seen, self._seen_at = signature, now
        still_for = now - self._seen_at
        if signature is None:
            if still_for >= GONE_SECONDS:
                self._take_absence()
        elif still_for >= STILL_SECONDS or _age(signature) >= STILL_SECONDS:
            with suppress(_Moving):
                self._take_file(signature)

    def _take_absence(self) -> None:
        self._file, self._state = self._fallback
        self._data = None
        self._taken = None
        logger.info("%s is gone: %s", FILE_NAME, _APPLIES[self._state.source])
        # A copy of a file that was deleted on purpose must not come back.
        with suppress(OSError):
            self._copy.unlink(missing_ok=True)

    def _take_file(self, signature: tuple[int, ...]) -> None:
        try:
            data = _read(self._path, signature)
            # After a mere `touch` the content stays the same object, and nothing is rendered anew.
            read = None if data == self._data else read_models_file(data)
        except YamlError as error:
            source: Source = "last_good" if self._state.source == "file" else self._state.source
            self._state = replace(self._state, source=source, ok=False, error=str(error))
            logger.error("%s is broken, %s: %s", FILE_NAME, _APPLIES[source], error)
        else:
            if read is not None:
                self._use(data, *read)
            elif not self._state.ok:
                logger.info("%s is in order again", FILE_NAME)
            self._state = ConfigState("file", ok=True, loaded_at=time.time())
        self._taken = signature

    def _use(self, data: bytes, file: ModelsFile, warnings: list[str]) -> None:
        self._file, self._data = file, data
        logger.info("%s is loaded: %d models, %d custom", FILE_NAME, len(file.models), len(file.custom_models))
        for warning in warnings:
            logger.warning("%s: %s", FILE_NAME, warning)
        self._keep_copy(data)

    def _use_copy(self) -> None:
        with suppress(OSError, YamlError, _Moving):
            data = _read(self._copy, _signature(self._copy.stat()))
            self._file, _ = read_models_file(data)
            self._data = data
            self._state = replace(self._state, source="last_good", loaded_at=time.time())
            logger.warning("%s: %s", FILE_NAME, _APPLIES["last_good"])

    def _keep_copy(self, data: bytes) -> None:
        """Written aside and renamed, readable for this user alone: it may hold the `api_token`."""
        try:
            with suppress(FileNotFoundError):
                if self._copy.read_bytes() == data:
                    return
            handle, name = tempfile.mkstemp(prefix=f"{COPY_NAME}.", dir=self._copy.parent)
            try:
                with os.fdopen(handle, "wb") as aside:
                    aside.write(data)
                    aside.flush()
                    os.fsync(aside.fileno())
                Path(name).replace(self._copy)
            except OSError:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as error:
            logger.debug("no last good copy of %s can be kept: %s", FILE_NAME, error.strerror)


def _signature(found: os.stat_result) -> tuple[int, ...]:
    return (found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode)


def _age(signature: tuple[int, ...]) -> float:
    return time.time() - signature[0] / 1e9 if len(signature) > 1 else 0.0


def _read(path: Path, signature: tuple[int, ...]) -> bytes:
    """The bytes that `signature` stands for; raises `YamlError`, or `_Moving` when they are no longer those."""
    if len(signature) == 1:
        raise YamlError(f"it cannot be read: {os.strerror(signature[0])}")
    # Opening a pipe would wait for its writer.
    if not stat.S_ISREG(signature[-1]):
        raise YamlError("it is not a file")
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
            if _signature(os.fstat(file.fileno())) != signature:
                raise _Moving
    except FileNotFoundError:
        raise _Moving from None
    except OSError as error:
        raise YamlError(f"it cannot be read: {error.strerror}") from None
    return data


def _read_inline(text: str) -> tuple[ModelsFile, ConfigState]:
    if not text.strip():
        return ModelsFile(), ConfigState("none", ok=True)
    try:
        file, warnings = read_models_file(text.encode(errors="surrogatepass"))
    except YamlError as error:
        logger.error("MODELS_YAML is broken and ignored: %s", error)
        return ModelsFile(), ConfigState("none", ok=False, error=f"MODELS_YAML: {error}")
    for warning in warnings:
        logger.warning("MODELS_YAML: %s", warning)
    return file, ConfigState("environment", ok=True, loaded_at=time.time())
