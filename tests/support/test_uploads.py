"""What is uploaded to a Poe of the tests is there byte for byte, and a wrong form is refused."""

import hashlib
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.support import sample_files
from tests.support.bot_server import BotServer
from tests.support.poe_script import error_reply
from tests.support.scripted_poe import ScriptedPoe
from tests.support.wire import Client, Response

PLAIN = "text/plain"
MULTIPART = 'multipart/form-data; boundary="b"'
URLENCODED = "application/x-www-form-urlencoded"
DISPOSITION = 'form-data; name="file"; filename="a.txt"'


@pytest.fixture
def server() -> Iterator[ScriptedPoe]:
    server = ScriptedPoe()
    yield server
    server.close()


def form(data: bytes, disposition: str = DISPOSITION, media_type: str = PLAIN) -> bytes:
    head = f"--b\r\nContent-Disposition: {disposition}\r\nContent-Type: {media_type}\r\n\r\n"
    return head.encode() + data + b"\r\n--b--\r\n"


def upload(port: int, body: bytes, content_type: str = MULTIPART) -> tuple[int, Any]:
    with Client(port) as client:
        response = client.request("POST", "/upload", body, {"Authorization": "k", "Content-Type": content_type})
        return response.status, response.json()


def fetch(port: int, url: str) -> tuple[Response, bytes]:
    with Client(port) as client:
        response = client.request("GET", "/" + url.split("/", 3)[3])
        return response, response.read()


def test_what_is_uploaded_is_kept_and_served_until_the_reset(server: ScriptedPoe) -> None:
    data = b"\r\n--a\0\xff\r\n--a--\r\n"
    status, answer = upload(server.port, form(data, 'form-data; name="file"; filename="è %22漢%22.png"', "image/png"))
    assert status == 200
    assert answer == {
        "attachment_url": server.url + "/files/1/" + quote('è "漢".png', safe=""),
        "mime_type": "image/png",
        "size": len(data),
        "inline_ref": None,
    }
    [kept] = server.uploads
    assert (kept.name, kept.media_type, kept.data, kept.size) == ('è "漢".png', "image/png", data, len(data))
    assert (kept.authorization, kept.url, kept.download_url) == ("k", answer["attachment_url"], None)
    assert kept.sha256 == hashlib.sha256(data).hexdigest()
    response, fetched = fetch(server.port, kept.url)
    assert (response.header("content-type"), fetched) == ("image/png", data)
    assert server.served == ["/" + kept.url.split("/", 3)[3]]
    server.reset()
    assert fetch(server.port, kept.url)[0].status == 404
    assert (server.uploads, server.served) == ([], [])


def test_an_address_is_remembered_and_one_of_this_poe_followed(server: ScriptedPoe) -> None:
    own = server.serve("a cat.png", b"meow", "image/png")
    for url, wanted in [("https://example.com/b%20c.pdf?x=1", None), (own, b"meow")]:
        status, answer = upload(server.port, f"download_url={quote(url, safe='')}".encode(), URLENCODED)
        assert (status, server.uploads[-1].download_url, server.uploads[-1].data) == (200, url, None)
        response, fetched = fetch(server.port, answer["attachment_url"])
        assert (fetched == wanted) if wanted else (response.status == 404)
    assert [(each.name, each.media_type) for each in server.uploads] == [
        ("b c.pdf", "application/pdf"),
        ("a cat.png", "image/png"),
    ]
    upload(server.port, b"download_url=http%3A%2F%2Fe.com%2Fx&download_filename=y.gif", URLENCODED)
    assert (server.uploads[-1].name, server.uploads[-1].download_filename) == ("y.gif", "y.gif")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (form(b"x"), "multipart/form-data"),
        (form(b"x"), "application/json"),
        (form(b"x"), "multipart/form-data; boundary=c"),
        (form(b"x")[:-4], MULTIPART),
        (form(b"x") + b"x", MULTIPART),
        (form(b"x").replace(b"\r\n", b"\n"), MULTIPART),
        (form(b"x", 'form-data; name="file"'), MULTIPART),
        (form(b"x", 'form-data; name="upload"; filename="a"'), MULTIPART),
        (form(b"x", 'form-data; name="file"; filename="a"b"'), MULTIPART),
        (form(b"x", media_type="png"), MULTIPART),
        (form(b"x").replace(b"Content-Type: text/plain\r\n", b""), MULTIPART),
        (form(b"x")[:-7] + form(b"y"), MULTIPART),
        (b"", MULTIPART),
        (b"download_url=", URLENCODED),
        (b"download_url=file%3A%2F%2F%2Fetc%2Fpasswd", URLENCODED),
        (b"download_url=http%3A%2F%2Fa&download_url=http%3A%2F%2Fb", URLENCODED),
        (b"download_url=http%3A%2F%2Fa&name=b", URLENCODED),
        (b"download_url", URLENCODED),
        (b"download_url=http%3A%2F%2Fa%2F%FF", URLENCODED),
    ],
)
def test_a_wrong_form_is_refused(server: ScriptedPoe, body: bytes, content_type: str) -> None:
    assert upload(server.port, body, content_type)[0] == 400
    assert not server.uploads


