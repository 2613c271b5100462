"""Limits as a client meets them: who waits, who is refused and when to come back; in one process and in workers."""

import contextlib
import http.client
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient

from poe2openai.config.settings import Settings, SettingsError
from poe2openai.gateway.keys import Caller
from poe2openai.web import limits, shared_table
from tests.support.gateway import free_port
from tests.support.limits_app import create_app
from tests.support.redis_server import IS_INSTALLED, RedisServer

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def make(**given: Any) -> Settings:
        return Settings(**{"rate_limit_ms": 0, "config_dir": tmp_path, **given})

    return make


def client(settings: Settings) -> FlaskClient:
    return create_app(settings).test_client()


def statuses(client: FlaskClient, times: int, caller: str = "key-1") -> list[int]:
    return [client.post("/chat", query_string={"caller": caller}).status_code for _ in range(times)]


class TestNoLimits:
    def test_nothing_is_added_to_the_app(self, settings: Callable[..., Settings], tmp_path: Path) -> None:
        app = Flask(__name__)
        limits.install(app, settings()).wait_turn(Caller("key-1", None))
        assert not app.before_request_funcs
        assert not app.after_request_funcs
        assert list(tmp_path.iterdir()) == []


class TestInterval:
    def test_requests_start_that_far_apart(self, settings: Callable[..., Settings]) -> None:
        chat = client(settings(rate_limit_ms=60))
        before = time.monotonic()
        started = [chat.post("/chat").get_json()["started"] for _ in range(4)]
        for number, moment in enumerate(started):
            assert moment >= before + number * 0.06

    def test_all_callers_share_it(self, settings: Callable[..., Settings]) -> None:
        chat = client(settings(rate_limit_ms=300, rate_limit_max_wait=0.0))
        assert statuses(chat, 1, "key-1") + statuses(chat, 1, "key-2") == [200, 429]

    def test_too_long_a_wait_is_refused_with_the_time_to_come_back(self, settings: Callable[..., Settings]) -> None:
        chat = client(settings(rate_limit_ms=10_000, rate_limit_max_wait=4.0))
        assert statuses(chat, 1) == [200]
        before = time.monotonic()
        refused = chat.post("/chat")
        assert time.monotonic() - before < 1
        assert refused.status_code == 429
        assert refused.get_json()["code"] == "rate_limit_exceeded"
        assert "Try again in 6 s" in refused.get_json()["message"]
        assert refused.headers["Retry-After"] == "6"

    def test_a_second_worker_shares_the_schedule(self, settings: Callable[..., Settings]) -> None:
        given = settings(rate_limit_ms=10_000, rate_limit_max_wait=0.0)
        assert statuses(client(given), 1) + statuses(client(given), 1) == [200, 429]

    def test_another_gateway_has_its_own(self, settings: Callable[..., Settings]) -> None:
        for port in (8080, 8081):
            assert statuses(client(settings(rate_limit_ms=10_000, rate_limit_max_wait=0.0, port=port)), 1) == [200]

    def test_other_routes_do_not_wait(self, settings: Callable[..., Settings]) -> None:
        chat = client(settings(rate_limit_ms=60_000, rate_limit_max_wait=0.0))
        statuses(chat, 1)
        assert chat.get("/free").status_code == 200


