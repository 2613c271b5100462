"""Several answers at once, each asked for by a greenlet (or thread) of its own, in one stream."""

import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import closing, suppress

import gevent
from gevent.monkey import is_module_patched

from poe2openai.core.choices import ChoiceBatch
from poe2openai.core.collect import Answer, collect
from poe2openai.core.errors import GatewayError
from poe2openai.core.events import AnswerEvent, Failed
from poe2openai.core.request import ModelRequest
from poe2openai.web.hang_up import Watched
from poe2openai.web.streaming import Answering

MOST_AT_ONCE = 8
"""More than so many queries of one request wait for each other."""

_WAITING_BATCHES = 64  # that the client has not read; a lane waits then, and with it Poe
_TICK_SECONDS = 0.5

Ask = Callable[[ModelRequest, Callable[[], None]], Answering]


def side_by_side(ask: Ask, requests: Sequence[ModelRequest]) -> Answering:
    """Batches are `ChoiceBatch`es, and empty ones where nothing came for a while.

    `ask` is given a function to call while it waits, which raises where nobody wants its answer any more. The first
    error ends them all: `Failed` is the last event. Closing the generator ends the queries.
    """
    lanes = _Lanes(ask, requests)
    try:
        lanes.start()
        while lanes.left:
            batch = lanes.next_batch()
            if batch is None:
                lanes.left -= 1
                continue
            yield batch
            if batch and isinstance(batch[-1], Failed):
                return
    finally:
        lanes.stop()


def collect_all(batches: Answering, count: int, watched: Watched) -> list[Answer]:
    """The whole answers, in the order of their requests; raises the error of the first that fails."""
    events: list[list[list[AnswerEvent]]] = [[] for _ in range(count)]
    with closing(batches):
        for batch in batches:
            watched.check_stop()
            if not batch:
                watched.check()
            elif isinstance(batch, ChoiceBatch):
                events[batch.choice].append(batch)
                if isinstance(failed := batch[-1], Failed):
                    raise failed.error
    return [collect(one) for one in events]


class _Lanes:
    """The queries under way. `left` counts those that have not ended."""

    def __init__(self, ask: Ask, requests: Sequence[ModelRequest]) -> None:
        self._ask = ask
        self._todo = list(enumerate(requests))[::-1]
        self._ready: queue.Queue[ChoiceBatch | BaseException | None] = queue.Queue(_WAITING_BATCHES)
        self._stopped = threading.Event()
        self._greenlets: list[gevent.Greenlet] = []
        self.left = min(len(requests), MOST_AT_ONCE)

    def start(self) -> None:
        for _ in range(self.left):
            if is_module_patched("socket"):
                self._greenlets.append(gevent.spawn(self._run))
            else:
                threading.Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        """Greenlets end at once; a thread does where it next looks."""
        self._stopped.set()
        gevent.killall(self._greenlets, block=False)

    def next_batch(self) -> list[AnswerEvent] | None:
        """None where a lane has ended; raises what a lane fell over that is no error of Poe's."""
        try:
            ready = self._ready.get(timeout=_TICK_SECONDS)
        except queue.Empty:
            return []
        if isinstance(ready, BaseException):
            raise ready
        return ready

    def _run(self) -> None:
        with suppress(gevent.GreenletExit):
            try:
                while self._todo:
                    choice, request = self._todo.pop()
                    self._put_all(choice, request)
                self._put(None)
            except (Exception, gevent.GreenletExit) as error:  # noqa: BLE001 - whoever reads the lanes raises it
                self._put(error)

    def _put_all(self, choice: int, request: ModelRequest) -> None:
        try:
            with closing(self._ask(request, self._check)) as batches:
                for batch in batches:
                    self._put(ChoiceBatch(choice, batch))
        except GatewayError as error:
            self._put(ChoiceBatch(choice, [Failed(error)]))

    def _put(self, item: ChoiceBatch | BaseException | None) -> None:
        while True:
            self._check()
            try:
                self._ready.put(item, timeout=_TICK_SECONDS)
            except queue.Full:
                continue
            return

    def _check(self) -> None:
        if self._stopped.is_set():
            raise gevent.GreenletExit
