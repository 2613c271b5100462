"""GET /health, as a load balancer and an owner read it."""

import re

from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway
from tests.support.scripted_poe import ScriptedPoe


def test_health_needs_no_key_and_tells_what_is(gateway: Gateway) -> None:
    with gateway.client() as client:
        response = client.request("GET", "/health")
        body = response.json()
    assert response.status == 200
    assert body["status"] == "ok"
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", body["version"])
    assert body["config"]["ok"] is True


def test_health_never_calls_poe(make_gateway: GatewayFactory, poe: ScriptedPoe) -> None:
    gateway = make_gateway(fresh=True)
    poe.wait_for(lambda poe: poe.requests)
    asked = len(poe.requests)
    with gateway.client() as client:
        for _ in range(10):
            client.request("GET", "/health").read()
    assert len(poe.requests) == asked


def test_a_broken_models_file_shows_and_the_gateway_still_serves(make_gateway: GatewayFactory) -> None:
    gateway = make_gateway(fresh=True, MODELS_YAML="models: [broken")
    with gateway.client() as client:
        response = client.request("GET", "/health")
        config = response.json()["config"]
    assert response.status == 200
    assert config["ok"] is False
    assert config["error"]


def test_a_poe_that_cannot_be_reached_shows(make_gateway: GatewayFactory) -> None:
    gateway = make_gateway(fresh=True, poe_url="http://127.0.0.1:9")
    with gateway.client() as client:
        client.request("GET", "/v1/models").read()
        seen = client.request("GET", "/health").json()["poe"]
    assert seen["seen"] is False
    assert seen["last_contact"]
