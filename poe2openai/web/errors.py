"""Every error leaves in the shape that OpenAI's clients read, whatever raised it."""

import logging
import math

from flask import Flask, Response
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.dialects.openai_errors import error_body
from poe2openai.web.request_log import current_record

log = logging.getLogger(__name__)

_KINDS = {
    404: ErrorKind.NOT_FOUND,
    405: ErrorKind.METHOD_NOT_ALLOWED,
    408: ErrorKind.REQUEST_TIMEOUT,
    413: ErrorKind.TOO_LARGE,
}


def install(app: Flask) -> None:
    app.register_error_handler(GatewayError, error_response)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unexpected)


def error_response(error: GatewayError) -> Response:
    current_record().error = error.kind.code
    response = Response(error_body(error), error.kind.status, content_type="application/json")
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(math.ceil(error.retry_after))
    # Its traceback leads to the frames that led here, and these hold the request's body until the collector runs.
    error.__traceback__ = None
    return response


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    if 300 <= status < 400:
        return Response(error.get_response().get_data(), status, headers=error.get_headers())
    kind = _KINDS.get(status, ErrorKind.INVALID_REQUEST if status < 500 else ErrorKind.INTERNAL)
    response = error_response(GatewayError(kind, _sentence(error)))
    response.status_code = status
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return response


def _sentence(error: HTTPException) -> str:
    match error.code:
        case 404:
            return (
                "There is nothing at this path. The API's base URL ends in /v1: chat is at POST /v1/chat/completions."
            )
        case 405:
            return "This path does not take this method."
        case _:
            return error.description or error.name


def _unexpected(error: Exception) -> Response:
    log.error("an error of our own", exc_info=error)
    return error_response(GatewayError(ErrorKind.INTERNAL, "The gateway failed on this request; its log says why."))
