"""The models page without its script: what the table says, and what guards it."""

import html
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from poe2openai.web.admin.models import Price, price, shown_tokens
from poe2openai.web.i18n import LANGUAGES
from tests.support.admin import PASSWORD
from tests.support.apps import app_for
from tests.support.poe_models import entry
from tests.support.poe_script import json_reply
from tests.support.scripted_poe import ScriptedPoe

HOSTILE = '"><img src=x onerror=alert(1)>'


class Site:
    """The gateway's pages, seen by its owner; models.yaml and Poe's list are given before the first request."""

    def __init__(self, poe: ScriptedPoe, folder: Path) -> None:
        self.poe, self.folder = poe, folder
        self._stack = ExitStack()
        self._client: FlaskClient | None = None
        self.settings: dict[str, Any] = {}

    def poe_lists(self, *entries: object) -> None:
        self.poe.route("GET /v1/models", json_reply(200, {"object": "list", "data": list(entries)}))

    def file_says(self, text: str) -> None:
        (self.folder / "models.yaml").write_text(text, "utf-8")

    @property
    def client(self) -> FlaskClient:
        if self._client is None:
            app = self._stack.enter_context(
                app_for(self.poe.url, self.folder, admin_password=PASSWORD, **self.settings)
            )
            self._client = app.test_client()
            found = re.search(r'name="csrf_token" value="([^"]+)"', self._client.get("/admin/login").text)
            assert found is not None
            form = {"username": "admin", "password": PASSWORD, "csrf_token": found[1]}
            assert self._client.post("/admin/login", data=form).status_code == 303
        return self._client

    def page(self, language: str = "en") -> str:
        response = self.client.get("/admin/models", headers={"Accept-Language": language})
        assert response.status_code == 200
        return response.text

    def rows(self) -> dict[str, str]:
        """The table's rows by the ids of their bots, in order."""
        body = self.page().partition('<tbody id="rows" role="rowgroup"')[2].partition("</tbody>")[0]
        return {
            html.unescape(re.findall(r'data-id="([^"]*)"', row)[0]): row
            for row in re.findall(r"<tr .*?</tr>", body, re.DOTALL)
        }

    def close(self) -> None:
        self._stack.close()


@pytest.fixture
def site(poe: ScriptedPoe, tmp_path: Path) -> Iterator[Site]:
    made = Site(poe, tmp_path)
    yield made
    made.close()


def text_of(row: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", row)).split())


def alias_of(row: str) -> str:
    return html.unescape(re.findall(r'class="alias" value="([^"]*)"', row)[0])


def is_shown(row: str) -> bool:
    return " checked" in re.findall(r'<input type="checkbox" class="switch".*?>', row)[0]


def test_each_bot_has_a_row_with_what_poe_says(site: Site) -> None:
    site.poe_lists(entry("Claude-Opus", owned_by="Anthropic"), entry("Painter", context_length=None, pricing=None))
    rows = site.rows()
    assert list(rows) == ["claude-opus", "painter"]
    assert text_of(rows["claude-opus"]) == "C Claude-Opus Anthropic Text 200 k 1.00 · 4.00 native"
    assert text_of(rows["painter"]) == "P Painter Someone Text – – native"
    assert 'loading="lazy"' in rows["painter"]
    assert 'referrerpolicy="no-referrer"' in rows["painter"]


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (999, ("999", "999", "999")),
        (8_192, ("8 k", "8192", "8192")),
        (131_072, ("131 k", "13.1万", "13.1萬")),
        (1_000_000, ("1,000 k", "100万", "100萬")),
    ],
)
def test_a_context_length_is_told_as_the_language_counts(count: int, shown: tuple[str, ...]) -> None:
    assert tuple(shown_tokens(count, language) for language in LANGUAGES) == shown


def test_what_models_yaml_says_stands_in_the_row(site: Site) -> None:
    site.poe_lists(entry("Alpha"), entry("Beta"), entry("Gamma", metadata={"display_name": "The Third"}))
    site.file_says(
        "models:\n  ALPHA: {mapping: [gpt-4o, best]}\n  beta: {enable: false}\n  the third: {tools_mode: xml}\n"
    )
    rows = site.rows()
    assert [alias_of(row) for row in rows.values()] == ["gpt-4o, best", "", ""]
    assert [is_shown(row) for row in rows.values()] == [True, False, True]
    assert text_of(rows["gamma"]).endswith("xml")
    assert "3 on Poe · 1 renamed · 1 hidden · 0 of your own" in site.page()


def test_what_models_yaml_alone_knows_comes_first(site: Site) -> None:
    site.poe_lists(entry("Alpha"))
    site.file_says("models:\n  private: {mapping: x}\ncustom_models:\n  - {id: mine, owned_by: me}\n  - id: alpha\n")
    rows = site.rows()
    assert list(rows) == ["mine", "private", "alpha"]
    assert text_of(rows["mine"]).startswith("M mine custom · me")
    assert text_of(rows["private"]).startswith("P private not in Poe's list")
    assert "Someone" in text_of(rows["alpha"])


