"""Fetching from loopback, of which one address is let pass, and traps at the others."""

import contextlib
import socket
from typing import Any

import pytest

from poe2openai.core.errors import GatewayError
from poe2openai.poe.public_fetch import PublicFetcher
from tests.support.raw_server import answer

HELLO = answer(b"hello", "text/plain")


def is_first(address: object) -> bool:
    """Lets 127.0.0.1 pass alone, where the servers are that a test lets be asked."""
    return str(address) == "127.0.0.1"


def fetcher(**options: Any) -> PublicFetcher:
    limits = {"connect_timeout": 5.0, "idle_timeout": 5.0, "total_seconds": 20.0}
    return PublicFetcher(**{**limits, "may_connect": is_first, "ports": None, **options})


def content(url: str, **options: Any) -> bytes:
    with fetcher(**options).open(url) as fetched:
        return b"".join(fetched.pieces())


def failure(url: str, **options: Any) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        content(url, **options)
    assert "gateway" in caught.value.message
    assert "Poe" not in caught.value.message
    assert caught.value.param is None
    return caught.value


class Trap:
    """Listens at one port of 127.0.0.1, 127.0.0.2 and ::1, and counts who came."""

    def __init__(self) -> None:
        self.listeners = [socket.create_server(("127.0.0.1", 0))]
        self.port: int = self.listeners[0].getsockname()[1]
        self.listeners.append(socket.create_server(("127.0.0.2", self.port)))
        if socket.has_ipv6:
            with contextlib.suppress(OSError):
                self.listeners.append(socket.create_server(("::1", self.port), family=socket.AF_INET6))
        for listener in self.listeners:
            listener.settimeout(0.0)

    def visits(self) -> int:
        count = 0
        for listener in self.listeners:
            with contextlib.suppress(BlockingIOError):
                while True:
                    listener.accept()[0].close()
                    count += 1
        return count
