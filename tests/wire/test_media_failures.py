"""Pictures, sounds and films that Poe or a bot does not give: what a client hears, and what is left undone."""

import json
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pytest

from tests.support import sample_files
from tests.support.fetching import Trap
from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway
from tests.support.poe_script import (
    Step,
    cut,
    done,
    error,
    error_reply,
    file,
    head,
    hold,
    html_reply,
    pause,
    replace,
    reset,
    text,
)
from tests.support.scripted_poe import ScriptedPoe
from tests.support.sending import new_key
from tests.support.waiting import comes
from tests.support.wire import Client, request_bytes

PNG = sample_files.png()
PROGRESS = replace("Generating image... (1s elapsed)")

BODIES: dict[str, dict[str, Any]] = {
    "/v1/images/generations": {"model": "bot", "prompt": "a secret wish"},
    "/v1/audio/speech": {"model": "bot", "input": "a secret wish"},
}
STREAMS: dict[str, dict[str, Any]] = {
    "/v1/images/generations": {"stream": True},
    "/v1/audio/speech": {"stream_format": "sse"},
}
TYPES = {"insufficient_quota": "insufficient_quota", "rate_limit_exceeded": "requests"}
SHAPE = {"message", "type", "param", "code"}


class Case(NamedTuple):
    """What Poe answers, and what the client hears."""

    steps: Sequence[Step]
    status: int
    code: str
    said: str


def post(gateway: Gateway, path: str, body: Any, key: str) -> tuple[int, Any, dict[str, str]]:
    with gateway.client() as client:
        response = client.post_json(path, body, key=key)
        return response.status, response.json(), dict(response.headers)


def begun(gateway: Gateway, path: str, body: Any) -> Client:
    """A client that has asked, and waits."""
    client = gateway.client()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {new_key()}"}
    client.send(request_bytes("POST", path, json.dumps(body).encode(), headers))
    return client


