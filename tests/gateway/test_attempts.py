"""What is tried again, with which key, and when trying ends."""

import time
from collections.abc import Callable, Sequence

import pytest

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.gateway.attempts import MAX_RETRY_AFTER, attempt
from poe2openai.gateway.keys import Caller, KeyRing
from poe2openai.poe.errors import REFUSED_KEY

OWN, GUEST = Caller("key-1", "own"), Caller("token-1", None)
BUSY = GatewayError(ErrorKind.UPSTREAM_ERROR, "busy", upstream_status=503)
REFUSED = GatewayError(ErrorKind.AUTHENTICATION, f"{REFUSED_KEY}no", upstream_status=401)
NO_POINTS = GatewayError(ErrorKind.INSUFFICIENT_QUOTA, "no points", upstream_status=402)
WRONG = GatewayError(ErrorKind.INVALID_REQUEST, "wrong", upstream_status=400)


def limited(seconds: float) -> GatewayError:
    return GatewayError(ErrorKind.RATE_LIMIT, "slow down", retry_after=seconds, upstream_status=429)


class Asked:
    """Fails as it is told, one time after the other, and succeeds from then on."""

    def __init__(self, *failures: GatewayError, keys: Sequence[str] = ("k1", "k2"), caller: Caller = GUEST) -> None:
        self.failures = list(failures)
        self.keys = keys
        self.caller = caller
        self.ring = KeyRing(keys, ("token",), allow_client_keys=True)
        self.seen: list[str] = []

    def __call__(self, on_silence: Callable[[], None] = lambda: None) -> str:
        return attempt(self._ask, keys=self.keys, ring=self.ring, caller=self.caller, on_silence=on_silence)

    def _ask(self, key: str) -> str:
        self.seen.append(key)
        if self.failures:
            failure = self.failures.pop(0)
            raise GatewayError(
                failure.kind, failure.message, retry_after=failure.retry_after, upstream_status=failure.upstream_status
            )
        return f"given to {key}"

    def failure(self) -> GatewayError:
        with pytest.raises(GatewayError) as caught:
            self()
        return caught.value


@pytest.mark.parametrize("failure", [REFUSED, NO_POINTS, limited(60)])
def test_a_key_that_fails_gives_way_at_once_and_rests(failure: GatewayError) -> None:
    asked = Asked(failure)
    began = time.monotonic()
    assert asked() == "given to k2"
    assert time.monotonic() - began < 0.2
    assert asked.ring.keys_for(GUEST) == ["k2", "k1"]


def test_a_passing_fault_is_asked_again_twice_with_pauses() -> None:
    asked = Asked(BUSY, BUSY, BUSY, keys=["k1"])
    began = time.monotonic()
    assert asked.failure().message == "busy"
    assert asked.seen == ["k1"] * 3
    assert time.monotonic() - began > 0.6


def test_a_fault_of_the_question_is_final() -> None:
    asked = Asked(WRONG)
    assert asked.failure().kind is ErrorKind.INVALID_REQUEST
    assert asked.seen == ["k1"]


def test_a_short_wish_for_patience_is_granted_and_a_long_one_told() -> None:
    asked = Asked(limited(1.2), keys=["k1"])
    began = time.monotonic()
    assert asked() == "given to k1"
    assert time.monotonic() - began >= 1.2
    failure = Asked(limited(MAX_RETRY_AFTER + 1), keys=["k1"]).failure()
    assert failure.retry_after == MAX_RETRY_AFTER + 1


def test_a_refused_key_is_not_asked_again_while_another_stumbles() -> None:
    asked = Asked(REFUSED, BUSY, BUSY)
    assert asked() == "given to k2"
    assert asked.seen == ["k1", "k2", "k2", "k2"]


def test_a_guest_is_told_that_the_key_is_not_his() -> None:
    assert Asked(REFUSED, keys=["k1"]).failure().message == "Poe refused this gateway's own key: no"
    assert Asked(REFUSED, keys=["own"], caller=OWN).failure().message == f"{REFUSED_KEY}no"


def test_who_waits_is_asked_before_each_try_and_during_each_pause() -> None:
    class NobodyWaits(BaseException):
        pass

    asked = Asked(limited(5), keys=["k1"])
    calls = 0

    def on_silence() -> None:
        nonlocal calls
        calls += 1
        if asked.seen:
            raise NobodyWaits

    began = time.monotonic()
    with pytest.raises(NobodyWaits):
        asked(on_silence)
    assert time.monotonic() - began < 2.0
    assert calls == 2
    with pytest.raises(NobodyWaits):
        asked(on_silence)
    assert asked.seen == ["k1"]


def test_the_error_holds_nothing_of_the_request() -> None:
    """A large body would live on in a traceback that its own error refers to."""
    failure = Asked(WRONG).failure()
    assert failure.__cause__ is None
    assert failure.__context__ is None
