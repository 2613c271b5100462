"""What goes wrong with a query, and what it is called."""

import gzip
import socket
from collections.abc import Callable

import pytest

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.poe import client as client_module
from poe2openai.poe.client import PoeClient
from poe2openai.poe.errors import REFUSED_KEY
from tests.support.raw_server import Peer, RawServer, answer, repeating

MakeClient = Callable[..., PoeClient]
KEY = "pk-0123456789"
STREAM = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n0\r\n\r\n"
)


def query_failure(make_client: MakeClient, said: bytes, key: str = KEY) -> GatewayError:
    """What a query raises when this is Poe's answer."""
    with RawServer(repeating(said)) as poe, pytest.raises(GatewayError) as caught:
        make_client(poe.url).query("GPT-4o", b"{}", key)
    return caught.value


class TestFailures:
    @pytest.mark.parametrize(
        ("status", "body", "kind", "message"),
        [
            (
                "401 Unauthorized",
                b'{"error":{"message":"Bad token"}}',
                ErrorKind.AUTHENTICATION,
                f"{REFUSED_KEY}Bad token",
            ),
            ("402 Payment Required", b'{"error":{"message":"Pay"}}', ErrorKind.INSUFFICIENT_QUOTA, "Pay"),
            ("404 Not Found", b'{"error":{"message":"No bot"}}', ErrorKind.MODEL_NOT_FOUND, "No bot"),
            ("500 Oops", b"", ErrorKind.UPSTREAM_INTERNAL, "Poe answered with HTTP status 500."),
            ("529 Busy", b"{}", ErrorKind.OVERLOADED, "{}"),
        ],
    )
    def test_a_status_keeps_its_meaning(
        self, make_client: MakeClient, status: str, body: bytes, kind: ErrorKind, message: str
    ) -> None:
        error = query_failure(make_client, answer(body, status=status))

        assert (error.kind, error.message, error.upstream_status) == (kind, message, int(status[:3]))

    def test_retry_after_is_handed_on(self, make_client: MakeClient) -> None:
        error = query_failure(make_client, answer(b"{}", status="429 Too Many Requests", Retry_After="7"))

        assert (error.kind, error.retry_after) == (ErrorKind.RATE_LIMIT, 7.0)

    def test_the_connection_serves_the_next_after_an_error(self, make_client: MakeClient) -> None:
        with RawServer(repeating(answer(b'{"error":{"message":"no"}}', status="400 Bad Request"))) as poe:
            client = make_client(poe.url)
            for _ in range(3):
                with pytest.raises(GatewayError):
                    client.query("x", b"{}", KEY)
            assert poe.connections == 1

    @pytest.mark.parametrize("code", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
    def test_a_redirect_is_not_followed(self, make_client: MakeClient, code: str) -> None:
        with RawServer(repeating(STREAM)) as other:
            error = query_failure(make_client, answer(b"", status=code, Location=f"{other.url}/bot/x"))
            assert other.connections == 0

        assert error.kind is ErrorKind.UPSTREAM_INVALID
        assert "redirect" in error.message

    def test_a_web_page_is_told_as_one(self, make_client: MakeClient) -> None:
        error = query_failure(make_client, answer(b"<html>Log in</html>", "text/html; charset=utf-8"))

        assert error.kind is ErrorKind.UPSTREAM_INVALID
        assert "web page" in error.message
        assert "Log in" not in error.message

    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            (b'{"error":{"code":429,"message":"rate limit"}}', ErrorKind.RATE_LIMIT),
            (b'{"error":{"type":"insufficient_credits","message":"no"}}', ErrorKind.INSUFFICIENT_QUOTA),
            (b'{"error":"Bot does not exist"}', ErrorKind.MODEL_NOT_FOUND),
            (b'{"ok":true}', ErrorKind.UPSTREAM_INVALID),
            (b"{", ErrorKind.UPSTREAM_INVALID),
        ],
    )
    def test_json_in_place_of_a_stream(self, make_client: MakeClient, body: bytes, kind: ErrorKind) -> None:
        assert query_failure(make_client, answer(body)).kind is kind

    def test_another_good_status_is_no_stream(self, make_client: MakeClient) -> None:
        assert query_failure(make_client, b"HTTP/1.1 204 No Content\r\n\r\n").kind is ErrorKind.UPSTREAM_INVALID

    def test_a_compressed_stream_is_refused(self, make_client: MakeClient) -> None:
        bomb = answer(gzip.compress(b"\0" * 1_000_000), "text/event-stream", Content_Encoding="gzip")

        assert query_failure(make_client, bomb).kind is ErrorKind.UPSTREAM_INVALID

    def test_a_compressed_error_keeps_its_status(self, make_client: MakeClient) -> None:
        said = answer(gzip.compress(b"no"), status="503 Busy", Content_Encoding="gzip")

        assert query_failure(make_client, said).message == "Poe answered with HTTP status 503."

    def test_a_key_that_poe_repeats_is_not_shown(self, make_client: MakeClient) -> None:
        said = answer(b'{"error":{"message":"Invalid token pk-0123456789"}}', status="401 Unauthorized")

        assert query_failure(make_client, said).message == f"{REFUSED_KEY}Invalid token ***"

    def test_of_an_endless_error_only_the_beginning_is_read(self, make_client: MakeClient) -> None:
        def serve(peer: Peer) -> None:
            peer.request()
            peer.send(b"HTTP/1.1 500 Oops\r\n\r\n")
            for _ in range(100_000):
                peer.send(b"x" * 1000)

        with RawServer(serve) as poe, pytest.raises(GatewayError) as caught:
            make_client(poe.url).query("x", b"{}", KEY)

        assert caught.value.kind is ErrorKind.UPSTREAM_INTERNAL
        assert len(caught.value.message) <= 2000

    def test_an_error_whose_body_does_not_come_is_told_by_its_status(
        self, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(client_module, "ERROR_BODY_SECONDS", 0.2)

        def serve(peer: Peer) -> None:
            peer.request()
            peer.send(b"HTTP/1.1 429 Slow\r\nContent-Length: 10\r\nRetry-After: 2\r\n\r\n")
            peer.has_left()

        with RawServer(serve) as poe, pytest.raises(GatewayError) as caught:
            make_client(poe.url).query("x", b"{}", KEY)

        assert (caught.value.kind, caught.value.retry_after) == (ErrorKind.RATE_LIMIT, 2.0)

    def test_nobody_there(self, make_client: MakeClient) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        client = make_client(f"http://127.0.0.1:{port}")

        with pytest.raises(GatewayError) as caught:
            client.query("x", b"{}", KEY)

        assert caught.value.kind is ErrorKind.UPSTREAM_UNREACHABLE
        assert client.last_contact is not None
        assert not client.last_contact.ok

    def test_a_request_that_its_owner_stops_says_nothing_of_poe(self, make_client: MakeClient) -> None:
        def stop() -> None:
            raise GatewayError(ErrorKind.STOPPED, "The gateway's owner stopped this request.")

        with socket.create_server(("127.0.0.1", 0)) as listener:
            client = make_client(f"http://127.0.0.1:{listener.getsockname()[1]}")
            with pytest.raises(GatewayError) as caught:
                client.query("x", b"{}", KEY, stop)

        assert caught.value.kind is ErrorKind.STOPPED
        assert client.last_contact is None
