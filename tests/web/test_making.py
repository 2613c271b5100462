"""What every view that has a bot make files does: here one that asks as often as it is told to, and says what came."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient

from poe2openai.core.request import Message, ModelRequest, Text
from poe2openai.web.making import MOST_AT_ONCE, Visit, fields_of_request, visit, whole
from tests.support.apps import app_for
from tests.support.poe_script import done, error, file, hold, pause, text
from tests.support.scripted_poe import ScriptedPoe

FILE = file("https://pfst.cf2.poecdn.net/cat.png", name="cat.png")
KEY = {"Authorization": "Bearer client-key"}

Apps = Callable[..., FlaskClient]


def view(here: Visit) -> Response:
    """A body is the JSON of `bot` and `count`."""
    fields = fields_of_request(here).values
    asked = ModelRequest(fields["bot"], (Message("user", (Text("Paint."),)),))
    here.wait_turns(fields.get("count", 1))
    made = here.all_made([asked] * fields.get("count", 1), here.route(fields["bot"]))
    return whole(" ".join(file.name for one in made for file in one.files).encode(), "text/plain")


def install(app: Flask) -> None:
    app.add_url_rule("/paint", "paint", lambda: visit(view), methods=["POST"])


@pytest.fixture
def apps(poe: ScriptedPoe, tmp_path: Path) -> Iterator[Apps]:
    contexts = []

    def make(**settings: Any) -> FlaskClient:
        context = app_for(poe.url, tmp_path, **settings)
        app = context.__enter__()
        contexts.append(context)
        install(app)
        return app.test_client()

    yield make
    for context in contexts:
        context.__exit__(None, None, None)


def post(client: FlaskClient, headers: dict[str, str] | None = None, **fields: Any) -> Any:
    return client.post("/paint", json={"bot": "bot", **fields}, headers=KEY if headers is None else headers)


def test_what_was_made(apps: Apps, poe: ScriptedPoe) -> None:
    poe.script("bot", FILE, done())
    answer = post(apps())
    assert (answer.status_code, answer.text, answer.content_type) == (200, "cat.png", "text/plain")
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["x-request-id"]
    assert poe.queries("bot")[0].header("authorization") == "Bearer client-key"


def test_nobody_without_a_key_comes_in(apps: Apps, poe: ScriptedPoe) -> None:
    answer = post(apps(), headers={})
    assert (answer.status_code, answer.json["error"]["code"]) == (401, "invalid_api_key")
    assert not poe.queries()


def test_several_are_asked_side_by_side_and_come_in_order(apps: Apps, poe: ScriptedPoe) -> None:
    poe.script("bot", pause(0.5), FILE, done())
    began = time.monotonic()
    assert post(apps(), count=4).text == " ".join(["cat.png"] * 4)
    assert time.monotonic() - began < 1.5
    assert len(poe.queries("bot")) == 4


def test_not_all_at_once(apps: Apps, poe: ScriptedPoe) -> None:
    poe.script("bot", pause(0.3), FILE, done())
    assert post(apps(), count=MOST_AT_ONCE + 2).status_code == 200
    at = sorted(query.at for query in poe.queries("bot"))
    assert len(at) == MOST_AT_ONCE + 2
    assert at[MOST_AT_ONCE] - at[0] >= 0.25


def test_each_waits_its_turn(apps: Apps, poe: ScriptedPoe) -> None:
    """All that one asks for counts, also where it is one request of the client's."""
    poe.script("bot", FILE, done())
    client = apps(rate_limits="3/minute")
    assert post(client, count=3).status_code == 200
    refused = post(client, count=1)
    assert (refused.status_code, refused.json["error"]["code"]) == (429, "rate_limit_exceeded")
    assert len(poe.queries("bot")) == 3


def test_where_one_fails_the_others_end(apps: Apps, poe: ScriptedPoe) -> None:
    poe.script("bot", text("Let me see."), error("It was moderated."))
    poe.script("bot", text("Let me see."), hold())
    answer = post(apps(), count=3)
    assert (answer.status_code, answer.json["error"]["message"]) == (400, "It was moderated.")
    for query in poe.queries("bot"):
        assert query.ended.wait(3)


def test_the_log_has_one_line_with_all_attempts(
    apps: Apps, poe: ScriptedPoe, capfd: pytest.CaptureFixture[str]
) -> None:
    poe.script("bot", FILE, done())
    post(apps(), count=3)
    logged = capfd.readouterr().err
    (line,) = [line for line in logged.splitlines() if "path=/paint" in line]
    assert "status=200" in line
    assert "model=bot bot=bot" in line
    assert "attempts=3" in line
    assert "client-key" not in logged


def test_bodies_that_cannot_be_read(apps: Apps) -> None:
    client = apps()
    broken = {
        "application/json": b'{"bot": ',
        "multipart/form-data": b"x",
        "multipart/form-data; boundary=x": b"--x\r\nContent-Disposition: form-data; name=bot\r\n\r\nb",
    }
    for content_type, body in broken.items():
        answer: Any = client.post("/paint", data=body, content_type=content_type, headers=KEY)
        assert (answer.status_code, answer.json["error"]["type"]) == (400, "invalid_request_error"), content_type
