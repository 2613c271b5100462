"""Stopping, reloading and losing a worker cost no stream."""

import os
import signal
import threading
import time

import pytest

from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway
from tests.support.poe_script import Step, done, pause, text, until
from tests.support.scripted_poe import ScriptedPoe
from tests.support.wire import Client, Response, content


@pytest.fixture
def gateway(make_gateway: GatewayFactory) -> Gateway:
    return make_gateway(fresh=True, WEB_CONCURRENCY="2", GRACEFUL_TIMEOUT="20")


def begin(gateway: Gateway, poe: ScriptedPoe, go: threading.Event) -> tuple[Client, Response]:
    """A stream that has begun and goes on once `go` is set."""
    poe.script("bot", text("before "), until(go), text("after"), done())
    client = gateway.client()
    response = client.chat(model="bot", stream=True)
    assert response.status == 200
    return client, response


def test_sigterm_lets_live_streams_end(gateway: Gateway, poe: ScriptedPoe) -> None:
    go = threading.Event()
    client, response = begin(gateway, poe, go)
    gateway.signal(signal.SIGTERM)
    time.sleep(1)
    assert not gateway.has_ended(0)
    go.set()
    chunks = response.chunks()
    assert response.whole
    assert content(chunks) == "before after"
    client.close()
    assert gateway.has_ended(15)


def test_an_idle_gateway_ends_soon(make_gateway: GatewayFactory) -> None:
    gateway = make_gateway(fresh=True, GRACEFUL_TIMEOUT="60")
    asked = time.monotonic()
    assert gateway.stop(timeout=5) == 0
    assert time.monotonic() - asked < 5


def test_streams_are_cut_honestly_when_the_grace_is_over(make_gateway: GatewayFactory, poe: ScriptedPoe) -> None:
    gateway = make_gateway(fresh=True, GRACEFUL_TIMEOUT="1")
    go = threading.Event()
    client, response = begin(gateway, poe, go)
    gateway.signal(signal.SIGTERM)
    body = response.read()
    assert b"[DONE]" not in body
    assert response.whole is False
    client.close()
    assert gateway.has_ended(10)


def test_sighup_drops_nothing(gateway: Gateway, poe: ScriptedPoe) -> None:
    go = threading.Event()
    client, response = begin(gateway, poe, go)
    poe.script("other", text("ok"), done())
    old = gateway.workers()
    failures: list[str] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            try:
                with gateway.client() as other:
                    if other.chat(model="other").status != 200:
                        failures.append("status")
            except OSError as error:
                failures.append(repr(error))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        gateway.signal(signal.SIGHUP)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and len(set(gateway.workers()) - set(old)) < 2:
            time.sleep(0.1)
        time.sleep(0.5)
    finally:
        stop.set()
        thread.join(10)
    assert len(set(gateway.workers()) - set(old)) == 2
    assert failures == []
    go.set()
    assert content(response.chunks()) == "before after"
    assert response.whole
    client.close()


def test_a_killed_worker_is_replaced(gateway: Gateway, poe: ScriptedPoe) -> None:
    poe.script("bot", text("ok"), done())
    old = gateway.workers()
    assert len(old) == 2
    os.kill(old[0], signal.SIGKILL)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and (len(gateway.workers()) < 2 or old[0] in gateway.workers()):
        time.sleep(0.1)
    assert len(gateway.workers()) == 2
    time.sleep(1)
    for _ in range(8):
        with gateway.client() as client:
            assert client.chat(model="bot").status == 200


def test_health_tells_what_is_so(gateway: Gateway, poe: ScriptedPoe) -> None:
    with gateway.client() as client:
        response = client.request("GET", "/health")
        body = response.json()
    assert response.status == 200
    assert body["status"] == "ok"
    assert body["version"]
    assert body["config"]["ok"] is True
    poe.wait_for(lambda poe: len(poe.requests) == 2)  # each worker reads the model list once
    for _ in range(10):
        with gateway.client() as client:
            assert client.request("GET", "/health").status == 200
    assert len(poe.requests) == 2


def test_health_answers_while_a_flood_passes(make_gateway: GatewayFactory, poe: ScriptedPoe) -> None:
    gateway = make_gateway()
    flood: list[Step] = [text("word " * 3) * 200] * 150
    poe.script("bot", *flood, pause(0.01), done())
    slowest = 0.0
    with gateway.client() as client, gateway.client() as other:
        thread = threading.Thread(target=lambda: client.chat(model="bot", stream=True).read())
        thread.start()
        while thread.is_alive():
            asked = time.monotonic()
            assert other.request("GET", "/health").json()["status"] == "ok"
            slowest = max(slowest, time.monotonic() - asked)
        thread.join()
    assert slowest < 0.7
