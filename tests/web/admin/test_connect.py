"""The page with the clients' settings, as the server fills it in; test_playground_browser.py has its script."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from poe2openai.web.services import EXTENSION
from tests.support.admin import PASSWORD
from tests.support.apps import app_for
from tests.support.scripted_poe import ScriptedPoe

PAGE = "/admin/connect"


@pytest.fixture
def app(poe: ScriptedPoe, tmp_path: Path) -> Iterator[Flask]:
    with app_for(poe.url, tmp_path, admin_password=PASSWORD) as made:
        yield made
        made.extensions[EXTENSION].live.close()


def log_in(app: Flask, base_url: str = "http://localhost") -> FlaskClient:
    client = app.test_client()
    page = client.get("/admin/login", base_url=base_url).get_data(as_text=True)
    token = re.search(r'name="csrf-token" content="([^"]+)"', page)
    assert token
    form = {"username": "admin", "password": PASSWORD, "csrf_token": token[1]}
    assert client.post("/admin/login", data=form, base_url=base_url).status_code == 303
    return client


def page_of(client: FlaskClient, **options: Any) -> str:
    answer = client.get(PAGE, **options)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def test_strangers_are_sent_to_log_in(app: Flask) -> None:
    answer = app.test_client().get(PAGE, headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/admin/login?next=connect")


def test_the_address_is_filled_in_without_a_script(app: Flask) -> None:
    page = page_of(log_in(app, "http://gateway.test:8443"), base_url="http://gateway.test:8443")
    assert ">http://gateway.test:8443/v1</span>" in page
    assert "curl -N http://gateway.test:8443/v1/chat/completions" in page
    assert "OPENAI_PROXY_URL=http://gateway.test:8443/v1" in page
    assert not re.search(r">[^<]*\{(?:address|base_url|container|key|model)\}[^<]*</span>", page)


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1:8080", "[::1]:8080"])
def test_a_container_reaches_this_machine_by_another_name(app: Flask, host: str) -> None:
    page = page_of(log_in(app, f"http://{host}"), base_url=f"http://{host}")
    assert "OPENAI_API_BASE_URL=http://host.docker.internal:8080/v1" in page
    assert f"http://{host}/v1" in page


def test_a_hostile_host_header_gets_nowhere(app: Flask) -> None:
    page = page_of(log_in(app), headers={"Host": "localhost"}, environ_overrides={"HTTP_HOST": "x$(reboot).test"})
    assert "reboot" not in page


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({}, "A Poe API key"),
        ({"poe_api_keys": ("k",), "access_tokens": ("t",)}, "An access token, or a Poe API key"),
        (
            {"poe_api_keys": ("k",), "access_tokens": ("t",), "allow_client_keys": False},
            "An access token of this gateway",
        ),
    ],
)
def test_the_kind_of_key_is_said(poe: ScriptedPoe, tmp_path: Path, settings: dict[str, Any], hint: str) -> None:
    with app_for(poe.url, tmp_path, admin_password=PASSWORD, **settings) as app:
        page = page_of(log_in(app))
        app.extensions[EXTENSION].live.close()
    assert f'<div class="value">{hint}</div>' in page
    assert 'value="k"' not in page


def test_the_choice_of_a_model_is_explained_to_whoever_cannot_see_it(app: Flask) -> None:
    page = page_of(log_in(app))
    assert '<select id="model" aria-describedby="model-note">' in page
    assert '<small id="model-note">Stands in all settings below.</small>' in page


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/messages"])
def test_a_client_is_shown_once_its_dialect_is_served(app: Flask, path: str) -> None:
    name = {"/v1/responses": "Codex", "/v1/messages": "Claude Code"}[path]
    served = {rule.rule for rule in app.url_map.iter_rules()}
    assert (f'data-name="{name}"' in page_of(log_in(app))) == (path in served)


@pytest.mark.parametrize(("path", "name"), [("/v1/responses", "Codex"), ("/v1/messages", "Claude Code")])
def test_a_new_route_brings_its_client(app: Flask, path: str, name: str) -> None:
    app.add_url_rule(path, endpoint="a_dialect", view_func=lambda: "", methods=["POST"])
    assert f'data-name="{name}"' in page_of(log_in(app))


@pytest.mark.parametrize(("language", "title"), [("en", "Connect"), ("zh-CN", "接入"), ("zh-TW", "串接")])
def test_it_speaks_three_languages(app: Flask, language: str, title: str) -> None:
    client = log_in(app)
    page = page_of(client, headers={"Accept-Language": language})
    assert f'<html lang="{language}">' in page
    assert f"<h1>{title}</h1>" in page
