"""The API under /api/admin/config, as the pages and the predecessor's scripts use it."""

import base64
import stat
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from flask.testing import FlaskClient

from poe2openai.web.admin import session
from tests.support.admin import PASSWORD, Visitor
from tests.support.apps import app_for
from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway
from tests.support.scripted_poe import ScriptedPoe
from tests.support.waiting import comes

PATH = "/api/admin/config"
FILE = """\
# Mine, and commented.
enable: true
models:
  # the good one
  gpt-5:
    mapping: one   # its name
    note: kept
api_token: poe-key-0123456789
"""


def basic(password: str = PASSWORD, username: str = "admin") -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()}


@pytest.fixture
def client(poe: ScriptedPoe, config_dir: Path) -> Iterator[FlaskClient]:
    (config_dir / "models.yaml").write_text(FILE)
    with app_for(poe.url, config_dir, admin_password=PASSWORD) as app:
        yield app.test_client()


@pytest.fixture
def gateway(make_gateway: GatewayFactory) -> Gateway:
    gateway = make_gateway(ADMIN_PASSWORD=PASSWORD, WEB_CONCURRENCY="2")
    (gateway.directory / "models.yaml").write_text(FILE)
    return gateway


@pytest.fixture
def owner(gateway: Gateway) -> Iterator[Visitor]:
    with Visitor(gateway.url) as visitor:
        visitor.log_in()
        yield visitor


def error_of(answer: Any) -> Any:
    return answer.get_json()["error"]


def text_of(directory: Path) -> str:
    return (directory / "models.yaml").read_text()


class TestPredecessorsScripts:
    """Basic authentication, no If-Match, the whole configuration in and out."""

    def test_it_is_read_and_saved(self, client: FlaskClient, config_dir: Path) -> None:
        answer = client.get(PATH, headers=basic())
        assert answer.status_code == 200
        assert answer.json == {
            "enable": True,
            "models": {"gpt-5": {"mapping": "one", "note": "kept"}},
            "custom_models": [],
            "api_token": "••••6789",
        }

        config = {**answer.json, "use_v1_api": None, "custom_models": None}
        config["models"]["gpt-5"] = {**config["models"]["gpt-5"], "mapping": "two", "enable": None}
        answer = client.post(PATH, json=config, headers=basic())

        assert answer.status_code == 200
        assert text_of(config_dir) == FILE.replace("one ", "two ")
        assert stat.S_IMODE((config_dir / "models.yaml").stat().st_mode) == 0o600

    @pytest.mark.parametrize("headers", [{}, basic("wrong"), basic(username="root"), {"Authorization": "Bearer x"}])
    def test_nobody_else(self, client: FlaskClient, config_dir: Path, headers: dict[str, str]) -> None:
        for path in (PATH, f"{PATH}/export"):
            answer = client.get(path, headers=headers)
            assert answer.status_code == 401
            assert "gpt-5" not in answer.text
            assert answer.headers["WWW-Authenticate"].startswith("Basic ")
        for path in (PATH, f"{PATH}/import"):
            assert client.post(path, json={"enable": False}, headers=headers).status_code in (401, 429)
        assert text_of(config_dir) == FILE

    def test_no_other_site_saves_with_the_browsers_password(self, client: FlaskClient, config_dir: Path) -> None:
        for foreign in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            assert client.post(PATH, json={"enable": False}, headers={**basic(), **foreign}).status_code == 403
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
            answer = client.post(PATH, data=b'{"enable": false}', content_type=kind, headers=basic())
            assert answer.status_code == 400
        assert text_of(config_dir) == FILE

    def test_a_hundred_scripts_with_the_right_password(self, client: FlaskClient) -> None:
        assert {client.get(PATH, headers=basic()).status_code for _ in range(100)} == {200}

    def test_twenty_scripts_that_come_at_once(
        self, client: FlaskClient, monkeypatch: pytest.MonkeyPatch, config_dir: Path
    ) -> None:
        slow = client.application.extensions[session.EXTENSION].password
        matches = slow.matches

        def take_time(username: str, password: str) -> bool:
            time.sleep(0.1)
            return bool(matches(username, password))

        monkeypatch.setattr(slow, "matches", take_time)
        with ThreadPoolExecutor(20) as pool:
            asked = [pool.submit(client.application.test_client().get, PATH, headers=basic()) for _ in range(20)]

        assert {each.result().status_code for each in asked} == {200}


