"""Poe over TLS, as it really is: nothing is lost between records, and silence is noticed."""

from collections.abc import Iterator

import pytest

from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway
from tests.support.poe_script import done, hold, joined, pause, slices, text
from tests.support.raw_server import Authority, make_authority
from tests.support.scripted_poe import ScriptedPoe
from tests.support.wire import content

WORDS = [f"{number} Grüße 你好 😀\n" for number in range(200)]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def tls_poe(authority: Authority) -> Iterator[ScriptedPoe]:
    poe = ScriptedPoe(authority.server)
    yield poe
    poe.close()


@pytest.fixture
def gateway(make_gateway: GatewayFactory, tls_poe: ScriptedPoe, authority: Authority) -> Gateway:
    tls_poe.reset()
    return make_gateway(poe_url=tls_poe.url, SSL_CERT_FILE=authority.bundle, STREAM_PING_SECONDS="0.5")


@pytest.mark.parametrize("size", [7, 1000, 40_000])
def test_a_stream_is_whole_however_its_records_are_cut(gateway: Gateway, tls_poe: ScriptedPoe, size: int) -> None:
    tls_poe.script("bot", slices(joined([*map(text, WORDS), done()]), size))
    with gateway.client() as client:
        for _ in range(3):
            chunks = client.chat(model="bot", stream=True).chunks()
            assert content(chunks) == "".join(WORDS)
            assert chunks[-1] == "[DONE]"
    assert tls_poe.connections <= 2


def test_text_comes_at_once_between_silences_that_are_pinged(gateway: Gateway, tls_poe: ScriptedPoe) -> None:
    tls_poe.script("bot", text("a"), pause(1.3), text("b"), pause(0.2), text("c"), done())
    with gateway.client() as client:
        events = list(client.chat(model="bot", stream=True).events())
    texts = [event for event in events if event.data is not None and '"content":"' in event.data]
    said = {event.json["choices"][0]["delta"]["content"]: event.at for event in texts}
    assert 1.2 < said["b"] - said["a"] < 1.8
    assert 0.1 < said["c"] - said["b"] < 0.6
    assert sum(event.comment == "ping" for event in events) >= 2


def test_a_client_that_leaves_lets_poe_go(gateway: Gateway, tls_poe: ScriptedPoe) -> None:
    tls_poe.script("bot", text("a"), hold())
    with gateway.client() as client:
        next(client.chat(model="bot", stream=True).events())
    query = tls_poe.wait_query("bot")
    assert query.hung_up_after(query.at) < 2.5


def test_an_authority_that_nobody_vouches_for_is_refused(make_gateway: GatewayFactory, tls_poe: ScriptedPoe) -> None:
    gateway = make_gateway(poe_url=tls_poe.url)
    with gateway.client() as client:
        response = client.chat(model="bot")
        error = response.json()["error"]
    assert response.status == 502
    assert error["code"] == "upstream_unreachable"
    assert "certificate" in error["message"]
