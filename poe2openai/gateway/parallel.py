"""Several pieces of work at once, for one request that waits for all of them."""

import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")

Job = Callable[[Callable[[], None]], T]
"""Is given a function to call while it waits, which raises where nobody wants its result any more."""


class _Unwanted(BaseException):
    """Ends a job whose result nobody waits for."""


def all_of(jobs: Sequence[Job[T]], *, most: int, on_silence: Callable[[], None], tick: float = 0.5) -> list[T]:
    """The results in the order of their jobs; raises what the first job to fail raises, and lets the others end.

    `on_silence` is called meanwhile, and may raise to give up. A lone job runs right here.
    """
    if len(jobs) == 1:
        return [jobs[0](on_silence)]
    return _Crew(jobs).work(most, on_silence, tick)


class _Crew(Generic[T]):
    def __init__(self, jobs: Sequence[Job[T]]) -> None:
        self._todo = deque(enumerate(jobs))
        self._count = len(jobs)
        self._done: queue.SimpleQueue[tuple[int, T] | BaseException] = queue.SimpleQueue()
        self._unwanted = threading.Event()

    def work(self, most: int, on_silence: Callable[[], None], tick: float) -> list[T]:
        for _ in range(min(most, self._count)):
            threading.Thread(target=self._run, daemon=True).start()
        results: dict[int, T] = {}
        try:
            while len(results) < self._count:
                try:
                    done = self._done.get(timeout=tick)
                except queue.Empty:
                    on_silence()
                    continue
                if isinstance(done, BaseException):
                    raise done
                results[done[0]] = done[1]
        finally:
            self._unwanted.set()
        return [results[place] for place in range(self._count)]

    def _run(self) -> None:
        while True:
            try:
                place, job = self._todo.popleft()
            except IndexError:
                return
            try:
                self._check()
                self._done.put((place, job(self._check)))
            except _Unwanted:
                return
            except BaseException as error:  # noqa: BLE001 - whoever waits raises it
                self._done.put(error)
                return

    def _check(self) -> None:
        if self._unwanted.is_set():
            raise _Unwanted
