"""What a caller's Poe keys have left, and what they spent: asked of Poe seldom, however often a client asks."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from poe2openai.core.errors import GatewayError
from poe2openai.poe.client import PoeClient

KEPT_SECONDS = 10.0
MAX_KEPT = 256
MAX_PAGES = 10
PAGE = 100
HISTORY_SECONDS = 8.0

Entries = list[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Spent:
    """Entries of Poe's history, the latest first; `is_complete` is false where there are more."""

    entries: Entries
    is_complete: bool


class Balances:
    """One a worker."""

    def __init__(self, poe: PoeClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._poe = poe
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[tuple[Any, ...], tuple[float, Any]] = {}

    def balance(self, keys: Sequence[str]) -> dict[str, Any]:
        """Of all keys together; those that Poe refuses are left out, unless it refuses them all."""
        return self._sum(keys, lambda key: self._remembered(("balance", key), lambda: self._poe.balance(key)))

    def spent(self, keys: Sequence[str], since: float) -> Spent:
        """All since then, in Unix seconds, as far as Poe's history goes and was read."""
        entries: Entries = []
        is_complete = True
        errors: list[GatewayError] = []
        deadline = time.monotonic() + HISTORY_SECONDS
        for key in keys:
            ask = partial(self._history, key, since, deadline)
            try:
                found = self._remembered(("spent", key, since), ask)
            except GatewayError as error:
                errors.append(error)
                continue
            entries += found.entries
            is_complete = is_complete and found.is_complete
        if errors and len(errors) == len(keys):
            raise errors[0]
        return Spent(entries, is_complete)

    def _history(self, key: str, since: float, deadline: float) -> Spent:
        entries: Entries = []
        after: str | None = None
        for _ in range(MAX_PAGES):
            page = self._poe.points_history(key, limit=PAGE, after=after)
            found = [entry for entry in page.get("data", ()) if isinstance(entry, dict)]
            entries += found
            last = found[-1] if found else {}
            at, after = last.get("creation_time"), last.get("query_id")
            if not page.get("has_more") or not isinstance(after, str) or not isinstance(at, int) or at / 1e6 < since:
                return Spent(entries, is_complete=True)
            if time.monotonic() > deadline:
                break
        return Spent(entries, is_complete=False)

    def _sum(self, keys: Sequence[str], ask: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
        total: dict[str, Any] | None = None
        errors: list[GatewayError] = []
        for key in keys:
            try:
                found = ask(key)
            except GatewayError as error:
                errors.append(error)
                continue
            total = dict(found) if total is None else _added(total, found)
        if total is None:
            raise errors[0]
        return total

    def _remembered(self, what: tuple[Any, ...], ask: Callable[[], Any]) -> Any:
        now = self._clock()
        with self._lock:
            kept = self._kept.get(what)
        if kept is not None and kept[0] > now:
            return kept[1]
        found = ask()
        with self._lock:
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            self._kept[what] = (self._clock() + KEPT_SECONDS, found)
        return found


def _added(total: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """Points add up; what else Poe tells of a key is the first key's."""
    return {
        name: value + found[name]
        if name.endswith("balance") and _is_number(value) and _is_number(found.get(name))
        else value
        for name, value in total.items()
    }


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
