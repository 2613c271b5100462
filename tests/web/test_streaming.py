"""What a streamed answer's body does: when it begins, pings, breaks off and ends."""

import itertools
from collections.abc import Generator
from functools import partial

import pytest

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.events import AnswerEvent, Failed, Finished, PartDelta, PartFinished, PartStarted, Started
from poe2openai.gateway.record import RequestRecord
from poe2openai.web.hang_up import ClientGone, HangUpWatcher
from poe2openai.web.streaming import PING, AnswerBrokeOff, next_ping, stream_answer, whole_answer

ERROR = GatewayError(ErrorKind.UPSTREAM_CUT_OFF, "cut off")
OPENING: list[AnswerEvent] = [Started(), PartStarted(0, "text"), PartDelta(0, "a")]
ENDING: list[AnswerEvent] = [PartFinished(0), Finished("stop")]


class Names:
    """An encoder that writes the names of events."""

    def encode(self, batch: list[AnswerEvent]) -> bytes:
        return " ".join(type(event).__name__ for event in batch).encode()


class Source:
    """An answer, and what became of it."""

    def __init__(self, *batches: list[AnswerEvent]) -> None:
        self._batches = batches
        self.closed = 0
        self.ended = 0
        self.record = RequestRecord("req_1")

    def generate(self) -> Generator[list[AnswerEvent]]:
        try:
            yield from self._batches
        finally:
            self.closed += 1

    def body(
        self,
        ping_seconds: float = 60.0,
        encoder: Names | None = None,
        batches: Generator[list[AnswerEvent]] | None = None,
    ) -> "Generator[bytes]":
        watched = HangUpWatcher().watch({})
        response = stream_answer(
            batches or self.generate(),
            encoder or Names(),
            ping_due=next_ping(ping_seconds),
            ping_seconds=ping_seconds,
            watched=watched,
            record=self.record,
            on_close=self._end,
        )
        assert response.headers["X-Accel-Buffering"] == "no"
        self.response = response
        return iter(response.response)  # type: ignore[arg-type, return-value]

    def _end(self) -> None:
        self.ended += 1


def test_an_answer_goes_out_batch_by_batch() -> None:
    source = Source(OPENING, [], [PartDelta(0, "b")], ENDING)
    assert list(source.body()) == [b"Started PartStarted PartDelta", b"PartDelta", b"PartFinished Finished"]
    source.response.close()
    assert (source.closed, source.ended, source.record.hung_up) == (1, 1, False)
    assert source.record.output_bytes == len(b"Started PartStarted PartDelta" + b"PartDelta" + b"PartFinished Finished")


def test_silence_is_filled_with_pings() -> None:
    source = Source(OPENING, [], [], ENDING)
    assert list(source.body(ping_seconds=0.0))[1:3] == [PING, PING]


def test_silence_before_the_first_event_opens_the_stream_with_a_ping() -> None:
    source = Source([], OPENING, ENDING)
    assert next(source.body(ping_seconds=0.0)) == PING


@pytest.mark.parametrize("before", [[], [Started()]])
def test_an_answer_that_fails_first_raises_so_that_its_status_stays_true(before: list[AnswerEvent]) -> None:
    with pytest.raises(GatewayError) as caught:
        Source([], [*before, Failed(ERROR)]).body()
    assert caught.value is ERROR


@pytest.mark.parametrize("batches", [[OPENING, [Failed(ERROR)]], [[*OPENING, Failed(ERROR)]]])
def test_an_answer_that_fails_later_says_so_and_ends_the_connection(batches: list[list[AnswerEvent]]) -> None:
    body = Source(*batches).body()
    said = b"".join(itertools.islice(body, len(batches)))
    assert said.endswith(b"Failed")
    with pytest.raises(AnswerBrokeOff):
        next(body)


def test_a_body_that_is_closed_closes_the_answer_and_tells_of_the_hang_up() -> None:
    source = Source(OPENING, ENDING)
    next(source.body())
    source.response.close()
    source.response.close()
    assert (source.closed, source.ended, source.record.hung_up) == (1, 1, True)


def test_a_body_that_nobody_read_closes_the_answer_too() -> None:
    source = Source(OPENING, ENDING)
    source.body()
    source.response.close()
    assert (source.closed, source.ended) == (1, 1)


