"""All admin pages as a person meets them, in Chromium against a real gateway with 400 models behind it.

Needs Playwright and an installed Chromium, and is skipped without them. axe-core judges what a screen reader makes of
the pages (WCAG 2.2 A and AA).
"""

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.admin import PASSWORD
from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway
from tests.support.poe_models import entry
from tests.support.poe_script import done, json_reply, text
from tests.support.scripted_poe import ScriptedPoe

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
axe = pytest.importorskip("axe_playwright_python", reason="axe-core is not installed")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]

PATHS = {
    "overview": "/admin/",
    "models": "/admin/models",
    "playground": "/admin/playground",
    "connect": "/admin/connect",
    "keys": "/admin/keys",
}
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 900}},
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
}
EVIL = "<img src=x onerror=alert(1)>"

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture
def gateway(make_gateway: GatewayFactory, poe: ScriptedPoe) -> Gateway:
    bots = [entry(f"Bot-{number}") for number in range(399)]
    bots.append(entry(EVIL, description=EVIL, owned_by=EVIL))
    poe.route("GET /v1/models", json_reply(200, {"object": "list", "data": bots}))
    poe.route("GET /usage/current_balance", json_reply(200, {"current_point_balance": 812_400}))
    poe.route("GET /usage/points_history", json_reply(200, {"has_more": False, "length": 0, "data": []}))
    poe.script("Bot-1", text("Hello!"), done())
    return make_gateway(
        {"POE_API_KEYS": "pk-first-0123456789", "ACCESS_TOKENS": "a-token-of-many-letters"},
        ADMIN_PASSWORD=PASSWORD,
    )


@pytest.fixture
def complaints() -> list[str]:
    return []


@pytest.fixture
def open_page(browser: Any, gateway: Gateway, complaints: list[str]) -> Iterator[Open]:
    """`open_page("models", "dark")`: the page of somebody who is logged in; `None` instead of a name is the login."""
    contexts: list[Any] = []

    def make(name: str | None, look: str = "light", **options: Any) -> Any:
        context = browser.new_context(**{**LOOKS[look], **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: _note(complaints, message))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(f"a dialog: {dialog.message}"))
        # Poe's pictures are far away.
        page.route(lambda url: not url.startswith(gateway.url), lambda route: route.abort())
        page.goto(f"{gateway.url}/admin/login")
        if name is not None:
            page.fill("input[name=username]", "admin")
            page.fill("input[name=password]", PASSWORD)
            page.click("button.primary")
            page.goto(gateway.url + PATHS[name])
        return page

    yield make
    for context in contexts:
        context.close()


def _note(complaints: list[str], message: Any) -> None:
    if message.type in ("error", "warning") and "ERR_FAILED" not in message.text:
        complaints.append(message.text)


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_is_in_order(open_page: Open, complaints: list[str], look: str) -> None:
    """No wider than the screen, and nothing to complain of."""
    page = open_page("overview", look)
    for name, path in PATHS.items():
        url = page.url.partition("/admin")[0] + path
        page.goto(url)
        page.wait_for_timeout(300)
        width = LOOKS[look]["viewport"]["width"]
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert page.evaluate("document.title").endswith("poe2openai")
    assert complaints == []


@pytest.mark.parametrize("look", ["light", "dark"])
@pytest.mark.parametrize("name", [None, "overview", "connect", "keys"])  # the others have tests of their own
def test_a_screen_reader_has_no_serious_trouble(open_page: Open, name: str | None, look: str) -> None:
    page = open_page(name, look)
    page.wait_for_timeout(300)
    page.evaluate((Path(axe.__file__).parent / "axe.min.js").read_text("utf-8"))
    found = page.evaluate(
        """async () => (await axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}))
            .violations.map(({id, impact, nodes}) => [impact, id, nodes.slice(0, 3).map(node => node.html)])"""
    )
    assert [each for each in found if each[0] in ("serious", "critical")] == []


def test_a_model_named_like_markup_stays_text(open_page: Open, complaints: list[str]) -> None:
    for name in ("models", "playground", "connect"):
        page = open_page(name)
        page.wait_for_timeout(300)
        assert page.locator("img[src=x]").count() == 0, name
    page = open_page("models")
    page.fill("input[type=search]", "onerror")
    assert page.get_by_text(EVIL).first.is_visible()
    assert complaints == []


