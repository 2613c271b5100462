"""The models page in a browser, with a Poe of four hundred bots behind it and a models.yaml of the test's."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from werkzeug.serving import make_server

from poe2openai.config.yaml_guard import parse, values
from tests.support.admin import PASSWORD
from tests.support.apps import app_for
from tests.support.poe_models import entry
from tests.support.poe_script import json_reply
from tests.support.scripted_poe import ScriptedPoe

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_QUIET = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
HOSTILE = "<img src=x onerror=alert(1)>"
BOTS = 400
PARAMETERS = [
    {"name": "effort", "schema": {"enum": ["low", "high"]}, "default_value": "low", "description": "How hard."},
    {"name": "search", "schema": {"type": "boolean"}, "default_value": False},
    {"name": "budget", "schema": {"type": "number", "minimum": 0, "maximum": 100}, "default_value": 10},
    {"name": "style", "schema": {"type": "string"}},
    {"name": "tags", "schema": {"type": "array"}},
]
_ICON = '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'


class ModelsPage:
    """Calling it opens the page, on a models.yaml if one is given; `complaints` is what the browser says of it."""

    def __init__(self, browser: Any, address: str, file: Path, login: Any) -> None:
        self.browser, self.address, self.file, self.login = browser, address, file, login
        self.contexts: list[Any] = []
        self.complaints: list[str] = []

    def __call__(self, text: str | None = None, **options: Any) -> Any:
        if text is not None:
            self.file.write_text(text, "utf-8")
        context = self.browser.new_context(**{"storage_state": self.login, "locale": "en-US", **options})
        self.contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.route("https://example.com/**", _give_icon)
        page.goto(f"{self.address}/admin/models")
        page.wait_for_selector("html[data-ready], #no-config:not([hidden])", state="attached")
        return page

    def saved(self) -> Any:
        return values(parse(self.file.read_bytes()))

    def forget(self) -> None:
        """For the next test."""
        for context in self.contexts:
            context.close()
        self.contexts, self.complaints = [], []
        self.file.unlink(missing_ok=True)


@contextmanager
def models_page(playwright: Any, folder: Path) -> Iterator[ModelsPage]:
    """A gateway, and a browser whose user has logged in."""
    poe = ScriptedPoe()
    poe.route("GET /v1/models", json_reply(200, {"object": "list", "data": _bots()}))
    with app_for(poe.url, folder, admin_password=PASSWORD) as app:
        server = make_server("127.0.0.1", 0, app, threaded=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        with playwright.sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=CHROMIUM, args=_QUIET)
            yield ModelsPage(browser, address, folder / "models.yaml", _log_in(browser, address))
            browser.close()
        server.shutdown()
        thread.join(timeout=10)
        server.server_close()
    poe.close()


def shown(page: Any) -> list[str]:
    """The ids of the rows that one sees, from the top."""
    rows = "[...document.querySelectorAll('#rows tr:not([hidden])')]"
    ids: list[str] = page.evaluate(f"{rows}.map((tr) => tr.dataset.id)")
    return ids


def row(page: Any, bot: str) -> Any:
    return page.locator(f"#rows tr[data-id='{bot}']")


def open_row(page: Any, bot: str) -> Any:
    """The panel of a bot, with what Poe says of it."""
    row(page, bot).locator(".open").click()
    page.wait_for_selector("dialog.side [data-part=parameters] *", state="attached")
    return page.locator("dialog.side")


def changes(page: Any) -> str:
    return str(page.inner_text("#changes")) if page.is_visible("#save-bar") else ""


def save(page: Any) -> None:
    page.click("#save")
    page.wait_for_selector("#save-bar", state="hidden")


def _bots() -> list[dict[str, Any]]:
    painter = {"input_modalities": ["text"], "output_modalities": ["image"]}
    evil = {"metadata": {"display_name": HOSTILE}, "description": HOSTILE, "owned_by": HOSTILE, "parameters": []}
    named = [
        entry("Alpha", owned_by="Anthropic", parameters=PARAMETERS, context_length=1_000_000, description="It thinks."),
        entry("Beta", owned_by="OpenAI", context_length=8_000, description="Like alpha, but smaller."),
        entry("Painter", owned_by="fal", architecture=painter, context_length=None, pricing={"request": "0.02"}),
        entry("Evil", **evil),
    ]
    return [*named, *(entry(f"Bot-{number:03}") for number in range(BOTS - len(named)))]


def _log_in(browser: Any, address: str) -> Any:
    """The cookies of whoever has logged in."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{address}/admin/login?next=models")
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url("**/admin/models")
    state = context.storage_state()
    context.close()
    return state


def _give_icon(route: Any) -> None:
    route.fulfill(status=200, content_type="image/svg+xml", body=_ICON)
