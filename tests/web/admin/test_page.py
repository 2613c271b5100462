"""What all admin pages share, under a prefix as well."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from poe2openai.web.admin.page import PAGES
from tests.support.admin import PASSWORD
from tests.support.apps import app_for
from tests.support.scripted_poe import ScriptedPoe


@pytest.fixture
def app(poe: ScriptedPoe, tmp_path: Path) -> Iterator[Flask]:
    with app_for(poe.url, tmp_path, admin_password=PASSWORD) as made:
        yield made


def logged_in(app: Flask, prefix: str = "") -> FlaskClient:
    client = app.test_client()
    base = {"SCRIPT_NAME": prefix}
    page = client.get("/admin/login", environ_overrides=base).text
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found is not None
    form = {"username": "admin", "password": PASSWORD, "csrf_token": found[1]}
    assert client.post("/admin/login", data=form, environ_overrides=base).status_code == 303
    return client


@pytest.mark.parametrize("name", PAGES)
def test_each_page_marks_where_one_is(app: Flask, name: str) -> None:
    page = logged_in(app).get(PAGES[name]).text
    assert re.findall(r'<a href="([^"]+)" aria-current="page">', page) == [PAGES[name]]


def test_behind_a_prefix_all_links_have_it(app: Flask) -> None:
    client = logged_in(app, "/poe")
    page = client.get("/admin/connect", environ_overrides={"SCRIPT_NAME": "/poe"}).text
    inner = [link for link in re.findall(r'(?:href|src|action)="(/[^"]*)"', page) if not link.startswith("//")]
    assert inner
    assert [link for link in inner if not link.startswith("/poe/")] == []


def test_a_broken_models_yaml_is_told_on_every_page(app: Flask, tmp_path: Path) -> None:
    client = logged_in(app)
    assert "models.yaml in order" in client.get("/admin/connect").text
    (tmp_path / "models.yaml").write_text("models: [")
    assert "models.yaml is broken" in _eventually(client)


def test_a_script_is_told_401_and_a_browser_is_led_to_the_login(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/admin/keys", headers={"Accept": "text/html,*/*;q=0.8"}).status_code == 303
    assert client.get("/admin/keys", headers={"Accept": "application/json"}).status_code == 401


def _eventually(client: FlaskClient) -> str:
    import time

    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        page = client.get("/admin/connect").text
        if "is broken" in page:
            break
        time.sleep(0.05)
    return page
