"""GET and POST /api/admin/config: models.yaml as one JSON object, for the pages and for the predecessor's scripts.

The scripts come with Basic authentication, as the predecessor asked for; the pages with their session and its token.
"""

import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable
from typing import Any

import orjson
from flask import Blueprint, Response, current_app, request
from gevent import get_hub
from gevent.monkey import is_module_patched

from poe2openai.config.models_changes import Change
from poe2openai.config.models_editor import ANY, Broken, Busy, Changed, ModelsEditor, Unwritable
from poe2openai.config.models_object import InvalidConfig, Unchangeable, is_mask, read_object
from poe2openai.config.yaml_guard import YamlError
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.dialects.json_body import parse_object
from poe2openai.dialects.openai_errors import error_type
from poe2openai.web.admin.page import protect
from poe2openai.web.admin.session import COOKIE, csrf_exempt_basic, gate, guard_against_other_sites
from poe2openai.web.body import read_body
from poe2openai.web.errors import error_response
from poe2openai.web.request_log import current_record
from poe2openai.web.services import services

EXTENSION = "poe2openai.models_editor"
_LONGEST_BODY = 4 * 1024 * 1024
_UNUSUAL = "models.yaml is written in a way that cannot be changed from here without losing comments: use an editor."

blueprint = Blueprint("admin_config", __name__)
blueprint.after_request(protect)

# Digests, under a key of this process, of a name and password that were right: scripts ask again and again, and a
# password that is kept hashed takes a tenth of a second.
_key = secrets.token_bytes(32)
_right: set[bytes] = set()
# Of those that come at once with the same, one is looked at: five at a time would count as an attack.
_looking: dict[bytes, threading.Lock] = {}


@blueprint.before_request
def _guard() -> Response | None:
    request.max_content_length = _LONGEST_BODY
    if gate().is_logged_in():
        guard_against_other_sites()
        return None
    given = csrf_exempt_basic(request)
    if given is not None:
        guard_against_other_sites(with_token=False)
        if _may_enter(*given):
            return None
    return _asks_to_log_in()


@blueprint.get("/api/admin/config")
def show() -> Response:
    try:
        return _state(*_editor().show())
    except Broken as problem:
        return _broken(problem)


@blueprint.post("/api/admin/config")
def save() -> Response:
    if request.mimetype != "application/json":
        raise GatewayError(ErrorKind.INVALID_REQUEST, "The body has to be application/json.")
    config = parse_object(_body())
    try:
        state = _editor().save(config, _known())
    except InvalidConfig as problem:
        raise GatewayError(ErrorKind.INVALID_REQUEST, _sentence(problem), param=problem.path) from None
    except Changed as change:
        return _changed(change)
    except Broken as problem:
        return _broken(problem)
    except Unchangeable:
        return _conflict("config_unchangeable", _UNUSUAL)
    except Unwritable as problem:
        return _conflict("config_not_writable", f"models.yaml cannot be saved: {problem}.")
    except Busy:
        message = "Others are saving models.yaml: try again."
        raise GatewayError(ErrorKind.OVERLOADED, message, retry_after=1) from None
    # This worker goes on with it at once; the others see it at their next look.
    services().models_file.current()
    return _state(*state)


@blueprint.post("/api/admin/config/import")
def read_import() -> Response:
    """What a file would say here. Its token stays as it is, for whoever sends it knows it; the mask in an exported file
    stands for the token that there is.
    """
    if request.mimetype not in ("text/yaml", "application/yaml", "application/x-yaml", "text/x-yaml"):
        raise GatewayError(ErrorKind.INVALID_REQUEST, "The body has to be text/yaml.")
    data = _body()
    try:
        config, warnings = _elsewhere(lambda: read_object(data))
    except YamlError as problem:
        raise GatewayError(ErrorKind.INVALID_REQUEST, f"The file cannot be used: {problem}.") from None
    if is_mask(config.get("api_token", "")):
        own = _own_mask()
        if config.pop("api_token") != own:
            warnings.append("api_token is masked in this file: it is left as it is here")
        config.update({} if own is None else {"api_token": own})
    return _json({"config": config, "warnings": warnings})


