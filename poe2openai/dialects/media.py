"""Where the bytes of a picture, a sound, a film or a document come from: an address, or the client's own body."""

import re

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.request import Inline, Media, Url

_LONGEST_DATA_URL_HEAD = 1024
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+")


def media_from_url(url: str, param: str, *, media_type: str | None = None, name: str | None = None) -> Media:
    """An http(s) address stays one, a `data:` URL becomes `Inline`; its own media type wins over the one given.

    Only the head of a `data:` URL is looked at: what follows may be a hundred megabytes.
    """
    scheme = url[:8].lower()
    if scheme.startswith(("http://", "https://")):
        return Media(Url(url), media_type, name, param)
    if not scheme.startswith("data:"):
        raise _invalid("expected an http(s) address or a base64 `data:` URL", param)
    comma = url.find(",", 0, _LONGEST_DATA_URL_HEAD)
    if comma < 0:
        raise _invalid("the `data:` URL has no comma before its data", param)
    declared, *options = url[len("data:") : comma].split(";")
    if not options or options[-1].strip().lower() != "base64":
        raise _invalid("a `data:` URL has to be in base64 (`data:image/png;base64,…`)", param)
    declared = declared.strip().lower()
    if declared and not _MEDIA_TYPE.fullmatch(declared):
        raise _invalid("what the `data:` URL begins with is no media type", param)
    return media_inline(url[comma + 1 :], param, media_type=declared or media_type, name=name)


def media_inline(base64: str, param: str, *, media_type: str | None = None, name: str | None = None) -> Media:
    if not base64:
        raise _invalid("there is no data", param)
    return Media(Inline(base64), media_type, name, param)


def is_address(text: str) -> bool:
    """Whether this is a URL and not bare base64."""
    return text[:8].lower().startswith(("http://", "https://", "data:"))


def _invalid(reason: str, param: str) -> GatewayError:
    return GatewayError(ErrorKind.INVALID_REQUEST, f"Invalid value for '{param}': {reason}.", param=param)
