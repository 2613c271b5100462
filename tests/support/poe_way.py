"""Asking over an adapter, and what a scripted Poe answers."""

import socket
from typing import Any

import pytest
from requests import PreparedRequest, Request

from poe2openai.core.errors import GatewayError
from poe2openai.poe.body import BodyStream
from poe2openai.poe.transport import PoeAdapter

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
HELLO = CHUNKED + b"5\r\nhello\r\n0\r\n\r\n"


def post(url: str, body: bytes = b"{}", **headers: str) -> PreparedRequest:
    request = Request("POST", url, headers).prepare()
    request.body = body
    return request


def begin(adapter: PoeAdapter, url: str, **options: Any) -> BodyStream:
    body = adapter.send(post(url), stream=True, **options).raw
    assert isinstance(body, BodyStream)
    return body


def answer_of(adapter: PoeAdapter, url: str) -> bytes:
    return b"".join(begin(adapter, url))


def ticks_and_hello(body: BodyStream) -> bool:
    """How often it ticks depends on how busy the machine is."""
    pieces = list(body)
    return pieces[0] == b"" and b"".join(pieces) == b"hello"


def failure_of(adapter: PoeAdapter, url: str) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        answer_of(adapter, url)
    return caught.value


def dead_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
