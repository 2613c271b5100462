"""Poe gets each file once: of many at the same moment, in all workers, over restarts, as far as the cache holds."""

import contextlib
import os
import shutil
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.fixtures import GatewayFactory
from tests.support.gateway import GUNICORN, Gateway
from tests.support.poe_script import Step, done, error, error_reply, text
from tests.support.sample_files import png
from tests.support.scripted_poe import ScriptedPoe
from tests.support.sending import BOT, ask, attached, body_of, file, image, image_at, new_key, user
from tests.support.waiting import comes
from tests.support.wire import Client, request_bytes

PICTURE = user("Look.", image(png()))
LOST = error_reply(400, "Failed to fetch attachment: not found")


@pytest.fixture
def bot(poe: ScriptedPoe) -> ScriptedPoe:
    poe.script(BOT, text("ok"), done())
    return poe


def ask_all(gateway: Gateway, count: int, key: str) -> list[int]:
    """Statuses of as many requests at once with the same picture."""
    with ThreadPoolExecutor(count) as pool:
        return [status for status, _ in pool.map(lambda _: ask(gateway, PICTURE, key=key), range(count))]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ten_at_once_make_one_upload(make_gateway: GatewayFactory, bot: ScriptedPoe, workers: str) -> None:
    gateway = make_gateway(WEB_CONCURRENCY=workers)
    bot.upload_delay = 0.7
    assert ask_all(gateway, 10, key := new_key()) == [200] * 10
    assert len(bot.uploads) == 1
    assert [attached(query)[0]["url"] for query in bot.queries(BOT)] == [bot.uploads[0].url] * 10
    assert ask(gateway, PICTURE, key=key)[0] == 200
    assert len(bot.uploads) == 1


def test_another_key_makes_its_own_upload(gateway: Gateway, bot: ScriptedPoe) -> None:
    keys = [new_key(), new_key()]
    for key in keys * 2:
        ask(gateway, PICTURE, key=key)
    assert [each.authorization for each in bot.uploads] == keys
    urls = [attached(query)[0]["url"] for query in bot.queries(BOT)]
    assert urls == [each.url for each in bot.uploads] * 2


def test_an_address_is_handed_over_once(gateway: Gateway, bot: ScriptedPoe) -> None:
    key = new_key()
    for _ in range(2):
        ask(gateway, user("Look.", image_at("https://example.com/a.png")), key=key)
    ask(gateway, user("Look.", image_at("https://example.com/a.png?2")), key=key)
    assert [each.download_url for each in bot.uploads] == ["https://example.com/a.png", "https://example.com/a.png?2"]


def test_it_outlives_a_killed_worker_and_a_restart(
    make_gateway: GatewayFactory, bot: ScriptedPoe, config_dir: Path
) -> None:
    gateway = make_gateway(fresh=True, CONFIG_DIR=str(config_dir))
    ask(gateway, PICTURE)
    (worker,) = gateway.workers()
    os.kill(worker, signal.SIGKILL)
    assert comes(lambda: gateway.workers() not in ([], [worker]), 10)
    assert comes(lambda: _answers(gateway), 10)
    ask(gateway, PICTURE)
    gateway.stop()
    again = make_gateway(fresh=True, CONFIG_DIR=str(config_dir))
    ask(again, PICTURE)
    assert len(bot.uploads) == 1
    assert len(bot.queries(BOT)) == 3
    stored = config_dir / "poe2openai.db"
    assert stored.stat().st_mode & 0o777 == 0o600
    assert b"test-key" not in stored.read_bytes()


def _answers(gateway: Gateway) -> bool:
    try:
        with gateway.client(timeout=2) as client:
            return client.request("GET", "/health").status == 200
    except OSError:
        return False


def test_a_worker_killed_in_an_upload_leaves_it_to_the_next(make_gateway: GatewayFactory, bot: ScriptedPoe) -> None:
    """Its claim lapses by itself, after half a minute at most."""
    gateway = make_gateway(fresh=True)
    bot.upload_delay = 60
    sending = threading.Thread(target=_ask_in_vain, args=(gateway,))
    sending.start()
    bot.wait_for(lambda poe: poe.uploads)
    (worker,) = gateway.workers()
    os.kill(worker, signal.SIGKILL)
    sending.join(10)
    assert comes(lambda: gateway.workers() not in ([], [worker]), 10)
    assert comes(lambda: _answers(gateway), 10)
    bot.upload_delay = 0
    # Another file is not held up meanwhile.
    began = time.monotonic()
    assert ask(gateway, user("Look.", file(b"other", "a.txt")))[0] == 200
    assert time.monotonic() - began < 5


