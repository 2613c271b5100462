"""That the playground loses nothing, in a browser: refused, stopped, left, logged out; skipped without Chromium."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.admin import PASSWORD
from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway
from tests.support.playground_page import CHROMIUM, AdminBrowser, admin_browser, say, wait_end
from tests.support.poe_script import done, json_event, text, tool_call, until
from tests.support.scripted_poe import ScriptedPoe

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

CLAUDE = "claude-sonnet-4.5"
STREAM = """async (lines) => {
  const { emptyAnswer, exchange } = await import('/static/admin/playground_exchange.js');
  let cancelled = false;
  const body = new ReadableStream({
    start: (control) => control.enqueue(new TextEncoder().encode(lines)),
    cancel: () => { cancelled = true; },
  });
  window.fetch = async () => new Response(body, { headers: { 'Content-Type': 'text/event-stream' } });
  const answer = emptyAnswer('bot');
  await exchange({}, answer, { changed: () => {} });
  return { cancelled, text: answer.text, error: answer.error.message };
}"""


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


def last_said(body: bytes) -> str:
    said: str = json.loads(body)["query"][-1]["content"]
    return said


def kept(page: Any) -> Any:
    return json.loads(page.evaluate("sessionStorage['poe2openai-playground']"))


def test_a_refused_question_leaves_the_conversation(poe: ScriptedPoe, browser: AdminBrowser, gateway: Gateway) -> None:
    poe.script_by("bot", lambda asked: [text(f"You said: {last_said(asked.body)}"), done()])
    page = browser.open(gateway)
    say(page, "one", "bot")
    wait_end(page)
    say(page, "two")
    page.wait_for_selector(".markdown >> text=You said: two")
    wait_end(page)
    page.click("summary >> text=Other fields")
    page.fill("#extra", "{bad")
    page.click(".user >> nth=0 >> text=Ask again")
    page.wait_for_selector("#extra[aria-invalid=true]")
    assert page.locator("#messages > li").count() == 4
    page.fill("#extra", "")
    page.fill("#model", " ")
    page.click(".answer >> nth=0 >> text=Ask again")
    page.wait_for_selector("#model[aria-invalid=true]")
    assert page.locator("#messages > li").count() == 4
    assert len(poe.queries()) == 2
    page.fill("#model", "bot")
    assert page.get_attribute("#model", "aria-invalid") is None
    page.click(".answer >> nth=0 >> text=Ask again")
    poe.wait_query("bot", 3)
    assert page.locator("#messages > li").count() == 2
    assert browser.complaints == []


def test_a_refused_result_can_be_sent_once_more(poe: ScriptedPoe, browser: AdminBrowser, gateway: Gateway) -> None:
    call = tool_call(0, "{}", id="call_1", name="get_weather")
    poe.script(CLAUDE, call, json_event({}, "tool_calls"), done())
    poe.script(CLAUDE, text("No idea."), done())
    page = browser.open(gateway)
    page.click("text=Tools >> nth=0")
    page.click("#example")
    say(page, "Weather?", CLAUDE)
    page.wait_for_selector("text=Calls get_weather")
    page.fill("#tools", "{}")
    page.click("text=Send the result")
    page.wait_for_selector("text=Tools: must be a JSON array.")
    assert page.is_visible(".call textarea")
    page.click("#example")
    page.click("text=Send the result")  # an empty one is one too
    page.wait_for_selector(".markdown >> text=No idea.")
    assert b"call_1" in poe.wait_query(CLAUDE, 2).body
    assert page.locator(".call textarea").count() == 0
    assert browser.complaints == []


def test_saved_and_asked_while_an_answer_comes(poe: ScriptedPoe, browser: AdminBrowser, gateway: Gateway) -> None:
    never = threading.Event()
    poe.script("bot", text("It goes on"), until(never, 20), done())
    poe.script("bot", text("Short."), done())
    page = browser.open(gateway)
    say(page, "one", "bot")
    page.wait_for_selector(".markdown >> text=It goes on")
    page.click(".user >> text=Edit")
    page.fill(".editor textarea", "two")
    page.click("text=Save and ask")
    page.wait_for_selector(".markdown >> text=Short.")
    first, second = poe.wait_query("bot"), poe.wait_query("bot", 2)
    poe.wait_for(lambda _: first.left_at)
    assert last_said(second.body) == "two"
    wait_end(page)
    assert page.locator("#messages > li").count() == 2
    assert page.is_visible("#send")
    assert not page.is_visible("#stop")
    assert [one["text"] for one in kept(page)["messages"]] == ["two", "Short."]
    assert browser.complaints == []


def test_who_leaves_during_an_answer_finds_what_had_come(
    poe: ScriptedPoe, browser: AdminBrowser, gateway: Gateway
) -> None:
    never = threading.Event()
    poe.script("bot", text("It goes on"), until(never, 20), done())
    poe.script("bot", until(never, 20), done())
    page = browser.open(gateway)
    say(page, "one", "bot")
    page.wait_for_selector(".markdown >> text=It goes on")
    page.fill("#say", "half a thought")
    page.reload()
    page.wait_for_selector(".markdown >> text=It goes on")
    assert "stopped" in page.inner_text(".answer .facts")
    assert page.input_value("#say") == "half a thought"
    for tab in ("raw", "request"):
        page.click(f"#tab-{tab}")
        assert "end with the page" in page.inner_text(f"#{tab}")
    page.click("#tab-answer")
    page.press("#say", "Enter")
    page.wait_for_selector("text=Waiting for the first word")
    page.goto(f"{gateway.url}/admin/connect")
    page.go_back()
    page.wait_for_selector(".answer:last-child .facts >> text=stopped")
    assert page.locator("text=An empty answer").count() == 0
    assert page.input_value("#say") == ""


def test_a_file_that_is_still_being_read_goes_along(poe: ScriptedPoe, browser: AdminBrowser, gateway: Gateway) -> None:
    poe.script("bot", text("Seen."), done())
    page = browser.open(gateway)
    page.evaluate(
        """() => {
          const { readAsDataURL } = FileReader.prototype;
          FileReader.prototype.readAsDataURL = function (file) {
            setTimeout(() => readAsDataURL.call(this, file), 300);
          };
        }"""
    )
    script = {"name": "main.ts", "mimeType": "video/mp2t", "buffer": b"let x = 1;\n" * 1000}
    page.set_input_files("#pick", [script, {"name": "b.bin", "mimeType": "", "buffer": b"\0\1"}])
    say(page, "Look", "bot")
    assert page.is_disabled("#send")
    wait_end(page)
    assert {one.name: one.media_type.partition(";")[0] for one in poe.uploads} == {
        "main.ts": "text/plain",
        "b.bin": "application/octet-stream",
    }
    assert page.locator(".user .files li").count() == 2
    assert not page.is_visible("#files")
    assert browser.complaints == []


def test_after_a_new_login_the_page_goes_on(poe: ScriptedPoe, browser: AdminBrowser, gateway: Gateway) -> None:
    never = threading.Event()
    poe.script("bot", text("Still here"), until(never, 20), done())
    page = browser.open(gateway)
    page.evaluate("document.querySelector('meta[name=csrf-token]').content = 'of-the-old-session'")
    say(page, "Hi", "bot")
    page.wait_for_selector(".markdown >> text=Still here")
    assert len(poe.queries("bot")) == 1
    (live,) = page.evaluate("fetch('/admin/api/live').then((answer) => answer.json())")["requests"]
    assert live["client"] == "Playground"
    page.click("#stop")
    wait_end(page)


def test_the_effort_stays_what_was_chosen_last(browser: AdminBrowser, gateway: Gateway) -> None:
    page = browser.open(gateway)
    page.select_option("#effort", "high")
    page.reload()
    page.wait_for_function("document.getElementById('effort').value === 'high'")
    page.select_option("#effort", "")
    page.fill("#model", "")
    page.locator("#model").press_sequentially(CLAUDE)
    assert page.input_value("#effort") == ""
    page.fill("#own-thinking_budget", "2048")
    page.fill("#model", "another")
    page.fill("#model", CLAUDE)
    assert page.input_value("#own-thinking_budget") == "2048"
    # Nothing is kept of the halves of a name.
    assert kept(page)["settings"]["own"] == {CLAUDE: {"thinking_budget": "2048"}}
    assert browser.complaints == []


def test_what_cannot_be_read_is_not_waited_for(browser: AdminBrowser, gateway: Gateway) -> None:
    page = browser.open(gateway)
    told = page.evaluate(STREAM, 'data: {"choices":[{"delta":{"content":"Half"}}]}\n\ndata: {bad\n\n')
    assert told == {"cancelled": True, "text": "Half", "error": "The answer broke off."}


def test_errors_are_told_in_the_pages_language_and_the_gateways_words(browser: AdminBrowser, gateway: Gateway) -> None:
    page = browser.open(gateway, locale="zh-CN")
    say(page, "你好", "nobody")
    told = wait_end(page).locator(".error").inner_text()
    assert "没有这个模型" in told
    assert "nobody" in told
    assert "404" in told