class TestPoesErrors:
    @pytest.mark.parametrize("path", BODIES)
    @pytest.mark.parametrize(
        "case",
        [
            Case(error_reply(401, "Invalid token"), 401, "invalid_api_key", "key"),
            Case(error_reply(402, "no points"), 429, "insufficient_quota", "no points"),
            Case(error_reply(404, "Bot does not exist"), 404, "model_not_found", "does not"),
            Case(error_reply(429, "slow", {"Retry-After": "77"}), 429, "rate_limit_exceeded", "slow"),
            Case(html_reply(200), 502, "upstream_invalid", ""),
            Case([error("The bot is broken.")], 400, "invalid_request", "The bot is broken."),
            Case([PROGRESS, error("It was moderated.")], 400, "invalid_request", "moderated"),
            Case([PROGRESS, error("x", "insufficient_fund")], 429, "insufficient_quota", ""),
            Case([PROGRESS, cut()], 502, "upstream_cut_off", ""),
            Case([PROGRESS, reset()], 502, "upstream_cut_off", ""),
            Case([done()], 422, "no_file_in_answer", "nothing"),
        ],
    )
    def test_keep_their_status_and_shape(self, gateway: Gateway, poe: ScriptedPoe, path: str, case: Case) -> None:
        poe.script("bot", case.steps)
        key = new_key()
        status, answer, headers = post(gateway, path, BODIES[path], key)
        problem = answer["error"]
        assert (status, problem["code"]) == (case.status, case.code), problem
        assert problem["type"] == TYPES.get(case.code, "server_error" if status >= 500 else "invalid_request_error")
        assert problem.keys() == SHAPE
        assert case.said in problem["message"]
        assert key not in str(answer)
        assert headers["content-type"] == "application/json"
        assert headers.get("retry-after") == ("77" if case.code == "rate_limit_exceeded" else None)

    @pytest.mark.parametrize("path", BODIES)
    def test_before_a_stream_keep_their_status_too(self, gateway: Gateway, poe: ScriptedPoe, path: str) -> None:
        poe.script("bot", error_reply(402, "no points"))
        status, answer, _ = post(gateway, path, BODIES[path] | STREAMS[path], new_key())
        assert (status, answer["error"]["code"]) == (429, "insufficient_quota")

    def test_a_passing_fault_is_tried_again(self, gateway: Gateway, poe: ScriptedPoe) -> None:
        poe.script("bot", error_reply(500, "oops"))
        poe.script("bot", file("https://pfst.cf2.poecdn.net/cat.png"), done())
        body = BODIES["/v1/images/generations"] | {"response_format": "url"}
        assert post(gateway, "/v1/images/generations", body, new_key())[0] == 200
        assert len(poe.queries("bot")) == 2

    def test_one_that_stays_is_told(self, gateway: Gateway, poe: ScriptedPoe) -> None:
        poe.script("bot", error_reply(500, "Internal server error"))
        status, answer, _ = post(gateway, "/v1/images/generations", BODIES["/v1/images/generations"], new_key())
        assert (status, answer["error"]["code"]) == (500, "upstream_internal_error")
        assert len(poe.queries("bot")) == 3

    def test_one_of_several_pictures_that_fails_is_the_answer(self, gateway: Gateway, poe: ScriptedPoe) -> None:
        poe.script("bot", file("https://pfst.cf2.poecdn.net/cat.png"), done())
        poe.script("bot", error("The second was moderated."))
        body = BODIES["/v1/images/generations"] | {"response_format": "url", "n": 3}
        status, answer, _ = post(gateway, "/v1/images/generations", body, new_key())
        assert (status, answer["error"]["message"]) == (400, "The second was moderated.")

    def test_midway_in_a_stream_are_an_event_and_no_good_end(self, gateway: Gateway, poe: ScriptedPoe) -> None:
        for last in (error("It was moderated."), cut()):
            poe.reset()
            poe.script("bot", file(poe.serve("a.png", PNG, "image/png")), pause(0.1), last)
            with gateway.client() as client:
                body = BODIES["/v1/images/generations"] | {"stream": True, "partial_images": 1}
                response = client.post_json("/v1/images/generations", body)
                assert response.status == 200
                partial, problem = response.chunks()
                assert partial["type"] == "image_generation.partial_image"
                assert problem["error"].keys() == SHAPE
                assert response.whole is False

    def test_a_passing_picture_that_cannot_be_fetched_spoils_nothing(self, gateway: Gateway, poe: ScriptedPoe) -> None:
        rough, fine = f"{poe.url}/files/9999/gone.png", poe.serve("fine.png", PNG, "image/png")
        steps: list[Step] = [file(rough, ref="a"), replace("![x][b]"), file(fine, name="fine.png", ref="b"), done()]
        poe.script("bot", steps)
        with gateway.client() as client:
            body = BODIES["/v1/images/generations"] | {"stream": True, "partial_images": 2}
            events = client.post_json("/v1/images/generations", body).chunks()
        assert events[-1].get("type") == "image_generation.completed"

    def test_the_bots_text_stands_in_the_error_cut_to_a_length(self, gateway: Gateway, poe: ScriptedPoe) -> None:
        poe.script("bot", text("I cannot draw\nthis. " + "x" * 5000), done())
        _, answer, _ = post(gateway, "/v1/images/generations", BODIES["/v1/images/generations"], new_key())
        message = answer["error"]["message"]
        assert "I cannot draw this." in message
        assert len(message) < 1000

    def test_pings_while_a_bot_paints(self, make_gateway: GatewayFactory, poe: ScriptedPoe) -> None:
        gateway = make_gateway(STREAM_PING_SECONDS="1")
        poe.script("bot", PROGRESS, pause(2.3), file(poe.serve("a.png", PNG, "image/png")), done())
        with gateway.client() as client:
            body = BODIES["/v1/images/generations"] | {"stream": True}
            events = list(client.post_json("/v1/images/generations", body).events())
        assert [event.data is None for event in events] == [True, True, False]

    @pytest.mark.parametrize("path", BODIES)
    def test_pings_while_a_bot_says_nothing(self, make_gateway: GatewayFactory, poe: ScriptedPoe, path: str) -> None:
        gateway = make_gateway(STREAM_PING_SECONDS="1")
        name, media_type = ("a.wav", "audio/wav") if "audio" in path else ("a.png", "image/png")
        data = sample_files.wav() if "audio" in path else PNG
        poe.script("bot", pause(2.3), file(poe.serve(name, data, media_type), media_type, name), done())
        with gateway.client() as client:
            events = list(client.post_json(path, BODIES[path] | STREAMS[path]).events())
        assert events[0].data is None
        assert events[-1].data is not None


