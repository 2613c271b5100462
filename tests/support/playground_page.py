"""The playground in a browser: a gateway of its own processes, a scripted Poe, a user who has logged in."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.admin import PASSWORD
from tests.support.gateway import Gateway

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_QUIET = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
_PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"/>'


class AdminBrowser:
    """`open(gateway, path)` is a page; `complaints` is what the browser said of it."""

    def __init__(self, browser: Any) -> None:
        self._browser = browser
        self._contexts: list[Any] = []
        self._logged_in: dict[int, Any] = {}  # a gateway's process → the cookies of its owner: a login takes its time
        self.complaints: list[str] = []

    def open(self, gateway: Gateway, path: str = "/admin/playground", **options: Any) -> Any:
        known = self._logged_in.get(gateway.pid)
        context = self._browser.new_context(**{"locale": "en-US", "storage_state": known, **options})
        self._contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        if known is None:
            self._log_in(page, gateway)
            self._logged_in[gateway.pid] = {"cookies": context.cookies()}
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", self._dismiss)
        for host in ("pfst.cf2.poecdn.net", "files.test"):
            page.route(f"https://{host}/**", lambda route: route.fulfill(body=_PICTURE, content_type="image/svg+xml"))
        with page.expect_response("**/admin/api/playground/models"):
            page.goto(f"{gateway.url}{path}")
        return page

    def _log_in(self, page: Any, gateway: Gateway) -> None:
        page.goto(f"{gateway.url}/admin/login?next=connect")
        page.fill("input[name=username]", "admin")
        page.fill("input[name=password]", PASSWORD)
        with page.expect_response("**/admin/api/playground/models"):
            page.click(".login button:not(.link)")

    def _dismiss(self, dialog: Any) -> None:
        self.complaints.append(dialog.message)
        dialog.dismiss()

    def forget(self) -> None:
        for context in self._contexts:
            context.close()
        self._contexts, self.complaints = [], []


@contextmanager
def admin_browser(playwright: Any) -> Iterator[AdminBrowser]:
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=_QUIET)
        yield AdminBrowser(chromium)
        chromium.close()


def say(page: Any, text: str, model: str = "") -> None:
    if model:
        page.fill("#model", model)
    page.fill("#say", text)
    page.press("#say", "Enter")


def wait_end(page: Any) -> Any:
    """The last answer, once it is over."""
    page.wait_for_selector("#messages > .answer:last-child[aria-busy=false] .end > *")
    return page.locator("#messages > .answer").last
