"""Requests that are over become records, and no answer waits for that."""

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from poe2openai.core.events import Usage
from poe2openai.gateway import recorder as recorder_module
from poe2openai.gateway.record import RequestRecord
from poe2openai.gateway.recorder import MOST_REFUSALS, MOST_STRANGERS, MOST_WAITING, Recorder
from poe2openai.store.database import Database
from poe2openai.store.records import Entry, Records
from poe2openai.web.storage import FILE_NAME
from tests.support.entries import entry
from tests.support.fixtures import GatewayFactory
from tests.support.gateway import FLASK_RUN, Gateway
from tests.support.poe_script import cut, done, error_reply, hold, text
from tests.support.scripted_poe import ScriptedPoe
from tests.support.waiting import comes
from tests.support.wire import chat_bytes

CHAT = "/v1/chat/completions"
SAID = "the-words-of-the-user"
QUESTION = [{"role": "system", "content": "be kind"}, {"role": "user", "content": SAID}]


class Store:
    """Records, for the one who writes them."""

    def __init__(self) -> None:
        self.written: list[list[Entry]] = []
        self.pruned: list[float] = []
        self.works = True
        self.go = threading.Event()
        self.go.set()

    def write(self, entries: Sequence[Entry]) -> bool:
        self.go.wait(10)
        if self.works:
            self.written.append(list(entries))
        return self.works

    def prune(self, days: float) -> None:
        self.pruned.append(days)


def over(id: str = "req_1", **values: Any) -> RequestRecord:
    defaults: dict[str, Any] = {"model": "m", "bot": "b", "attempts": 1, "status": 200}
    return RequestRecord(id, **defaults | values)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def make(store: Store, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Recorder]:
    monkeypatch.setattr(recorder_module, "_BATCH_SECONDS", 0.05)

    def recorder(**options: Any) -> Recorder:
        named: dict[str, Any] = {"days": 90, "client_name": lambda sender: sender[2] or "?", **options}
        return Recorder(store, **named)  # type: ignore[arg-type]  # as much of one as it needs

    return recorder


def ids(store: Store) -> list[str]:
    return [entry.id for batch in store.written for entry in batch]


def test_an_entry_tells_what_the_record_knows(make: Callable[..., Recorder], store: Store) -> None:
    recorder = make(clock=lambda: 5000.0)
    record = over(caller="key-1", stream=True, attempts=2, reason="stop", sender=("", "", "curl/8"))
    record.started = time.monotonic() - 2.0
    record.first_token = record.started + 0.5
    record.usage = Usage(10, 20)
    recorder.note(record, "POST", CHAT)
    recorder.flush()

    ((entry,),) = store.written
    assert (entry.id, entry.caller, entry.client, entry.model, entry.bot) == ("req_1", "key-1", "curl/8", "m", "b")
    assert (entry.path, entry.stream, entry.status, entry.attempts, entry.reason) == (CHAT, True, 200, 2, "stop")
    assert (entry.first_token_ms, entry.tokens_in, entry.tokens_out, entry.estimated) == (500, 10, 20, False)
    assert entry.milliseconds == pytest.approx(2000, abs=200)
    assert entry.at == pytest.approx(4998, abs=0.5)
    assert (entry.question, entry.answer) == (None, None)


@pytest.mark.parametrize(
    ("record", "request_line", "is_kept"),
    [
        (over(), "POST /v1/chat/completions", True),
        (over(attempts=0, hung_up=True, status=499), "POST /v1/chat/completions", True),
        (over(model="", attempts=0, status=401), "POST /v1/chat/completions", True),
        (over(model="", attempts=0, status=404), "POST /v1/nowhere", True),
        (over(status=0, error="no_file_in_answer"), "POST /v1/videos (made)", True),
        (over(attempts=0), "POST /v1/videos", False),  # the film has a record of its own
        (over(model="", attempts=0, status=200), "GET /v1/models", False),
        (over(model="", attempts=0, status=404), "GET /favicon.ico", False),
        (over(model="", attempts=0, status=403), "POST /admin/login", False),
        (over(model="", attempts=0, status=400), "POST /api/admin/config", False),
    ],
)
def test_what_is_worth_a_record(
    make: Callable[..., Recorder], store: Store, record: RequestRecord, request_line: str, is_kept: bool
) -> None:
    recorder = make()
    recorder.note(record, *request_line.split(" ", 1))
    recorder.flush()
    assert bool(store.written) is is_kept


