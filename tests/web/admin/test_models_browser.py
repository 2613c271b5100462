"""The models page in a real browser; needs Playwright and an installed Chromium, and is skipped without them."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.models_page import (
    BOTS,
    CHROMIUM,
    HOSTILE,
    ModelsPage,
    changes,
    models_page,
    open_row,
    row,
    save,
    shown,
)

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-core is not installed")

SLOWEST_FILTER_MS = 50

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


@pytest.fixture(scope="module")
def _site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelsPage]:
    with models_page(playwright, tmp_path_factory.mktemp("config")) as site:
        yield site


@pytest.fixture
def opened(_site: ModelsPage) -> Iterator[ModelsPage]:
    """Opens the page; whatever the browser complains of fails the test."""
    _site.forget()
    yield _site
    assert _site.complaints == []


@pytest.mark.parametrize("language", ["en", "zh-CN", "zh-TW"])
def test_it_fits_and_nothing_complains(opened: ModelsPage, language: str) -> None:
    page = opened("models:\n  alpha: {mapping: x}\n", locale=language)
    assert page.get_attribute("html", "lang") == language
    assert len(shown(page)) == BOTS
    for width in (1280, 1000, 800, 390):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert row(page, "alpha").locator(".open").bounding_box()["width"] > 80
    open_row(page, "alpha")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.querySelector('dialog.side .body').scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(opened: ModelsPage, scheme: str) -> None:
    page = opened("models:\n  beta: {enable: false}\n  painter: {tools_mode: xml}\n", color_scheme=scheme)
    page.fill("#search", "a")
    row(page, "alpha").locator(".alias").fill("x")
    row(page, "alpha").locator(".pick input").check()
    found = [serious(page)]
    row(page, "alpha").locator(".open").click()
    page.wait_for_selector("dialog [data-part=facts] dl")
    page.wait_for_timeout(200)
    found.append(serious(page))
    page.keyboard.press("Escape")
    page.click("#review")
    found.append(serious(page))
    assert found == [[], [], []]


def serious(page: Any) -> list[str]:
    violations = axe.Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {node['html'][:120]}"
        for each in violations
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"][:3]
    ]


def test_a_name_that_is_markup_stays_text(opened: ModelsPage) -> None:
    page = opened(f"models:\n  evil: {{mapping: ['{HOSTILE}']}}\n  '{HOSTILE}-2': {{enable: false}}\n")
    assert row(page, "evil").locator(".open").inner_text() == HOSTILE
    assert row(page, "evil").locator(".alias").input_value() == HOSTILE
    row(page, "evil").locator(".open").click()
    page.wait_for_selector("dialog .description")
    assert page.inner_text("dialog .description") == HOSTILE
    page.keyboard.press("Escape")
    row(page, "evil").locator(".switch").click()
    page.click("#review")
    page.wait_for_selector("dialog table")
    assert page.locator("img[src=x]").count() == 0


def test_the_search_finds_names_first_and_descriptions_too(opened: ModelsPage) -> None:
    page = opened("models:\n  bot-007: {mapping: bond}\n")
    page.keyboard.press("/")
    page.keyboard.type("alpha")
    page.wait_for_selector("#count:text-is('2 models')", state="attached")
    assert shown(page) == ["alpha", "beta"]
    page.fill("#search", "smaller openai")
    assert shown(page) == ["beta"]
    page.fill("#search", "bond")
    assert shown(page) == ["bot-007"]
    page.fill("#search", "no such bot")
    assert page.is_visible("#none")
    page.keyboard.press("Escape")
    assert len(shown(page)) == BOTS
    assert shown(page)[:3] == ["alpha", "beta", "painter"]


def test_filtering_four_hundred_rows_is_quicker_than_one_sees(opened: ModelsPage) -> None:
    page = opened()
    took = page.evaluate("""() => ["bot-1", "bot-", "b", "", "zzz", ""].map((text) => {
        const search = document.getElementById("search");
        search.value = text;
        const begun = performance.now();
        search.dispatchEvent(new Event("input"));
        document.body.offsetHeight;
        return performance.now() - begun;
    })""")
    assert sorted(took)[len(took) // 2] < SLOWEST_FILTER_MS, took


def test_filters_are_combined(opened: ModelsPage) -> None:
    page = opened("models:\n  alpha: {mapping: x, enable: false}\n  beta: {mapping: y}\ncustom_models:\n  - id: own\n")
    page.click("[data-kind=image]")
    assert shown(page) == ["painter"]
    page.click("[data-state=mapped]")
    assert shown(page) == []
    page.click("[data-kind=text]")
    assert shown(page) == ["alpha", "beta"]
    assert page.inner_text("[data-state=hidden] small") == "1"
    page.click("[data-state=hidden]")
    assert shown(page) == ["alpha"]
    for chip in ("kind=image", "kind=text", "state=mapped", "state=hidden"):
        page.click(f"[data-{chip}]")
    page.click("[data-state=custom]")
    assert shown(page) == ["own"]


def test_columns_sort_both_ways_and_back(opened: ModelsPage) -> None:
    page = opened()
    head = page.locator("th[data-sort=context]")
    head.locator("button").click()
    assert (shown(page)[0], shown(page)[-1]) == ("beta", "painter")
    assert head.get_attribute("aria-sort") == "ascending"
    head.locator("button").click()
    assert (shown(page)[0], shown(page)[-1]) == ("alpha", "painter")
    assert head.get_attribute("aria-sort") == "descending"
    head.locator("button").click()
    assert shown(page)[:2] == ["alpha", "beta"]
    assert head.get_attribute("aria-sort") == "none"


def test_an_image_that_cannot_be_had_leaves_the_letter(opened: ModelsPage) -> None:
    page = opened()
    page.route("https://example.com/**", lambda route: route.abort())
    page.reload()
    page.wait_for_selector("html[data-ready]", state="attached")
    page.wait_for_selector("#rows tr[data-id=alpha] img", state="detached")
    assert row(page, "alpha").locator(".tile").inner_text() == "A"
    opened.complaints[:] = [each for each in opened.complaints if "ERR_FAILED" not in each]


def test_a_bot_is_renamed_and_the_rest_of_the_file_stays(opened: ModelsPage) -> None:
    page = opened("# ours\nmodels:\n  BETA:\n    enable: false # not yet\n    odd: kept\n")
    row(page, "alpha").locator(".alias").fill("gpt-4o, best")
    page.keyboard.press("Enter")
    assert changes(page) == "1 change, not saved"
    row(page, "beta").locator(".alias").fill("gpt-5")
    page.keyboard.press("Tab")
    assert changes(page) == "2 changes, not saved"
    save(page)
    text = opened.file.read_text("utf-8")
    assert "# ours" in text
    assert "# not yet" in text
    beta = {"enable": False, "odd": "kept", "mapping": "gpt-5"}
    assert opened.saved() == {"models": {"BETA": beta, "alpha": {"mapping": ["gpt-4o", "best"]}}}


def test_undo_and_redo(opened: ModelsPage) -> None:
    page = opened()
    row(page, "alpha").locator(".switch").click()
    row(page, "beta").locator(".switch").click()
    assert changes(page) == "2 changes, not saved"
    page.keyboard.press("Control+z")
    assert row(page, "beta").locator(".switch").is_checked()
    assert changes(page) == "1 change, not saved"
    page.click("#undo")
    assert row(page, "alpha").locator(".switch").is_checked()
    assert changes(page) == "No changes"
    page.keyboard.press("Control+Shift+z")
    assert not row(page, "alpha").locator(".switch").is_checked()
    row(page, "alpha").locator(".switch").click()
    assert changes(page) == ""


def test_what_is_typed_counts_at_once_and_is_one_step(opened: ModelsPage) -> None:
    page = opened("models:\n  alpha: {mapping: x}\n")
    alias = row(page, "alpha").locator(".alias")
    alias.press("End")
    alias.press_sequentially(", why ,")
    assert changes(page) == "1 change, not saved"
    assert alias.input_value() == "x, why ,"
    page.keyboard.press("Escape")
    assert alias.input_value() == "x"
    assert changes(page) == ""
    alias.press("End")
    alias.press_sequentially("yz")
    page.keyboard.press("ArrowDown")
    assert row(page, "beta").locator(".alias").evaluate("(input) => input === document.activeElement")
    page.click("#undo")
    assert alias.input_value() == "x"
    assert page.get_attribute("#save", "aria-disabled") == "true"


def test_whoever_leaves_with_changes_is_asked(opened: ModelsPage) -> None:
    page = opened()
    row(page, "alpha").locator(".switch").click()
    asked: list[str] = []

    def leave(dialog: Any) -> None:
        asked.append(dialog.type)
        dialog.accept()

    page.on("dialog", leave)
    page.reload()
    assert asked == ["beforeunload"]
    page.wait_for_selector("html[data-ready]", state="attached")
    page.reload()
    assert asked == ["beforeunload"]
