"""An HTTP client on a bare socket: it shows what SDKs hide, such as how an answer ended and when each byte came."""

import contextlib
import json
import select
import socket
import struct
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

KEY = "test-key-0123456789"


@dataclass(frozen=True, slots=True)
class Event:
    """One block of an event stream: its data, or its comment."""

    data: str | None
    comment: str | None
    at: float

    @property
    def json(self) -> Any:
        return json.loads(self.data or "")


class Response:
    """An answer while it comes. `whole` is None as long as it lasts; False: it was cut off."""

    def __init__(self, client: socket.socket, timeout: float) -> None:
        self._client = client
        self._buffer = b""
        self._deadline = time.monotonic() + timeout
        self.whole: bool | None = None
        self.status, self.headers = self._read_head()
        self._body = self._pieces()

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name.lower()), None)

    def read(self) -> bytes:
        """The rest of the body, whole or cut off."""
        return b"".join(self._body)

    def json(self) -> Any:
        return json.loads(self.read())

    def events(self) -> Iterator[Event]:
        """The blocks of an event stream, each as soon as it is there."""
        pending = b""
        for piece in self._body:
            *blocks, pending = (pending + piece).split(b"\n\n")
            for block in blocks:
                yield _event(block.decode())
        if pending:
            raise AssertionError(f"half an event at the end: {pending!r}")

    def chunks(self) -> list[Any]:
        """The data of the rest of an event stream, decoded; `[DONE]` stays a string."""
        data = [one.data for one in self.events() if one.data is not None]
        return [one if one == "[DONE]" else json.loads(one) for one in data]

    def _read_head(self) -> tuple[int, list[tuple[str, str]]]:
        head = self._until(b"\r\n\r\n").decode("latin-1")
        line, *fields = head.split("\r\n")
        pairs = [field.split(":", 1) for field in fields]
        return int(line.split(" ")[1]), [(name.strip().lower(), value.strip()) for name, value in pairs]

    def _pieces(self) -> Iterator[bytes]:
        length = self.header("content-length")
        try:
            if self.status in (204, 304):
                pass
            elif self.header("transfer-encoding") == "chunked":
                while size := int(self._until(b"\r\n"), 16):
                    yield self._exactly(size)
                    self._until(b"\r\n")
                self._until(b"\r\n")
            elif length is not None:
                if int(length):
                    yield self._exactly(int(length))
            else:
                yield self._buffer
                while piece := self._receive():
                    yield piece
            self.whole = True
        except ConnectionError:
            self.whole = False

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._buffer:
            self._fill()
        found, _, self._buffer = self._buffer.partition(mark)
        return found

    def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._fill()
        found, self._buffer = self._buffer[:size], self._buffer[size:]
        return found

    def _fill(self) -> None:
        if not (piece := self._receive()):
            raise ConnectionAbortedError("the other side closed the connection")
        self._buffer += piece

    def _receive(self) -> bytes:
        self._client.settimeout(max(0.01, self._deadline - time.monotonic()))
        return self._client.recv(65536)


class Client:
    """One connection. Leave the block, or `close`, to hang up."""

    def __init__(self, port: int, timeout: float = 20.0) -> None:
        self._timeout = timeout
        self._last: Response | None = None
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def request(
        self, method: str, target: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Response:
        """Over the same connection as the last one, the rest of which is read first."""
        if self._last is not None:
            self._last.read()
        self.send(request_bytes(method, target, body, headers))
        return self.response()

    def chat(self, *, key: str | None = KEY, headers: Mapping[str, str] | None = None, **fields: Any) -> Response:
        """Asks for a chat completion; `fields` is the body (`messages` has a default)."""
        if self._last is not None:
            self._last.read()
        self.send(chat_bytes(key=key, headers=headers, **fields))
        return self.response()

    def post_json(self, target: str, body: Any, *, key: str = KEY) -> Response:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
        return self.request("POST", target, json.dumps(body).encode(), headers)

    def response(self) -> Response:
        self._last = Response(self.socket, self._timeout)
        return self._last

    def closed_within(self, seconds: float) -> bool:
        """Whether the other side closes the connection in this time."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            readable, _, _ = select.select([self.socket], [], [], left)
            if readable:
                try:
                    if not self.socket.recv(65536):
                        return True
                except OSError:
                    return True
        return False

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.close()

    def abort(self) -> None:
        """Hangs up by RST, as a killed program does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def request_bytes(
    method: str, target: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: gateway.test"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (body or b"")


def chat_bytes(*, key: str | None = KEY, headers: Mapping[str, str] | None = None, **fields: Any) -> bytes:
    fields.setdefault("messages", [{"role": "user", "content": "hello"}])
    auth = {} if key is None else {"Authorization": f"Bearer {key}"}
    return request_bytes(
        "POST",
        "/v1/chat/completions",
        json.dumps(fields).encode(),
        {"Content-Type": "application/json", **auth, **(headers or {})},
    )


def content(chunks: list[Any], field: str = "content") -> str:
    """The text of a stream's chunks, joined."""
    deltas = [choice["delta"] for chunk in chunks if isinstance(chunk, dict) for choice in chunk.get("choices", [])]
    return "".join(delta.get(field) or "" for delta in deltas)


def finish_reasons(chunks: list[Any]) -> list[str]:
    choices = [choice for chunk in chunks if isinstance(chunk, dict) for choice in chunk.get("choices", [])]
    return [choice["finish_reason"] for choice in choices if choice.get("finish_reason") is not None]


def errors(chunks: list[Any]) -> list[dict[str, Any]]:
    """The error objects that came in a stream."""
    return [chunk["error"] for chunk in chunks if isinstance(chunk, dict) and "error" in chunk]


def _event(block: str) -> Event:
    lines = block.split("\n")
    data = [line[5:].removeprefix(" ") for line in lines if line.startswith("data:")]
    comments = [line[1:].strip() for line in lines if line.startswith(":")]
    at = time.monotonic()
    return Event("\n".join(data) if data else None, comments[0] if comments else None, at)
