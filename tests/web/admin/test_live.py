"""The list of what is under way, and its stop button, as the page uses them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from poe2openai.gateway.record import RequestRecord
from poe2openai.web.services import EXTENSION
from tests.support.admin import PASSWORD
from tests.support.apps import app_for
from tests.support.scripted_poe import ScriptedPoe
from tests.web.admin.test_login import log_in, token_in


@pytest.fixture
def app(poe: ScriptedPoe, tmp_path: Path) -> Iterator[Flask]:
    with app_for(poe.url, tmp_path, admin_password=PASSWORD) as made:
        yield made


@pytest.fixture
def owner(app: Flask) -> FlaskClient:
    client = app.test_client()
    assert log_in(client)[0] == 303
    return client


def watch(app: Flask, **values: Any) -> Any:
    record = RequestRecord("req_1", **({"model": "<img src=x>", "bot": "b", "caller": "key-1"} | values))
    return app.extensions[EXTENSION].hang_up.watch({}, record)


def csrf(client: FlaskClient) -> dict[str, str]:
    return {"X-CSRFToken": token_in(client.get("/admin/login", follow_redirects=True).text)}


def test_the_list_and_a_stop(app: Flask, owner: FlaskClient) -> None:
    assert owner.get("/admin/api/live").get_json() == {"requests": []}
    watched = watch(app, stream=True, sender=("", "", "curl/8.0"), output_characters=8)

    response = owner.get("/admin/api/live")
    assert response.content_type == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    (told,) = response.get_json()["requests"]
    assert 0 <= told.pop("age") < 60
    assert told == {
        "id": "req_1",
        "caller": "key-1",
        "client": "curl",
        "model": "<img src=x>",
        "bot": "b",
        "stream": True,
        "tokens": 2,
        "stopping": False,
    }

    stopped = owner.post("/admin/api/live/req_1/stop", headers=csrf(owner))
    assert (stopped.status_code, stopped.get_json()) == (202, {})
    assert owner.get("/admin/api/live").get_json()["requests"][0]["stopping"] is True
    watched.close()
    again = owner.post("/admin/api/live/req_1/stop", headers=csrf(owner))
    assert again.status_code == 404
    assert again.get_json()["error"]["code"] == "not_found"


def test_it_is_the_owners_alone(app: Flask) -> None:
    watched = watch(app)
    stranger = app.test_client()

    for response in (stranger.get("/admin/api/live"), stranger.post("/admin/api/live/req_1/stop")):
        assert response.status_code == 401
        assert "key-1" not in response.text
    watched.check()


def test_no_other_site_can_stop_anything(app: Flask, owner: FlaskClient) -> None:
    watched = watch(app)
    for headers in ({}, csrf(owner) | {"Origin": "https://evil.test"}, {"X-CSRFToken": "guess"}):
        assert owner.post("/admin/api/live/req_1/stop", headers=headers).status_code == 403
    assert owner.get("/admin/api/live/req_1/stop").status_code == 405
    watched.check()
