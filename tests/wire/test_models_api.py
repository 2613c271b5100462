"""The model list: Poe's, edited by models.yaml, kept when Poe is down."""

import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway
from tests.support.poe_script import done, error_reply, json_reply, text
from tests.support.scripted_poe import MODELS, ScriptedPoe
from tests.support.wire import KEY

OWNERS_FILE = """
models:
  Claude-Sonnet-4.5:
    mapping: [gpt-4, claude-latest]
    parameters: {thinking_budget: 2000}
    system_prompt: Speak in rhymes.
  painter: {enable: false}
custom_models:
  - {id: my-private-bot, created: 1700000000, owned_by: me}
  - id: no
"""


def ids(gateway: Gateway, path: str = "/v1/models") -> list[str]:
    with gateway.client() as client:
        response = client.request("GET", path)
        body: dict[str, Any] = response.json()
        assert response.status == 200, body
    return [model["id"] for model in body["data"]]


def test_the_list_has_openais_shape_and_more(gateway: Gateway) -> None:
    with gateway.client() as client:
        response = client.request("GET", "/v1/models")
        assert response.header("content-type") == "application/json"
        body = response.json()
    assert body["object"] == "list"
    for model in body["data"]:
        assert model["object"] == "model"
        assert isinstance(model["owned_by"], str)
        assert 1_600_000_000 < model["created"] < 2_500_000_000
    sonnet = next(model for model in body["data"] if model["id"] == "claude-sonnet-4.5")
    assert sonnet["context_length"] == 983040
    assert sonnet["architecture"]["input_modalities"] == ["text", "image"]
    assert sonnet["pricing"]["prompt"] == "0.0000026"
    assert sonnet["parameters"][0]["name"] == "thinking_budget"


@pytest.mark.parametrize("prefix", ["/v1/models", "/models"])
def test_each_path_and_one_model(gateway: Gateway, prefix: str) -> None:
    assert "gpt-4o" in ids(gateway, prefix)
    with gateway.client() as client:
        assert client.request("GET", f"{prefix}/gpt-4o").json()["id"] == "gpt-4o"
        assert client.request("GET", f"{prefix}/no-such-model").status == 404


@pytest.mark.parametrize(
    ("asked", "bot"),
    [
        ("claude-sonnet-4.5", "claude-sonnet-4.5"),
        ("CLAUDE-SONNET-4.5", "claude-sonnet-4.5"),
        ("anthropic/claude-sonnet-4.5", "claude-sonnet-4.5"),
        ("Claude Sonnet 4.5", "claude-sonnet-4.5"),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4.5"),
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("somebodys-private-bot", "somebodys-private-bot"),
    ],
)
def test_names_are_matched_kindly(gateway: Gateway, poe: ScriptedPoe, asked: str, bot: str) -> None:
    ids(gateway)  # the list is known by now
    poe.script_by("x", lambda _: [])
    for name in ("claude-sonnet-4.5", "Claude-Sonnet-4.5", "gpt-4o", "GPT-4o", "somebodys-private-bot"):
        poe.script(name, text("ok"), done())
    with gateway.client() as client:
        assert client.chat(model=asked).json()["model"] == asked
    assert (poe.queries()[0].bot or "").lower() == bot


def test_the_owners_file_edits_the_list(make_gateway: GatewayFactory, poe: ScriptedPoe) -> None:
    gateway = make_gateway(MODELS_YAML=OWNERS_FILE)
    listed = ids(gateway)
    assert {"gpt-4", "claude-latest", "gpt-4o", "my-private-bot", "no"} <= set(listed)
    assert "painter" not in listed
    with gateway.client() as client:
        custom = client.request("GET", "/v1/models/my-private-bot").json()
    assert (custom["created"], custom["owned_by"]) == (1700000000, "me")
    for name in ("claude-sonnet-4.5", "Claude-Sonnet-4.5"):
        poe.script(name, text("ok"), done())
    with gateway.client() as client:
        assert client.chat(model="gpt-4", web_search=True).json()["model"] == "gpt-4"
    (query,) = poe.queries()
    assert (query.bot or "").lower() == "claude-sonnet-4.5"
    assert query.messages[0] == query.messages[0] | {"role": "system", "content": "Speak in rhymes."}
    assert query.messages[-1]["parameters"] == {"thinking_budget": 2000, "web_search": True}


def test_the_unedited_list_is_poes_own(make_gateway: GatewayFactory, poe: ScriptedPoe) -> None:
    gateway = make_gateway(MODELS_YAML=OWNERS_FILE)
    fresh = {"object": "list", "data": [*MODELS, {"id": "brand-new", "object": "model", "created": 1}]}
    poe.route("GET /v1/models", json_reply(200, fresh))
    with gateway.client() as client:
        assert client.request("GET", "/api/models").json() == fresh
    poe.reset()
    poe.route("GET /v1/models", error_reply(503, "down"))
    with gateway.client() as client:
        response = client.request("GET", "/api/models")
        assert response.status >= 500
        assert response.json()["error"]["code"]


def test_no_key_is_needed_and_none_is_sent(gateway: Gateway, poe: ScriptedPoe) -> None:
    with gateway.client() as client:
        assert client.request("GET", "/api/models", None, {"Authorization": f"Bearer {KEY}"}).status == 200
    assert {request.header("authorization") for request in poe.requests} <= {None}


def test_the_owners_token_reads_the_list(make_gateway: GatewayFactory, poe: ScriptedPoe) -> None:
    gateway = make_gateway(MODELS_YAML="api_token: owners-token\n")
    with gateway.client() as client:
        assert client.request("GET", "/api/models").status == 200
    assert poe.requests[-1].header("authorization") == "Bearer owners-token"
    assert "owners-token" not in gateway.log()


def test_the_list_outlives_poe(make_gateway: GatewayFactory, poe: ScriptedPoe) -> None:
    gateway = make_gateway(fresh=True, MODELS_REFRESH_SECONDS="0.3")
    before = ids(gateway)
    assert "gpt-4o" in before
    with poe.refusing():
        time.sleep(1)
        asked = time.monotonic()
        assert ids(gateway) == before
        assert time.monotonic() - asked < 0.5
    poe.route(
        "GET /v1/models", json_reply(200, {"object": "list", "data": [*MODELS, {"id": "brand-new", "created": 1}]})
    )
    deadline = time.monotonic() + 5
    while "brand-new" not in ids(gateway) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert "brand-new" in ids(gateway)


def test_a_chat_does_not_wait_for_the_list(make_gateway: GatewayFactory, poe: ScriptedPoe, tmp_path: Path) -> None:
    poe.route("GET /v1/models", error_reply(503, "down"))
    poe.script("some-bot", text("ok"), done())
    gateway = make_gateway(fresh=True, CONFIG_DIR=str(tmp_path / "nothing-here"))
    with gateway.client() as client:
        asked = time.monotonic()
        assert client.chat(model="some-bot").status == 200
        assert time.monotonic() - asked < 1


def test_the_list_is_asked_for_rarely(gateway: Gateway, poe: ScriptedPoe) -> None:
    for _ in range(5):
        ids(gateway)
    assert poe.requests == []
