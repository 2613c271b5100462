"""A bot on `fastapi_poe` is the judge of the Poe side."""

import json
from typing import Any

import pytest

from tests.support.bot_server import ACCESS_KEY, BotServer
from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway
from tests.support.wire import content, errors, finish_reasons


@pytest.fixture
def gateway(make_gateway: GatewayFactory, poe_bots: BotServer) -> Gateway:
    return make_gateway(poe_url=poe_bots.url)


def stream(gateway: Gateway, model: str, question: str = "hello there", **fields: Any) -> list[Any]:
    fields.setdefault("messages", [{"role": "user", "content": question}])
    with gateway.client() as client:
        response = client.chat(model=model, stream=True, **fields)
        assert response.status == 200, response.read()
        return response.chunks()


def test_an_echo(gateway: Gateway) -> None:
    chunks = stream(gateway, "Echo", "Grüße aus 東京 😀")
    assert content(chunks) == "Grüße aus 東京 😀 "
    assert chunks[-1] == "[DONE]"


def test_a_thinker(gateway: Gateway) -> None:
    chunks = stream(gateway, "Thinker")
    assert content(chunks, "reasoning_content").strip() == "First\n\nthen *this*"
    assert content(chunks) == "The answer.\n\n> a quote"


def test_a_painter(gateway: Gateway) -> None:
    chunks = stream(gateway, "Painter")
    assert content(chunks) == "![a cat](https://pfst.cf2.poecdn.net/cat.png)"


def test_a_slow_bot(gateway: Gateway) -> None:
    assert content(stream(gateway, "Slow")) == "slowly but surely"


def test_native_tool_calls(gateway: Gateway) -> None:
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}
    chunks = stream(gateway, "Tools", tools=[tool])
    calls = [call for one in chunks[:-1] for call in one["choices"][0]["delta"].get("tool_calls", [])]
    assert calls[0]["id"] == "call_1"
    assert "".join(call["function"].get("arguments") or "" for call in calls) == '{"city": "Paris"}'
    assert finish_reasons(chunks) == ["tool_calls"]


def test_failures(gateway: Gateway) -> None:
    with gateway.client() as client:
        response = client.chat(model="Failing")
        assert (response.status, response.json()["error"]["code"]) == (400, "context_length_exceeded")
    for model, question in (("Failing", "midway"), ("Crashing", "hello")):
        chunks = stream(gateway, model, question)
        assert content(chunks) == "Half an ans"
        assert len(errors(chunks)) == 1
        assert finish_reasons(chunks) == []
        assert "[DONE]" not in chunks


def test_an_access_key(gateway: Gateway) -> None:
    with gateway.client() as client:
        assert client.chat(model="Guarded", key=ACCESS_KEY).status == 200
    with gateway.client() as client:
        response = client.chat(model="Guarded")
        assert (response.status, response.json()["error"]["code"]) == (401, "invalid_api_key")


def test_the_library_reads_every_query(gateway: Gateway) -> None:
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "What is the weather?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
    ]
    tool = {"type": "function", "function": {"name": "get_weather"}}
    chunks = stream(
        gateway, "History", messages=messages, tools=[tool], temperature=0.3, stop=["\0"], reasoning_depth="deep"
    )
    query = json.loads(content(chunks))
    assert query["version"] == "1.2"
    assert query["temperature"] == 0.3
    assert query["stop_sequences"] == ["\0"]
    assert [message["role"] for message in query["query"]][-1] in ("user", "tool", "bot")
    assert "Be brief." in query["query"][0]["content"]
    assert query["tools"][0]["function"]["parameters"]["type"] == "object"
    assert query["tool_results"][0]["content"] == "sunny"
    assert query["tool_calls"][0]["id"] == query["tool_results"][0]["tool_call_id"] == "call_1"
    parameters: dict[str, Any] = {}
    for message in query["query"]:
        parameters |= message["parameters"]
    assert parameters["reasoning_depth"] == "deep"


def test_the_model_list(gateway: Gateway) -> None:
    with gateway.client() as client:
        ids = [model["id"] for model in client.request("GET", "/v1/models").json()["data"]]
    assert {"echo", "thinker", "painter"} <= set(ids)
