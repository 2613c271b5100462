"""The wait for Poe's bytes under gevent: in time, again and again, and gone when it is closed."""

import subprocess
import sys
import textwrap

UNDER_GEVENT = textwrap.dedent(
    """
    from gevent import monkey
    monkey.patch_all()
    import socket, time, gevent
    from poe2openai.web.readable import ReadableWait

    ours, theirs = socket.socketpair()
    wait = ReadableWait(ours, 0.2)

    def took(expected):
        began = time.monotonic()
        assert wait() is expected
        return time.monotonic() - began

    # Each silence has its full length, whatever was waited before.
    assert all(0.15 < took(False) < 0.6 for _ in range(3))
    for _ in range(3):
        gevent.spawn_later(0.15, theirs.send, b"x")
        assert 0.1 < took(True) < 0.5
        ours.recv(1)
    assert 0.15 < took(False) < 0.6

    # The end of a connection is something to read.
    theirs.close()
    assert took(True) < 0.1
    assert ours.recv(1) == b""

    # A wait that was closed leaves the next connection of the same number alone.
    number = ours.fileno()
    wait.close()
    ours.close()
    ours, theirs = socket.socketpair()
    assert number in (ours.fileno(), theirs.fileno())
    theirs.send(b"y")
    assert ours.recv(1) == b"y"

    # Killed while it waits.
    greenlet = gevent.spawn(lambda: ReadableWait(ours, 60.0)())
    gevent.sleep(0.05)
    wait = ReadableWait(ours, 60.0)
    greenlet.kill()
    theirs.send(b"z")
    assert took(True) < 0.1
    wait.close()
    print("as it should be")
    """
)


def test_waiting_under_gevent() -> None:
    run = subprocess.run([sys.executable, "-c", UNDER_GEVENT], check=False, capture_output=True, text=True, timeout=60)
    assert run.stdout == "as it should be\n", run.stderr
