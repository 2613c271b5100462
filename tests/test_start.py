"""The doors, from outside: `make run`'s command, gunicorn, `flask run`; what they say when they cannot start."""

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from poe2openai import __version__
from tests.support.fixtures import GatewayFactory
from tests.support.gateway import FLASK_RUN, GUNICORN, Gateway, free_port

ROOT = Path(__file__).resolve().parents[1]
SERVE = ["-m", "tools.serve"]
DOORS = pytest.mark.parametrize("door", [SERVE, GUNICORN, FLASK_RUN], ids=["make run", "gunicorn", "flask run"])


def run(
    command: list[str], environment: Mapping[str, str], home: Path, cwd: Path = ROOT
) -> "subprocess.CompletedProcess[str]":
    """A start that is expected to fail."""
    return subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "HOST": "127.0.0.1",
            "CONFIG_DIR": str(home),
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def version_of(gateway: Gateway) -> str:
    with gateway.client() as client:
        return str(client.request("GET", "/health").json()["version"])


@DOORS
def test_a_bad_setting_ends_the_start_with_one_line(door: list[str], tmp_path: Path) -> None:
    ended = run(door, {"LOG_LEVEL": "loud"}, tmp_path)

    assert ended.returncode != 0
    assert ended.stderr == ("poe2openai cannot start: LOG_LEVEL is 'loud', but must be debug, info, warn or error.\n")
    assert ended.stdout == ""


@DOORS
def test_a_bad_secret_is_not_shown(door: list[str], tmp_path: Path) -> None:
    ended = run(door, {"POE_API_KEYS": '["hush", "hush'}, tmp_path)

    assert ended.returncode != 0
    assert ended.stderr.startswith("poe2openai cannot start: POE_API_KEYS must be")
    assert "hush" not in ended.stderr + ended.stdout


@pytest.mark.parametrize("value", ["many", "0"])
def test_what_gunicorn_itself_would_stumble_over_is_told_in_one_line_too(value: str, tmp_path: Path) -> None:
    ended = run(SERVE, {"WEB_CONCURRENCY": value}, tmp_path)

    assert ended.returncode == 1
    assert ended.stderr == (
        f"poe2openai cannot start: WEB_CONCURRENCY is {value!r}, but must be a whole number, 1 to 64.\n"
    )


@pytest.mark.parametrize("door", [SERVE, GUNICORN], ids=["make run", "gunicorn"])
def test_what_only_the_app_finds_out_ends_gunicorn_instead_of_starting_workers_for_ever(
    door: list[str], tmp_path: Path
) -> None:
    environment = {"RATELIMIT_STORAGE_URI": "redis://localhost:none", "PORT": str(free_port()), "WEB_CONCURRENCY": "1"}
    ended = run(door, environment, tmp_path)

    assert ended.returncode != 0
    assert ended.stderr.count("poe2openai cannot start: RATELIMIT_STORAGE_URI ") == 1
    assert "Traceback" not in ended.stderr


def test_a_port_in_use_is_told_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run(SERVE, {"PORT": str(port)}, tmp_path)

    assert ended.returncode == 1
    assert ended.stderr.startswith(f"poe2openai cannot listen on 127.0.0.1 port {port}: ")
    assert ended.stderr.endswith("Set PORT to another one.\n")
    assert ended.stderr.count("\n") == 1
    assert ended.stdout == ""


def test_make_run_greets_with_the_addresses_and_a_curl_line_that_works(make_gateway: GatewayFactory) -> None:
    gateway = make_gateway(fresh=True, command=SERVE, WEB_CONCURRENCY="", LOG_LEVEL="")
    greeting = gateway.log()

    for address in (f"{gateway.base_url}, API key", f"{gateway.url}/admin", f"{gateway.url}/health"):
        assert address in greeting
    with gateway.client() as client:
        assert client.request("GET", "/admin/login").status == 200
    curl = shlex.split(greeting[greeting.index("curl -N") :].partition("\n\n")[0])
    assert curl[:3] == ["curl", "-N", f"{gateway.base_url}/chat/completions"]
    body = json.loads(curl[curl.index("-d") + 1])
    assert body["stream"] is True
    assert body["messages"][0]["role"] == "user"
    assert gateway.stop() == 0


