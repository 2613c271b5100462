"""Files of bots: from Poe's own addresses, else from public places alone; on real sockets."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.gateway.downloads import Downloads
from poe2openai.poe.public_fetch import PublicFetcher
from tests.support import sample_files
from tests.support.attaching import Worker, client_of, nobody_waits
from tests.support.fetching import Trap, fetcher
from tests.support.poe_script import cut, error_reply, head, hold
from tests.support.raw_server import RawServer, answer, repeating
from tests.support.scripted_poe import ScriptedPoe

PNG = sample_files.png()


@pytest.fixture
def downloads(poe: ScriptedPoe, tmp_path: Path) -> Iterator[Downloads]:
    """With the guard that a gateway has."""
    with client_of(poe.url) as client:
        yield Downloads(Worker(client, tmp_path).files, PublicFetcher(connect_timeout=2.0))


def data(downloads: Downloads, url: str) -> bytes:
    return b"".join(downloads.content(url, nobody_waits).pieces)


def failure(downloads: Downloads, url: str) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        data(downloads, url)
    return caught.value


def test_one_of_poes(downloads: Downloads, poe: ScriptedPoe) -> None:
    url = poe.serve("a cat.png", PNG, "image/png")
    assert downloads.is_poes(url)
    assert data(downloads, url) == PNG
    with downloads.open(url, nobody_waits) as download:
        assert (download.media_type, download.size) == ("image/png", len(PNG))
        assert b"".join(download.pieces()) == PNG
    assert not any(request.header("authorization") for request in poe.requests)


def test_one_of_a_public_place(poe: ScriptedPoe, tmp_path: Path) -> None:
    """Loopback stands for it here."""
    with (
        client_of(poe.url) as client,
        RawServer(repeating(answer(PNG, "image/png"))) as server,
    ):
        downloads = Downloads(Worker(client, tmp_path).files, fetcher())
        url = f"http://127.0.0.1:{server.port}/a.png"
        assert not downloads.is_poes(url)
        assert data(downloads, url) == PNG


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/a.png",
        "http://localhost:{port}/a.png",
        "http://[::1]:{port}/a.png",
        "http://pfst.cf2.poecdn.net@127.0.0.1:{port}/a.png",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.1.2.3/a.png",
        "file:///etc/passwd",
        "data:image/png;base64,aGVsbG8=",
        "//127.0.0.1:{port}/a.png",
        "http://[",
        "",
    ],
)
def test_another_place_is_the_bots_fault_and_is_not_asked(downloads: Downloads, url: str) -> None:
    trap = Trap()
    try:
        error = failure(downloads, url.format(port=trap.port))
        assert error.kind is ErrorKind.UPSTREAM_INVALID
        assert error.message.startswith("The bot's file could not be fetched. ")
        assert trap.visits() == 0
    finally:
        for listener in trap.listeners:
            listener.close()


def test_what_is_not_there_or_breaks_off(downloads: Downloads, poe: ScriptedPoe) -> None:
    gone = failure(downloads, f"{poe.url}/files/9999/gone.png")
    assert (gone.kind, gone.upstream_status) == (ErrorKind.UPSTREAM_ERROR, 404)
    poe.route("GET /files/broken", head(200, {"Content-Type": "image/png"}), PNG[:20], cut())
    assert failure(downloads, f"{poe.url}/files/broken").kind is ErrorKind.UPSTREAM_CUT_OFF
    poe.route("GET /files/forbidden", error_reply(403, "no"))
    assert failure(downloads, f"{poe.url}/files/forbidden").kind is ErrorKind.UPSTREAM_ERROR


def test_whoever_waits_may_give_up(downloads: Downloads, poe: ScriptedPoe) -> None:
    poe.route("GET /files/slow", head(200, {"Content-Type": "image/png"}), PNG[:20], hold())

    def leave() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        downloads.content(f"{poe.url}/files/slow", leave)
    assert poe.requests[-1].ended.wait(3)
    assert poe.requests[-1].left_at is not None
