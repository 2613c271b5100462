"""Servers on loopback that speak raw bytes, a thread for each connection: Poe, or a proxy on the way to it."""

import contextlib
import select
import shutil
import socket
import ssl
import struct
import subprocess
import threading
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

SECONDS = 10.0


class Peer:
    """A server's end of one connection."""

    def __init__(self, sock: socket.socket, number: int) -> None:
        self.sock = sock
        self.number = number
        self._unread = b""

    def head(self) -> bytes:
        """The next request's head; b"" when the client has left."""
        while b"\r\n\r\n" not in self._unread:
            data = self.sock.recv(65536)
            if not data:
                return b""
            self._unread += data
        head, _, self._unread = self._unread.partition(b"\r\n\r\n")
        return head + b"\r\n\r\n"

    def request(self) -> bytes:
        """Head and body of the next request."""
        head = self.head()
        length = next(
            (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
        )
        return head + self.exactly(length)

    def exactly(self, size: int) -> bytes:
        while len(self._unread) < size:
            data = self.sock.recv(65536)
            if not data:
                raise ConnectionError("the client left within its request")
            self._unread += data
        data, self._unread = self._unread[:size], self._unread[size:]
        return data

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def has_left(self, seconds: float = SECONDS) -> bool:
        """The client ended the connection within that time."""
        try:
            self.sock.settimeout(seconds)
            return self.sock.recv(1) == b""
        except TimeoutError:
            return False
        except OSError:
            return True

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class RawServer:
    """Runs `serve` for each connection; what it raises beyond a broken connection is raised at the end."""

    def __init__(self, serve: Callable[[Peer], None], tls: ssl.SSLContext | None = None) -> None:
        self.connections = 0
        self._serve = serve
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._peers: list[Peer] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._failures: list[BaseException] = []
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join(SECONDS)
        for peer in self._peers:
            peer.close()
        for thread in self._threads:
            thread.join(SECONDS)
        if error is None and self._failures:
            raise self._failures[0]

    @property
    def url(self) -> str:
        return f"{'http' if self._tls is None else 'https'}://127.0.0.1:{self.port}"

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._run, args=(sock, self.connections))
            self._threads.append(thread)
            thread.start()

    def _run(self, sock: socket.socket, number: int) -> None:
        sock.settimeout(SECONDS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            peer = Peer(self._tls.wrap_socket(sock, server_side=True) if self._tls else sock, number)
        except OSError:
            sock.close()
            return
        self._peers.append(peer)
        try:
            self._serve(peer)
        except OSError:
            pass
        except Exception as error:  # noqa: BLE001 - raised when the server ends
            self._failures.append(error)
        finally:
            peer.close()


def repeating(answer: bytes) -> Callable[[Peer], None]:
    """Answers every request with these bytes."""

    def serve(peer: Peer) -> None:
        while peer.request():
            peer.send(answer)

    return serve


class Recorder:
    """Keeps what it is asked."""

    def __init__(self, said: bytes) -> None:
        self.requests: list[bytes] = []
        self._said = said

    def __call__(self, peer: Peer) -> None:
        while request := peer.request():
            self.requests.append(request)
            peer.send(self._said)


def answer(body: bytes, kind: str = "application/json", status: str = "200 OK", **headers: str) -> bytes:
    lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items()]
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{''.join(lines)}\r\n"
    return head.encode() + body


def pump(one: socket.socket, other: socket.socket) -> None:
    """Passes bytes both ways until either side ends; in one thread, as a TLS socket cannot serve two at once."""
    while True:
        buffered = isinstance(one, ssl.SSLSocket) and one.pending()
        try:
            readable = [one] if buffered else select.select([one, other], [], [], SECONDS)[0]
        except ValueError:  # the test is over, and has closed one of them
            return
        for source in readable:
            data = source.recv(65536)
            if not data:
                return
            (other if source is one else one).sendall(data)
        if not readable:
            return


def tunnel_proxy(heads: list[bytes], credentials: str | None = None) -> Callable[[Peer], None]:
    """An HTTP proxy that knows CONNECT; hosts are all on loopback. It notes each head it was shown."""

    def serve(peer: Peer) -> None:
        head = peer.head()
        heads.append(head)
        expected = b"" if credentials is None else b64encode(credentials.encode())
        if credentials is not None and b"Proxy-Authorization: Basic " + expected + b"\r\n" not in head:
            peer.send(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        port = int(head.split(b" ")[1].rpartition(b":")[2])
        with socket.create_connection(("127.0.0.1", port), SECONDS) as there:
            peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            pump(peer.sock, there)

    return serve


def socks5_proxy(asked: list[str], credentials: tuple[str, str] | None = None) -> Callable[[Peer], None]:
    """A SOCKS5 proxy (RFC 1928, 1929) whose hosts are all on loopback. It notes each host it was asked for."""

    def serve(peer: Peer) -> None:
        _, count = peer.exactly(2)
        methods = peer.exactly(count)
        method = 0 if credentials is None else 2
        assert method in methods
        peer.send(bytes([5, method]))
        if credentials is not None:
            _, size = peer.exactly(2)
            user = peer.exactly(size).decode()
            password = peer.exactly(peer.exactly(1)[0]).decode()
            peer.send(bytes([1, (user, password) != credentials]))
            if (user, password) != credentials:
                return
        kind = peer.exactly(4)[3]
        asked.append(
            socket.inet_ntoa(peer.exactly(4)) if kind == 1 else peer.exactly(peer.exactly(1)[0]).decode(),
        )
        port = int.from_bytes(peer.exactly(2), "big")
        with socket.create_connection(("127.0.0.1", port), SECONDS) as there:
            peer.send(bytes([5, 0, 0, 1, 127, 0, 0, 1, 0, 0]))
            pump(peer.sock, there)

    return serve


@dataclass(frozen=True)
class Authority:
    """A certificate authority of our own, and what a server with its certificate for loopback uses."""

    bundle: str
    server: ssl.SSLContext


def make_authority(home: Path) -> Authority:
    """Made with the openssl program, as the standard library cannot sign certificates; skips the test without it."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=home, check=True, capture_output=True, timeout=30)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=A test's authority", *usage)
    openssl("req", *key[:-2], "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=poe.test")
    (home / "extensions").write_text(
        "subjectAltName=DNS:poe.test,DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n"
        "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\nextendedKeyUsage=serverAuth\n"
    )
    signing = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "extensions", "-days", "2")
    openssl("x509", "-req", "-in", "server.csr", "-out", "server.pem", *signing)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(home / "server.pem", home / "server.key")
    return Authority(str(home / "ca.pem"), server)
