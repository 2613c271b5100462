"""Who gets in and how long: cookies, sessions, forged requests, guessed passwords. Over the wire, with two workers."""

import re
from collections.abc import Callable

import pytest

from tests.support.admin import PASSWORD, Visitor, cookie_flags
from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway

DATA = "/admin/api/live"
Visit = Callable[..., Visitor]


class TestNothingWithoutLogin:
    @pytest.mark.parametrize("path", ["/admin/", "/admin/models", "/admin/playground", "/admin/connect", "/admin/keys"])
    def test_a_page_leads_to_the_login_and_back(self, visit: Visit, path: str) -> None:
        visitor = visit()
        response = visitor.get(path, headers={"Accept": "text/html"})
        assert response.status_code == 303
        assert response.headers["location"].startswith("/admin/login")
        next_page = response.headers["location"].partition("next=")[2]
        assert visitor.log_in(next_page=next_page).headers["location"] == path

    def test_every_other_address_of_the_admin_says_401(self, visit: Visit, owned: Gateway) -> None:
        """Whatever is added later is guarded as well: the addresses are the app's own."""
        visitor = visit()
        for method, path in [("GET", DATA), ("POST", "/admin/api/playground"), ("POST", f"{DATA}/x/stop"),
                             ("GET", "/api/admin/config"), ("POST", "/api/admin/config")]:  # fmt: skip
            response = visitor.request(method, path, headers={"Accept": "application/json"})
            assert (path, response.status_code) == (path, 401)
            assert response.json()["error"]["code"] == "invalid_api_key"

    def test_a_clients_key_opens_nothing(self, visit: Visit) -> None:
        assert visit(Authorization="Bearer client-key").get(DATA).status_code == 401


class TestCookie:
    def test_no_script_and_no_other_site_gets_it(self, visit: Visit) -> None:
        visitor = visit()
        visitor.get("/admin/login")
        response = visitor.log_in()
        assert cookie_flags(response) >= {"httponly", "samesite=strict", "path=/"}
        assert "secure" not in cookie_flags(response)

    def test_behind_tls_it_stays_there(self, visit: Visit) -> None:
        visitor = visit(**{"X-Forwarded-Proto": "https"})
        assert "secure" in cookie_flags(visitor.get("/admin/login"))

    def test_each_login_makes_a_new_session(self, visit: Visit) -> None:
        """What somebody planted in the browser before is worth nothing after."""
        visitor = visit()
        visitor.get("/admin/login")
        planted, token = visitor.session, visitor.csrf
        visitor.log_in()
        assert visitor.session != planted
        assert visitor.csrf != token
        thief = visit()
        thief.cookies.set("poe2openai_admin", planted or "")
        assert thief.get(DATA).status_code == 401

    def test_a_second_login_ends_the_first_session(self, visit: Visit) -> None:
        visitor = visit()
        visitor.log_in()
        first = visitor.session or ""
        # The page that is shown to whoever is logged in already leads on; a form of before still works.
        form = {"username": "admin", "password": PASSWORD, "csrf_token": visitor.csrf}
        assert visitor.post("/admin/login", data=form).status_code == 303
        assert visitor.session != first
        thief = visit()
        thief.cookies.set("poe2openai_admin", first)
        assert thief.get(DATA).status_code == 401

    def test_after_logout_a_copy_of_it_opens_nothing(self, visit: Visit) -> None:
        visitor = visit()
        visitor.log_in()
        copied = visitor.session
        assert visitor.get(DATA).status_code == 200
        assert visitor.post("/admin/logout", data={"csrf_token": visitor.csrf}).status_code == 303
        thief = visit()
        thief.cookies.set("poe2openai_admin", copied or "")
        assert thief.get(DATA).status_code == 401
        assert visitor.get(DATA).status_code == 401

    def test_one_that_was_tampered_with_opens_nothing(self, visit: Visit) -> None:
        visitor = visit()
        visitor.log_in()
        session = visitor.session or ""
        forger = visit()
        for value in (session[:-3], session[1:], session.replace(".", ""), "x", ""):
            forger.cookies.set("poe2openai_admin", value)
            assert forger.get(DATA).status_code == 401

    def test_the_api_neither_reads_nor_sets_it(self, visit: Visit) -> None:
        visitor = visit()
        visitor.log_in()
        response = visitor.get("/v1/models")
        assert "set-cookie" not in response.headers
        assert "Cookie" not in response.headers.get("vary", "")

    def test_it_ends_when_nobody_clicks(self, make_gateway: GatewayFactory, visit: Visit) -> None:
        """The least that can be set is a minute: the clock of the storage is turned back instead."""
        gateway = make_gateway({"ADMIN_IDLE_SECONDS": "60"}, ADMIN_PASSWORD=PASSWORD, fresh=True)
        visitor = visit(gateway)
        visitor.log_in()
        assert visitor.get(DATA).status_code == 200
        _age_sessions(gateway, 61)
        assert visitor.get(DATA).status_code == 401

    def test_another_password_ends_all_sessions(self, make_gateway: GatewayFactory, visit: Visit) -> None:
        first = make_gateway(ADMIN_PASSWORD=PASSWORD, fresh=True)
        visitor = visit(first)
        visitor.log_in()
        session = visitor.session or ""
        first.stop()
        second = make_gateway(ADMIN_PASSWORD="another horse battery", CONFIG_DIR=str(first.directory), fresh=True)
        back = visit(second)
        back.cookies.set("poe2openai_admin", session)
        assert back.get(DATA).status_code == 401

    def test_a_restart_does_not(self, make_gateway: GatewayFactory, visit: Visit) -> None:
        first = make_gateway(ADMIN_PASSWORD=PASSWORD, fresh=True)
        visitor = visit(first)
        visitor.log_in()
        session = visitor.session or ""
        first.stop()
        back = visit(make_gateway(ADMIN_PASSWORD=PASSWORD, CONFIG_DIR=str(first.directory), fresh=True))
        back.cookies.set("poe2openai_admin", session)
        assert back.get(DATA).status_code == 200


