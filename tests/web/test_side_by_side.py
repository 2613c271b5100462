"""Several answers at once: each batch says whose it is, and the first failure, or who leaves, ends them all."""

import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing
from itertools import groupby

import pytest
from gevent import GreenletExit

from poe2openai.core.choices import ChoiceBatch
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.events import AnswerEvent, Failed, Finished, PartDelta, PartFinished, PartStarted, Started
from poe2openai.core.request import ModelRequest
from poe2openai.gateway.record import RequestRecord
from poe2openai.web.hang_up import ClientGone, HangUpWatcher
from poe2openai.web.side_by_side import MOST_AT_ONCE, collect_all, side_by_side
from tests.support.waiting import comes

ERROR = GatewayError(ErrorKind.RATE_LIMIT, "rate limit", retry_after=7.0)
Check = Callable[[], None]
Answer = Callable[[ModelRequest, Check], Generator[list[AnswerEvent]]]


def requests(count: int) -> list[ModelRequest]:
    return [ModelRequest(str(number), ()) for number in range(count)]


def delta(text: str) -> list[AnswerEvent]:
    return [PartDelta(0, text)]


OPENING: list[AnswerEvent] = [Started(), PartStarted(0, "text")]
ENDING: list[AnswerEvent] = [PartFinished(0), Finished("stop")]


