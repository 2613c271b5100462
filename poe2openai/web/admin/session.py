"""Who may see the admin pages: a signed cookie that names a session of the store, and what guards its requests.

The cookie is Flask's own, signed and readable for nobody but this gateway; the pages' CSRF token is Flask-WTF's. The
API's requests have no session: theirs are not even looked at.
"""

import hashlib
import hmac
import ipaddress
import re
import secrets
import time
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

from flask import Flask, Request, current_app, g, request, session
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from flask_wtf.csrf import validate_csrf
from itsdangerous import BadSignature, URLSafeSerializer
from werkzeug.wrappers import Response
from wtforms import ValidationError

from poe2openai.config.settings import Settings
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.store.database import Database
from poe2openai.store.sessions import AdminSessions, LoginAttempts, Refused
from poe2openai.web.admin.password import AdminPassword
from poe2openai.web.body import read_body
from poe2openai.web.private_files import secret_key

EXTENSION = "poe2openai.admin"
COOKIE = "poe2openai_admin"
KNOWN_COOKIE = "poe2openai_known"
KEY_FILE = ".admin-key"

_YEAR = 365 * 24 * 3600
_TOKEN = "token"  # noqa: S105 - the name of what the cookie holds
_PATHS = re.compile(r"/(?:admin|api/admin)(?:/|$)")
_FORM = "application/x-www-form-urlencoded"
_LONGEST_FORM = 16 * 1024
_FORM_SECONDS = 10.0
_MOST_FIELDS = 20
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Gate:
    """One a worker."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.password = AdminPassword(settings)
        self._attempts = LoginAttempts(database)
        self._sessions = AdminSessions(
            database,
            idle_seconds=settings.admin_idle_seconds,
            total_seconds=settings.admin_session_seconds,
        )

    def may_enter(self, username: str, password: str) -> bool:
        """Whether name and password are right; raises `GatewayError(RATE_LIMIT)` where there were too many attempts."""
        browser = self._known_browser()
        address = browser or address_of(request)
        wait = self._attempts.begin(address, may_queue=browser is None)
        if isinstance(wait, Refused):
            message = "Too many attempts to log in."
            raise GatewayError(ErrorKind.RATE_LIMIT, message, retry_after=max(1.0, wait.seconds))
        time.sleep(wait)
        if not self.password.matches(username, password):
            return False
        self._attempts.succeeded(address)
        return True

    def remember_browser(self, response: Response) -> None:
        """Where its owner has been before, strangers who guess do not keep him from logging in."""
        value = _known().dumps(secrets.token_urlsafe(12))
        response.set_cookie(
            KNOWN_COOKIE, value, max_age=_YEAR, secure=came_by_tls(request), httponly=True, samesite="Strict"
        )

    def _known_browser(self) -> str | None:
        try:
            return f"browser {_known().loads(request.cookies.get(KNOWN_COOKIE, ''))}"
        except BadSignature:
            return None

    def log_in(self) -> None:
        """A new session: what the cookie held before is worth nothing any more."""
        self.log_out()
        session[_TOKEN] = self._sessions.begin(address_of(request))

    def log_out(self) -> None:
        if token := session.get(_TOKEN):
            self._sessions.end(token)
        session.clear()

    def is_logged_in(self) -> bool:
        token = session.get(_TOKEN)
        # What a page asks for by itself keeps nobody logged in who has gone away.
        counts = "X-Background" not in request.headers
        return isinstance(token, str) and self._sessions.is_alive(token, counts=counts)


def install(app: Flask, settings: Settings, database: Database) -> None:
    gate = Gate(settings, database)
    app.extensions[EXTENSION] = gate
    key = hmac.new(secret_key(settings.config_dir, KEY_FILE), gate.password.fingerprint, hashlib.sha256)
    app.secret_key = key.digest()
    app.config.update(
        SESSION_COOKIE_NAME=COOKIE,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session
    )
    app.session_interface = _Sessions()


def gate() -> Gate:
    return cast(Gate, current_app.extensions[EXTENSION])


def small_form() -> Mapping[str, str]:
    """The form of the request at hand, read within bounds of size and time; nothing where it is no form.

    Raises `GatewayError`. Flask's own `request.form` waits for as long as a client likes, and takes all it sends.
    """
    if "admin_form" not in g:
        g.admin_form = _read_form() if request.mimetype == _FORM and request.method == "POST" else {}
    return cast(Mapping[str, str], g.admin_form)


def _read_form() -> dict[str, str]:
    body = read_body(request.environ, limit=_LONGEST_FORM, timeout=_FORM_SECONDS)
    try:
        return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        raise GatewayError(ErrorKind.INVALID_REQUEST, "The form has too many fields.") from None


def _is_other_site(asked: Request) -> bool:
    """By what the browser says, else by the origin that it names; behind some proxies the host is not the browser's."""
    if site := asked.headers.get("Sec-Fetch-Site"):
        return site not in ("none", "same-origin")
    origin = asked.headers.get("Origin")
    try:
        return origin is not None and urlsplit(origin).netloc.lower() != asked.host.lower()
    except ValueError:
        return True


def _known() -> URLSafeSerializer:
    return URLSafeSerializer(cast(bytes, current_app.secret_key), salt="poe2openai known browser")


def guard_against_other_sites(*, with_token: bool = True) -> None:
    """Raises `GatewayError(PERMISSION)` for a request that changes something and does not come from these pages."""
    if request.method in _SAFE_METHODS:
        return
    if _is_other_site(request):
        raise GatewayError(ErrorKind.PERMISSION, "This request comes from another site.")
    if not with_token:
        return
    token = request.headers.get("X-CSRFToken")
    if token is None:
        token = small_form().get("csrf_token")
    try:
        validate_csrf(token)
    except ValidationError:
        message = "The page is too old, or this request does not come from it: load it again."
        raise GatewayError(ErrorKind.PERMISSION, message) from None


def address_of(asked: Request) -> str:
    """Whom a request comes from: behind a proxy of the owner's, as the proxy says.

    Of `X-Forwarded-For` the last address counts, which the proxy itself has added; only one on this machine or in a
    private network is believed.
    """
    peer = asked.remote_addr or ""
    try:
        is_near = ipaddress.ip_address(peer.partition("%")[0]).is_private
    except ValueError:
        return peer or "unknown"
    told = asked.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip() if is_near else ""
    try:
        return _block(told or peer)
    except ValueError:
        return peer or "unknown"


def _block(address: str) -> str:
    """Who has one address of IPv6 has 2^64 of them."""
    found = ipaddress.ip_address(address)
    return str(found) if found.version == 4 else str(ipaddress.ip_network((found.packed[:8] + bytes(8), 64)))


def came_by_tls(asked: Request) -> bool:
    """Whether the browser speaks TLS, to us or to a proxy; who lies about it shuts out nobody but himself."""
    return asked.is_secure or asked.headers.get("X-Forwarded-Proto", "").lower() == "https"


class _Sessions(SecureCookieSessionInterface):
    """Flask's signed cookie, for the admin's paths alone."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        return super().open_session(app, request) if _PATHS.match(request.path) else None

    def get_cookie_secure(self, app: Flask) -> bool:  # noqa: ARG002
        return came_by_tls(request)

    def should_set_cookie(self, app: Flask, session: SessionMixin) -> bool:  # noqa: ARG002
        return session.modified


def csrf_exempt_basic(asked: Request) -> Any:
    """Name and password of Basic authentication, None where there are none."""
    authorization = asked.authorization
    if authorization is None or authorization.type != "basic":
        return None
    return authorization.username or "", authorization.password or ""
