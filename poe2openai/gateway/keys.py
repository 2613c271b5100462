"""Which Poe key serves a caller: the caller's own, or the gateway's keys in turn."""

import hashlib
import hmac
import logging
import math
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from poe2openai.core.errors import ErrorKind, GatewayError

LONGEST_CREDENTIAL: Final = 4096
REST_SECONDS: Final = {
    ErrorKind.AUTHENTICATION: 600.0,
    ErrorKind.INSUFFICIENT_QUOTA: 600.0,
    ErrorKind.RATE_LIMIT: 30.0,
}
LONGEST_REST_SECONDS: Final = 3600.0

SHORTEST_SHOWN: Final = 16
HIDDEN: Final = "••••"

_WELL_FORMED = re.compile(r"[!-~]+")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `id` is for logs and limits and does not lead back to the credential.

    `poe_key` is the caller's own Poe key; None means that the gateway's keys serve.
    """

    id: str
    poe_key: str | None = field(repr=False)
    credential: str = field(default="", repr=False)

    @property
    def account(self) -> str:
        """Whose files and videos they are: the whole digest, the same whatever the gateway's other keys are."""
        return hashlib.sha256(b"poe2openai account\0" + (self.credential or self.id).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class KeyState:
    """One of the gateway's Poe keys as the owner may see it; `position` counts from 1.

    `resting` is the seconds until it is in its turn again, `error` what it last rested for, `error_age` seconds ago.
    """

    position: int
    masked: str
    resting: float | None
    error: ErrorKind | None
    error_age: float | None


class KeyRing:
    """The gateway's Poe keys and the access tokens that they serve. One a worker; threads may share it.

    A client whose credential equals one of the gateway's keys is a client with a key of its own.
    """

    def __init__(
        self,
        poe_keys: Sequence[str],
        access_tokens: Sequence[str],
        allow_client_keys: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys = list(dict.fromkeys(poe_keys))
        self._allow_client_keys = allow_client_keys
        self._clock = clock
        self._salt = _salt(self._keys, access_tokens)
        self._tokens = [self._digest(token) for token in dict.fromkeys(access_tokens)]
        self._lock = threading.Lock()
        self._turn = 0
        self._back_at: dict[str, float] = {}
        self._last_error: dict[str, tuple[ErrorKind, float]] = {}
        self._warn_of_a_ring_that_serves_nobody()

    def identify(self, credential: str | None) -> Caller:
        """The caller behind a credential as it stood in the request. Raises GatewayError(AUTHENTICATION)."""
        if not credential:
            raise _refused(f"No API key was given. Send {self._wanted()} as 'Authorization: Bearer <key>'.")
        if len(credential) > LONGEST_CREDENTIAL or not _WELL_FORMED.fullmatch(credential):
            raise _refused(
                f"The API key is malformed: it must be printable ASCII without spaces, "
                f"{LONGEST_CREDENTIAL} characters at most."
            )
        digest = self._digest(credential)
        if self._is_token(digest):
            if not self._keys:
                raise _refused("This access token has no Poe key behind it: POE_API_KEYS is not set on the gateway.")
            return Caller(_token_id(digest), None, credential)
        if not self._allow_client_keys:
            raise _refused("The access token is unknown, and this gateway takes no Poe keys from clients.")
        return Caller(f"key-{digest.hex()[:8]}", credential, credential)

    def keys_for(self, caller: Caller) -> list[str]:
        """The keys to try, in order: those that rest come last, the one that is back soonest first."""
        if caller.poe_key is not None:
            return [caller.poe_key]
        with self._lock:
            turn, self._turn = self._turn, self._turn + 1
            awake, resting = self._awake_and_resting()
        # The turn goes round the keys that are awake: a key behind one that rests gets no double share.
        first = turn % len(awake) if awake else 0
        return awake[first:] + awake[:first] + resting

    def report(self, key: str, error: GatewayError) -> None:
        """Rests a key that Poe refuses, that has no points or that is rate limited; other errors say nothing of it."""
        seconds = REST_SECONDS.get(error.kind)
        if seconds is None or key not in self._keys:
            return
        if error.kind is ErrorKind.RATE_LIMIT and error.retry_after is not None and math.isfinite(error.retry_after):
            seconds = min(max(error.retry_after, 1.0), LONGEST_REST_SECONDS)
        with self._lock:
            now = self._clock()
            self._back_at[key] = max(now + seconds, self._back_at.get(key, 0.0))
            self._last_error[key] = (error.kind, now)
        _log.warning(
            "Poe key %s of %s rests for %d s: %s", self._keys.index(key) + 1, len(self._keys), seconds, error.kind.code
        )

    def report_success(self, key: str) -> None:
        if self._back_at:
            with self._lock:
                self._back_at.pop(key, None)

    def states(self) -> list[KeyState]:
        """How each key fares, in the order of POE_API_KEYS, as far as this worker has seen."""
        with self._lock:
            now = self._clock()
            return [self._state(position, key, now) for position, key in enumerate(self._keys, 1)]

    def poe_keys(self) -> list[str]:
        """The keys themselves, in the order of POE_API_KEYS: for Poe, and for nobody else."""
        return list(self._keys)

    def token_id(self, token: str) -> str:
        """The `id` of the callers that send this token."""
        return _token_id(self._digest(token))

    def _state(self, position: int, key: str, now: float) -> KeyState:
        back_at = self._back_at.get(key, now)
        error, at = self._last_error.get(key, (None, now))
        return KeyState(
            position,
            masked(key),
            resting=back_at - now if back_at > now else None,
            error=error,
            error_age=now - at if error is not None else None,
        )

    def _awake_and_resting(self) -> tuple[list[str], list[str]]:
        if not self._back_at:
            return self._keys, []
        now = self._clock()
        self._back_at = {key: back_at for key, back_at in self._back_at.items() if back_at > now}
        awake = [key for key in self._keys if key not in self._back_at]
        return awake, sorted(self._back_at, key=self._back_at.__getitem__)

    def _is_token(self, digest: bytes) -> bool:
        """Digests are compared, so that time tells neither the length; each token is, so that it tells no position."""
        found = False
        for token in self._tokens:
            found |= hmac.compare_digest(token, digest)
        return found

    def _digest(self, credential: str) -> bytes:
        # Keyed, as HMAC is, and a tenth of its cost, which every request bears.
        return hashlib.blake2s(credential.encode("utf-8"), key=self._salt).digest()

    def _wanted(self) -> str:
        if not self._tokens:
            return "your Poe API key"
        return "your Poe API key or an access token" if self._allow_client_keys else "your access token"

    def _warn_of_a_ring_that_serves_nobody(self) -> None:
        if self._keys and not self._tokens:
            _log.warning("POE_API_KEYS serve nobody: ACCESS_TOKENS is not set. Clients need Poe keys of their own.")
        if self._tokens and not self._keys:
            _log.warning("ACCESS_TOKENS are of no use: POE_API_KEYS is not set.")
        if not self._allow_client_keys and not (self._keys and self._tokens):
            _log.warning("Nobody can call: ALLOW_CLIENT_KEYS is off, and ACCESS_TOKENS with POE_API_KEYS are not set.")


def masked(credential: str) -> str:
    """Enough to tell it from others, too little to use; nothing at all of a short one."""
    return f"{credential[:3]}…{credential[-4:]}" if len(credential) >= SHORTEST_SHOWN else HIDDEN


def _token_id(digest: bytes) -> str:
    return f"token-{digest.hex()[:8]}"


def _salt(poe_keys: Sequence[str], access_tokens: Sequence[str]) -> bytes:
    """The same in all workers; made of the gateway's secrets, so that a guess at a token cannot be checked by a log."""
    secrets = "\0".join(["poe2openai caller", *sorted(poe_keys), "", *sorted(access_tokens)])
    return hashlib.sha256(secrets.encode("utf-8")).digest()


def _refused(message: str) -> GatewayError:
    return GatewayError(ErrorKind.AUTHENTICATION, message)