@pytest.fixture
def trap() -> Iterator[Trap]:
    trap = Trap()
    yield trap
    for listener in trap.listeners:
        listener.close()


class TestPlacesThatAreNotPoes:
    """A bot may name any address; the gateway is nobody's way into its own network."""

    def forms(self, port: int) -> list[str]:
        return [
            f"http://127.0.0.1:{port}/a.png",
            f"http://localhost:{port}/a.png",
            f"http://[::1]:{port}/a.png",
            f"http://[::ffff:127.0.0.1]:{port}/a.png",
            f"http://2130706433:{port}/a.png",
            f"http://pfst.cf2.poecdn.net@127.0.0.1:{port}/a.png",
            f"https://127.0.0.1:{port}/a.png",
            "http://127.0.0.1:8080/a.png",
            "http://169.254.169.254/latest/meta-data/a.png",
            "http://10.0.0.1/a.png",
            "http://[fd00::1]/a.png",
            "file:///etc/passwd",
            "gopher://127.0.0.1/_a.png",
            "a.png",
        ]

    @pytest.mark.parametrize("path", BODIES)
    def test_are_not_asked(self, gateway: Gateway, poe: ScriptedPoe, path: str, trap: Trap) -> None:
        kind = "audio/wav" if "audio" in path else "image/png"
        for url in self.forms(trap.port):
            poe.reset()
            poe.script("bot", file(url, kind), done())
            extra = {} if "audio" in path else {"response_format": "b64_json"}
            status, answer, _ = post(gateway, path, BODIES[path] | extra, new_key())
            problem = answer["error"]
            assert (status, problem["type"]) == (502, "server_error"), (url, problem)
            assert problem["message"].startswith("The bot's file could not be fetched."), url
            assert "root:" not in problem["message"]
        assert trap.visits() == 0

    def test_by_a_redirect_neither(self, gateway: Gateway, poe: ScriptedPoe, trap: Trap) -> None:
        """Also from Poe's own address: a redirect there is no file."""
        to = {"Location": f"http://127.0.0.1:{trap.port}/a.png", "Content-Type": "text/plain"}
        poe.route("GET /files/x.png", head(302, to))
        poe.script("bot", file(f"{poe.url}/files/x.png"), done())
        body = BODIES["/v1/images/generations"] | {"response_format": "b64_json"}
        status, answer, _ = post(gateway, "/v1/images/generations", body, new_key())
        assert (status, answer["error"]["type"]) == (502, "server_error")
        assert trap.visits() == 0

    def test_in_a_stream_and_for_a_film(self, gateway: Gateway, poe: ScriptedPoe, trap: Trap) -> None:
        poe.script("bot", file(f"http://127.0.0.1:{trap.port}/a.png"), done())
        poe.script("filmer", file(f"http://127.0.0.1:{trap.port}/a.mp4", "video/mp4"), done())
        key = new_key()
        with gateway.client() as client:
            body = BODIES["/v1/images/generations"] | {"stream": True, "partial_images": 2}
            response = client.post_json("/v1/images/generations", body, key=key)
            assert (response.status, response.json()["error"]["type"]) == (502, "server_error")
        video = post(gateway, "/v1/videos", {"model": "filmer", "prompt": "x"}, key)[1]
        headers = {"Authorization": f"Bearer {key}"}

        def content() -> tuple[int, Any]:
            with gateway.client() as client:
                response = client.request("GET", f"/v1/videos/{video['id']}/content", headers=headers)
                return response.status, response.json()

        assert comes(lambda: content()[0] == 502)
        assert content()[1]["error"]["message"].startswith("The bot's file could not be fetched.")
        assert trap.visits() == 0

    def test_no_key_goes_where_the_file_lies(self, gateway: Gateway, poe: ScriptedPoe) -> None:
        poe.script("bot", file(poe.serve("a.png", PNG, "image/png")), done())
        key = new_key()
        assert post(gateway, "/v1/images/generations", BODIES["/v1/images/generations"], key)[0] == 200
        (fetch,) = [request for request in poe.requests if request.path.startswith("/files/")]
        assert key not in str(fetch.headers)
        assert fetch.header("authorization") is None

    def test_a_file_that_breaks_off_gives_no_picture(self, gateway: Gateway, poe: ScriptedPoe) -> None:
        poe.route("GET /files/x.png", head(200, {"Content-Type": "image/png"}), PNG[:40], cut())
        poe.script("bot", file(f"{poe.url}/files/x.png"), done())
        body = BODIES["/v1/images/generations"]
        status, answer, _ = post(gateway, "/v1/images/generations", body, new_key())
        assert (status, answer["error"]["code"]) == (502, "upstream_cut_off")