def _ask_in_vain(gateway: Gateway) -> None:
    with contextlib.suppress(OSError):
        ask(gateway, PICTURE)


def test_what_was_used_least_recently_makes_room(make_gateway: GatewayFactory, bot: ScriptedPoe) -> None:
    gateway = make_gateway(URL_CACHE_SIZE_MB="1")
    key = new_key()
    one, two, three = (user(file(name.encode() * 400_000, f"{name}.txt")) for name in "123")
    for message in (one, two, one, three, one, three, two):
        assert ask(gateway, message, key=key)[0] == 200
    assert [each.name for each in bot.uploads] == ["1.txt", "2.txt", "3.txt", "2.txt"]


def test_a_file_is_remembered_for_as_long_as_the_owner_says(make_gateway: GatewayFactory, bot: ScriptedPoe) -> None:
    gateway = make_gateway(URL_CACHE_TTL_SECONDS="1")
    key = new_key()
    ask(gateway, PICTURE, key=key)
    ask(gateway, PICTURE, key=key)
    assert len(bot.uploads) == 1
    time.sleep(1.1)
    ask(gateway, PICTURE, key=key)
    assert len(bot.uploads) == 2


@pytest.mark.parametrize("lost", [LOST, [error("Could not download the attached image")]])
def test_a_file_that_poe_lost_is_uploaded_again_once(gateway: Gateway, bot: ScriptedPoe, lost: list[Step]) -> None:
    key = new_key()
    ask(gateway, PICTURE, key=key)
    bot.script(BOT, lost)
    bot.script(BOT, text("here it is"), done())
    # The first script is given once more, before the others.
    ask(gateway, PICTURE, key=key)
    status, answer = ask(gateway, PICTURE, key=key)
    assert (status, answer["choices"][0]["message"]["content"]) == (200, "here it is")
    assert len(bot.uploads) == 2
    assert attached(bot.queries(BOT)[-1])[0]["url"] == bot.uploads[1].url


def test_where_that_does_not_help_poes_word_is_told(gateway: Gateway, bot: ScriptedPoe) -> None:
    key = new_key()
    ask(gateway, PICTURE, key=key)
    bot.reset()
    bot.script(BOT, LOST)
    status, answer = ask(gateway, PICTURE, key=key)
    assert status == 400
    assert "Failed to fetch attachment" in answer["error"]["message"]
    assert (len(bot.uploads), len(bot.queries(BOT))) == (1, 2)


def test_whoever_leaves_does_not_take_anothers_upload_along(gateway: Gateway, bot: ScriptedPoe) -> None:
    key = new_key()
    bot.upload_delay = 1.0
    with gateway.client() as leaving, ThreadPoolExecutor(1) as pool:
        pool.submit(_send_alone, leaving, key)
        bot.wait_for(lambda poe: poe.uploads)
        staying = pool.submit(ask, gateway, PICTURE, key=key)
        time.sleep(0.3)
        leaving.abort()
        status, answer = staying.result(15)
    assert (status, answer["choices"][0]["message"]["content"]) == (200, "ok")
    assert len(bot.queries(BOT)) == 1


def _send_alone(client: Client, key: str) -> None:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    client.send(request_bytes("POST", "/v1/chat/completions", body_of([PICTURE]), headers))


def test_without_a_place_to_write_files_still_come_through(
    make_gateway: GatewayFactory, bot: ScriptedPoe, config_dir: Path
) -> None:
    (config_dir / "poe2openai.db").mkdir()
    gateway = make_gateway(fresh=True, CONFIG_DIR=str(config_dir))
    for _ in range(2):
        assert ask(gateway, PICTURE)[0] == 200
    assert len(bot.uploads) == 2
    gateway.wait_log("store fails")


AS_ROOT = "import os, sys; os.execvp('setpriv', ['setpriv', '--bounding-set=-dac_override', sys.executable, *{}])"


def test_a_read_only_folder_still_serves(make_gateway: GatewayFactory, bot: ScriptedPoe, config_dir: Path) -> None:
    """It remembers elsewhere, until the machine restarts."""
    command = None
    if os.geteuid() == 0:  # who may write anywhere, unless it gives that right away
        if shutil.which("setpriv") is None:
            pytest.skip("setpriv is not installed")
        command = ["-c", AS_ROOT.format(GUNICORN)]
    config_dir.chmod(0o500)
    gateway = make_gateway(fresh=True, command=command, CONFIG_DIR=str(config_dir))
    for _ in range(2):
        assert ask(gateway, PICTURE)[0] == 200
    assert len(bot.uploads) == 1
    assert list(config_dir.iterdir()) == []
    gateway.wait_log("CONFIG_DIR")
