import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from poe2openai.config.models_file import ModelsFileStore
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.gateway.catalog import Catalog, Route
from tests.support.poe_models import ListedPoe, entry, poe_list
from tests.support.waiting import comes

DOWN = GatewayError(ErrorKind.UPSTREAM_UNREACHABLE, "Poe cannot be reached.")
SETTINGS = """
models:
  Claude-Sonnet-4.5:
    mapping: [best, gpt-4o]
    replace_response: true
    parameters: {thinking_budget: 1024}
    system_prompt: Be brief.
  assistant: {enable: false}
  My-Private-Bot: {parameters: {mode: fast}}
custom_models:
  - id: my-listed-bot
"""


@pytest.fixture
def poe() -> ListedPoe:
    return ListedPoe(poe_list("Claude-Sonnet-4.5", "GPT-4o", "Assistant"))


@pytest.fixture
def catalogs(tmp_path: Path, poe: ListedPoe) -> Iterator[Callable[..., Catalog]]:
    made: list[Catalog] = []

    def make(text: str = SETTINGS, refresh_seconds: float = 600.0) -> Catalog:
        write(tmp_path, text)
        made.append(Catalog(ModelsFileStore(tmp_path), poe.fetch, refresh_seconds))
        return made[-1]

    yield make
    for each in made:
        each.stop()


Make = Callable[..., Catalog]


def write(directory: Path, text: str) -> None:
    (directory / "models.yaml").write_text(text)


def ids(catalog: Catalog) -> list[str]:
    return [entry["id"] for entry in catalog.models()]


class TestResolve:
    def test_an_alias_leads_to_its_bot_and_policy(self, catalogs: Make) -> None:
        catalog = catalogs()
        catalog.models()
        assert catalog.resolve("GPT-4o") == Route(
            model="GPT-4o",
            bot="claude-sonnet-4.5",
            hold=True,
            parameters={"thinking_budget": 1024},
            system_prompt="Be brief.",
            declared={"web_search": {"type": "boolean"}},
            supports_tools=True,
        )

    @pytest.mark.parametrize("name", ["Claude-Sonnet-4.5", "best", "anthropic/claude-sonnet-4-5-20250929", " BEST "])
    def test_the_policy_holds_whatever_name_the_client_used(self, catalogs: Make, name: str) -> None:
        catalog = catalogs()
        catalog.models()
        route = catalog.resolve(name)
        assert (route.model, route.bot, route.hold, route.system_prompt) == (
            name,
            "claude-sonnet-4.5",
            True,
            "Be brief.",
        )

    def test_it_never_asks_poe(self, catalogs: Make, poe: ListedPoe) -> None:
        catalog = catalogs()
        assert catalog.resolve("best").bot == "Claude-Sonnet-4.5"
        assert catalog.resolve("anthropic/claude-sonnet-4.5").bot == "Claude-Sonnet-4.5"
        assert catalog.resolve("gpt-4.1-2025-04-14").bot == "gpt-4.1-2025-04-14"
        assert poe.asked == 0

    @pytest.mark.parametrize("name", ["Some Private_Bot", "ÜberBot", "a/b", "x" * 5000, "", "private-2024-01-01"])
    def test_an_unknown_name_goes_to_poe_as_it_stands(self, catalogs: Make, name: str) -> None:
        catalog = catalogs()
        catalog.models()
        assert catalog.resolve(name) == Route(name, name, False, {}, None, None)

    def test_a_bot_that_models_yaml_alone_knows_has_its_policy(self, catalogs: Make) -> None:
        catalog = catalogs()
        catalog.models()
        route = catalog.resolve("my-private-bot")
        assert (route.bot, route.parameters) == ("My-Private-Bot", {"mode": "fast"})

    def test_a_hidden_bot_answers(self, catalogs: Make) -> None:
        catalog = catalogs()
        assert "assistant" not in ids(catalog)
        assert catalog.resolve("Assistant").bot == "assistant"

    def test_a_change_of_models_yaml_is_seen_within_a_second(self, catalogs: Make, tmp_path: Path) -> None:
        catalog = catalogs()
        version = catalog.version()
        assert catalog.resolve("best").hold
        write(tmp_path, "models: {gpt-4o: {mapping: best}}")
        assert comes(lambda: catalog.resolve("best").bot == "gpt-4o", within=1.0)
        assert not catalog.resolve("best").hold
        assert catalog.version() > version

    def test_many_different_names_are_not_remembered_for_ever(self, catalogs: Make) -> None:
        catalog = catalogs()
        for number in range(5000):
            assert catalog.resolve(f"private-{number}").bot == f"private-{number}"
        assert catalog.resolve("best").hold

    def test_it_is_quick(self, catalogs: Make) -> None:
        catalog = catalogs()
        catalog.models()
        before = time.perf_counter()
        for _ in range(10_000):
            catalog.resolve("anthropic/claude-sonnet-4-5-20250929")
        assert time.perf_counter() - before < 1.0


