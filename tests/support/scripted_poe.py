"""A Poe on loopback that does exactly what a test's script says, byte for byte, and remembers who asked what.

Raw sockets and threads: HTTP libraries would hide what matters here (framing, cut connections, when a client left).
"""

import contextlib
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import unquote

from tests.support.poe_script import (
    Cut,
    Head,
    Hold,
    Pause,
    Raw,
    Step,
    Until,
    error_reply,
    json_reply,
    pause,
)
from tests.support.received import Received, read_body, read_head
from tests.support.uploads import BadForm, Content, Shelf, Upload, answer_of, content_of, read_form, upload_of

Script = Sequence[Step] | Callable[[Received], Sequence[Step]]

MODELS = [
    {
        "id": "claude-sonnet-4.5",
        "object": "model",
        "created": 1758868894776,
        "owned_by": "Anthropic",
        "description": "A bot for tests.",
        "root": "Claude-Sonnet-4.5",
        "architecture": {
            "input_modalities": ["text", "image"],
            "output_modalities": ["text"],
            "modality": "text->text",
        },
        "pricing": {"prompt": "0.0000026", "completion": "0.000013", "image": None, "request": None},
        "context_window": {"context_length": 983040, "max_output_tokens": 64000},
        "context_length": 983040,
        "metadata": {"display_name": "Claude-Sonnet-4.5", "image": {"url": "https://example.com/a.png"}, "url": ""},
        "reasoning": {"budget": {"min_tokens": 0, "max_tokens": 63999}, "required": False},
        "supported_endpoints": [],
        "supported_features": ["tools"],
        "parameters": [
            {
                "name": "thinking_budget",
                "schema": {"type": "number", "minimum": 0, "maximum": 63999},
                "description": "?",
            }
        ],
    },
    {"id": "gpt-4o", "object": "model", "created": 1715731200000, "owned_by": "OpenAI", "root": "GPT-4o"},
    {"id": "painter", "object": "model", "created": 1715731200001, "owned_by": "poe", "root": "Painter"},
]


class _ClientLeft(Exception):
    pass


class _CalledOff(Exception):
    """The test is over, the script is not."""


