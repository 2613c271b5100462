"""What the models page makes of models.yaml, in a real browser: single settings, several rows, two people at once."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.models_page import CHROMIUM, ModelsPage, changes, models_page, open_row, row, save, shown

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

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
    # A refused save is the test's own doing; Chromium tells of it all the same.
    assert [each for each in _site.complaints if "the server responded with a status of 4" not in each] == []


def test_default_parameters_are_a_form_made_from_the_bots_schema(opened: ModelsPage) -> None:
    page = opened("models:\n  alpha:\n    parameters: {own: [1], style: old}\n")
    panel = open_row(page, "alpha")
    assert panel.get_by_label("effort").locator("option").all_inner_texts() == ["not set (low)", "low", "high"]
    assert "How hard." in panel.inner_text()
    assert panel.get_by_label("budget").get_attribute("placeholder") == "10"
    panel.get_by_label("effort").select_option("high")
    panel.get_by_label("search").select_option("yes")
    panel.get_by_label("budget").fill("12.5")
    panel.get_by_label("style").fill("")
    panel.get_by_label("tags").fill('["a", 1]')
    panel.get_by_label("Others, as JSON").fill('{"own": [1, 2]}')
    panel.get_by_label("System prompt").fill("Be brief.")
    panel.get_by_label("effort").focus()
    page.keyboard.press("Escape")
    save(page)
    parameters = {"own": [1, 2], "effort": "high", "search": True, "budget": 12.5, "tags": ["a", 1]}
    assert opened.saved() == {"models": {"alpha": {"parameters": parameters, "system_prompt": "Be brief."}}}


def test_what_the_bot_would_not_take_is_told_at_the_field(opened: ModelsPage) -> None:
    page = opened()
    panel = open_row(page, "alpha")
    panel.get_by_label("budget").fill("101")
    panel.get_by_label("tags").fill("[1,")
    panel.get_by_label("style").focus()
    for name in ("budget", "tags"):
        assert panel.get_by_label(name).get_attribute("aria-invalid") == "true"
    panel.get_by_label("budget").fill("100")
    panel.get_by_label("style").focus()
    assert panel.get_by_label("budget").get_attribute("aria-invalid") == "false"
    page.keyboard.press("Escape")
    assert changes(page) == "1 change, not saved"


def test_every_setting_of_a_bot_is_in_its_panel(opened: ModelsPage) -> None:
    page = opened("models:\n  alpha: {enable: 'no', odd: kept}\n")
    panel = open_row(page, "alpha")
    assert not panel.get_by_label("Shown").is_checked()
    assert "kept" in panel.locator("pre").inner_text()
    panel.get_by_label("Shown").check()
    panel.get_by_label("Hold the answer").check()
    panel.get_by_label("The whole conversation").check()
    panel.get_by_label("How tools are passed").select_option("xml")
    panel.get_by_label("How earlier calls are passed").select_option("text")
    panel.get_by_label("Files of its last answer").select_option("no")
    panel.get_by_label("Names for clients").fill("one, two，three, ONE")
    panel.get_by_label("Shown").focus()
    assert panel.get_by_label("Names for clients").input_value() == "one, two, three"
    page.keyboard.press("Escape")
    save(page)
    (saved,) = opened.saved()["models"].values()
    said = {"replace_response": True, "single_message": True, "tools_mode": "xml", "tool_history": "text"}
    assert saved.pop("enable", True) is True
    assert saved == {"odd": "kept", "mapping": ["one", "two", "three"], "attach_last_files": False, **said}


def test_undo_reaches_what_was_set_in_the_panel(opened: ModelsPage) -> None:
    page = opened()
    panel = open_row(page, "alpha")
    panel.get_by_label("effort").select_option("high")
    panel.get_by_role("button", name="Undo").click()
    page.wait_for_selector("dialog [data-part=parameters] select")
    assert panel.get_by_label("effort").evaluate("(select) => select.selectedIndex") == 0
    page.keyboard.press("Control+Shift+z")
    assert panel.get_by_label("effort").evaluate("(select) => select.value") == "high"
    panel.get_by_role("button", name="Reset").click()
    page.keyboard.press("Escape")
    assert page.locator("dialog").count() == 0
    assert row(page, "alpha").locator(".open").evaluate("(button) => button === document.activeElement")
    assert changes(page) in ("", "No changes")


def test_several_rows_at_once(opened: ModelsPage) -> None:
    page = opened("models:\n  alpha: {mapping: x, tools_mode: native}\n")
    row(page, "alpha").locator(".pick input").click()
    row(page, "painter").locator(".pick input").click(modifiers=["Shift"])
    assert page.inner_text("#selected") == "3 selected"
    page.click("[data-bulk=hide]")
    page.select_option("#bulk-tools", "xml")
    page.click("[data-bulk=tools]")
    page.click("[data-bulk=unmap]")
    save(page)
    said = {"enable": False, "tools_mode": "xml"}
    assert opened.saved()["models"] == {"alpha": said, "beta": said, "painter": said}
    page.fill("#search", "beta")
    assert page.inner_text("#selected") == "1 selected"
    page.click("[data-bulk=reset]")
    page.fill("#search", "")
    assert page.inner_text("#selected") == "3 selected"
    save(page)
    assert opened.saved()["models"] == {"alpha": said, "painter": said}


def test_the_head_selects_what_is_shown(opened: ModelsPage) -> None:
    page = opened()
    page.click("[data-kind=image]")
    page.check("#all")
    page.click("[data-bulk=hide]")
    assert changes(page) == "1 change, not saved"
    page.click("[data-bulk=none]")
    assert page.is_hidden("#bulk")


def test_a_model_of_ones_own_comes_and_goes(opened: ModelsPage) -> None:
    page = opened()
    page.click("#add")
    page.get_by_label("Its name on Poe").fill("Alpha")
    page.click("dialog .primary")
    assert page.locator("dialog").count() == 1
    page.get_by_label("Its name on Poe").fill("My-Bot")
    page.get_by_label("Owner").fill("me")
    page.click("dialog .primary")
    assert shown(page)[0] == "My-Bot"
    row(page, "My-Bot").locator(".alias").fill("helper")
    row(page, "My-Bot").locator(".open").click()
    page.keyboard.press("Escape")
    save(page)
    assert opened.saved()["custom_models"] == [{"id": "My-Bot", "owned_by": "me"}]
    assert opened.saved()["models"] == {"My-Bot": {"mapping": "helper"}}
    open_row(page, "My-Bot").get_by_role("button", name="Remove").click()
    assert shown(page)[0] == "alpha"
    save(page)
    assert not opened.saved().get("custom_models")
    assert not opened.saved().get("models")


def test_that_the_edits_apply_at_all_is_a_switch(opened: ModelsPage) -> None:
    page = opened("models:\n  alpha: {mapping: x}\n")
    page.click("#applies")
    assert page.is_visible("#not-applied")
    save(page)
    assert opened.saved()["enable"] is False


def test_the_review_shows_before_and_after_and_discards(opened: ModelsPage) -> None:
    page = opened("models:\n  alpha: {mapping: x}\n")
    row(page, "alpha").locator(".alias").fill("y")
    page.keyboard.press("Enter")
    page.click("#review")
    cells = page.locator("dialog tbody tr").inner_text().split()
    assert cells == ["alpha", "mapping", "x", "y"]
    page.get_by_role("button", name="Discard all").click()
    assert row(page, "alpha").locator(".alias").input_value() == "x"


def test_two_people_who_save_at_once_lose_nothing(opened: ModelsPage) -> None:
    mine = opened("models:\n  alpha: {mapping: x}\n  beta: {mapping: b}\n")
    theirs = opened()
    row(theirs, "alpha").locator(".alias").fill("theirs")
    row(theirs, "painter").locator(".switch").click()
    save(theirs)
    row(mine, "alpha").locator(".alias").fill("mine")
    row(mine, "beta").locator(".switch").click()
    mine.click("#save")
    dialog = mine.locator("dialog")
    dialog.locator("table").wait_for()
    assert "painter" in dialog.locator("table").inner_text()
    assert dialog.locator("fieldset").count() == 1
    dialog.get_by_label("Theirs").check()
    dialog.locator(".primary").click()
    assert row(mine, "alpha").locator(".alias").input_value() == "theirs"
    assert not row(mine, "painter").locator(".switch").is_checked()
    assert changes(mine) == "1 change, not saved"
    save(mine)
    beta = {"mapping": "b", "enable": False}
    assert opened.saved()["models"] == {"alpha": {"mapping": "theirs"}, "beta": beta, "painter": {"enable": False}}


def test_ones_own_changes_can_be_dropped_for_theirs(opened: ModelsPage) -> None:
    page = opened("models:\n  alpha: {mapping: x}\n")
    row(page, "alpha").locator(".alias").fill("mine")
    opened.file.write_text("models:\n  alpha: {mapping: editor}\n", "utf-8")
    page.click("#save")
    page.get_by_role("button", name="Drop my changes").click()
    assert row(page, "alpha").locator(".alias").input_value() == "editor"
    assert changes(page) == ""


def test_what_is_edited_while_saving_stays_a_change(opened: ModelsPage) -> None:
    page = opened()
    held: list[Any] = []

    def hold(route: Any) -> None:
        held.append(route)

    page.route("**/api/admin/config", hold)
    row(page, "alpha").locator(".switch").click()
    page.click("#save")
    row(page, "beta").locator(".switch").click()
    page.unroute("**/api/admin/config")
    held[0].continue_()
    page.wait_for_selector("#changes:text-is('1 change, not saved')")
    assert opened.saved()["models"] == {"alpha": {"enable": False}}
    save(page)
    assert opened.saved()["models"] == {"alpha": {"enable": False}, "beta": {"enable": False}}


def test_an_error_with_a_place_is_shown_at_its_row(opened: ModelsPage) -> None:
    page = opened()
    error = {"message": "models.bot-007.mapping: no name.", "param": "models.bot-007.mapping", "code": "x"}
    page.route("**/api/admin/config", lambda route: route.fulfill(status=400, json={"error": error}))
    row(page, "bot-007").locator(".alias").fill("bond")
    page.click("#save")
    page.wait_for_selector(".toast.bad")
    assert "no name" in row(page, "bot-007").inner_text()
    assert changes(page) == "1 change, not saved"
    row(page, "bot-007").locator(".alias").fill("james")
    page.keyboard.press("Enter")
    assert "no name" not in row(page, "bot-007").inner_text()


def test_a_name_that_two_bots_claim_is_told(opened: ModelsPage) -> None:
    page = opened("models:\n  alpha: {mapping: best}\n")
    row(page, "beta").locator(".alias").fill("BEST")
    page.keyboard.press("Enter")
    assert "BEST is already the name of Alpha" in row(page, "beta").inner_text()


def test_an_imported_file_becomes_unsaved_changes(opened: ModelsPage) -> None:
    page = opened("models:\n  alpha: {mapping: x}\n")
    text = b"enable: true\nmodels:\n  beta: {mapping: y, unheard: of}\ncustom_models:\n  - {id: theirs}\n"
    page.set_input_files("#file", {"name": "models.yaml", "mimeType": "text/yaml", "buffer": text})
    page.wait_for_selector("#warnings li")
    assert "unheard" in page.inner_text("#warnings")
    assert row(page, "beta").locator(".alias").input_value() == "y"
    assert shown(page)[0] == "theirs"
    assert opened.saved() == {"models": {"alpha": {"mapping": "x"}}}
    page.click("#undo")
    assert row(page, "alpha").locator(".alias").input_value() == "x"
    page.click("#redo")
    save(page)
    assert set(opened.saved()["models"]) == {"beta"}


def test_a_broken_file_can_be_replaced_by_an_import_alone(opened: ModelsPage) -> None:
    page = opened("models: [\n")
    page.wait_for_selector("#no-config:not([hidden])")
    assert row(page, "alpha").locator(".alias").is_disabled()
    text = b"models:\n  beta: {mapping: y}\n"
    page.set_input_files("#file", {"name": "models.yaml", "mimeType": "text/yaml", "buffer": text})
    page.wait_for_selector("#save:enabled")
    save(page)
    assert opened.saved()["models"] == {"beta": {"mapping": "y"}}


MERGE = """async () => {
    const { diff, merge, State } = await import("/static/admin/models_state.js");
    const base = { models: { "GPT-5.4": { mapping: ["x"], parameters: { a: 1, b: 2 } } },
        custom_models: [{ id: "one" }] };
    const mine = { models: { "gpt-5.4": { mapping: "x", parameters: { a: 1, b: 3 } } }, custom_models: [] };
    const theirs = { models: { "GPT-5.4": { mapping: ["x"], parameters: { a: 5, b: 2 } } },
        custom_models: [{ id: "one" }, { id: "two" }] };
    const merged = merge(base, mine, theirs);
    const state = new State(base, "e");
    state.setFields([["gpt-5.4", "GPT-5.4"]], "mapping", ["y"]);
    state.setFields([["gpt-5.4", "GPT-5.4"]], "mapping", ["x"]);
    return { conflicts: merged.conflicts.length, result: merged.result(), back: state.changes.length,
        steps: state.canUndo, none: diff(base, { custom_models: [{ id: "one" }], models: base.models }).length };
}"""


def test_changes_to_different_places_come_together(opened: ModelsPage) -> None:
    found = opened().evaluate(MERGE)
    assert found == {
        "conflicts": 0,
        "result": {
            "models": {"GPT-5.4": {"mapping": "x", "parameters": {"a": 5, "b": 3}}},
            "custom_models": [{"id": "two"}],
        },
        "back": 0,
        "steps": True,
        "none": 0,
    }
