"""Suffixes of a model's name, for clients that have no control for what they set."""

from typing import Any

import pytest

from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway
from tests.support.poe_models import entry
from tests.support.poe_script import done, json_reply, text
from tests.support.scripted_poe import ScriptedPoe

EFFORT = {"name": "reasoning_effort", "schema": {"type": "string", "enum": ["low", "medium", "high"]}}
BUDGET = {"name": "thinking_budget", "schema": {"type": "number", "minimum": 0, "maximum": 4000}}
SEARCH = {"name": "web_search", "schema": {"type": "boolean"}}


@pytest.fixture
def gateway(make_gateway: GatewayFactory, poe: ScriptedPoe) -> Gateway:
    listed = [
        entry("Gpt-9", parameters=[EFFORT, SEARCH]),
        entry("Opus-9", parameters=[BUDGET]),
        entry("Bot:high", parameters=[EFFORT]),
    ]
    poe.route("GET /v1/models", json_reply(200, {"object": "list", "data": listed}))
    gateway = make_gateway(MODELS_YAML="models:\n  gpt-9: {mapping: nine}\n")
    with gateway.client() as client:
        assert client.request("GET", "/v1/models").json()["data"]
    return gateway


@pytest.mark.parametrize(
    ("model", "bot", "parameters"),
    [
        ("gpt-9:high", "gpt-9", {"reasoning_effort": "high"}),
        ("gpt-9:web", "gpt-9", {"web_search": True}),
        ("gpt-9:low:web", "gpt-9", {"reasoning_effort": "low", "web_search": True}),
        ("nine:high", "gpt-9", {"reasoning_effort": "high"}),
        ("opus-9:thinking-2000", "opus-9", {"thinking_budget": 2000}),
        ("opus-9:thinking-8000", "opus-9", {"thinking_budget": 4000}),
        ("bot:high", "bot:high", None),
    ],
)
def test_a_suffix_reaches_the_bot_as_its_parameter(
    gateway: Gateway, poe: ScriptedPoe, model: str, bot: str, parameters: dict[str, Any] | None
) -> None:
    poe.script(bot, text("ok"), done())
    with gateway.client() as client:
        assert client.chat(model=model).json()["model"] == model
        assert client.chat(model=model, stream=True).chunks()[0]["model"] == model
    assert [query.bot for query in poe.queries()] == [bot, bot]
    for query in poe.queries():
        assert query.messages[-1].get("parameters") == parameters


def test_a_private_bot_gets_it_too(gateway: Gateway, poe: ScriptedPoe) -> None:
    poe.script("my-private-bot", text("ok"), done())
    with gateway.client() as client:
        assert client.chat(model="my-private-bot:high").json()["model"] == "my-private-bot:high"
    (query,) = poe.queries()
    assert "high" in query.messages[-1]["parameters"].values()