class Bots:
    """Answers by the request's name, and how many of them are being given."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.asked = 0
        self.open = 0
        self.most_open = 0
        self._lock = threading.Lock()

    def __call__(self, request: ModelRequest, check: Check) -> Generator[list[AnswerEvent]]:
        with self._lock:
            self.asked += 1
            self.open += 1
            self.most_open = max(self.most_open, self.open)
        return self._answer(request.model)

    def _answer(self, name: str) -> Generator[list[AnswerEvent]]:
        try:
            yield [*OPENING, PartDelta(0, name)]
            while not self.go.wait(0.01):
                yield []
            yield delta("!")
            yield ENDING
        finally:
            with self._lock:
                self.open -= 1


@pytest.fixture
def bots() -> Bots:
    return Bots()


def test_all_answers_are_given_at_once_and_each_keeps_its_order(bots: Bots) -> None:
    said: dict[int, list[AnswerEvent]] = {}
    with closing(side_by_side(bots, requests(5))) as batches:
        for batch in batches:
            if not batch:
                continue
            assert isinstance(batch, ChoiceBatch)
            said.setdefault(batch.choice, []).extend(batch)
            if len(said) == 5:
                bots.go.set()
    assert bots.most_open == 5
    assert said == {number: [*OPENING, PartDelta(0, str(number)), PartDelta(0, "!"), *ENDING] for number in range(5)}


def test_more_than_eight_wait_for_each_other(bots: Bots) -> None:
    bots.go.set()
    answers = collect_all(side_by_side(bots, requests(30)), 30, HangUpWatcher().watch({}))
    assert [answer.text("text") for answer in answers] == [f"{number}!" for number in range(30)]
    assert bots.most_open <= MOST_AT_ONCE


def test_silence_is_told(bots: Bots) -> None:
    def silent(request: ModelRequest, check: Check) -> Generator[list[AnswerEvent]]:
        bots.go.wait(10)
        yield [*OPENING, *ENDING]

    with closing(side_by_side(silent, requests(2))) as batches:
        assert next(batches) == []
        bots.go.set()


def test_an_answer_that_cannot_begin_ends_them_all_with_its_error(bots: Bots) -> None:
    def ask(request: ModelRequest, check: Check) -> Generator[list[AnswerEvent]]:
        if request.model == "2":
            comes(lambda: bots.open == 3)
            raise ERROR
        return bots(request, check)

    *_, last = side_by_side(ask, requests(4))
    assert isinstance(last, ChoiceBatch)
    assert (last.choice, last) == (2, [Failed(ERROR)])
    assert comes(lambda: bots.open == 0)


def test_an_answer_that_breaks_off_ends_them_all(bots: Bots) -> None:
    def ask(request: ModelRequest, check: Check) -> Generator[list[AnswerEvent]]:
        return breaks() if request.model == "0" else bots(request, check)

    def breaks() -> Generator[list[AnswerEvent]]:
        yield [*OPENING, PartDelta(0, "half")]
        yield [Failed(ERROR)]

    *_, last = side_by_side(ask, requests(3))
    assert last == [Failed(ERROR)]
    assert comes(lambda: bots.open == 0)


def test_a_failure_is_what_whole_answers_raise(bots: Bots) -> None:
    def ask(request: ModelRequest, check: Check) -> Generator[list[AnswerEvent]]:
        if request.model == "1":
            raise ERROR
        return bots(request, check)

    with pytest.raises(GatewayError) as caught:
        collect_all(side_by_side(ask, requests(3)), 3, HangUpWatcher().watch({}))
    assert caught.value is ERROR
    assert comes(lambda: bots.open == 0)


def test_closing_ends_all_answers(bots: Bots) -> None:
    batches = side_by_side(bots, requests(3))
    next(batches)
    batches.close()
    assert comes(lambda: bots.open == 0)


def test_an_answer_that_has_not_begun_is_ended_too(bots: Bots) -> None:
    given_up: list[str] = []

    def ask(request: ModelRequest, check: Check) -> Generator[list[AnswerEvent]]:
        if request.model == "0":
            return bots(request, check)
        try:
            while not bots.go.wait(0.01):
                check()
        except GreenletExit:
            given_up.append(request.model)
            raise
        raise AssertionError("nobody ended it")

    batches = side_by_side(ask, requests(3))
    next(batches)
    batches.close()
    assert comes(lambda: sorted(given_up) == ["1", "2"])


def test_whoever_collects_notices_that_the_client_left(bots: Bots) -> None:
    ours, clients = socket.socketpair()
    with ours:
        watched = HangUpWatcher().watch({"werkzeug.socket": ours})
        clients.close()
        with pytest.raises(ClientGone):
            collect_all(side_by_side(bots, requests(3)), 3, watched)
    assert comes(lambda: bots.open == 0)


def test_nothing_is_asked_before_somebody_reads(bots: Bots) -> None:
    side_by_side(bots, requests(3)).close()
    assert bots.asked == 0


def test_a_reader_that_is_slow_holds_the_bots_back() -> None:
    given = 0

    def endless(request: ModelRequest, check: Check) -> Generator[list[AnswerEvent]]:
        nonlocal given
        yield OPENING
        while True:
            given += 1
            yield delta("a")

    with closing(side_by_side(endless, requests(1))) as batches:
        next(batches)
        time.sleep(0.3)
        assert given < 200


def test_an_error_of_our_own_is_the_readers() -> None:
    def ask(request: ModelRequest, check: Check) -> Generator[list[AnswerEvent]]:
        raise ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError):
        list(side_by_side(ask, requests(2)))


def test_who_finds_that_the_client_left_tells_the_reader(bots: Bots) -> None:
    class Gone(GreenletExit):  # type: ignore[misc]
        pass

    def ask(request: ModelRequest, check: Check) -> Generator[list[AnswerEvent]]:
        if request.model == "1":
            raise Gone
        return bots(request, check)

    with pytest.raises(Gone):
        list(side_by_side(ask, requests(3)))
    assert comes(lambda: bots.open == 0)


def test_no_thread_dies_with_a_traceback(bots: Bots, capfd: pytest.CaptureFixture[str]) -> None:
    def ask(request: ModelRequest, check: Check) -> Generator[list[AnswerEvent]]:
        return falls_over() if request.model == "0" else bots(request, check)

    def falls_over() -> Generator[list[AnswerEvent]]:
        try:
            while True:
                yield OPENING
        finally:
            raise ZeroDivisionError("a bug")

    before = threading.active_count()
    batches = side_by_side(ask, requests(3))
    next(batches)
    batches.close()
    assert comes(lambda: bots.open == 0)
    assert comes(lambda: threading.active_count() <= before)
    assert "Traceback" not in capfd.readouterr().err


UNDER_GEVENT = textwrap.dedent(
    """
    from gevent import monkey
    monkey.patch_all()
    import time, gevent
    from poe2openai.core.events import Finished, PartDelta, PartFinished, PartStarted, Started
    from poe2openai.core.request import ModelRequest
    from poe2openai.web.hang_up import ClientGone
    from poe2openai.web.side_by_side import side_by_side

    ended = []

    def ask(request, check):
        if request.model == "2":
            try:
                gevent.sleep(30)
            finally:
                ended.append(request.model)
        return answer(request.model)

    def answer(name):
        try:
            yield [Started(), PartStarted(0, "text"), PartDelta(0, name)]
            gevent.sleep(30)
        finally:
            ended.append(name)

    def read():
        for batch in side_by_side(ask, [ModelRequest(str(number), ()) for number in range(3)]):
            seen.append(batch)

    for how in (ClientGone, gevent.GreenletExit):
        ended.clear()
        seen = []
        reader = gevent.spawn(read)
        gevent.sleep(0.1)
        assert sorted(batch.choice for batch in seen) == [0, 1], seen
        began = time.monotonic()
        gevent.kill(reader, how)
        while len(ended) < 3 and time.monotonic() - began < 2:
            gevent.sleep(0.01)
        assert sorted(ended) == ["0", "1", "2"], ended
        assert time.monotonic() - began < 0.5
    print("as it should be")
    """
)


def test_greenlets_end_at_once_when_their_reader_does() -> None:
    run = subprocess.run([sys.executable, "-c", UNDER_GEVENT], check=False, capture_output=True, text=True, timeout=30)
    assert (run.stdout, run.stderr) == ("as it should be\n", "")


def test_answers_that_flow_at_one_speed_are_interleaved() -> None:
    def slowly(request: ModelRequest, check: Check) -> Generator[list[AnswerEvent]]:
        yield OPENING
        for _ in range(10):
            time.sleep(0.02)
            yield delta("a")
        yield ENDING

    order = [batch.choice for batch in side_by_side(slowly, requests(2)) if isinstance(batch, ChoiceBatch)]
    assert len(list(groupby(order))) > 6


def test_whoever_collects_notices_that_the_owner_stops_it_though_all_flow() -> None:
    watcher = HangUpWatcher()
    watched = watcher.watch({}, RequestRecord("req_1"))
    read = 0

    def endless(request: ModelRequest, check: Check) -> Generator[list[AnswerEvent]]:
        nonlocal read
        yield OPENING
        while True:
            read += 1
            if read == 500:
                watcher.stop("req_1")
            yield delta("x")

    with pytest.raises(GatewayError, match="owner stopped"):
        collect_all(side_by_side(endless, requests(2)), 2, watched)
    before = read
    time.sleep(0.8)
    assert read - before < 500, "the lanes go on"
