"""The owner of a gateway at its admin pages, without a browser."""

import re
from collections.abc import Mapping
from typing import Any

import httpx

PASSWORD = "correct horse battery"


class Visitor(httpx.Client):
    """Keeps cookies as a browser does, follows no redirect, and takes the CSRF token out of each page."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(base_url=url, headers=headers, trust_env=False, timeout=20.0)
        self.csrf = ""

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        response = super().send(request, **options)
        if not options.get("stream") and (
            found := re.search(r'<meta name="csrf-token" content="([^"]+)"', response.text)
        ):
            self.csrf = found[1]
        return response

    def log_in(
        self, username: str = "admin", password: str = PASSWORD, *, next_page: str = "", headers: Any = None
    ) -> httpx.Response:
        self.get("/admin/login")
        form = {"username": username, "password": password, "csrf_token": self.csrf, "next": next_page}
        response = self.post("/admin/login", data=form, headers=headers)
        if response.status_code == 303:
            self.get("/admin/login", follow_redirects=True)
        return response

    def post_json(self, path: str, value: Any, **headers: str) -> httpx.Response:
        return self.post(path, json=value, headers={"X-CSRFToken": self.csrf, **headers})

    @property
    def session(self) -> str | None:
        return self.cookies.get("poe2openai_admin")


def cookie_flags(response: httpx.Response) -> set[str]:
    """Of the session's cookie, in lower case: `httponly`, `samesite=strict`, …"""
    (cookie,) = [each for each in response.headers.get_list("set-cookie") if each.startswith("poe2openai_admin=")]
    return {part.strip().lower() for part in cookie.split(";")[1:]}
