"""Files on their way to Poe and back: uploads (Poe documentation, "Uploading files"), and what lies at Poe's addresses.

`fastapi_poe` sends the bare key with an upload, other programs a bearer token; Poe has taken both.
"""

import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, unquote, urlencode, urlsplit

import orjson

from poe2openai.core.content import Content
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.poe.body import BodyStream
from poe2openai.poe.client import MAX_ERROR_BODY, PoeClient
from poe2openai.poe.errors import error_from_status

MAX_ANSWER = 256 * 1024
ANSWER_SECONDS = 300.0
"""Poe fetches what lies at a `download_url` before it answers."""
MAX_DOWNLOAD = 2 * 1024 * 1024 * 1024
_ERROR_SECONDS = 5.0

_HOST_OF_POE = re.compile(r"(?:[a-z0-9-]+\.)+poecdn\.net", re.IGNORECASE)
_USUAL_PLACE = re.compile(r"://(?:[a-z0-9-]+\.)*(?:poe|quora)\.com(?:[:/]|$)", re.IGNORECASE)
_PRINTABLE = re.compile(r"[!-~]{1,8192}")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")
_NO_PATH = re.compile(r"[/\\\x00-\x1f\x7f]+")
_UNKNOWN = "application/octet-stream"
_LONGEST_NAME = 255
_URL_CHARACTERS = "%/:=&?~+!$,;'@()*[]"

OnSilence = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that Poe has; `size` is in bytes, None where Poe did not say. `media_type` is what Poe takes it for."""

    url: str
    media_type: str
    name: str
    size: int | None = None


class PoeFiles:
    """One a worker; greenlets and threads share it."""

    def __init__(self, poe: PoeClient, upload_url: str) -> None:
        self._poe = poe
        self._upload_url = upload_url
        # Of a Poe at another place than the usual one, where its files lie as well.
        self._own_origins = {_origin(url) for url in (poe.base_url, upload_url) if not _USUAL_PLACE.search(url)}

    def is_poes(self, url: str) -> bool:
        """Whether a file lies with Poe already, so that it may be attached, and fetched, as it is."""
        if not _PRINTABLE.fullmatch(url):
            return False
        try:
            parts = urlsplit(url)
            if parts.username is not None or parts.password is not None:
                return False
            is_poecdn = parts.scheme == "https" and _HOST_OF_POE.fullmatch(parts.hostname or "") is not None
            return (is_poecdn and parts.port in (None, 443)) or _origin(url) in self._own_origins
        except ValueError:
            return False

    def upload(self, content: Content, name: str, media_type: str, key: str, on_silence: OnSilence) -> Attachment:
        """The file goes out in its pieces; `on_silence` is called meanwhile, and may raise to give up."""
        if not _MEDIA_TYPE.fullmatch(media_type):
            media_type = _UNKNOWN
        boundary = f"poe2openai-{secrets.token_hex(16)}"
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{_quoted(name)}"\r\n'
            f"Content-Type: {media_type}\r\n\r\n"
        )
        body = (head.encode(), *content.pieces, f"\r\n--{boundary}--\r\n".encode())
        answer = self._post(body, f"multipart/form-data; boundary={boundary}", key, on_silence)
        return _attachment(answer, name, media_type, content.size)

    def upload_from(self, url: str, name: str | None, media_type: str, key: str, on_silence: OnSilence) -> Attachment:
        """Poe itself fetches what lies at an address."""
        fields = {"download_url": url, **({"download_filename": name} if name else {})}
        body = (urlencode(fields).encode(),)
        answer = self._post(body, "application/x-www-form-urlencoded", key, on_silence)
        return _attachment(answer, name or name_in(url), media_type, None)

    def download(self, url: str, on_silence: OnSilence = lambda: None) -> "Download":
        """What lies at one of Poe's addresses (`is_poes`); no key goes there."""
        try:
            stream, status, headers = self._poe.get(quote(url, safe=_URL_CHARACTERS), on_silence)
        except ValueError:
            message = "The bot's file could not be fetched: its address is malformed."
            raise GatewayError(ErrorKind.UPSTREAM_INVALID, message) from None
        try:
            if status != 200:
                message = f"The bot's file could not be fetched: HTTP status {status}."
                raise GatewayError(ErrorKind.UPSTREAM_ERROR, message, upstream_status=status)
            return Download(stream, headers, on_silence)
        except BaseException:
            stream.close()
            raise

    def _post(self, body: tuple[bytes, ...], content_type: str, key: str, on_silence: OnSilence) -> dict[str, Any]:
        answer = self._post_once(body, content_type, key, on_silence)
        if answer.status == 401:
            answer = self._post_once(body, content_type, f"Bearer {key}", on_silence)
        if answer.status != 200:
            raise _refusal(answer, key)
        try:
            value = orjson.loads(answer.body)
        except ValueError:
            value = None
        if not isinstance(value, dict) or not isinstance(value.get("attachment_url"), str):
            message = "Poe's answer to an upload has an unknown shape; POE_FILE_UPLOAD_URL may be wrong."
            raise GatewayError(ErrorKind.UPSTREAM_INVALID, message, upstream_status=200)
        return value

    def _post_once(self, body: tuple[bytes, ...], content_type: str, key: str, on_silence: OnSilence) -> "_Answer":
        headers = {"Content-Type": content_type, "Authorization": key}
        stream, status, answered = self._poe.post(self._upload_url, headers, body, on_silence, ANSWER_SECONDS)
        try:
            return _Answer(status, answered, _short_body(stream, status, on_silence))
        finally:
            stream.close()


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class Download:
    """A file on its way here; a context manager. `media_type` and `size` are what its server says of it."""

    def __init__(self, stream: BodyStream, headers: Mapping[str, str], on_silence: OnSilence) -> None:
        self._stream = stream
        self._on_silence = on_silence
        self.media_type = headers.get("Content-Type", "").partition(";")[0].strip().lower() or None
        length = headers.get("Content-Length", "")
        self.size = int(length) if length.isascii() and length.isdigit() else None
        self._deadline = time.monotonic() + ANSWER_SECONDS

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def pieces(self) -> Iterator[bytes]:
        """Raises `GatewayError` where the file breaks off, is silent for too long, or has no end."""
        received = 0
        for piece in self._stream:
            if not piece:
                self._on_silence()
                continue
            received += len(piece)
            if received > MAX_DOWNLOAD:
                raise GatewayError(ErrorKind.UPSTREAM_INVALID, "The bot's file is too large.")
            yield piece

    def close(self) -> None:
        self._stream.close()


