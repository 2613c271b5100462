"""Where the bytes of a picture, a sound, a film or a document come from: an address, or the client's own body."""

import binascii
import re
from collections.abc import Mapping
from types import MappingProxyType

from poe2openai.core.content import Content, ContentBuilder, put_back
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.request import Inline, Media, Part, Text, Url
from poe2openai.core.turns import give_way

_LONGEST_DATA_URL_HEAD = 1024
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+")
_NO_BASE64 = re.compile(r"[^A-Za-z0-9+/=]+")
_URL_SAFE = str.maketrans("-_", "+/")
_SLICE = 1024 * 1024  # characters that are decoded at a time

# A `data:` URL that a client has put into a text stands alone, or in a picture's or link's markdown; one in quotes is
# a part of somebody's source code.
_PASTED = re.compile(
    r"!?\[(?P<label>[^\[\]\n]{0,200})\]\((?P<linked>data:[^,()\s\"'<>]{1,200};base64,[A-Za-z0-9+/=_-]+)\)"
    r"|(?<!\S)(?P<bare>data:[^,()\s\"'<>]{1,200};base64,[A-Za-z0-9+/=_-]+)(?!\S)"
)
_PASTED_MARK = ";base64,"

Lifted = Mapping[str, Content]
"""What was taken out of the body, by the words in its place (`dialects.lifting`)."""

NOTHING_LIFTED: Lifted = MappingProxyType({})


def media_from_url(
    url: str, param: str, lifted: Lifted = NOTHING_LIFTED, *, media_type: str | None = None, name: str | None = None
) -> Media:
    """An http(s) address stays one, a `data:` URL becomes `Inline`; its own media type wins over the one given."""
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
    return media_inline(url[comma + 1 :], param, lifted, media_type=declared or media_type, name=name)


def media_inline(
    base64: str, param: str, lifted: Lifted = NOTHING_LIFTED, *, media_type: str | None = None, name: str | None = None
) -> Media:
    """The file that stands in base64 in the client's body; raises `GatewayError` where it is none."""
    content = lifted.get(base64)
    if content is None:
        try:
            # Of base64 with breaks in it, or in another alphabet, the lifter takes but the beginning.
            content = _decoded(put_back(base64.encode(), lifted).decode())
        except ValueError:
            raise _invalid("the data is no valid base64", param) from None
    if not content.size:
        raise _invalid("there is no data", param)
    return Media(Inline(content), media_type, name, param)


def pasted_media(text: str, param: str, lifted: Lifted = NOTHING_LIFTED) -> list[Part]:
    """A text, and the files that stand in it as `data:` URLs; what is no valid one stays as it is."""
    if _PASTED_MARK not in text:
        return [Text(text)] if text else []
    parts: list[Part] = []
    media: list[Part] = []
    at = 0
    for found in _PASTED.finditer(text):
        try:
            media.append(media_from_url(found["linked"] or found["bare"], param, lifted, name=found["label"] or None))
        except GatewayError:
            continue
        parts.append(Text(f"{text[at : found.start()]}[attached file {len(media)}]"))
        at = found.end()
    if not media:
        return [Text(text)]
    said = "".join(part.text for part in parts if isinstance(part, Text)) + text[at:]
    return [Text(said), *media]


def is_address(text: str) -> bool:
    """Whether this is a URL and not bare base64."""
    return text[:8].lower().startswith(("http://", "https://", "data:"))


def _decoded(base64: str) -> Content:
    """Also where the alphabet is the URLs' one, where line breaks stand in it, or where its padding is missing."""
    builder = ContentBuilder()
    carry = ""
    for start in range(0, len(base64), _SLICE):
        piece = carry + _plain(base64[start : start + _SLICE])
        is_last = start + _SLICE >= len(base64)
        if is_last:
            piece = piece.rstrip("=")
            piece += "=" * (-len(piece) % 4)
        whole = len(piece) - len(piece) % 4
        piece, carry = piece[:whole], piece[whole:]
        builder.add(binascii.a2b_base64(piece, strict_mode=True))
        if not is_last:
            give_way()
    return builder.finish()


def _plain(base64: str) -> str:
    if _NO_BASE64.search(base64) is None:
        return base64
    return "".join(base64.split()).translate(_URL_SAFE)


def _invalid(reason: str, param: str) -> GatewayError:
    return GatewayError(ErrorKind.INVALID_REQUEST, f"Invalid value for '{param}': {reason}.", param=param)
