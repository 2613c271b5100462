"""Large files: unchanged, at a memory that is a little more than the body's size, and without a halt for others."""

import hashlib
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway
from tests.support.poe_script import Step, done, pause, text
from tests.support.scripted_poe import ScriptedPoe
from tests.support.sending import BOT, attached, new_key

MB = 1024 * 1024
PICTURE_HEAD = b"\x89PNG\r\n\x1a\n"
LONGEST_GAP = 0.25
"""Seconds: 0.1 is what a machine that does nothing else shows."""

# Sends a body of `megabytes` with one picture, and tells the answer's status: in a process of its own, as the one of
# the tests would hold up those who watch.
SENDER = r"""
import base64, http.client, random, sys
port, key, megabytes = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
head = b'{"model":"bot","messages":[{"role":"user","content":[{"type":"text","text":"Look."},{"type":"image_url",' \
    b'"image_url":{"url":"data:image/png;base64,'
tail = b'"}}]}]}'
data = bytearray(b"\x89PNG\r\n\x1a\n")
data += random.Random(5).randbytes(megabytes * 786432 - len(data))
connection = http.client.HTTPConnection("127.0.0.1", port, timeout=100)
connection.putrequest("POST", "/v1/chat/completions")
connection.putheader("Content-Type", "application/json")
connection.putheader("Authorization", "Bearer " + key)
connection.putheader("Content-Length", str(len(head) + len(data) // 3 * 4 + len(tail)))
connection.endheaders()
connection.send(head)
view = memoryview(data)
for start in range(0, len(data), 786432):
    connection.send(base64.b64encode(view[start : start + 786432]))
connection.send(tail)
print(connection.getresponse().status)
"""


def data_of(megabytes: int) -> bytes:
    """What the sender's body of that size holds."""
    return PICTURE_HEAD + random.Random(5).randbytes(megabytes * 786_432 - len(PICTURE_HEAD))


def send(gateway: Gateway, megabytes: int, folder: Path, key: str = "") -> None:
    script = folder / "sender.py"
    script.write_text(SENDER)
    command = [sys.executable, str(script), str(gateway.port), key or new_key(), str(megabytes)]
    sent = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert sent.stdout.strip() == "200", sent.stderr[-2000:] or sent.stdout


def peak_memory(gateway: Gateway) -> int:
    """Bytes that the one worker had at most."""
    (worker,) = gateway.workers()
    status = Path(f"/proc/{worker}/status").read_text()
    match = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert match is not None
    return int(match[1]) * 1024


@dataclass
class Watch:
    """Another client's stream, and how long it was without a word."""

    gateway: Gateway
    gaps: list[float] = field(default_factory=list)
    begun: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)

    def __call__(self) -> None:
        with self.gateway.client(timeout=60) as client:
            response = client.chat(model="ticker", stream=True)
            last = time.monotonic()
            for event in response.events():
                self.begun.set()
                self.gaps.append(event.at - last)
                last = event.at
                if self.over.is_set():
                    return


@pytest.fixture
def watch(make_gateway: GatewayFactory, poe: ScriptedPoe) -> Iterator[Watch]:
    ticks: list[Step] = [step for _ in range(3000) for step in (text("x"), pause(0.02))]
    poe.script("ticker", *ticks, done())
    poe.script(BOT, text("ok"), done())
    watch = Watch(make_gateway(fresh=True))
    thread = threading.Thread(target=watch)
    thread.start()
    yield watch
    watch.over.set()
    thread.join(10)


def test_fifty_megabytes_come_through_unchanged(gateway: Gateway, poe: ScriptedPoe, tmp_path: Path) -> None:
    poe.script(BOT, text("ok"), done())
    key = new_key()
    for _ in range(2):
        send(gateway, 67, tmp_path, key)
    (sent,) = poe.uploads
    assert sent.size >= 50 * MB
    assert sent.sha256 == hashlib.sha256(data_of(67)).hexdigest()
    assert (sent.media_type, sent.name) == ("image/png", "image.png")
    assert [attached(query)[0]["url"] for query in poe.queries(BOT)] == [sent.url] * 2


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_a_body_of_200_mb_stops_nobody_and_costs_little_more_than_its_size(
    watch: Watch, poe: ScriptedPoe, tmp_path: Path
) -> None:
    assert watch.begun.wait(10)
    time.sleep(0.5)
    before = peak_memory(watch.gateway)
    watch.gaps.clear()
    began = time.monotonic()
    send(watch.gateway, 195, tmp_path)
    seconds = time.monotonic() - began
    time.sleep(0.2)
    growth = peak_memory(watch.gateway) - before
    longest = max(watch.gaps)
    print(f"{seconds:.1f} s, {growth / MB:.0f} MB more, longest gap {longest * 1000:.0f} ms of {len(watch.gaps)}")
    assert poe.uploads[0].size == 195 * 786_432
    assert growth < 1.5 * 195 * MB
    assert longest < LONGEST_GAP
