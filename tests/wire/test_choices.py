"""`n`: several answers to one request, each a query of its own (OpenAI API reference, Chat, `n`)."""

import json
import threading
import time
from typing import Any

import openai
import pytest

from tests.support.fixtures import GatewayFactory
from tests.support.gateway import FLASK_RUN, Gateway
from tests.support.poe_script import Step, done, error, error_reply, head, hold, pause, text, until
from tests.support.received import Received
from tests.support.scripted_poe import ScriptedPoe
from tests.support.wire import chat_bytes, content, errors

COMMANDS = [None, FLASK_RUN]
SERVERS = ["gunicorn", "flask run"]


@pytest.fixture(params=COMMANDS, ids=SERVERS)
def any_gateway(request: pytest.FixtureRequest, make_gateway: GatewayFactory) -> Gateway:
    return make_gateway(command=request.param)


def by_choice(chunks: list[Any]) -> dict[int, list[Any]]:
    """The chunks of each choice, in their order."""
    found: dict[int, list[Any]] = {}
    for chunk in chunks:
        if isinstance(chunk, dict) and chunk.get("choices"):
            (choice,) = chunk["choices"]
            found.setdefault(choice["index"], []).append(chunk)
    return found


def wait_queries(poe: ScriptedPoe, count: int) -> list[Received]:
    poe.wait_query("bot", count)
    return poe.queries("bot")


def test_a_stream_of_three(any_gateway: Gateway, poe: ScriptedPoe) -> None:
    go = threading.Event()
    for name in "abc":
        poe.script("bot", text(name), until(go), text(name.upper()), done())
    with any_gateway.client() as client:
        response = client.chat(model="bot", n=3, stream=True, stream_options={"include_usage": True})
        assert response.status == 200
        events = response.events()
        seen: list[Any] = []
        while len(content(seen)) < 3:  # nobody waits for anybody's end
            seen.append(next(events).json)
        go.set()
        data = [one.data for one in events if one.data is not None]
        assert response.whole
    assert data.count("[DONE]") == 1
    chunks = [*seen, *(openai_chunk(one) for one in data[:-1])]
    choices = by_choice(chunks)
    assert sorted(choices) == [0, 1, 2]
    assert sorted(content(own) for own in choices.values()) == ["aA", "bB", "cC"]
    for own in choices.values():
        assert own[0]["choices"][0]["delta"]["role"] == "assistant"
        assert [one["choices"][0]["finish_reason"] for one in own][-1] == "stop"
        assert sum("role" in one["choices"][0]["delta"] for one in own) == 1
    assert len({chunk["id"] for chunk in chunks}) == 1
    usage = chunks[-1]["usage"]
    assert chunks[-1]["choices"] == []
    assert usage["completion_tokens"] == 6
    assert usage["total_tokens"] == usage["prompt_tokens"] + 6


def openai_chunk(data: str | None) -> Any:
    return json.loads(data or "")


def test_three_whole_answers(any_gateway: Gateway, poe: ScriptedPoe) -> None:
    for name in "abc":
        poe.script("bot", text(name), done())
    with any_gateway.client() as client:
        alone = client.chat(model="bot").json()["usage"]
    with any_gateway.client() as client:
        body = client.chat(model="bot", n=3).json()
    assert [choice["index"] for choice in body["choices"]] == [0, 1, 2]
    assert {choice["message"]["content"] for choice in body["choices"]} <= {"a", "b", "c"}
    assert {choice["finish_reason"] for choice in body["choices"]} == {"stop"}
    assert body["usage"]["prompt_tokens"] == 3 * alone["prompt_tokens"]
    assert body["usage"]["completion_tokens"] == 3


def test_eight_are_asked_at_the_same_time(any_gateway: Gateway, poe: ScriptedPoe) -> None:
    go = threading.Event()
    poe.script("bot", text("ok"), until(go), done())
    with any_gateway.client() as client:
        client.send(chat_bytes(model="bot", n=8))
        wait_queries(poe, 8)
        go.set()
        assert len(client.response().json()["choices"]) == 8
    assert len({query.body for query in poe.queries("bot")}) == 1


@pytest.mark.parametrize("n", [9, 0, -1, 1.5, "three"])
def test_a_number_that_is_none_is_refused(gateway: Gateway, poe: ScriptedPoe, n: Any) -> None:
    with gateway.client() as client:
        response = client.chat(model="bot", n=n)
        assert (response.status, response.json()["error"]["param"]) == (400, "n")
    assert poe.queries("bot") == []


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("others", [[hold(), head()], [head(), hold()]], ids=["before headers", "before an event"])
def test_one_that_fails_first_gives_its_status_and_ends_the_others(
    any_gateway: Gateway, poe: ScriptedPoe, others: list[Step], stream: bool
) -> None:
    poe.script("bot", *others)
    poe.script("bot", *others)
    poe.script("bot", pause(0.2), error_reply(402, "You do not have enough points to message this bot."))
    with any_gateway.client() as client:
        asked = time.monotonic()
        response = client.chat(model="bot", n=3, stream=stream)
        assert (response.status, response.json()["error"]["code"]) == (429, "insufficient_quota")
        answered = time.monotonic()
        assert answered - asked < 2
    for query in wait_queries(poe, 3)[:2]:
        assert query.hung_up_after(answered) < 1.0


