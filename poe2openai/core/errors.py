"""Everything that can go wrong, as one exception with one kind.

GatewayError(kind)
  the client's   INVALID_REQUEST AUTHENTICATION PERMISSION NOT_FOUND METHOD_NOT_ALLOWED MODEL_NOT_FOUND
                 REQUEST_TIMEOUT TOO_LARGE CONTEXT_LENGTH NO_FILE RATE_LIMIT INSUFFICIENT_QUOTA
  the owner's    STOPPED CONFLICT
  Poe's          UPSTREAM_INTERNAL UPSTREAM_ERROR UPSTREAM_CUT_OFF UPSTREAM_EMPTY UPSTREAM_INVALID
                 UPSTREAM_UNREACHABLE UPSTREAM_TIMEOUT OVERLOADED
  ours           INTERNAL
"""

from enum import Enum


class ErrorKind(Enum):
    """A kind's value is its name on the wire (OpenAI's `code`) and its HTTP status."""

    INVALID_REQUEST = ("invalid_request", 400)
    AUTHENTICATION = ("invalid_api_key", 401)
    PERMISSION = ("permission_denied", 403)
    NOT_FOUND = ("not_found", 404)
    MODEL_NOT_FOUND = ("model_not_found", 404)
    METHOD_NOT_ALLOWED = ("method_not_allowed", 405)
    REQUEST_TIMEOUT = ("request_timeout", 408)
    TOO_LARGE = ("request_too_large", 413)
    CONTEXT_LENGTH = ("context_length_exceeded", 400)
    NO_FILE = ("no_file_in_answer", 422)  # not the bot's failure: SDKs would ask again, and pay again
    STOPPED = ("stopped_by_owner", 403)  # SDKs would ask again after a status that may pass
    CONFLICT = ("changed_meanwhile", 412)
    RATE_LIMIT = ("rate_limit_exceeded", 429)
    INSUFFICIENT_QUOTA = ("insufficient_quota", 429)
    INTERNAL = ("internal_error", 500)
    UPSTREAM_INTERNAL = ("upstream_internal_error", 500)
    UPSTREAM_ERROR = ("upstream_error", 502)
    UPSTREAM_CUT_OFF = ("upstream_cut_off", 502)
    UPSTREAM_EMPTY = ("upstream_empty", 502)
    UPSTREAM_INVALID = ("upstream_invalid", 502)
    UPSTREAM_UNREACHABLE = ("upstream_unreachable", 502)
    UPSTREAM_TIMEOUT = ("upstream_timeout", 504)
    OVERLOADED = ("overloaded", 503)

    @property
    def code(self) -> str:
        return self.value[0]

    @property
    def status(self) -> int:
        """The HTTP status to answer with, as long as nothing was sent."""
        return self.value[1]


class GatewayError(Exception):
    """The one error that reaches a client; its message is for the client's user and holds no secret.

    `param` is the path of the field at fault in the client's body (`messages[2].content`), `retry_after` is in
    seconds, `upstream_status` is Poe's HTTP status where there was one (None for an error event or no answer).
    """

    def __init__(
        self,
        kind: ErrorKind,
        message: str,
        *,
        param: str | None = None,
        retry_after: float | None = None,
        upstream_status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.param = param
        self.retry_after = retry_after
        self.upstream_status = upstream_status
