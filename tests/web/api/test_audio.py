"""POST /v1/audio/speech, /transcriptions and /translations, the views: who is let in, and what cannot be asked."""

import base64
from typing import Any

import pytest

from tests.support import sample_files
from tests.support.gateway import Gateway
from tests.support.poe_script import done, file, hold, text
from tests.support.scripted_poe import ScriptedPoe
from tests.support.wire import KEY

SOUND = {"input_audio": {"data": base64.b64encode(sample_files.wav()).decode(), "format": "wav"}}
PATHS = ["speech", "transcriptions", "translations"]


def post(gateway: Gateway, path: str, body: Any) -> tuple[int, Any]:
    with gateway.client() as client:
        response = client.post_json(f"/v1/audio/{path}", body)
        return response.status, response.json()


@pytest.mark.parametrize("prefix", ["/v1", ""])
def test_both_paths_answer(gateway: Gateway, poe: ScriptedPoe, prefix: str) -> None:
    poe.script("speaker", file(poe.serve("a.mp3", sample_files.mp3(), "audio/mpeg"), "audio/mpeg"), done())
    poe.script("writer", text("Hello."), done())
    with gateway.client() as client:
        response = client.post_json(f"{prefix}/audio/speech", {"model": "speaker", "input": "x"})
        assert (response.status, response.header("content-type")) == (200, "audio/mpeg")
        assert response.read() == sample_files.mp3()
        for path in PATHS[1:]:
            response = client.post_json(f"{prefix}/audio/{path}", {"model": "writer", **SOUND})
            assert (response.status, response.json()["text"]) == (200, "Hello.")


@pytest.mark.parametrize("path", PATHS)
def test_nobody_without_a_key_reaches_poe(gateway: Gateway, poe: ScriptedPoe, path: str) -> None:
    with gateway.client() as client:
        response = client.request("POST", f"/v1/audio/{path}", b"{}", {"Content-Type": "application/json"})
        assert (response.status, response.json()["error"]["code"]) == (401, "invalid_api_key")
    assert not poe.queries()


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("speech", {"model": "bot"}, "input"),
        ("speech", {"model": "bot", "input": ""}, "input"),
        ("speech", {"input": "x"}, "model"),
        ("speech", {"model": "bot", "input": "x", "speed": 0}, "speed"),
        ("speech", {"model": "bot", "input": "x", "stream_format": "mp3"}, "stream_format"),
        ("transcriptions", {"model": "bot"}, "file"),
        ("transcriptions", {"model": "bot", "input_audio": {"data": "%"}}, "input_audio"),
        ("transcriptions", {"model": "bot", "response_format": "xml", **SOUND}, "response_format"),
        ("transcriptions", {"model": "bot", "response_format": "diarized_json", **SOUND}, "response_format"),
        ("transcriptions", {"model": "bot", "temperature": 3, **SOUND}, "temperature"),
        ("transcriptions", SOUND, "model"),
        ("translations", {"model": "bot"}, "file"),
    ],
)
def test_what_cannot_be_asked_is_named(gateway: Gateway, poe: ScriptedPoe, path: str, body: Any, param: str) -> None:
    status, answer = post(gateway, path, body)
    assert status == 400
    assert answer["error"]["param"].startswith(param)
    assert not poe.queries()


def test_a_voice_of_ones_own(gateway: Gateway, poe: ScriptedPoe) -> None:
    poe.script("bot", file(poe.serve("a.mp3", sample_files.mp3(), "audio/mpeg"), "audio/mpeg"), done())
    with gateway.client() as client:
        body = {"model": "bot", "input": "x", "voice": {"id": "voice_1234"}}
        assert client.post_json("/v1/audio/speech", body).status == 200
    assert poe.queries("bot")[0].messages[-1]["parameters"] == {"voice": "voice_1234"}


def test_whoever_leaves_ends_the_transcript(gateway: Gateway, poe: ScriptedPoe) -> None:
    poe.script("leaving", text("Hello there"), hold())
    start = len(gateway.log())
    with gateway.client() as client:
        response = client.post_json("/v1/audio/transcriptions", {"model": "leaving", "stream": True, **SOUND}, key=KEY)
        assert next(response.events()).json["delta"]
    assert poe.wait_query("leaving").ended.wait(5)
    assert poe.queries("leaving")[0].left_at is not None
    assert "hung_up=yes" in gateway.wait_log("model=leaving", start=start)