def test_one_that_fails_while_others_are_held_back_gives_its_status(any_gateway: Gateway, poe: ScriptedPoe) -> None:
    poe.script("bot", text("half"), hold())
    poe.script("bot", text("half"), hold())
    poe.script("bot", pause(0.2), error("The bot is over-loaded.", allow_retry=False))
    with any_gateway.client() as client:
        response = client.chat(model="bot", n=3)
        assert response.status == 400
        response.read()
        answered = time.monotonic()
    for query in wait_queries(poe, 3)[:2]:
        assert query.hung_up_after(answered) < 1.5


def test_one_that_breaks_off_ends_the_stream_with_an_error(any_gateway: Gateway, poe: ScriptedPoe) -> None:
    go = threading.Event()
    poe.script("bot", text("a"), until(go), error("Internal server error (error_id: 7)"))
    poe.script("bot", text("b"), hold())
    poe.script("bot", text("c"), hold())
    with any_gateway.client() as client:
        events = client.chat(model="bot", n=3, stream=True).events()
        seen: list[Any] = []
        while len(content(seen)) < 3:
            seen.append(next(events).json)
        go.set()
        rest = [one.data for one in events if one.data is not None]
        ended = time.monotonic()
    assert "[DONE]" not in rest
    assert [found["code"] for found in errors([openai_chunk(one) for one in rest])] == ["upstream_internal_error"]
    for query in wait_queries(poe, 3)[1:]:
        assert query.hung_up_after(ended) < 1.5
    assert "Traceback" not in any_gateway.log()


HANGING: list[list[Step]] = [[hold(), head()], [head(), hold()], [text("half"), hold()]]


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("steps", HANGING, ids=["before headers", "before an event", "in the middle"])
def test_a_client_that_hangs_up_ends_them_all(
    any_gateway: Gateway, poe: ScriptedPoe, steps: list[Step], stream: bool
) -> None:
    before = len(any_gateway.log())
    poe.script("bot", *steps)
    client = any_gateway.client()
    client.send(chat_bytes(model="bot", n=4, stream=stream))
    queries = wait_queries(poe, 4)
    time.sleep(0.2)
    left = time.monotonic()
    client.close()
    for query in queries:
        assert query.hung_up_after(left) < 1.5
    assert "hung_up=yes" in any_gateway.wait_log("path=/v1/chat/completions", start=before)
    assert "Traceback" not in any_gateway.log()


def test_a_flood_from_all_of_them_arrives_whole(any_gateway: Gateway, poe: ScriptedPoe) -> None:
    said = [text(f"word-{number} ") for number in range(400)]
    poe.script("bot", *said, done())
    whole = "".join(f"word-{number} " for number in range(400))
    with any_gateway.client() as client:
        chunks = client.chat(model="bot", n=4, stream=True).chunks()
    assert [content(own) for own in by_choice(chunks).values()] == [whole] * 4


def test_each_waits_its_turn_at_the_interval(make_gateway: GatewayFactory, poe: ScriptedPoe) -> None:
    gateway = make_gateway(fresh=True, RATE_LIMIT_MS="300")
    poe.script("bot", text("ok"), done())
    with gateway.client() as client:
        for _ in range(2):
            assert len(client.chat(model="bot", n=3).json()["choices"]) == 3
    starts = sorted(query.at for query in poe.queries("bot"))
    assert len(starts) == 6
    # Six turns, so the last begins five intervals after the first at the earliest.
    assert starts[-1] - starts[0] > 0.8
    with gateway.client() as client:
        asked = time.monotonic()
        assert client.chat(model="bot", n=3).status == 200
        assert time.monotonic() - asked > 0.8


def test_each_counts_at_the_limits_of_its_key(make_gateway: GatewayFactory, poe: ScriptedPoe) -> None:
    gateway = make_gateway(fresh=True, RATE_LIMITS="5/day")
    poe.script("bot", text("ok"), done())
    with gateway.client() as client:
        assert [client.chat(model="bot", n=n).status for n in (3, 3, 1)] == [200, 429, 429]
    assert len(poe.queries("bot")) == 3


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_the_sdk_puts_them_together(gateway: Gateway, poe: ScriptedPoe, openai_client: Any, stream: bool) -> None:
    for name in ("one", "two"):
        poe.script("bot", text(name), pause(0.05), text(f" {name}"), done())
    question: Any = [{"role": "user", "content": "hello"}]
    client: openai.OpenAI = openai_client(gateway)
    if stream:
        with client.chat.completions.stream(model="bot", messages=question, n=2) as streamed:
            choices = streamed.get_final_completion().choices
    else:
        choices = client.chat.completions.create(model="bot", messages=question, n=2).choices  # type: ignore[assignment]
    assert sorted(choice.message.content or "" for choice in choices) == ["one one", "two two"]


def test_one_of_several_is_tried_again_by_itself(any_gateway: Gateway, poe: ScriptedPoe) -> None:
    poe.script("bot", error_reply(503, "busy"))
    poe.script("bot", text("ok"), done())
    with any_gateway.client() as client:
        body = client.chat(model="bot", n=3).json()
    assert [choice["message"]["content"] for choice in body["choices"]] == ["ok"] * 3
    assert len(poe.queries("bot")) == 4
