"""What a file really is: by its bytes, not by what a client, or a bot's server, says of it."""

import mimetypes
import re
from typing import Final

from poe2openai.core.content import Content, type_by_name

HEAD: Final = 64 * 1024
"""Bytes that are looked at."""

UNKNOWN: Final = "application/octet-stream"

# The usual names of what the library calls otherwise, or not at all.
_USUAL = {
    "image/x-ms-bmp": "image/bmp",
    "image/heif": "image/heic",
    "image/vnd.microsoft.icon": "image/x-icon",
    "audio/wave": "audio/wav",
    "audio/x-wav": "audio/wav",
    "audio/x-flac": "audio/flac",
    "application/ogg": "audio/ogg",
    "application/x-matroska": "video/x-matroska",
    "application/x-gzip": "application/gzip",
}
_DOCUMENTS = frozenset({"application/pdf", "application/rtf", "application/msword", "application/gzip"})
_ZIP = b"PK\x03\x04"
_OFFICE = "application/vnd.openxmlformats-officedocument."
# What stands near the beginning of each kind of archive.
_ARCHIVES = (
    (b"word/", f"{_OFFICE}wordprocessingml.document"),
    (b"xl/", f"{_OFFICE}spreadsheetml.sheet"),
    (b"ppt/", f"{_OFFICE}presentationml.presentation"),
)
_ARCHIVE_SAYS = re.compile(rb"mimetype(application/(?:epub\+zip|vnd\.oasis\.opendocument\.[a-z-]+))")
# Microsoft's older formats share one container, which does not say near its beginning what it holds.
_OLD_OFFICE = frozenset({"application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint"})
_TEXTS = frozenset(
    {"application/json", "application/xml", "application/javascript", "application/x-yaml", "application/yaml"}
    | {"application/toml", "application/x-ndjson", "application/x-sh", "application/sql", "image/svg+xml"}
)
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
# Possessive throughout: a few comments in a row would take years otherwise.
_SVG = re.compile(
    rb"\s*+(?:<\?xml[^>]*+>\s*+)?+(?:<!--(?:(?!-->).)*+-->\s*+)*+(?:<!DOCTYPE svg[^>]*+>\s*+)?+<svg[\s>]", re.DOTALL
)
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}")
_CERTAIN = 0.4  # of the library's confidences: what needs four bytes or more to match
_LIKELY = 0.2  # fewer bytes, which a text may begin with as well

# What Python's table lacks, or has otherwise.
_ENDINGS = {
    "audio/wav": ".wav",
    "audio/mpeg": ".mp3",
    "audio/mp4": ".m4a",
    "audio/ogg": ".ogg",
    "audio/flac": ".flac",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "image/heic": ".heic",
    "image/x-icon": ".ico",
    "video/webm": ".webm",
    "video/x-matroska": ".mkv",
    "text/markdown": ".md",
    "text/plain": ".txt",
}


def true_type(content: Content, declared: str | None, name: str | None) -> str:
    """The media type of a file's bytes; of a text, the kind of text that the client or the name says it is."""
    return type_of(content.head(HEAD), declared, name, is_whole=content.size <= HEAD)


def type_of(head: bytes, declared: str | None, name: str | None, *, is_whole: bool = False) -> str:
    """The same by a file's beginning."""
    said = (declared if declared and _MEDIA_TYPE.fullmatch(declared) else None, type_by_name(name or ""))
    if head.startswith(_ZIP):
        return _archive(head, said)
    is_text = _is_text(head, is_whole=is_whole)
    found = _by_signature(head, least=_CERTAIN if is_text else _LIKELY)
    if found in _OLD_OFFICE:
        return next((kind for kind in said if kind in _OLD_OFFICE), found)
    if found is not None:
        return _as_audio(found, said)
    if not is_text:
        return UNKNOWN
    if _SVG.match(head):
        return "image/svg+xml"
    return next((kind for kind in said if kind is not None and _may_be_text(kind)), "text/plain")


def file_name(name: str | None, media_type: str) -> str:
    """The client's name for a file, or one that tells what it is; an ending is added where there is none."""
    kind = media_type.partition("/")[0]
    base = name or (kind if kind in ("image", "audio", "video") else "file")
    return base if "." in base.strip(".") else f"{base}{ending_of(media_type)}"


def ending_of(media_type: str) -> str:
    """`.png` for `image/png`; nothing for what is unknown."""
    return _ENDINGS.get(media_type) or mimetypes.guess_extension(media_type) or ""


def _by_signature(head: bytes, *, least: float) -> str | None:
    import puremagic  # noqa: PLC0415 - its table takes time and memory, and few requests need it

    try:
        matches = puremagic.magic_string(head)
    except (puremagic.PureError, ValueError):
        return None
    for match in matches:
        kind = _USUAL.get(match.mime_type, match.mime_type)
        is_known = kind.startswith(("image/", "audio/", "video/")) or kind in _DOCUMENTS
        if is_known and kind != "image/svg+xml" and match.confidence >= least:
            return str(kind)
    return None


def _archive(head: bytes, said: tuple[str | None, ...]) -> str:
    if says := _ARCHIVE_SAYS.search(head[:200]):
        return says[1].decode()
    found = next((kind for mark, kind in _ARCHIVES if mark in head), None)
    if found is None and b"[Content_Types].xml" in head:
        found = next((kind for kind in said if kind is not None and kind.startswith(_OFFICE)), None)
    return found or "application/zip"


def _as_audio(found: str, said: tuple[str | None, ...]) -> str:
    """WebM and MP4 hold sound alone as well, which only their maker knows without reading all of it."""
    as_audio = found.replace("video/", "audio/")
    return as_audio if found in ("video/webm", "video/mp4") and as_audio in said else found


def _is_text(head: bytes, *, is_whole: bool) -> bool:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    if _CONTROLS.search(head):
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        # The head may end in the middle of a character.
        return not is_whole and error.start >= len(head) - 3
    return True


def _may_be_text(media_type: str) -> bool:
    return media_type.startswith("text/") or media_type in _TEXTS or media_type.endswith(("+json", "+xml"))