PAINTING = {"architecture": {"input_modalities": ["text"], "output_modalities": ["image"]}}


class TestLastFiles:
    @pytest.fixture
    def poe(self) -> ListedPoe:
        return ListedPoe([entry("GPT-4o"), entry("Painter", **PAINTING), entry("Talker"), entry("Hidden", **PAINTING)])

    @pytest.mark.parametrize(("name", "attached"), [("Painter", True), ("GPT-4o", False), ("nobody-knows", False)])
    def test_bots_that_make_pictures_get_those_of_the_last_answer(
        self, catalogs: Make, name: str, attached: bool
    ) -> None:
        catalog = catalogs("models: {Painter: {mapping: [brush]}}")
        catalog.models()
        assert catalog.resolve(name).attach_last_files is attached
        assert catalog.resolve("brush").attach_last_files

    def test_the_owners_word_wins(self, catalogs: Make) -> None:
        catalog = catalogs("""
models:
  Painter: {attach_last_files: false}
  GPT-4o: {attach_last_files: true}
  Hidden: {attach_last_files: , enable: false}
  My-Private-Bot: {attach_last_files: yes}
""")
        catalog.models()
        found = {name: catalog.resolve(name).attach_last_files for name in ("painter", "gpt-4o", "hidden", "talker")}
        assert found == {"painter": False, "gpt-4o": True, "hidden": True, "talker": False}
        assert catalog.resolve("my-private-bot").attach_last_files

    def test_before_poes_list_came_the_owner_alone_is_heard(self, catalogs: Make, poe: ListedPoe) -> None:
        poe.answer = DOWN
        catalog = catalogs("models: {GPT-4o: {attach_last_files: true}}")
        assert catalog.resolve("GPT-4o").attach_last_files
        assert not catalog.resolve("Painter").attach_last_files


