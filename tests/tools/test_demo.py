"""`make demo`: what a newcomer without an account sees."""

import contextlib
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gateway import free_port
from tests.support.wire import Client, content

ROOT = Path(__file__).resolve().parents[2]


def start(port: int) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tools.demo"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PORT": str(port), "HOME": "/", "POE_API_KEYS": "not-for-the-demo"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture
def demo() -> Iterator[tuple["subprocess.Popen[str]", int]]:
    port = free_port()
    process = start(port)
    overdue = threading.Timer(60, process.kill)
    overdue.start()
    yield process, port
    overdue.cancel()
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)


def welcome(process: "subprocess.Popen[str]") -> str:
    lines: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)
        if "Ctrl-C" in line:
            return "".join(lines)
    raise AssertionError("".join(lines))


def test_the_printed_line_streams_an_answer_with_reasoning(demo: tuple["subprocess.Popen[str]", int]) -> None:
    process, port = demo
    printed = welcome(process)
    assert f"http://127.0.0.1:{port}/v1\n" in printed
    assert f"http://127.0.0.1:{port}/admin  name admin, password " in printed
    assert "warning" not in printed.lower()
    assert "access key" not in printed
    (line,) = [line.strip() for line in printed.splitlines() if line.strip().startswith("curl")]
    command = shlex.split(line)
    assert command[:3] == ["curl", "-N", f"http://127.0.0.1:{port}/v1/chat/completions"]
    headers = dict(command[at + 1].split(": ", 1) for at, word in enumerate(command) if word == "-H")
    with Client(port) as client:
        response = client.request("POST", "/v1/chat/completions", command[-1].encode(), headers)
        chunks = response.chunks()
        assert response.whole
        assert len(content(chunks, "reasoning_content")) > 50
        assert "Hello!" in content(chunks)
        assert chunks[-1] == "[DONE]"
        models = [model["id"] for model in client.request("GET", "/v1/models").json()["data"]]
    assert sorted(models) == ["demo-assistant", "demo-painter", "demo-thinker"]
    assert json.loads(command[-1])["model"] in models

    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "Traceback" not in rest
    with pytest.raises(ConnectionRefusedError):
        Client(port)


def test_a_taken_port_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = start(port)
        printed, _ = process.communicate(timeout=20)
    assert process.returncode == 1
    assert printed == (
        f"make demo: port {port} cannot be had (Address already in use): `PORT=8081 make demo` takes another\n"
    )