class TestLoginBox:
    """A browser shows its own for WWW-Authenticate; it has to stay away from the pages' scripts."""

    @pytest.mark.parametrize(
        "headers",
        [{"X-CSRFToken": "x"}, {"Sec-Fetch-Mode": "cors"}, {"Sec-Fetch-Mode": "same-origin"}],
    )
    def test_not_for_a_pages_script(self, client: FlaskClient, headers: dict[str, str]) -> None:
        answer = client.get(PATH, headers=headers)

        assert (answer.status_code, answer.headers.get("WWW-Authenticate")) == (401, None)
        assert error_of(answer)["code"] == "invalid_api_key"

    def test_not_where_a_session_has_ended(self, client: FlaskClient) -> None:
        client.set_cookie("poe2openai_admin", "long.ago")

        assert "WWW-Authenticate" not in client.get(PATH).headers

    def test_for_whoever_opens_it_in_a_browser(self, client: FlaskClient) -> None:
        assert "WWW-Authenticate" in client.get(PATH, headers={"Sec-Fetch-Mode": "navigate"}).headers


class TestErrors:
    @pytest.mark.parametrize(
        ("body", "param", "told"),
        [
            (b"{", None, "line 1"),
            (b"[]", None, "a JSON object"),
            (b'{"models": {"gpt-5": {"mapping": 5}}}', "models.gpt-5.mapping", "a name or a list of names"),
            (b'{"models": {"gpt-5": {"mapping": " "}}}', "models.gpt-5.mapping.0", "models.gpt-5.mapping"),
            (b'{"custom_models": [{"id": "a"}, {}]}', "custom_models.1.id", "custom_models.1.id"),
            (b'{"api_token": "\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2zzzz"}', "api_token", "mask"),
        ],
    )
    def test_bad_content_is_told_with_its_place(
        self, client: FlaskClient, config_dir: Path, body: bytes, param: str | None, told: str
    ) -> None:
        answer = client.post(PATH, data=body, content_type="application/json", headers=basic())

        assert answer.status_code == 400
        assert error_of(answer)["param"] == param
        assert told in error_of(answer)["message"]
        assert text_of(config_dir) == FILE

    def test_too_much(self, client: FlaskClient) -> None:
        body = b'{"x": "' + b"x" * (4 * 1024 * 1024) + b'"}'

        assert client.post(PATH, data=body, content_type="application/json", headers=basic()).status_code == 413

    def test_a_tag_that_looks_like_the_star_is_none(self, client: FlaskClient, config_dir: Path) -> None:
        before = (config_dir / "models.yaml").read_bytes()
        answer = client.post(PATH, json={"enable": False}, headers={**basic(), "If-Match": '"*"'})
        assert answer.status_code == 412
        assert (config_dir / "models.yaml").read_bytes() == before

    def test_a_broken_file(self, client: FlaskClient, config_dir: Path) -> None:
        (config_dir / "models.yaml").write_text("enable: true\nmodels: [\napi_token: p0e-s3cret\n")

        for answer in (
            client.get(PATH, headers=basic()),
            client.get(f"{PATH}/export", headers=basic()),
            client.post(PATH, json={"enable": False}, headers=basic()),
        ):
            assert (answer.status_code, error_of(answer)["code"]) == (409, "config_broken")
            assert "line " in error_of(answer)["message"]
            assert "s3cret" not in answer.text
        etag = client.get(PATH, headers=basic()).headers["ETag"]
        assert client.post(PATH, json={"enable": False}, headers={**basic(), "If-Match": etag}).status_code == 200
        assert client.get(PATH, headers=basic()).get_json()["enable"] is False

    def test_a_directory_that_takes_nothing(self, poe: ScriptedPoe, tmp_path: Path) -> None:
        with app_for(poe.url, tmp_path / "none", admin_password=PASSWORD, models_yaml=FILE) as app:
            client = app.test_client()
            answer = client.get(PATH, headers=basic())
            assert answer.get_json()["models"]["gpt-5"]["mapping"] == "one"

            answer = client.post(PATH, json={"enable": False}, headers=basic())

        assert (answer.status_code, error_of(answer)["code"]) == (409, "config_not_writable")
        assert "CONFIG_DIR does not exist" in error_of(answer)["message"]


