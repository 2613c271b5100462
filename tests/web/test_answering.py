"""What every view that asks a bot does, whatever its dialect: here one that reads names and writes texts."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import orjson
import pytest
from flask import Flask, Response
from flask.testing import FlaskClient

from poe2openai.config.settings import Settings
from poe2openai.core.choices import ChoiceBatch
from poe2openai.core.collect import Answer
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.events import AnswerEvent, Failed, Finished, PartDelta
from poe2openai.core.request import Message, ModelRequest, OutputFormat, Text
from poe2openai.dialects.lifting import LiftedBody
from poe2openai.gateway.keys import Caller
from poe2openai.web.answering import FORMAT_ERROR_HEADER, Question, respond
from tests.support.apps import app_for
from tests.support.poe_script import done, error_reply, text
from tests.support.scripted_poe import ScriptedPoe


class PlainText:
    """Writes what was said, and whose it was where there are several."""

    def encode(self, batch: list[AnswerEvent]) -> bytes:
        whose = f"{batch.choice}:" if isinstance(batch, ChoiceBatch) else ""
        said = [f"{whose}{event.text}\n" for event in batch if isinstance(event, PartDelta)]
        ends = ["END\n" for event in batch if isinstance(event, Finished | Failed)]
        return "".join(said + ends).encode()


def read(body: LiftedBody, settings: Settings) -> Question:
    """A body is the JSON of `bot`, `count`, `stream` and `json`."""
    fields = orjson.loads(body.text)
    if fields["bot"] == "wrong":
        raise GatewayError(ErrorKind.INVALID_REQUEST, "No such thing.", param="bot")
    request = ModelRequest(
        fields["bot"] or settings.default_model,
        (Message("user", (Text("Hi"),)),),
        stream=fields.get("stream", False),
        output_format=OutputFormat() if fields.get("json") else None,
    )
    return Question((request,) * fields.get("count", 1), PlainText, render)


def view() -> Response:
    return respond(read)


def view_of_a_guest() -> Response:
    return respond(read, lambda: Caller("guest", "the-guests-key"))


def render(answers: Sequence[Answer]) -> bytes:
    return b"|".join(answer.text("text").encode() for answer in answers)


Start = Callable[..., FlaskClient]


@pytest.fixture
def start(poe: ScriptedPoe, tmp_path: Path) -> Iterator[Start]:
    """`start(setting=…)`: a client of an app with a view of this dialect."""
    running = []

    def begin(**settings: object) -> FlaskClient:
        context = app_for(poe.url, tmp_path, **settings)
        app: Flask = context.__enter__()
        running.append(context)
        app.add_url_rule("/say", view_func=view, methods=["POST"])
        app.add_url_rule("/guest", view_func=view_of_a_guest, methods=["POST"])
        return app.test_client()

    yield begin
    for context in running:
        context.__exit__(None, None, None)


def say(client: FlaskClient, bot: str = "bot", key: str = "a-key", **fields: object) -> "tuple[int, str, str | None]":
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    response = client.post("/say", data=orjson.dumps({"bot": bot, **fields}), headers=headers)
    return response.status_code, response.get_data(as_text=True), response.headers.get(FORMAT_ERROR_HEADER)


def test_a_whole_answer_is_rendered(poe: ScriptedPoe, start: Start) -> None:
    poe.script("bot", text("Hel"), text("lo"), done())
    client = start()
    assert say(client) == (200, "Hello", None)
    response = client.post("/say", data=b'{"bot": "bot"}', headers={"x-api-key": "a-key"})
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Cache-Control"] == "no-cache"
    assert response.headers["x-request-id"]


def test_a_stream_is_encoded(poe: ScriptedPoe, start: Start) -> None:
    poe.script("bot", text("Hello"), done())
    assert say(start(), stream=True) == (200, "Hello\nEND\n", None)


def test_several_answers_are_told_apart_in_a_stream(poe: ScriptedPoe, start: Start) -> None:
    poe.script("bot", text("Hello"), done())
    _, said, _ = say(start(), stream=True, count=3)
    assert sorted(line for line in said.split("\n") if line not in ("", "END")) == ["0:Hello", "1:Hello", "2:Hello"]
    assert said.count("END") == 3


def test_several_whole_answers_are_rendered_together(poe: ScriptedPoe, start: Start) -> None:
    poe.script("bot", text("Hello"), done())
    assert say(start(), count=3)[1] == "Hello|Hello|Hello"
    assert len(poe.queries("bot")) == 3


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("stream", [True, False])
def test_what_fails_first_keeps_its_status(poe: ScriptedPoe, start: Start, stream: bool, count: int) -> None:
    # A bot of its own: of several queries some may yet be on their way when the first has failed.
    poe.script("failing", error_reply(429, "rate limit", {"Retry-After": "60"}))
    client = start()
    response = client.post(
        "/say",
        data=orjson.dumps({"bot": "failing", "stream": stream, "count": count}),
        headers={"Authorization": "Bearer a-key"},
    )
    assert (response.status_code, response.headers["Retry-After"]) == (429, "60")


def test_what_the_dialect_refuses_never_reaches_poe(poe: ScriptedPoe, start: Start) -> None:
    status, body, _ = say(start(), bot="wrong")
    assert status == 400
    assert orjson.loads(body)["error"]["param"] == "bot"
    assert not poe.queries("wrong")


def test_who_has_no_key_is_not_read(poe: ScriptedPoe, start: Start) -> None:
    assert say(start(), bot="wrong", key="")[0] == 401


def test_a_view_may_find_its_caller_another_way(
    poe: ScriptedPoe, start: Start, capfd: pytest.CaptureFixture[str]
) -> None:
    poe.script("bot", text("Hello"), done())
    assert start().post("/guest", data=b'{"bot": "bot"}').get_data() == b"Hello"
    assert poe.wait_query("bot").header("authorization") == "Bearer the-guests-key"
    assert " caller=guest " in capfd.readouterr().err


def test_the_dialect_knows_the_settings(poe: ScriptedPoe, start: Start) -> None:
    poe.script("the-default", text("Hello"), done())
    assert say(start(default_model="the-default"), bot="")[1] == "Hello"


@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_that_is_not_the_json_that_was_asked_for_says_so(
    poe: ScriptedPoe, start: Start, stream: bool
) -> None:
    poe.script("bot", text("no JSON"), done())
    status, said, why = say(start(), json=True, stream=stream)
    assert status == 200
    assert said.startswith("no JSON")
    assert why
    poe.reset()
    poe.script("bot", text('{"a": 1}'), done())
    status, said, why = say(start(), json=True, stream=stream)
    assert (status, why) == (200, None)
    assert said.startswith('{"a": 1}')


def test_each_query_waits_its_turn(poe: ScriptedPoe, start: Start) -> None:
    poe.script("bot", text("Hello"), done())
    client = start(rate_limits="4/day")
    assert [say(client, count=count)[0] for count in (3, 1, 1)] == [200, 200, 429]


@pytest.mark.parametrize("count", [1, 2])
def test_the_log_knows_who_asked_whom(
    poe: ScriptedPoe, start: Start, capfd: pytest.CaptureFixture[str], count: int
) -> None:
    poe.script("bot", text("Hello"), done())
    say(start(), count=count)
    (line,) = [line for line in capfd.readouterr().err.splitlines() if "path=/say" in line]
    assert " caller=key-" in line
    assert f" model=bot bot=bot stream=no attempts={count} " in line
    assert f" tokens_out={count} " in line
