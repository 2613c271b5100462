"""Files that are uploaded first, through OpenAI's SDK: kept as long as the upload cache keeps them, each key's own."""

import hashlib
import json
import time
from collections.abc import Callable
from typing import Any

import openai
import pytest

from tests.support import sample_files
from tests.support.bot_server import BotServer
from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway
from tests.support.poe_script import done, error_reply, file, text
from tests.support.scripted_poe import ScriptedPoe
from tests.support.sending import attached, new_key
from tests.support.waiting import comes

Clients = Callable[..., openai.OpenAI]

PDF = sample_files.pdf()
PNG = sample_files.png()


@pytest.fixture
def bots(make_gateway: GatewayFactory, poe_bots: BotServer, openai_client: Clients) -> openai.OpenAI:
    """With a key of its own, so that its list is too."""
    return openai_client(make_gateway(poe_url=poe_bots.url), new_key())


@pytest.fixture
def client(gateway: Gateway, openai_client: Clients) -> openai.OpenAI:
    return openai_client(gateway, new_key())


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def question(file_id: str) -> Any:
    parts = [{"type": "text", "text": "What is it?"}, {"type": "file", "file": {"file_id": file_id}}]
    return [{"role": "user", "content": parts}]


class TestKeeping:
    def test_what_is_told_of_one(self, bots: openai.OpenAI) -> None:
        made = bots.files.create(file=("report.pdf", PDF), purpose="user_data")
        assert made.id.startswith("file-")
        assert (made.object, made.bytes, made.filename, made.purpose) == ("file", len(PDF), "report.pdf", "user_data")
        assert made.status == "processed"
        assert abs(made.created_at - time.time()) < 5
        assert made.expires_at is not None
        assert made.expires_at > made.created_at + 3600
        assert bots.files.retrieve(made.id) == made

    @pytest.mark.parametrize(
        ("name", "data", "media_type"),
        [
            ("report.pdf", PDF, "application/pdf"),
            ("a b & ü漢.png", PNG, "image/png"),
            ("a.wav", sample_files.wav(5), "audio/wav"),
            ("notes.txt", sample_files.text(), "text/plain"),
            ("anything", bytes(range(256)) * 3000, "application/octet-stream"),
        ],
    )
    def test_its_bytes_come_back(self, bots: openai.OpenAI, name: str, data: bytes, media_type: str) -> None:
        made = bots.files.create(file=(name, data, "application/octet-stream"), purpose="user_data")
        assert (made.filename, made.bytes) == (name, len(data))
        content = bots.files.content(made.id)
        assert content.read() == data
        assert content.response.headers["content-type"].partition(";")[0] == media_type
        assert content.response.headers["x-content-type-options"] == "nosniff"

    def test_the_same_bytes_twice_are_two_files(self, client: openai.OpenAI, poe: ScriptedPoe) -> None:
        first = client.files.create(file=("a.pdf", PDF), purpose="user_data")
        second = client.files.create(file=("b.pdf", PDF), purpose="assistants")
        assert first.id != second.id
        assert (second.filename, second.purpose) == ("b.pdf", "assistants")
        client.files.delete(first.id)
        assert client.files.content(second.id).read() == PDF

    def test_pages(self, bots: openai.OpenAI) -> None:
        assert bots.files.list().data == []
        made = [bots.files.create(file=(f"{n}.txt", b"text %d" % n), purpose="user_data").id for n in range(5)]
        assert [one.id for one in bots.files.list()] == made[::-1]
        assert [one.id for one in bots.files.list(limit=2)] == made[::-1]
        page = bots.files.list(limit=2, after=made[2])
        assert ([one.id for one in page.data], page.has_more) == ([made[1], made[0]], False)
        assert [one.id for one in bots.files.list(limit=3, order="asc").data] == made[:3]
        bots.files.delete(made[4])
        assert [one.id for one in bots.files.list()] == made[3::-1]

    def test_a_deleted_one(self, bots: openai.OpenAI) -> None:
        made = bots.files.create(file=("report.pdf", PDF), purpose="user_data")
        gone = bots.files.delete(made.id)
        assert (gone.id, gone.object, gone.deleted) == (made.id, "file", True)
        for call in (bots.files.retrieve, bots.files.delete, bots.files.content):
            with pytest.raises(openai.NotFoundError) as caught:
                call(made.id)
            assert caught.value.code == "not_found"
        with pytest.raises(openai.APIStatusError, match=made.id):
            bots.chat.completions.create(model="transcriber", messages=question(made.id))

    def test_it_is_gone_when_its_time_is_over(
        self, make_gateway: GatewayFactory, poe: ScriptedPoe, openai_client: Clients
    ) -> None:
        client = openai_client(make_gateway(fresh=True, URL_CACHE_TTL_SECONDS="1"))
        made = client.files.create(file=("report.pdf", PDF), purpose="user_data")
        assert client.files.retrieve(made.id).id == made.id

        def is_gone() -> bool:
            try:
                client.files.retrieve(made.id)
            except openai.NotFoundError:
                return True
            return False

        assert comes(is_gone, 3.0)
        assert client.files.list().data == []
        with pytest.raises(openai.NotFoundError):
            client.files.content(made.id)

    def test_it_outlives_the_gateway(
        self, make_gateway: GatewayFactory, poe: ScriptedPoe, openai_client: Clients
    ) -> None:
        gateway = make_gateway(fresh=True)
        first = openai_client(gateway)
        made = first.files.create(file=("report.pdf", PDF), purpose="user_data")
        first.close()
        gateway.stop()
        gateway.start()
        client = openai_client(gateway)
        assert client.files.retrieve(made.id).filename == "report.pdf"
        assert client.files.content(made.id).read() == PDF


