"""The worker's own failures; what it refuses of clients is in tests/wire/test_bad_http.py."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway

ROOT = Path(__file__).resolve().parents[2]
SERVE_THE_APP_BELOW = ["-m", "gunicorn", "-c", "gunicorn.conf.py", "tests.web.test_worker:broken_app"]


def broken_app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Fails as no view can, which Flask would answer for."""
    if environ["PATH_INFO"] == "/raises":
        raise RuntimeError("the application broke")
    name = "X Bad" if environ["PATH_INFO"] == "/bad-header" else "X-Good"
    start_response("200 OK", [("Content-Length", "2"), (name, "x")])
    return [b"ok"]


@pytest.fixture
def broken(make_gateway: GatewayFactory) -> Gateway:
    return make_gateway(command=SERVE_THE_APP_BELOW)


def python(code: str) -> str:
    """What code prints that runs in a process of its own, as gunicorn's master does."""
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOST": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return ended.stdout.strip()


@pytest.mark.parametrize(("path", "why"), [("/raises", "RuntimeError"), ("/bad-header", "InvalidResponseHeaderName")])
def test_a_failure_of_ours_is_told_to_the_log_and_not_to_the_client(broken: Gateway, path: str, why: str) -> None:
    before = len(broken.log())
    with broken.client() as client:
        response = client.request("GET", f"{path}?key=hush", headers={"x-api-key": "hush"})
        assert (response.status, response.header("content-type")) == (500, "application/json")
        body = response.read()
        assert client.closed_within(1)
    assert json.loads(body)["error"] == {
        "message": "The gateway failed on this request; its log says why.",
        "type": "server_error",
        "param": None,
        "code": "internal_error",
    }
    assert f"why={why}" in broken.wait_log(response.header("x-request-id") or "?", start=before)
    assert why in broken.wait_log(
        "    | gunicorn.http.errors" if path == "/bad-header" else "    | Runtime", start=before
    )
    assert "hush" not in broken.log()
    with broken.client() as other:
        assert other.request("GET", "/").read() == b"ok"


def test_an_unread_body_ends_where_the_next_request_begins(broken: Gateway) -> None:
    """The application of this file reads none."""
    long = b"x" * 300_000
    with broken.client() as client:
        for head, body in (
            (b"Content-Length: 300000\r\n", long),
            (b"Transfer-Encoding: chunked\r\n", b"493e0\r\n%s\r\n0\r\n\r\n" % long),
            (b"Transfer-Encoding: chunked\r\n", b"1\r\nx\r\n" * 5000 + b"0\r\nTrailer-Field: x\r\n\r\n"),
            (b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
            (b"", b""),
        ):
            client.send(b"POST / HTTP/1.1\r\nHost: gateway.test\r\n" + head + b"\r\n" + body)
            response = client.response()
            assert (response.status, response.read()) == (200, b"ok")


def test_gunicorns_master_loads_no_application_with_the_worker() -> None:
    """Flask and requests have to come after gevent's patch."""
    loaded = python(
        "import sys, gunicorn.workers.ggevent; own = set(sys.modules); import poe2openai.web.worker;"
        "names = {name.partition('.')[0] for name in set(sys.modules) - own};"
        "print(*sorted(names - set(sys.stdlib_module_names)))"
    )
    assert loaded == "orjson poe2openai"


def test_a_worker_forgets_what_the_master_loaded() -> None:
    """One that replaces another after an upgrade reads no old file."""
    left = python(
        "import runpy, sys; conf = runpy.run_path('gunicorn.conf.py');"
        "import poe2openai.web.worker; conf['post_fork'](None, None);"
        "print(*(name for name in sys.modules if name.startswith('poe2openai')))"
    )
    assert left == ""
