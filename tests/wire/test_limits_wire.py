"""The interval between requests over all workers, the queue, and limits for each key."""

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


def test_requests_start_apart_over_all_workers(make_gateway: GatewayFactory, poe: ScriptedPoe) -> None:
    gateway = make_gateway(fresh=True, WEB_CONCURRENCY="2", RATE_LIMIT_MS=str(int(INTERVAL * 1000)))
    poe.script("bot", text("ok"), done())
    ask_at_once(gateway, 4)  # both workers are warm
    assert ask_at_once(gateway, 12) == [200] * 12
    first, *later = sorted(query.at for query in poe.queries("bot"))[4:]
    # Work between the turn and Poe's socket makes a request late, never early.
    for turn, at in enumerate(later, start=1):
        assert at - first > turn * INTERVAL - 0.08
    assert later[-1] - first < 11 * INTERVAL + 1


def test_one_by_one_nobody_waits(make_gateway: GatewayFactory, poe: ScriptedPoe) -> None:
    gateway = make_gateway(fresh=True, RATE_LIMIT_MS="600")
    poe.script("bot", text("ok"), done())
    with gateway.client() as client:
        for _ in range(3):
            time.sleep(0.7)
            asked = time.monotonic()
            assert client.chat(model="bot").json()["choices"]
            assert time.monotonic() - asked < 0.4


def test_who_would_wait_too_long_is_told_when_to_come_back(make_gateway: GatewayFactory, poe: ScriptedPoe) -> None:
    gateway = make_gateway(fresh=True, WEB_CONCURRENCY="2", RATE_LIMIT_MS="1000", RATE_LIMIT_MAX_WAIT="1.5")
    poe.script("bot", text("ok"), done())
    asked = time.monotonic()
    assert ask_at_once(gateway, 6) == [200, 200, 429, 429, 429, 429]
    assert time.monotonic() - asked < 4
    assert len(poe.queries("bot")) == 2


def test_a_refusal_says_when_there_is_room(make_gateway: GatewayFactory, poe: ScriptedPoe) -> None:
    gateway = make_gateway(fresh=True, RATE_LIMIT_MS="60000", RATE_LIMIT_MAX_WAIT="5")
    poe.script("bot", text("ok"), done())
    with gateway.client() as client:
        assert client.chat(model="bot").status == 200
        response = client.chat(model="bot")
        assert response.status == 429
        assert 50 <= int(response.header("retry-after") or 0) <= 60
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
    gateway = make_gateway(fresh=True, WEB_CONCURRENCY="2", RATE_LIMITS="3/day")
    poe.script("bot", text("ok"), done())
    statuses = []
    for _ in range(5):
        with gateway.client() as client:
            statuses.append(client.chat(model="bot", key="key-a").status)
    assert statuses == [200, 200, 200, 429, 429]
    with gateway.client() as client:
        refused = client.chat(model="bot", key="key-a")
        assert 1 <= int(refused.header("retry-after") or 0) <= 86_400
        assert refused.json()["error"]["code"] == "rate_limit_exceeded"
        assert client.chat(model="bot", key="key-b").status == 200
