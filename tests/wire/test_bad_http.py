"""What gunicorn refuses before the application sees it: answered like all else, and repeated nowhere."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from itertools import chain, repeat

import pytest

from tests.support.gateway import Gateway
from tests.support.wire import KEY, Response

SECRET = b"sk-never-to-be-seen-0123456789"
REQUEST = b"POST /v1/chat/completions HTTP/1.1\r\n"
HOST = b"Host: gateway.test\r\n"
AUTH = b"Authorization: Bearer " + SECRET + b"\r\n"
ADDRESS = b"/v1/models?key=" + SECRET

BAD = {
    "no request line": (b"Bearer " + SECRET + b"\r\n\r\n", 400, "InvalidRequestLine"),
    "a line feed alone": (b"GET " + ADDRESS + b" HTTP/1.1\n" + AUTH + b"\r\n", 400, "InvalidRequestLine"),
    "an asterisk": (b"GET * HTTP/1.1\r\n" + HOST + AUTH + b"\r\n", 400, "InvalidRequestLine"),
    "bytes in the address": (b"GET " + ADDRESS + b"\xff HTTP/1.1\r\n" + HOST + b"\r\n", 400, "InvalidRequestLine"),
    "TLS": (b"\x16\x03\x01\x02\x00\x01" + SECRET + b"\r\n\r\n", 400, "InvalidRequestLine"),
    "lower case": (b"get " + ADDRESS + b" HTTP/1.1\r\n" + HOST + b"\r\n", 400, "InvalidRequestMethod"),
    "a key as method": (SECRET.upper() + b"<> / HTTP/1.1\r\n" + HOST + b"\r\n", 400, "InvalidRequestMethod"),
    "HTTP/9.9": (b"GET " + ADDRESS + b" HTTP/9.9\r\n" + HOST + b"\r\n", 400, "InvalidHTTPVersion"),
    "a key as version": (b"GET / " + SECRET + b"\r\n" + HOST + b"\r\n", 400, "InvalidHTTPVersion"),
    "no colon": (REQUEST + HOST + b"Authorization Bearer " + SECRET + b"\r\n\r\n", 400, "InvalidHeader"),
    "a space before the colon": (REQUEST + HOST + SECRET + b" : x\r\n\r\n", 400, "InvalidHeaderName"),
    "a null": (REQUEST + HOST + b"Authorization: Bearer \0" + SECRET + b"\r\n\r\n", 400, "InvalidHeader"),
    "a folded header": (REQUEST + HOST + b"Authorization: Bearer\r\n " + SECRET + b"\r\n\r\n", 400, "ObsoleteFolding"),
    "two hosts": (REQUEST + HOST + AUTH + HOST + b"\r\n", 400, "InvalidHeader"),
    "a length of letters": (REQUEST + HOST + AUTH + b"Content-Length: " + SECRET + b"\r\n\r\n", 400, "InvalidHeader"),
    "two lengths": (REQUEST + AUTH + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400, "InvalidHeader"),
    "a length and chunks": (
        REQUEST + AUTH + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        "InvalidHeader",
    ),
    "another coding": (REQUEST + AUTH + b"Transfer-Encoding: " + SECRET + b"\r\n\r\n", 501, "UnsupportedTransfer"),
    "another expectation": (REQUEST + HOST + AUTH + b"Expect: " + SECRET + b"\r\n\r\n", 417, "ExpectationFailed"),
    "a long address": (b"GET " + ADDRESS + b"x" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414, "LimitRequestLine"),
    "a long header": (REQUEST + HOST + b"Cookie: " + SECRET * 400 + b"\r\n\r\n", 431, "LimitRequestHeaders"),
    "many headers": (REQUEST + HOST + AUTH + b"X: y\r\n" * 200 + b"\r\n", 431, "LimitRequestHeaders"),
    "headers without end": (REQUEST + HOST + b"Cookie: " + SECRET * 100_000, 431, "LimitRequestHeaders"),
    "another script name": (REQUEST + HOST + b"SCRIPT_NAME: /" + SECRET + b"\r\n\r\n", 400, "ConfigurationProblem"),
}

CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


def error_of(response: Response) -> dict[str, object]:
    assert response.header("content-type") == "application/json"
    body = response.read()
    assert response.whole
    assert SECRET.lower() not in body.lower()
    found: dict[str, object] = json.loads(body)["error"]
    return found


@pytest.mark.parametrize(("sent", "status", "why"), BAD.values(), ids=BAD)
def test_a_refused_request(gateway: Gateway, sent: bytes, status: int, why: str) -> None:
    before = len(gateway.log())
    with gateway.client() as client:
        client.send(sent)
        response = client.response()
        assert (response.status, response.header("connection")) == (status, "close")
        error = error_of(response)
        assert client.closed_within(1)
    assert set(error) == {"message", "type", "param", "code"}
    code = "request_too_large" if status in (414, 431) else "invalid_request"
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", None, code)
    line = gateway.wait_log(response.header("x-request-id") or "?", start=before)
    assert "127.0.0.1" in line
    assert f"why={why}" in line
    added = gateway.log()[before:].lower()
    assert SECRET.decode().lower() not in added
    assert "traceback" not in added
    with gateway.client() as other:
        assert other.request("GET", "/health").status == 200


def test_a_connection_that_had_a_good_request_before(gateway: Gateway) -> None:
    with gateway.client() as client:
        assert client.request("GET", "/health").json()["status"] == "ok"
        client.send(BAD["no colon"][0])
        response = client.response()
        assert (response.status, error_of(response)["code"]) == (400, "invalid_request")
        assert client.closed_within(1)


def test_a_client_that_leaves_at_once_is_nobodys_error(gateway: Gateway) -> None:
    before = len(gateway.log())
    for sent, _, _ in BAD.values():
        client = gateway.client()
        client.send(sent[:4096])
        client.abort()
    with gateway.client() as other:
        assert other.request("GET", "/health").status == 200
    time.sleep(0.3)
    assert "Traceback" not in gateway.log()[before:]


def tiny_chunks() -> Iterator[bytes]:
    return chain([CHUNKED], repeat(b"1\r\n \r\n" * 10_000, 60), [b"0\r\n\r\n"])


def large_chunks() -> Iterator[bytes]:
    return chain([CHUNKED], repeat(b"100000\r\n" + b" " * 2**20 + b"\r\n", 60), [b"0\r\n\r\n"])


def one_piece() -> Iterator[bytes]:
    return chain([b"Content-Length: %d\r\n\r\n" % (60 * 2**20)], repeat(b" " * 2**20, 60))


@pytest.mark.parametrize("body", [tiny_chunks, large_chunks, one_piece])
@pytest.mark.parametrize("status", [400, 401])
def test_a_body_as_fast_as_it_is_read_stops_nobody(
    gateway: Gateway, body: Callable[[], Iterator[bytes]], status: int
) -> None:
    """Read by the application (400), or thrown away after its answer (401): seconds of work without a wait in it."""
    seen: list[int] = []

    def send() -> None:
        with gateway.client(60) as client:
            client.send(REQUEST + HOST + (b"Authorization: Bearer %s\r\n" % KEY.encode() if status == 400 else b""))
            for piece in body():
                client.send(piece)
            response = client.response()
            response.read()
            seen.append(response.status)
            seen.append(client.request("GET", "/health").status)

    sender = threading.Thread(target=send)
    waits = []
    with gateway.client() as other:
        sender.start()
        while sender.is_alive():
            asked = time.monotonic()
            assert other.request("GET", "/health").status == 200
            waits.append(time.monotonic() - asked)
            time.sleep(0.005)
        sender.join()
    assert seen == [status, 200]
    assert max(waits) < 0.5
