"""What a model writes, as the playground shows it in a browser; skipped without Playwright or Chromium."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.admin import PASSWORD
from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway
from tests.support.playground_page import CHROMIUM, AdminBrowser, admin_browser, say, wait_end
from tests.support.poe_script import done, text
from tests.support.scripted_poe import ScriptedPoe

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

HELD = "https://files.test/secret.png?said=everything"


@pytest.fixture(scope="module")
def _browser() -> Iterator[AdminBrowser]:
    with admin_browser(playwright) as browser:
        yield browser


@pytest.fixture
def browser(_browser: AdminBrowser) -> Iterator[AdminBrowser]:
    yield _browser
    _browser.forget()


@pytest.fixture
def gateway(make_gateway: GatewayFactory) -> Gateway:
    return make_gateway(ADMIN_PASSWORD=PASSWORD, POE_API_KEYS="the-gateways-key", ACCESS_TOKENS="a-token")


def test_a_picture_from_anywhere_waits_for_a_click(poe: ScriptedPoe, browser: AdminBrowser, gateway: Gateway) -> None:
    poe.script(
        "painter",
        text(
            f"![a chart]({HELD}) ![by Poe](https://pfst.cf2.poecdn.net/b.png) ![x](https://poe.com.files.test/c.png)\n\n"
            "[film](https://files.test/a.mp4) [own film](https://pfst.cf2.poecdn.net/a.mp4)"
        ),
        done(),
    )
    page = browser.open(gateway)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    say(page, "Draw", "painter")
    answer = wait_end(page)
    assert answer.locator("img").evaluate_all("all => all.map((one) => one.alt)") == ["by Poe"]
    assert answer.locator("a >> text=a chart").get_attribute("href") == HELD
    assert answer.locator("video").evaluate_all("all => all.map((one) => one.preload)") == ["none", "metadata"]
    page.wait_for_timeout(200)
    assert not [url for url in asked if "files.test" in url]
    with page.expect_request(HELD):
        page.click("button >> text=Show picture from files.test")
    assert answer.locator("img[alt='a chart']").get_attribute("src") == HELD
    assert page.is_visible("button >> text=Show picture from poe.com.files.test")


def test_links_in_links_are_dissolved(browser: AdminBrowser, gateway: Gateway) -> None:
    page = browser.open(gateway)
    badge = "[![badge](https://pfst.cf2.poecdn.net/b.svg)](https://a.test/)"
    assert links(page, badge) == [["https://a.test/", "<img>"]]
    assert links(page, "[see [this](https://b.test/) too](https://a.test/)") == [["https://a.test/", "see this too"]]
    assert links(page, f"[![far]({HELD})](https://a.test/)") == [["https://a.test/", "far"]]
    page.click("#trial button")
    assert page.get_attribute("#trial img", "src") == HELD
    assert links(page, "[**[b](https://b.test/)**](https://a.test/)") == [["https://a.test/", "b"]]


def test_a_long_piece_of_code_grows_in_place(browser: AdminBrowser, gateway: Gateway) -> None:
    page = browser.open(gateway, permissions=["clipboard-read", "clipboard-write"])
    same = page.evaluate(
        """async () => {
          const { Markdown } = await import('/static/admin/markdown.js');
          const box = document.createElement('div');
          box.id = 'trial';
          document.getElementById('messages').append(box);
          const shown = new Markdown(box);
          const line = `${'x'.repeat(79)}\\n`;
          let text = '# Code\\n\\n```js\\n';
          shown.update(text);
          const code = box.querySelector('code');
          for (let at = 0; at < 1000; at += 1) {
            text += line;
            if (at % 20 === 0) shown.update(text);
          }
          shown.update(`${text}\\`\\`\\`\\n\\nAfter`);
          return code === box.querySelector('code');
        }"""
    )
    assert same
    assert len(page.text_content("#trial code")) == 1000 * 80 - 1
    assert page.inner_text("#trial p") == "After"
    page.click("#trial .copy")
    page.wait_for_selector("#trial .copy >> text=Copied")
    assert len(page.evaluate("navigator.clipboard.readText()")) == 1000 * 80 - 1
    # Another language is another piece, and what was closed is not written on.
    assert pieces(page, ["```js\na", "```json\nb"]) == [["json", "b"]]
    assert pieces(page, ["```\na\n``", "```\na\n```\n", "```\na\n```\n\n```\nb"]) == [["", "a"], ["", "b"]]


def links(page: Any, markdown: str) -> Any:
    """Address and content of the links that a text makes, in `#trial`; none of them within another."""
    return page.evaluate(
        """async (text) => {
          const { Markdown } = await import('/static/admin/markdown.js');
          const box = document.getElementById('trial') ?? document.createElement('div');
          box.id = 'trial';
          document.getElementById('messages').append(box);
          new Markdown(box).update(text);
          if (box.querySelector('a a, a button')) throw new Error('nested');
          const content = (link) => (link.querySelector('img') ? '<img>' : link.textContent);
          return [...box.querySelectorAll('a')].map((link) => [link.href, content(link)]);
        }""",
        markdown,
    )


def pieces(page: Any, texts: list[str]) -> Any:
    """Language and text of the pieces of code, once all texts were shown one after another."""
    return page.evaluate(
        """async (texts) => {
          const { Markdown } = await import('/static/admin/markdown.js');
          const box = document.createElement('div');
          const shown = new Markdown(box);
          for (const text of texts) shown.update(text);
          const said = (one, name) => one.querySelector(name)?.textContent ?? '';
          return [...box.querySelectorAll('.code')].map((one) => [said(one, '.language'), said(one, 'code')]);
        }""",
        texts,
    )