class ScriptedPoe:
    """Serves `script`s on a free port; everything asked since the last `reset` is in `requests`.

    What is uploaded is kept and served until then (`uploads`, and `served` for the paths that were fetched), each
    upload answered after `upload_delay` seconds; `uploads_at_once` is how many were under way at most.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._lock = threading.Condition()
        self._epoch = 0
        self._accepted = 0
        self._scripts: dict[str, list[Script]] = {}
        self._sockets: dict[int, socket.socket] = {}
        self._shelf = Shelf()
        self._uploading: set[int] = set()
        self.requests: list[Received] = []
        self.connections = 0
        self.uploads: list[Upload] = []
        self.served: list[str] = []
        self.upload_delay = 0.0
        self.uploads_at_once = 0
        self._listener = self._listen(0)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    def script(self, bot: str, *steps: Step | Sequence[Step]) -> None:
        """The bot's next answer. Several scripts are given in turn, and the last one again and again."""
        self._add(f"POST /bot/{bot}", _flat(steps))

    def script_by(self, bot: str, answer: Callable[[Received], Sequence[Step]]) -> None:
        """An answer that depends on the question."""
        self._add(f"POST /bot/{bot}", answer)

    def route(self, method_and_path: str, *steps: Step | Sequence[Step]) -> None:
        """The same for any other address: `route("GET /v1/models", json_reply(503, …))`."""
        self._add(method_and_path, _flat(steps))

    def route_by(self, method_and_path: str, answer: Callable[[Received], Sequence[Step]]) -> None:
        """`route_by("POST /upload", poe.take_upload)` after a `route`: one upload fails, the next is kept."""
        self._add(method_and_path, answer)

    def serve(self, name: str, data: bytes, media_type: str) -> str:
        """The address of a file, as bots give it for what they made."""
        return self.url + self._shelf.put(name, media_type, content_of(data))

    def take_upload(self, request: Received) -> Sequence[Step]:
        """The answer to an upload that no script is for: what Poe would not read is refused with 400."""
        if not (authorization := request.header("authorization")):
            return error_reply(401, "Missing API key", type="authentication_error")
        try:
            form = read_form(request.header("content-type") or "", request.body)
        except BadForm as error:
            return error_reply(400, str(error))
        content = form.content or self._own_content(form.download_url or "")
        url = self.url + self._shelf.put(form.name, form.media_type, content)
        with self._lock:
            self.uploads.append(upload_of(form, authorization, url, request))
            delay = self.upload_delay
            self._lock.notify_all()
        return [pause(delay), *json_reply(200, answer_of(form, url))]

    def queries(self, bot: str | None = None) -> list[Received]:
        """The bot queries among `requests`."""
        with self._lock:
            return [one for one in self.requests if one.bot is not None and bot in (None, one.bot)]

    def wait_for(self, condition: Callable[["ScriptedPoe"], Any], timeout: float = 5.0) -> Any:
        """Waits until the condition is truthy and gives it back."""
        deadline = time.monotonic() + timeout
        while not (value := condition(self)):
            if time.monotonic() > deadline:
                raise AssertionError(f"did not come true within {timeout} s; asked so far: {self.requests}")
            with self._lock:
                self._lock.wait(0.01)
        return value

    def wait_query(self, bot: str, number: int = 1, timeout: float = 5.0) -> Received:
        """The bot's `number`th query, once it is there."""
        self.wait_for(lambda poe: len(poe.queries(bot)) >= number, timeout)
        return self.queries(bot)[number - 1]

    def reset(self) -> None:
        """Forgets scripts and requests, and ends the answers that are still being given."""
        with self._lock:
            self._epoch += 1
            self._scripts.clear()
            self.requests = []
            self.connections = 0
            self.uploads = []
            self.served = []
            self.upload_delay = 0.0
            self.uploads_at_once = 0
            self._uploading = set()
            self._shelf.clear()

    @contextlib.contextmanager
    def refusing(self) -> Iterator[None]:
        """Connections are refused, and open ones end, until the block is left."""
        self.close()
        try:
            yield
        finally:
            self._listener = self._listen(self.port)

    def close(self) -> None:
        with self._lock:
            self._epoch += 1
            open_sockets = list(self._sockets.values())
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for client in open_sockets:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def _add(self, address: str, script: Script) -> None:
        with self._lock:
            self._scripts.setdefault(address, []).append(script)

    def _listen(self, port: int) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", port), backlog=512)
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self._accepted += 1
                number = self._accepted
                self._sockets[number] = client
            threading.Thread(target=self._serve, args=(client, number), daemon=True).start()

    def _serve(self, plain: socket.socket, number: int) -> None:
        client = plain
        try:
            if self._tls is not None:
                client = self._tls.wrap_socket(plain, server_side=True)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            reader = client.makefile("rb")
            while (request := read_head(reader, number)) is not None:
                epoch = self._epoch
                with self._counted(request) as end:
                    read_body(reader, request)
                    if not self._answer(client, request, epoch, end):
                        return
        except OSError:
            pass
        finally:
            with self._lock:
                self._sockets.pop(number, None)
            client.close()

    @contextlib.contextmanager
    def _counted(self, request: Received) -> Iterator[Callable[[], None]]:
        """Counts an upload as under way from its head on, until the function that this gives is called."""
        with self._lock:
            uploading = self._uploading
            if request.address == "POST /upload":
                uploading.add(request.connection)
                self.uploads_at_once = max(self.uploads_at_once, len(uploading))

        def end() -> None:
            with self._lock:
                uploading.discard(request.connection)

        try:
            yield end
        finally:
            end()

    def _answer(self, client: socket.socket, request: Received, epoch: int, end: Callable[[], None]) -> bool:
        """Runs one script; says whether the connection may serve another request."""
        with self._lock:
            if self._epoch != epoch:
                return False
            self.requests.append(request)
            script = self._next_script(request)
            self._lock.notify_all()
        steps = script(request) if callable(script) else script
        if not any(isinstance(step, Head) for step in steps):
            steps = [Head(), *steps]
        try:
            return _Performance(client, request, lambda: self._epoch != epoch, end).run(steps)
        except _ClientLeft:
            request.left_at = time.monotonic()
            return False
        except _CalledOff:
            return False
        finally:
            request.ended.set()
            with self._lock:
                self._lock.notify_all()

    def _next_script(self, request: Received) -> Script:
        scripts = self._scripts.get(request.address)
        if scripts:
            return scripts.pop(0) if len(scripts) > 1 else scripts[0]
        if request.address == "GET /v1/models":
            return json_reply(200, {"object": "list", "data": MODELS})
        if request.address == "GET /usage/current_balance":
            return json_reply(200, {"current_point_balance": 295932027})
        if request.address == "POST /upload":
            return self.take_upload
        if request.address.startswith("GET /files/"):
            return self._give_file
        if request.bot is not None:
            return error_reply(404, f"Bot does not exist: {unquote(request.bot)}", type="not_found_error")
        return error_reply(404, f"no such path: {request.address}")

    def _give_file(self, request: Received) -> Sequence[Step]:
        path = request.path.split("?")[0]
        if (file := self._shelf.find(path)) is None:
            return error_reply(404, f"no such file: {path}")
        with self._lock:
            self.served.append(path)
        return [Head(200, {"Content-Type": file.media_type}, "length", file.content.size), *file.content.pieces()]

    def _own_content(self, url: str) -> Content | None:
        """Of an address here: Poe fetches what it is to download, and this one asks nobody else."""
        file = self._shelf.find(url.removeprefix(self.url)) if url.startswith(self.url) else None
        return None if file is None else file.content


