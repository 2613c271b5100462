"""One HTTP request as it came over the wire: names, order and bytes untouched."""

import io
import json
import threading
import time
from dataclasses import dataclass, field
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit


@dataclass(slots=True, repr=False)
class Received:
    """`connection` tells connections apart; `left_at` is when the client hung up in the middle of the answer."""

    method: str
    target: bytes
    headers: list[tuple[str, str]]
    body: bytes
    connection: int
    at: float = field(default_factory=time.monotonic)
    finished: bool = False
    left_at: float | None = None
    ended: threading.Event = field(default_factory=threading.Event)

    def __repr__(self) -> str:
        """Without the most of a large body: a failing test prints what was asked."""
        rest = f" and {len(self.body) - 2000} bytes more" if len(self.body) > 2000 else ""
        return f"<{self.method} {self.path} {self.headers} {self.body[:2000]!r}{rest}, connection {self.connection}>"

    @property
    def path(self) -> str:
        """The path, still percent-encoded; a proxy's absolute target counts by its path."""
        target = self.target.decode("latin-1")
        return target if target.startswith("/") else urlsplit(target).path

    @property
    def bot(self) -> str | None:
        """The bot's name, decoded; None where the request is no bot query."""
        path = self.path.split("?")[0]
        return unquote(path[5:]) if path.startswith("/bot/") else None

    @property
    def address(self) -> str:
        return f"{self.method} " + (f"/bot/{self.bot}" if self.bot is not None else self.path.split("?")[0])

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages of a bot query."""
        messages: list[dict[str, Any]] = self.json["query"]
        return messages

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def hung_up_after(self, since: float, timeout: float = 5.0) -> float:
        """Seconds from `since` (of `time.monotonic`) until the client was seen to have hung up."""
        if not self.ended.wait(timeout):
            raise AssertionError(f"the client was still there after {timeout} s")
        if self.left_at is None:
            raise AssertionError("the answer ended by itself")
        return self.left_at - since


def read_head(reader: BinaryIO, connection: int) -> Received | None:
    """A request without its body; None where the client closed the connection instead of asking again."""
    line = reader.readline()
    if not line.strip():
        return None
    method, target, _ = line.split(b" ", 2)
    headers: list[tuple[str, str]] = []
    while (line := reader.readline()) not in (b"\r\n", b"\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        headers.append((name.strip(), value.strip()))
    return Received(method.decode(), target, headers, b"", connection)


def read_body(reader: BinaryIO, request: Received) -> None:
    """Fills it in; raises `ConnectionError` where the client left in the midst of it."""
    if (request.header("transfer-encoding") or "").lower() == "chunked":
        request.body = _read_chunked(reader)
    else:
        request.body = _read_exactly(reader, int(request.header("content-length") or 0))
    request.at = time.monotonic()


def _read_chunked(reader: BinaryIO) -> bytes:
    # Grows in place, and gives its bytes away without a copy.
    body = io.BytesIO()
    while size := int(_read_line(reader).split(b";")[0], 16):
        body.write(_read_exactly(reader, size))
        reader.readline()
    while _read_line(reader) not in (b"\r\n", b"\n"):
        pass
    return body.getvalue()


def _read_line(reader: BinaryIO) -> bytes:
    if not (line := reader.readline()):
        raise ConnectionAbortedError("the client left in the midst of a body")
    return line


def _read_exactly(reader: BinaryIO, size: int) -> bytes:
    if len(data := reader.read(size)) < size:
        raise ConnectionAbortedError("the client left in the midst of a body")
    return data
