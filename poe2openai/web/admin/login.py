"""In and out, and the language."""

import math
from typing import get_args

from flask import Blueprint, jsonify, redirect, request, url_for
from flask_wtf.csrf import generate_csrf
from werkzeug.wrappers import Response as AnyResponse

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.web.admin.page import (
    LANGUAGE_COOKIE,
    PAGES,
    comes_from_elsewhere,
    page_path,
    protect,
    render,
    step_inside,
)
from poe2openai.web.admin.session import came_by_tls, gate, guard_against_other_sites, small_form
from poe2openai.web.i18n import Language

_YEAR = 365 * 24 * 3600

blueprint = Blueprint("admin_login", __name__)
blueprint.after_request(protect)


@blueprint.get("/admin/login")
def show() -> AnyResponse:
    if comes_from_elsewhere():
        return step_inside()
    if gate().is_logged_in():
        return redirect(page_path(request.args.get("next")), 303)
    return _form()


@blueprint.post("/admin/login")
def log_in() -> AnyResponse:
    try:
        guard_against_other_sites()
    except GatewayError as error:
        if error.kind is not ErrorKind.PERMISSION:
            raise
        return _form("too_old", 403)
    try:
        form = small_form()
        may_enter = gate().may_enter(form.get("username", ""), form.get("password", ""))
    except GatewayError as error:
        if error.kind is not ErrorKind.RATE_LIMIT:
            raise
        seconds = math.ceil(error.retry_after or 1)
        response = _form("too_many", 429, minutes=math.ceil(seconds / 60))
        response.headers["Retry-After"] = str(seconds)
        return response
    if not may_enter:
        return _form("wrong", 401)
    gate().log_in()
    response = redirect(page_path(form.get("next")), 303)
    gate().remember_browser(response)
    return response


@blueprint.post("/admin/logout")
def log_out() -> AnyResponse:
    guard_against_other_sites()
    gate().log_out()
    return redirect(f"{request.root_path.rstrip('/')}/admin/login", 303)


@blueprint.get("/admin/api/token")
def token() -> AnyResponse:
    """For a page that was loaded in a session that has ended since."""
    if not gate().is_logged_in():
        raise GatewayError(ErrorKind.AUTHENTICATION, "Log in first.")
    return jsonify(csrf=generate_csrf())


@blueprint.get("/admin/language/<language>")
def choose_language(language: str) -> AnyResponse:
    name = request.args.get("next")
    login = url_for("admin_login.show", next=request.args.get("then") if request.args.get("then") in PAGES else None)
    target = page_path(name) if name in PAGES else login
    response = redirect(target, 303)
    if language in get_args(Language):
        response.set_cookie(
            LANGUAGE_COOKIE, language, max_age=_YEAR, secure=came_by_tls(request), httponly=True, samesite="Lax"
        )
    return response


def _form(problem: str = "", status: int = 200, *, minutes: int = 0) -> AnyResponse:
    next_page = small_form().get("next") or request.args.get("next", "")
    return render(
        "login",
        status=status,
        logged_in=False,
        problem=problem,
        minutes=minutes,
        next_page=next_page if next_page in PAGES else "",
        has_password=gate().password.is_set,
        username=small_form().get("username", "")[:200],
    )
