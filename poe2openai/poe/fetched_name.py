"""What a fetched file is called, and what its server says it is: never more than a plain name, whatever was sent."""

import contextlib
import re
from urllib.parse import unquote

from poe2openai.poe.http1 import ResponseHead

MAX_NAME = 200

_MEDIA_TYPE = re.compile(r"[!#$&^_.+a-z0-9-]+/[!#$&^_.+a-z0-9-]+")
_PARAMETER = re.compile(r""";\s*([\w!#$%&'*+.^`|~-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)""", re.ASCII)
_EXTENDED = re.compile(r"(utf-8|iso-8859-1)'[^']*'(.*)", re.IGNORECASE | re.DOTALL)


def header_value(head: ResponseHead, name: str) -> str:
    """The first header of that (lower-case) name, whole, as commas in it separate nothing; "" where there is none."""
    return next((value for field, value in head.headers if field.lower() == name), "")


def media_type(head: ResponseHead) -> str | None:
    """Content-Type without its parameters, in lower case."""
    kind = header_value(head, "content-type").partition(";")[0].strip().lower()
    return kind if _MEDIA_TYPE.fullmatch(kind) else None


def file_name(head: ResponseHead, target: str) -> str | None:
    """What the server calls the file, else the last segment of the path that was asked for."""
    return _disposition_name(head) or _clean_name(unquote(target.partition("?")[0]))


def _disposition_name(head: ResponseHead) -> str | None:
    """RFC 6266, section 4.3: `filename*` goes before `filename`."""
    found = {
        match[1].lower(): match[2].strip() for match in _PARAMETER.finditer(header_value(head, "content-disposition"))
    }
    extended = _EXTENDED.fullmatch(found.get("filename*", ""))
    if extended is not None:
        name = _clean_name(unquote(extended[2], extended[1]))
        if name is not None:
            return name
    plain = found.get("filename", "")
    if plain.startswith('"'):
        plain = re.sub(r"\\(.)", r"\1", plain[1:-1])
    with contextlib.suppress(UnicodeError):
        plain = plain.encode("latin-1").decode()  # UTF-8 sent as it is, as many servers do
    return _clean_name(plain)


def _clean_name(text: str) -> str | None:
    """The last segment of what may be a path, with its end and so its suffix if it is too long."""
    segment = re.split(r"[/\\]", text)[-1]
    name = "".join(filter(str.isprintable, segment)).strip(" .")
    return name[-MAX_NAME:] or None
