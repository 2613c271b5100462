"""`response_format`: JSON from bots that know nothing of it (OpenAI API reference, Chat, `response_format`)."""

import json
import threading
from typing import Any

import pytest
from pydantic import BaseModel

from tests.support.gateway import Gateway
from tests.support.poe_script import Step, done, error_reply, text, until
from tests.support.received import Received
from tests.support.scripted_poe import ScriptedPoe
from tests.support.wire import Response, content, finish_reasons

HEADER = "x-response-format-error"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}},
    "required": ["city", "degrees"],
    "additionalProperties": False,
}
FORMAT = {"type": "json_schema", "json_schema": {"name": "weather", "strict": True, "schema": SCHEMA}}
OBJECT = {"type": "json_object"}
RIGHT = '{"city": "Zürich", "degrees": 21}'
FENCED = f"Here you are:\n\n```json\n{RIGHT}\n```\nAnything else?"

BOTH = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])


class Answer:
    """A completion, however it came."""

    def __init__(self, response: Response, *, stream: bool) -> None:
        self.status = response.status
        self.format_error = response.header(HEADER)
        if stream:
            chunks = response.chunks()
            assert response.whole
            self.text = content(chunks)
            (self.reason,) = finish_reasons(chunks)
            self.usage = chunks[-2]["usage"]
        else:
            body = response.json()
            assert response.status == 200, body
            self.text = body["choices"][0]["message"]["content"]
            self.reason = body["choices"][0]["finish_reason"]
            self.usage = body["usage"]


def ask(gateway: Gateway, *, stream: bool, **fields: Any) -> Answer:
    options = {"response_format": FORMAT, **fields}
    if stream:
        options |= {"stream": True, "stream_options": {"include_usage": True}}
    with gateway.client() as client:
        return Answer(client.chat(model="bot", **options), stream=stream)


def dialogue(query: Received) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in query.messages]


@BOTH
@pytest.mark.parametrize("said", [RIGHT, FENCED, f"```\n{RIGHT}\n```", f"Sure! {RIGHT}"])
def test_the_json_alone_is_delivered(gateway: Gateway, poe: ScriptedPoe, said: str, stream: bool) -> None:
    poe.script("bot", [text(letter) for letter in said], done())
    answer = ask(gateway, stream=stream)
    assert json.loads(answer.text) == json.loads(RIGHT)
    assert answer.format_error is None
    assert answer.reason == "stop"
    assert len(poe.queries("bot")) == 1


@BOTH
@pytest.mark.parametrize("wanted", [FORMAT, OBJECT], ids=["schema", "object"])
def test_the_bot_is_told_behind_the_question(
    gateway: Gateway, poe: ScriptedPoe, wanted: dict[str, Any], stream: bool
) -> None:
    poe.script("bot", text(RIGHT), done())
    ask(gateway, stream=stream, response_format=wanted)
    ((role, said),) = dialogue(poe.queries("bot")[0])
    assert role == "user"
    assert said.startswith("hello\n\n")
    assert "JSON" in said
    assert ('"degrees"' in said) == (wanted is FORMAT)
    assert "response_format" not in poe.queries("bot")[0].messages[0].get("parameters", {})


def test_text_needs_no_telling(gateway: Gateway, poe: ScriptedPoe) -> None:
    poe.script("bot", text(FENCED), done())
    answer = ask(gateway, stream=False, response_format={"type": "text"})
    assert answer.text == FENCED
    assert dialogue(poe.queries("bot")[0]) == [("user", "hello")]


def test_a_stream_delivers_the_json_as_it_comes(gateway: Gateway, poe: ScriptedPoe) -> None:
    go = threading.Event()
    poe.script("bot", text('```json\n{"city": "Zürich", '), until(go), text('"degrees": 21}\n```'), done())
    with gateway.client() as client:
        events = client.chat(model="bot", response_format=FORMAT, stream=True).events()
        seen: list[Any] = []
        while "city" not in content(seen):
            seen.append(next(events).json)
        go.set()
        seen += [one.json for one in events if one.data not in (None, "[DONE]")]
    assert json.loads(content(seen)) == json.loads(RIGHT)


@BOTH
@pytest.mark.parametrize("wanted", [FORMAT, OBJECT], ids=["schema", "object"])
def test_an_answer_without_json_is_asked_for_again(
    gateway: Gateway, poe: ScriptedPoe, wanted: dict[str, Any], stream: bool
) -> None:
    poe.script("bot", text("It is "), text("warm in Zurich."), done())
    poe.script("bot", text(FENCED), done())
    answer = ask(gateway, stream=stream, response_format=wanted)
    assert json.loads(answer.text) == json.loads(RIGHT)
    assert answer.format_error is None
    first, second = poe.queries("bot")
    (_, asked), (role, said), (_, demand) = dialogue(second)
    assert (asked, role, said) == ("hello", "bot", "It is warm in Zurich.")
    assert "JSON" in demand
    assert dialogue(first)[0][1].removeprefix("hello") in demand
    poe.reset()
    poe.script("bot", text(FENCED), done())
    alone = ask(gateway, stream=stream, response_format=wanted).usage
    assert answer.usage["prompt_tokens"] >= 2 * alone["prompt_tokens"]
    assert answer.usage["completion_tokens"] > alone["completion_tokens"]