class _Performance:
    """One script being played to one client."""

    def __init__(
        self, client: socket.socket, request: Received, called_off: Callable[[], bool], end: Callable[[], None]
    ) -> None:
        self._client = client
        self._request = request
        self._called_off = called_off
        self._end = end
        self._framing = "chunked"

    def run(self, steps: Sequence[Step]) -> bool:
        for number, step in enumerate(steps, 1):
            match step:
                case bytes():
                    if number == len(steps):
                        # The client may ask again as soon as it has these.
                        self._end()
                    self._send(f"{len(step):x}\r\n".encode() + step + b"\r\n" if self._framing == "chunked" else step)
                case Head():
                    self._send_head(step)
                case Raw(data):
                    self._send(data)
                case Pause(seconds) | Hold(seconds):
                    self._wait(seconds)
                case Until(event, seconds):
                    self._wait(seconds, event)
                case Cut(reset):
                    if reset:
                        self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return False
        if self._framing == "chunked":
            self._send(b"0\r\n\r\n")
        self._request.finished = True
        return self._framing != "close"

    def _send_head(self, head: Head) -> None:
        self._framing = head.framing
        lines = [f"HTTP/1.1 {head.status} Scripted", *(f"{name}: {value}" for name, value in head.headers.items())]
        if head.framing == "chunked":
            lines.append("Transfer-Encoding: chunked")
        elif head.framing == "length":
            lines.append(f"Content-Length: {head.length}")
        else:
            lines.append("Connection: close")
        self._send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    def _send(self, data: bytes) -> None:
        try:
            self._client.sendall(data)
        except OSError as error:
            raise _ClientLeft from error

    def _wait(self, seconds: float, event: threading.Event | None = None) -> None:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if event is not None and event.is_set():
                return
            if self._called_off():
                raise _CalledOff
            readable, _, _ = select.select([self._client], [], [], min(left, 0.01))
            if readable and self._has_left():
                raise _ClientLeft
        if event is not None:
            raise AssertionError("the test never set its event")

    def _has_left(self) -> bool:
        try:
            # Past TLS too, where any byte in the middle of an answer is the goodbye.
            peeked = socket.socket.recv(self._client, 1, socket.MSG_PEEK)
        except OSError:
            return True
        return not peeked or isinstance(self._client, ssl.SSLSocket)


def _flat(steps: Sequence[Step | Sequence[Step]]) -> list[Step]:
    flat: list[Step] = []
    for step in steps:
        if isinstance(step, list | tuple):
            flat.extend(step)
        else:
            flat.append(step)  # type: ignore[arg-type]
    return flat
