"""What is under way in any worker is seen and stopped through any other."""

import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from poe2openai.config.settings import Settings
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.gateway.record import RequestRecord
from poe2openai.store.database import Database
from poe2openai.store.records import Records
from poe2openai.web.hang_up import HangUpWatcher
from poe2openai.web.live import PATIENCE_SECONDS, Live
from poe2openai.web.storage import FILE_NAME
from tests.support.admin import PASSWORD, Visitor
from tests.support.fixtures import GatewayFactory
from tests.support.gateway import FLASK_RUN, Gateway
from tests.support.poe_script import Step, done, hold, pause, text
from tests.support.scripted_poe import ScriptedPoe
from tests.support.waiting import comes
from tests.support.wire import Client, chat_bytes

STOPPED = {"message": "The gateway's owner stopped this request.", "code": "stopped_by_owner"}
SOON = 3.0


class Worker:
    """One worker's part of it, in a thread of this process."""

    def __init__(self, settings: Settings) -> None:
        self.watcher = HangUpWatcher()
        self.live = Live(self.watcher, settings)

    def begin(self, id: str, **values: Any) -> Any:
        record = RequestRecord(id, **({"model": "m", "bot": "b"} | values))
        return self.watcher.watch({}, record)


@pytest.fixture
def temporary(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """With a short name: a socket's address is one."""
    tmp_path_factory.getbasetemp()  # before it would lie in here
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


@pytest.fixture
def make(temporary: Path, tmp_path: Path) -> Iterator[Callable[..., Worker]]:
    made = []

    def worker(**settings: Any) -> Worker:
        made.append(Worker(replace(Settings(), config_dir=tmp_path, **settings)))
        return made[-1]

    yield worker
    for each in made:
        each.live.close()


def sockets(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_socket()]


def ids(worker: Worker) -> list[str]:
    return [request.id for request in worker.live.all()]


class TestAmongWorkers:
    def test_each_sees_all_the_oldest_first(self, make: Callable[..., Worker]) -> None:
        one, other = make(), make()
        now = time.monotonic()
        one.begin("young", started=now)
        other.begin("old", started=now - 10)
        one.begin("between", started=now - 5)

        assert ids(one) == ids(other) == ["old", "between", "young"]
        assert ids(make()) == ["old", "between", "young"]

    def test_what_is_told_of_a_request(self, make: Callable[..., Worker]) -> None:
        one, other = make(), make()
        sender = ("Cherry Studio", "", "")
        began = time.monotonic() - 3
        one.begin(
            "req_1", caller="key-1", model="m\ud800", stream=True, sender=sender, output_characters=40, started=began
        )

        (told,) = other.live.all()
        assert (told.id, told.caller, told.client, told.model, told.bot) == (
            "req_1",
            "key-1",
            "Cherry Studio",
            "m?",
            "b",
        )
        assert (told.stream, told.tokens, told.stopping) == (True, 10, False)
        assert told.age == pytest.approx(3, abs=0.5)

    def test_what_is_over_is_gone_and_what_asks_no_bot_never_comes(self, make: Callable[..., Worker]) -> None:
        one, other = make(), make()
        watched = one.begin("req_1")
        one.begin("download", model="")
        assert ids(other) == ["req_1"]
        watched.close()
        assert ids(other) == []

    def test_a_stop_reaches_the_request(self, make: Callable[..., Worker]) -> None:
        one, other = make(), make()
        watched = one.begin("req_1")
        watched.check()

        assert not other.live.stop("req_2")
        watched.check()
        assert other.live.stop("req_1")
        with pytest.raises(GatewayError, match="owner stopped") as caught:
            watched.check()
        assert caught.value.kind is ErrorKind.STOPPED
        assert [request.stopping for request in other.live.all()] == [True]
        assert one.live.stop("req_1")
        watched.close()
        assert not one.live.stop("req_1")

    def test_another_gateway_of_this_machine_is_not_asked(self, make: Callable[..., Worker]) -> None:
        one, other = make(port=1), make(port=2)
        one.begin("req_1")
        other.begin("req_2")

        assert (ids(one), ids(other)) == (["req_1"], ["req_2"])
        assert not other.live.stop("req_1")

    def test_a_long_temporary_path_is_no_hindrance(
        self, make: Callable[..., Worker], temporary: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (long := temporary / ("x" * 150)).mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(long))
        one, other = make(), make()
        one.begin("req_1")
        assert ids(other) == ["req_1"]
        assert len(sockets(long)) == 1


class TestSockets:
    def test_nobody_else_can_reach_them_and_the_end_removes_them(
        self, make: Callable[..., Worker], temporary: Path
    ) -> None:
        worker = make()
        assert sockets(temporary) == []
        worker.begin("req_1")
        (path,) = sockets(temporary)
        assert path.parent.stat().st_mode & 0o777 == 0o700

        worker.live.close()
        assert sockets(temporary) == []

    def test_what_a_killed_worker_left_is_cleared_away(self, make: Callable[..., Worker], temporary: Path) -> None:
        one, other = make(), make()
        one.begin("req_1")
        (path,) = sockets(temporary)
        left = path.with_name(path.name.split(".")[0] + ".1.abc.live")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
            dead.bind(str(left))

        assert ids(other) == ["req_1"]
        assert sockets(temporary) == [path]

    @pytest.mark.parametrize(
        "answer",
        [b"", b"\n", b"nonsense\n", b"[]\n", b'{"requests": 5}\n', b'{"requests": [{"id": 1}, 7]}\n', b"x" * 9],
    )
    def test_a_peer_that_answers_nonsense_is_left_out(
        self, make: Callable[..., Worker], temporary: Path, answer: bytes
    ) -> None:
        one, other = make(), make()
        one.begin("req_1")
        (path,) = sockets(temporary)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as strange:
            strange.bind(str(path.with_name(path.name.split(".")[0] + ".0.abc.live")))
            strange.listen()

            def say() -> None:
                connection, _ = strange.accept()
                connection.recv(1000)
                connection.sendall(answer)
                connection.close()

            thread = threading.Thread(target=say)
            thread.start()
            assert ids(other) == ["req_1"]
            thread.join(5)

    def test_peers_that_hang_cost_a_moment_and_hide_nobody(self, make: Callable[..., Worker], temporary: Path) -> None:
        one, other = make(), make()
        one.begin("req_1")
        (path,) = sockets(temporary)
        hanging = []
        for number in range(3):
            hanging.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            hanging[-1].bind(str(path.with_name(path.name.split(".")[0] + f".0.{number}.live")))
            hanging[-1].listen()
        began = time.monotonic()
        assert ids(other) == ["req_1"]
        assert time.monotonic() - began < PATIENCE_SECONDS + 0.3
        for each in hanging:
            each.close()

    @pytest.mark.parametrize("question", [b"", b"\n", b"nonsense\n", b"5\n", b"[1]\n", b'{"ask": 1}\n', b"x" * 5_000])
    def test_a_worker_takes_nonsense_quietly(
        self, make: Callable[..., Worker], temporary: Path, question: bytes
    ) -> None:
        one, other = make(), make()
        one.begin("req_1")
        (path,) = sockets(temporary)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.connect(str(path))
            client.sendall(question)
        assert ids(other) == ["req_1"]

    def test_without_a_folder_each_sees_its_own(
        self, make: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("poe2openai.web.live.private_directory", lambda: None)
        one, other = make(), make()
        one.begin("req_1")
        assert (ids(one), ids(other)) == (["req_1"], [])


# Over the wire.


@pytest.fixture(params=["gunicorn", "flask"])
def gateway(request: pytest.FixtureRequest, make_gateway: GatewayFactory) -> Gateway:
    command = FLASK_RUN if request.param == "flask" else None
    return make_gateway(command=command, WEB_CONCURRENCY="2", ADMIN_PASSWORD=PASSWORD, ADMIN_USERNAME="owner")


@pytest.fixture
def owner(gateway: Gateway) -> Iterator[Visitor]:
    with Visitor(gateway.url) as visitor:
        visitor.log_in("owner")
        assert comes(lambda: live(visitor) == [])
        yield visitor


def live(owner: Visitor) -> list[dict[str, Any]]:
    """As the page asks: each time over a new connection, so that it is now this worker, now that one."""
    requests: list[dict[str, Any]] = owner.get("/admin/api/live", headers={"Connection": "close"}).json()["requests"]
    return requests


def stop(owner: Visitor, model: str) -> None:
    assert comes(lambda: any(request["model"] == model for request in live(owner)))
    (found,) = [request for request in live(owner) if request["model"] == model]
    headers = {"Connection": "close"}
    assert owner.post_json(f"/admin/api/live/{found['id']}/stop", {}, **headers).status_code == 202


def begin(gateway: Gateway, poe: ScriptedPoe, model: str, *steps: Step, **fields: Any) -> Client:
    poe.script(model, *steps)
    client = gateway.client()
    client.send(chat_bytes(model=model, headers={"X-Title": "Chatbox"}, **fields))
    poe.wait_query(model)
    return client


FLOWING: list[Step] = [step for _ in range(400) for step in (text("word "), pause(0.05))]


def test_every_worker_tells_of_all_requests(gateway: Gateway, poe: ScriptedPoe, owner: Visitor) -> None:
    clients = [begin(gateway, poe, f"bot-{number}", text("word " * 20), hold(), stream=True) for number in range(6)]
    expected = [f"bot-{number}" for number in range(6)]

    assert comes(lambda: [request["model"] for request in live(owner)] == expected)
    for _ in range(10):
        assert [request["model"] for request in live(owner)] == expected
    assert comes(lambda: live(owner)[0]["tokens"] >= 20)
    told = live(owner)[0]
    assert (told["client"], told["stream"], told["stopping"]) == ("Chatbox", True, False)
    assert told["caller"].startswith("key-")
    for client in clients:
        client.close()
    assert comes(lambda: live(owner) == [])


@pytest.mark.parametrize("steps", [[text("so far"), hold()], FLOWING], ids=["waiting", "flowing"])
@pytest.mark.parametrize("n", [1, 2])
def test_a_stream_ends_with_an_error_and_broken(
    gateway: Gateway, poe: ScriptedPoe, owner: Visitor, steps: list[Step], n: int
) -> None:
    before = len(gateway.log())
    with begin(gateway, poe, "bot", *steps, stream=True, n=n) as client:
        response = client.response()
        assert response.status == 200
        next(response.events())
        stop(owner, "bot")
        began = time.monotonic()
        chunks = response.chunks()

    assert time.monotonic() - began < SOON
    assert chunks[-1]["error"] | STOPPED == chunks[-1]["error"]
    assert response.whole is False
    assert comes(lambda: live(owner) == [])
    assert poe.wait_for(lambda here: all(query.left_at for query in here.queries("bot"))), "Poe goes on and is paid"
    assert "error=stopped_by_owner" in gateway.wait_log("model=bot", start=before)


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_before_it_began_the_status_says_so(gateway: Gateway, poe: ScriptedPoe, owner: Visitor, stream: bool) -> None:
    steps = [hold()] if stream else [text("so far"), hold()]
    with begin(gateway, poe, "bot", *steps, stream=stream) as client:
        stop(owner, "bot")
        began = time.monotonic()
        response = client.response()
        assert time.monotonic() - began < SOON
        assert response.status == 403
        error = response.json()["error"]
        assert error | STOPPED == error
    assert poe.wait_for(lambda here: all(query.left_at for query in here.queries("bot")))


def test_a_whole_answer_that_flows_is_stopped_too(gateway: Gateway, poe: ScriptedPoe, owner: Visitor) -> None:
    with begin(gateway, poe, "bot", *FLOWING) as client:
        stop(owner, "bot")
        assert client.response().status == 403


def test_the_rest_goes_on_and_a_stopped_one_is_recorded(gateway: Gateway, poe: ScriptedPoe, owner: Visitor) -> None:
    other = begin(gateway, poe, "other", text("one "), pause(4), text("two"), done(), stream=True)
    with begin(gateway, poe, "recorded", hold()) as client:
        stop(owner, "recorded")
        client.response().read()
    records = Records(Database(gateway.directory / FILE_NAME, lambda work: work()))
    assert comes(lambda: any(entry.model == "recorded" for entry in records.latest()))
    (entry,) = [each for each in records.latest() if each.model == "recorded"]
    assert (entry.status, entry.error, entry.hung_up) == (403, "stopped_by_owner", False)
    response = other.response()
    assert response.chunks()[-1] == "[DONE]"
    assert response.whole
    other.close()


def test_one_that_does_not_ask_is_ended_all_the_same(make_gateway: GatewayFactory, poe: ScriptedPoe) -> None:
    """A client that does not read: nothing goes on, and nobody looks whether it is to stop."""
    gateway = make_gateway(fresh=True, ADMIN_PASSWORD=PASSWORD)
    poe.script("bot", *[text("x" * 60_000) for _ in range(2_000)], done())
    with Visitor(gateway.url) as owner, gateway.client() as client:
        owner.log_in()
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        client.send(chat_bytes(model="bot", stream=True))
        poe.wait_query("bot")
        time.sleep(1)
        stop(owner, "bot")
        assert comes(lambda: live(owner) == [], 5)
        line = gateway.wait_log("model=bot")
        assert "error=stopped_by_owner" in line
        assert "hung_up" not in line


def test_one_that_waits_its_turn_is_stopped(make_gateway: GatewayFactory, poe: ScriptedPoe) -> None:
    gateway = make_gateway(fresh=True, ADMIN_PASSWORD=PASSWORD, RATE_LIMIT_MS="20000")
    poe.script("first", text("hello"), done())
    with Visitor(gateway.url) as owner, gateway.client() as client, gateway.client() as waiting:
        owner.log_in()
        client.chat(model="first").read()
        waiting.send(chat_bytes(model="waits"))
        stop(owner, "waits")
        began = time.monotonic()
        assert waiting.response().status == 403
        assert time.monotonic() - began < 5


def test_who_ends_takes_its_socket_along(make_gateway: GatewayFactory, poe: ScriptedPoe) -> None:
    gateway = make_gateway(fresh=True)
    poe.script("bot", text("hello"), done())
    with gateway.client() as client:
        client.chat(model="bot").read()
    folder = gateway.home / "tmp" / f"poe2openai-{os.geteuid()}"
    assert len(sockets(folder)) == 1
    gateway.stop()
    assert sockets(folder) == []
