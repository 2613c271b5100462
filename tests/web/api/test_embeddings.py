"""POST /v1/embeddings over the wire, through OpenAI's SDK."""

from collections.abc import Iterator

import openai
import pytest

from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway
from tests.support.poe_script import error_reply, json_reply
from tests.support.scripted_poe import ScriptedPoe
from tests.support.wire import KEY

USAGE = {"prompt_tokens": 2, "total_tokens": 2}
ANSWER = {"data": [{"embedding": [0.5, 1.5]}, {"embedding": [2.5, 3.5]}], "usage": USAGE}


@pytest.fixture
def other() -> Iterator[ScriptedPoe]:
    server = ScriptedPoe()
    yield server
    server.close()


def sdk(gateway: Gateway, key: str = KEY) -> openai.OpenAI:
    return openai.OpenAI(base_url=gateway.base_url, api_key=key, max_retries=0)


def test_another_server_answers_and_the_sdk_reads_it(
    make_gateway: GatewayFactory, poe: ScriptedPoe, other: ScriptedPoe
) -> None:
    poe.route("GET /usage/current_balance", json_reply(200, {"current_point_balance": 5}))
    other.route("POST /v1/embeddings", json_reply(200, ANSWER))
    gateway = make_gateway(fresh=True, EMBEDDINGS_BASE_URL=f"{other.url}/v1", EMBEDDINGS_API_KEY="server-key")

    answer = sdk(gateway).embeddings.create(model="nomic", input=["a", "b"], dimensions=2)

    assert [entry.embedding for entry in answer.data] == [[0.5, 1.5], [2.5, 3.5]]
    assert answer.usage.prompt_tokens == 2
    (request,) = other.requests
    assert request.header("authorization") == "Bearer server-key"
    assert request.json["dimensions"] == 2
    assert KEY not in gateway.log()
    assert "server-key" not in gateway.log()


def test_nobody_spends_the_owners_key_with_a_word_that_poe_does_not_know(
    make_gateway: GatewayFactory, poe: ScriptedPoe, other: ScriptedPoe
) -> None:
    poe.route("GET /usage/current_balance", error_reply(401, "Invalid token"))
    gateway = make_gateway(fresh=True, EMBEDDINGS_BASE_URL=f"{other.url}/v1", EMBEDDINGS_API_KEY="server-key")

    with pytest.raises(openai.AuthenticationError):
        sdk(gateway, "made-up").embeddings.create(model="nomic", input="a")
    assert other.requests == []


def test_the_default_model_goes_to_poe_whose_refusal_is_clear(gateway: Gateway, poe: ScriptedPoe) -> None:
    poe.route("POST /v1/embeddings", error_reply(404, "not found"))
    with gateway.client() as client:
        answer = client.post_json("/v1/embeddings", {"input": "a"})
        assert answer.status == 404
        assert "EMBEDDINGS_BASE_URL" in answer.json()["error"]["message"]
    asked = next(request for request in poe.requests if request.target == b"/v1/embeddings")
    assert asked.json["model"] == "text-embedding-3-small"
    assert asked.header("authorization") == f"Bearer {KEY}"


def test_bad_input_and_no_key(gateway: Gateway) -> None:
    with pytest.raises(openai.BadRequestError) as wrong:
        sdk(gateway).embeddings.create(model="m", input="")
    assert wrong.value.param == "input"
    with gateway.client() as client:
        refused = client.request("POST", "/v1/embeddings", b'{"input": "a"}', {"Content-Type": "application/json"})
        assert refused.status == 401
