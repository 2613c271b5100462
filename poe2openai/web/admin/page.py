"""How an admin page is rendered, and what guards all of them."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask_wtf.csrf import generate_csrf
from werkzeug.wrappers import Response as AnyResponse

from poe2openai import __version__
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.web import i18n
from poe2openai.web.admin.session import gate, guard_against_other_sites
from poe2openai.web.i18n import Language
from poe2openai.web.services import services
from poe2openai.web.words import words

PAGES: Mapping[str, str] = {
    "overview": "/admin/",
    "models": "/admin/models",
    "playground": "/admin/playground",
    "connect": "/admin/connect",
    "keys": "/admin/keys",
}
LANGUAGE_COOKIE = "poe2openai_language"

# Poe's own icons and the pictures that bots make lie with Poe.
_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data: https:; "
        "media-src https:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def blueprint(name: str) -> Blueprint:
    """A blueprint of the admin's: nobody sees its views, pages or API, without being logged in."""
    made = Blueprint(f"admin_{name}", __name__)
    made.before_request(_guard)
    made.after_request(protect)
    return made


def protect(response: Response) -> Response:
    response.headers.update(_HEADERS)
    return response


def language() -> Language:
    """The one chosen, else the browser's."""
    return i18n.choose(request.cookies.get(LANGUAGE_COOKIE), request.accept_languages.values())


def render(page: str, *, status: int = 200, logged_in: bool = True, **values: Any) -> Response:
    """The page's template, with its words as `t`."""
    chosen = language()
    t = words(page, chosen)
    root = request.root_path.rstrip("/")
    body = render_template(
        f"admin/{page}.html",
        page=page,
        pages=[(name, root + path) for name, path in PAGES.items()],
        t=t,
        phrases={name: t[name] for name in t},
        language=chosen,
        languages=i18n.NAMES,
        csrf_token=generate_csrf,
        root=root,
        version=__version__,
        logged_in=logged_in,
        file_good=services().models_file.state().ok,
        warnings=[t["weak_password"]] if logged_in and gate().password.is_weak else [],
        **values,
    )
    response = make_response(body, status)
    response.headers["Content-Language"] = chosen
    return response


def page_path(name: str | None) -> str:
    """Where a page is; of an unknown name, the first one. Never a place that the client names itself."""
    return request.root_path.rstrip("/") + PAGES.get(name or "", PAGES["overview"])


def wants_page() -> bool:
    """Whether a browser asks for a page, and not a script for data."""
    return request.method in ("GET", "HEAD") and request.accept_mimetypes.best_match(
        ["application/json", "text/html"]
    ) == "text/html"  # fmt: skip


def comes_from_elsewhere() -> bool:
    """Whether a link on another site leads here: browsers leave a strict cookie at home then."""
    return wants_page() and request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site")


def step_inside() -> Response:
    """A page that asks for itself once more, this time from here: the cookie comes along. It sets none of its own."""
    body = '<!doctype html><title>poe2openai</title><meta http-equiv="refresh" content="0">'
    return protect(Response(body, content_type="text/html; charset=utf-8"))


def _guard() -> AnyResponse | None:
    if not gate().is_logged_in():
        if comes_from_elsewhere():
            return step_inside()
        if wants_page():
            name = next((name for name, path in PAGES.items() if path == request.path), None)
            return redirect(url_for("admin_login.show", next=name), 303)
        raise GatewayError(ErrorKind.AUTHENTICATION, "Log in first.")
    guard_against_other_sites()
    return None
