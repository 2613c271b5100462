"""In, out, and the language, as one sees it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.support.admin import PASSWORD
from tests.support.apps import app_for
from tests.support.scripted_poe import ScriptedPoe


@pytest.fixture
def client(poe: ScriptedPoe, tmp_path: Path) -> Iterator[FlaskClient]:
    with app_for(poe.url, tmp_path, admin_password=PASSWORD) as app:
        yield app.test_client()


def token_in(page: str) -> str:
    found = re.search(r'<meta name="csrf-token" content="([^"]+)"', page)
    assert found is not None
    return found[1]


def log_in(client: FlaskClient, **form: str) -> tuple[int, str]:
    token = token_in(client.get("/admin/login").text)
    form = {"username": "admin", "password": PASSWORD, "csrf_token": token, **form}
    response = client.post("/admin/login", data=form)
    return response.status_code, response.text


def test_the_page_says_what_was_wrong_and_keeps_the_name(client: FlaskClient) -> None:
    status, page = log_in(client, username='<b>"me"', password="guess")
    assert status == 401
    assert "Name or password is wrong." in page
    assert 'value="&lt;b&gt;&#34;me&#34;"' in page
    assert "guess" not in page


def test_too_many_attempts_are_told_with_their_time(client: FlaskClient) -> None:
    for _ in range(5):
        log_in(client, password="guess")
    status, page = log_in(client)
    assert status == 429
    assert "Try again in 15 min." in page


def test_a_page_that_is_too_old_can_be_sent_again(client: FlaskClient) -> None:
    status, page = log_in(client, csrf_token="old")
    assert status == 403
    assert "too old" in page
    form = {"username": "admin", "password": PASSWORD, "csrf_token": token_in(page)}
    assert client.post("/admin/login", data=form).status_code == 303


def test_a_form_that_is_too_large(client: FlaskClient) -> None:
    status, _ = log_in(client, password="x" * 100_000)
    assert status in (403, 413)


def test_who_is_in_needs_no_login(client: FlaskClient) -> None:
    log_in(client)
    assert client.get("/admin/login?next=keys").headers["Location"] == "/admin/keys"


@pytest.mark.parametrize(
    ("accepted", "says"),
    [("en-GB", "Log in"), ("zh-CN,zh;q=0.9", "登录"), ("zh-TW", "登入"), ("zh-HK,en", "登入"), ("fr", "Log in")],
)
def test_it_speaks_the_browsers_language(client: FlaskClient, accepted: str, says: str) -> None:
    page = client.get("/admin/login", headers={"Accept-Language": accepted})
    assert f'<button class="primary">{says}</button>' in page.text


def test_the_language_that_was_chosen_stays(client: FlaskClient) -> None:
    assert client.get("/admin/language/zh-TW").headers["Location"] == "/admin/login"
    page = client.get("/admin/login", headers={"Accept-Language": "en"})
    assert (page.headers["Content-Language"], 'lang="zh-TW"' in page.text) == ("zh-TW", True)


def test_no_other_language_can_be_chosen(client: FlaskClient) -> None:
    response = client.get("/admin/language/xx")
    assert response.status_code == 303
    assert "Set-Cookie" not in response.headers


def test_without_a_password_the_page_says_how_to_get_in(poe: ScriptedPoe, tmp_path: Path) -> None:
    with app_for(poe.url, tmp_path / "missing") as app:
        page = app.test_client().get("/admin/login").text
        assert "ADMIN_PASSWORD is not set" in page
        assert "<input name=" not in page


def test_a_weak_password_is_warned_of_on_every_page(poe: ScriptedPoe, tmp_path: Path) -> None:
    with app_for(poe.url, tmp_path, admin_password="123456") as app:
        client = app.test_client()
        assert log_in(client, password="123456")[0] == 303
        assert "one that everybody knows" in client.get("/admin/connect").text
