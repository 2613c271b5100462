"""models.yaml is read again within a second in every worker; a broken one changes nothing."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway
from tests.support.poe_script import done, text
from tests.support.scripted_poe import ScriptedPoe

GOOD = "models:\n  gpt-4o: {mapping: from-the-file}\n"
BROKEN = [
    "",
    "models: [",
    "models:\n  gpt-4o: {mappi",
    "- a\n- list\n",
    "models: {gpt-4o: {enable: perhaps}}\n",
    "models: !!python/object/apply:os.system ['true']\n",
    "a: &a [x]\nmodels: {b: *a}\n",
    "[" * 100_000,
    "\0\0\0",
]


@pytest.fixture
def gateway(make_gateway: GatewayFactory, tmp_path_factory: pytest.TempPathFactory) -> Gateway:
    """Two workers, with a good file; the tests of this file share it."""
    directory = tmp_path_factory.getbasetemp() / "reload"
    directory.mkdir(exist_ok=True)
    (directory / "models.yaml").write_text(GOOD)
    gateway = make_gateway(WEB_CONCURRENCY="2", CONFIG_DIR=str(directory))
    deadline = time.monotonic() + 6
    while not all("from-the-file" in names for names in lists(gateway)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return gateway


def write(gateway: Gateway, content: str) -> None:
    """As an editor does: a new file in the old one's place."""
    temporary = gateway.directory / "models.yaml.new"
    temporary.write_text(content)
    temporary.replace(gateway.directory / "models.yaml")


def lists(gateway: Gateway, count: int = 12) -> Iterator[list[str]]:
    """The model list over many connections, so that every worker is asked."""
    for _ in range(count):
        with gateway.client() as client:
            yield [model["id"] for model in client.request("GET", "/v1/models").json()["data"]]


def health(gateway: Gateway) -> dict[str, Any]:
    with gateway.client() as client:
        body: dict[str, Any] = client.request("GET", "/health").json()
    return body


def test_a_change_is_seen_by_every_worker(gateway: Gateway, poe: ScriptedPoe) -> None:
    assert all("from-the-file" in names for names in lists(gateway))
    for number in range(3):
        write(gateway, f"models:\n  gpt-4o: {{mapping: name-{number}}}\n")
        time.sleep(1)
        assert all(f"name-{number}" in names for names in lists(gateway))
    for name in ("gpt-4o", "GPT-4o"):
        poe.script(name, text("ok"), done())
    with gateway.client() as client:
        assert client.chat(model="name-2").json()["model"] == "name-2"
    assert (poe.queries()[0].bot or "").lower() == "gpt-4o"


def test_writing_in_place_is_seen_too(gateway: Gateway) -> None:
    (gateway.directory / "models.yaml").write_text("models:\n  gpt-4o: {mapping: in-place}\n")
    time.sleep(1)
    assert all("in-place" in names for names in lists(gateway))


def test_a_broken_file_changes_nothing(gateway: Gateway) -> None:
    for broken in BROKEN:
        before = len(gateway.log())
        write(gateway, broken)
        time.sleep(0.3)
        assert all("from-the-file" in names for names in lists(gateway, 6)), broken[:40]
        state = health(gateway)["config"]
        assert state["ok"] is False
        assert state["error"]
        gateway.wait_log("models.yaml", start=before)
    write(gateway, GOOD.replace("from-the-file", "mended"))
    time.sleep(1)
    assert all("mended" in names for names in lists(gateway))
    assert health(gateway)["config"]["ok"] is True
    assert len(gateway.workers()) == 2


def test_the_last_good_file_outlives_a_restart(gateway: Gateway) -> None:
    assert all("from-the-file" in names for names in lists(gateway, 4))
    write(gateway, "models: [")
    gateway.stop()
    gateway.start()
    assert all("from-the-file" in names for names in lists(gateway))
    assert health(gateway)["config"]["ok"] is False


def test_a_file_that_goes_away_is_forgotten_by_every_worker(gateway: Gateway) -> None:
    """After a moment: editors that save by renaming leave one without the file."""
    (gateway.directory / "models.yaml").unlink()
    deadline = time.monotonic() + 15
    clean = 0
    while clean < 3 and time.monotonic() < deadline:  # one worker alone may have answered a whole round
        clean = clean + 1 if all("from-the-file" not in names for names in lists(gateway)) else 0
        time.sleep(0.2)
    assert clean == 3
    assert all("gpt-4o" in names for names in lists(gateway))


def test_a_folder_that_cannot_be_is_no_obstacle(make_gateway: GatewayFactory) -> None:
    gateway = make_gateway(fresh=True, CONFIG_DIR="/dev/null/missing", MODELS_YAML=GOOD)
    assert all("from-the-file" in names for names in lists(gateway, 2))
    assert health(gateway)["config"]["ok"] is True
