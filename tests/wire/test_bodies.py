"""Request bodies: counted as they come, given up when they drip, and never taken for what they are not."""

import itertools
import json
import select
import time
from collections.abc import Iterator

import pytest

from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway
from tests.support.poe_script import Step, done, pause, text
from tests.support.scripted_poe import ScriptedPoe
from tests.support.wire import KEY, Client, Response, chat_bytes

LIMIT = 20_000
HEAD = f"POST /v1/chat/completions HTTP/1.1\r\nHost: gateway.test\r\nAuthorization: Bearer {KEY}\r\n".encode()


@pytest.fixture
def small(make_gateway: GatewayFactory) -> Gateway:
    """Takes bodies of 20 kB, within 1.5 s."""
    return make_gateway(MAX_REQUEST_SIZE=str(LIMIT), REQUEST_BODY_TIMEOUT="1.5")


@pytest.fixture
def client(small: Gateway, poe: ScriptedPoe) -> Iterator[Client]:
    poe.script("bot", text("ok"), done())
    with small.client() as client:
        yield client


def body_of(size: int) -> bytes:
    """A request of exactly this size."""
    frame = json.dumps({"model": "bot", "messages": [{"role": "user", "content": ""}]})
    return frame.replace('""', '"' + "x" * (size - len(frame)) + '"').encode()


def send_chunked(client: Client, body: bytes, size: int = 1000) -> Response:
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    framed = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    client.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + framed + b"0\r\n\r\n")
    return client.response()


def send(client: Client, body: bytes) -> Response:
    client.send(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    return client.response()


def code_of(response: Response) -> tuple[int, str]:
    return response.status, response.json()["error"]["code"]


def test_a_body_up_to_the_limit_is_taken(client: Client, poe: ScriptedPoe) -> None:
    assert send(client, body_of(LIMIT)).json()["choices"]
    assert send_chunked(client, body_of(LIMIT)).json()["choices"]
    assert len(poe.queries()[1].messages[0]["content"]) > LIMIT - 100


def test_a_larger_one_is_refused(small: Gateway, poe: ScriptedPoe) -> None:
    for sender in (send, send_chunked):
        with small.client() as client:
            assert code_of(sender(client, body_of(LIMIT + 1))) == (413, "request_too_large")
    assert poe.queries() == []


def test_a_chunked_body_is_not_cut_at_the_limit(small: Gateway, poe: ScriptedPoe) -> None:
    with small.client() as client:
        assert code_of(send_chunked(client, body_of(LIMIT) + b" " * 5000)) == (413, "request_too_large")


def test_a_huge_content_length_is_refused_unread(small: Gateway) -> None:
    with small.client() as client:
        client.send(HEAD + b"Content-Length: 99999999999\r\n\r\n{")
        asked = time.monotonic()
        assert code_of(client.response()) == (413, "request_too_large")
        assert time.monotonic() - asked < 1


@pytest.mark.parametrize("framing", ["Content-Length: 500", "Transfer-Encoding: chunked"])
def test_a_body_that_drips_is_given_up(small: Gateway, poe: ScriptedPoe, framing: str) -> None:
    with small.client() as client:
        client.send(HEAD + framing.encode() + b"\r\n\r\n")
        began = time.monotonic()
        piece = b"1\r\n{\r\n" if "chunked" in framing else b" "
        while not select.select([client.socket], [], [], 0.1)[0] and time.monotonic() - began < 10:
            client.send(piece)
        assert time.monotonic() - began < 5
        assert code_of(client.response()) == (408, "request_timeout")
    assert poe.queries() == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"hello",
        b"[]",
        b"null",
        b'"text"',
        b'{"model": "bot", "messages": [{"role": "user", "content": "\xff"}]}',
        b'{"model": "bot", "messages": [{"role": "user", "content": "\\ud800"}]}',
        b'{"model": "bot", "temperature": NaN, "messages": [{"role": "user", "content": "x"}]}',
        b'{"model": "bot", "messages": ' + b"[" * 9000 + b"]" * 9000 + b"}",
        b'{"model": "bot", "extra": ' + b'{"a":' * 3000 + b"1" + b"}" * 3000 + b', "messages": []}',
    ],
)
def test_what_is_no_request_is_refused(client: Client, poe: ScriptedPoe, body: bytes) -> None:
    response = send(client, body)
    assert response.status == 400
    error = response.json()["error"]
    assert error["code"] == "invalid_request"
    assert error["message"]
    assert poe.queries() == []


def test_where_json_breaks_is_told(client: Client) -> None:
    response = send(client, b'{"model": "bot",\n "messages": [}')
    message = response.json()["error"]["message"]
    assert any(hint in message for hint in ("line 2", "column", "byte", "character"))


@pytest.mark.parametrize("framed", [b"zz\r\n{}\r\n0\r\n\r\n", b"5\r\n{}\r\n0\r\n\r\n", b"-1\r\n{}"])
def test_broken_chunks_are_the_clients_error(small: Gateway, poe: ScriptedPoe, framed: bytes) -> None:
    with small.client() as client:
        client.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + framed)
        assert client.response().status == 400
    assert poe.queries() == []


def test_a_client_that_leaves_in_its_body_is_nobodys_error(small: Gateway, poe: ScriptedPoe) -> None:
    before = len(small.log())
    client = small.client()
    client.send(HEAD + b"Content-Length: 500\r\n\r\n{")
    client.close()
    with small.client() as other:
        assert other.request("GET", "/health").status == 200
    time.sleep(0.3)
    assert "Traceback" not in small.log()[before:]
    assert poe.queries() == []


def test_a_client_that_asks_before_it_sends(client: Client) -> None:
    body = body_of(LIMIT)
    client.send(HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
    assert client.socket.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.send(body)
    assert client.response().status == 200


def test_a_large_prompt_does_not_stop_the_others(gateway: Gateway, poe: ScriptedPoe) -> None:
    steps: list[Step] = []
    for _ in range(150):
        steps += [text("word "), pause(0.02)]
    poe.script("live", *steps, done())
    poe.script("bot", text("ok"), done())
    prompt = "The quick brown fox jumps over the lazy dog. " * 100_000
    with gateway.client() as live, gateway.client() as large:
        large.chat(model="bot").read()  # the tokenizer is loaded
        live.send(chat_bytes(model="live", stream=True))
        times = [one.at for one in live.response().events()]
        live.send(chat_bytes(model="live", stream=True))
        events = live.response().events()
        busy = [next(events).at]
        large.send(chat_bytes(model="bot", messages=[{"role": "user", "content": prompt}]))
        busy += [one.at for one in events]
        assert large.response().json()["usage"]["prompt_tokens"] > 500_000
    calm, stalled = (max(later - at for at, later in itertools.pairwise(one)) for one in (times, busy))
    assert stalled < max(0.4, 3 * calm)


def test_a_request_without_a_body_is_refused(client: Client) -> None:
    client.send(HEAD + b"\r\n")
    assert client.response().status == 400
