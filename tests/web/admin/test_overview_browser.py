"""Overview and keys in a real browser; needs Playwright and an installed Chromium, and is skipped without them."""

import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from werkzeug.serving import make_server

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.web.services import EXTENSION
from tests.support.admin import PASSWORD
from tests.support.admin_data import (
    EVIL,
    NOTHING,
    POE_KEYS,
    Stage,
    entry,
    live,
    made_up_app,
    overview,
)
from tests.support.scripted_poe import ScriptedPoe

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

expect = playwright.expect

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# Gives up soon.
IMPATIENT = """AbortSignal.timeout = () => {
  const giver = new AbortController();
  setTimeout(() => giver.abort(new DOMException("", "TimeoutError")), 300);
  return giver.signal;
};"""
QUIET = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]

OpenPage = Callable[..., Any]


@pytest.fixture(scope="module")
def _stage() -> Stage:
    return Stage()


@pytest.fixture
def stage(_stage: Stage) -> Stage:
    _stage.reset()
    return _stage


@pytest.fixture(scope="module")
def address(_stage: Stage, _scripted_poe: ScriptedPoe, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("overview")
    with made_up_app(
        _scripted_poe.url, folder, records=_stage.records, live=_stage.live, balances=_stage.balances
    ) as app:
        _stage.ring = app.extensions[EXTENSION].keys
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
def open_page(browser: Any, address: str, stage: Stage, complaints: list[str]) -> Iterator[OpenPage]:
    contexts = []

    def open_page(path: str = "/admin/", *, before: Callable[[Any], None] | None = None, **options: Any) -> Any:
        context = browser.new_context(**{"locale": "en-US", "timezone_id": "UTC", **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{address}/admin/login")
        page.fill("[name=password]", PASSWORD)
        page.fill("[name=username]", "admin")
        page.click("form .primary")
        page.wait_for_selector("nav")
        page.wait_for_load_state("load")  # nothing is cut off
        page.goto("about:blank")  # the first page asks for nothing any more
        if before is not None:
            before(page)
        page.goto(f"{address}{path}")
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.mark.parametrize("language", ["en", "zh-CN", "zh-TW"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("path", ["/admin/?span=month", "/admin/keys"])
def test_it_fits_and_nothing_complains(
    open_page: OpenPage, complaints: list[str], path: str, width: int, language: str
) -> None:
    page = open_page(path, viewport={"width": width, "height": 800}, locale=language)
    expect(page.locator("main")).to_contain_text("812,400")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.get_attribute("html", "lang") == language
    assert complaints == []


def test_dark_is_dark_and_bars_are_coloured(open_page: OpenPage) -> None:
    page = open_page(color_scheme="dark")
    colour = page.evaluate("getComputedStyle(document.querySelector('.card')).backgroundColor")
    assert int(colour.removeprefix("rgb(").split(",")[0]) < 64
    fills = [page.evaluate(f"getComputedStyle(document.querySelector('rect.c{n}')).fill") for n in (1, 2, 6)]
    assert len(set(fills)) == 3
    assert "rgb(0, 0, 0)" not in fills


class TestPoints:
    def test_they_come_by_themselves(self, open_page: OpenPage) -> None:
        page = open_page()
        page.wait_for_selector("#points-left:text('812,400')")
        page.wait_for_selector("#spent:has-text('spent · about')")
        page.wait_for_selector("#points-chart svg[role=img]")

    def test_the_page_does_not_wait_for_poe(self, open_page: OpenPage) -> None:
        page = open_page(before=lambda page: page.route("**/admin/api/balance", lambda route: None))
        page.wait_for_selector(".live")
        assert page.inner_text("#points-left") == "–"

    def test_keys_that_poe_refuses_are_told(self, open_page: OpenPage, stage: Stage) -> None:
        stage.balances.left = {POE_KEYS[0]: 500}
        page = open_page()
        page.wait_for_selector("#spent:has-text('1 of 3 keys')")

    def test_once_poe_tells_of_them_again_the_chart_is_there(self, open_page: OpenPage, stage: Stage) -> None:
        stage.balances.left = {}
        page = open_page(before=lambda page: page.clock.install())
        page.wait_for_selector("#spent:has-text('key refused')")
        assert page.inner_text("#points-left") == "–"
        assert "key refused" in page.inner_text("#points-chart")
        stage.balances.left = {POE_KEYS[0]: 500}
        page.clock.fast_forward(310_000)
        page.wait_for_selector("#points-chart svg[role=img]")
        page.wait_for_selector("#points-left:text('500')")


class TestLive:
    def test_what_is_under_way_counts_up(self, open_page: OpenPage, complaints: list[str]) -> None:
        looks: list[Any] = []

        def only_once(route: Any) -> None:
            looks.append(route)
            if len(looks) == 1:
                route.continue_()

        page = open_page(before=lambda page: page.route("**/admin/api/live", only_once))
        page.wait_for_selector(".live >> nth=1")
        assert "claude-sonnet-4.5" in page.inner_text(".live >> nth=0")
        assert re.fullmatch(r"0:4\d", page.inner_text(".live .age >> nth=0"))
        expect(page.locator(".live .age").nth(1)).to_have_text(re.compile("0:0[4-9]"))
        assert complaints == []

    def test_the_speed_is_that_of_the_last_seconds(self, open_page: OpenPage, stage: Stage) -> None:
        stage.live.requests = [live("req_a", model="gpt-5", age=10.0, tokens=100)]
        page = open_page()
        expect(page.locator(".live")).to_contain_text("10 tok/s")
        stage.live.requests = [live("req_a", model="gpt-5", age=12.0, tokens=300)]
        expect(page.locator(".live")).to_contain_text(re.compile(r"\b(?:[6-9]|10)\d tok/s"))

    def test_stop_stops_once_and_waits(self, open_page: OpenPage, stage: Stage) -> None:
        page = open_page()
        page.focus("button[aria-label='Stop gpt-5 of Cline']")
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
        page.wait_for_selector(".live.stopping button[aria-disabled=true]:text('Stopping')")
        page.wait_for_timeout(2500)
        assert page.locator(".live.stopping").count() == 1
        assert stage.live.stopped == ["req_b"]
        expect(page.locator(".live.stopping button")).to_be_focused()
        stage.live.requests = stage.live.requests[:1]
        expect(page.locator(".live")).to_have_count(1)
        expect(page.locator(".live button")).to_be_focused()
        stage.live.requests = []
        page.wait_for_selector("text=Nothing is under way.")
        expect(page.locator("#live-heading")).to_be_focused()

    def test_one_that_cannot_be_stopped_can_be_tried_again(self, open_page: OpenPage) -> None:
        error = orjson.dumps({"error": {"message": "No way to that worker."}}).decode()
        answer = {"status": 503, "content_type": "application/json", "body": error}
        page = open_page(before=lambda page: page.route("**/stop", lambda route: route.fulfill(**answer)))
        page.click(".live button >> nth=0")
        page.wait_for_selector(".toast.bad:has-text('No way to that worker.')")
        assert page.get_attribute(".live button >> nth=0", "aria-disabled") == "false"
        assert page.inner_text(".live button >> nth=0") == "Stop"

    def test_one_that_has_ended_by_itself_is_no_error(self, open_page: OpenPage, stage: Stage) -> None:
        page = open_page()
        page.wait_for_selector(".live >> nth=1")
        stage.live.requests = stage.live.requests[1:]
        page.click(".live button >> nth=0")
        expect(page.locator(".live")).to_have_count(1)
        assert page.locator(".toast").count() == 0

    def test_a_look_that_hangs_is_not_the_last(self, open_page: OpenPage) -> None:
        looks: list[Any] = []

        def hang_once(route: Any) -> None:
            looks.append(route)
            if len(looks) > 1:
                route.continue_()

        def prepare(page: Any) -> None:
            page.add_init_script(IMPATIENT)
            page.route("**/admin/api/live", hang_once)

        page = open_page(before=prepare)
        page.wait_for_selector("#live-note:has-text('cannot be read')")
        page.wait_for_selector(".live >> nth=1")

    def test_asking_ends_with_the_session(self, open_page: OpenPage) -> None:
        page = open_page()
        page.wait_for_selector(".live")
        page.context.clear_cookies()
        page.wait_for_selector(".toast.bad a:text('Log in again')")
        page.wait_for_timeout(4500)
        assert page.locator(".toast").count() == 1


class TestRequests:
    def test_a_row_opens_with_the_keyboard_and_shows_all_as_text(
        self, open_page: OpenPage, complaints: list[str]
    ) -> None:
        page = open_page()
        page.focus("tr.failed button.open")
        page.keyboard.press("Enter")
        page.wait_for_selector("tr.detail pre")
        assert page.inner_text("tr.detail pre") == EVIL
        assert "/v1/chat/completions" in page.inner_text("tr.detail")
        assert page.get_attribute("tr.failed button.open", "aria-expanded") == "true"
        page.keyboard.press("Enter")
        assert page.locator("tr.detail").count() == 0
        assert complaints == []

    def test_without_texts_it_says_how_to_have_them(self, open_page: OpenPage) -> None:
        page = open_page()
        page.click("tr.request >> nth=0")
        page.wait_for_selector("tr.detail:has-text('RECORD_MESSAGES')")

    def test_the_failed_alone(self, open_page: OpenPage) -> None:
        page = open_page()
        assert page.locator("tr.request:visible").count() == 25
        assert page.inner_text("#show-all") == "Show all 40"
        page.click("#only-failed")
        assert page.locator("tr.request:visible").count() == 1
        assert page.is_hidden("#show-all")
        assert page.get_attribute("#only-failed", "aria-pressed") == "true"
        page.click("#only-failed")
        page.click("#show-all")
        assert page.locator("tr.request:visible").count() == 40
        assert page.is_hidden("#show-all")

    def test_rows_that_come_later_can_be_shown(self, open_page: OpenPage, stage: Stage) -> None:
        entries = stage.records.entries
        stage.records.entries = entries[1:26]
        page = open_page(before=lambda page: page.clock.install())
        assert page.is_hidden("#show-all")
        stage.records.entries = entries[:26]
        page.clock.fast_forward(36_000)
        page.click("#show-all:text('Show all 26')")
        assert page.locator("tr.request:visible").count() == 26

    def test_what_a_row_opens_fits_a_phone(self, open_page: OpenPage) -> None:
        page = open_page(viewport={"width": 360, "height": 800})
        page.click("tr.failed button.open")
        page.wait_for_selector("tr.detail pre")
        edges = """[...document.querySelectorAll("tr.detail dd, tr.detail pre")]
            .map((part) => part.getBoundingClientRect()).flatMap((box) => [box.left, box.right])"""
        assert 0 < min(page.evaluate(edges)) < max(page.evaluate(edges)) < 360

    def test_times_are_the_browsers(self, open_page: OpenPage, stage: Stage) -> None:
        stage.records.entries = [entry("req_old", at=1_763_726_400.0)]
        page = open_page(timezone_id="Asia/Shanghai")
        page.wait_for_selector("tr.request time:text('Nov 21, 20:00')")

    def test_new_rows_come_and_the_open_one_stays(self, open_page: OpenPage, stage: Stage) -> None:
        page = open_page(before=lambda page: page.clock.install())
        page.click("tr[data-id=req_2] button.open")
        page.wait_for_selector("tr.detail dl")
        stage.records.entries = [entry("req_new", at=time.time(), model="brand-new"), *stage.records.entries[:39]]
        stage.records.now = overview(requests=4813)
        page.clock.run_for(36_000)
        page.wait_for_selector("tr[data-id=req_new]")
        order = page.evaluate(
            "[...document.querySelectorAll('#rows tr')].slice(0, 5).map(row => row.dataset.id ?? row.id)"
        )
        assert order == ["req_new", "req_0", "req_1", "req_2", "detail-req_2"]
        assert page.evaluate("document.activeElement.closest('tr').dataset.id") == "req_2"
        assert page.locator("tr[data-id=req_39]").count() == 0
        assert "4,813" in page.inner_text("[data-part=card-requests]")
        assert re.fullmatch(r"\d\d:\d\d:\d\d", page.inner_text("tr[data-id=req_new] time"))


def test_what_was_todays_is_yesterdays_after_a_night(open_page: OpenPage, stage: Stage) -> None:
    page = open_page(before=lambda page: page.clock.install())
    expect(page.locator("tr[data-id=req_1] time")).to_have_text(re.compile(r"^\d\d:\d\d:\d\d$"))
    page.clock.fast_forward("30:00:00")
    expect(page.locator("tr[data-id=req_1] time")).to_have_text(re.compile(r"^[A-Z][a-z]{2} \d+, \d\d:\d\d$"))


def test_a_gateway_that_hangs_is_asked_once_at_a_time(open_page: OpenPage) -> None:
    asked: list[Any] = []

    def hang(route: Any) -> None:
        asked.append(route)

    def prepare(page: Any) -> None:
        page.clock.install()
        page.add_init_script("AbortSignal.timeout = () => new AbortController().signal")  # never gives up

    page = open_page(before=prepare)
    page.wait_for_selector("#points-chart svg[role=img]")
    page.route(re.compile(r"/admin/\?span="), hang)
    for _ in range(6):
        page.clock.fast_forward(36_000)
    page.wait_for_timeout(200)
    assert len(asked) == 1


def test_a_fresh_gateway_wakes_with_its_first_request(open_page: OpenPage, stage: Stage) -> None:
    stage.records.entries, stage.records.now = [], NOTHING
    page = open_page(before=lambda page: page.clock.install())
    page.wait_for_selector("text=Ready for the first request")
    stage.records.entries, stage.records.now = [entry()], None
    page.clock.run_for(36_000)
    page.wait_for_selector("#requests")


class TestKeys:
    def test_balances_come_by_themselves_and_again(self, open_page: OpenPage, stage: Stage) -> None:
        page = open_page("/admin/keys")
        page.wait_for_selector("#total:text('812,400')")
        stage.balances.left = {POE_KEYS[0]: 500}
        page.click("#ask-again")
        page.wait_for_selector("#total:text('at least 500')")
        assert page.locator("td:has-text('key refused')").count() == 2

    def test_a_gateway_that_does_not_answer_is_told(self, open_page: OpenPage) -> None:
        page = open_page("/admin/keys", before=lambda page: page.route("**/api/balance", lambda route: route.abort()))
        page.wait_for_selector("td:has-text('cannot be reached') >> nth=2")

    def test_one_that_is_paused_comes_back_by_itself(self, open_page: OpenPage, stage: Stage) -> None:
        stage.ring.report(POE_KEYS[1], GatewayError(ErrorKind.RATE_LIMIT, "slow down", retry_after=2))
        page = open_page("/admin/keys")
        page.wait_for_selector("td[data-state='2']:has-text('paused 0:0')")
        page.wait_for_selector("td[data-state='2']:has-text('in order · last: rate limited')")

    def test_asking_again_is_for_the_states_as_well(self, open_page: OpenPage, stage: Stage) -> None:
        page = open_page("/admin/keys")
        page.wait_for_selector("td[data-state='1']:has-text('in order')")
        stage.ring.report(POE_KEYS[0], GatewayError(ErrorKind.RATE_LIMIT, "slow down", retry_after=60))
        page.click("#ask-again")
        page.wait_for_selector("td[data-state='1']:has-text('paused 1:00')")
        expect(page.locator("#ask-again")).to_be_focused()
        stage.ring.report_success(POE_KEYS[0])
