"""Open WebUI, a chat client with a web page, in an environment that `python -m tests.support.open_webui` makes.

Tests never make it by themselves: it is some 700 MB on the disk, and that without PyTorch, Chroma and the like, which
its slim mode (`USE_SLIM_DOCKER`) never imports.
"""

import contextlib
import hashlib
import http.client
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.agent_python import KEPT, SOURCES
from tests.support.gateway import free_port

REQUIREMENTS = SOURCES / "open-webui.txt"
NOT_INSTALLED = "Open WebUI is not installed; `python -m tests.support.open_webui` does that (some 700 MB)"
# Migrations of its database are half of it; a busy machine needs three times as long as a quiet one.
START_SECONDS = 45.0
SETTINGS = {
    "USE_SLIM_DOCKER": "true",
    "WEBUI_AUTH": "false",
    "WEBUI_SECRET_KEY": "a secret of these tests, which keeps nothing safe",
    "ENABLE_OLLAMA_API": "false",
    "BYPASS_EMBEDDING_AND_RETRIEVAL": "true",
    # Else it asks the model for a title, tags and questions after each answer.
    "ENABLE_TITLE_GENERATION": "false",
    "ENABLE_TAGS_GENERATION": "false",
    "ENABLE_FOLLOW_UP_GENERATION": "false",
    # Nothing goes out of this machine.
    "OFFLINE_MODE": "true",
    "HF_HUB_OFFLINE": "1",
    "ANONYMIZED_TELEMETRY": "false",
    "SCARF_NO_ANALYTICS": "true",
    "DO_NOT_TRACK": "true",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "NO_PROXY": "127.0.0.1,localhost",
}


class OpenWebUI:
    """Leave the block to end it. `url` is its page, where nobody has to sign in."""

    def __init__(self, home: Path, base_url: str, key: str, **variables: str) -> None:
        self._home = home
        self._variables = {"OPENAI_API_BASE_URL": base_url, "OPENAI_API_KEY": key, **variables}
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def log(self) -> str:
        return (self._home / "open-webui.log").read_text(errors="replace")

    def __enter__(self) -> Self:
        self._home.mkdir(exist_ok=True)
        self._port = free_port()
        program = str(environment_folder() / "bin" / "open-webui")
        with (self._home / "open-webui.log").open("wb") as log:
            self._process = subprocess.Popen(
                [program, "serve", "--host", "127.0.0.1", "--port", str(self._port)],
                cwd=self._home,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        if not self._answers_within(START_SECONDS):
            self._end()
            raise AssertionError(f"Open WebUI did not start:\n{self.log()[-6000:]}")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end()

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(self._home),
            "DATA_DIR": str(self._home / "data"),
            "STATIC_DIR": str(self._home / "static"),  # which it empties and fills, in its own package by default
            **SETTINGS,
            **self._variables,
        }

    def _answers_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=2)
                try:
                    connection.request("GET", "/health")
                    return connection.getresponse().status == 200
                finally:
                    connection.close()
            time.sleep(0.2)
        return False

    def _end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)


def environment_folder() -> Path:
    digest = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    return KEPT / f"{REQUIREMENTS.stem}-{digest}"


def make_environment() -> None:
    """It is made beside its place and moved there, so that half of one is never taken for a whole one."""
    folder = environment_folder()
    building = folder.with_name(f"{folder.name}.{os.getpid()}")
    uv = [sys.executable, "-m", "uv"]
    install = [*uv, "pip", "install", "--no-deps", "--only-binary", ":all:", "--requirements", str(REQUIREMENTS)]
    try:
        subprocess.run([*uv, "venv", "--relocatable", "--python", sys.executable, str(building)], check=True)
        subprocess.run([*install, "--python", str(building / "bin" / "python")], check=True)
        building.rename(folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)


if __name__ == "__main__":
    if not environment_folder().exists():
        make_environment()
    print(environment_folder())
