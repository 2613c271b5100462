"""The model list, as clients ask for it."""

import openai.types
import pytest

from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway


@pytest.mark.parametrize("path", ["/v1/models", "/models"])
def test_the_list_needs_no_key_and_reads_as_openais(gateway: Gateway, path: str) -> None:
    with gateway.client() as client:
        listed = client.request("GET", path).json()
    assert listed["object"] == "list"
    models = [openai.types.Model.model_validate(entry) for entry in listed["data"]]
    assert "claude-sonnet-4.5" in [model.id for model in models]
    assert all(1_000_000_000 < model.created < 10_000_000_000 for model in models)


def test_one_model_by_name(gateway: Gateway) -> None:
    with gateway.client() as client:
        assert client.request("GET", "/v1/models/claude-sonnet-4.5").json()["id"] == "claude-sonnet-4.5"
        missing = client.request("GET", "/v1/models/no/such%20bot")
        assert missing.status == 404
        assert missing.json()["error"]["code"] == "model_not_found"


def test_poes_own_list_is_shown_unedited(make_gateway: GatewayFactory) -> None:
    gateway = make_gateway(MODELS_YAML="models: {gpt-4o: {mapping: mine}}")
    with gateway.client() as client:
        edited = [entry["id"] for entry in client.request("GET", "/v1/models").json()["data"]]
        unedited = [entry["id"] for entry in client.request("GET", "/api/models").json()["data"]]
    assert "mine" in edited
    assert "gpt-4o" not in edited
    assert "gpt-4o" in unedited
