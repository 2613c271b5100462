"""/v1/videos, the views: who is let in, and what cannot be asked."""

from typing import Any

import pytest

from tests.support.gateway import Gateway
from tests.support.poe_script import hold, replace
from tests.support.scripted_poe import ScriptedPoe
from tests.support.sending import new_key

CALLS = [
    ("POST", "/v1/videos"),
    ("GET", "/v1/videos"),
    ("GET", "/v1/videos/video_0"),
    ("DELETE", "/v1/videos/video_0"),
    ("GET", "/v1/videos/video_0/content"),
    ("POST", "/v1/videos/video_0/remix"),
]


def ask(gateway: Gateway, method: str, path: str, body: Any = None, key: str | None = None) -> tuple[int, Any]:
    with gateway.client() as client:
        if body is not None:
            response = client.post_json(path, body, key=key or "key")
        else:
            response = client.request(method, path, headers={"Authorization": f"Bearer {key}"} if key else {})
        return response.status, response.json()


def test_both_paths_answer(gateway: Gateway, poe: ScriptedPoe) -> None:
    poe.script("held", replace("Generating video... (1s elapsed)"), hold())
    key = new_key()
    for prefix in ("/v1", ""):
        status, video = ask(gateway, "POST", f"{prefix}/videos", {"model": "held", "prompt": "x", "seconds": 4}, key)
        assert (status, video["object"], video["seconds"], video["size"]) == (200, "video", "4", "auto")
        assert ask(gateway, "GET", f"{prefix}/videos/{video['id']}", key=key)[1]["id"] == video["id"]
        assert ask(gateway, "GET", f"{prefix}/videos?limit=1", key=key)[1]["first_id"] == video["id"]
        assert ask(gateway, "GET", f"{prefix}/videos/{video['id']}/content", key=key)[0] == 400
        assert ask(gateway, "DELETE", f"{prefix}/videos/{video['id']}", key=key)[1]["deleted"] is True


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_nobody_without_a_key_comes_in(gateway: Gateway, poe: ScriptedPoe, method: str, path: str) -> None:
    status, answer = ask(gateway, method, path)
    assert (status, answer["error"]["code"]) == (401, "invalid_api_key")
    assert not poe.queries()


@pytest.mark.parametrize(("method", "path"), CALLS[2:])
def test_an_unknown_one(gateway: Gateway, method: str, path: str) -> None:
    body = {"prompt": "x"} if method == "POST" else None
    status, answer = ask(gateway, method, path, body, new_key())
    assert (status, answer["error"]["code"]) == (404, "not_found")
    assert "video_0" in answer["error"]["message"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": "bot"}, "prompt"),
        ({"prompt": "x"}, "model"),
        ({"model": "bot", "prompt": "x", "size": 5}, "size"),
        ({"model": "bot", "prompt": "x", "seconds": []}, "seconds"),
        ({"model": "bot", "prompt": "x", "input_reference": "a.png"}, "input_reference"),
    ],
)
def test_what_cannot_be_asked_is_named(gateway: Gateway, poe: ScriptedPoe, body: Any, param: str) -> None:
    status, answer = ask(gateway, "POST", "/v1/videos", body)
    assert status == 400
    assert answer["error"]["param"].startswith(param)
    assert not poe.queries()


@pytest.mark.parametrize("limit", ["0", "x", "-1", "1.5", "%C2%B2", "9" * 40])
def test_a_wrong_limit(gateway: Gateway, limit: str) -> None:
    status, answer = ask(gateway, "GET", f"/v1/videos?limit={limit}", key=new_key())
    assert (status, answer["error"]["param"]) == (400, "limit")
