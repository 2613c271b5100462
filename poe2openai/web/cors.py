"""Lets pages of any origin call the API, without credentials; the admin is for its own origin alone.

Flask-CORS answers a preflight with 200, and with 404 where there is no such route; browsers then hide the real answer.
"""

import re
from typing import Final

from flask import Flask, Response, request

MOST_HEADERS: Final = 100
LONGEST_HEADER: Final = 100

_ADMIN = re.compile(r"/+(?:admin|api/+admin)", re.IGNORECASE)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_EVERY_ANSWER: Final = (
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Expose-Headers", "x-request-id, retry-after, x-response-format-error"),
)
_PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
    "Access-Control-Max-Age": "86400",
    "Vary": "Access-Control-Request-Headers",
}


def install(app: Flask) -> None:
    app.before_request(_preflight)
    app.after_request(_open_to_any_origin)


def _is_api() -> bool:
    return request.path.startswith("/v1/") or not _ADMIN.match(request.path)


def _preflight() -> Response | None:
    if request.method != "OPTIONS" or not _is_api():
        return None
    response = Response(status=204, headers=_PREFLIGHT)
    del response.headers["Content-Type"]
    # Named one by one: `*` would not cover Authorization.
    if allowed := _asked_for():
        response.headers["Access-Control-Allow-Headers"] = allowed
    return response


def _asked_for() -> str:
    names = request.headers.get("Access-Control-Request-Headers", "").split(",", MOST_HEADERS)[:MOST_HEADERS]
    stripped = (name.strip(" \t") for name in names)
    return ", ".join(name for name in stripped if len(name) <= LONGEST_HEADER and _TOKEN.fullmatch(name))


def _open_to_any_origin(response: Response) -> Response:
    if _is_api():
        response.headers.extend(_EVERY_ANSWER)
    return response
