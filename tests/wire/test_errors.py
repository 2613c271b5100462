"""Every failure has OpenAI's error shape, its true status as long as nothing was sent, and no end that looks normal."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.support.gateway import Gateway
from tests.support.poe_script import (
    Step,
    cut,
    done,
    error,
    error_reply,
    head,
    html_reply,
    pause,
    ping,
    raw,
    reply,
    reset,
    text,
)
from tests.support.scripted_poe import ScriptedPoe
from tests.support.wire import Response, content, errors, finish_reasons

POINTS = "This bot needs more points to answer your request."


def error_of(response: Response) -> dict[str, Any]:
    """The error object of a body, its shape checked."""
    assert response.header("content-type") == "application/json"
    body = response.json()
    assert list(body) == ["error"]
    found: dict[str, Any] = body["error"]
    assert set(found) == {"message", "type", "param", "code"}
    assert isinstance(found["message"], str)
    assert found["message"]
    assert isinstance(found["type"], str)
    return found


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/no-such-path", 404, "not_found"),
        ("POST", "/v1/no/such/path", 404, "not_found"),
        ("GET", "/v1/chat/completions", 405, "method_not_allowed"),
        ("DELETE", "/v1/models", 405, "method_not_allowed"),
        ("POST", "/health", 405, "method_not_allowed"),
        ("GET", "/v1/models/no-such-model", 404, "model_not_found"),
    ],
)
def test_wrong_addresses(gateway: Gateway, method: str, path: str, status: int, code: str) -> None:
    with gateway.client() as client:
        response = client.request(method, path, b"" if method == "POST" else None)
        assert response.status == status
        assert error_of(response)["code"] == code


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic abc"},
        {"Authorization": "Bearer two words"},
        {"x-api-key": ""},
    ],
)
def test_no_usable_key(gateway: Gateway, poe: ScriptedPoe, headers: dict[str, str]) -> None:
    body = b'{"model": "bot", "messages": [{"role": "user", "content": "hello"}]}'
    with gateway.client() as client:
        response = client.request("POST", "/v1/chat/completions", body, headers)
        assert response.status == 401
        assert error_of(response)["code"] == "invalid_api_key"
    assert poe.queries() == []


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"messages": "hello"}, "messages"),
        ({"messages": [{"role": "nobody", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": [{"type": "smell"}]}]}, "messages[0].content[0]"),
        ({"temperature": "hot"}, "temperature"),
        ({"stream": "perhaps"}, "stream"),
        ({"stop": 5}, "stop"),
    ],
)
def test_a_wrong_field_is_named(gateway: Gateway, poe: ScriptedPoe, fields: dict[str, Any], param: str) -> None:
    with gateway.client() as client:
        response = client.chat(**{"model": "bot", **fields})
        assert response.status == 400
        found = error_of(response)
    assert found["code"] == "invalid_request"
    assert found["param"] is not None
    assert found["param"].startswith(param)
    assert poe.queries() == []


BEFORE = [
    (error(POINTS), 429, "insufficient_quota"),
    (error("You do not have enough points to message this bot."), 429, "insufficient_quota"),
    (error(None, "insufficient_fund"), 429, "insufficient_quota"),
    (error("rate limit", allow_retry=False), 429, "rate_limit_exceeded"),
    (error("Invalid token"), 401, "invalid_api_key"),
    (error("Bot does not exist"), 404, "model_not_found"),
    (error("Internal server error (error_id: 7)", allow_retry=False), 500, "upstream_internal_error"),
    (error("Too long", "user_message_too_long"), 400, "context_length_exceeded"),
    (error("Something else", "user_caused_error"), 400, "invalid_request"),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("said", "status", "code"), BEFORE)
def test_poes_error_event_comes_first(
    gateway: Gateway, poe: ScriptedPoe, said: bytes, status: int, code: str, *, stream: bool
) -> None:
    poe.script("bot", ping(), said, done())
    with gateway.client() as client:
        response = client.chat(model="bot", stream=stream)
        assert (response.status, error_of(response)["code"]) == (status, code)


@pytest.mark.parametrize(
    ("status", "seen", "code"),
    [
        (400, 400, "invalid_request"),
        (401, 401, "invalid_api_key"),
        (402, 429, "insufficient_quota"),
        (403, 403, "permission_denied"),
        (404, 404, "model_not_found"),
        (413, 400, "context_length_exceeded"),
    ],
)
def test_poes_http_status(gateway: Gateway, poe: ScriptedPoe, status: int, seen: int, code: str) -> None:
    poe.script("bot", error_reply(status, "Poe says no"))
    with gateway.client() as client:
        response = client.chat(model="bot", stream=True)
        found = error_of(response)
        assert (response.status, found["code"]) == (seen, code)
        assert "Poe says no" in found["message"]


def test_retry_after_is_handed_on(gateway: Gateway, poe: ScriptedPoe) -> None:
    poe.script("bot", error_reply(429, "slow down", {"Retry-After": "77"}))
    with gateway.client() as client:
        response = client.chat(model="bot")
        assert (response.status, response.header("retry-after")) == (429, "77")
        assert error_of(response)["code"] == "rate_limit_exceeded"


AFTER: list[tuple[list[Step], str]] = [
    ([error(POINTS)], "insufficient_quota"),
    ([error("Something broke")], "invalid_request"),
    ([], "upstream_cut_off"),
    ([cut()], "upstream_cut_off"),
    ([pause(0.1), reset()], "upstream_cut_off"),
    ([b"event: done\r\nda", cut()], "upstream_cut_off"),
    ([text("half an event")[:-6]], "upstream_cut_off"),
    ([raw(b"zz\r\nno chunk\r\n"), cut()], "upstream_cut_off"),
    ([b"event: text\r\ndata: {not json}\r\n\r\n", done()], "upstream_invalid"),
    ([b"event: text\r\ndata: \xff\xfe\r\n\r\n", done()], "upstream_invalid"),
]


@pytest.mark.parametrize(("rest", "code"), AFTER)
def test_a_stream_that_broke_off_never_looks_whole(
    gateway: Gateway, poe: ScriptedPoe, rest: Sequence[Step], code: str
) -> None:
    poe.script("bot", text("One "), pause(0.05), text("two"), pause(0.05), *rest)
    with gateway.client() as client:
        response = client.chat(model="bot", stream=True)
        assert response.status == 200
        chunks = response.chunks()
        assert response.whole is False
    assert content(chunks) == "One two"
    assert [found["code"] for found in errors(chunks)] == [code]
    assert "error" in chunks[-1]
    assert finish_reasons(chunks) == []
    assert "[DONE]" not in chunks
    with gateway.client() as client:
        response = client.chat(model="bot")
        assert error_of(response)["code"] == code


NO_STREAM: list[tuple[list[Step], int, str]] = [
    (html_reply(200), 502, "upstream_invalid"),
    (reply(200, b"", "text/event-stream"), 502, "upstream_empty"),
    (reply(200, b'{"ok": true}', "application/json"), 502, "upstream_invalid"),
    ([head()], 502, "upstream_empty"),
    ([head(302, {"Location": "/elsewhere"}, "close")], 502, "upstream_invalid"),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("steps", "status", "code"), NO_STREAM)
def test_what_is_no_event_stream_is_an_error(
    gateway: Gateway, poe: ScriptedPoe, steps: list[Step], status: int, code: str, *, stream: bool
) -> None:
    poe.script("bot", steps)
    with gateway.client() as client:
        response = client.chat(model="bot", stream=stream)
        assert (response.status, error_of(response)["code"]) == (status, code)


def test_an_html_page_with_a_status_keeps_its_markup_to_itself(gateway: Gateway, poe: ScriptedPoe) -> None:
    poe.script("bot", html_reply(403))
    with gateway.client() as client:
        response = client.chat(model="bot")
        assert response.status == 403
        assert "<" not in error_of(response)["message"]


def test_an_event_without_bounds_is_given_up(gateway: Gateway, poe: ScriptedPoe) -> None:
    flood: list[Step] = [b"x" * 1_000_000] * 40
    poe.script("bot", b"event: text\r\ndata: ", *flood, text("end"), done())
    with gateway.client() as client:
        response = client.chat(model="bot")
        assert (response.status, error_of(response)["code"]) == (502, "upstream_invalid")
