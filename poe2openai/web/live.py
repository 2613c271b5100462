"""The requests that are under way, of all workers of this machine.

Each worker listens at a Unix socket in a folder that only the gateway's user can enter. It is asked in one line of
JSON, and answers in one; who does not answer in time is left out.
"""

import atexit
import contextlib
import hashlib
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from poe2openai.config.settings import Settings
from poe2openai.web.client_name import client_name
from poe2openai.web.hang_up import HangUpWatcher, Watched
from poe2openai.web.shared_table import private_directory

PATIENCE_SECONDS = 0.3
"""All other workers together get so long to answer."""
_STOP_PATIENCE_SECONDS = 2.0

_LEAST_SECONDS = 0.02  # for each of them, when that is over: it may have answered long ago
_SERVE_SECONDS = 1.0
_MOST_SHOWN = 2000
_LONGEST_QUESTION = 1024
_LONGEST_ANSWER = 4 * 1024 * 1024
_LONGEST_NAME = 200
_LONGEST_PATH = 100  # a Unix socket's address has room for a little more
_PIECE = 64 * 1024

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LiveRequest:
    """`age` is in seconds; `tokens` is what came of the answer so far, roughly."""

    id: str
    caller: str
    client: str
    model: str
    bot: str
    stream: bool
    age: float
    tokens: int
    stopping: bool


class Live:
    """One a worker. It listens from the first request on."""

    def __init__(self, watcher: HangUpWatcher, settings: Settings) -> None:
        self._watcher = watcher
        self._peers = _Peers(_prefix(settings), self._answer)
        watcher.before_first = self._peers.listen

    def all(self) -> list[LiveRequest]:
        """The oldest first."""
        found = self._own()
        for answer in self._peers.ask({"ask": "all"}):
            found += _requests_in(answer)
        return sorted(found, key=lambda request: -request.age)

    def stop(self, id: str) -> bool:
        """Whether there was such a request; it notices within seconds."""
        if self._watcher.stop(id):
            return True
        question = {"ask": "stop", "id": id[:_LONGEST_NAME]}
        # Whoever is busy stops it later all the same: better to wait than to say that there is no such request.
        return any(answer.get("stopped") is True for answer in self._peers.ask(question, _STOP_PATIENCE_SECONDS))

    def close(self) -> None:
        self._peers.close()

    def _answer(self, question: dict[str, Any]) -> dict[str, Any]:
        match question:
            case {"ask": "all"}:
                return {"requests": [asdict(request) for request in self._own()]}
            case {"ask": "stop", "id": str(request_id)}:
                return {"stopped": self._watcher.stop(request_id)}
            case _:
                return {}

    def _own(self) -> list[LiveRequest]:
        now = time.monotonic()
        shown = (watched for watched in self._watcher.open() if watched.record is not None and watched.record.model)
        return [_shown(watched, now) for watched, _ in zip(shown, range(_MOST_SHOWN), strict=False)]


def _shown(watched: Watched, now: float) -> LiveRequest:
    record = watched.record
    assert record is not None  # noqa: S101 - see `_own`
    return LiveRequest(
        id=record.id,
        caller=record.caller[:_LONGEST_NAME],
        client=client_name(record.sender),
        model=_text(record.model),
        bot=_text(record.bot),
        stream=record.stream,
        age=round(now - record.started, 3),
        tokens=record.token_counts()[1],
        stopping=watched.stop_at is not None,
    )


def _text(name: str) -> str:
    """As JSON can carry it."""
    return name[:_LONGEST_NAME].encode("utf-8", "replace").decode()


def _requests_in(answer: dict[str, Any]) -> Iterator[LiveRequest]:
    requests = answer.get("requests")
    for request in requests if isinstance(requests, list) else ():
        with contextlib.suppress(TypeError):
            yield LiveRequest(**request)


def _prefix(settings: Settings) -> str:
    """The same for all workers of one gateway, another for each gateway of this machine."""
    gateway = f"{settings.config_dir.resolve()}\n{settings.host}\n{settings.port}"
    return hashlib.sha256(gateway.encode("utf-8", "surrogateescape")).hexdigest()[:12]


