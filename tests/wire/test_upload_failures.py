"""Where a file cannot be handed to Poe the client hears which part it was and who refused it, and no bot is asked."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway
from tests.support.poe_script import (
    Step,
    cut,
    done,
    error_reply,
    head,
    hold,
    html_reply,
    json_reply,
    reply,
    reset,
    text,
)
from tests.support.received import Received
from tests.support.sample_files import png
from tests.support.scripted_poe import ScriptedPoe
from tests.support.sending import BOT, ask, attached, body_of, file, image, image_at, new_key, post, tried, user
from tests.support.wire import Client, request_bytes

PICTURE = user("Look.", image(png()))
PLACE = "messages[0].content[1].image_url"
RING = {"POE_API_KEYS": "poe-key-one,poe-key-two", "ACCESS_TOKENS": '["let-me-in"]'}


@pytest.fixture
def bot(poe: ScriptedPoe) -> ScriptedPoe:
    poe.script(BOT, text("ok"), done())
    return poe


@pytest.mark.parametrize(
    ("steps", "status", "code", "who"),
    [
        (error_reply(400, "too strange"), 400, "invalid_request", "Poe did not take"),
        (error_reply(401, "Invalid key"), 401, "invalid_api_key", "Poe did not take"),
        (error_reply(403, "not yours"), 403, "permission_denied", "Poe did not take"),
        (error_reply(413, "too large"), 413, "request_too_large", "Poe did not take"),
        (error_reply(402, "no points"), 429, "insufficient_quota", "Poe did not take"),
        (error_reply(404, "no such page"), 502, "upstream_invalid", "Poe did not take"),
        (html_reply(200), 502, "upstream_invalid", "Poe did not take"),
        (html_reply(403), 403, "permission_denied", "Poe did not take"),
        (reply(200, b'{"attach', "application/json"), 502, "upstream_invalid", "Poe did not take"),
        (json_reply(200, {"attachment_url": None}), 502, "upstream_invalid", "Poe did not take"),
        ([cut()], 502, "upstream_cut_off", "The gateway could not hand over"),
        ([reset()], 502, "upstream_cut_off", "The gateway could not hand over"),
    ],
)
def test_the_client_hears_what_happened(  # noqa: PLR0917 - the columns of its table
    gateway: Gateway, bot: ScriptedPoe, steps: Sequence[Step], status: int, code: str, who: str
) -> None:
    key = new_key()
    bot.route("POST /upload", steps)
    for stream in (False, True):
        answered, answer = ask(gateway, PICTURE, key=key, stream=stream)
        error = answer["error"]
        assert (answered, error["param"]) == (status, PLACE), error
        assert error["message"].startswith(f"{who} the file at '{PLACE}': ")
        assert error["code"] == code
        assert error.keys() == {"message", "type", "param", "code"}
        assert key not in str(answer)
    assert not bot.queries()
    assert key not in gateway.log()


def test_the_bare_key_is_tried_once_more_as_bearer(gateway: Gateway, bot: ScriptedPoe) -> None:
    bot.route("POST /upload", error_reply(401, "Missing API key"))
    bot.route_by("POST /upload", bot.take_upload)
    key = new_key()
    assert ask(gateway, PICTURE, key=key)[0] == 200
    assert [request.header("authorization") for request in tried(bot)] == [key, f"Bearer {key}"]


@pytest.mark.parametrize("steps", [error_reply(500, "oops"), error_reply(503, "busy"), [reset()]])
def test_a_passing_fault_is_tried_again(gateway: Gateway, bot: ScriptedPoe, steps: Sequence[Step]) -> None:
    bot.route("POST /upload", steps)
    bot.route("POST /upload", steps)
    bot.route_by("POST /upload", bot.take_upload)
    assert ask(gateway, PICTURE, key=new_key())[0] == 200
    assert bot.uploads[0].data == png()
    assert len(bot.queries(BOT)) == 1


def test_a_fault_that_stays_is_told(gateway: Gateway, bot: ScriptedPoe) -> None:
    bot.route("POST /upload", error_reply(500, "oops"))
    status, answer = ask(gateway, PICTURE, key=new_key())
    assert status in (500, 502)
    assert answer["error"]["param"] == PLACE
    assert len(tried(bot)) == 3


def test_poes_wish_for_patience_is_waited_for_or_handed_on(gateway: Gateway, bot: ScriptedPoe) -> None:
    bot.route("POST /upload", error_reply(429, "slow down", {"Retry-After": "1"}))
    bot.route_by("POST /upload", bot.take_upload)
    began = time.monotonic()
    assert ask(gateway, PICTURE, key=new_key())[0] == 200
    assert time.monotonic() - began >= 1
    bot.reset()
    bot.route("POST /upload", error_reply(429, "slow down", {"Retry-After": "77"}))
    with gateway.client() as client:
        response = post(client, body_of([PICTURE]), new_key())
        assert (response.status, response.header("retry-after")) == (429, "77")
        assert response.json()["error"]["code"] == "rate_limit_exceeded"
    assert len(tried(bot)) == 1


@pytest.mark.parametrize("status", [401, 402, 429])
def test_the_gateways_next_key_is_tried(make_gateway: GatewayFactory, bot: ScriptedPoe, status: int) -> None:
    gateway = make_gateway(RING, fresh=True)
    refused: list[str] = []

    def answer(request: Received) -> Sequence[Step]:
        key = (request.header("authorization") or "").removeprefix("Bearer ")
        if refused and key != refused[0]:
            return bot.take_upload(request)
        refused.append(key)
        return error_reply(status, f"not with {key}", {"Retry-After": "60"})

    bot.route_by("POST /upload", answer)
    assert ask(gateway, PICTURE, key="let-me-in")[0] == 200
    assert bot.uploads[0].authorization not in refused
    assert ask(gateway, PICTURE, key="let-me-in")[0] == 200
    assert len(bot.uploads) == 1


def test_where_no_key_serves_a_guest_learns_none(make_gateway: GatewayFactory, bot: ScriptedPoe) -> None:
    gateway = make_gateway(RING, fresh=True)
    bot.route_by("POST /upload", lambda request: error_reply(401, f"Invalid key {request.header('authorization')}"))
    status, answer = ask(gateway, PICTURE, key="let-me-in")
    assert status == 401
    assert "gateway's own key" in answer["error"]["message"]
    for secret in ("poe-key-one", "poe-key-two", "let-me-in"):
        assert secret not in str(answer)
        assert secret not in gateway.log()


def test_nothing_half_uploaded_goes_on(gateway: Gateway, bot: ScriptedPoe) -> None:
    def answer(request: Received) -> Sequence[Step]:
        return error_reply(400, "not this one") if b"third" in request.body else bot.take_upload(request)

    bot.route_by("POST /upload", answer)
    parts = [file(name.encode(), f"{name}.txt") for name in ("first", "second", "third", "fourth")]
    message = user("Look.", *parts)
    status, told = ask(gateway, message, key=new_key())
    assert (status, told["error"]["param"]) == (400, "messages[0].content[3].file.file_data")
    assert not bot.queries()


def test_a_part_deep_in_the_dialogue_is_named(gateway: Gateway, bot: ScriptedPoe) -> None:
    bot.route("POST /upload", error_reply(400, "not this one"))
    first = user("Hi", image_at("https://pfst.cf2.poecdn.net/a.png"))
    status, answer = ask(
        gateway, first, {"role": "assistant", "content": "Hi."}, user("And", image(png())), key=new_key()
    )
    assert (status, answer["error"]["param"]) == (400, "messages[2].content[1].image_url")


@pytest.mark.parametrize("steps", [[hold(), head(200, {})], [head(200, {}), b"{", hold()]])
@pytest.mark.parametrize("stream", [False, True])
def test_the_upload_ends_when_its_client_leaves(
    gateway: Gateway, bot: ScriptedPoe, steps: list[Step], stream: bool
) -> None:
    bot.route("POST /upload", steps)
    with gateway.client() as client:
        _send(client, new_key(), stream=stream)
        bot.wait_for(tried)
        left = time.monotonic()
        client.abort()
    assert tried(bot)[0].hung_up_after(left) < 4.0
    assert not bot.queries()


@pytest.mark.parametrize("steps", [[hold(), head(200, {})], [head(200, {}), b"{", hold()]])
def test_several_uploads_end_when_their_client_leaves(gateway: Gateway, bot: ScriptedPoe, steps: list[Step]) -> None:
    bot.route("POST /upload", steps)
    parts = [file(b"%d" % number, f"{number}.txt") for number in range(6)]
    with gateway.client() as client:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {new_key()}"}
        client.send(request_bytes("POST", "/v1/chat/completions", body_of([user("Look.", *parts)]), headers))
        bot.wait_for(lambda poe: len(tried(poe)) == 4)
        left = time.monotonic()
        client.abort()
    assert max(each.hung_up_after(left) for each in tried(bot)) < 4.0
    assert len(tried(bot)) == 4, "the next ones were begun though nobody wants them"


def test_a_failure_is_everybodys_who_waited_and_is_not_remembered(gateway: Gateway, bot: ScriptedPoe) -> None:
    def refuse(request: Received) -> Sequence[Step]:
        time.sleep(0.7)
        return error_reply(400, "too strange")

    bot.route_by("POST /upload", refuse)
    key = new_key()
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda _: ask(gateway, PICTURE, key=key), range(3)))
    assert [status for status, _ in results] == [400] * 3
    assert len(tried(bot)) == 1
    bot.reset()
    bot.script(BOT, text("ok"), done())
    assert ask(gateway, PICTURE, key=key)[0] == 200
    assert len(attached(bot.queries(BOT)[0])) == 1


def _send(client: Client, key: str, *, stream: bool) -> None:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    client.send(request_bytes("POST", "/v1/chat/completions", body_of([PICTURE], stream=stream), headers))