def _short_body(stream: BodyStream, status: int, on_silence: OnSilence) -> bytes:
    """Of an error its beginning, as far as it comes."""
    limit, seconds = (MAX_ANSWER, ANSWER_SECONDS) if status == 200 else (MAX_ERROR_BODY, _ERROR_SECONDS)
    deadline = time.monotonic() + seconds
    body = b""
    try:
        for piece in stream:
            if not piece:
                on_silence()
            body += piece
            if len(body) > limit or time.monotonic() > deadline:
                break
    except GatewayError:
        if status == 200:
            raise
    return body


def name_in(url: str) -> str:
    """The file's name at the end of an address, or `file`."""
    address = url.partition("?")[0].partition("#")[0]
    path = address.partition("://")[2] or address
    last = path.rpartition("/")[2] if "/" in path else ""
    return clean_name(unquote(last)) or "file"


def clean_name(name: str) -> str:
    """A client's name for a file, without what could lead elsewhere or break a header."""
    return _NO_PATH.sub("_", name).strip()[-_LONGEST_NAME:]


def _quoted(name: str) -> str:
    """As browsers write it into a form (HTML standard, "Multipart form data")."""
    return _CONTROLS.sub("_", name).replace('"', "%22")


def _attachment(answer: Mapping[str, Any], name: str, media_type: str, size: int | None) -> Attachment:
    told, told_size = answer.get("mime_type"), answer.get("size")
    if size is None and isinstance(told_size, int) and told_size >= 0:
        size = told_size
    return Attachment(answer["attachment_url"], told if isinstance(told, str) and told else media_type, name, size)


def _refusal(answer: _Answer, key: str) -> GatewayError:
    if answer.status < 400:
        message = f"Poe answered an upload with HTTP status {answer.status}; POE_FILE_UPLOAD_URL may be wrong."
        return GatewayError(ErrorKind.UPSTREAM_INVALID, message, upstream_status=answer.status)
    error = error_from_status(answer.status, answer.headers, answer.body, secret=key)
    if answer.status == 413:
        return GatewayError(ErrorKind.TOO_LARGE, error.message, upstream_status=413)
    if error.kind in (ErrorKind.MODEL_NOT_FOUND, ErrorKind.CONTEXT_LENGTH):
        # Their words are about bots.
        message = f"Poe answered with HTTP status {answer.status}; POE_FILE_UPLOAD_URL may be wrong."
        return GatewayError(ErrorKind.UPSTREAM_INVALID, message, upstream_status=answer.status)
    return error


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