@pytest.mark.parametrize(("caller", "most"), [("key-1", MOST_REFUSALS), ("", MOST_STRANGERS)])
def test_whoever_only_knocks_leaves_a_few_rows_a_minute(
    make: Callable[..., Recorder], store: Store, caller: str, most: int
) -> None:
    """Nothing else holds him back, and the owner's own records are not to be pushed out."""
    recorder = make()
    for number in range(200):
        recorder.note(over(f"knock{number}", caller=caller, model="", attempts=0, status=400), "POST", CHAT)
    for number in range(100):
        recorder.note(over(f"asked{number}"), "POST", CHAT)
    recorder.flush()
    assert sum(each.startswith("knock") for each in ids(store)) == most
    assert sum(each.startswith("asked") for each in ids(store)) == 100


def test_what_waits_is_written_in_the_background(make: Callable[..., Recorder], store: Store) -> None:
    recorder = make()
    for number in range(3):
        recorder.note(over(f"a{number}"), "POST", CHAT)
    assert comes(lambda: ids(store) == ["a0", "a1", "a2"])
    recorder.note(over("later"), "POST", CHAT)
    assert comes(lambda: ids(store)[-1] == "later")
    assert store.pruned == [90]
    recorder.close()


def test_with_no_days_to_keep_them_nothing_is_recorded(make: Callable[..., Recorder], store: Store) -> None:
    recorder = make(days=0)
    recorder.note(over(), "POST", CHAT)
    recorder.flush()
    assert store.written == []