@blueprint.get("/api/admin/config/export")
def export() -> Response:
    try:
        data = _editor().export()
    except Broken as problem:
        return _broken(problem)
    except Unchangeable:
        return _conflict("config_unchangeable", _UNUSUAL)
    response = Response(data, content_type="application/yaml; charset=utf-8")
    response.headers["Content-Disposition"] = "attachment; filename=models.yaml"
    return response


def _own_mask() -> str | None:
    try:
        token: str | None = _editor().show()[0].get("api_token")
    except Broken:
        return None
    return token


def _editor() -> ModelsEditor:
    """This worker's."""
    editor: ModelsEditor | None = current_app.extensions.get(EXTENSION)
    if editor is None:
        settings = services().settings
        editor = ModelsEditor(settings.config_dir, settings.models_yaml, elsewhere=_elsewhere)
        current_app.extensions[EXTENSION] = editor
    return editor


def _elsewhere(work: Callable[[], Any]) -> Any:
    """In a thread, while the worker's other requests run."""
    return get_hub().threadpool.apply(work) if is_module_patched("socket") else work()


def _body() -> bytes:
    return read_body(request.environ, limit=_LONGEST_BODY, timeout=services().settings.request_body_timeout)


def _known() -> list[str] | None:
    """The etags of If-Match, None without one; a proxy that compresses answers makes them weak."""
    header = request.headers.get("If-Match")
    if header is None:
        return None
    if header.strip() == ANY:
        return [ANY]
    tags = [tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")]
    return [tag for tag in tags if tag != ANY]


def _may_enter(username: str, password: str) -> bool:
    text = f"{len(username)}:{username}:{password}".encode("utf-8", "surrogateescape")
    digest = hmac.new(_key + gate().password.fingerprint, text, hashlib.sha256).digest()
    if digest in _right:
        return True
    with _looking.setdefault(digest, threading.Lock()):
        try:
            if digest not in _right and gate().may_enter(username, password):
                _right.add(digest)
        finally:
            _looking.pop(digest, None)
    return digest in _right


def _asks_to_log_in() -> Response:
    """A browser's own login box would come up over the page whose session has ended."""
    response = error_response(GatewayError(ErrorKind.AUTHENTICATION, "Log in first."))
    is_script = "X-CSRFToken" in request.headers or request.headers.get("Sec-Fetch-Mode") in ("cors", "same-origin")
    if COOKIE not in request.cookies and not is_script:
        response.headers["WWW-Authenticate"] = 'Basic realm="poe2openai", charset="UTF-8"'
    return response


def _state(config: dict[str, Any], etag: str) -> Response:
    response = _json(config)
    response.headers["ETag"] = f'"{etag}"'
    return response


def _changed(change: Changed) -> Response:
    message = "models.yaml has been changed meanwhile: nothing is saved."
    found: list[Change] = change.found
    more = {"etag": change.etag, "config": change.config, "changes": found}
    response = _error(412, error_type(ErrorKind.CONFLICT), ErrorKind.CONFLICT.code, message, more)
    response.headers["ETag"] = f'"{change.etag}"'
    return response


def _broken(problem: Broken) -> Response:
    response = _conflict("config_broken", f"models.yaml is broken: {problem}.", {"etag": problem.etag})
    if problem.etag:
        response.headers["ETag"] = f'"{problem.etag}"'
    return response


def _conflict(code: str, message: str, more: dict[str, Any] | None = None) -> Response:
    return _error(409, "invalid_request_error", code, message, more)


def _error(status: int, kind: str, code: str, message: str, more: dict[str, Any] | None = None) -> Response:
    current_record().error = code
    error = {"message": message, "type": kind, "param": None, "code": code}
    return _json({"error": error, **(more or {})}, status)


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, content_type="application/json")


def _sentence(problem: InvalidConfig) -> str:
    return f"This configuration cannot be used: {problem}."
