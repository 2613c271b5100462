"""Who calls, by the request's headers."""

from flask import Request

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.gateway.keys import Caller, KeyRing

_BLANKS = " \t"


def caller_of(request: Request, ring: KeyRing) -> Caller:
    """The caller by `Authorization: Bearer …` or, where that header is absent, empty or no Bearer, by `x-api-key`.

    Raises GatewayError(AUTHENTICATION).
    """
    scheme, _, credential = request.headers.get("Authorization", "").strip(_BLANKS).partition(" ")
    is_bearer = scheme.lower() == "bearer"
    credential = credential.strip(_BLANKS)
    if is_bearer and credential:
        return ring.identify(credential)
    if api_key := request.headers.get("X-Api-Key", "").strip(_BLANKS):
        return ring.identify(api_key)
    if scheme and not is_bearer:
        raise GatewayError(ErrorKind.AUTHENTICATION, "The Authorization header must read 'Bearer <key>'.")
    return ring.identify(None)
