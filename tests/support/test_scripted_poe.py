"""The scripted Poe does what its scripts say: tests of the gateway stand on it."""

import http.client
import json
import threading
import time
from collections.abc import Iterator

import pytest

from tests.support.bot_server import BotServer
from tests.support.poe_script import (
    Step,
    cut,
    done,
    error_reply,
    head,
    hold,
    joined,
    pause,
    raw,
    reset,
    slices,
    text,
    until,
)
from tests.support.scripted_poe import ScriptedPoe
from tests.support.wire import Client, Response

IDS = {"user_id": "", "conversation_id": "", "message_id": ""}
MESSAGES = [{"role": "user", "content": "hello"}]
QUERY = json.dumps({"version": "1.2", "type": "query", "query": MESSAGES, **IDS}).encode()


@pytest.fixture
def server() -> Iterator[ScriptedPoe]:
    server = ScriptedPoe()
    yield server
    server.close()


def ask(client: Client, bot: str) -> Response:
    return client.request("POST", f"/bot/{bot}", QUERY, {"Authorization": "Bearer k"})


def test_scripts_are_given_in_turn_over_one_connection(server: ScriptedPoe) -> None:
    server.script("a", error_reply(503, "later"))
    server.script("a", text("Hel"), text("lo"), done())
    with Client(server.port) as client:
        assert ask(client, "a").status == 503
    with Client(server.port) as client:
        for _ in range(2):
            response = ask(client, "a")
            assert response.read() == text("Hel") + text("lo") + done()
            assert response.whole
    assert [query.connection for query in server.queries("a")] == [1, 2, 2]
    assert server.queries("a")[0].messages == [{"role": "user", "content": "hello"}]
    assert server.connections == 2


def test_a_close_delimited_answer_in_slices(server: ScriptedPoe) -> None:
    answer = text("é😀", ascii_only=False, eol="\n") + done(eol="\n")
    server.script("a", head(framing="close"), slices(answer, 3))
    with Client(server.port) as client:
        response = ask(client, "a")
        assert response.read() == answer
        assert response.header("connection") == "close"


@pytest.mark.parametrize("ending", [cut(), reset()])
def test_an_answer_may_break_off(server: ScriptedPoe, ending: Step) -> None:
    server.script("a", text("half"), pause(0.1), ending)
    with Client(server.port) as client:
        response = ask(client, "a")
        assert response.read() == text("half")
        assert response.whole is False


def test_an_answer_may_break_the_framing(server: ScriptedPoe) -> None:
    server.script("a", text("half"), raw(b"zz\r\nbad chunk"), cut())
    with Client(server.port) as client, pytest.raises(ValueError, match="zz"):
        ask(client, "a").read()


def test_a_client_that_leaves_is_seen_in_silence(server: ScriptedPoe) -> None:
    server.script("a", text("one"), hold())
    server.script("a", hold())
    for number in (1, 2):
        with Client(server.port) as client:
            client.send(b"POST /bot/a HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}")
            query = server.wait_query("a", number)
            left = time.monotonic()
        assert query.hung_up_after(left) < 0.5


def test_the_test_may_decide_when_an_answer_goes_on(server: ScriptedPoe) -> None:
    go = threading.Event()
    server.script("a", text("one", eol="\n"), until(go), text("two", eol="\n"), done())
    with Client(server.port) as client:
        events = ask(client, "a").events()
        assert next(events).json == {"text": "one"}
        go.set()
        assert next(events).json == {"text": "two"}
    server.reset()
    assert server.requests == []


def test_pauses_come_before_late_headers(server: ScriptedPoe) -> None:
    server.script("a", pause(0.2), head(), text("one"), done())
    with Client(server.port) as client:
        asked = time.monotonic()
        assert ask(client, "a").status == 200
        assert time.monotonic() - asked >= 0.2


def test_connections_are_refused_for_a_while(server: ScriptedPoe) -> None:
    with server.refusing(), pytest.raises(ConnectionRefusedError):
        Client(server.port)
    with Client(server.port) as client:
        assert client.request("GET", "/v1/models").json()["data"][0]["id"] == "claude-sonnet-4.5"


def test_names_are_recorded_as_they_came(server: ScriptedPoe) -> None:
    with Client(server.port) as client:
        assert client.request("POST", "/bot/a%2Fb%20c", QUERY).status == 404
    assert server.requests[0].target == b"/bot/a%2Fb%20c"
    assert server.requests[0].bot == "a/b c"
    assert joined([text("a"), pause(1), done()]) == text("a") + done()


def test_the_bots_on_fastapi_poe_answer(poe_bots: BotServer) -> None:
    address = poe_bots.url.removeprefix("http://")
    connection = http.client.HTTPConnection(address, timeout=10)
    connection.request("POST", "/bot/Echo", QUERY, {"Authorization": "Bearer k", "Content-Type": "application/json"})
    body = connection.getresponse().read().decode()
    connection.close()
    assert 'event: text\r\ndata: {"text": "hello "}' in body
    assert "event: done" in body
