"""Files of a Poe for tests: forms as its upload address takes them, and a shelf for what was uploaded or made.

A large file lies in memory once, as the body that it came in, and is looked through in pieces: a search or a copy of
200 MB in one go would stop every other thread of the tests for longer than they allow the gateway.
"""

import hashlib
import mimetypes
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from tests.support.received import Received

_PIECE = 1 << 20
_UNKNOWN_TYPE = "application/octet-stream"
_FORM_DATA = re.compile(r"multipart/form-data;\s*boundary=(?:\"([^\"]{1,70})\"|([^\s\";,]{1,70}))", re.IGNORECASE)
_FILE_PART = re.compile(r'form-data; name="file"; filename="([^"\r\n]+)"', re.IGNORECASE)
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(?:;.*)?", re.ASCII)
# What HTML has clients write instead, in names, for what would end the name (HTML standard, multipart/form-data).
_ESCAPES = {"%22": '"', "%0D": "\r", "%0A": "\n"}


class BadForm(Exception):
    """Why a form is not one that Poe takes."""


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes in the midst of others."""

    whole: bytes = field(repr=False)
    start: int
    end: int

    @property
    def size(self) -> int:
        return self.end - self.start

    def pieces(self) -> Iterator[bytes]:
        for at in range(self.start, self.end, _PIECE):
            yield self.whole[at : min(at + _PIECE, self.end)]


@dataclass(frozen=True, slots=True)
class Form:
    """Either a file's content or an address that Poe shall fetch it from."""

    name: str
    media_type: str
    content: Content | None = None
    download_url: str | None = None
    download_filename: str | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """One that was taken; `url` is the attachment's address that the client was told."""

    name: str
    media_type: str
    content: Content | None
    download_url: str | None
    download_filename: str | None
    authorization: str
    url: str
    request: Received = field(repr=False)

    @property
    def data(self) -> bytes | None:
        """A copy each time; None of an upload by address."""
        return None if self.content is None else self.content.whole[self.content.start : self.content.end]

    @property
    def size(self) -> int:
        return 0 if self.content is None else self.content.size

    @property
    def sha256(self) -> str:
        """Without a copy, for files too large to be compared."""
        digest = hashlib.sha256()
        for piece in self.content.pieces() if self.content is not None else ():
            digest.update(piece)
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Shelved:
    name: str
    media_type: str
    content: Content


class Shelf:
    """Files by the path they are served at; numbers are never given twice, so an old path never finds another file."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._files: dict[int, Shelved] = {}

    def put(self, name: str, media_type: str, content: Content | None) -> str:
        """Gives the path; one without content is not there, as if Poe could not fetch it."""
        with self._lock:
            self._count += 1
            if content is not None:
                self._files[self._count] = Shelved(name, media_type, content)
            return f"/files/{self._count}/{quote(name, safe='')}"

    def find(self, path: str) -> Shelved | None:
        number, _, name = path.removeprefix("/files/").partition("/")
        with self._lock:
            file = self._files.get(int(number)) if number.isdecimal() else None
        # Some servers know no upper case.
        return file if file is not None and unquote(name).lower() == file.name.lower() else None

    def clear(self) -> None:
        with self._lock:
            self._files.clear()


def content_of(data: bytes) -> Content:
    return Content(data, 0, len(data))


def upload_of(form: Form, authorization: str, url: str, request: Received) -> Upload:
    about = (form.name, form.media_type, form.content, form.download_url, form.download_filename)
    return Upload(*about, authorization=authorization, url=url, request=request)


def answer_of(form: Form, url: str) -> dict[str, object]:
    """What Poe says of a file that it has taken."""
    size = None if form.content is None else form.content.size
    return {"attachment_url": url, "mime_type": form.media_type, "size": size, "inline_ref": None}


def read_form(content_type: str, body: bytes) -> Form:
    """Takes nothing but what Poe's own library sends; raises `BadForm`."""
    if content_type.partition(";")[0].strip().lower() == "application/x-www-form-urlencoded":
        return _read_address(body)
    match = _FORM_DATA.fullmatch(content_type)
    if match is None:
        raise BadForm(f"not a form: {content_type!r}")
    return _read_multipart(body, b"--" + (match[1] or match[2]).encode("latin-1"))


def _read_address(body: bytes) -> Form:
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError as error:
        raise BadForm(f"no urlencoded form: {error}") from error
    fields = dict(pairs)
    if len(fields) != len(pairs) or not {"download_url"} <= fields.keys() <= {"download_url", "download_filename"}:
        raise BadForm(f"wrong fields: {[name for name, _ in pairs]}")
    url, filename = fields["download_url"], fields.get("download_filename")
    if not url.startswith(("http://", "https://")) or filename == "":
        raise BadForm("download_url is no address, or download_filename is empty")
    name = filename or unquote(urlsplit(url).path.rpartition("/")[2]) or "file"
    media_type = mimetypes.guess_type(name)[0] or _UNKNOWN_TYPE
    return Form(name, media_type, download_url=url, download_filename=filename)


def _read_multipart(body: bytes, delimiter: bytes) -> Form:
    """One part, `file`, and nothing before or after it (RFC 7578, RFC 2046 section 5.1.1)."""
    opening = delimiter + b"\r\n"
    head_end = body.find(b"\r\n\r\n", 0, 1 << 16)
    if not body.startswith(opening) or head_end < 0:
        raise BadForm("the body does not begin with a part")
    name, media_type = _read_part_head(body[len(opening) : head_end])
    start = head_end + 4
    end = _find(body, b"\r\n" + delimiter, start)
    if end < 0:
        raise BadForm("the part does not end")
    if body[end + 2 + len(delimiter) :] not in (b"--", b"--\r\n"):
        raise BadForm("the form does not end with its one part")
    return Form(name, media_type, Content(body, start, end))


def _read_part_head(head: bytes) -> tuple[str, str]:
    try:
        lines = head.decode().split("\r\n")
    except ValueError as error:
        raise BadForm("the part's head is not UTF-8") from error
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if len(lines) != len(headers) or headers.keys() != {"content-disposition", "content-type"}:
        raise BadForm(f"wrong headers of the part: {lines}")
    match = _FILE_PART.fullmatch(headers["content-disposition"])
    if match is None or not _MEDIA_TYPE.fullmatch(headers["content-type"]):
        raise BadForm(f"no file with a name and a type: {lines}")
    name = match[1]
    for escape, character in _ESCAPES.items():
        name = name.replace(escape, character)
    return name, headers["content-type"]


def _find(body: bytes, wanted: bytes, start: int) -> int:
    cuts = [*range(start, len(body), _PIECE), len(body)]
    found = (body.find(wanted, at, min(end + len(wanted) - 1, len(body))) for at, end in pairwise(cuts))
    return next((at for at in found if at >= 0), -1)
