"""How often one may call: limits for each caller, then the interval between any two requests, through Flask-Limiter.

Each is an empty function that Flask-Limiter limits; the view passes them once it knows the caller. The interval's
strategy waits in there. The counts live in files that the workers of this machine share, or in Redis.
"""

import hashlib
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from flask import Flask, g
from flask_limiter import Limiter, RateLimitExceeded
from limits.errors import ConfigurationError

from poe2openai.config.settings import Settings, SettingsError
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.gateway.keys import Caller
from poe2openai.web import redis_storage, shared_counts
from poe2openai.web.interval import TURNS
from poe2openai.web.shared_table import private_directory

_SCOPE: Final = "chat"
_BUCKETS_OF_CALLERS: Final = 512
_SECONDS_BETWEEN_WARNINGS: Final = 60.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Gate:
    """One limiter's gate: `enter` raises RateLimitExceeded."""

    limiter: Limiter
    enter: Callable[[], None]
    message: str

    def refusal(self) -> GatewayError | None:
        """Comes back when the request may go on, with None, or at once if it may not. Raises what the storage does."""
        try:
            self.enter()
        except RateLimitExceeded as exceeded:
            seconds = self._seconds_until_room()
            message = f"{self.message.format(limit=exceeded.limit.limit)} Try again in {seconds} s."
            return GatewayError(ErrorKind.RATE_LIMIT, message, retry_after=seconds)
        return None

    def _seconds_until_room(self) -> int:
        limit = self.limiter.current_limit
        return max(1, math.ceil(limit.window.reset_time - time.time())) if limit else 1


class Limits:
    """One a worker."""

    def __init__(self, gates: list[_Gate]) -> None:
        self._gates = gates
        self._next_warning = 0.0

    def wait_turn(self, caller: Caller) -> None:
        """Comes back when the request may start; needs Flask's request context.

        Raises GatewayError(RATE_LIMIT) with the time to try again. A storage that fails lets everybody through: a chat
        is worth more than a count.
        """
        if not self._gates:
            return
        g.limited_caller = caller.id
        for gate in self._gates:
            try:
                refusal = gate.refusal()
            except Exception as problem:  # noqa: BLE001 — each storage has its own types
                self._warn(problem)
                return  # the next gate's storage is the same one: nobody waits for it twice
            if refusal is not None:
                raise refusal

    def _warn(self, problem: Exception) -> None:
        now = time.monotonic()
        if now < self._next_warning:
            return
        self._next_warning = now + _SECONDS_BETWEEN_WARNINGS
        _log.warning("Rate limits are off while their storage fails: %s: %s", type(problem).__name__, problem)


def install(app: Flask, settings: Settings) -> Limits:
    """Raises SettingsError for a storage that cannot be used. With no limit set, nothing is added to the app."""
    gates = []
    if settings.rate_limits:
        gates.append(_callers_gate(app, settings))
    if settings.rate_limit_ms:
        gates.append(_interval_gate(app, settings))
    return Limits(gates)


def _callers_gate(app: Flask, settings: Settings) -> _Gate:
    """Fixed windows, Flask-Limiter's own default: they tell exactly when there is room again."""
    limiter = _limiter(app, settings, "fixed-window", lambda: str(g.limited_caller), _BUCKETS_OF_CALLERS)
    enter = limiter.shared_limit(settings.rate_limits, scope=_SCOPE)(_admit)
    return _Gate(limiter, enter, "Rate limit reached for this key: {limit}.")


def _interval_gate(app: Flask, settings: Settings) -> _Gate:
    limiter = _limiter(app, settings, TURNS, lambda: "all", 1)
    # Flask-Limiter's strings know no milliseconds: n ms each is 1000 in n seconds, which this strategy spaces evenly.
    enter = limiter.shared_limit(f"1000/{settings.rate_limit_ms} seconds", scope=_SCOPE)(_admit)
    return _Gate(limiter, enter, "Too many requests are waiting their turn at this gateway.")


def _admit() -> None:
    """What Flask-Limiter limits."""


def _limiter(app: Flask, settings: Settings, strategy: str, key_func: Callable[[], str], buckets: int) -> Limiter:
    uri, options = _storage(settings, strategy, buckets)
    try:
        return Limiter(
            key_func,
            app=app,
            storage_uri=uri,
            storage_options=options,
            strategy=strategy,
            key_prefix="poe2openai",
            headers_enabled=False,
        )
    except ConfigurationError:
        raise SettingsError("RATELIMIT_STORAGE_URI needs a Python package: pip install redis (or valkey).") from None
    except ValueError:
        raise SettingsError("RATELIMIT_STORAGE_URI is no URL that the Redis client understands.") from None


def _storage(settings: Settings, strategy: str, buckets: int) -> tuple[str, dict[str, str | int]]:
    longest: dict[str, str | int] = {"max_wait_ms": round(settings.rate_limit_max_wait * 1000)}
    scheme = settings.ratelimit_storage_uri.partition("://")[0]
    if scheme in redis_storage.REDIS_SCHEMES:
        return redis_storage.SCHEME + settings.ratelimit_storage_uri, longest
    if scheme not in ("", "memory"):
        raise SettingsError(f"RATELIMIT_STORAGE_URI: {scheme}:// is not supported; redis:// and rediss:// are.")
    path = "" if scheme == "memory" else _shared_file(settings, strategy)
    return f"{shared_counts.SCHEME}://", longest | {"path": path, "buckets": buckets}


def _shared_file(settings: Settings, strategy: str) -> str:
    """The same for all workers of one gateway, another for each gateway of this machine."""
    directory = private_directory()
    if directory is None:
        _log.warning("Rate limits count for each worker by itself: there is no folder for a file that workers share.")
        return ""
    gateway = f"{settings.config_dir.resolve()}\n{settings.host}\n{settings.port}"
    return str(directory / f"{hashlib.sha256(gateway.encode('utf-8', 'surrogateescape')).hexdigest()[:16]}.{strategy}")
