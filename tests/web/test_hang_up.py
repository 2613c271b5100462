"""Clients that hang up are noticed while nothing is written to them."""

import socket
import subprocess
import sys
import textwrap

from poe2openai.web.hang_up import HangUpWatcher

UNDER_GEVENT = textwrap.dedent(
    """
    from gevent import monkey
    monkey.patch_all()
    import socket, time, gevent
    from poe2openai.web.hang_up import ClientGone, HangUpWatcher

    watcher = HangUpWatcher()

    def serve(seconds):
        ours, clients = socket.socketpair()
        upstream, _held = socket.socketpair()
        outcome = []
        def request():
            watched = watcher.watch({"gunicorn.socket": ours})
            try:
                upstream.recv(1)
            except ClientGone:
                outcome.append(time.monotonic())
                raise
            finally:
                watched.close()
        greenlet = gevent.spawn(request)
        gevent.sleep(seconds)
        assert not outcome, "killed although the client is there"
        left = time.monotonic()
        clients.close()
        greenlet.join(2)
        assert outcome and outcome[0] - left < 1.0, "the client's leaving went unnoticed"

    serve(1.0)
    serve(0.1)

    # A request that ended in time is left alone, whatever becomes of its client.
    ours, clients = socket.socketpair()
    watched = watcher.watch({"gunicorn.socket": ours})
    assert not watched.is_gone()
    watched.close()
    clients.close()
    gevent.sleep(1.0)

    # Who asks need not wait for the watcher's next look.
    ours, clients = socket.socketpair()
    watched = watcher.watch({"gunicorn.socket": ours})
    clients.close()
    try:
        watched.check()
    except ClientGone:
        watched.close()
    else:
        raise AssertionError("the client's leaving went unnoticed")
    print("as it should be")
    """
)


def test_a_greenlet_whose_client_leaves_is_killed_within_a_second() -> None:
    run = subprocess.run([sys.executable, "-c", UNDER_GEVENT], check=False, capture_output=True, text=True, timeout=30)
    assert run.stdout == "as it should be\n", run.stderr


def test_without_gevent_whoever_waits_can_ask() -> None:
    ours, clients = socket.socketpair()
    with ours:
        watched = HangUpWatcher().watch({"werkzeug.socket": ours})
        assert not watched.is_gone()
        clients.close()
        assert watched.is_gone()


def test_a_host_that_shows_no_socket_has_clients_that_stay() -> None:
    assert not HangUpWatcher().watch({}).is_gone()
