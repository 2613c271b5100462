"""The real gateway, in processes of its own, as an owner runs it."""

import contextlib
import http.client
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from tests.support.wire import Client

ROOT = Path(__file__).resolve().parents[2]
GUNICORN = ["-m", "gunicorn", "-c", "gunicorn.conf.py", "wsgi:app"]
FLASK_RUN = ["-m", "flask", "run"]


class Gateway:
    """A running gateway. `directory` is its CONFIG_DIR, `log` what it has printed so far."""

    def __init__(self, environment: Mapping[str, str], home: Path, command: list[str] | None = None) -> None:
        self.home = home
        self.directory = Path(environment.get("CONFIG_DIR") or home / "config")
        self._environment = dict(environment)
        self._command = command or GUNICORN
        self._log_path = home / "gateway.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        """What an OpenAI client is given."""
        return f"{self.url}/v1"

    @property
    def pid(self) -> int:
        """Of gunicorn's master, or of `flask run`."""
        if self._process is None:
            raise AssertionError("the gateway does not run")
        return self._process.pid

    def client(self, timeout: float = 20.0) -> Client:
        return Client(self.port, timeout)

    def start(self, timeout: float = 20.0) -> None:
        """Comes back once `/health` answers; a port lost to somebody else is given up for another."""
        self.home.mkdir(parents=True, exist_ok=True)
        for attempt in range(3):
            self.port = free_port()
            with self._log_path.open("ab") as log:
                self._process = self._spawn(log)
            if self._answers_within(timeout):
                return
            self.stop()
            if "in use" not in self.log() or attempt == 2:
                raise AssertionError(f"the gateway did not start:\n{self.log()}")

    def ask_to_stop(self) -> None:
        if self._process is not None:
            self._process.terminate()

    def stop(self, timeout: float = 10.0) -> int | None:
        """SIGTERM to the process itself; its own group is killed only if that does not end it in time."""
        self.ask_to_stop()
        process, self._process = self._process, None
        if process is None:
            return None
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)
            raise AssertionError(f"the gateway did not end within {timeout} s:\n{self.log()[-4000:]}") from None

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def has_ended(self, timeout: float) -> bool:
        if self._process is None:
            return True
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True

    def workers(self) -> list[int]:
        """The processes that serve requests."""
        command = ["ps", "-o", "pid=", "--ppid", str(self.pid)]
        listing = subprocess.run(command, check=False, capture_output=True, text=True)
        return sorted(int(line) for line in listing.stdout.split())

    def log(self) -> str:
        return self._log_path.read_text(errors="replace") if self._log_path.exists() else ""

    def wait_log(self, text: str, timeout: float = 5.0, start: int = 0) -> str:
        """The first line of the log, from character `start` on, that holds `text`, once it is there."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            for line in self.log()[start:].splitlines():
                if text in line:
                    return line
            time.sleep(0.02)
        raise AssertionError(f"{text!r} did not come up in the log:\n{self.log()[start:][-4000:]}")

    def _spawn(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        if "CONFIG_DIR" not in self._environment:
            self.directory.mkdir(exist_ok=True)
        temporary = self.home / "tmp"
        temporary.mkdir(exist_ok=True)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "TMPDIR": str(temporary),
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "CONFIG_DIR": str(self.directory),
            **self._environment,
        }
        command = [sys.executable, *self._command]
        if self._command[:3] == FLASK_RUN:
            command += ["--host", "127.0.0.1", "--port", str(self.port)]
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _answers_within(self, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline and not self.has_ended(0.0):
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
                try:
                    connection.request("GET", "/health")
                    return connection.getresponse().status == 200
                finally:
                    connection.close()
            time.sleep(0.05)
        return False


def free_port() -> int:
    """Below those that the system hands out by itself, which somebody else may be given a moment later."""
    while True:
        port = random.randrange(20_000, 32_000)
        with contextlib.suppress(OSError):
            socket.create_server(("127.0.0.1", port)).close()
            return port