def test_a_name_that_is_markup_stays_text(site: Site) -> None:
    site.poe_lists(
        entry("Alpha", id=HOSTILE, owned_by=HOSTILE, metadata={"display_name": HOSTILE, "image": {"url": HOSTILE}})
    )
    site.file_says(f"models:\n  '{HOSTILE}':\n    mapping: ['{HOSTILE}']\n")
    page = site.page()
    assert "<img src=x" not in page
    assert HOSTILE in html.unescape(page)
    assert list(site.rows()) == [HOSTILE]


def test_entries_that_are_not_as_poe_documents_them_are_shown_as_far_as_they_go(site: Site) -> None:
    site.poe_lists(
        {"id": "bare"},
        entry("odd", owned_by=7, context_length="many", pricing="free", architecture=[], metadata=None),
        entry("low", pricing={"prompt": "no", "completion": "-1", "request": True}, supported_features="tools"),
        entry("hidden", metadata={"display_name": " ", "image": {"url": "javascript:alert(1)"}}),
    )
    rows = site.rows()
    assert list(rows) == ["bare", "odd", "low", "hidden"]
    assert text_of(rows["odd"]) == "O odd odd – – native"
    assert "<img" not in rows["hidden"]


def test_without_poes_list_there_is_what_models_yaml_has(site: Site) -> None:
    site.poe.route("GET /v1/models", json_reply(503, {"error": {"message": "down"}}))
    site.file_says("models:\n  alpha: {mapping: x}\ncustom_models:\n  - id: mine\n")
    page = site.page()
    assert "is unavailable right now" in page
    assert list(site.rows()) == ["mine", "alpha"]
    answer = site.client.get("/admin/api/models")
    assert answer.status_code >= 500
    assert answer.get_json()["error"]["message"]


def test_poes_entries_come_as_they_are(site: Site) -> None:
    entries = [entry("Alpha", odd={"deep": [1, None]}), entry("Beta")]
    site.poe_lists(*entries)
    site.file_says("models:\n  alpha: {enable: false}\n")
    answer = site.client.get("/admin/api/models")
    assert answer.get_json() == {"models": entries}
    assert answer.headers["Cache-Control"] == "no-store"


def test_nobody_sees_it_without_logging_in(site: Site) -> None:
    stranger = site.client.application.test_client()
    page = stranger.get("/admin/models", headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["Location"]) == (303, "/admin/login?next=models")
    assert stranger.get("/admin/api/models").status_code == 401


def test_tools_are_told_as_the_gateway_would(site: Site) -> None:
    made = {"output_modalities": ["image"]}
    site.poe_lists(entry("Caller"), entry("Talker", supported_features=[]), entry("Painter", architecture=made))
    ways = [re.findall(r'data-tools="(\w*)"', row)[0] for row in site.rows().values()]
    assert ways == ["native", "xml", ""]


def test_the_gateways_own_tools_mode_is_told(site: Site) -> None:
    site.settings["tools_mode"] = "xml"
    site.poe_lists(entry("Caller"))
    assert text_of(site.rows()["caller"]).endswith("xml")


@pytest.mark.parametrize("applies", [True, False])
def test_whether_the_edits_apply_is_told(site: Site, applies: bool) -> None:
    site.file_says(f"enable: {str(applies).lower()}\nmodels: {{}}\n")
    page = site.page()
    assert ('id="not-applied" hidden>' in page) == applies
    assert ('id="applies" checked' in page) == applies


@pytest.mark.parametrize(("language", "phrase"), [("zh-CN", "对外名称"), ("zh-TW", "對外名稱")])
def test_it_speaks_chinese(site: Site, language: str, phrase: str) -> None:
    page = site.page(language)
    assert f'<html lang="{language}">' in page
    assert phrase in page


def test_nothing_in_it_needs_more_than_the_policy_allows(site: Site) -> None:
    site.poe_lists(entry("Alpha"))
    page = site.page()
    assert " style=" not in page
    assert not re.search(r"<[^>]+ on[a-z]+=", page)
    assert [
        tag for tag in re.findall(r"<script[^>]*>", page) if "src=" not in tag and "application/json" not in tag
    ] == []


@pytest.mark.parametrize(
    ("pricing", "shown"),
    [
        ({"prompt": "0.0000043", "completion": "0.000021"}, ("4.30", "21.00", "")),
        ({"prompt": "0.00000018", "completion": None}, ("0.18", "–", "")),
        ({"prompt": "0.000000018", "completion": "0.0012"}, ("0.018", "1,200.00", "")),
        ({"prompt": "0", "completion": 0.000001}, ("0", "1.00", "")),
        ({"prompt": None, "request": "0.00045"}, ("", "", "0.00045")),
        ({"request": "0.00"}, ("", "", "0")),
    ],
)
def test_prices_are_as_people_compare_them(pricing: dict[str, Any], shown: tuple[str, str, str]) -> None:
    found = price(pricing)
    assert found is not None
    assert (found.tokens_in, found.tokens_out, found.request) == shown


@pytest.mark.parametrize(
    "pricing", [None, "0.1", {}, {"prompt": "nan"}, {"request": "1e999"}, {"prompt": [], "completion": True}]
)
def test_no_price_is_made_up(pricing: object) -> None:
    assert price(pricing) is None


def test_prices_by_the_request_stand_behind_those_by_the_token() -> None:
    found = [price({"request": "0.0003"}), price({"prompt": "0.1", "completion": "0.2"}), Price()]
    orders = [each.order for each in found if each]
    assert orders[1] < orders[0] < orders[2]