class TestImportAndExport:
    def test_the_export_is_the_file_without_its_token(self, client: FlaskClient) -> None:
        answer = client.get(f"{PATH}/export", headers=basic())

        assert answer.text == FILE.replace("poe-key-0123456789", "••••6789")
        assert answer.headers["Content-Disposition"] == "attachment; filename=models.yaml"
        assert answer.headers["Cache-Control"] == "no-store"

    def import_(self, client: FlaskClient, text: str) -> Any:
        return client.post(f"{PATH}/import", data=text.encode(), content_type="text/yaml", headers=basic())

    def test_the_predecessors_file(self, client: FlaskClient, config_dir: Path) -> None:
        text = (
            "enable: true\nmodels:\n  Claude-Sonnet-4.5:\n    mapping: gpt-4o\n    replace_response: true\n"
            "custom_models:\n  - id: mine\n    created: 1700000000\napi_token: theirs-0123456789\nuse_v1_api: true\n"
        )

        answer = self.import_(client, text)

        assert answer.status_code == 200
        assert answer.json == {
            "config": {
                "enable": True,
                "models": {"Claude-Sonnet-4.5": {"mapping": "gpt-4o", "replace_response": True}},
                "custom_models": [{"id": "mine", "created": 1700000000}],
                "api_token": "theirs-0123456789",
                "use_v1_api": True,
            },
            "warnings": [],
        }
        assert text_of(config_dir) == FILE
        assert client.post(PATH, json=answer.json["config"], headers=basic()).status_code == 200
        assert "api_token: theirs-0123456789\n" in text_of(config_dir)

    def test_what_was_exported_comes_back(self, client: FlaskClient, config_dir: Path) -> None:
        answer = self.import_(client, client.get(f"{PATH}/export", headers=basic()).text)

        assert client.post(PATH, json=answer.json["config"], headers=basic()).status_code == 200
        assert text_of(config_dir) == FILE

    def test_what_another_gateway_exported_leaves_the_token(self, client: FlaskClient) -> None:
        answer = self.import_(client, "models: {}\nstrange: 1\napi_token: ••••zzzz\n")

        assert answer.json["config"]["api_token"] == "••••6789"
        assert answer.json["warnings"] == [
            "line 2: unknown key strange is ignored",
            "api_token is masked in this file: it is left as it is here",
        ]

    @pytest.mark.parametrize(("text", "told"), [("models: [", "line 2"), ("models:\n  a: 5\n", "line 2: models.a")])
    def test_a_bad_file(self, client: FlaskClient, text: str, told: str) -> None:
        answer = self.import_(client, text)

        assert answer.status_code == 400
        assert told in error_of(answer)["message"]

    def test_a_form_of_another_site_is_not_read(self, client: FlaskClient) -> None:
        answer = client.post(f"{PATH}/import", data=b"models: {}", content_type="text/plain", headers=basic())

        assert answer.status_code == 400


