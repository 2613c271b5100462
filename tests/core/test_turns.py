"""Long work lets others run, and their sockets be looked at."""

import subprocess
import sys
import textwrap
import time

import pytest

from poe2openai.core.turns import Turns

# A server that answers a byte with a byte, in one process with work that takes 4 ms between two turns.
UNDER_GEVENT = textwrap.dedent(
    """
    from gevent import monkey
    monkey.patch_all()
    import socket, time, gevent
    from poe2openai.core.turns import give_way

    ours, theirs = socket.socketpair()

    def serve():
        while (byte := ours.recv(1)):
            ours.sendall(byte)

    def work():
        for _ in range(100):
            end = time.perf_counter() + 0.004
            while time.perf_counter() < end:
                pass
            give_way()

    gevent.spawn(serve)
    worker = gevent.spawn(work)
    answered = 0
    while not worker.ready():
        theirs.sendall(b"x")
        theirs.recv(1)
        answered += 1
    print(answered)
    """
)


def test_sockets_are_served_between_two_turns() -> None:
    run = subprocess.run([sys.executable, "-c", UNDER_GEVENT], check=True, capture_output=True, text=True, timeout=60)
    # With `sleep(0)`, sockets are looked at but every fifty turns: there it is a handful.
    assert int(run.stdout) > 40


def test_turns_give_way_when_the_time_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    never, at_once = Turns(60.0), Turns(0.0)
    for _ in range(5):
        never.give_way()
        at_once.give_way()
    assert len(slept) == 5
    assert all(seconds > 0 for seconds in slept)
