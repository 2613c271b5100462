"""Reads forms with files as they come in: the bytes of a file are kept in the pieces that they came in."""

from collections.abc import Iterator
from email.message import Message
from typing import Any

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData, State

from poe2openai.config.settings import Settings
from poe2openai.core.content import ContentBuilder
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.dialects.form import Fields, FormFile, fields_of_form, fields_of_json
from poe2openai.gateway.record import RequestRecord
from poe2openai.web.body import read_lifted, read_pieces

MAX_PARTS = 1_000
MAX_HEAD = 64 * 1024
"""Bytes of a part's headers, and of what stands before the first part, beyond the piece that they came in."""

MAX_TEXT = 4 * 1024 * 1024
"""Bytes of all fields of a form that are no files."""

_LONGEST_HELD = 128
_HEADS = (State.PREAMBLE, State.PART, State.EPILOGUE)


def read_fields(environ: dict[str, Any], settings: Settings, record: RequestRecord) -> Fields:
    """JSON or a form, by what the request says it is. Raises `GatewayError` for what cannot be read."""
    bounds: dict[str, Any] = {"limit": settings.max_request_size, "timeout": settings.request_body_timeout}
    boundary = _boundary(environ.get("CONTENT_TYPE") or "")
    if boundary is None:
        body = read_lifted(environ, **bounds)
        record.input_bytes = len(body.text)
        return fields_of_json(body)
    form = _Form(boundary)
    for piece in read_pieces(environ, **bounds):
        form.feed(piece)
        record.input_bytes = form.text_size
    return form.finish()


def _boundary(content_type: str) -> bytes | None:
    if not content_type.strip().lower().startswith("multipart/form-data"):
        return None
    header = Message()
    header["Content-Type"] = content_type
    boundary = header.get_boundary()
    if not boundary or len(boundary) > 200 or not boundary.isascii():
        raise _broken("its Content-Type has no boundary")
    return boundary.encode()


class _Form:
    """One form on its way in."""

    def __init__(self, boundary: bytes) -> None:
        self._decoder = MultipartDecoder(boundary, max_parts=MAX_PARTS)
        self._texts: dict[str, list[str]] = {}
        self.text_size = 0
        self._held = b""
        self._files: list[FormFile] = []
        self._part: Field | File | None = None
        self._content = ContentBuilder()

    def feed(self, piece: bytes) -> None:
        """Werkzeug takes a boundary for data where a piece ends within the hyphens or blanks behind it."""
        piece = self._held + piece
        run = len(piece) - len(piece.rstrip(b"- \t"))
        cut = len(piece) - min(run, _LONGEST_HELD)
        self._held = piece[cut:]
        self._feed(piece[:cut])

    def _feed(self, piece: bytes) -> None:
        for event in self._events(piece):
            match event:
                case Field() | File():
                    if event.name is None:
                        raise _broken("a part of it has no name")
                    self._part = event
                    self._content = ContentBuilder()
                case Data(data, more_data):
                    self._add(bytes(data))
                    if not more_data:
                        self._end_part()
                case _:
                    pass
        if self._decoder.state in _HEADS and len(self._decoder.buffer) > MAX_HEAD:
            raise GatewayError(ErrorKind.TOO_LARGE, f"A part's headers in a form may have {MAX_HEAD} bytes at most.")

    def finish(self) -> Fields:
        self._feed(self._held)
        if not any(isinstance(event, Epilogue) for event in self._events(None)):
            raise _broken("it ended in the middle")
        return fields_of_form(self._texts, tuple(self._files))

    def _events(self, piece: bytes | None) -> Iterator[Any]:
        try:
            self._decoder.receive_data(piece)
            while not isinstance(event := self._decoder.next_event(), NeedData):
                yield event
                if isinstance(event, Epilogue):
                    return
        except RequestEntityTooLarge:
            raise GatewayError(ErrorKind.TOO_LARGE, f"A form may have {MAX_PARTS} parts at most.") from None
        except ValueError:
            raise _broken("it ended in the middle" if piece is None else "it is malformed") from None

    def _add(self, data: bytes) -> None:
        if isinstance(self._part, Field):
            self.text_size += len(data)
            if self.text_size > MAX_TEXT:
                raise GatewayError(ErrorKind.TOO_LARGE, f"A form's texts may have {MAX_TEXT} bytes at most.")
        self._content.add(data)

    def _end_part(self) -> None:
        part, content = self._part, self._content.finish()
        if isinstance(part, File):
            media_type = part.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            self._files.append(FormFile(part.name, part.filename or None, media_type or None, content))
        elif part is not None:
            try:
                text = b"".join(content.pieces).decode()
            except UnicodeDecodeError:
                raise _broken("a text in it is not valid UTF-8") from None
            self._texts.setdefault(part.name, []).append(text)


def _broken(why: str) -> GatewayError:
    return GatewayError(ErrorKind.INVALID_REQUEST, f"The form (multipart/form-data) cannot be read: {why}.")