class TestUse:
    def test_in_a_chat(self, bots: openai.OpenAI) -> None:
        made = bots.files.create(file=("report.pdf", PDF), purpose="user_data")
        answer = bots.chat.completions.create(model="transcriber", messages=question(made.id))
        (told,) = json.loads(answer.choices[0].message.content or "")
        about = {"name": "report.pdf", "content_type": "application/pdf"}
        assert told == {**about, "size": len(PDF), "sha256": digest(PDF)}

    def test_nothing_is_uploaded_again(self, client: openai.OpenAI, poe: ScriptedPoe) -> None:
        poe.script("bot", text("A report."), done())
        made = client.files.create(file=("report.pdf", PDF), purpose="user_data")
        for _ in range(2):
            client.chat.completions.create(model="bot", messages=question(made.id))
        (upload,) = poe.uploads
        assert [[one["url"] for one in attached(query)] for query in poe.queries("bot")] == [[upload.url]] * 2

    def test_in_a_picture_that_is_edited(self, bots: openai.OpenAI, poe: ScriptedPoe) -> None:
        made = bots.files.create(file=("cat.png", PNG), purpose="vision")
        body = {"model": "attachments", "prompt": "blue", "images": [{"file_id": made.id}]}
        answer = bots.post("/images/edits", body=body, cast_to=openai.types.ImagesResponse)
        assert answer.data is not None
        (told,) = json.loads(answer.data[0].revised_prompt or "")["messages"][-1]["attachments"]
        assert (told["name"], told["content_type"]) == ("cat.png", "image/png")

    def test_in_a_film(self, client: openai.OpenAI, poe: ScriptedPoe) -> None:
        poe.script("bot", file("https://pfst.cf2.poecdn.net/film.mp4", "video/mp4"), done())
        made = client.files.create(file=("cat.png", PNG), purpose="vision")
        body = {"model": "bot", "prompt": "a cat", "input_reference": {"file_id": made.id}}
        client.post("/videos", body=body, cast_to=openai.types.Video)
        (upload,) = poe.uploads
        assert [one["url"] for one in attached(poe.wait_query("bot"))] == [upload.url]


class TestRefusals:
    def test_anothers_is_not_there(self, bots: openai.OpenAI) -> None:
        made = bots.files.create(file=("report.pdf", PDF), purpose="user_data")
        other = bots.with_options(api_key=new_key())
        for call in (other.files.retrieve, other.files.delete, other.files.content):
            with pytest.raises(openai.NotFoundError):
                call(made.id)
        assert other.files.list().data == []
        with pytest.raises(openai.APIStatusError, match=made.id) as caught:
            other.chat.completions.create(model="transcriber", messages=question(made.id))
        assert caught.value.status_code in (400, 404)
        assert bots.files.content(made.id).read() == PDF

    def test_an_unknown_one_in_openais_shape(self, gateway: Gateway) -> None:
        with gateway.client() as client:
            for method, path in (
                ("GET", "/v1/files/file-0"),
                ("GET", "/v1/files/file-0/content"),
                ("DELETE", "/files/file-0"),
                ("GET", "/v1/files/..%2f..%2fetc"),
            ):
                response = client.request(method, path, headers={"Authorization": f"Bearer {new_key()}"})
                error = response.json()["error"]
                assert (response.status, error["type"]) == (404, "invalid_request_error")
                assert error.keys() == {"message", "type", "param", "code"}

    def test_json_is_no_form(self, gateway: Gateway) -> None:
        with gateway.client() as client:
            response = client.post_json("/v1/files", {"file": "aGVsbG8=", "purpose": "user_data"})
            error = response.json()["error"]
            assert (response.status, error["param"]) == (400, "file")
            assert "multipart/form-data" in error["message"]

    def test_what_is_missing_or_empty_is_named(self, client: openai.OpenAI, poe: ScriptedPoe) -> None:
        wrong: Any = [(("a.pdf", PDF), openai.omit, "purpose"), (("a.pdf", b""), "user_data", "file")]
        for given, purpose, param in wrong:
            with pytest.raises(openai.BadRequestError) as caught:
                client.files.create(file=given, purpose=purpose)
            assert caught.value.param == param
        assert not poe.uploads

    def test_poes_refusal_is_told_and_nothing_is_kept(self, client: openai.OpenAI, poe: ScriptedPoe) -> None:
        poe.route("POST /upload", error_reply(413, "This file is too large"))
        with pytest.raises(openai.APIStatusError, match="too large") as caught:
            client.files.create(file=("a.pdf", PDF), purpose="user_data")
        assert caught.value.status_code == 413
        assert client.files.list().data == []

    def test_a_name_leads_nowhere_else(self, client: openai.OpenAI, poe: ScriptedPoe) -> None:
        made = client.files.create(file=("../../etc/pass\twd.pdf", PDF), purpose="user_data")
        assert "/" not in made.filename
        assert poe.uploads[0].name == made.filename


def test_the_key_is_in_no_log(make_gateway: GatewayFactory, poe_bots: BotServer, openai_client: Clients) -> None:
    gateway, key = make_gateway(poe_url=poe_bots.url), new_key()
    client = openai_client(gateway, key)
    made = client.files.create(file=("secret-name.pdf", PDF), purpose="user_data")
    client.files.content(made.id).read()
    gateway.wait_log(f"path=/v1/files/{made.id}/content")
    assert key not in gateway.log()
    assert "secret-name" not in gateway.log()
