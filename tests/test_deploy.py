"""deploy/nginx.conf in front of a small server: nginx itself says whether streams, cuts and large bodies come through.

Skipped where nginx or openssl is not installed.
"""

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gateway import free_port

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "deploy" / "nginx.conf"

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
OPENSSL = shutil.which("openssl")

pytestmark = pytest.mark.skipif(NGINX is None or OPENSSL is None, reason="needs nginx and openssl")

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


class Upstream:
    """Answers a request as its path says, and keeps the connection unless it is to be cut off."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.may_go_on = threading.Event()
        self.bodies: list[int] = []
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def close(self) -> None:
        self.may_go_on.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in [self._accepting, *self._threads]:
            thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._serve, args=(client,)))
            self._threads[-1].start()

    def _serve(self, client: socket.socket) -> None:
        with client, client.makefile("rb") as lines:
            line = lines.readline()
            length = 0
            while field := lines.readline().strip().lower():
                length = int(field[15:]) if field.startswith(b"content-length:") else length
            self.bodies.append(len(lines.read(length)))
            client.sendall(HEAD + b"3\r\none\r\n")
            if b"/cut" not in line:
                self.may_go_on.wait(10)
                client.sendall(b"3\r\ntwo\r\n0\r\n\r\n")


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


@pytest.fixture
def site(upstream: Upstream, tmp_path: Path) -> Iterator[int]:
    """The port of the TLS half of deploy/nginx.conf, in front of `upstream`."""
    assert NGINX is not None
    assert OPENSSL is not None
    pair = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]
    make = [
        OPENSSL,
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    subprocess.run([*make, "-subj", "/CN=poe.example.org", *pair], check=True, capture_output=True, timeout=60)
    port = free_port()
    config = tmp_path / "nginx.conf"
    config.write_text(_whole_config(_local(SITE.read_text(), tmp_path, upstream.port, port), tmp_path))

    command = [NGINX, "-p", str(tmp_path), "-c", str(config), "-e", str(tmp_path / "error.log")]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True, timeout=60, check=False)
    assert checked.returncode == 0, checked.stderr
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def test_a_stream_comes_through_as_it_is_made(site: int, upstream: Upstream) -> None:
    with _connect(site) as client:
        client.sendall(b"GET /v1/stream HTTP/1.1\r\nHost: poe.example.org\r\n\r\n")
        seen = _read_until(client, b"3\r\none\r\n")
        assert b"two" not in seen
        upstream.may_go_on.set()
        assert _read_until(client, b"0\r\n\r\n").endswith(b"3\r\ntwo\r\n0\r\n\r\n")


def test_a_stream_that_breaks_off_does_not_look_complete(site: int) -> None:
    with _connect(site) as client:
        client.sendall(b"GET /v1/cut HTTP/1.1\r\nHost: poe.example.org\r\n\r\n")
        received = b""
        with contextlib.suppress(OSError):
            while piece := client.recv(65536):
                received += piece

    assert b"one" in received
    assert not received.endswith(b"0\r\n\r\n")


def test_a_body_beyond_nginxs_own_limit_comes_through(site: int, upstream: Upstream) -> None:
    upstream.may_go_on.set()
    body = bytes(3 * 1024 * 1024)
    with _connect(site) as client:
        head = f"POST /v1/chat HTTP/1.1\r\nHost: poe.example.org\r\nContent-Length: {len(body)}\r\n\r\n"
        client.sendall(head.encode() + body)
        assert _read_until(client, b"0\r\n\r\n").startswith(b"HTTP/1.1 200 ")

    assert upstream.bodies == [len(body)]


def _local(site: str, folder: Path, upstream: int, port: int) -> str:
    """The file as it stands, but for ports, addresses and the certificate."""
    plain = free_port()
    for old, new in {
        "127.0.0.1:8080": f"127.0.0.1:{upstream}",
        "listen 80;": f"listen 127.0.0.1:{plain};",
        "listen [::]:80;": "",
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "listen [::]:443 ssl;": "",
        "/etc/letsencrypt/live/poe.example.org/fullchain.pem": str(folder / "cert.pem"),
        "/etc/letsencrypt/live/poe.example.org/privkey.pem": str(folder / "key.pem"),
    }.items():
        assert old in site, old
        site = site.replace(old, new)
    return site


def _whole_config(site: str, folder: Path) -> str:
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "\n".join(f"{kind}_temp_path {folder / kind};" for kind in kinds)
    # nginx started by root serves as `nobody`, which may not enter pytest's folders.
    user = "user root;\n" if os.geteuid() == 0 else ""
    return (
        f"daemon off;\npid {folder / 'nginx.pid'};\nworker_processes 1;\n{user}events {{ }}\n"
        f"http {{\naccess_log off;\n{temporary}\n{site}\n}}\n"
    )


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return


def _connect(port: int) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=10))


def _read_until(client: ssl.SSLSocket, end: bytes) -> bytes:
    seen = b""
    while not seen.endswith(end):
        piece = client.recv(65536)
        assert piece, seen
        seen += piece
    return seen