def test_what_does_not_fit_is_lost_and_told_once_a_minute(
    make: Callable[..., Recorder], store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    store.go.clear()
    recorder = make()
    began = time.monotonic()
    for _ in range(MOST_WAITING + 700):
        recorder.note(over(), "POST", CHAT)
    assert time.monotonic() - began < 2, "a slow store holds up answers"
    store.go.set()
    recorder.close()

    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    written = len(ids(store))
    assert MOST_WAITING <= written < MOST_WAITING + 700
    assert said == [f"{MOST_WAITING + 700 - written} requests were not recorded: the store fails, or is too slow"]


def test_a_store_that_fails_costs_records_alone(
    make: Callable[..., Recorder], store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    store.works = False
    recorder = make()
    recorder.note(over("lost"), "POST", CHAT)
    assert comes(lambda: "1 requests were not recorded" in caplog.text)
    store.works = True
    recorder.note(over("kept"), "POST", CHAT)
    assert comes(lambda: ids(store) == ["kept"])
    recorder.close()


def test_what_waits_at_the_end_is_written(make: Callable[..., Recorder], store: Store) -> None:
    recorder = make()
    for number in range(1_200):
        recorder.note(over(f"{number}"), "POST", CHAT)
    recorder.close()
    assert ids(store) == [f"{number}" for number in range(1_200)]


def test_noting_costs_microseconds(make: Callable[..., Recorder]) -> None:
    recorder = make()
    recorder.note(over(), "POST", CHAT)
    records = [over() for _ in range(5_000)]
    began = time.perf_counter()
    for record in records:
        recorder.note(record, "POST", CHAT)
    each = (time.perf_counter() - began) / len(records)
    recorder.close()
    assert each < 20e-6, f"{each * 1e6:.1f} µs"


# Over the wire: the file that the workers write is read here as the overview would.


def records_of(gateway: Gateway) -> list[Entry]:
    return Records(Database(gateway.directory / FILE_NAME, lambda work: work())).latest()


def wait_records(gateway: Gateway, count: int, within: float = 5.0) -> list[Entry]:
    assert comes(lambda: len(records_of(gateway)) >= count, within), records_of(gateway)
    return records_of(gateway)


def by_model(entries: list[Entry]) -> dict[str, Entry]:
    return {entry.model: entry for entry in entries}


@pytest.mark.parametrize("command", [None, FLASK_RUN], ids=["gunicorn", "flask"])
def test_streamed_whole_failed_and_abandoned_requests(
    make_gateway: GatewayFactory, poe: ScriptedPoe, command: list[str] | None
) -> None:
    gateway = make_gateway(fresh=True, command=command, WEB_CONCURRENCY="2")
    poe.script("streamed", text("hello "), text("world"), done())
    poe.script("whole", text("hello world"), done())
    poe.script("cut", text("half"), cut())
    poe.script("no", error_reply(403, "no"))
    poe.script("gone", text("half"), hold())
    headers = {"User-Agent": "OpenAI/Python 3.52.0", "X-Title": "Cherry Studio"}
    for model in ("streamed", "whole", "cut", "no"):
        with gateway.client() as client:
            client.chat(model=model, stream=model in ("streamed", "cut"), headers=headers).read()
    client = gateway.client()
    client.send(chat_bytes(model="gone", stream=True))
    poe.wait_query("gone")
    time.sleep(0.2)
    client.close()
    with gateway.client() as other:
        assert other.chat(model="whole", key=None).status == 401
    for path in ("/v1/models", "/health"):
        with gateway.client() as other:
            other.request("GET", path).read()

    found = by_model(wait_records(gateway, 6))

    assert len(records_of(gateway)) == 6
    assert {entry.client for entry in found.values()} == {"Cherry Studio", ""}
    streamed, whole = found["streamed"], found["whole"]
    assert (streamed.stream, streamed.status, streamed.error, streamed.reason) == (True, 200, "", "stop")
    assert streamed.first_token_ms is not None
    assert 0 <= streamed.first_token_ms <= streamed.milliseconds < 5_000
    assert abs(streamed.at - time.time()) < 30
    assert streamed.caller.startswith("key-")
    assert (whole.stream, whole.status, whole.tokens_out, whole.estimated) == (False, 200, 2, False)
    assert (found["cut"].status, found["cut"].error) == (200, "upstream_cut_off")
    assert (found["no"].status, found["no"].attempts) == (403, 1)
    assert found["no"].error
    assert (found["gone"].hung_up, found["gone"].error) == (True, "")
    assert (found[""].status, found[""].error, found[""].path) == (401, "invalid_api_key", CHAT)
    assert all(entry.question is None and entry.answer is None for entry in found.values())
    assert SAID.encode() not in (gateway.directory / FILE_NAME).read_bytes()


def test_texts_are_recorded_where_the_owner_wants_that(make_gateway: GatewayFactory, poe: ScriptedPoe) -> None:
    gateway = make_gateway(fresh=True, RECORD_MESSAGES="true")
    poe.script("streamed", text("hello "), text("world"), done())
    poe.script("long", text("x" * 9_000), done())
    with gateway.client() as client:
        client.chat(model="streamed", stream=True, messages=QUESTION).read()
        client.chat(model="long", messages=[{"role": "user", "content": "y" * 9_000}]).read()

    found = by_model(wait_records(gateway, 2))

    assert (found["streamed"].question, found["streamed"].answer) == (SAID, "hello world")
    assert (found["long"].question, found["long"].answer) == ("y" * 4_000, "x" * 4_000)


def test_nothing_is_recorded_with_0_days(make_gateway: GatewayFactory, poe: ScriptedPoe) -> None:
    gateway = make_gateway(fresh=True, USAGE_RETENTION_DAYS="0", RECORD_MESSAGES="true")
    poe.script("bot", text("hello"), done())
    with gateway.client() as client:
        client.chat(model="bot").read()
    time.sleep(2)
    gateway.stop()

    assert not (gateway.directory / FILE_NAME).exists()


def test_a_gateway_that_stops_keeps_what_it_knows(make_gateway: GatewayFactory, poe: ScriptedPoe) -> None:
    gateway = make_gateway(fresh=True, WEB_CONCURRENCY="2")
    poe.script("bot", text("hello"), done())
    for _ in range(10):
        with gateway.client() as client:
            client.chat(model="bot").read()
    gateway.stop()

    assert len(records_of(gateway)) == 10


def test_a_worker_that_is_killed_loses_its_last_second_at_most(make_gateway: GatewayFactory, poe: ScriptedPoe) -> None:
    gateway = make_gateway(fresh=True)
    poe.script("bot", text("hello"), done())
    with gateway.client() as client:
        for _ in range(5):
            client.chat(model="bot").read()
        time.sleep(1.8)
        client.chat(model="bot").read()
    for worker in gateway.workers():
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)

    assert 5 <= len(records_of(gateway)) <= 6


def test_old_records_go_when_the_days_are_over(make_gateway: GatewayFactory, poe: ScriptedPoe, tmp_path: Path) -> None:
    (config := tmp_path / "config").mkdir()
    old = Records(Database(config / FILE_NAME, lambda work: work()))
    old.write([entry("old", at=time.time() - 3 * 86_400), entry("young", at=time.time() - 86_400)])
    gateway = make_gateway(fresh=True, CONFIG_DIR=str(config), USAGE_RETENTION_DAYS="2")
    poe.script("bot", text("hello"), done())
    with gateway.client() as client:
        client.chat(model="bot").read()

    assert comes(lambda: len(old.latest()) == 2 and "old" not in [each.id for each in old.latest()], 5)
