"""A whole chat completion, and what a request becomes on its way to Poe."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.support.gateway import Gateway
from tests.support.poe_script import Step, cut, done, error, file, replace, text
from tests.support.scripted_poe import ScriptedPoe
from tests.support.wire import KEY


def whole(gateway: Gateway, poe: ScriptedPoe, *steps: Step | Sequence[Step], **fields: Any) -> dict[str, Any]:
    poe.script("bot", *steps)
    with gateway.client() as client:
        response = client.chat(model="bot", **fields)
        body: dict[str, Any] = response.json()
        assert response.status == 200, body
        assert response.header("content-type") == "application/json"
        assert response.header("x-request-id")
    return body


def test_the_shape_of_a_completion(gateway: Gateway, poe: ScriptedPoe) -> None:
    body = whole(gateway, poe, text("hello"), text(" world"), done())
    assert body["object"] == "chat.completion"
    assert body["id"].startswith("chatcmpl-")
    assert body["model"] == "bot"
    (choice,) = body["choices"]
    assert choice["index"] == 0
    assert choice["finish_reason"] == "stop"
    assert choice["message"]["role"] == "assistant"
    assert choice["message"]["content"] == "hello world"
    assert body["usage"]["completion_tokens"] == 2
    assert body["usage"]["total_tokens"] == body["usage"]["prompt_tokens"] + 2


def test_thoughts_are_told_apart_and_counted(gateway: Gateway, poe: ScriptedPoe) -> None:
    body = whole(gateway, poe, text("Thinking... (3s elapsed)\n\n> hello"), text(" world\n\nYes."), done())
    message = body["choices"][0]["message"]
    assert message["reasoning_content"].strip() == "hello world"
    assert message["content"] == "Yes."
    assert body["usage"]["completion_tokens_details"]["reasoning_tokens"] >= 2


def test_only_the_final_text_stays(gateway: Gateway, poe: ScriptedPoe) -> None:
    said = [text("Wrong"), replace("Searching..."), replace("Rig"), text("ht"), file("https://x.test/a.png"), done()]
    body = whole(gateway, poe, *said)
    assert body["choices"][0]["message"]["content"] == "Right\n\n![picture.png](https://x.test/a.png)"


def test_a_failure_is_no_completion(gateway: Gateway, poe: ScriptedPoe) -> None:
    poe.script("bot", text("half"), error("Internal server error (error_id: 1)", allow_retry=False))
    poe.script("cut", text("half"), cut())
    with gateway.client() as client:
        response = client.chat(model="bot")
        assert (response.status, response.json()["error"]["code"]) == (500, "upstream_internal_error")
        response = client.chat(model="cut")
        assert (response.status, response.json()["error"]["code"]) == (502, "upstream_cut_off")


def test_what_poe_is_asked(gateway: Gateway, poe: ScriptedPoe) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "One"}, {"type": "text", "text": "two"}]},
        {"role": "assistant", "content": "Three"},
        {"role": "user", "content": "Four"},
    ]
    options = {
        "temperature": 0.5,
        "stop": "END",
        "logit_bias": {"42": -100},
        "web_search": True,
        "seed": 7,
        "user": "me",
    }
    whole(gateway, poe, text("ok"), done(), messages=messages, **options)
    (query,) = poe.queries()
    assert query.target == b"/bot/bot"
    assert query.header("authorization") == f"Bearer {KEY}"
    assert query.header("accept") == "text/event-stream"
    body = query.json
    assert (body["version"], body["type"]) == ("1.2", "query")
    assert [message["role"] for message in body["query"]] == ["system", "user", "bot", "user"]
    assert "One" in body["query"][1]["content"]
    assert "two" in body["query"][1]["content"]
    assert body["temperature"] == 0.5
    assert body["stop_sequences"] == ["END"]
    assert body["logit_bias"] == {"42": -100}
    assert body["query"][-1]["parameters"]["web_search"] is True
    assert not {"seed", "user"} & set(body["query"][-1]["parameters"])


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/chat/completions"])
@pytest.mark.parametrize(
    "header", [("Authorization", f"Bearer {KEY}"), ("x-api-key", KEY), ("Authorization", f"bearer  {KEY}")]
)
def test_the_key_is_handed_on(gateway: Gateway, poe: ScriptedPoe, path: str, header: tuple[str, str]) -> None:
    poe.script("bot", text("ok"), done())
    body = b'{"model": "bot", "messages": [{"role": "user", "content": "hello"}]}'
    with gateway.client() as client:
        assert client.request("POST", path, body, dict([header])).status == 200
    assert poe.queries()[0].header("authorization") == f"Bearer {KEY}"


def test_connections_are_kept_on_both_sides(gateway: Gateway, poe: ScriptedPoe) -> None:
    poe.script("bot", text("ok"), done())
    with gateway.client() as client:
        for stream in (False, True, False, True):
            response = client.chat(model="bot", stream=stream)
            assert response.status == 200
            response.read()
            assert response.whole
    assert len({query.connection for query in poe.queries()}) == 1
