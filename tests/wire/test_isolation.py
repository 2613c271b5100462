"""One request's key, cookies and data never touch another's, and nothing of the machine is mixed in."""

import base64
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway
from tests.support.poe_script import Head, done, pause, reply, text
from tests.support.received import Received
from tests.support.scripted_poe import ScriptedPoe
from tests.support.wire import content

STREAM = {"Content-Type": "text/event-stream"}


def test_cookies_are_forgotten(gateway: Gateway, poe: ScriptedPoe) -> None:
    poe.script("bot", Head(headers={**STREAM, "Set-Cookie": "session=of-the-first; Path=/"}), text("ok"), done())
    with gateway.client() as client:
        for key in ("key-a", "key-b"):
            assert client.chat(model="bot", key=key, headers={"Cookie": "mine=1"}).json()["choices"]
    assert [query.header("cookie") for query in poe.queries()] == [None, None]


def test_many_at_once_get_their_own_answers(gateway: Gateway, poe: ScriptedPoe) -> None:
    def answer(query: Received) -> Any:
        said = f"{query.header('authorization')} asked {query.messages[-1]['content']}"
        return [step for word in said.split(" ") for step in (text(word + " "), pause(0.01))] + [done()]

    poe.script_by("bot", answer)
    answers: dict[int, str] = {}

    def ask(number: int) -> None:
        with gateway.client() as client:
            question = [{"role": "user", "content": f"question-{number}"}]
            response = client.chat(model="bot", stream=number % 2 == 0, key=f"key-{number}", messages=question)
            if number % 2 == 0:
                answers[number] = content(response.chunks())
            else:
                answers[number] = response.json()["choices"][0]["message"]["content"]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert answers == {number: f"Bearer key-{number} asked question-{number} " for number in range(40)}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(gateway: Gateway, poe: ScriptedPoe, status: int) -> None:
    elsewhere = ScriptedPoe()
    try:
        elsewhere.script("bot", text("stolen"), done())
        location = {"Location": f"{elsewhere.url}/bot/bot"}
        poe.script("bot", reply(status, b"", "text/plain", location))
        with gateway.client() as client:
            response = client.chat(model="bot")
            assert (response.status, response.json()["error"]["code"]) == (502, "upstream_invalid")
        assert elsewhere.requests == []
    finally:
        elsewhere.close()


def test_nothing_of_the_machine_is_mixed_in(make_gateway: GatewayFactory, poe: ScriptedPoe, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password secret\ndefault login anybody password secret\n")
    netrc.chmod(0o600)
    proxy = ScriptedPoe()
    try:
        gateway = make_gateway(
            fresh=True,
            NETRC=str(netrc),
            HTTP_PROXY=proxy.url,
            http_proxy=proxy.url,
            ALL_PROXY=proxy.url,
            POE_API_KEY="key-of-the-environment",
            OPENAI_API_KEY="key-of-the-environment",
        )
        (gateway.home / ".netrc").write_text(netrc.read_text())
        (gateway.home / ".netrc").chmod(0o600)
        poe.script("bot", text("ok"), done())
        with gateway.client() as client:
            assert client.chat(model="bot", key="key-a").status == 200
        assert proxy.requests == []
    finally:
        proxy.close()
    assert poe.queries()[0].header("authorization") == "Bearer key-a"


def test_the_owners_proxy_is_used(make_gateway: GatewayFactory, poe: ScriptedPoe) -> None:
    proxy = ScriptedPoe()
    try:
        name_and_word = proxy.url.replace("http://", "http://name:word@")
        gateway = make_gateway(fresh=True, POE_BASE_URL="http://poe.invalid", PROXY=name_and_word)
        proxy.script("bot", text("through the proxy"), done())
        with gateway.client() as client:
            assert client.chat(model="bot").json()["choices"][0]["message"]["content"] == "through the proxy"
        query = proxy.wait_query("bot")
        assert query.target == b"http://poe.invalid/bot/bot"
        assert query.header("proxy-authorization") == "Basic " + base64.b64encode(b"name:word").decode()
        assert "word@" not in gateway.log()
    finally:
        proxy.close()


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("My Bot", b"/bot/My%20Bot"),
        ("Bot.v2", b"/bot/Bot.v2"),
        ("东京", b"/bot/%E4%B8%9C%E4%BA%AC"),
        ("50%", b"/bot/50%25"),
        ("a?b#c", b"/bot/a%3Fb%23c"),
        ("a&b=c", b"/bot/a%26b%3Dc"),
    ],
)
def test_names_are_percent_encoded(gateway: Gateway, poe: ScriptedPoe, name: str, target: bytes) -> None:
    poe.script(name, text("ok"), done())
    with gateway.client() as client:
        response = client.chat(model=name)
        assert response.json().get("model") == name
    assert poe.queries()[0].target == target


@pytest.mark.parametrize(
    "name", ["..", ".", "..%2fusage", "", "../usage/current_balance", "a/../../v1/models", "\r\nX: y", "/", "a/.."]
)
def test_no_name_reaches_another_path(gateway: Gateway, poe: ScriptedPoe, name: str) -> None:
    with gateway.client() as client:
        response = client.chat(model=name)
        assert response.status in (400, 404)
        assert response.json()["error"]["code"] in ("invalid_request", "model_not_found")
    for request in poe.requests:
        if request.address == "GET /v1/models":
            continue
        assert request.target.startswith(b"/bot/")
        assert b"/" not in request.target.removeprefix(b"/bot/")
        assert request.target.removeprefix(b"/bot/") not in (b"", b".", b"..")


def test_headers_of_the_client_stay_here(gateway: Gateway, poe: ScriptedPoe) -> None:
    poe.script("bot", text("ok"), done())
    private = {"X-Forwarded-For": "10.1.2.3", "Cookie": "a=b", "X-Private": "secret", "Origin": "https://x.test"}
    with gateway.client() as client:
        assert client.chat(model="bot", headers=private).status == 200
    query = poe.queries()[0]
    assert [value for _, value in query.headers if value in private.values()] == []
