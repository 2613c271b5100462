"""The files of a request on their way, before its bot is asked: uploaded once, and once more where Poe lost them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from poe2openai.core.content import content_of
from poe2openai.core.request import FileId, Inline, Media, Message, ModelRequest, Text, Url
from poe2openai.poe.client import PoeClient
from tests.support.asking import asked
from tests.support.asking import said as turn
from tests.support.attaching import OWN, Worker, client_of, nobody_waits
from tests.support.poe_script import Step, done, error, error_reply, text
from tests.support.received import Received
from tests.support.scripted_poe import ScriptedPoe
from tests.support.telling import Telling, said


@pytest.fixture
def client(poe: ScriptedPoe) -> Iterator[PoeClient]:
    with client_of(poe.url) as client:
        yield client


LOST = error_reply(400, "The attachment was not found")


def with_picture(data: bytes = b"picture", **fields: Any) -> ModelRequest:
    picture = Media(Inline(content_of(data)), None, None, "messages[0].content[1].image_url")
    return asked(Message("user", (Text("What is it?"), picture)), stream=True, **fields)


def attached(query: Received) -> list[str]:
    return [each["url"] for each in query.messages[-1]["attachments"]]


def test_they_lie_with_poe_before_the_bot_is_asked(poe: ScriptedPoe, client: PoeClient, tmp_path: Path) -> None:
    poe.script("bot", text("A cat."), done())
    telling = Telling(client, tmp_path)
    for _ in range(2):
        telling.events(with_picture())
    assert [each.data for each in poe.uploads] == [b"picture"]
    assert [request.address for request in poe.requests] == ["POST /upload", "POST /bot/bot", "POST /bot/bot"]
    assert [attached(query) for query in poe.queries()] == [[poe.uploads[0].url]] * 2


@pytest.mark.parametrize("lost", [LOST, [error("Could not download file: it has expired")]])
def test_one_that_poe_lost_is_uploaded_again_and_the_bot_asked_again(
    poe: ScriptedPoe, client: PoeClient, tmp_path: Path, lost: list[Step]
) -> None:
    telling = Telling(client, tmp_path)
    poe.script("bot", text("A cat."), done())
    poe.script("bot", lost)
    poe.script("bot", text("A cat again."), done())
    telling.events(with_picture())
    assert said(telling.events(with_picture())) == "A cat again."
    assert len(poe.uploads) == 2
    assert [attached(query) for query in poe.queries()[1:]] == [[each.url] for each in poe.uploads]
    assert "files uploaded again" in telling.record.notes
    telling.events(with_picture())
    assert attached(poe.queries()[-1]) == [poe.uploads[1].url]


def test_it_is_uploaded_again_once(poe: ScriptedPoe, client: PoeClient, tmp_path: Path) -> None:
    telling = Telling(client, tmp_path)
    poe.script("bot", text("A cat."), done())
    poe.script("bot", LOST)
    telling.events(with_picture())
    assert "attachment was not found" in telling.failure(with_picture()).message
    assert (len(poe.uploads), len(poe.queries())) == (2, 3)


@pytest.mark.parametrize(
    "fault", [error_reply(400, "bad prompt"), error_reply(404, "Bot does not exist"), error_reply(402, "No points")]
)
def test_other_errors_say_nothing_of_files(
    poe: ScriptedPoe, client: PoeClient, tmp_path: Path, fault: list[Step]
) -> None:
    telling = Telling(client, tmp_path)
    poe.script("bot", text("A cat."), done())
    poe.script("bot", fault)
    telling.events(with_picture())
    telling.failure(with_picture())
    assert (len(poe.uploads), len(poe.queries())) == (1, 2)


def test_a_file_of_this_very_request_is_not_lost(poe: ScriptedPoe, client: PoeClient, tmp_path: Path) -> None:
    poe.script("bot", LOST)
    Telling(client, tmp_path).failure(with_picture())
    assert (len(poe.uploads), len(poe.queries())) == (1, 1)


def test_one_that_fails_costs_no_query(poe: ScriptedPoe, client: PoeClient, tmp_path: Path) -> None:
    poe.route("POST /upload", error_reply(400, "too strange"))
    failure = Telling(client, tmp_path).failure(with_picture())
    assert failure.param == "messages[0].content[1].image_url"
    assert not poe.queries()


@pytest.mark.parametrize("attaches", [True, False])
def test_those_of_the_last_answer_go_with_the_next_question_where_the_model_is_for_it(
    poe: ScriptedPoe, client: PoeClient, tmp_path: Path, attaches: bool
) -> None:
    url = "https://pfst.cf2.poecdn.net/base/image/abc?w=1024"
    poe.script("bot", text("ok"), done())
    messages = (
        turn("user", "A cat"),
        turn("assistant", f"![cat]({url})"),
        turn("user", "Blue"),
    )
    Telling(client, tmp_path, attach_last_files=attaches).events(asked(*messages, stream=True))
    (query,) = poe.queries()
    assert [each["url"] for each in query.messages[-1].get("attachments", ())] == ([url] if attaches else [])
    assert not poe.uploads


def test_addresses_are_poes_to_fetch(poe: ScriptedPoe, client: PoeClient, tmp_path: Path) -> None:
    poe.script("bot", text("ok"), done())
    picture = Media(Url("https://example.com/a.png"), None, None, "p")
    Telling(client, tmp_path).events(asked(Message("user", (Text("?"), picture)), stream=True))
    assert [each.download_url for each in poe.uploads] == ["https://example.com/a.png"]


def test_a_refusal_that_speaks_of_files_costs_no_file_id(poe: ScriptedPoe, client: PoeClient, tmp_path: Path) -> None:
    """The gateway has not the bytes to upload them again: the client hears what Poe said, and keeps its file."""
    worker = Worker(client, tmp_path)
    upload = worker.uploads.of_content(content_of(b"picture"), "a.png", None, OWN, nobody_waits).upload
    stored = worker.ids.add(OWN.caller.account, upload, name="a.png", purpose="vision")
    poe.script("bot", error_reply(400, "This image is too large"))
    picture = Media(FileId(stored.id), None, None, "messages[0].content[1].file.file_id")
    failure = Telling(client, tmp_path).failure(asked(Message("user", (Text("?"), picture)), stream=True))
    assert "too large" in failure.message
    assert worker.ids.find(OWN.caller.account, stored.id) is not None