def test_the_language_is_switched_and_stays(open_page: Open, complaints: list[str]) -> None:
    page = open_page("keys")
    page.click("nav a[lang=zh-TW]")
    assert page.url.endswith("/admin/keys")
    assert page.locator("h1").inner_text() == "金鑰"
    page.click("nav a:has-text('總覽')")
    assert page.locator("html").get_attribute("lang") == "zh-TW"
    page.click("nav a[lang=zh-CN]")
    assert page.locator("nav a[aria-current=page]").inner_text() == "概览"
    assert complaints == []


def test_chinese_pages_fit_a_phone(open_page: Open, complaints: list[str]) -> None:
    for locale in ("zh-CN", "zh-TW"):
        page = open_page("overview", "phone", locale=locale)
        for path in PATHS.values():
            page.goto(page.url.partition("/admin")[0] + path)
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, (locale, path)
            assert page.locator("html").get_attribute("lang") == locale
    assert complaints == []


def test_dark_is_dark(open_page: Open) -> None:
    def brightness(look: str) -> float:
        color = open_page("overview", look).evaluate("getComputedStyle(document.body).backgroundColor")
        red, green, blue = (int(part) for part in color.removeprefix("rgb(").removesuffix(")").split(","))
        return (red + green + blue) / 3

    assert brightness("light") > 200
    assert brightness("dark") < 60


def test_wrong_passwords_are_told_and_then_locked_out(
    open_page: Open, make_gateway: GatewayFactory, gateway: Gateway
) -> None:
    guarded = make_gateway(ADMIN_PASSWORD=PASSWORD, fresh=True)
    page = open_page(None)
    page.unroute_all()
    page.goto(f"{guarded.url}/admin/login")
    for _ in range(5):
        page.fill("input[name=username]", "admin")
        page.fill("input[name=password]", "guess")
        page.click("button.primary")
        assert page.get_by_role("alert").inner_text() == "Name or password is wrong."
    page.fill("input[name=password]", PASSWORD)
    page.click("button.primary")
    assert "Too many attempts" in page.get_by_role("alert").inner_text()
    page.goto(f"{guarded.url}/admin/keys")
    assert "/admin/login" in page.url


def test_in_and_out_by_the_keyboard_alone(open_page: Open, complaints: list[str]) -> None:
    page = open_page(None)
    page.locator("input[name=username]:focus").wait_for()  # the first field has the focus
    page.keyboard.type("admin")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.get_by_role("button", name="Log out").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin/login")
    assert complaints == []


def test_whoever_was_logged_out_meanwhile_is_told(open_page: Open) -> None:
    page = open_page("keys")
    page.context.clear_cookies()
    page.get_by_role("button", name="Ask Poe again").click()
    with page.expect_popup() as popup:
        page.get_by_role("link", name="Log in again").click()
    popup.value.wait_for_url("**/admin/login?next=keys")


def test_a_link_on_another_site_finds_the_owner_still_logged_in(open_page: Open, gateway: Gateway) -> None:
    """Browsers leave a strict cookie at home on the way from there; the login page then must not replace it."""
    page = open_page("overview")
    elsewhere = "http://localhost:9/"
    page.unroute_all()
    for path in ("keys", "login?next=keys"):
        link = f"<a href='{gateway.url}/admin/{path}'>the gateway</a>"
        page.route(elsewhere, partial(_answer, link))
        page.goto(elsewhere)
        page.click("a")
        playwright.expect(page.locator("h1")).to_have_text("Keys")
        page.unroute_all()


def _answer(body: str, route: Any) -> None:
    route.fulfill(content_type="text/html", body=body)


def test_what_is_unsaved_outlives_the_session(open_page: Open, gateway: Gateway) -> None:
    page = open_page("models")
    field = page.locator("input.alias:enabled").first
    field.fill("kept")
    page.keyboard.press("Enter")
    page.context.clear_cookies()
    page.get_by_role("button", name="Save").click()
    with page.expect_popup() as popup:
        page.get_by_role("link", name="Log in again").click()
    other = popup.value
    other.fill("input[name=username]", "admin")
    other.fill("input[name=password]", PASSWORD)
    other.click("button.primary")
    other.wait_for_url("**/admin/models")
    other.close()
    page.get_by_role("button", name="Save").click()
    playwright.expect(page.locator("#toasts")).to_contain_text("Saved")
    assert "kept" in (gateway.directory / "models.yaml").read_text()
