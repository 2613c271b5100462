"""Calls to Poe over real sockets: what goes out and what comes back."""

import contextlib
import gzip
import threading
import time
from collections.abc import Callable
from functools import partial

import pytest

from poe2openai import __version__
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.poe import client as client_module
from poe2openai.poe.client import PoeClient
from tests.support.raw_server import Peer, RawServer, Recorder, answer, repeating

MakeClient = Callable[..., PoeClient]
KEY = "pk-0123456789"
STREAM = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n0\r\n\r\n"
)


class TestQuery:
    def test_is_posted_as_poe_wants_it(self, make_client: MakeClient) -> None:
        seen = Recorder(STREAM)
        with RawServer(seen) as poe:
            assert b"".join(make_client(f"{poe.url}/").query("GPT-4o", b'{"query":[]}', KEY)) == b"hello"

        lines = seen.requests[0].split(b"\r\n")
        assert lines[0] == b"POST /bot/GPT-4o HTTP/1.1"
        assert set(lines[1:-2]) == {
            f"Host: 127.0.0.1:{poe.port}".encode(),
            f"Authorization: Bearer {KEY}".encode(),
            f"User-Agent: poe2openai/{__version__}".encode(),
            b"Accept: text/event-stream",
            b"Accept-Encoding: identity",
            b"Content-Type: application/json",
            b"Content-Length: 12",
            b"Connection: keep-alive",
        }
        assert lines[-1] == b'{"query":[]}'

    def test_each_goes_out_with_its_own_key_and_nothing_of_another(self, make_client: MakeClient) -> None:
        seen = Recorder(STREAM.replace(b"\r\nTransfer", b"\r\nSet-Cookie: who=first; Path=/\r\nTransfer"))
        with RawServer(seen) as poe:
            client = make_client(poe.url)
            for name, key in (("one", "key-1"), ("two", "key-2")):
                b"".join(client.query(name, name.encode(), key))
            assert poe.connections == 1

        assert [b"Bearer key-1" in request for request in seen.requests] == [True, False]
        assert [b"Bearer key-2" in request for request in seen.requests] == [False, True]
        assert not any(b"ookie" in request for request in seen.requests)

    def test_a_path_of_the_base_address_is_kept(self, make_client: MakeClient) -> None:
        seen = Recorder(STREAM)
        with RawServer(seen) as poe:
            make_client(f"{poe.url}/mirror/poe/").query("x", b"{}", KEY).close()

        assert seen.requests[0].startswith(b"POST /mirror/poe/bot/x HTTP/1.1\r\n")

    @pytest.mark.parametrize(
        ("bot", "segment"),
        [
            ("Claude Sonnet 4.5", b"Claude%20Sonnet%204.5"),
            ("智能助手", b"%E6%99%BA%E8%83%BD%E5%8A%A9%E6%89%8B"),
            ("a?b#c&d", b"a%3Fb%23c%26d"),
            ("100%", b"100%25"),
            ("...", b"..."),
        ],
    )
    def test_the_bots_name_is_one_segment_of_the_path(self, make_client: MakeClient, bot: str, segment: bytes) -> None:
        seen = Recorder(STREAM)
        with RawServer(seen) as poe:
            make_client(poe.url).query(bot, b"{}", KEY).close()

        assert seen.requests[0].startswith(b"POST /bot/" + segment + b" HTTP/1.1\r\n")

    @pytest.mark.parametrize(
        "bot",
        [
            "",
            " ",
            ".",
            "..",
            " .. ",
            "%2e%2E",
            "a/b",
            "../v1/models",
            "..%2Fv1",
            "a\\b",
            "a\r\nb",
            "a\0b",
            "\ud800",
            "x" * 300,
        ],
    )
    def test_a_name_that_could_reach_another_path_never_reaches_poe(self, make_client: MakeClient, bot: str) -> None:
        with RawServer(repeating(STREAM)) as poe:
            with pytest.raises(GatewayError) as caught:
                make_client(poe.url).query(bot, b"{}", KEY)
            assert poe.connections == 0
        assert caught.value.kind is ErrorKind.MODEL_NOT_FOUND

    @pytest.mark.parametrize("key", ["", "a b", "a\r\nX-Evil: 1", "a\n", "密钥", "clé", "a\0", "k" * 5000])
    def test_a_key_that_is_none_never_reaches_poe(self, make_client: MakeClient, key: str) -> None:
        with RawServer(repeating(STREAM)) as poe:
            client = make_client(poe.url)
            for call in (partial(client.query, "x", b"{}"), client.models, client.balance):
                with pytest.raises(GatewayError) as caught:
                    call(key)
                assert caught.value.kind is ErrorKind.AUTHENTICATION
                assert not key or key not in caught.value.message
            assert poe.connections == 0

    @pytest.mark.parametrize(
        "address", ["", "api.poe.com", "ftp://x", "http://", "http://me:pw@host", "http://host?x=1", "http://host#x"]
    )
    def test_an_address_that_is_none_is_refused_at_once(self, address: str) -> None:
        with pytest.raises(ValueError, match="address") as caught:
            PoeClient(address)
        assert "pw" not in str(caught.value)

    def test_silence_ticks(self, make_client: MakeClient) -> None:
        head, _, body = STREAM.partition(b"5\r\n")

        def serve(peer: Peer) -> None:
            peer.request()
            peer.send(head)
            time.sleep(0.3)
            peer.send(b"5\r\n" + body)

        with RawServer(serve) as poe:
            pieces = list(make_client(poe.url, tick=0.05).query("x", b"{}", KEY))

        assert pieces[0] == b""
        assert b"".join(pieces) == b"hello"

    def test_a_type_that_is_not_given_may_be_a_stream(self, make_client: MakeClient) -> None:
        with RawServer(repeating(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")) as poe:
            assert b"".join(make_client(poe.url).query("x", b"{}", KEY)) == b"hello"


class TestJson:
    def test_models(self, make_client: MakeClient) -> None:
        seen = Recorder(answer(b'{"object":"list","data":[{"id":"gpt-4o"},{"id":"claude"}]}'))
        with RawServer(seen) as poe:
            client = make_client(poe.url)
            assert client.models() == [{"id": "gpt-4o"}, {"id": "claude"}]
            assert client.models(KEY) == [{"id": "gpt-4o"}, {"id": "claude"}]
            assert poe.connections == 1

        assert seen.requests[0].startswith(b"GET /v1/models HTTP/1.1\r\n")
        assert b"Accept: application/json\r\n" in seen.requests[0]
        assert [b"Authorization" in request for request in seen.requests] == [False, True]

    def test_balance(self, make_client: MakeClient) -> None:
        seen = Recorder(answer(b'{"current_point_balance": 295932027}'))
        with RawServer(seen) as poe:
            assert make_client(poe.url).balance(KEY) == {"current_point_balance": 295932027}

        assert seen.requests[0].startswith(b"GET /usage/current_balance HTTP/1.1\r\n")
        assert f"Authorization: Bearer {KEY}\r\n".encode() in seen.requests[0]

    @pytest.mark.parametrize(
        ("said", "kind"),
        [
            (answer(b"<html>", "text/html"), ErrorKind.UPSTREAM_INVALID),
            (answer(b'{"data": 5}'), ErrorKind.UPSTREAM_INVALID),
            (answer(b'{"data": ["gpt-4o"]}'), ErrorKind.UPSTREAM_INVALID),
            (answer(b'"models"'), ErrorKind.UPSTREAM_INVALID),
            (answer(b"{}", status="302 Found", Location="/x"), ErrorKind.UPSTREAM_INVALID),
            (answer(b"{}", status="404 Not Found"), ErrorKind.UPSTREAM_INVALID),
            (answer(gzip.compress(b"{}"), Content_Encoding="gzip"), ErrorKind.UPSTREAM_INVALID),
            (answer(b"{}", status="401 Unauthorized"), ErrorKind.AUTHENTICATION),
            (answer(b"{}", status="503 Busy"), ErrorKind.OVERLOADED),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}", ErrorKind.UPSTREAM_CUT_OFF),
        ],
    )
    def test_what_is_no_model_list_is_an_error(self, make_client: MakeClient, said: bytes, kind: ErrorKind) -> None:
        def serve(peer: Peer) -> None:
            peer.request()
            peer.send(said)

        with RawServer(serve) as poe, pytest.raises(GatewayError) as caught:
            make_client(poe.url).models()

        assert caught.value.kind is kind

    def test_what_is_no_balance_is_an_error(self, make_client: MakeClient) -> None:
        with RawServer(repeating(answer(b"[]"))) as poe, pytest.raises(GatewayError) as caught:
            make_client(poe.url).balance(KEY)

        assert caught.value.kind is ErrorKind.UPSTREAM_INVALID

    def test_an_answer_has_a_size_limit(self, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(client_module, "MAX_JSON", 1000)
        said = answer(b'{"data":[' + b" " * 1000 + b"]}")
        with RawServer(repeating(said)) as poe, pytest.raises(GatewayError, match="too large") as caught:
            make_client(poe.url).models()

        assert caught.value.kind is ErrorKind.UPSTREAM_INVALID

    def test_an_answer_has_a_deadline(self, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(client_module, "JSON_SECONDS", 0.3)

        def serve(peer: Peer) -> None:
            peer.request()
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            for _ in range(100):
                peer.send(b" ")
                time.sleep(0.05)

        began = time.monotonic()
        with RawServer(serve) as poe, pytest.raises(GatewayError) as caught:
            make_client(poe.url).models()

        assert caught.value.kind is ErrorKind.UPSTREAM_TIMEOUT
        assert time.monotonic() - began < 3.0


class TestAnyAddress:
    def test_a_file_is_got_without_a_key(self, make_client: MakeClient) -> None:
        seen = Recorder(answer(b"bytes", "image/png", X_A="b"))
        with RawServer(seen) as elsewhere, RawServer(repeating(STREAM)) as poe:
            client = make_client(poe.url)
            body, status, headers = client.get(f"{elsewhere.url}/base/a.png?w=1", lambda: None)
            assert b"".join(body) == b"bytes"
            assert poe.connections == 0

        assert (status, headers["content-type"], headers["X-A"]) == (200, "image/png", "b")
        head = seen.requests[0]
        assert head.startswith(b"GET /base/a.png?w=1 HTTP/1.1\r\n")
        assert b"Accept: */*\r\n" in head
        assert b"Authorization" not in head

    def test_a_body_in_pieces_is_posted(self, make_client: MakeClient) -> None:
        seen = Recorder(answer(b'{"attachment_url": "x"}', status="201 Created"))
        with RawServer(seen) as elsewhere, RawServer(repeating(STREAM)) as poe:
            client = make_client(poe.url)
            pieces, headers = (b"one", b"two" * 100_000), {"Authorization": KEY, "Content-Type": "multipart/form-data"}
            body, status, _ = client.post(f"{elsewhere.url}/upload", headers, pieces, lambda: None, 5.0)
            assert (b"".join(body), status) == (b'{"attachment_url": "x"}', 201)

        head, _, sent = seen.requests[0].partition(b"\r\n\r\n")
        assert sent == b"one" + b"two" * 100_000
        assert head.startswith(b"POST /upload HTTP/1.1\r\n")
        assert {
            f"Authorization: {KEY}".encode(),
            b"Content-Type: multipart/form-data",
            b"Content-Length: 300003",
        } <= set(head.split(b"\r\n"))

    def test_one_call_leaves_nothing_for_the_next(self, make_client: MakeClient) -> None:
        seen = Recorder(answer(b'{"data":[]}'))
        with RawServer(seen) as poe:
            client = make_client(poe.url)
            b"".join(client.post(f"{poe.url}/up", {"Authorization": KEY, "X-A": "b"}, (b"x",), lambda: None, 5.0)[0])
            b"".join(client.get(f"{poe.url}/down", lambda: None)[0])
            client.models()

        assert [request.split(b" ")[0] for request in seen.requests] == [b"POST", b"GET", b"GET"]
        for request in seen.requests[1:]:
            assert b"Authorization" not in request
            assert b"X-A" not in request
            assert b"Content-Length" not in request
        assert b"Accept: application/json\r\n" in seen.requests[2]

    @pytest.mark.parametrize("status", ["302 Found", "404 Not Found", "500 Oops"])
    def test_whatever_is_answered_is_handed_on(self, make_client: MakeClient, status: str) -> None:
        said = answer(b"said", "text/plain", status=status, Location="http://127.0.0.1:1/")
        with RawServer(repeating(said)) as poe:
            client = make_client(poe.url)
            for body, code, _ in (
                client.get(poe.url, lambda: None),
                client.post(poe.url, {}, (b"x",), lambda: None, 5.0),
            ):
                assert (b"".join(body), code) == (b"said", int(status[:3]))

    def test_who_asks_is_told_of_silence_and_may_give_up(self, make_client: MakeClient) -> None:
        def give_up() -> None:
            raise KeyError("the client has left")

        def serve(peer: Peer) -> None:
            peer.request()
            peer.has_left()

        with RawServer(serve) as poe:
            client = make_client(poe.url, tick=0.05)
            with pytest.raises(KeyError):
                client.get(poe.url, give_up)
            with pytest.raises(KeyError):
                client.post(poe.url, {}, (b"x",), give_up, 5.0)

    def test_a_post_has_a_time_of_its_own(self, make_client: MakeClient) -> None:
        def serve(peer: Peer) -> None:
            peer.request()
            peer.has_left()

        began = time.monotonic()
        with RawServer(serve) as poe, pytest.raises(GatewayError) as caught:
            make_client(poe.url, tick=0.05).post(poe.url, {}, (b"x",), lambda: None, 0.3)

        assert caught.value.kind is ErrorKind.UPSTREAM_TIMEOUT
        assert time.monotonic() - began < 3.0


class TestLastContact:
    def test_is_none_before_the_first_call(self, make_client: MakeClient) -> None:
        assert make_client("http://127.0.0.1:1").last_contact is None

    @pytest.mark.parametrize(("status", "ok"), [("200 OK", True), ("401 Unauthorized", True), ("502 Oops", False)])
    def test_tells_when_and_how_poe_was_found(self, make_client: MakeClient, status: str, ok: bool) -> None:
        with RawServer(repeating(answer(b'{"data":[]}', status=status))) as poe:
            client = make_client(poe.url)
            with contextlib.suppress(GatewayError):
                client.models()

        assert client.last_contact is not None
        assert client.last_contact.ok is ok
        assert abs(client.last_contact.when - time.time()) < 10


def test_many_threads_share_one_client(make_client: MakeClient) -> None:
    bots = [f"bot-{number}" for number in range(16)]
    seen = Recorder(STREAM)
    with RawServer(seen) as poe:
        client = make_client(poe.url)

        def ask(bot: str) -> None:
            for _ in range(5):
                assert b"".join(client.query(bot, bot.encode(), bot)) == b"hello"

        threads = [threading.Thread(target=ask, args=(bot,)) for bot in bots]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert poe.connections <= 16

    assert len(seen.requests) == 80
    for request in seen.requests:
        bot = request.split(b" ")[1].removeprefix(b"/bot/")
        assert b"Authorization: Bearer " + bot + b"\r\n" in request
        assert request.endswith(b"\r\n\r\n" + bot)
