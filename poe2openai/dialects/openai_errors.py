"""An error as OpenAI's clients read it (OpenAI API reference, Error codes), in a body and in a stream alike."""

import orjson

from poe2openai.core.errors import ErrorKind, GatewayError

_TYPES = {ErrorKind.RATE_LIMIT: "requests", ErrorKind.INSUFFICIENT_QUOTA: "insufficient_quota"}


def error_body(error: GatewayError) -> bytes:
    return orjson.dumps(
        {
            "error": {
                "message": error.message,
                "type": error_type(error.kind),
                "param": error.param,
                "code": error.kind.code,
            }
        }
    )


def error_type(kind: ErrorKind) -> str:
    """OpenAI's own: a 401 is an `invalid_request_error` there too, and of a rate limit `type` names what is limited."""
    return _TYPES.get(kind) or ("invalid_request_error" if kind.status < 500 else "server_error")