class TestPages:
    """A session with its token, over the wire."""

    def test_a_save_needs_the_sessions_token(self, owner: Visitor) -> None:
        config = owner.get(PATH).json()

        assert owner.post(PATH, json=config).status_code == 403
        assert owner.post(PATH, json=config, headers={"X-CSRFToken": "x"}).status_code == 403
        assert owner.post_json(PATH, config).status_code == 200

    def test_what_was_saved_applies(self, gateway: Gateway, owner: Visitor) -> None:
        answer = owner.get(PATH)
        config = {**answer.json(), "custom_models": [{"id": "brand-new"}]}

        saved = owner.post_json(PATH, config, **{"If-Match": answer.headers["ETag"]})

        assert (saved.status_code, saved.json()) == (200, config)
        assert saved.headers["ETag"] != answer.headers["ETag"]
        assert owner.get(PATH).headers["ETag"] == saved.headers["ETag"]
        assert "  - id: brand-new\n" in text_of(gateway.directory)

        def is_listed() -> bool:
            return "brand-new" in httpx.get(f"{gateway.base_url}/models", trust_env=False).text

        assert comes(is_listed, within=1.0)

    def test_the_second_is_shown_what_changed(self, owner: Visitor, gateway: Gateway) -> None:
        first = owner.get(PATH)
        theirs = first.json()
        theirs["models"]["gpt-5"]["mapping"] = "theirs"
        assert owner.post_json(PATH, theirs, **{"If-Match": first.headers["ETag"]}).status_code == 200

        # A proxy that compresses answers makes their etags weak.
        late = owner.post_json(PATH, {**first.json(), "enable": False}, **{"If-Match": f"W/{first.headers['ETag']}"})

        body = late.json()
        assert (late.status_code, body["error"]["code"]) == (412, "changed_meanwhile")
        assert body["config"] == theirs
        change = next(each for each in body["changes"] if each["path"] == "models.gpt-5.mapping")
        # The other worker has not seen the state that this client knows.
        assert change in (
            {"path": "models.gpt-5.mapping", "before": "one", "after": "theirs"},
            {"path": "models.gpt-5.mapping", "before": None, "after": "theirs"},
        )
        again = owner.post_json(PATH, {**body["config"], "enable": False}, **{"If-Match": f'"{body["etag"]}"'})
        assert again.status_code == 200
        assert again.json()["models"]["gpt-5"]["mapping"] == "theirs"

    def test_thirty_at_once_lose_nothing(self, owner: Visitor, gateway: Gateway) -> None:
        cookies, csrf = dict(owner.cookies), owner.csrf
        conflicts = []
        over = threading.Event()
        broken: list[str] = []

        def watch() -> None:
            while not over.wait(0.002):
                text = text_of(gateway.directory)
                if not text.startswith("# Mine, and commented.\n") or "api_token: poe-key-0123456789\n" not in text:
                    broken.append(text)

        def one(number: int) -> None:
            with httpx.Client(base_url=gateway.url, cookies=cookies, trust_env=False, timeout=60.0) as client:
                answer = client.get(PATH)
                config, etag = answer.json(), answer.headers["ETag"]
                for _ in range(200):
                    config["models"][f"model-{number}"] = {"mapping": f"name-{number}", "parameters": {"n": number}}
                    answer = client.post(PATH, json=config, headers={"X-CSRFToken": csrf, "If-Match": etag})
                    if answer.status_code == 200:
                        return
                    assert answer.status_code == 412, answer.text
                    config, etag = answer.json()["config"], f'"{answer.json()["etag"]}"'
                    conflicts.append(number)
                raise AssertionError("no turn came")

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            with ThreadPoolExecutor(30) as pool:
                list(pool.map(one, range(30)))
        finally:
            over.set()
            watcher.join()

        models = owner.get(PATH).json()["models"]
        assert models == {
            "gpt-5": {"mapping": "one", "note": "kept"},
            **{f"model-{n}": {"mapping": f"name-{n}", "parameters": {"n": n}} for n in range(30)},
        }
        assert conflicts
        assert not broken
        assert text_of(gateway.directory).startswith(FILE[: FILE.index("api_token")])
        assert not list(gateway.directory.glob(".models.yaml.*"))

    def test_weird_names_come_back_as_they_were(self, owner: Visitor, gateway: Gateway) -> None:
        names = ["on", "1.0", "norway", "null", "2024-01-01", "<img src=x onerror=alert(1)>", "名字 😀", "a: b #c"]
        config = owner.get(PATH).json()
        config["models"] = {name: {"mapping": name, "enable": False} for name in names}

        assert owner.post_json(PATH, config).json() == config
        assert owner.get(PATH).json() == config
        assert comes(lambda: owner.get("/health").json()["config"]["ok"], within=1.0)
