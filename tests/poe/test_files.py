"""Uploads and downloads on the wire: what goes out, what answers mean, and which addresses are Poe's."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from poe2openai.core.content import PIECE, content_of
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.poe.client import PoeClient
from poe2openai.poe.files import Attachment, PoeFiles, clean_name, name_in
from tests.support import sample_files
from tests.support.poe_script import (
    Head,
    Step,
    cut,
    error_reply,
    head,
    hold,
    html_reply,
    json_reply,
    pause,
    reply,
    reset,
)
from tests.support.scripted_poe import ScriptedPoe

KEY = "secret-key-0123456789"
URL = "https://pfst.cf2.poecdn.net/base/text/0123"


def nothing() -> None:
    pass


class NobodyWaits(BaseException):
    pass


@pytest.fixture
def files(poe: ScriptedPoe) -> Iterator[PoeFiles]:
    client = PoeClient(poe.url, connect_timeout=2.0, idle_timeout=2.0, tick=0.05)
    yield PoeFiles(client, f"{poe.url}/upload")
    client.close()


def upload(
    files: PoeFiles,
    data: bytes = b"hello",
    name: str = "a.txt",
    media_type: str = "text/plain",
    on_silence: Callable[[], None] = nothing,
) -> Attachment:
    return files.upload(content_of(data), name, media_type, KEY, on_silence)


def failure(act: Callable[[], Any]) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        act()
    assert KEY not in caught.value.message
    return caught.value


class TestUpload:
    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"x",
            bytes(range(256)) * 300,
            b"\r\n--poe2openai-0123--\r\n" * 3,
            b"a" * (3 * PIECE + 1),
            sample_files.png(),
        ],
    )
    def test_the_bytes_arrive_as_they_are(self, poe: ScriptedPoe, files: PoeFiles, data: bytes) -> None:
        made = upload(files, data)
        (sent,) = poe.uploads
        assert (sent.name, sent.media_type, sent.data) == ("a.txt", "text/plain", data)
        assert made == Attachment(sent.url, "text/plain", "a.txt", len(data))
        assert sent.request.header("content-length") == str(len(sent.request.body))

    @pytest.mark.parametrize("name", ['say "hi".txt', "漢字 é.txt", "a;b=c.txt", "back\\slash.txt", "100%.txt"])
    def test_a_name_arrives_as_it_is(self, poe: ScriptedPoe, files: PoeFiles, name: str) -> None:
        assert upload(files, name=name).name == name
        assert poe.uploads[0].name == name

    def test_a_name_cannot_break_out_of_its_header(self, poe: ScriptedPoe, files: PoeFiles) -> None:
        upload(files, name="a\r\nContent-Type: text/html\r\n\r\nx\0.txt")
        assert poe.uploads[0].media_type == "text/plain"
        assert poe.uploads[0].name == "a_Content-Type: text/html_x_.txt"

    def test_each_form_has_a_boundary_of_its_own(self, poe: ScriptedPoe, files: PoeFiles) -> None:
        upload(files)
        upload(files)
        one, other = (each.request.header("content-type") for each in poe.uploads)
        assert one != other

    def test_an_address_is_handed_over(self, poe: ScriptedPoe, files: PoeFiles) -> None:
        address = "https://example.com/a b.png?x=1&y=é#z"
        made = files.upload_from(address, "cat & dog.png", "image/png", KEY, nothing)
        (sent,) = poe.uploads
        assert (sent.download_url, sent.download_filename) == (address, "cat & dog.png")
        assert (made.url, made.media_type, made.name, made.size) == (sent.url, "image/png", "cat & dog.png", None)

    def test_an_address_without_a_name_has_the_one_at_its_end(self, poe: ScriptedPoe, files: PoeFiles) -> None:
        assert files.upload_from("https://example.com/a%20b.png?x", None, "image/png", KEY, nothing).name == "a b.png"
        assert poe.uploads[0].download_filename is None

    def test_what_poe_says_of_a_file_counts(self, poe: ScriptedPoe, files: PoeFiles) -> None:
        poe.route("POST /upload", json_reply(200, {"attachment_url": URL, "mime_type": "text/x-poe", "size": 7}))
        assert files.upload_from("https://e.com/x", None, "image/png", KEY, nothing) == Attachment(
            URL, "text/x-poe", "x", 7
        )
        poe.reset()
        poe.route("POST /upload", json_reply(200, {"attachment_url": URL, "mime_type": None, "size": -1}))
        assert upload(files) == Attachment(URL, "text/plain", "a.txt", 5)

    def test_the_bare_key_is_tried_first_and_as_bearer_where_it_is_refused(
        self, poe: ScriptedPoe, files: PoeFiles
    ) -> None:
        poe.route("POST /upload", error_reply(401, "Missing API key"))
        poe.route_by("POST /upload", poe.take_upload)
        upload(files)
        assert [request.header("authorization") for request in poe.requests] == [KEY, f"Bearer {KEY}"]
        assert poe.uploads[0].data == b"hello"

    def test_a_key_that_is_refused_both_ways_is(self, poe: ScriptedPoe, files: PoeFiles) -> None:
        poe.route("POST /upload", error_reply(401, f"Invalid key {KEY}"))
        assert failure(lambda: upload(files)).kind is ErrorKind.AUTHENTICATION
        assert len(poe.requests) == 2


class TestRefusals:
    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (400, ErrorKind.INVALID_REQUEST),
            (402, ErrorKind.INSUFFICIENT_QUOTA),
            (403, ErrorKind.PERMISSION),
            (404, ErrorKind.UPSTREAM_INVALID),
            (413, ErrorKind.TOO_LARGE),
            (429, ErrorKind.RATE_LIMIT),
            (500, ErrorKind.UPSTREAM_INTERNAL),
            (502, ErrorKind.UPSTREAM_ERROR),
            (503, ErrorKind.OVERLOADED),
            (301, ErrorKind.UPSTREAM_INVALID),
            (204, ErrorKind.UPSTREAM_INVALID),
        ],
    )
    def test_each_status_has_its_kind(self, poe: ScriptedPoe, files: PoeFiles, status: int, kind: ErrorKind) -> None:
        poe.route("POST /upload", head(status, {"Content-Type": "application/json"}, "length"))
        error = failure(lambda: upload(files))
        assert (error.kind, error.upstream_status) == (kind, status)

    @pytest.mark.parametrize(
        "steps",
        [
            html_reply(),
            reply(200, b"{", "application/json"),
            reply(200, b"[]", "application/json"),
            reply(200, b"", "application/json"),
            json_reply(200, {"attachment_url": 7}),
            json_reply(200, {"url": URL}),
        ],
    )
    def test_an_answer_that_is_none_names_the_setting(
        self, poe: ScriptedPoe, files: PoeFiles, steps: list[Step]
    ) -> None:
        poe.route("POST /upload", steps)
        error = failure(lambda: upload(files))
        assert error.kind is ErrorKind.UPSTREAM_INVALID
        assert "POE_FILE_UPLOAD_URL" in error.message

    @pytest.mark.parametrize("steps", [[cut()], [reset()], [Head(200, {}, "length", 50), b"{", cut()]])
    def test_a_connection_that_ends_without_an_answer(
        self, poe: ScriptedPoe, files: PoeFiles, steps: list[Step]
    ) -> None:
        poe.route("POST /upload", steps)
        error = failure(lambda: upload(files))
        assert (error.kind, error.upstream_status) == (ErrorKind.UPSTREAM_CUT_OFF, None)

    def test_an_answer_cut_off_in_the_middle(self, poe: ScriptedPoe, files: PoeFiles) -> None:
        poe.route("POST /upload", head(200, {"Content-Type": "application/json"}), b'{"attachment_url": "', cut())
        assert failure(lambda: upload(files)).kind is ErrorKind.UPSTREAM_CUT_OFF

    def test_an_endless_answer_is_not_read_to_its_end(self, poe: ScriptedPoe, files: PoeFiles) -> None:
        poe.route("POST /upload", head(200, {}), *[b" " * 65536] * 20, hold())
        began = time.monotonic()
        assert failure(lambda: upload(files)).kind is ErrorKind.UPSTREAM_INVALID
        assert time.monotonic() - began < 3

    @pytest.mark.parametrize("size", [5, 5_000_000])
    @pytest.mark.parametrize("steps", [[hold(5), head(500, {}, "length")], [head(200, {}), b"{", hold(5)]])
    def test_whoever_waits_may_leave(self, poe: ScriptedPoe, files: PoeFiles, size: int, steps: list[Step]) -> None:
        poe.route("POST /upload", steps)

        def on_silence() -> None:
            if poe.requests:
                raise NobodyWaits

        with pytest.raises(NobodyWaits):
            upload(files, b"x" * size, on_silence=on_silence)
        assert poe.requests[0].hung_up_after(time.monotonic()) < 1.0

    def test_whoever_leaves_while_the_file_goes_out_ends_it(self, poe: ScriptedPoe, files: PoeFiles) -> None:
        calls = 0

        def on_silence() -> None:
            nonlocal calls
            calls += 1
            if calls == 3:
                raise NobodyWaits

        with pytest.raises(NobodyWaits):
            upload(files, b"x" * 30_000_000, on_silence=on_silence)
        assert not poe.requests, "half a file came as a whole one"

    def test_a_slow_answer_is_waited_for_longer_than_a_bots(self, poe: ScriptedPoe, files: PoeFiles) -> None:
        poe.upload_delay = 2.5
        assert upload(files).url == poe.uploads[0].url


class TestDownload:
    def test_it_comes_in_pieces_without_a_key(self, poe: ScriptedPoe, files: PoeFiles) -> None:
        data = bytes(range(256)) * 5000
        with files.download(poe.serve("é ü.bin", data, "application/x-test; charset=x")) as download:
            assert (download.media_type, download.size) == ("application/x-test", len(data))
            assert b"".join(download.pieces()) == data
        assert poe.requests[0].header("authorization") is None

    def test_one_that_is_not_there(self, poe: ScriptedPoe, files: PoeFiles) -> None:
        error = failure(lambda: files.download(f"{poe.url}/files/9/x.png"))
        assert (error.kind, error.upstream_status) == (ErrorKind.UPSTREAM_ERROR, 404)

    def test_one_that_breaks_off(self, poe: ScriptedPoe, files: PoeFiles) -> None:
        poe.route("GET /files/9/x.png", head(200, {"Content-Type": "image/png"}, "chunked"), b"abc", cut())
        with files.download(f"{poe.url}/files/9/x.png") as download:
            assert failure(lambda: list(download.pieces())).kind is ErrorKind.UPSTREAM_CUT_OFF

    def test_whoever_waits_may_leave(self, poe: ScriptedPoe, files: PoeFiles) -> None:
        def on_silence() -> None:
            raise NobodyWaits

        poe.route("GET /files/9/x.png", head(200, {}), b"abc", pause(0.5), hold())
        with files.download(f"{poe.url}/files/9/x.png", on_silence) as download, pytest.raises(NobodyWaits):
            list(download.pieces())
        assert poe.requests[0].hung_up_after(time.monotonic()) < 1.0


class TestAddresses:
    @pytest.mark.parametrize(
        "url",
        [
            URL,
            "https://pfst.cf2.poecdn.net/a?b=c#d",
            "https://QPH.CF2.POECDN.NET/x.png",
            "https://pfst.cf2.poecdn.net:443/a",
            "HTTPS://a.poecdn.net/",
        ],
    )
    def test_poes_own(self, files: PoeFiles, url: str) -> None:
        assert files.is_poes(url)

    def test_those_where_the_owner_says_that_poe_is(self, poe: ScriptedPoe, files: PoeFiles) -> None:
        assert files.is_poes(f"{poe.url}/files/1/a.png")
        assert not files.is_poes(f"http://127.0.0.1:{poe.port + 1}/a.png")
        assert not files.is_poes(f"https://127.0.0.1:{poe.port}/a.png")

    @pytest.mark.parametrize(
        "url",
        [
            "http://pfst.cf2.poecdn.net/a",
            "https://poecdn.net.example.com/a",
            "https://examplepoecdn.net/a",
            "https://poecdn.net@example.com/a",
            "https://user:secret@pfst.cf2.poecdn.net/a",
            "https://pfst.cf2.poecdn.net:8443/a",
            "https://pfst.cf2.poecdn.net.:443/a",
            "https://example.com/pfst.cf2.poecdn.net/",
            "https://example.com#.poecdn.net",
            "https://example.com\\.poecdn.net/",
            "https://a.poecdn.net:x/",
            "https://[::1/a",
            "//a.poecdn.net/x",
            "ftp://a.poecdn.net/x",
            "",
        ],
    )
    def test_others(self, files: PoeFiles, url: str) -> None:
        assert not files.is_poes(url)

    @pytest.mark.parametrize(
        ("url", "name"),
        [
            ("https://e.com/a.png", "a.png"),
            ("https://e.com/a%20b.png?c=d/e.gif#f", "a b.png"),
            ("https://e.com/%E6%BC%A2.txt", "漢.txt"),
            ("https://e.com/", "file"),
            ("https://e.com", "file"),
            ("https://e.com/..%2F..%2Fetc", ".._.._etc"),
        ],
    )
    def test_the_name_at_the_end(self, url: str, name: str) -> None:
        assert name_in(url) == name

    def test_names_are_short_and_lead_nowhere(self) -> None:
        assert clean_name("a/b\\c\0d\r\ne") == "a_b_c_d_e"
        assert clean_name("x" * 999 + ".txt").endswith("x.txt")
        assert len(clean_name("x" * 999)) == 255
