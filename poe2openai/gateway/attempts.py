"""Something asked of Poe with the keys in turn, and again while it may fare better a moment later."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.gateway.keys import Caller, KeyRing
from poe2openai.poe.errors import REFUSED_KEY, is_retryable

T = TypeVar("T")

MAX_RETRIES = 2
MAX_RETRY_AFTER = 10.0
_LONGEST_SLEEP = 0.5  # seconds, so that who waits meanwhile is asked
_BACKOFF_SECONDS = (0.3, 1.0)
_KEY_FAILURES = (ErrorKind.AUTHENTICATION, ErrorKind.INSUFFICIENT_QUOTA, ErrorKind.RATE_LIMIT)


@dataclass(frozen=True, slots=True)
class Waiting:
    """How Poe's first event is waited for.

    `until`, in seconds of the monotonic clock, is when a client that streams is to hear a ping, None where no ping
    helps; `on_silence` is called at each tick, and may raise to give up.
    """

    until: float | None = None
    on_silence: Callable[[], None] = lambda: None


def attempt(
    ask: Callable[[str], T], *, keys: Sequence[str], ring: KeyRing, caller: Caller, on_silence: Callable[[], None]
) -> T:
    """What `ask` gives for a key: the next one after a key's failure, the same question again after a passing fault."""
    left = list(keys)
    retries = 0
    while True:
        key, *others = left
        on_silence()
        try:
            return ask(key)
        except GatewayError as error:
            ring.report(key, error)
            if others and error.kind in _KEY_FAILURES:
                left = others
                continue
            if retries >= MAX_RETRIES or not _may_pass(error):
                # Without a cause: the error would be its own, and hold the request's body until it is collected.
                raise _as_seen_by(caller, error) from None
            _pause(_delay(error, retries), on_silence)
            retries += 1
            left = [*others, key]


def _pause(seconds: float, on_silence: Callable[[], None]) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, _LONGEST_SLEEP))
        on_silence()


def _may_pass(error: GatewayError) -> bool:
    """Whether the same query may fare better a moment later."""
    if error.retry_after is not None and error.retry_after > MAX_RETRY_AFTER:
        return False
    return is_retryable(error)


def _delay(error: GatewayError, retries: int) -> float:
    """Seconds to wait, jittered so that requests that failed together do not come back together."""
    asked = error.retry_after or 0.0
    return max(asked, _BACKOFF_SECONDS[retries] * random.uniform(0.5, 1.5))


def _as_seen_by(caller: Caller, error: GatewayError) -> GatewayError:
    """A client that presented an access token has no Poe key to mend: it is told whose key was refused."""
    if caller.poe_key is not None or error.kind is not ErrorKind.AUTHENTICATION:
        return error
    message = f"Poe refused this gateway's own key: {error.message.removeprefix(REFUSED_KEY)}"
    return GatewayError(error.kind, message, upstream_status=error.upstream_status)