class TestCallersLimits:
    def test_each_caller_has_its_own_count(self, settings: Callable[..., Settings]) -> None:
        chat = client(settings(rate_limits="2/minute"))
        assert statuses(chat, 3, "key-1") == [200, 200, 429]
        assert statuses(chat, 1, "key-2") == [200]

    def test_the_refusal_names_the_limit_and_the_time(self, settings: Callable[..., Settings]) -> None:
        chat = client(settings(rate_limits="1/minute"))
        statuses(chat, 1)
        refused = chat.post("/chat")
        assert refused.get_json()["code"] == "rate_limit_exceeded"
        assert "1 per 1 minute" in refused.get_json()["message"]
        assert 55 <= int(refused.headers["Retry-After"]) <= 60

    def test_after_that_time_it_works(self, settings: Callable[..., Settings]) -> None:
        chat = client(settings(rate_limits="1/second"))
        assert statuses(chat, 2) == [200, 429]
        time.sleep(1.05)
        assert statuses(chat, 1) == [200]

    @pytest.mark.parametrize("several", ["100/second;2/minute", "100/second, 2 per minute"])
    def test_several_limits_hold_together(self, settings: Callable[..., Settings], several: str) -> None:
        assert statuses(client(settings(rate_limits=several)), 3) == [200, 200, 429]

    def test_who_is_refused_takes_no_turn(self, settings: Callable[..., Settings]) -> None:
        chat = client(settings(rate_limits="1/hour", rate_limit_ms=200))
        statuses(chat, 20, "key-1")
        before = time.monotonic()
        assert statuses(chat, 1, "key-2") == [200]
        assert time.monotonic() - before < 0.5

    def test_a_second_worker_shares_the_count(self, settings: Callable[..., Settings]) -> None:
        given = settings(rate_limits="2/minute")
        assert statuses(client(given), 2) + statuses(client(given), 1) == [200, 200, 429]


