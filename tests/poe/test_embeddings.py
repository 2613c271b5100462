"""Embeddings over real sockets: whose key goes where, and what is made of a refusal."""

from collections.abc import Iterator
from typing import Any

import pytest

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.poe.embeddings import EmbeddingsServer
from tests.support.poe_script import error_reply, head, json_reply, reset
from tests.support.scripted_poe import ScriptedPoe

ANSWER = {"data": [{"embedding": [1.0]}]}
PATH = "POST /v1/embeddings"


@pytest.fixture
def other() -> Iterator[ScriptedPoe]:
    server = ScriptedPoe()
    yield server
    server.close()


def server(poe: ScriptedPoe, base_url: str = "", api_key: str = "") -> EmbeddingsServer:
    return EmbeddingsServer(base_url, poe_base_url=poe.url, api_key=api_key, connect_timeout=2.0)


def test_poe_gets_the_poe_key(poe: ScriptedPoe) -> None:
    poe.route(PATH, json_reply(200, ANSWER))
    asked = server(poe)

    assert asked.is_poe
    assert asked.create(b'{"input": "a"}', "poe-key") == ANSWER
    (request,) = poe.requests
    assert request.header("authorization") == "Bearer poe-key"
    assert request.body == b'{"input": "a"}'


@pytest.mark.parametrize(("api_key", "sent"), [("own", "Bearer own"), ("", None)])
def test_another_server_never_sees_it(poe: ScriptedPoe, other: ScriptedPoe, api_key: str, sent: str | None) -> None:
    other.route(PATH, json_reply(200, ANSWER))
    asked = server(poe, f"{other.url}/v1", api_key)

    assert not asked.is_poe
    asked.create(b"{}", "poe-key")
    (request,) = other.requests
    assert request.header("authorization") == sent


def test_that_poe_has_none_is_said_with_the_way_out(poe: ScriptedPoe) -> None:
    poe.route(PATH, error_reply(404, "Not Found"))

    with pytest.raises(GatewayError, match="EMBEDDINGS_BASE_URL") as caught:
        server(poe).create(b"{}", "poe-key")
    assert caught.value.kind is ErrorKind.NOT_FOUND


@pytest.mark.parametrize(
    ("steps", "kind"),
    [
        (error_reply(400, "too many dimensions"), ErrorKind.INVALID_REQUEST),
        (error_reply(429, "slow down", {"Retry-After": "7"}), ErrorKind.RATE_LIMIT),
        (error_reply(401, "no own-secret here"), ErrorKind.UPSTREAM_ERROR),
        (error_reply(404, "no such model"), ErrorKind.NOT_FOUND),
        (error_reply(500, "oops"), ErrorKind.UPSTREAM_ERROR),
        (json_reply(200, {"object": "list"}), ErrorKind.UPSTREAM_INVALID),
        (json_reply(302, {}, {"Location": "http://127.0.0.1:1/"}), ErrorKind.UPSTREAM_INVALID),
        ([reset()], ErrorKind.UPSTREAM_UNREACHABLE),
    ],
)
def test_refusals_are_the_servers_and_not_poes(
    poe: ScriptedPoe, other: ScriptedPoe, steps: Any, kind: ErrorKind
) -> None:
    other.route(PATH, *steps)

    with pytest.raises(GatewayError) as caught:
        server(poe, f"{other.url}/v1", "own-secret").create(b"{}", "poe-key")
    assert caught.value.kind is kind
    assert "own-secret" not in caught.value.message
    assert "Poe" not in caught.value.message
    if kind is ErrorKind.RATE_LIMIT:
        assert caught.value.retry_after == 7


def test_a_server_that_is_not_there(poe: ScriptedPoe, other: ScriptedPoe) -> None:
    with other.refusing(), pytest.raises(GatewayError) as caught:
        server(poe, f"{other.url}/v1").create(b"{}", "")
    assert caught.value.kind is ErrorKind.UPSTREAM_UNREACHABLE


def test_a_body_that_breaks_off(poe: ScriptedPoe) -> None:
    poe.route(PATH, head(200, {"Content-Type": "application/json", "Content-Length": "100"}), reset())
    with pytest.raises(GatewayError) as caught:
        server(poe).create(b"{}", "poe-key")
    assert caught.value.kind in (ErrorKind.UPSTREAM_UNREACHABLE, ErrorKind.UPSTREAM_INVALID)