def test_an_upload_without_a_key_is_refused(server: ScriptedPoe) -> None:
    with Client(server.port) as client:
        assert client.request("POST", "/upload", form(b"x"), {"Content-Type": MULTIPART}).status == 401


def test_one_upload_fails_and_the_next_is_kept(server: ScriptedPoe) -> None:
    server.route("POST /upload", error_reply(503, "later"))
    server.route_by("POST /upload", server.take_upload)
    assert [upload(server.port, form(b"x"))[0] for _ in range(3)] == [503, 200, 200]
    assert [each.data for each in server.uploads] == [b"x", b"x"]
    assert server.uploads_at_once == 1


def test_a_file_ends_where_its_form_ends(server: ScriptedPoe) -> None:
    for size in range((1 << 20) - 4, (1 << 20) + 4):
        assert upload(server.port, form(bytes(size)))[1]["size"] == size


def test_slow_uploads_overlap_and_are_counted(server: ScriptedPoe) -> None:
    server.upload_delay = 0.3
    threads = [threading.Thread(target=upload, args=(server.port, form(b"x"))) for _ in range(3)]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert 0.3 <= time.monotonic() - start < 3
    assert (len(server.uploads), server.uploads_at_once) == (3, 3)
    server.reset()
    upload(server.port, form(b"x"))
    assert (server.upload_delay, server.uploads_at_once) == (0.0, 1)


@pytest.mark.parametrize("framing", [b"Content-Length: 100\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n64\r\n"])
def test_half_an_upload_is_none(server: ScriptedPoe, framing: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 5) as client:
        client.sendall(b"POST /upload HTTP/1.1\r\nAuthorization: k\r\n" + framing + b"--b\r\n")
        server.wait_for(lambda poe: poe.uploads_at_once == 1)
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
    assert (server.uploads, server.requests) == ([], [])


def test_a_large_upload_is_read_in_linear_time_and_kept_once(server: ScriptedPoe) -> None:
    head = b"POST /upload HTTP/1.1\r\nAuthorization: k\r\nTransfer-Encoding: chunked\r\n"
    piece = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    opening, closing = form(b"").split(b"\r\n\r\n")
    start = time.monotonic()
    with Client(server.port) as client:
        client.send(head + f"Content-Type: {MULTIPART}\r\n\r\n{len(opening) + 4:x}\r\n".encode())
        client.send(opening + b"\r\n\r\n\r\n")
        for _ in range(1600):
            client.send(piece)
        client.send(f"{len(closing):x}\r\n".encode() + closing + b"\r\n0\r\n\r\n")
        assert client.response().json()["size"] == 1600 * 0x10000
    assert time.monotonic() - start < 5
    [kept] = server.uploads
    assert kept.content is not None
    assert kept.content.whole is kept.request.body


def test_bots_make_files_and_read_those_uploaded(poe_bots: BotServer) -> None:
    port = int(poe_bots.url.rpartition(":")[2])

    def ask(bot: str, **message: Any) -> str:
        query = {"role": "user", "content": "go", **message}
        ids = {"user_id": "", "conversation_id": "", "message_id": ""}
        body = json.dumps({"version": "1.2", "type": "query", "query": [query], **ids}).encode()
        with Client(port) as client:
            return client.request("POST", f"/bot/{bot}", body, {"Authorization": "Bearer k"}).read().decode()

    for bot, files in {
        "picture": [sample_files.png()],
        "plain_picture": [sample_files.png()],
        "speech": [sample_files.wav()],
        "film": [sample_files.mp4()],
        "refuser": [],
    }.items():
        addresses = re.findall(rf'"url": "({poe_bots.url}/[^"]+)"', ask(bot))
        assert [fetch(port, url)[1] for url in addresses] == files
    assert ask("pictures", parameters={"num_images": 3}).count("event: file") == 3

    status, answer = upload(port, form(sample_files.pdf(), 'form-data; name="file"; filename="A B.pdf"'))
    assert status == 200
    attachment = {"url": answer["attachment_url"], "content_type": PLAIN, "name": "A B.pdf"}
    assert hashlib.sha256(sample_files.pdf()).hexdigest() in ask("transcriber", attachments=[attachment])
    assert "A B.pdf" in ask("attachments", attachments=[attachment])
    assert upload(port, b"", MULTIPART)[0] == 400
