"""Several pieces of work at once, for one request that waits for all of them."""

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

T = TypeVar("T")

Check = Callable[[], None]
"""To be called while waiting; raises where nobody wants the result any more."""

Job = Callable[[Check], T]
Source = Callable[[Check], Generator[T]]

_TICK = 0.5


class _Unwanted(BaseException):
    """Ends a job whose result nobody waits for."""


@dataclass(frozen=True, slots=True)
class _Failed:
    error: BaseException


class _End:
    """One source has given all it has."""


def all_of(jobs: Sequence[Job[T]], *, most: int, on_silence: Check, tick: float = _TICK) -> list[T]:
    """The results in the order of their jobs; raises what the first job to fail raises, and lets the others end.

    `on_silence` is called meanwhile, and may raise to give up. A lone job runs right here.
    """
    if len(jobs) == 1:
        return [jobs[0](on_silence)]
    results: dict[int, T] = {}
    sources = [partial(_numbered, place, job) for place, job in enumerate(jobs)]
    with closing(merged(sources, most=most, on_silence=on_silence, tick=tick)) as found:
        for one in found:
            if one is not None:
                results[one[0]] = one[1]
    return [results[place] for place in range(len(jobs))]


def merged(sources: Sequence[Source[T]], *, most: int, on_silence: Check, tick: float = _TICK) -> Generator[T | None]:
    """What the sources give, each thing as it comes; None after each `tick` seconds, of which nothing came.

    At most `most` of them are at work together. What one raises ends all; so does closing this generator, at the next
    moment at which they ask. `on_silence` is as in `all_of`.
    """
    crew = _Crew(sources)
    try:
        yield from crew.work(most, on_silence, tick)
    finally:
        crew.unwanted.set()


def _numbered(place: int, job: Job[T], check: Check) -> Generator[tuple[int, T]]:
    yield place, job(check)


class _Crew(Generic[T]):
    def __init__(self, sources: Sequence[Source[T]]) -> None:
        self.unwanted = threading.Event()
        self._todo = deque(sources)
        self._count = len(sources)
        self._out: queue.SimpleQueue[T | _Failed | _End] = queue.SimpleQueue()

    def work(self, most: int, on_silence: Check, tick: float) -> Generator[T | None]:
        for _ in range(min(most, self._count)):
            threading.Thread(target=self._run, daemon=True).start()
        ended = 0
        while ended < self._count:
            try:
                item = self._out.get(timeout=tick)
            except queue.Empty:
                on_silence()
                yield None
                continue
            if isinstance(item, _Failed):
                raise item.error
            if isinstance(item, _End):
                ended += 1
            else:
                yield item

    def _run(self) -> None:
        while True:
            try:
                source = self._todo.popleft()
            except IndexError:
                return
            try:
                self._check()
                with closing(source(self._check)) as items:
                    for item in items:
                        self._out.put(item)
                self._out.put(_End())
            except _Unwanted:
                return
            except BaseException as error:  # noqa: BLE001 - whoever waits raises it
                self._out.put(_Failed(error))
                return

    def _check(self) -> None:
        if self.unwanted.is_set():
            raise _Unwanted
