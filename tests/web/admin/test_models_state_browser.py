"""Where the models page could lose something: keys in two cases, the focus, a session that ends, what is half typed."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.admin import PASSWORD
from tests.support.models_page import CHROMIUM, ModelsPage, changes, models_page, open_row, row, save, shown

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


@pytest.fixture(scope="module")
def _site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelsPage]:
    with models_page(playwright, tmp_path_factory.mktemp("config")) as site:
        yield site


@pytest.fixture
def opened(_site: ModelsPage) -> Iterator[ModelsPage]:
    _site.forget()
    yield _site
    assert [each for each in _site.complaints if "the server responded with a status of 4" not in each] == []


def import_file(page: Any, text: str) -> None:
    page.set_input_files("#file", {"name": "models.yaml", "mimeType": "text/yaml", "buffer": text.encode()})
    page.wait_for_selector("#warnings li, .toast")


def focused(page: Any) -> str:
    return str(page.evaluate("document.activeElement.id || document.activeElement.className || 'BODY'"))


TWICE = "models:\n  ALPHA: {mapping: [one, two]}\n  alpha: {mapping: dup, enable: false}\n  beta: {mapping: b}\n"


def test_of_two_keys_in_different_case_the_first_is_edited(opened: ModelsPage) -> None:
    page = opened(TWICE)
    alias = row(page, "alpha").locator(".alias")
    assert (alias.input_value(), row(page, "alpha").locator(".switch").is_checked()) == ("one, two", True)
    alias.fill("three")
    assert changes(page) == "1 change, not saved"
    save(page)
    assert opened.saved()["models"]["ALPHA"] == {"mapping": "three"}
    alias.fill("")
    page.keyboard.press("Enter")
    assert row(page, "alpha").locator(".switch").is_checked()
    save(page)
    assert opened.saved()["models"] == {"beta": {"mapping": "b"}}


def test_a_file_with_a_bot_twice_is_imported_as_the_page_shows_it(opened: ModelsPage) -> None:
    page = opened("models:\n  alpha: {mapping: x}\n")
    import_file(page, TWICE + "custom_models: [{id: own, owned_by: me}, {id: OWN}]\n")
    page.wait_for_selector("#warnings li")
    assert "alpha is in the file twice" in page.inner_text("#warnings")
    assert "OWN is in the file twice" in page.inner_text("#warnings")
    page.get_by_role("button", name="Close").first.click()
    assert focused(page) == "search"
    save(page)
    assert opened.saved()["models"] == {"ALPHA": {"mapping": ["one", "two"]}, "beta": {"mapping": "b"}}
    assert opened.saved()["custom_models"] == [{"id": "own", "owned_by": "me"}]
    page.reload()
    page.wait_for_selector("html[data-ready]", state="attached")
    row(page, "alpha").locator(".alias").fill("new")
    assert changes(page) == "1 change, not saved"


def test_what_a_click_waits_for_is_said(opened: ModelsPage) -> None:
    page = opened()
    held: list[Any] = []

    def hold(route: Any) -> None:
        held.append(route)

    page.route("**/api/admin/config", hold)
    page.reload(wait_until="commit")
    page.wait_for_selector("#loading:not([hidden])")
    row(page, "alpha").locator(".open").click()
    page.route("**/admin/api/models", hold)
    held.pop(0).continue_()
    page.wait_for_selector("dialog.side")
    assert page.is_hidden("#loading")
    assert "Loading" in page.inner_text("dialog [data-part=parameters]")
    held.pop(0).continue_()
    page.wait_for_selector("dialog [data-part=parameters] select")
    assert "Loading" not in page.inner_text("dialog")
    page.keyboard.press("Escape")
    row(page, "alpha").locator(".switch").click()
    page.click("#save")
    assert page.inner_text("#changes") == "Saving…"
    held.pop(0).continue_()
    page.wait_for_selector("#save-bar", state="hidden")


def test_the_tools_mode_of_several_is_chosen_with_the_keyboard(opened: ModelsPage) -> None:
    page = opened()
    row(page, "alpha").locator(".pick input").check()
    page.focus("#bulk-tools")
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    assert changes(page) == ""
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    save(page)
    assert opened.saved()["models"] == {"alpha": {"tools_mode": "xml"}}


def test_the_focus_is_never_lost(opened: ModelsPage) -> None:
    page = opened()
    row(page, "alpha").locator(".pick input").check()
    page.click("[data-bulk=none]")
    found = [focused(page)]
    row(page, "alpha").locator(".switch").click()
    page.click("#undo")
    found.append(focused(page))
    page.click("#redo")
    found.append(focused(page))
    opened.file.write_text("models:\n  alpha: {mapping: theirs}\n", "utf-8")
    page.click("#save")
    page.locator("dialog").get_by_role("button", name="Cancel").click()
    found.append(focused(page))
    page.click("#save")
    page.locator("dialog .primary").click()
    save(page)
    found.append(focused(page))
    assert found == ["search", "undo", "redo", "save", "search"]


def test_the_focus_outlives_a_row_that_goes(opened: ModelsPage) -> None:
    page = opened("models:\n  gone: {mapping: x}\ncustom_models: [{id: own}]\n")
    open_row(page, "own").get_by_role("button", name="Remove").click()
    found = [focused(page)]
    alias = row(page, "gone").locator(".alias")
    alias.fill("")
    alias.press_sequentially("y")
    assert changes(page) == "2 changes, not saved"
    alias.fill("")
    page.focus("#search")
    assert shown(page)[0] == "alpha"
    for _ in range(2):
        page.click("#undo")
    row(page, "gone").locator(".pick input").check()
    page.click("[data-bulk=reset]")
    found.append(focused(page))
    assert page.is_hidden("#bulk")
    assert found == ["search", "search"]


def test_a_model_that_is_no_longer_added_has_no_panel(opened: ModelsPage) -> None:
    page = opened()
    page.click("#add")
    page.get_by_label("Its name on Poe").fill("My-Bot")
    page.click("dialog .primary")
    panel = open_row(page, "My-Bot")
    panel.get_by_label("System prompt").fill("half typed")
    panel.get_by_label("Shown").focus()
    panel.get_by_role("button", name="Undo").click()
    assert panel.count() == 1
    panel.get_by_label("Names for clients").fill("half typed")
    page.evaluate("document.getElementById('undo').click()")
    page.wait_for_selector("dialog", state="detached")
    assert (changes(page), focused(page)) == ("No changes", "search")


def test_what_is_half_typed_in_the_panel_is_not_lost(opened: ModelsPage) -> None:
    page = opened()
    panel = open_row(page, "alpha")
    panel.get_by_label("Names for clients").fill("best")
    panel.get_by_label("tags").press_sequentially("[1,")
    page.keyboard.press("Escape")
    tags = panel.get_by_label("tags")
    assert tags.input_value() == "[1,"
    assert tags.evaluate("(field) => field === document.activeElement")
    page.keyboard.press("End")
    page.keyboard.type("2]")
    page.keyboard.press("Control+s")
    page.wait_for_selector("#save-bar", state="hidden")
    assert opened.saved()["models"] == {"alpha": {"mapping": "best", "parameters": {"tags": [1, 2]}}}
    assert tags.evaluate("(field) => field === document.activeElement")
    page.keyboard.press("Escape")
    page.locator("dialog").wait_for(state="detached")


def test_a_session_that_ends_loses_nothing(opened: ModelsPage) -> None:
    page = opened()
    row(page, "alpha").locator(".alias").fill("mine")
    page.context.clear_cookies()
    page.click("#save")
    page.wait_for_selector(".toast a")
    assert changes(page) == "1 change, not saved"
    with page.context.expect_page() as led:
        page.click(".toast a")
    led.value.fill("[name=username]", "admin")
    led.value.fill("[name=password]", PASSWORD)
    led.value.press("[name=password]", "Enter")
    led.value.wait_for_url("**/admin/models")
    save(page)
    assert opened.saved()["models"] == {"alpha": {"mapping": "mine"}}


def test_an_import_over_a_broken_file_is_guarded_like_every_change(opened: ModelsPage) -> None:
    page = opened("models: [\n")
    row(page, "alpha").locator(".open").click()
    assert page.locator("dialog").count() == 0
    assert "cannot be edited" in page.inner_text(".toast")
    import_file(page, "models:\n  beta: {mapping: y}\n")
    page.wait_for_selector("#save-bar:not([hidden])")
    with page.expect_event("dialog") as asked:
        page.close(run_before_unload=True)
    asked.value.dismiss()
    assert asked.value.type == "beforeunload"
    page.keyboard.press("Control+s")
    page.wait_for_selector("#save-bar", state="hidden")
    assert opened.saved()["models"] == {"beta": {"mapping": "y"}}


@pytest.mark.parametrize("width", [360, 800, 1100])
def test_all_filters_are_seen_and_a_tap_hits_its_switch(opened: ModelsPage, width: int) -> None:
    page = opened(viewport={"width": width, "height": 800})
    chips = page.locator(".chips")
    assert chips.evaluate("(each) => each.scrollWidth <= each.clientWidth")
    box = row(page, "alpha").locator(".switch").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] - 8)
    assert page.locator("dialog").count() == 0
    assert not row(page, "alpha").locator(".switch").is_checked()
    assert page.locator("th[data-sort=name] button").bounding_box()["height"] >= 24
    page.evaluate("scrollTo(0, 2000)")
    bar, head = page.locator(".tools-bar").bounding_box(), page.locator("thead").bounding_box()
    assert head["y"] >= bar["y"] + bar["height"] - 1
