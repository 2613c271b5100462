"""Clients that hang up are noticed while nothing is written to them."""

import socket
import subprocess
import sys
import textwrap

import pytest

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.gateway.record import RequestRecord
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


def test_who_is_stopped_is_told_at_the_next_look() -> None:
    watcher = HangUpWatcher()
    watched = watcher.watch({}, RequestRecord("req_1"))
    watched.check_stop()
    assert [each.record and each.record.id for each in watcher.open()] == ["req_1"]

    assert not watcher.stop("req_2")
    assert watcher.stop("req_1")
    for look in (watched.check, watched.check_stop):
        with pytest.raises(GatewayError) as caught:
            look()
        assert (caught.value.kind, caught.value.kind.status) == (ErrorKind.STOPPED, 403)
    watched.close()
    assert not watcher.stop("req_1")
    assert list(watcher.open()) == []


def test_what_is_to_be_done_before_the_first_request_is_done_once() -> None:
    watcher, done = HangUpWatcher(), []
    watcher.before_first = lambda: done.append(1)
    for _ in range(3):
        watcher.watch({}).close()
    assert done == [1]


STOPPING = textwrap.dedent(
    """
    from gevent import monkey
    monkey.patch_all()
    import socket, time, gevent
    from poe2openai.core.errors import GatewayError
    from poe2openai.gateway.record import RequestRecord
    from poe2openai.web import hang_up
    from poe2openai.web.hang_up import ClientGone, HangUpWatcher

    hang_up.STOP_SECONDS = STOP_SECONDS = 1.0
    watcher = HangUpWatcher()

    def stop(is_streaming):
        ours, clients = socket.socketpair()
        upstream, _held = socket.socketpair()
        outcome = []
        def request():
            watched = watcher.watch({"gunicorn.socket": ours}, RequestRecord("req_1"))
            watched.is_streaming = is_streaming
            try:
                upstream.recv(1)
            except (ClientGone, GatewayError) as problem:
                outcome.append((time.monotonic(), type(problem)))
            finally:
                watched.close()
            gevent.sleep(2 * STOP_SECONDS)
            outcome.append("went on")
        greenlet = gevent.spawn(request)
        gevent.sleep(0.1)
        assert watcher.stop("req_1")
        began = time.monotonic()
        gevent.sleep(STOP_SECONDS / 2)
        assert not outcome, "it is given time to notice by itself"
        gevent.sleep(STOP_SECONDS / 2 + 1.0)
        (at, kind), = outcome
        assert STOP_SECONDS <= at - began < STOP_SECONDS + 1.0
        assert kind is (ClientGone if is_streaming else GatewayError), kind
        greenlet.join()
        assert outcome[1:] == ["went on"], "who has noticed is left alone"
        assert watcher._stopping == [] or not watcher._watched

    stop(False)
    stop(True)
    print("as it should be")
    """
)


def test_a_greenlet_that_does_not_look_is_ended_once_its_time_is_over() -> None:
    run = subprocess.run([sys.executable, "-c", STOPPING], check=False, capture_output=True, text=True, timeout=60)
    assert run.stdout == "as it should be\n", run.stderr