def test_a_container_is_not_greeted(make_gateway: GatewayFactory) -> None:
    gateway = make_gateway(fresh=True, command=[*SERVE, "--quiet"], LOG_FORMAT="json", WEB_CONCURRENCY="2")
    with gateway.client() as client:
        client.request("GET", "/health?key=hush").read()
    workers = len(gateway.workers())
    gateway.stop()

    entries = [json.loads(line) for line in gateway.log().splitlines()]
    assert workers == 2
    assert {entry["level"] for entry in entries} == {"info"}
    assert "hush" not in gateway.log()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_right_after_the_start_is_quick(number: int, tmp_path: Path) -> None:
    """systemd is told that gunicorn is ready before its workers are: one that still boots is not waited for."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(20)
        process = subprocess.Popen(
            [sys.executable, *SERVE, "--quiet"],
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "NOTIFY_SOCKET": str(tmp_path / "notify"),
                "CONFIG_DIR": str(tmp_path),
                "POE_BASE_URL": "http://127.0.0.1:9",
                "HOST": "127.0.0.1",
                "PORT": str(free_port()),
                "WEB_CONCURRENCY": "4",
            },
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            assert systemd.recv(4096).startswith(b"READY=1")
            process.send_signal(number)
            assert process.wait(15) == 0
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(5)


def test_a_hang_up_signal_brings_in_the_files_of_an_upgrade(make_gateway: GatewayFactory, tmp_path: Path) -> None:
    """Every file, those included that gunicorn's master loads to read the settings."""
    copy = tmp_path / "project"
    copy.mkdir()
    for name in ("app.py", "wsgi.py", "gunicorn.conf.py"):
        shutil.copy(ROOT / name, copy)
    for folder in ("poe2openai", "templates", "static"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    there = f"import os, runpy, sys; os.chdir({str(copy)!r}); sys.path[0] = ''; sys.argv = ['gunicorn']; "
    command = ["-c", there + "runpy.run_module('gunicorn', run_name='__main__')"]
    gateway = make_gateway(fresh=True, command=command)
    assert version_of(gateway) == __version__

    for changed, old, new in (
        ("__init__.py", f'"{__version__}"', '"9.9.9"'),
        ("config/settings.py", "class Settings:", "class Settings:\n    NEW = True"),
        ("web/factory.py", "def create_app", "assert Settings.NEW\n\n\ndef create_app"),
    ):
        file = copy / "poe2openai" / changed
        file.write_text(file.read_text().replace(old, new, 1))
    gateway.signal(signal.SIGHUP)

    deadline = time.monotonic() + 20
    while version_of(gateway) != "9.9.9":
        assert time.monotonic() < deadline, gateway.log()
        time.sleep(0.1)


@DOORS
def test_gevent_patches_under_gunicorn_alone(door: list[str], make_gateway: GatewayFactory, tmp_path: Path) -> None:
    spy = tmp_path / "sitecustomize.py"
    spy.write_text(
        "import atexit, sys\n"
        "def tell():\n"
        "    from gevent import monkey\n"
        "    print('patched:', monkey.is_anything_patched(), 'app:', 'app' in sys.modules, flush=True)\n"
        "atexit.register(tell)\n"
    )
    gateway = make_gateway(fresh=True, command=door, PYTHONPATH=str(tmp_path))
    gateway.signal(signal.SIGINT)
    assert gateway.has_ended(20)

    assert f"patched: {door is not FLASK_RUN} app: True" in gateway.log()


def test_gunicorns_master_loads_nothing_that_must_come_after_the_patch(tmp_path: Path) -> None:
    looks = (
        "import runpy, sys, gunicorn.app.wsgiapp, gunicorn.arbiter; own = set(sys.modules);"
        "runpy.run_path('gunicorn.conf.py');"
        "print(sorted({name.partition('.')[0] for name in set(sys.modules) - own} & "
        "{'poe2openai', 'flask', 'requests', 'urllib3', 'gevent', 'ssl', 'socket', 'limits'}))"
    )
    ended = run(["-c", looks], {}, tmp_path)

    assert (ended.stdout.strip(), ended.stderr) == ("[]", "")
