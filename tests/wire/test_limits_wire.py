"""The interval between requests over all workers, the queue, and limits for each key."""

import itertools
import threading
import time

import pytest

from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway
from tests.support.poe_script import done, text
from tests.support.scripted_poe import ScriptedPoe
from tests.support.wire import chat_bytes

INTERVAL = 0.2


def ask_at_once(gateway: Gateway, count: int) -> list[int]:
    """The statuses of so many requests, each over a connection of its own."""
    statuses: list[int] = []

    def ask(number: int) -> None:
        with gateway.client() as client:
            response = client.chat(model="bot", key=f"key-{number}")
            response.read()
            statuses.append(response.status)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return sorted(statuses)


def starts(poe: ScriptedPoe) -> list[float]:
    return sorted(query.at for query in poe.queries("bot"))


def test_requests_start_apart_over_all_workers(make_gateway: GatewayFactory, poe: ScriptedPoe) -> None:
    gateway = make_gateway(fresh=True, WEB_CONCURRENCY="2", RATE_LIMIT_MS=str(int(INTERVAL * 1000)))
    poe.script("bot", text("ok"), done())
    assert ask_at_once(gateway, 12) == [200] * 12
    times = starts(poe)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    # What lies between the turn and Poe's socket is work, a few ms of it more or less.
    assert min(gaps) > INTERVAL * 0.8
    assert times[-1] - times[0] < 11 * INTERVAL + 1


def test_one_by_one_nobody_waits(make_gateway: GatewayFactory, poe: ScriptedPoe) -> None:
    gateway = make_gateway(fresh=True, RATE_LIMIT_MS="50")
    poe.script("bot", text("ok"), done())
    with gateway.client() as client:
        for _ in range(3):
            time.sleep(0.1)
            asked = time.monotonic()
            assert client.chat(model="bot").json()["choices"]
            assert time.monotonic() - asked < 0.1


def test_who_would_wait_too_long_is_told_when_to_come_back(make_gateway: GatewayFactory, poe: ScriptedPoe) -> None:
    gateway = make_gateway(fresh=True, WEB_CONCURRENCY="2", RATE_LIMIT_MS="1000", RATE_LIMIT_MAX_WAIT="1.5")
    poe.script("bot", text("ok"), done())
    asked = time.monotonic()
    assert ask_at_once(gateway, 6) == [200, 200, 429, 429, 429, 429]
    assert time.monotonic() - asked < 4
    assert len(poe.queries("bot")) == 2
    ask_at_once(gateway, 2)
    with gateway.client() as client:
        response = client.chat(model="bot")
        if response.status == 429:
            assert int(response.header("retry-after") or 0) >= 1
            assert response.json()["error"]["code"] == "rate_limit_exceeded"


def test_who_leaves_the_queue_never_reaches_poe(make_gateway: GatewayFactory, poe: ScriptedPoe) -> None:
    gateway = make_gateway(fresh=True, RATE_LIMIT_MS="1500")
    poe.script("bot", text("ok"), done())
    with gateway.client() as first:
        assert first.chat(model="bot").status == 200
    second = gateway.client()
    second.send(chat_bytes(model="bot"))
    time.sleep(0.4)
    second.close()
    time.sleep(2)
    assert len(poe.queries("bot")) == 1


@pytest.mark.parametrize("path", ["/v1/models", "/health"])
def test_only_chats_wait(make_gateway: GatewayFactory, poe: ScriptedPoe, path: str) -> None:
    gateway = make_gateway(fresh=True, RATE_LIMIT_MS="2000")
    poe.script("bot", text("ok"), done())
    with gateway.client() as client:
        assert client.chat(model="bot").status == 200
        asked = time.monotonic()
        for _ in range(3):
            assert client.request("GET", path).json()
        assert time.monotonic() - asked < 1


def test_limits_for_each_key(make_gateway: GatewayFactory, poe: ScriptedPoe) -> None:
    gateway = make_gateway(fresh=True, WEB_CONCURRENCY="2", RATE_LIMITS="3/minute")
    poe.script("bot", text("ok"), done())
    statuses = []
    for _ in range(5):
        with gateway.client() as client:
            response = client.chat(model="bot", key="key-a")
            statuses.append(response.status)
            response.read()
    # A minute may end in between.
    assert statuses.count(200) in (3, 4, 5)
    assert statuses[:3] == [200, 200, 200]
    with gateway.client() as client:
        refused = client.chat(model="bot", key="key-a")
        if refused.status == 429:
            assert 1 <= int(refused.header("retry-after") or 0) <= 60
        assert client.chat(model="bot", key="key-b").status == 200 if refused.read() else True