class TestModels:
    def test_the_list_is_edited(self, catalogs: Make) -> None:
        assert ids(catalogs()) == ["best", "gpt-4o", "my-listed-bot"]

    def test_the_same_list_until_something_changes(self, catalogs: Make, tmp_path: Path, poe: ListedPoe) -> None:
        catalog = catalogs()
        models, version = catalog.models(), catalog.version()
        catalog.unedited()
        assert catalog.models() is models
        assert catalog.version() == version
        poe.answer = poe_list("GPT-4o")
        catalog.unedited()
        assert catalog.models() is not models
        assert catalog.version() > version
        models = catalog.models()
        write(tmp_path, "enable: false")
        assert comes(lambda: catalog.models() is not models)
        assert ids(catalog) == ["gpt-4o"]

    def test_poes_own_list_is_not_asked_for_again(self, catalogs: Make, poe: ListedPoe) -> None:
        catalog = catalogs("models:\n  gpt-4o:\n    mapping: best\n    enable: false")
        assert [entry["id"] for entry in catalog.poes()] == [entry["id"] for entry in catalog.unedited()]
        asked = poe.asked
        catalog.poes()
        assert poe.asked == asked

    def test_poe_down_serves_what_was_there(self, catalogs: Make, poe: ListedPoe) -> None:
        catalog = catalogs("{}", 0.05)
        catalog.start()
        before = ids(catalog)
        poe.answer = DOWN
        asked = poe.asked
        assert comes(lambda: poe.asked >= asked + 2)
        assert ids(catalog) == before
        with pytest.raises(GatewayError, match="cannot be reached"):
            catalog.unedited()

    def test_poe_down_from_the_start_leaves_custom_models(self, catalogs: Make, poe: ListedPoe) -> None:
        poe.answer = DOWN
        catalog = catalogs()
        assert ids(catalog) == ["my-listed-bot"]
        assert catalog.find("my-listed-bot") is not None
        assert catalog.resolve("best").hold

    def test_poe_down_from_the_start_and_nothing_else_is_an_error(self, catalogs: Make, poe: ListedPoe) -> None:
        poe.answer = DOWN
        catalog = catalogs("{}")
        with pytest.raises(GatewayError, match="cannot be reached"):
            catalog.models()
        with pytest.raises(GatewayError, match="cannot be reached"):
            catalog.find("gpt-4o")

    def test_the_background_brings_poes_news(self, catalogs: Make, poe: ListedPoe) -> None:
        catalog = catalogs("{}", 0.05)
        catalog.start()
        assert comes(lambda: catalog.resolve("GPT 4o").bot == "gpt-4o")
        poe.answer = poe_list("GPT-6")
        assert comes(lambda: ids(catalog) == ["gpt-6"])
        assert catalog.resolve("openai/gpt-6-2026-08-01").bot == "gpt-6"

    def test_odd_entries_do_no_harm(self, catalogs: Make, poe: ListedPoe) -> None:
        odd: dict[str, Any] = {
            "created": None,
            "metadata": None,
            "parameters": "x",
            "context_window": [],
            "owned_by": 7,
        }
        poe.answer = [{"id": "Bare"}, {"id": "odd", **odd}, {"id": None}, None, {"id": "bare", "late": True}]
        catalog = catalogs("models: {bare: {mapping: b}, odd: {mapping: o}}")
        assert ids(catalog) == ["b", "o"]
        assert catalog.resolve("o").declared is None


class TestFind:
    @pytest.mark.parametrize(
        ("name", "found"),
        [
            ("BEST", "best"),
            ("claude-sonnet-4.5", "claude-sonnet-4.5"),
            ("anthropic/claude-sonnet-4.5", "claude-sonnet-4.5"),
            ("Assistant", "assistant"),
            ("My-Listed-Bot", "my-listed-bot"),
        ],
    )
    def test_every_name_of_a_bot_finds_it(self, catalogs: Make, name: str, found: str) -> None:
        entry = catalogs().find(name)
        assert entry is not None
        assert entry["id"] == found

    @pytest.mark.parametrize("name", ["nobody", "", "a/b/c", "x" * 10_000])
    def test_others_are_none(self, catalogs: Make, name: str) -> None:
        assert catalogs().find(name) is None


def test_many_requests_while_everything_changes(catalogs: Make, tmp_path: Path, poe: ListedPoe) -> None:
    catalog = catalogs(SETTINGS, 0.05)
    catalog.start()
    over = threading.Event()
    errors: list[Exception] = []

    def ask() -> None:
        while not over.is_set():
            try:
                assert catalog.resolve("best").bot.lower() in ("claude-sonnet-4.5", "gpt-4o")
                assert ids(catalog)
            except Exception as error:  # noqa: BLE001
                errors.append(error)
                return

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(4):
        write(tmp_path, ["models: {gpt-4o: {mapping: best}}", SETTINGS][number % 2])
        poe.answer = [poe_list("GPT-4o"), DOWN, poe_list("Claude-Sonnet-4.5"), []][number]
        time.sleep(0.3)
    over.set()
    for thread in threads:
        thread.join(5)
    assert errors == []