class TestHangingUp:
    @pytest.mark.parametrize(
        ("path", "extra"),
        [
            ("/v1/images/generations", {}),
            ("/v1/images/generations", {"n": 2}),
            ("/v1/images/generations", {"stream": True}),
            ("/v1/audio/speech", {}),
            ("/v1/chat/completions", {"messages": [{"role": "user", "content": "x"}], "modalities": ["image"]}),
        ],
    )
    def test_ends_the_query(self, gateway: Gateway, poe: ScriptedPoe, path: str, extra: dict[str, Any]) -> None:
        poe.script("bot", PROGRESS, hold())
        count = extra.get("n", 1)
        client = begun(gateway, path, BODIES.get(path, {"model": "bot"}) | extra)
        queries = [poe.wait_query("bot", number) for number in range(1, count + 1)]
        time.sleep(0.2)
        left = time.monotonic()
        client.close()
        for query in queries:
            assert query.hung_up_after(left) < 5.0

    @pytest.mark.parametrize("path", BODIES)
    def test_ends_the_fetching_of_a_file(self, gateway: Gateway, poe: ScriptedPoe, path: str) -> None:
        media_type = "audio/wav" if "audio" in path else "image/png"
        poe.route("GET /files/x", head(200, {"Content-Type": media_type}), PNG, hold())
        poe.script("bot", file(f"{poe.url}/files/x", media_type), done())
        client = begun(gateway, path, BODIES[path])
        (fetch,) = poe.wait_for(lambda poe: [one for one in poe.requests if one.path == "/files/x"])
        time.sleep(0.2)
        left = time.monotonic()
        client.close()
        assert fetch.hung_up_after(left) < 5.0

    def test_does_not_end_a_film(self, gateway: Gateway, poe: ScriptedPoe) -> None:
        """It outlasts who asked for it."""
        url = poe.serve("film.mp4", sample_files.mp4(), "video/mp4")
        poe.script("bot", PROGRESS, pause(1.0), file(url, "video/mp4"), done())
        key = new_key()
        with gateway.client() as client:
            video = client.post_json("/v1/videos", {"model": "bot", "prompt": "x"}, key=key).json()
        headers = {"Authorization": f"Bearer {key}"}

        def status() -> str:
            with gateway.client() as client:
                found: dict[str, str] = client.request("GET", f"/v1/videos/{video['id']}", headers=headers).json()
                return found["status"]

        assert comes(lambda: status() == "completed", 5.0)


def test_no_log_tells_keys_or_prompts(gateway: Gateway, poe: ScriptedPoe) -> None:
    key = new_key()
    for steps in ([error(f"The key {key} is wrong.")], error_reply(400, f"{key} is no key")):
        poe.reset()
        poe.script("bot", steps)
        for path, body in BODIES.items():
            status, answer, _ = post(gateway, path, body, key)
            assert status >= 400
            assert key not in str(answer)
    poe.script("sayer", text(f"{key} is what I was told"), done())
    assert post(gateway, "/v1/images/generations", {"model": "sayer", "prompt": "x"}, key)[0] == 422
    assert key not in gateway.log()
    assert "secret wish" not in gateway.log()
