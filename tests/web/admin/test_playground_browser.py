"""The playground, and the page of the clients' settings, in a real browser; skipped without Playwright or Chromium."""

import base64
import json
import threading
from collections.abc import Iterator

import pytest

from tests.support.admin import PASSWORD
from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway
from tests.support.playground_page import CHROMIUM, AdminBrowser, admin_browser, say, wait_end
from tests.support.poe_script import done, error, file, json_event, pause, text, tool_call, until
from tests.support.scripted_poe import ScriptedPoe
from tests.support.wire import KEY

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

CLAUDE = "claude-sonnet-4.5"
HOSTILE = "<img src=x onerror=alert(1)>"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


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


@pytest.mark.parametrize("path", ["/admin/playground", "/admin/connect"])
@pytest.mark.parametrize("language", ["en", "zh-CN", "zh-TW"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_and_nothing_complains(
    browser: AdminBrowser, gateway: Gateway, path: str, language: str, width: int
) -> None:
    page = browser.open(gateway, path, locale=language, viewport={"width": width, "height": 800})
    assert page.get_attribute("html", "lang") == language
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.complaints == []


@pytest.mark.parametrize("path", ["/admin/playground", "/admin/connect"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(
    poe: ScriptedPoe, browser: AdminBrowser, gateway: Gateway, path: str, scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-core is not installed")
    page = browser.open(gateway, path, color_scheme=scheme)
    if "playground" in path:
        poe.script(CLAUDE, text("# Sky\n\n`code`\n\n```py\nx\n```\n\n|a|b|\n|-|-|\n|1|2|"), done())
        say(page, "Hi", CLAUDE)
        wait_end(page)
    for tab in ("answer", "raw", "request") if "playground" in path else ("",):
        if tab:
            page.click(f"#tab-{tab}")
        found = axe.Axe().run(page).response["violations"]
        serious = [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")]
        assert serious == []


def test_an_answer_is_seen_while_it_comes(poe: ScriptedPoe, browser: AdminBrowser, gateway: Gateway) -> None:
    go_on = threading.Event()
    poe.script(
        "bot", text("*Thinking...*\n\n> Let me see.\n\n"), text("It is **bl"), until(go_on), text("ue**."), done()
    )
    page = browser.open(gateway)
    say(page, "Why?", "bot")
    page.wait_for_selector(".markdown >> text=It is")
    assert page.is_visible("#stop")
    assert not page.is_visible("#send")
    go_on.set()
    answer = wait_end(page)
    assert answer.locator(".markdown strong").inner_text() == "blue"
    assert answer.locator(".thoughts").text_content() == "Let me see."
    facts = answer.locator(".facts").inner_text()
    assert all(word in facts for word in ("first byte", "first token", "total", "finish: stop", " out"))
    assert not page.is_visible("#stop")
    assert page.input_value("#say") == ""
    assert browser.complaints == []


def test_stopping_stops_the_bot(poe: ScriptedPoe, browser: AdminBrowser, gateway: Gateway) -> None:
    never = threading.Event()
    poe.script("endless", text("It goes on"), until(never, 20), done())
    page = browser.open(gateway)
    say(page, "Go", "endless")
    page.wait_for_selector(".markdown >> text=It goes on")
    page.click("#stop")
    answer = wait_end(page)
    assert "stopped" in answer.locator(".facts").inner_text()
    assert answer.locator(".error").count() == 0
    asked = poe.wait_query("endless")
    poe.wait_for(lambda _: asked.left_at)
    assert browser.complaints == []


@pytest.mark.parametrize("streamed", [True, False])
def test_what_a_model_says_is_never_markup(
    poe: ScriptedPoe, browser: AdminBrowser, gateway: Gateway, streamed: bool
) -> None:
    said = f"{HOSTILE}\n\n# {HOSTILE}\n\n- {HOSTILE}\n\n[x](javascript:alert(1)) ![y](javascript:alert(1)) `{HOSTILE}`"
    poe.script(HOSTILE.replace("/", ""), text(said), done())
    page = browser.open(gateway)
    if not streamed:
        page.uncheck("#stream")
    say(page, HOSTILE, HOSTILE)
    answer = wait_end(page)
    assert answer.locator(".markdown").inner_text().count(HOSTILE) == 4
    assert page.locator("img").count() == 0
    assert page.locator("#messages a").count() == 0
    page.click("#tab-raw")
    page.click("#tab-request")
    assert page.locator("img").count() == 0
    assert browser.complaints == []


def test_pictures_and_players(poe: ScriptedPoe, browser: AdminBrowser, gateway: Gateway) -> None:
    poe.script(
        "painter",
        text("Here: ![a cat][c] and [song](https://pfst.cf2.poecdn.net/a.mp3), ![far](http://elsewhere.test/a.png)"),
        file("https://pfst.cf2.poecdn.net/cat.png", ref="c"),
        done(),
    )
    page = browser.open(gateway)
    say(page, "A cat", "painter")
    answer = wait_end(page)
    assert answer.locator("img").get_attribute("src") == "https://pfst.cf2.poecdn.net/cat.png"
    assert answer.locator("img").get_attribute("alt") == "a cat"
    assert answer.locator("audio").get_attribute("src") == "https://pfst.cf2.poecdn.net/a.mp3"
    # A picture over plain HTTP, which the page may not load, is a link.
    assert answer.locator("a >> text=far").get_attribute("rel") == "noopener noreferrer"
    assert browser.complaints == []


def test_the_raw_stream_and_the_request(poe: ScriptedPoe, browser: AdminBrowser, gateway: Gateway) -> None:
    poe.script(CLAUDE, text("Hel"), pause(0.3), text("lo"), done())
    page = browser.open(gateway)
    page.fill("#system", "Be brief.")
    page.fill("#temperature", "0.5")
    page.fill("#model", CLAUDE)
    page.fill("#own-thinking_budget", "2048")
    page.click("summary >> text=Other fields")
    page.fill("#extra", '{"top_p": 0.9}')
    say(page, "It's you?")
    wait_end(page)
    page.click("#tab-raw")
    lines = page.inner_text("#raw code").splitlines()
    assert lines[0].endswith("HTTP 200")
    assert lines[-1].endswith("data: [DONE]")
    times = [float(line.split()[0]) for line in lines]
    assert times == sorted(times)
    assert times[-1] - times[0] >= 0.25
    sent = json.loads(poe.wait_query(CLAUDE).body)["query"]
    assert sent[-1]["parameters"]["thinking_budget"] == 2048
    page.click("#tab-request")
    curl, python, javascript = (page.inner_text(f"[data-name={name}]") for name in ("curl", "python", "javascript"))
    assert curl.startswith(f"curl -N {gateway.url}/v1/chat/completions \\\n")
    body = json.loads(curl.partition("-d '")[2].removesuffix("'").replace("'\\''", "'"))
    assert body == {
        "model": CLAUDE,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "It's you?"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.5,
        "thinking_budget": 2048,
        "top_p": 0.9,
    }
    compile(python, "snippet", "exec")
    assert 'extra_body={"thinking_budget": 2048}' in python
    assert f'baseURL: "{gateway.url}/v1"' in javascript
    assert browser.complaints == []


def test_tools_are_called_and_answered(poe: ScriptedPoe, browser: AdminBrowser, gateway: Gateway) -> None:
    call = tool_call(0, '{"city":"Paris"}', id="call_1", name="get_weather")
    poe.script(CLAUDE, call, json_event({}, "tool_calls"), done())
    poe.script(CLAUDE, text("Sunny."), done())
    page = browser.open(gateway)
    page.click("text=Tools >> nth=0")
    page.click("#example")
    say(page, "Weather?", CLAUDE)
    page.wait_for_selector("text=Calls get_weather")
    assert '"city": "Paris"' in page.inner_text(".call pre")
    page.fill(".call textarea", "21 degrees")
    page.click("text=Send the result")
    page.wait_for_selector(".markdown >> text=Sunny.")
    assert b"21 degrees" in poe.wait_query(CLAUDE, 2).body
    assert page.inner_text(".call .result") == "21 degrees"
    assert browser.complaints == []


def test_files_go_along_and_are_shortened_in_snippets(
    poe: ScriptedPoe, browser: AdminBrowser, gateway: Gateway
) -> None:
    poe.script(CLAUDE, text("Seen."), done())
    page = browser.open(gateway)
    picture = {
        "name": "dot.png",
        "mimeType": "image/png",
        "buffer": base64.b64decode(PIXEL) + b"\0" * 300,
    }
    page.set_input_files("#pick", [picture, {"name": "notes.md", "mimeType": "", "buffer": b"# Notes\n"}])
    page.wait_for_selector("#files img")
    say(page, "What is it?", CLAUDE)
    wait_end(page)
    assert {one.name for one in poe.uploads} >= {"notes.md"}
    assert len(poe.uploads) == 2
    page.click("#tab-request")
    assert "characters left out" in page.inner_text("[data-name=curl]")
    assert page.is_visible("#request .notice")
    page.reload()
    page.wait_for_selector("text=Seen.")
    assert page.inner_text("#messages .user .files").count("not kept") == 2
    assert browser.complaints == []


def test_messages_are_edited_deleted_and_asked_again(poe: ScriptedPoe, browser: AdminBrowser, gateway: Gateway) -> None:
    poe.script_by("bot", lambda asked: [text(f"You said: {json.loads(asked.body)['query'][-1]['content']}"), done()])
    page = browser.open(gateway)
    say(page, "one", "bot")
    wait_end(page)
    say(page, "two")
    page.wait_for_selector(".markdown >> text=You said: two")
    page.click(".user >> nth=0 >> text=Edit")
    page.fill(".editor textarea", "three")
    page.click("text=Save and ask")
    page.wait_for_selector(".markdown >> text=You said: three")
    assert page.locator("#messages > li").count() == 2
    wait_end(page)
    page.click(".answer >> text=Ask again")
    wait_end(page)
    poe.wait_query("bot", 4)
    page.click(".answer >> text=Delete")
    assert page.locator("#messages > li").count() == 1
    page.reload()
    page.wait_for_selector(".user >> text=three")
    page.click("#clear")
    assert page.locator("#messages > li").count() == 0
    assert browser.complaints == []


def test_errors_say_their_code(poe: ScriptedPoe, browser: AdminBrowser, gateway: Gateway) -> None:
    poe.script("breaks", text("Half an answer"), error("Out of order", allow_retry=False))
    page = browser.open(gateway)
    say(page, "Hi", "nobody")
    answer = wait_end(page)
    assert "model_not_found" in answer.locator(".error").inner_text()
    assert "404" in answer.locator(".error").inner_text()
    say(page, "Hi", "breaks")
    page.wait_for_selector(".answer:last-child .error")
    answer = wait_end(page)
    assert "Out of order" in answer.locator(".error").inner_text()
    assert "Half an answer" in answer.locator(".markdown").inner_text()


def test_settings_that_cannot_be_sent_are_not(poe: ScriptedPoe, browser: AdminBrowser, gateway: Gateway) -> None:
    page = browser.open(gateway)
    page.evaluate("document.getElementById('tools').value = '[{]'")
    say(page, "Hi", "never-asked")
    page.wait_for_selector("#tools[aria-invalid=true]")
    assert page.input_value("#say") == "Hi"
    assert page.locator("#messages > li").count() == 0
    assert not poe.queries("never-asked")
    assert browser.complaints == []


def test_a_key_is_asked_for_and_kept_in_the_page_alone(
    poe: ScriptedPoe, browser: AdminBrowser, make_gateway: GatewayFactory
) -> None:
    poe.script("bot", text("Hello"), done())
    page = browser.open(make_gateway(ADMIN_PASSWORD=PASSWORD))
    page.fill("#key", KEY)
    say(page, "Hi", "bot")
    wait_end(page)
    assert poe.wait_query("bot").header("authorization") == f"Bearer {KEY}"
    kept = page.evaluate("JSON.stringify(sessionStorage) + JSON.stringify(localStorage)")
    assert "Hello" in kept
    assert KEY not in kept
    page.click("#tab-request")
    assert KEY not in page.content()
    assert browser.complaints == []


@pytest.mark.parametrize(
    "piece",
    [
        "[",
        "![",
        "](",
        "*a ",
        "**",
        "_a_",
        "`",
        "``a",
        "> ",
        "- a\n  ",
        "|a",
        "http://a(",
        "[a](",
        "[a][]",
        "\\",
        "~~",
        "# ",
        "<a ",
        "1. ",
    ],
)
def test_markdown_takes_linear_time(browser: AdminBrowser, gateway: Gateway, piece: str) -> None:
    page = browser.open(gateway)
    took = page.evaluate(
        """async (text) => {
          const { Markdown } = await import('/static/admin/markdown.js');
          const shown = new Markdown(document.createElement('div'));
          const started = performance.now();
          shown.update(text);
          return performance.now() - started;
        }""",
        piece * (100_000 // len(piece)),
    )
    assert took < 3000


def test_the_settings_of_clients_follow_the_model_and_the_address(browser: AdminBrowser, gateway: Gateway) -> None:
    page = browser.open(gateway, "/admin/connect", permissions=["clipboard-read", "clipboard-write"])
    page.select_option("#model", "painter")
    aider = page.locator("[data-name=aider]")
    assert aider.locator("pre").inner_text().endswith("aider --model openai/painter")
    aider.locator(".copy").click()
    page.wait_for_selector("text=Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(f"export OPENAI_API_BASE={gateway.url}/v1\n")
    page.fill("#find", "open")
    names = page.locator(".client:visible h3").all_inner_texts()
    assert names == ["Open WebUI", "opencode", "OpenAI SDK · Python", "OpenAI SDK · Node"]
    page.click("text=Coding agents >> nth=0")
    assert page.locator(".client:visible h3").all_inner_texts() == ["opencode"]
    page.fill("#find", "nothing such")
    assert page.is_visible("#none")
    assert browser.complaints == []


def test_a_hostile_name_of_a_model_is_text_and_never_a_command(browser: AdminBrowser, gateway: Gateway) -> None:
    page = browser.open(gateway, "/admin/connect")
    name = f"{HOSTILE}\"; $(reboot) '"
    page.evaluate("(name) => document.getElementById('model').append(new Option(name, name))", name)
    page.select_option("#model", name)
    assert page.locator("img").count() == 0
    assert "reboot" not in page.inner_text("[data-name=aider] pre")
    assert "reboot" not in page.inner_text("[data-name=curl] pre")
    assert json.loads(page.inner_text("[data-name=opencode] pre >> nth=0"))["provider"]["poe"]["models"].keys() == {
        name
    }
    assert browser.complaints == []
