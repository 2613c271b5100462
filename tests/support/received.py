"""One HTTP request as it came over the wire: names, order and bytes untouched."""

import json
import threading
import time
from dataclasses import dataclass, field
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit


@dataclass(slots=True)
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
    ended: threading.Event = field(default_factory=threading.Event, repr=False)

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


def read_request(reader: BinaryIO, connection: int) -> Received | None:
    """None where the client closed the connection instead of asking again."""
    line = reader.readline()
    if not line.strip():
        return None
    method, target, _ = line.split(b" ", 2)
    headers: list[tuple[str, str]] = []
    while (line := reader.readline()) not in (b"\r\n", b"\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        headers.append((name.strip(), value.strip()))
    known = {name.lower(): value for name, value in headers}
    if known.get("transfer-encoding", "").lower() == "chunked":
        body = _read_chunked(reader)
    else:
        body = reader.read(int(known.get("content-length", 0)))
    return Received(method.decode(), target, headers, body, connection)


def _read_chunked(reader: BinaryIO) -> bytes:
    body = b""
    while size := int(reader.readline().split(b";")[0], 16):
        body += reader.read(size)
        reader.readline()
    while reader.readline() not in (b"\r\n", b"\n", b""):
        pass
    return body
