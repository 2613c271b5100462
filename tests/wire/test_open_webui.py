"""A picture that a Poe bot makes is seen in the page of Open WebUI, a chat client that others made.

Needs Playwright, Chromium and what `python -m tests.support.open_webui` installs, and is skipped without them.
"""

import os
import shutil
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.fixtures import GatewayFactory
from tests.support.gateway import ROOT
from tests.support.open_webui import NOT_INSTALLED, OpenWebUI, environment_folder

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
PAGE_MS = 15_000
CAT = [
    "................",
    "..#..........#..",
    "..##........##..",
    "..#.#......#.#..",
    "..#..######..#..",
    "..#..........#..",
    ".#............#.",
    ".#..##....##..#.",
    ".#..##....##..#.",
    ".#............#.",
    "##.....##.....##",
    ".#..#..##..#..#.",
    "##...##..##...##",
    "..#..........#..",
    "...##########...",
    "................",
]
PIXEL = 16
WIDTH = len(CAT[0]) * PIXEL

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.skipif(not environment_folder().exists(), reason=NOT_INSTALLED),
]


def cat_png() -> bytes:
    """The drawing in grey, a square of pixels for each character (PNG, third edition, section 11)."""
    rows = ["".join(character * PIXEL for character in row) for row in CAT for _ in range(PIXEL)]
    raw = b"".join(b"\0" + bytes(20 if character == "#" else 240 for character in row) for row in rows)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", WIDTH, len(rows), 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


@pytest.fixture
def picture_url() -> Iterator[str]:
    """Where Poe's files are, as far as this bot is concerned."""
    picture = cat_png()

    class Pictures(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "image/png")
            self.send_header("Content-Length", str(len(picture)))
            self.end_headers()
            self.wfile.write(picture)

        def log_message(self, *_: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Pictures) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/cat.png"
        server.shutdown()
        thread.join(timeout=10)


@pytest.fixture
def poe_url(picture_url: str) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.cat_bot", picture_url],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    yield process.stdout.readline().strip()
    process.terminate()
    process.communicate(timeout=10)


@pytest.fixture
def open_webui(tmp_path: Path, make_gateway: GatewayFactory, poe_url: str) -> Iterator[OpenWebUI]:
    gateway = make_gateway(fresh=True, poe_url=poe_url)
    with OpenWebUI(tmp_path / "open-webui", gateway.base_url, "a-poe-key") as client:
        yield client


@pytest.fixture
def page(open_webui: OpenWebUI) -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page = chromium.new_page(viewport={"width": 1280, "height": 900}, locale="en-US")
        page.set_default_timeout(PAGE_MS)
        page.goto(open_webui.url)
        page.get_by_role("button", name="Okay, Let's Go!").click()  # what is new, shown to whoever comes first
        yield page
        chromium.close()


def ask(page: Any, model: str, question: str) -> Any:
    """The answer's element in the page, which may still be growing."""
    page.locator("button[aria-label^='Selected model']").click()
    page.get_by_role("option", name=f"Select {model} model").click()
    page.locator("#chat-input").click()
    page.keyboard.type(question)
    page.keyboard.press("Enter")
    return page.locator(".chat-assistant").last


def test_a_picture_is_seen(page: Any, picture_url: str, tmp_path: Path) -> None:
    answer = ask(page, "Painter", "Paint a cat, please.")

    # It lies within a button, where nothing has the role of a picture.
    picture = answer.locator("img[alt='a cat']")
    picture.wait_for(state="visible")
    assert picture.get_attribute("src") == picture_url
    page.wait_for_function("image => image.complete", arg=picture.element_handle())
    page.screenshot(path=tmp_path / "open-webui.png")
    assert picture.evaluate("image => image.naturalWidth") == WIDTH
    assert "Generating image" not in answer.inner_text()
