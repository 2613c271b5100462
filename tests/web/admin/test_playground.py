"""The playground's page, its list of models, and answers that are those of the API."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from poe2openai.core.errors import ErrorKind
from poe2openai.web.admin.playground import kind_of
from poe2openai.web.words import words
from tests.support.admin import PASSWORD, Visitor
from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway
from tests.support.poe_script import done, error, error_reply, json_event, json_reply, text, tool_call, until
from tests.support.scripted_poe import MODELS, ScriptedPoe
from tests.support.wire import KEY, content, errors, finish_reasons

PATH = "/admin/api/playground"
OWN_KEYS = {"POE_API_KEYS": "the-gateways-key", "ACCESS_TOKENS": "a-token"}
HELLO = [{"role": "user", "content": "hello"}]
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture
def gateway(make_gateway: GatewayFactory) -> Gateway:
    return make_gateway(OWN_KEYS, ADMIN_PASSWORD=PASSWORD)


@pytest.fixture
def owner(gateway: Gateway) -> Iterator[Visitor]:
    with Visitor(gateway.url) as visitor:
        visitor.log_in()
        yield visitor


@pytest.fixture
def keyless(make_gateway: GatewayFactory) -> Iterator[Visitor]:
    """At a gateway that has no Poe key."""
    with Visitor(make_gateway(ADMIN_PASSWORD=PASSWORD).url) as visitor:
        visitor.log_in()
        yield visitor


def ask(visitor: Visitor, model: str = "bot", **fields: Any) -> httpx.Response:
    headers = fields.pop("headers", {})
    return visitor.post_json(PATH, {"model": model, "messages": HELLO, **fields}, **headers)


def chunks_of(body: str) -> list[Any]:
    data = [line.removeprefix("data: ") for line in body.splitlines() if line.startswith("data: ")]
    return [one if one == "[DONE]" else json.loads(one) for one in data]


def test_a_whole_answer_is_the_apis(poe: ScriptedPoe, owner: Visitor, gateway: Gateway) -> None:
    poe.script("bot", text("Hel"), text("lo"), done())
    answer = ask(owner)
    assert answer.status_code == 200
    body = answer.json()
    assert body["choices"][0]["message"] == {"role": "assistant", "content": "Hello", "refusal": None}
    assert body["model"] == "bot"
    with gateway.client() as client:
        api = client.chat(key="a-token", model="bot").json()
    assert api.keys() == body.keys()
    assert api["usage"] == body["usage"]


def test_the_gateways_own_key_asks_and_the_log_names_the_playground(
    poe: ScriptedPoe, owner: Visitor, gateway: Gateway
) -> None:
    poe.script("keyed", text("Hello"), done())
    ask(owner, "keyed", headers={"X-Poe-Key": "somebody-elses"})
    assert poe.wait_query("keyed").header("authorization") == "Bearer the-gateways-key"
    assert " caller=playground " in gateway.wait_log("model=keyed")


def test_a_stream_comes_as_it_is_made(poe: ScriptedPoe, owner: Visitor) -> None:
    go_on = threading.Event()
    poe.script("slow", text("Hel"), until(go_on), text("lo"), done())
    body = {"model": "slow", "messages": HELLO, "stream": True, "stream_options": {"include_usage": True}}
    seen = ""
    with owner.stream("POST", PATH, json=body, headers={"X-CSRFToken": owner.csrf}) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        for piece in answer.iter_text():
            seen += piece
            if not go_on.is_set() and "Hel" in seen:
                assert '"content":"lo"' not in seen
                go_on.set()
    chunks = chunks_of(seen)
    assert content(chunks) == "Hello"
    assert finish_reasons(chunks) == ["stop"]
    assert chunks[-1] == "[DONE]"
    assert chunks[-2]["usage"]["completion_tokens"] == 1


def test_who_stops_reading_stops_the_bot(poe: ScriptedPoe, owner: Visitor) -> None:
    never = threading.Event()
    poe.script("endless", text("Hel"), until(never, 20), done())
    body = {"model": "endless", "messages": HELLO, "stream": True}
    with owner.stream("POST", PATH, json=body, headers={"X-CSRFToken": owner.csrf}) as answer:
        next(answer.iter_text())
    asked = poe.wait_query("endless")
    poe.wait_for(lambda _: asked.left_at)


def test_tools_are_called_and_their_results_go_on(poe: ScriptedPoe, owner: Visitor) -> None:
    poe.script(
        "claude-sonnet-4.5", tool_call(0, "{}", id="call_1", name="get_weather"), json_event({}, "tool_calls"), done()
    )
    poe.script("claude-sonnet-4.5", text("Sunny."), done())
    first = ask(owner, "claude-sonnet-4.5", tools=[TOOL]).json()["choices"][0]
    assert first["finish_reason"] == "tool_calls"
    (call,) = first["message"]["tool_calls"]
    messages = [*HELLO, first["message"], {"role": "tool", "tool_call_id": call["id"], "content": "21 degrees"}]
    second = owner.post_json(PATH, {"model": "claude-sonnet-4.5", "messages": messages, "tools": [TOOL]}).json()
    assert second["choices"][0]["message"]["content"] == "Sunny."
    assert b"21 degrees" in poe.wait_query("claude-sonnet-4.5", 2).body


def test_errors_have_the_apis_shape(poe: ScriptedPoe, owner: Visitor) -> None:
    poe.script("poor", error_reply(402, "You have no points.", type="insufficient_credits"))
    answer = ask(owner, "poor", stream=True)
    assert answer.status_code == 429
    assert answer.json()["error"]["code"] == "insufficient_quota"
    answer = owner.post_json(PATH, {"model": "bot", "messages": "no list"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "messages")


def test_an_error_in_the_middle_is_told_in_the_stream(poe: ScriptedPoe, owner: Visitor) -> None:
    poe.script("breaks", text("Half"), error("Out of order", allow_retry=False))
    body = {"model": "breaks", "messages": HELLO, "stream": True}
    # The connection is not cut, as the API's is: a browser would throw the error away.
    with owner.stream("POST", PATH, json=body, headers={"X-CSRFToken": owner.csrf}) as answer:
        seen = "".join(answer.iter_text())
    chunks = chunks_of(seen)
    assert content(chunks) == "Half"
    assert "Out of order" in errors(chunks)[0]["message"]
    assert "[DONE]" not in chunks


def test_nobody_asks_without_logging_in(poe: ScriptedPoe, gateway: Gateway) -> None:
    with Visitor(gateway.url) as stranger:
        stranger.get("/admin/login")
        for headers in ({}, {"Authorization": "Bearer a-token"}, {"X-Poe-Key": KEY}):
            assert ask(stranger, "forbidden", headers=headers).status_code == 401
        assert stranger.get(f"{PATH}/models", headers={"Accept": "application/json"}).status_code == 401
        page = stranger.get("/admin/playground", headers={"Accept": "text/html"})
        assert (page.status_code, page.headers["location"]) == (303, "/admin/login?next=playground")
    assert not poe.queries("forbidden")


@pytest.mark.parametrize(
    "headers",
    [
        {"X-CSRFToken": ""},
        {"X-CSRFToken": "forged"},
        {"Origin": "https://elsewhere.test"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_no_other_site_asks_in_the_owners_name(poe: ScriptedPoe, owner: Visitor, headers: dict[str, str]) -> None:
    assert ask(owner, "forbidden", headers=headers).status_code == 403
    assert not poe.queries("forbidden")


def test_without_a_key_of_the_gateways_the_pages_own_asks(poe: ScriptedPoe, keyless: Visitor) -> None:
    poe.script("keyed", text("Hello"), done())
    assert ask(keyless, "keyed", headers={"X-Poe-Key": KEY}).status_code == 200
    assert poe.wait_query("keyed").header("authorization") == f"Bearer {KEY}"


@pytest.mark.parametrize("key", ["", "with blanks", "x" * 5000])
def test_without_any_good_key_nobody_asks(poe: ScriptedPoe, keyless: Visitor, key: str) -> None:
    answer = ask(keyless, "keyed", headers={"X-Poe-Key": key} if key else {})
    assert answer.status_code == 401
    assert key not in answer.text or not key
    assert "Poe key" in answer.json()["error"]["message"]
    assert not poe.queries("keyed")


def test_the_page_asks_for_a_key_only_where_there_is_none(owner: Visitor, keyless: Visitor) -> None:
    assert 'id="key"' not in owner.get("/admin/playground").text
    page = keyless.get("/admin/playground")
    assert '<input type="password" id="key"' in page.text
    assert "script-src 'self'" in page.headers["content-security-policy"]


def test_the_same_limits_hold(poe: ScriptedPoe, make_gateway: GatewayFactory) -> None:
    poe.script("bot", text("Hello"), done())
    gateway = make_gateway(OWN_KEYS, ADMIN_PASSWORD=PASSWORD, RATE_LIMITS="2/day", MAX_REQUEST_SIZE="2000", fresh=True)
    with Visitor(gateway.url) as visitor:
        visitor.log_in()
        assert ask(visitor, messages=[{"role": "user", "content": "x" * 3000}]).status_code == 413
        assert [ask(visitor).status_code for _ in range(3)] == [200, 200, 429]


def test_the_list_says_what_the_page_needs(poe: ScriptedPoe, make_gateway: GatewayFactory) -> None:
    painter = {**MODELS[2], "architecture": {"output_modalities": ["image"]}, "parameters": [{"name": "x"}, "junk"]}
    poe.route("GET /v1/models", *json_reply(200, {"object": "list", "data": [MODELS[0], painter]}))
    gateway = make_gateway(ADMIN_PASSWORD=PASSWORD, fresh=True)
    with Visitor(gateway.url) as visitor:
        visitor.log_in()
        claude, painted = visitor.get(f"{PATH}/models").json()["models"]
    assert claude["parameters"][0].pop("description")
    assert claude == {
        "id": "claude-sonnet-4.5",
        "name": "Claude-Sonnet-4.5",
        "kind": "text",
        "takes": ["text", "image"],
        "tools": True,
        "context": 983040,
        "parameters": [{"name": "thinking_budget", "schema": {"type": "number", "minimum": 0, "maximum": 63999}}],
    }
    assert (painted["kind"], painted["parameters"], painted["context"]) == ("image", [], None)


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        (["text", "image"], "text"),
        (["video"], "video"),
        (["audio", "image"], "image"),
        (["smell"], "text"),
        (None, "text"),
    ],
)
def test_kinds(made: list[str] | None, kind: str) -> None:
    assert kind_of({"id": "x", "architecture": {"output_modalities": made}}) == kind
    assert kind_of({"id": "x"}) == "text"


def test_phrases_for_errors_are_of_codes_that_there_are() -> None:
    named = {name.removeprefix("error_") for name in words("playground", "en") if name.startswith("error_")}
    assert named <= {kind.code for kind in ErrorKind}
