"""TLS to Poe, and the proxies on the way."""

import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from poe2openai.core.errors import ErrorKind
from poe2openai.poe import transport
from poe2openai.poe.transport import PoeAdapter, Proxy
from tests.support.poe_way import CHUNKED, HELLO, answer_of, begin, dead_port, failure_of, ticks_and_hello
from tests.support.raw_server import Authority, Peer, RawServer, repeating, socks5_proxy, tunnel_proxy


class TestTls:
    def test_every_record_that_has_come_is_one_piece(
        self, adapters: Callable[..., PoeAdapter], authority: Authority
    ) -> None:
        sent = threading.Event()

        def serve(peer: Peer) -> None:
            peer.request()
            peer.send(CHUNKED)
            for number in range(10):
                peer.send(b"2\r\n%02d\r\n" % number)
            sent.set()
            peer.has_left()

        with RawServer(serve, authority.server) as poe:
            body = begin(adapters(ca_bundle=authority.bundle), poe.url)
            sent.wait(5)
            time.sleep(0.05)
            pieces = [next(body)]
            while len(b"".join(pieces)) < 20:
                pieces.append(next(body))
            body.close()
        assert b"".join(pieces) == b"".join(b"%02d" % number for number in range(10))
        assert len(pieces) <= 2

    def test_silence_ticks_and_the_connection_is_used_again(
        self, adapters: Callable[..., PoeAdapter], authority: Authority
    ) -> None:
        def serve(peer: Peer) -> None:
            while peer.request():
                peer.send(CHUNKED)
                time.sleep(0.25)
                peer.send(b"5\r\nhello\r\n0\r\n\r\n")

        with RawServer(serve, authority.server) as poe:
            adapter = adapters(ca_bundle=authority.bundle, tick=0.05)
            for _ in range(3):
                assert ticks_and_hello(begin(adapter, poe.url))
            assert poe.connections == 1

    def test_an_authority_that_nobody_knows_is_refused(self, adapter: PoeAdapter, authority: Authority) -> None:
        with RawServer(repeating(HELLO), authority.server) as poe:
            error = failure_of(adapter, poe.url)

        assert error.kind is ErrorKind.UPSTREAM_UNREACHABLE
        assert "certificate" in error.message

    def test_a_certificate_for_another_host_is_refused(
        self, adapters: Callable[..., PoeAdapter], authority: Authority
    ) -> None:
        with RawServer(repeating(HELLO), authority.server) as poe, RawServer(socks5_proxy([])) as proxy:
            adapter = adapters(ca_bundle=authority.bundle, proxy=f"socks5h://127.0.0.1:{proxy.port}")
            error = failure_of(adapter, f"https://other.test:{poe.port}/")

        assert error.kind is ErrorKind.UPSTREAM_UNREACHABLE
        assert "certificate" in error.message

    def test_a_server_without_tls_is_told(self, adapters: Callable[..., PoeAdapter], authority: Authority) -> None:
        with RawServer(lambda peer: peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as poe:
            error = failure_of(adapters(ca_bundle=authority.bundle), f"https://127.0.0.1:{poe.port}/")

        assert error.kind is ErrorKind.UPSTREAM_UNREACHABLE
        assert "TLS" in error.message

    def test_an_end_within_the_body_is_a_cut_off(
        self, adapters: Callable[..., PoeAdapter], authority: Authority
    ) -> None:
        def serve(peer: Peer) -> None:
            peer.request()
            peer.send(CHUNKED + b"5\r\nhel")

        with RawServer(serve, authority.server) as poe:
            error = failure_of(adapters(ca_bundle=authority.bundle), poe.url)

        assert error.kind is ErrorKind.UPSTREAM_CUT_OFF

    def test_a_bundle_that_is_not_there_is_told(self, adapters: Callable[..., PoeAdapter], tmp_path: Path) -> None:
        error = failure_of(adapters(ca_bundle=str(tmp_path / "none.pem")), "https://127.0.0.1:1/")

        assert error.kind is ErrorKind.UPSTREAM_UNREACHABLE


class TestProxies:
    @pytest.mark.parametrize("credentials", [None, "me:s3cr3t@/ü"])
    def test_a_tunnel_for_https(
        self, adapters: Callable[..., PoeAdapter], authority: Authority, credentials: str | None
    ) -> None:
        heads: list[bytes] = []
        user = "" if credentials is None else "me:s3cr3t%40%2F%C3%BC@"
        with (
            RawServer(repeating(HELLO), authority.server) as poe,
            RawServer(tunnel_proxy(heads, credentials)) as proxy,
        ):
            adapter = adapters(ca_bundle=authority.bundle, proxy=f"http://{user}127.0.0.1:{proxy.port}")
            url = f"https://poe.test:{poe.port}/bot/x"
            assert [answer_of(adapter, url) for _ in range(2)] == [b"hello"] * 2
            assert (poe.connections, proxy.connections) == (1, 1)
        assert heads[0].startswith(f"CONNECT poe.test:{poe.port} HTTP/1.".encode())

    def test_a_tunnel_through_a_proxy_that_speaks_tls(
        self, adapters: Callable[..., PoeAdapter], authority: Authority
    ) -> None:
        heads: list[bytes] = []

        def serve(peer: Peer) -> None:
            while peer.request():
                peer.send(CHUNKED)
                time.sleep(0.25)
                peer.send(b"5\r\nhello\r\n0\r\n\r\n")

        with (
            RawServer(serve, authority.server) as poe,
            RawServer(tunnel_proxy(heads, "me:s3cr3t"), authority.server) as proxy,
        ):
            adapter = adapters(ca_bundle=authority.bundle, tick=0.05, proxy=f"https://me:s3cr3t@127.0.0.1:{proxy.port}")
            for _ in range(2):
                assert ticks_and_hello(begin(adapter, f"https://poe.test:{poe.port}/"))
            assert (poe.connections, proxy.connections) == (1, 1)

    def test_credentials_that_the_proxy_refuses_are_told_and_not_shown(
        self, adapters: Callable[..., PoeAdapter], authority: Authority
    ) -> None:
        with RawServer(tunnel_proxy([], "me:other")) as proxy:
            adapter = adapters(ca_bundle=authority.bundle, proxy=f"http://me:s3cr3t@127.0.0.1:{proxy.port}")
            error = failure_of(adapter, "https://poe.test/")

        assert error.kind is ErrorKind.UPSTREAM_UNREACHABLE
        assert "407" in error.message
        assert "s3cr3t" not in str(error.__dict__)

    @pytest.mark.parametrize("secure", [False, True])
    def test_http_is_asked_of_the_proxy_by_its_whole_address(
        self, adapters: Callable[..., PoeAdapter], authority: Authority, secure: bool
    ) -> None:
        seen: list[bytes] = []

        def serve(peer: Peer) -> None:
            while request := peer.request():
                seen.append(request)
                peer.send(HELLO)

        with RawServer(serve, authority.server if secure else None) as proxy:
            scheme = "https" if secure else "http"
            adapter = adapters(ca_bundle=authority.bundle, proxy=f"{scheme}://me:s3cr3t@127.0.0.1:{proxy.port}")
            assert [answer_of(adapter, "http://poe.test:81/bot/x") for _ in range(2)] == [b"hello"] * 2
            assert proxy.connections == 1
        assert seen[0].startswith(b"POST http://poe.test:81/bot/x HTTP/1.1\r\nHost: poe.test:81\r\n")
        assert b"\r\nProxy-Authorization: Basic bWU6czNjcjN0\r\n" in seen[0]

    @pytest.mark.parametrize("way", [("socks5", "localhost", "127.0.0.1"), ("socks5h", "poe.test", "poe.test")])
    @pytest.mark.parametrize("secure", [False, True])
    def test_socks(
        self, adapters: Callable[..., PoeAdapter], authority: Authority, way: tuple[str, str, str], secure: bool
    ) -> None:
        seen: list[str] = []
        scheme, host, asked = way

        def serve(peer: Peer) -> None:
            while peer.request():
                peer.send(CHUNKED)
                time.sleep(0.25)
                peer.send(b"5\r\nhello\r\n0\r\n\r\n")

        with (
            RawServer(serve, authority.server if secure else None) as poe,
            RawServer(socks5_proxy(seen, ("me", "s3cr3t"))) as proxy,
        ):
            adapter = adapters(
                ca_bundle=authority.bundle, tick=0.05, proxy=f"{scheme}://me:s3cr3t@127.0.0.1:{proxy.port}"
            )
            url = f"{'https' if secure else 'http'}://{host}:{poe.port}/"
            assert all(ticks_and_hello(begin(adapter, url)) for _ in range(2))
            assert poe.connections == 1
        assert seen == [asked]

    def test_a_socks_proxy_that_refuses_is_told_and_no_secret_shown(self, adapters: Callable[..., PoeAdapter]) -> None:
        with RawServer(socks5_proxy([], ("me", "other"))) as proxy:
            adapter = adapters(proxy=f"socks5h://me:s3cr3t@127.0.0.1:{proxy.port}")
            error = failure_of(adapter, "http://poe.test/")

        assert error.kind is ErrorKind.UPSTREAM_UNREACHABLE
        assert "authentication" in error.message.lower()
        assert "s3cr3t" not in str(error.__dict__)

    @pytest.mark.parametrize("scheme", ["http", "https", "socks4", "socks5", "socks5h"])
    def test_a_proxy_that_is_not_there_is_told(self, adapters: Callable[..., PoeAdapter], scheme: str) -> None:
        port = dead_port()
        for url in ("http://127.0.0.1:9/", "https://127.0.0.1:9/"):
            error = failure_of(adapters(proxy=f"{scheme}://me:s3cr3t@127.0.0.1:{port}"), url)

            assert error.kind is ErrorKind.UPSTREAM_UNREACHABLE
            assert error.message.startswith("The proxy ")
            assert "s3cr3t" not in error.message

    @pytest.mark.parametrize("scheme", ["http", "https", "socks4", "socks5", "socks5h"])
    def test_where_a_proxy_is_stands_once_in_the_log_and_in_no_message(
        self, adapters: Callable[..., PoeAdapter], caplog: pytest.LogCaptureFixture, scheme: str
    ) -> None:
        port = dead_port()
        adapter = adapters(proxy=f"{scheme}://me:s3cr3t@localhost:{port}")
        for _ in range(3):
            message = failure_of(adapter, "https://127.0.0.1:9/").message
            assert "localhost" not in message
            assert str(port) not in message
            assert "set PROXY" not in message

        assert [record.levelname for record in caplog.records if record.name == transport.__name__] == ["WARNING"]
        assert f"localhost:{port}" in caplog.text
        assert "s3cr3t" not in caplog.text

    def test_a_proxy_that_fails_anew_is_in_the_log_anew(
        self, adapters: Callable[..., PoeAdapter], caplog: pytest.LogCaptureFixture
    ) -> None:
        port = dead_port()
        adapter = adapters(proxy=f"http://127.0.0.1:{port}", idle_timeout=0.2)
        url = "http://poe.test/"
        for _ in range(2):
            assert failure_of(adapter, url).kind is ErrorKind.UPSTREAM_UNREACHABLE
        with socket.create_server(("127.0.0.1", port)):
            assert failure_of(adapter, url).kind is ErrorKind.UPSTREAM_TIMEOUT
        assert failure_of(adapter, url).kind is ErrorKind.UPSTREAM_UNREACHABLE

        assert len([record for record in caplog.records if record.name == transport.__name__]) == 2

    def test_a_text_of_the_libraries_loses_the_proxys_name_alone(self) -> None:
        proxy = Proxy("socks5://proxy:1080")

        said = "SOCKS5 proxy proxy:1080 at ('Proxy', 1080) is a proxy"
        assert proxy.unnamed(said) == "SOCKS5 proxy *** at ('***', 1080) is a proxy"
        assert Proxy("http://[::1]:81").unnamed("[::1]:81, ::1:81") == "***, ***"

    def test_a_socks_proxy_without_pysocks_is_told(
        self, adapters: Callable[..., PoeAdapter], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "urllib3.contrib.socks", None)
        error = failure_of(adapters(proxy="socks5://127.0.0.1:1"), "http://poe.test/")

        assert error.kind is ErrorKind.UPSTREAM_UNREACHABLE
        assert "PySocks" in error.message

    @pytest.mark.parametrize("address", ["ftp://me:s3cr3t@host:1", "http://", "http://me:s3cr3t@host:port", "://"])
    def test_an_address_of_no_proxy_is_refused_without_being_shown(self, address: str) -> None:
        with pytest.raises(ValueError, match="proxy") as caught:
            PoeAdapter(proxy=address)

        assert "s3cr3t" not in str(caught.value)

    def test_an_address_without_scheme_is_an_http_proxy(self) -> None:
        proxy = Proxy("proxy.test:3128")

        assert (proxy.scheme, proxy.host, proxy.port, proxy.headers) == ("http", "proxy.test", 3128, {})

    def test_no_proxy_of_the_environment_is_used(self, adapter: PoeAdapter, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{dead_port()}")
        monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{dead_port()}")
        with RawServer(repeating(HELLO)) as poe:
            assert answer_of(adapter, poe.url) == b"hello"
