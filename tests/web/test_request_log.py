"""The line a request leaves in the log."""

import logging

import pytest
from flask import Flask

from poe2openai.core.events import Usage
from poe2openai.gateway.record import RequestRecord
from poe2openai.web import request_log


def line(
    caplog: pytest.LogCaptureFixture, record: RequestRecord, path: str = "/v1/chat/completions"
) -> dict[str, object]:
    with caplog.at_level(logging.INFO, "poe2openai.request"):
        request_log.write_line(record, "POST", path)
    (logged,) = caplog.records
    fields: dict[str, object] = logged.__dict__["fields"]
    return fields


def test_a_chat_requests_line_tells_its_story(caplog: pytest.LogCaptureFixture) -> None:
    record = RequestRecord("req_1", caller="key-1", model="gpt-4o", bot="GPT-4o", stream=True, attempts=2, status=200)
    record.first_token = record.started + 0.25
    record.usage = Usage(10, 20)
    record.output_bytes = 999
    record.reason = "stop"
    record.notes.append("replaced")
    fields = line(caplog, record)
    assert fields["first_token_ms"] == 250
    expected = {
        "id": "req_1",
        "path": "/v1/chat/completions",
        "status": 200,
        "caller": "key-1",
        "model": "gpt-4o",
        "bot": "GPT-4o",
        "stream": True,
        "attempts": 2,
        "tokens_in": "10",
        "tokens_out": "20",
        "bytes": 999,
        "finish": "stop",
        "notes": "replaced",
    }
    assert expected.items() <= fields.items()
    assert "error" not in fields
    assert "hung_up" not in fields


def test_tokens_that_nobody_counted_are_marked_as_a_guess(caplog: pytest.LogCaptureFixture) -> None:
    record = RequestRecord("req_1", model="m", bot="b", input_bytes=400, output_characters=40, hung_up=True)
    fields = line(caplog, record)
    assert (fields["tokens_in"], fields["tokens_out"], fields["hung_up"]) == ("~100", "~10", True)


def test_health_checks_do_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "poe2openai.request"):
        request_log.write_line(RequestRecord("req_1"), "GET", "/health")
    assert not caplog.records


def test_every_answer_carries_the_id_that_the_log_shows(caplog: pytest.LogCaptureFixture) -> None:
    app = Flask("log")
    request_log.install(app)
    app.add_url_rule("/", view_func=lambda: "ok")
    with caplog.at_level(logging.INFO, "poe2openai.request"):
        first, second = app.test_client().get("/"), app.test_client().get("/")
    ids = [logged.__dict__["fields"]["id"] for logged in caplog.records]
    assert ids == [first.headers["x-request-id"], second.headers["x-request-id"]]
    assert ids[0] != ids[1]


def test_whoever_keeps_records_gets_each_request_once_with_what_its_client_says() -> None:
    kept: list[tuple[RequestRecord, str, str]] = []
    app = Flask("log")
    request_log.install(app, lambda *over: kept.append(over), with_texts=True)
    app.add_url_rule("/said", view_func=lambda: "ok", methods=["GET", "POST"])
    headers = {"X-Title": "Chatbox", "HTTP-Referer": "https://chatboxai.app", "User-Agent": "x" * 5_000}
    app.test_client().post("/said", headers=headers)
    app.test_client().get("/said", headers={"Referer": "https://x.test", "User-Agent": "curl/8"})

    ((first, *line), (second, *other)) = kept
    assert (line, other) == (["POST", "/said"], ["GET", "/said"])
    assert first.sender == ("Chatbox", "https://chatboxai.app", "x" * 256)
    assert second.sender == ("", "https://x.test", "curl/8")
    assert (first.status, second.status) == (200, 200)
    assert first.texts is not None


def test_texts_are_not_kept_unless_asked_for() -> None:
    kept: list[RequestRecord] = []
    app = Flask("log")
    request_log.install(app, lambda record, *_: kept.append(record))
    app.add_url_rule("/", view_func=lambda: "ok")
    app.test_client().get("/")
    assert [record.texts for record in kept] == [None]
