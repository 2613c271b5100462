"""The start page in a real browser; needs Playwright and an installed Chromium, and is skipped without them."""

import shutil
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug.serving import make_server

from poe2openai.config.settings import Settings
from tests.support.start_page import start_page_app

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    app = start_page_app(Settings())
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(timeout=10)
    server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture
def complaints() -> list[str]:
    return []


@pytest.fixture
def open_page(browser: Any, address: str, complaints: list[str]) -> Iterator[Any]:
    contexts = []

    def open_page(query: str = "", **options: Any) -> Any:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("requestfailed", lambda request: complaints.append(request.url))
        page.goto(f"{address}/{query}")
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.mark.parametrize("language", ["en", "zh-CN", "zh-TW"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_and_nothing_complains(open_page: Any, complaints: list[str], language: str, width: int) -> None:
    page = open_page(f"?lang={language}", viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.get_attribute("html", "lang") == language
    assert complaints == []


def test_dark_is_dark_and_light_is_light(open_page: Any) -> None:
    brightness = {}
    for scheme in ("light", "dark"):
        page = open_page(color_scheme=scheme)
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        brightness[scheme] = int(colour.removeprefix("rgb(").split(",")[0])
    assert brightness["dark"] < 64
    assert brightness["light"] > 192


def test_a_click_changes_the_language(open_page: Any) -> None:
    page = open_page(locale="en-US")
    assert page.inner_text("h2 >> nth=0") == "Connect"
    page.click("text=简")
    page.wait_for_selector("html[lang='zh-CN']")
    page.click("text=繁")
    page.wait_for_selector("html[lang='zh-TW']")
    page.click("text=English")
    page.wait_for_selector("html[lang='en']")


def test_the_browsers_language_is_taken(open_page: Any) -> None:
    assert open_page(locale="zh-TW").get_attribute("html", "lang") == "zh-TW"
    assert open_page(locale="zh-CN").get_attribute("html", "lang") == "zh-CN"


def test_the_copy_button_copies(open_page: Any, address: str, complaints: list[str]) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    page.click(".copy >> nth=1")
    page.wait_for_selector("text=Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(f"curl -N {address}/v1/chat/completions \\\n")
    assert copied.endswith("]}'")
    page.wait_for_selector("text=Copied", state="detached")
    page.click(".copy >> nth=0")
    page.wait_for_selector("text=Copied")
    assert page.evaluate("navigator.clipboard.readText()") == f"{address}/v1"
    assert complaints == []


def test_the_copy_button_copies_over_plain_http_too(open_page: Any, complaints: list[str]) -> None:
    page = open_page()
    # What a browser shows a page that came from another machine without TLS.
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.click(".copy >> nth=0")
    page.wait_for_selector("text=Copied")
    assert complaints == []


def test_without_javascript_all_is_there_but_the_buttons(open_page: Any, address: str) -> None:
    page = open_page(java_script_enabled=False)
    assert f"curl -N {address}/v1/chat/completions" in page.inner_text("pre >> nth=0")
    assert page.locator(".copy:visible").count() == 0
    assert page.locator(".card:visible").count() == 9


def test_the_keyboard_reaches_the_links_and_buttons(open_page: Any) -> None:
    page = open_page()
    reached = set()
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.tagName"))
    assert {"A", "BUTTON", "PRE"} <= reached
