"""POST /v1/images/generations and /v1/images/edits, the views: who is let in, and what cannot be asked."""

from typing import Any

import pytest

from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway
from tests.support.poe_script import done, file
from tests.support.scripted_poe import ScriptedPoe
from tests.support.wire import KEY

URL = "https://pfst.cf2.poecdn.net/cat.png"
WISH = {"model": "bot", "prompt": "a cat", "response_format": "url"}


def post(gateway: Gateway, path: str, body: Any) -> tuple[int, Any]:
    with gateway.client() as client:
        response = client.post_json(path, body)
        return response.status, response.json()


@pytest.mark.parametrize("prefix", ["/v1", ""])
def test_both_paths_answer(gateway: Gateway, poe: ScriptedPoe, prefix: str) -> None:
    poe.script("bot", file(URL), done())
    status, answer = post(gateway, f"{prefix}/images/generations", WISH)
    assert (status, answer["data"]) == (200, [{"url": URL}])
    status, answer = post(gateway, f"{prefix}/images/edits", {**WISH, "image": URL})
    assert (status, answer["data"]) == (200, [{"url": URL}])
    first, second = poe.queries("bot")
    assert first.header("authorization") == f"Bearer {KEY}"
    assert [one["url"] for one in second.messages[-1]["attachments"]] == [URL]


def test_nobody_without_a_key_reaches_poe(gateway: Gateway, poe: ScriptedPoe) -> None:
    with gateway.client() as client:
        response = client.request("POST", "/v1/images/generations", b"{}", {"Content-Type": "application/json"})
        assert (response.status, response.json()["error"]["code"]) == (401, "invalid_api_key")
    assert not poe.queries()


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"prompt": None}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": 5}, "prompt"),
        ({"model": None}, "model"),
        ({"n": 0}, "n"),
        ({"n": 11}, "n"),
        ({"n": "two"}, "n"),
        ({"response_format": "png"}, "response_format"),
        ({"partial_images": 4}, "partial_images"),
        ({"size": {"width": 5}}, "size"),
        ({"stream": "yes"}, "stream"),
    ],
)
def test_what_cannot_be_asked_is_named(gateway: Gateway, poe: ScriptedPoe, changes: dict[str, Any], param: str) -> None:
    for path, image in (("/v1/images/generations", {}), ("/v1/images/edits", {"image": URL})):
        status, answer = post(gateway, path, {**WISH, **image, **changes})
        assert (status, answer["error"]["param"]) == (400, param)
    assert not poe.queries()


def test_null_is_as_good_as_nothing(gateway: Gateway, poe: ScriptedPoe) -> None:
    poe.script("bot", file(URL), done())
    nothing = dict.fromkeys(("n", "size", "quality", "style", "stream", "background", "seed", "user"))
    assert post(gateway, "/v1/images/generations", {**WISH, **nothing})[0] == 200
    assert "parameters" not in poe.queries("bot")[0].messages[-1]


def test_the_default_model(make_gateway: GatewayFactory, poe: ScriptedPoe) -> None:
    poe.script("painter", file(URL), done())
    gateway = make_gateway(DEFAULT_MODEL="painter")
    assert post(gateway, "/v1/images/generations", {"prompt": "a cat", "response_format": "url"})[0] == 200


@pytest.mark.parametrize("image", [5, "cat.png", "ftp://example.com/a.png", {"url": 5}, "data:image/png;base64,%"])
def test_what_is_no_picture_is_named(gateway: Gateway, poe: ScriptedPoe, image: Any) -> None:
    status, answer = post(gateway, "/v1/images/edits", {**WISH, "image": image})
    assert status == 400
    assert answer["error"]["param"].startswith("image")
    assert not poe.queries()


def test_a_form_has_numbers_as_texts(gateway: Gateway, poe: ScriptedPoe) -> None:
    poe.script("bot", file(URL), done())
    fields = {**WISH, "n": "2", "seed": "7", "image": URL}
    parts = [f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{said}\r\n' for name, said in fields.items()]
    body = ("".join(parts) + "--x--\r\n").encode()
    headers = {"Content-Type": "multipart/form-data; boundary=x", "Authorization": f"Bearer {KEY}"}
    with gateway.client() as client:
        response = client.request("POST", "/v1/images/edits", body, headers)
        assert response.status == 200
        assert len(response.json()["data"]) == 2
