"""Waiting for what happens in other threads, with an end."""

import time
from collections.abc import Callable


def comes(check: Callable[[], bool], within: float = 3.0) -> bool:
    """Whether `check` becomes true in time."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if check():
            return True
        time.sleep(0.01)
    return check()