class _Peers:
    """This worker's socket, and the others'."""

    def __init__(self, prefix: str, answer: Any) -> None:
        self._prefix = prefix
        self._answer = answer
        self._directory: Path | None = None
        self._handle = -1
        self._own: Path | None = None
        self._socket: socket.socket | None = None

    def listen(self) -> None:
        """Where that is not possible, other workers do not see this one's requests."""
        try:
            self._listen()
        except OSError as problem:
            log.warning("Other workers cannot see this one's live requests: %s", problem.strerror or problem)

    def close(self) -> None:
        own, self._own = self._own, None
        if own is not None:
            own.unlink(missing_ok=True)
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def ask(self, question: dict[str, Any], patience: float = PATIENCE_SECONDS) -> list[dict[str, Any]]:
        """What the other workers answer: all at once, and none is waited for longer than the rest."""
        deadline = time.monotonic() + patience
        line = orjson.dumps(question) + b"\n"
        asked = []
        for path in self._others():
            connection = self._connect(path)
            if connection is not None:
                with contextlib.suppress(OSError):
                    connection.sendall(line)
                asked.append(connection)
        answers = []
        for connection in asked:
            with connection, contextlib.suppress(OSError, ValueError):
                answer = orjson.loads(_read_line(connection, deadline, _LONGEST_ANSWER))
                if isinstance(answer, dict):
                    answers.append(answer)
        return answers

    def _listen(self) -> None:
        directory = self._find_directory()
        if directory is None:
            return
        path = directory / f"{self._prefix}.{os.getpid()}.{secrets.token_hex(3)}.live"
        unready = path.with_suffix(".new")
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listening.bind(self._address(unready))
            listening.listen(64)
            # Only now can others find it: a socket that refuses is taken for a dead worker's.
            unready.rename(path)
        except BaseException:
            listening.close()
            unready.unlink(missing_ok=True)
            raise
        self._socket, self._own = listening, path
        atexit.register(self.close)
        threading.Thread(target=self._serve, args=(listening,), name="live", daemon=True).start()

    def _serve(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                if self._socket is not listening:
                    return
                time.sleep(_SERVE_SECONDS)  # out of file descriptors, perhaps
                continue
            try:
                with connection, contextlib.suppress(OSError, ValueError):
                    self._serve_one(connection)
            except Exception:
                log.exception("an error of our own while another worker asked for live requests")

    def _serve_one(self, connection: socket.socket) -> None:
        connection.settimeout(_SERVE_SECONDS)
        question = orjson.loads(_read_line(connection, time.monotonic() + _SERVE_SECONDS, _LONGEST_QUESTION))
        connection.sendall(orjson.dumps(self._answer(question)) + b"\n")

    def _others(self) -> list[Path]:
        directory = self._find_directory()
        if directory is None:
            return []
        return sorted(path for path in directory.glob(f"{self._prefix}.*.live") if path != self._own)

    def _connect(self, path: Path) -> socket.socket | None:
        """None where nobody listens any more: whoever was killed leaves a socket behind, which is cleared away."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(PATIENCE_SECONDS)
        try:
            connection.connect(self._address(path))
        except OSError as problem:
            connection.close()
            if isinstance(problem, ConnectionRefusedError):
                with contextlib.suppress(OSError):
                    path.unlink()
            return None
        return connection

    def _find_directory(self) -> Path | None:
        if self._directory is None:
            self._directory = private_directory()
        return self._directory

    def _address(self, path: Path) -> str:
        """Through a handle of the folder where the path is too long for a socket's address."""
        if len(os.fsencode(path)) <= _LONGEST_PATH:
            return str(path)
        if self._handle < 0:
            self._handle = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return f"/proc/self/fd/{self._handle}/{path.name}"


def _read_line(connection: socket.socket, deadline: float, longest: int) -> bytes:
    """Raises OSError where the line does not end in time, or at all."""
    line = b""
    while not line.endswith(b"\n"):
        connection.settimeout(max(_LEAST_SECONDS, deadline - time.monotonic()))
        piece = connection.recv(_PIECE)
        if not piece or len(line) + len(piece) > longest:
            raise ConnectionError
        line += piece
    return line
