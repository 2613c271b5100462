"""Several jobs at once: their order, how many at a time, and what becomes of the others when one fails."""

import threading
import time
from collections.abc import Callable

import pytest

from poe2openai.gateway.parallel import all_of
from tests.support.waiting import comes

OnSilence = Callable[[], None]


def nothing() -> None:
    pass


class NobodyWaits(BaseException):
    pass


class Crowd:
    """Jobs that take a moment; `most` is how many were at work together."""

    def __init__(self, seconds: float = 0.05) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._now = 0
        self.most = 0
        self.begun: list[int] = []
        self.given_up: list[int] = []

    def job(self, number: int) -> Callable[[OnSilence], int]:
        def work(on_silence: OnSilence) -> int:
            with self._lock:
                self._now += 1
                self.most = max(self.most, self._now)
                self.begun.append(number)
            try:
                end = time.monotonic() + self._seconds
                while time.monotonic() < end:
                    time.sleep(0.01)
                    on_silence()
                return number
            except BaseException:
                self.given_up.append(number)
                raise
            finally:
                with self._lock:
                    self._now -= 1

        return work


@pytest.mark.parametrize("count", [0, 1, 2, 3, 10])
def test_the_results_have_the_order_of_their_jobs(count: int) -> None:
    crowd = Crowd()
    assert all_of([crowd.job(number) for number in range(count)], most=3, on_silence=nothing) == list(range(count))
    assert crowd.most == min(3, count)


def test_a_slow_job_does_not_hold_up_the_next_ones() -> None:
    slow, quick = Crowd(0.5), Crowd(0.05)
    began = time.monotonic()
    assert all_of([slow.job(0), *map(quick.job, range(1, 6))], most=2, on_silence=nothing) == [0, 1, 2, 3, 4, 5]
    assert time.monotonic() - began < 0.7


def test_the_first_failure_is_raised_and_ends_the_others() -> None:
    crowd = Crowd(5.0)

    def fails(on_silence: OnSilence) -> int:
        time.sleep(0.1)
        raise ValueError("this one")

    began = time.monotonic()
    with pytest.raises(ValueError, match="this one"):
        all_of([crowd.job(0), fails, crowd.job(2), crowd.job(3)], most=3, on_silence=nothing)
    assert time.monotonic() - began < 2.0
    assert comes(lambda: sorted(crowd.given_up) == [0, 2])
    assert 3 not in crowd.begun


def test_after_a_failure_no_other_job_begins() -> None:
    begun: list[str] = []
    over = threading.Event()

    def fails(on_silence: OnSilence) -> None:
        raise ValueError("this one")

    def deaf(on_silence: OnSilence) -> None:
        time.sleep(0.2)
        over.set()

    def last(on_silence: OnSilence) -> None:
        begun.append("last")

    with pytest.raises(ValueError, match="this one"):
        all_of([fails, deaf, last], most=2, on_silence=nothing)
    assert over.wait(3)
    time.sleep(0.1)
    assert not begun


def test_whoever_waits_may_give_up_which_ends_all_jobs() -> None:
    crowd = Crowd(5.0)

    def on_silence() -> None:
        raise NobodyWaits

    with pytest.raises(NobodyWaits):
        all_of([crowd.job(0), crowd.job(1)], most=2, on_silence=on_silence, tick=0.05)
    assert comes(lambda: sorted(crowd.given_up) == [0, 1])


def test_a_lone_job_runs_in_its_callers_thread_and_asks_its_caller() -> None:
    threads: list[threading.Thread] = []

    def job(on_silence: OnSilence) -> str:
        threads.append(threading.current_thread())
        on_silence()
        return "unreachable"

    def on_silence() -> None:
        raise NobodyWaits

    with pytest.raises(NobodyWaits):
        all_of([job], most=4, on_silence=on_silence)
    assert threads == [threading.current_thread()]