def test_an_answer_that_notices_a_hang_up_ends_quietly() -> None:
    def generate() -> Generator[list[AnswerEvent]]:
        yield OPENING
        raise ClientGone

    source = Source()
    assert list(source.body(batches=generate())) == [b"Started PartStarted PartDelta"]
    source.response.close()
    assert (source.ended, source.record.hung_up) == (1, True)


def test_a_whole_answer_is_folded() -> None:
    answer = whole_answer(Source([], OPENING, ENDING).generate(), HangUpWatcher().watch({}))
    assert answer.text("text") == "a"


def test_an_error_of_our_own_is_told_to_the_client_and_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    class Breaks(Names):
        def encode(self, batch: list[AnswerEvent]) -> bytes:
            if any(isinstance(event, PartDelta) and event.text == "b" for event in batch):
                raise TypeError("a bug")
            return super().encode(batch)

    source = Source(OPENING, [PartDelta(0, "b")], ENDING)
    body = source.body(encoder=Breaks())
    assert list(itertools.islice(body, 2)) == [b"Started PartStarted PartDelta", b"Failed"]
    with pytest.raises(AnswerBrokeOff):
        next(body)
    source.response.close()
    assert (source.record.error, source.record.hung_up) == ("internal_error", False)
    assert "a bug" in caplog.text


@pytest.mark.parametrize("streamed", [True, False])
def test_a_failed_answer_is_closed_and_not_left_to_the_collector(streamed: bool) -> None:
    source = Source([], [Started(), Failed(ERROR)])
    batches = source.generate()
    answer = source.body if streamed else partial(whole_answer, watched=HangUpWatcher().watch({}))
    with pytest.raises(GatewayError) as caught:
        answer(batches=batches)
    assert source.closed == 1
    assert caught.value is ERROR


class TestStopped:
    """By the gateway's owner."""

    def stopped_after(self, source: Source, chunks: int) -> tuple[list[bytes], bool]:
        """What goes out once the owner stops it after so many chunks, and whether it breaks off."""
        watcher = HangUpWatcher()
        watched = watcher.watch({}, source.record)
        response = stream_answer(
            source.generate(),
            Names(),
            ping_due=next_ping(60),
            ping_seconds=60,
            watched=watched,
            record=source.record,
            on_close=lambda: None,
        )
        body: Generator[bytes] = iter(response.response)  # type: ignore[arg-type]
        said = list(itertools.islice(body, chunks))
        assert watcher.stop("req_1")
        try:
            for chunk in body:
                said.append(chunk)  # noqa: PERF402 - what came before an exception is to be kept
        except AnswerBrokeOff:
            return said, True
        finally:
            response.close()
        return said, False

    @pytest.mark.parametrize("rest", [[[PartDelta(0, "b")], [PartDelta(0, "c")], ENDING], [[], [], []]])
    def test_a_stream_says_so_and_breaks_off(self, rest: list[list[AnswerEvent]]) -> None:
        source = Source(OPENING, *rest)
        assert self.stopped_after(source, 1) == ([b"Started PartStarted PartDelta", b"Failed"], True)
        assert (source.record.error, source.record.hung_up, source.closed) == ("stopped_by_owner", False, 1)

    def test_one_that_nobody_read_on_is_told_in_the_record(self) -> None:
        source = Source(OPENING, ENDING)
        watcher = HangUpWatcher()
        response = stream_answer(
            source.generate(),
            Names(),
            ping_due=next_ping(60),
            ping_seconds=60,
            watched=watcher.watch({}, source.record),
            record=source.record,
            on_close=lambda: None,
        )
        watcher.stop("req_1")
        response.close()
        assert (source.record.error, source.record.hung_up) == ("stopped_by_owner", False)

    @pytest.mark.parametrize("batches", [[OPENING, ENDING], [[], [], OPENING, ENDING]])
    def test_a_whole_answer_raises(self, batches: list[list[AnswerEvent]]) -> None:
        source, watcher = Source(*batches), HangUpWatcher()
        watched = watcher.watch({}, source.record)
        watcher.stop("req_1")
        with pytest.raises(GatewayError, match="owner stopped"):
            whole_answer(source.generate(), watched)
        assert source.closed == 1
