"""POST /v1/chat/completions, the view: what leaves for Poe and what a caller without standing gets."""

import pytest

from tests.support.gateway import Gateway
from tests.support.poe_script import done, hold, text
from tests.support.scripted_poe import ScriptedPoe
from tests.support.wire import KEY, chat_bytes, content


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/chat/completions"])
def test_both_paths_answer(gateway: Gateway, poe: ScriptedPoe, path: str) -> None:
    poe.script("bot", text("Hello"), done())
    body = b'{"model": "bot", "messages": [{"role": "user", "content": "Hi"}]}'
    with gateway.client() as client:
        answer = client.request("POST", path, body, {"x-api-key": KEY}).json()
    assert answer["choices"][0]["message"]["content"] == "Hello"
    assert answer["model"] == "bot"
    assert poe.wait_query("bot").header("authorization") == f"Bearer {KEY}"


def test_one_connection_serves_stream_after_stream(gateway: Gateway, poe: ScriptedPoe) -> None:
    poe.script("bot", text("Hel"), text("lo"), done())
    with gateway.client() as client:
        for _ in range(3):
            assert content(client.chat(model="bot", stream=True).chunks()) == "Hello"


def test_nobody_without_a_key_reaches_poe(gateway: Gateway, poe: ScriptedPoe) -> None:
    with gateway.client() as client:
        response = client.chat(model="bot", key=None)
        assert response.status == 401
        assert response.json()["error"]["code"] == "invalid_api_key"
    assert not poe.queries()


def test_a_client_that_leaves_a_whole_answer_is_logged_as_gone(gateway: Gateway, poe: ScriptedPoe) -> None:
    poe.script("leaving", text("a"), hold())
    start = len(gateway.log())
    with gateway.client() as client:
        client.send(chat_bytes(model="leaving"))
        poe.wait_query("leaving")
    line = gateway.wait_log("model=leaving", start=start)
    assert "hung_up=yes" in line
    assert "status=499" in line
