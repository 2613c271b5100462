"""Agents in Python environments of their own, made when a test first wants one: their pins contradict the project's."""

import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.gateway import ROOT, Gateway

SOURCES = Path(__file__).resolve().parent / "agents"
KEPT = ROOT / ".venv" / "agents"
INSTALL_SECONDS = 100
RUN_SECONDS = 60


class AgentPython:
    """An environment that holds what `requirements` pins, with a home folder that is the test's own."""

    def __init__(self, folder: Path, home: Path) -> None:
        self._folder = folder
        self._home = home

    def run(self, command: list[str], *, cwd: Path | None = None, **variables: str) -> str:
        """What a program of the environment prints; nothing of this machine's settings reaches it."""
        program = self._folder / "bin" / command[0]
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self._home),
            "LANG": "C.UTF-8",
            "PYTHONIOENCODING": "utf-8",
            # Nothing goes out of this machine: what asks for HTTPS is refused at once.
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "NO_PROXY": "127.0.0.1,localhost",
            "LANGSMITH_TRACING": "false",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it fetches a list of prices first
            **variables,
        }
        finished = subprocess.run(
            [str(program), *command[1:]],
            cwd=cwd or self._home,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=RUN_SECONDS,
        )
        assert finished.returncode == 0, finished.stdout[-2000:] + finished.stderr[-6000:]
        return finished.stdout

    def script(self, name: str, gateway: Gateway, folder: Path, tasks: list[str]) -> dict[str, Any]:
        """What a script in `agents` made of each task, `TASK:MODEL`; it takes seconds to start, so they go together."""
        command = ["python", str(SOURCES / name), gateway.base_url, str(folder), *tasks]
        answers: dict[str, Any] = json.loads(self.run(command).splitlines()[-1])
        return answers


def agent_python(requirements: str, home: Path, newest: tuple[int, int] = (3, 99)) -> AgentPython:
    """Skips the test where the environment cannot be made, as without a network.

    `newest` is the last Python that the agent runs on.
    """
    home.mkdir(exist_ok=True)
    wanted = SOURCES / requirements
    digest = hashlib.sha256(wanted.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = KEPT / f"{wanted.stem}-{digest}"
    if not folder.exists():
        if sys.version_info[:2] > newest:
            pytest.skip(f"{wanted.stem} needs Python {newest[0]}.{newest[1]} or older")
        if reason := _failure(folder, wanted):
            pytest.skip(f"{wanted.stem} cannot be installed here: {reason}")
    return AgentPython(folder, home)


@functools.cache
def _failure(folder: Path, requirements: Path) -> str:
    """What came in the way of making an environment, which is tried once; `""` where nothing did.

    It is made beside its place and moved there, so that half of one is never taken for a whole one.
    """
    building = folder.with_name(f"{folder.name}.{os.getpid()}")
    uv = [sys.executable, "-m", "uv", "--quiet"]
    python = str(building / "bin" / "python")
    steps = [
        [*uv, "venv", "--relocatable", "--python", sys.executable, str(building)],
        [*uv, "pip", "install", "--only-binary", ":all:", "--python", python, "--requirements", str(requirements)],
    ]
    try:
        for step in steps:
            subprocess.run(step, check=True, capture_output=True, timeout=INSTALL_SECONDS)
        building.rename(folder)
    except (OSError, subprocess.SubprocessError) as error:
        shutil.rmtree(building, ignore_errors=True)
        # Tests run two files at a time: the other one may have been here first.
        return "" if folder.exists() else type(error).__name__
    return ""
