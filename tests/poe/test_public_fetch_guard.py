"""The ways to a place that is not public, none of which is gone; redirects and names that change are among them."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from poe2openai.core.errors import ErrorKind
from poe2openai.poe.public_fetch import NOT_PUBLIC, is_public
from tests.support.fetching import HELLO, Trap, content, failure, fetcher
from tests.support.raw_server import Authority, RawServer, Recorder, answer, repeating


@pytest.fixture
def trap() -> Iterator[Trap]:
    made = Trap()
    yield made
    for listener in made.listeners:
        listener.close()


# Each of these ends at the trap when nobody guards the way, `P` being its port.
REACHING = [
    *("http://127.0.0.1:P/", "HTTP://127.0.0.1:P", "http://127.0.0.2:P/", "http://127.0.0.1:P/#@public.test"),
    *("http://localhost:P/", "http://LOCALHOST:P/", "http://127.0.0.1:P?@public.test"),
    *("http://2130706433:P/", "http://0x7f000001:P/", "http://0X7F000001:P/", "http://017700000001:P/"),
    *("http://0177.0.0.1:P/", "http://0177.0.0.01:P/", "http://0x7f.0x0.0x0.0x1:P/", "http://0x7f.1:P/"),
    *("http://127.1:P/", "http://127.0.1:P/", "http://0:P/", "http://0.0.0.0:P/", "http://１２７.0.0.1:P/"),
    *("http://127。0。0。1:P/", "http://①②⑦.⓪.⓪.①:P/", "http://ｌｏｃａｌｈｏｓｔ:P/", "https://127.0.0.1:P/"),
    *("http://[::ffff:127.0.0.1]:P/", "http://[::ffff:7f00:1]:P/", "http://[0:0:0:0:0:ffff:7f00:0001]:P/"),
]
REACHING_BY_IPV6 = ["http://[::1]:P/", "http://[0:0:0:0:0:0:0:1]:P/", "http://[::]:P/", "https://[::0001]:P/"]
OTHERS = [
    *(
        "http://localhost.:P/",
        "http://127.0.0.1.:P/",
        "http://[::127.0.0.1]:P/",
        "http://[64:ff9b::7f00:1]:P/",
        "http://[2002:7f00:1::]:P/",
    ),
    *("http://[64:ff9b:1::127.0.0.1]:P/", "http://[fe80::1]:P/", "http://[fe80::1%25lo]:P/", "http://[::1%lo]:P/"),
    *("http://10.0.0.1/", "http://192.168.0.1/", "http://169.254.169.254/latest/meta-data/", "http://100.100.100.200/"),
    *("http://224.0.0.1/", "http://255.255.255.255/", "http://[fd00::1]/", "http://[ff02::1]/"),
    *("http://user:secret@127.0.0.1:P/", "http://public.test@127.0.0.1:P/", "http://127.0.0.1:P\\@public.test/"),
    *("http://127.0.0.1 :P/", "http://127.0.0.1\t:P/", "http://127.0.0.1:P/\r\nX: y", "http://127..0.1:P/"),
    *("http://127.0.0.%31:P/", "http:127.0.0.1:P/", "//127.0.0.1:P/", "ftp://127.0.0.1:P/", "gopher://127.0.0.1:P/"),
    *("dict://127.0.0.1:P/", "file:///etc/passwd", "data:text/plain,x", "javascript:alert(1)"),
]


class TestWhereItDoesNotGo:
    @pytest.mark.parametrize("form", REACHING + REACHING_BY_IPV6 + OTHERS, ids=ascii)
    def test_no_form_of_an_address_reaches_a_private_place(self, form: str, trap: Trap) -> None:
        error = failure(form.replace(":P", f":{trap.port}"), may_connect=is_public)

        assert trap.visits() == 0
        assert error.kind is ErrorKind.INVALID_REQUEST
        assert error.message.startswith(("The gateway does not fetch from this address: ", "The gateway could not"))
        if form in REACHING + REACHING_BY_IPV6:
            assert error.message == NOT_PUBLIC

    @pytest.mark.parametrize("form", REACHING + REACHING_BY_IPV6, ids=ascii)
    def test_those_forms_are_ways_to_it(self, form: str, trap: Trap) -> None:
        if form in REACHING_BY_IPV6 and len(trap.listeners) < 3:
            pytest.skip("no IPv6 on this machine")
        failure(form.replace(":P", f":{trap.port}"), may_connect=lambda _: True, connect_timeout=0.1, idle_timeout=0.1)

        assert trap.visits() == 1

    @pytest.mark.parametrize("port", [22, 25, 6379, 11211])
    def test_ports_of_other_services_are_refused(self, port: int) -> None:
        error = failure(f"http://127.0.0.1:{port}/", ports=frozenset({80, 443, 8080, 8443}))

        assert "port" in error.message

    @pytest.mark.parametrize(
        "location",
        [
            "http://127.0.0.2:P/",
            "//127.0.0.2:P/",
            "http://2130706434:P/",
            "http://[::1]:P/",
            "http://0x7f.2:P/",
            "http://me@127.0.0.1:P/",
            "http://127.0.0.2\t:P/",
            "\\\\127.0.0.2:P/",
            "file:///etc/passwd",
            "gopher://127.0.0.2:P/",
            "http://[127.0.0.2:P/",
            "",
        ],
    )
    @pytest.mark.parametrize("status", ["301 Moved Permanently", "307 Temporary Redirect"])
    def test_a_redirect_is_checked_as_the_first_address_is(self, status: str, location: str, trap: Trap) -> None:
        there = location.replace(":P", f":{trap.port}")
        with RawServer(repeating(answer(b"", status=status, Location=there))) as server:
            error = failure(f"{server.url}/")

        assert error.kind is ErrorKind.INVALID_REQUEST
        assert trap.visits() == 0
        assert "127.0.0" not in error.message

    def test_a_redirect_to_another_port_is_refused(self, trap: Trap) -> None:
        with RawServer(repeating(answer(b"", status="302 Found", Location=f"http://127.0.0.1:{trap.port}/"))) as server:
            error = failure(server.url, ports=frozenset({server.port}))

        assert "port" in error.message
        assert trap.visits() == 0

    def test_a_name_that_changes_its_mind_gains_nothing(self, trap: Trap, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[str] = []

        def rebinding(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
            asked.append(host)
            address = "127.0.0.1" if len(asked) == 1 else "127.0.0.2"
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

        with RawServer(Recorder(HELLO)) as server:
            monkeypatch.setattr(socket, "getaddrinfo", rebinding)
            assert content(f"http://rebinding.test:{server.port}/") == b"hello"
            assert server.connections == 1
            monkeypatch.undo()

        assert asked == ["rebinding.test"]
        assert trap.visits() == 0

    @pytest.mark.parametrize("answers", [["127.0.0.1", "127.0.0.2"], ["127.0.0.2", "127.0.0.1"], ["not-an-address"]])
    def test_one_private_address_of_a_name_refuses_all(
        self, answers: list[str], trap: Trap, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, trap.port)) for address in answers]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

        assert failure(f"http://mixed.test:{trap.port}/").message == NOT_PUBLIC
        assert trap.visits() == 0

    def test_no_proxy_of_the_environment_is_used(self, trap: Trap, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.2:{trap.port}")
        with RawServer(repeating(HELLO)) as server:
            assert content(server.url) == b"hello"

        assert trap.visits() == 0

    def test_https_does_not_become_http(self, authority: Authority, trap: Trap) -> None:
        moved = answer(b"", status="302 Found", Location=f"http://127.0.0.1:{trap.port}/")
        with RawServer(repeating(moved), authority.server) as server:
            assert "from https to http" in failure(server.url, ca_bundle=authority.bundle).message
        assert trap.visits() == 0

    def test_a_check_that_refuses_at_once_lets_nothing_out(self, trap: Trap) -> None:
        def check() -> None:
            raise InterruptedError

        with pytest.raises(InterruptedError):
            fetcher().open(f"http://127.0.0.1:{trap.port}/", check=check)
        assert trap.visits() == 0
