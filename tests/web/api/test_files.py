"""/v1/files, the views: who is let in, and forms as clients write them."""

from typing import Any

import pytest

from tests.support import sample_files
from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway
from tests.support.scripted_poe import ScriptedPoe
from tests.support.sending import new_key

PDF = sample_files.pdf()
CALLS = [
    ("POST", "/v1/files"),
    ("GET", "/v1/files"),
    ("GET", "/v1/files/file-0"),
    ("DELETE", "/v1/files/file-0"),
    ("GET", "/v1/files/file-0/content"),
]


def form(*parts: tuple[str, bytes]) -> bytes:
    """Each part is what follows `form-data; `, and its content."""
    written = [b"--x\r\nContent-Disposition: form-data; " + head.encode() + b"\r\n\r\n" + data for head, data in parts]
    return b"\r\n".join([*written, b"--x--\r\n"])


def upload(gateway: Gateway, body: bytes, key: str, content_type: str = "multipart/form-data; boundary=x") -> Any:
    with gateway.client() as client:
        headers = {"Content-Type": content_type, "Authorization": f"Bearer {key}"}
        response = client.request("POST", "/v1/files", body, headers)
        return response.status, response.json()


def test_both_paths_answer(gateway: Gateway, poe: ScriptedPoe) -> None:
    key = new_key()
    headers = {"Authorization": f"Bearer {key}"}
    status, file = upload(gateway, form(('name="purpose"', b"user_data"), ('name="file"; filename="a.pdf"', PDF)), key)
    assert status == 200
    assert poe.uploads[0].data == PDF
    with gateway.client() as client:
        for prefix in ("/v1", ""):
            path = f"{prefix}/files/{file['id']}"
            assert client.request("GET", path, headers=headers).json() == file
            assert client.request("GET", f"{prefix}/files", headers=headers).json()["data"] == [file]
            assert client.request("GET", f"{path}/content", headers=headers).read() == PDF
        assert client.request("DELETE", f"/files/{file['id']}", headers=headers).json()["deleted"] is True


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_nobody_without_a_key_comes_in(gateway: Gateway, poe: ScriptedPoe, method: str, path: str) -> None:
    with gateway.client() as client:
        response = client.request(method, path, b"" if method == "POST" else None)
        assert (response.status, response.json()["error"]["code"]) == (401, "invalid_api_key")
    assert not poe.requests


@pytest.mark.parametrize(
    "head",
    [
        'name="file"; filename="a.pdf"\r\nContent-Type: application/pdf',
        'name="file"; filename="a.pdf"\r\nContent-Type: image/png',
        'name="file"; filename="a.pdf"\r\nContent-Transfer-Encoding: binary',
        "name=file; filename=a.pdf",
    ],
)
def test_however_the_form_is_written(gateway: Gateway, poe: ScriptedPoe, head: str) -> None:
    status, file = upload(gateway, form((head, PDF), ('name="purpose"', b"user_data")), new_key())
    assert (status, file["filename"], file["bytes"]) == (200, "a.pdf", len(PDF))
    assert poe.uploads[0].media_type == "application/pdf"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (form(('name="file"; filename="a.pdf"', PDF))[:-12], "multipart/form-data; boundary=x"),
        (form(('name="file"; filename="a.pdf"', PDF)), "multipart/form-data"),
        (form(('name="file"; filename="a.pdf"', PDF)), "multipart/form-data; boundary=y"),
        (b"", "multipart/form-data; boundary=x"),
        (b"file=a&purpose=b", "application/x-www-form-urlencoded"),
        (PDF, "application/pdf"),
    ],
)
def test_what_is_no_form_with_a_file(gateway: Gateway, poe: ScriptedPoe, body: bytes, content_type: str) -> None:
    status, answer = upload(gateway, body, new_key(), content_type)
    assert (status, answer["error"]["type"]) == (400, "invalid_request_error")
    assert not poe.uploads


def test_a_body_that_is_too_large(make_gateway: GatewayFactory, poe: ScriptedPoe) -> None:
    gateway = make_gateway(MAX_REQUEST_SIZE="100000")
    body = form(('name="file"; filename="a.bin"', bytes(200_000)), ('name="purpose"', b"user_data"))
    status, answer = upload(gateway, body, new_key())
    assert (status, answer["error"]["code"]) == (413, "request_too_large")
    assert not poe.uploads


def test_a_head_request_holds_no_connection_to_poe(gateway: Gateway, poe: ScriptedPoe) -> None:
    key = new_key()
    body = form(('name="purpose"', b"user_data"), ('name="file"; filename="a.bin"', bytes(range(256)) * 40_000))
    _, file = upload(gateway, body, key)
    with gateway.client() as client:
        path = f"/v1/files/{file['id']}/content"
        assert client.request("HEAD", path, headers={"Authorization": f"Bearer {key}"}).status == 200
    (fetch,) = [request for request in poe.requests if request.method == "GET" and request.path.startswith("/files/")]
    assert fetch.ended.wait(5)