def test_the_password_that_is_made_is_told_once_and_opens_the_pages(make_gateway: GatewayFactory, visit: Visit) -> None:
    gateway = make_gateway(ADMIN_PASSWORD="", WEB_CONCURRENCY="2", fresh=True)
    (password,) = re.findall(r"with the name admin and the password (\S+)", gateway.log())
    assert visit(gateway).log_in(password=password).status_code == 303
    gateway.stop()
    again = make_gateway(ADMIN_PASSWORD="", CONFIG_DIR=str(gateway.directory), fresh=True)
    assert visit(again).log_in(password=password).status_code == 303
    assert "the password" not in again.log()


class TestForgedRequests:
    """What another site can make the owner's browser send: forms, texts, JSON without a preflight."""

    @pytest.fixture
    def victim(self, visit: Visit) -> Visitor:
        visitor = visit()
        visitor.log_in()
        return visitor

    @pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "text/plain", "application/json"])
    def test_without_the_token(self, victim: Visitor, content_type: str) -> None:
        for path in ("/api/admin/config", "/admin/api/playground", "/admin/logout"):
            headers = {"Content-Type": content_type}
            response = victim.post(path, content=b'{"models": {}}', headers=headers)
            assert (path, response.status_code) == (path, 403)
        assert victim.get(DATA).status_code == 200

    def test_with_a_token_of_another_session(self, victim: Visitor, visit: Visit) -> None:
        other = visit()
        other.get("/admin/login")
        assert victim.post_json(f"{DATA}/x/stop", {}, **{"X-CSRFToken": other.csrf}).status_code == 403

    def test_the_token_alone_is_enough_here(self, victim: Visitor) -> None:
        assert victim.post_json(f"{DATA}/x/stop", {}).status_code == 404

    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "https://evil.test"},
            {"Origin": "null"},
            {"Origin": "http://127.0.0.1.evil.test"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
        ],
    )
    def test_from_another_origin(self, victim: Visitor, headers: dict[str, str]) -> None:
        assert victim.post_json(f"{DATA}/x/stop", {}, **headers).status_code == 403

    def test_from_the_own_one(self, victim: Visitor, owned: Gateway) -> None:
        own = {"Origin": owned.url, "Sec-Fetch-Site": "same-origin"}
        assert victim.post_json(f"{DATA}/x/stop", {}, **own).status_code == 404

    def test_a_login_that_another_site_forges(self, visit: Visit) -> None:
        visitor = visit()
        visitor.get("/admin/login")
        form = {"username": "admin", "password": PASSWORD}
        assert visitor.post("/admin/login", data=form).status_code == 403
        assert visitor.log_in(headers={"Origin": "https://evil.test"}).status_code == 403


class TestElsewhere:
    @pytest.mark.parametrize(
        "next_page", ["https://evil.test/", "//evil.test", "/\\evil.test", "models/../..", "nowhere"]
    )
    def test_next_leads_nowhere_else(self, visit: Visit, next_page: str) -> None:
        visitor = visit()
        assert visitor.log_in(next_page=next_page).headers["location"] == "/admin/"
        again = visitor.get("/admin/login", params={"next": next_page})
        assert again.headers["location"] == "/admin/"
        language = visitor.get("/admin/language/en", params={"next": next_page})
        assert language.headers["location"] == "/admin/login"

    def test_neither_does_the_host(self, visit: Visit) -> None:
        visitor = visit(Host="evil.test")
        for path in ("/admin/", "/admin/models", "/admin"):
            location = visitor.get(path, headers={"Accept": "text/html"}).headers["location"]
            assert re.match(r"/admin/(login|$)", location) or location == "/admin/", location
        page = visitor.get("/admin/login").text
        assert "evil.test" not in page


def test_every_answer_of_the_admin_is_for_no_cache_and_no_frame(visit: Visit) -> None:
    visitor = visit()
    visitor.log_in()
    for path in ("/admin/login", "/admin/", DATA, "/api/admin/config", "/admin/language/en"):
        headers = visitor.get(path).headers
        assert headers["cache-control"] == "no-store", path
        assert headers["x-frame-options"] == "DENY"
        policy = headers["content-security-policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy


def test_no_page_has_a_script_or_a_style_of_its_own(visit: Visit) -> None:
    visitor = visit()
    visitor.log_in()
    for path in ("/admin/", "/admin/models", "/admin/playground", "/admin/connect", "/admin/keys", "/admin/login"):
        page = visitor.get(path, headers={"Accept": "text/html"}).text
        scripts = re.findall(r"<script\b[^>]*>", page)
        assert all("src=" in each or 'type="application/json"' in each for each in scripts), path
        assert not re.search(r"<style|\sstyle=|\son\w+=\"", page), path


def _age_sessions(gateway: Gateway, seconds: float) -> None:
    import sqlite3

    with sqlite3.connect(gateway.directory / "poe2openai.db") as connection:
        connection.execute("UPDATE admin_sessions SET seen = seen - ?", (seconds,))
