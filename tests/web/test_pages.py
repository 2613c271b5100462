"""The start page tells a newcomer how to connect, and gives nobody a way in."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from poe2openai import __version__
from poe2openai.config.settings import Settings
from tests.support.start_page import start_page_app

ROOT = Path(__file__).resolve().parents[2]


def client_of(settings: Settings | None = None, *, good: bool = True, poe: bool | None = True) -> FlaskClient:
    return start_page_app(settings or Settings(), good=good, poe=poe).test_client()


class Elements(HTMLParser):
    """What a page loads, links to, and runs."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def text_of(page: str) -> str:
    return re.sub(r"<[^>]+>", "", page)


def test_the_page_says_how_to_connect() -> None:
    page = client_of().get("/", headers={"Host": "gateway.example:9000"}).text
    text = text_of(page)
    assert "curl -N http://gateway.example:9000/v1/chat/completions \\" in text
    assert 'OpenAI(base_url="http://gateway.example:9000/v1", api_key="YOUR_KEY")' in text
    for client in ("Chatbox", "Cherry Studio", "Open WebUI", "Cline", "Python"):
        assert client in text
    assert __version__ in text
    assert "Running" in text


def test_every_document_that_the_page_names_is_there() -> None:
    named = re.findall(r"docs/[\w-]+\.md", client_of().get("/").text)
    assert named
    assert [name for name in named if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize("language", ["en", "zh-CN", "zh-TW"])
def test_each_language_by_link_and_by_browser(language: str) -> None:
    by_link = client_of().get(f"/?lang={language}")
    by_browser = client_of().get("/", headers={"Accept-Language": f"{language},en;q=0.5"})
    assert by_link.text == by_browser.text
    assert f'<html lang="{language}">' in by_link.text
    assert by_link.headers["Content-Language"] == language
    assert "Accept-Language" in by_link.headers["Vary"]
    links = [attributes for tag, attributes in Elements(by_link.text).found if tag == "a" and "hreflang" in attributes]
    assert [link["href"] for link in links] == ["?lang=en", "?lang=zh-CN", "?lang=zh-TW"]
    assert [link["hreflang"] for link in links if "aria-current" in link] == [language]
    assert "Set-Cookie" not in by_link.headers


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        (Settings(), "Your Poe API key"),
        (Settings(poe_api_keys=("poe-secret",)), "Your Poe API key"),
        (
            Settings(poe_api_keys=("poe-secret",), access_tokens=("token-secret",)),
            "An access token of this gateway, or your own Poe API key",
        ),
        (
            Settings(poe_api_keys=("poe-secret",), access_tokens=("token-secret",), allow_client_keys=False),
            "An access token of this gateway",
        ),
    ],
)
def test_the_page_asks_for_the_key_that_works_and_shows_none(settings: Settings, key: str) -> None:
    page = client_of(settings).get("/").text
    assert f"<strong>{key}</strong>" in page
    assert "secret" not in page


@pytest.mark.parametrize(
    ("good", "poe", "told"),
    [
        (True, True, ["models.yaml in order", "Poe answers"]),
        (False, None, ["models.yaml cannot be read", "Poe not asked yet"]),
        (True, False, ["models.yaml in order", "Poe did not answer last time"]),
    ],
)
def test_the_page_tells_the_state(good: bool, poe: bool | None, told: list[str]) -> None:
    page = client_of(good=good, poe=poe).get("/").text
    assert all(text in page for text in told)
    assert 'href="/health"' in page


@pytest.mark.parametrize("host", ["[::1]:8080", "192.168.1.5", "gateway.example:9000", "my-host-2"])
def test_an_address_is_taken_from_the_request(host: str) -> None:
    assert f"http://{host}</span>/v1" in client_of().get("/", headers={"Host": host}).text


@pytest.mark.parametrize(
    "host",
    [
        "x/$(reboot)",
        "x;reboot",
        "x`reboot`",
        'x" onload="alert(1)',
        "<script>alert(1)</script>",
        "a b",
        "x\u0027",
        "user@evil.example",
        "x:99999999",
    ],
)
def test_a_forged_host_reaches_neither_markup_nor_shell(host: str) -> None:
    answer = client_of(Settings(port=8123)).get("/", headers={"Host": host})
    assert answer.status_code in (200, 400)
    if answer.status_code == 200:
        assert "http://localhost:8123</span>/v1" in answer.text
    assert host not in answer.text


def test_a_forwarded_scheme_is_not_believed() -> None:
    headers = {"Host": "gateway.example", "X-Forwarded-Proto": "javascript", "X-Forwarded-Host": "evil.example"}
    page = client_of().get("/", headers=headers).text
    assert "http://gateway.example</span>/v1" in page
    assert "evil.example" not in page
    assert "javascript:" not in page


def test_a_prefix_stays_in_every_link() -> None:
    answer = client_of().get("/", environ_overrides={"SCRIPT_NAME": "/poe"})
    assert "http://localhost/poe</span>/v1" in answer.text
    assert 'href="/poe/health"' in answer.text
    assert 'src="/poe/static/start.js' in answer.text


def test_nothing_comes_from_elsewhere_and_nothing_runs_inline() -> None:
    page = client_of().get("/").text
    for tag, attributes in Elements(page).found:
        assert tag not in {"style", "iframe", "form"}
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href"):
            assert not re.match(r"(https?:)?//", attributes.get(name) or "")
        if tag == "script":
            assert attributes["src"]
    for path in filter(Path.is_file, (ROOT / "static").iterdir()):
        content = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|@import|\bfetch\(|url\(", content), path.name


@pytest.mark.parametrize("path", ["/", "/static/start.css", "/static/start.js", "/static/icon.svg"])
def test_every_page_is_shut_to_other_sites(path: str) -> None:
    answer = client_of().get(path, headers={"Origin": "https://evil.example"})
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert not [name for name, _ in answer.headers if name.lower().startswith("access-control-")]
    answer.close()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/static/start.css", "text/css"),
        ("/static/start.js", "text/javascript"),
        ("/static/icon.svg", "image/svg+xml"),
    ],
)
def test_the_files_come_with_their_type(path: str, kind: str) -> None:
    answer = client_of().get(path)
    assert answer.status_code == 200
    assert answer.mimetype == kind
    answer.close()


def test_the_page_leads_to_the_admins() -> None:
    assert 'href="/admin/"' in client_of().get("/").text
    prefixed = client_of().get("/", environ_overrides={"SCRIPT_NAME": "/poe"})
    assert 'href="/poe/admin/"' in prefixed.text


def test_head_works_and_other_methods_do_not() -> None:
    assert client_of().head("/").status_code == 200
    assert client_of().post("/").status_code == 405