class TestStorage:
    def test_without_a_folder_each_worker_counts_and_says_so(
        self, settings: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
    ) -> None:
        monkeypatch.setattr(shared_table, "_MEMORY", tmp_path / "missing")
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
        chat = client(settings(rate_limits="2/minute", rate_limit_ms=1))
        assert "for each worker by itself" in caplog.text
        assert statuses(chat, 3) == [200, 200, 429]

    def test_memory_is_each_workers_own(self, settings: Callable[..., Settings]) -> None:
        given = settings(rate_limits="1/minute", ratelimit_storage_uri="memory://")
        assert statuses(client(given), 2) + statuses(client(given), 1) == [200, 429, 200]

    @pytest.mark.parametrize("uri", ["redis+cluster://host:6379", "memcached://host:11211"])
    def test_what_is_not_supported_is_said_at_the_start(self, settings: Callable[..., Settings], uri: str) -> None:
        with pytest.raises(SettingsError, match=r"RATELIMIT_STORAGE_URI.*redis://"):
            client(settings(rate_limit_ms=100, ratelimit_storage_uri=uri))

    def test_a_missing_package_is_named_and_the_password_is_not(
        self, settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "redis", None)
        with pytest.raises(SettingsError, match="pip install redis") as caught:
            client(settings(rate_limit_ms=100, ratelimit_storage_uri="redis://:secret@host:6379"))
        assert "secret" not in str(caught.value)

    @pytest.mark.skipif(not IS_INSTALLED, reason="needs redis-server and the Python package redis")
    def test_redis_serves_both_and_its_end_stops_no_chat(
        self, settings: Callable[..., Settings], tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        server = RedisServer(tmp_path)
        server.start()
        try:
            given = settings(rate_limits="3/minute", rate_limit_ms=50, ratelimit_storage_uri=server.uri)
            chat, other_machine = client(given), client(given)
            before = time.monotonic()
            assert statuses(chat, 2) + statuses(other_machine, 2) == [200, 200, 200, 429]
            assert time.monotonic() - before >= 0.1
        finally:
            server.stop()
        with caplog.at_level(logging.WARNING):
            before = time.monotonic()
            assert statuses(chat, 20) == [200] * 20
            assert time.monotonic() - before < 2
        assert caplog.text.count("Rate limits are off") == 1


@pytest.mark.skipif(not IS_INSTALLED, reason="needs redis-server and the Python package redis")
def test_a_redis_that_says_nothing_holds_nobody_up(settings: Callable[..., Settings]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"redis://127.0.0.1:{silent.getsockname()[1]}"
        chat = client(settings(rate_limits="1/minute", rate_limit_ms=10_000, ratelimit_storage_uri=uri))
        for _ in range(5):
            before = time.monotonic()
            assert statuses(chat, 1) == [200]
            assert time.monotonic() - before < 1


def chat_on(connection: http.client.HTTPConnection, caller: str = "key-1") -> tuple[int, dict[str, Any]] | None:
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("POST", f"/chat?caller={caller}")
        response = connection.getresponse()
        return response.status, orjson.loads(response.read())
    return None


class Workers:
    """gunicorn with two gevent workers in front of the small app."""

    def __init__(self, directory: Path, arguments: str) -> None:
        self.port = free_port()
        self.log_path = directory / "log"
        command = [sys.executable, "-m", "gunicorn", "-k", "gevent", "-w", "2", "-b", f"127.0.0.1:{self.port}"]
        command += ["--no-control-socket", f"tests.support.limits_app:create({arguments})"]
        environment = {**os.environ, "TMPDIR": str(directory)}
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if len(self.pids()) == 2 and self.get("/free") == 200:
                    return
            time.sleep(0.05)
        raise AssertionError(self.log())

    def pids(self) -> set[int]:
        return {int(pid) for pid in re.findall(r"Booting worker with pid: (\d+)", self.log())}

    def log(self) -> str:
        return self.log_path.read_text()

    def get(self, path: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", path)
            return connection.getresponse().status

    def chat(self, caller: str = "key-1") -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            answer = chat_on(connection, caller)
            assert answer is not None
            return answer

    def connections_to_each(self, times: int) -> list[http.client.HTTPConnection]:
        """Kept-alive ones, `times` to either worker: left to itself, one takes whatever comes at once."""
        opened = []
        for pid in self.pids():
            os.kill(pid, signal.SIGSTOP)
            for _ in range(times):
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
                connection.request("GET", "/free")
                connection.getresponse().read()
                opened.append(connection)
            os.kill(pid, signal.SIGCONT)
        return opened

    def chats_on_both(self, times: int) -> list[tuple[int, dict[str, Any]]]:
        """Half as many on each worker; without those whose worker was killed."""
        connections = self.connections_to_each(times // 2)
        with ThreadPoolExecutor(times) as pool:
            return [answer for answer in pool.map(chat_on, connections) if answer is not None]

    def ask_and_leave(self, name: str, after: float) -> None:
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.sendall(f"POST /chat?name={name} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
            time.sleep(after)

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)


@pytest.fixture
def workers(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Workers]:
    started = Workers(tmp_path, request.param)
    try:
        started.wait_until_ready()
        yield started
    finally:
        started.stop()


class TestTwoWorkers:
    @pytest.mark.parametrize("workers", ["50"], indirect=True)
    def test_requests_start_an_interval_apart_over_both(self, workers: Workers) -> None:
        before = time.monotonic()
        answers = workers.chats_on_both(40)
        assert {status for status, _ in answers} == {200}
        assert sorted(Counter(answer["pid"] for _, answer in answers).values()) == [20, 20]
        started = sorted(answer["started"] for _, answer in answers)
        # No start is before its slot, and no slot before this; a start may be late on a busy machine.
        for number, moment in enumerate(started):
            assert moment >= before + number * 0.05
        assert started[-1] - started[0] < 39 * 0.05 + 2

    @pytest.mark.parametrize("workers", ["0, '5/hour'"], indirect=True)
    def test_callers_are_counted_over_both(self, workers: Workers) -> None:
        answers = workers.chats_on_both(20)
        assert Counter(status for status, _ in answers) == {200: 5, 429: 15}
        assert workers.chat("key-2")[0] == 200

    @pytest.mark.parametrize("workers", ["2500"], indirect=True)
    def test_who_leaves_the_queue_never_starts_and_leaves_its_turn(self, workers: Workers) -> None:
        assert workers.chat()[0] == 200
        before = time.monotonic()
        workers.ask_and_leave("leaver", 0.1)
        time.sleep(1.0)
        status, _ = workers.chat()
        assert status == 200
        assert 2 < time.monotonic() - before < 4.5
        assert "leaver" not in workers.log()

    @pytest.mark.parametrize("workers", ["100"], indirect=True)
    def test_a_killed_worker_stalls_nobody(self, workers: Workers) -> None:
        killer = threading.Timer(1.0, os.kill, (min(workers.pids()), signal.SIGKILL))
        killer.start()
        answers = workers.chats_on_both(40)
        killer.join()
        assert 20 <= len(answers) < 40
        assert {status for status, _ in answers} == {200}
        before = time.monotonic()
        assert workers.chat()[0] == 200
        assert time.monotonic() - before < 5