def test_a_whole_answer_that_fails_the_schema_is_asked_for_again(gateway: Gateway, poe: ScriptedPoe) -> None:
    poe.script("bot", text('{"city": "Zürich", "degrees": "warm"}'), done())
    poe.script("bot", text(RIGHT), done())
    answer = ask(gateway, stream=False)
    assert json.loads(answer.text) == json.loads(RIGHT)
    assert answer.format_error is None
    assert "degrees" in dialogue(poe.queries("bot")[1])[-1][1]


@BOTH
def test_what_is_still_wrong_is_delivered_with_a_header(gateway: Gateway, poe: ScriptedPoe, stream: bool) -> None:
    poe.script("bot", text("It is warm."), done())
    answer = ask(gateway, stream=stream)
    assert (answer.text, answer.reason) == ("It is warm.", "stop")
    assert answer.format_error
    assert len(poe.queries("bot")) == 2


def test_a_whole_answer_that_still_fails_the_schema_says_where(gateway: Gateway, poe: ScriptedPoe) -> None:
    wrong = '{"city": "Zürich", "degrees": "warm"}'
    poe.script("bot", text(wrong), done())
    answer = ask(gateway, stream=False)
    assert json.loads(answer.text) == json.loads(wrong)
    assert "degrees" in (answer.format_error or "")


def test_the_header_is_ascii_and_one_line_whatever_the_schema_says(gateway: Gateway, poe: ScriptedPoe) -> None:
    names = ["größe\r\nx-evil: 1", "字\u2028\x00\x1b[31m\x7f"]
    schema = {"type": "object", "properties": {name: {"type": "integer"} for name in names}, "required": names}
    wanted = {"type": "json_schema", "json_schema": {"name": "strange", "schema": schema}}
    poe.script("bot", text(json.dumps(dict.fromkeys(names, "\r\nx-evil: 2"))), done())
    with gateway.client() as client:
        response = client.chat(model="bot", response_format=wanted)
        assert response.status == 200
        response.json()
    said = response.header(HEADER)
    assert said
    assert said.isascii()
    assert said.isprintable()
    assert response.header("x-evil") is None


def test_nothing_is_asked_again_once_something_was_sent(gateway: Gateway, poe: ScriptedPoe) -> None:
    poe.script("bot", text('{"city": "Zürich", '), text('"degrees": "warm"}'), done())
    answer = ask(gateway, stream=True)
    assert json.loads(answer.text)["degrees"] == "warm"
    assert len(poe.queries("bot")) == 1


@BOTH
def test_an_error_of_the_second_query_keeps_its_status(gateway: Gateway, poe: ScriptedPoe, stream: bool) -> None:
    poe.script("bot", text("It is warm."), done())
    poe.script("bot", error_reply(429, "rate limit", {"Retry-After": "60"}))
    with gateway.client() as client:
        response = client.chat(model="bot", response_format=FORMAT, stream=stream)
        assert (response.status, response.header("retry-after")) == (429, "60")


def test_a_schema_that_is_none_is_refused(gateway: Gateway, poe: ScriptedPoe) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "wrong", "schema": {"type": "no-such-type"}}}
    with gateway.client() as client:
        response = client.chat(model="bot", response_format=wanted)
        assert response.status == 400
        assert "response_format" in response.json()["error"]["param"]
    assert poe.queries("bot") == []


def test_thoughts_stay_apart(gateway: Gateway, poe: ScriptedPoe) -> None:
    steps: list[Step] = [text("*Thinking...*\n\n> {hm}\n"), text(f"\n{FENCED}"), done()]
    poe.script("bot", steps)
    assert json.loads(ask(gateway, stream=True).text) == json.loads(RIGHT)


class Weather(BaseModel):
    city: str
    degrees: int


def test_the_sdks_parse(gateway: Gateway, poe: ScriptedPoe, openai_client: Any) -> None:
    poe.script("bot", text("It is warm."), done())
    poe.script("bot", text(FENCED), done())
    question: Any = [{"role": "user", "content": "hello"}]
    parsed = openai_client(gateway).chat.completions.parse(model="bot", messages=question, response_format=Weather)
    assert parsed.choices[0].message.parsed == Weather(city="Zürich", degrees=21)


def test_each_of_several_is_shaped(gateway: Gateway, poe: ScriptedPoe) -> None:
    poe.script("bot", text("It is warm."), done())
    poe.script("bot", text(FENCED), done())
    with gateway.client() as client:
        body = client.chat(model="bot", response_format=FORMAT, n=3).json()
    assert [json.loads(choice["message"]["content"]) for choice in body["choices"]] == [json.loads(RIGHT)] * 3
    assert len(poe.queries("bot")) == 4
