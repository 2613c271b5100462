"""`flask run`: threads instead of greenlets, and the same answers."""

import threading
import time
from typing import Any

import pytest

from tests.support.gateway import Gateway
from tests.support.poe_script import Step, cut, done, head, hold, pause, text
from tests.support.scripted_poe import ScriptedPoe
from tests.support.wire import chat_bytes, content, errors


def test_answers(flask_gateway: Gateway, poe: ScriptedPoe) -> None:
    poe.script("bot", text("*Thinking...*\n\n> hm\n\n"), text("Hel"), text("lo"), done())
    with flask_gateway.client() as client:
        assert client.chat(model="bot").json()["choices"][0]["message"]["content"] == "Hello"
    with flask_gateway.client() as client:
        chunks = client.chat(model="bot", stream=True, stream_options={"include_usage": True}).chunks()
    assert content(chunks) == "Hello"
    assert content(chunks, "reasoning_content").strip() == "hm"
    assert chunks[-2]["usage"]["completion_tokens"] > 0
    assert chunks[-1] == "[DONE]"


def test_errors(flask_gateway: Gateway, poe: ScriptedPoe) -> None:
    poe.script("bot", text("half"), pause(0.05), cut())
    with flask_gateway.client() as client:
        response = client.chat(model="bot", stream=True)
        chunks = response.chunks()
        assert response.whole is False or response.header("connection") == "close"
    assert [found["code"] for found in errors(chunks)] == ["upstream_cut_off"]
    with flask_gateway.client() as client:
        assert client.request("GET", "/nowhere").json()["error"]["code"] == "not_found"
    assert "Traceback" not in flask_gateway.log()


def test_many_at_once(flask_gateway: Gateway, poe: ScriptedPoe) -> None:
    poe.script("bot", text("slow"), pause(0.5), text("ly"), done())
    answers: list[str] = []

    def ask() -> None:
        with flask_gateway.client() as client:
            answers.append(content(client.chat(model="bot", stream=True).chunks()))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    asked = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert answers == ["slowly"] * 8
    assert time.monotonic() - asked < 3


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("steps", [[head(), hold()], [text("half"), hold()]])
def test_a_hang_up_ends_the_query(flask_gateway: Gateway, poe: ScriptedPoe, steps: list[Step], stream: Any) -> None:
    poe.script("bot", *steps)
    client = flask_gateway.client()
    client.send(chat_bytes(model="bot", stream=stream))
    query = poe.wait_query("bot")
    time.sleep(0.2)
    left = time.monotonic()
    client.close()
    assert query.hung_up_after(left) < 1.5
