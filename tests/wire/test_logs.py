"""One line a request, no key ever, and no line that somebody else wrote."""

import json
import time

import pytest

from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway
from tests.support.poe_script import cut, done, error_reply, hold, text
from tests.support.scripted_poe import ScriptedPoe
from tests.support.wire import chat_bytes, request_bytes

SECRET_KEY = "sk-poe-very-secret-0123456789"
SECRET_TEXT = "the-words-of-the-user"
QUESTION = [{"role": "user", "content": SECRET_TEXT}]


def test_one_line_a_request(gateway: Gateway, poe: ScriptedPoe) -> None:
    poe.script("bot", text("hello world"), done())
    before = len(gateway.log())
    with gateway.client() as client:
        response = client.chat(model="bot", stream=True, key=SECRET_KEY, messages=QUESTION)
        request_id = response.header("x-request-id") or "?"
        response.read()
    line = gateway.wait_log(request_id, start=before)
    for part in ("status=200", "model=bot", "bot=bot", "stream=yes", "finish=stop", "first_token_ms=", "ms=", "bytes="):
        assert part in line
    assert gateway.log()[before:].count(request_id) == 1
    assert SECRET_TEXT not in gateway.log()
    assert "hello world" not in gateway.log()[before:]


def test_json_lines(make_gateway: GatewayFactory, poe: ScriptedPoe) -> None:
    gateway = make_gateway(LOG_FORMAT="json")
    poe.script("bot", text("hello world"), done())
    before = len(gateway.log())
    with gateway.client() as client:
        client.chat(model="bot").read()
    line = json.loads(gateway.wait_log('"model"', start=before))
    assert (line["status"], line["model"], line["tokens_out"]) == (200, "bot", "2")


def test_hang_ups_and_failures_are_told(gateway: Gateway, poe: ScriptedPoe) -> None:
    poe.script("gone", text("half"), hold())
    poe.script("cut", text("half"), cut())
    poe.script("no", error_reply(403, "no"))
    before = len(gateway.log())
    client = gateway.client()
    client.send(chat_bytes(model="gone", stream=True))
    poe.wait_query("gone")
    time.sleep(0.2)
    client.close()
    assert "hung_up=yes" in gateway.wait_log("model=gone", start=before)
    with gateway.client() as other:
        other.chat(model="cut", stream=True).read()
    assert "error=upstream_cut_off" in gateway.wait_log("model=cut", start=before)
    with gateway.client() as other:
        other.chat(model="no").read()
    assert "status=403" in gateway.wait_log("model=no", start=before)
    assert "Traceback" not in gateway.log()[before:]


@pytest.mark.parametrize("level", ["info", "debug"])
def test_no_key_is_ever_written(make_gateway: GatewayFactory, poe: ScriptedPoe, level: str) -> None:
    gateway = make_gateway(
        LOG_LEVEL=level, POE_API_KEYS="owners-secret-one,owners-secret-two", ACCESS_TOKENS="open-secret"
    )
    poe.script("bot", error_reply(401, f"Invalid token {SECRET_KEY}"))
    with gateway.client() as client:
        for key in (SECRET_KEY, "open-secret", "wrong\tsecret"):
            client.chat(model="bot", key=key, messages=QUESTION).read()
        client.request(
            "GET", f"/v1/models?key={SECRET_KEY}", None, {"x-api-key": SECRET_KEY, "Referer": SECRET_KEY}
        ).read()
        client.request("POST", f"/v1/chat/completions?api_key={SECRET_KEY}", b"{}", {"x-api-key": SECRET_KEY}).read()
    gateway.wait_log("/v1/models")
    time.sleep(0.3)
    log = gateway.log()
    assert "secret" not in log
    assert (SECRET_TEXT in log) == (level == "debug")


@pytest.mark.parametrize(
    "name",
    [
        "a\nINFO poe2openai: forged",
        "a\r\nforged",
        "a\u2028forged",
        "a\x1b[2Jforged",
        'a" status=200 forged="',
        "a\x85forged",
    ],
)
def test_no_line_can_be_forged(gateway: Gateway, poe: ScriptedPoe, name: str) -> None:
    before = len(gateway.log())
    with gateway.client() as client:
        response = client.chat(model=name)
        request_id = response.header("x-request-id") or "?"
        response.read()
    line = gateway.wait_log(request_id, start=before)
    added = gateway.log()[before:]
    assert not any(one.startswith(("forged", "INFO poe2openai: forged")) for one in added.splitlines())
    assert "\x1b" not in added
    assert line.count(" status=") == 1 or 'status=200 forged=\\"' in line


def test_paths_cannot_forge_lines_either(gateway: Gateway) -> None:
    before = len(gateway.log())
    with gateway.client() as client:
        client.send(request_bytes("GET", "/v1/%0AINFO%20forged%1b[2J%ff%u2028"))
        response = client.response()
        assert response.status in (400, 404)
        response.read()
    gateway.wait_log("forged", start=before)
    added = gateway.log()[before:]
    assert not any(line.startswith("INFO forged") for line in added.splitlines())
    assert "\x1b" not in added
