"""Films in the background: what is told of each until it is done, failed, deleted, or lost with its worker."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.events import MadeFile
from poe2openai.core.request import ModelRequest
from poe2openai.gateway.exchange import Exchange
from poe2openai.gateway.keys import Caller
from poe2openai.gateway.making import Making
from poe2openai.gateway.record import RequestRecord
from poe2openai.gateway.tokens import tokenizer
from poe2openai.gateway.tool_ways import ToolWays
from poe2openai.gateway.upstream import Upstreams
from poe2openai.gateway.videos import KEPT_SECONDS, LOST_SECONDS, Videos, Wish
from poe2openai.store.database import Database
from poe2openai.store.videos import VideoJobs
from tests.support.asking import asked, route
from tests.support.attaching import OWN, Worker, client_of
from tests.support.poe_script import Step, done, error, file, hold, pause, replace, text
from tests.support.received import Received
from tests.support.scripted_poe import ScriptedPoe
from tests.support.waiting import comes

FILM = "https://pfst.cf2.poecdn.net/film.mp4"
OTHER = Caller("key-2", "other-key")


class Studio:
    """Films told by one worker, each of a bot of its own; the storage's clock goes `slow` seconds behind."""

    def __init__(self, poe: ScriptedPoe, making: Making, folder: Path) -> None:
        self.poe = poe
        self.slow = 0.0
        self.records: list[RequestRecord] = []
        self.started = 0
        self._database = Database(folder / "videos.db", lambda work: work())
        self._making = making
        self.videos = self.worker()

    def worker(self) -> Videos:
        """Another one, with the same storage."""
        clock = lambda: time.time() - self.slow  # noqa: E731 - read at each look
        return Videos(self._making, VideoJobs(self._database, kept_seconds=KEPT_SECONDS, clock=clock))

    def start(
        self,
        *script: Step | Sequence[Step],
        caller: Caller = OWN.caller,
        wish: Wish | None = None,
        request: ModelRequest | None = None,
    ) -> str:
        self.started += 1
        self.poe.script(self.bot, *script)
        video = self.videos.start(
            request or asked(),
            route(self.bot),
            caller,
            RequestRecord("req_1"),
            wish=wish or Wish("a cat", None, None),
            on_end=self.records.append,
        )
        return str(video["id"])

    @property
    def bot(self) -> str:
        """Of the last film."""
        return f"bot-{self.started}"

    def query(self) -> Received:
        return self.poe.wait_query(self.bot)

    def find(self, video_id: str) -> dict[str, Any]:
        return self.videos.find(OWN.caller, video_id)

    def end(self, video_id: str) -> dict[str, Any]:
        assert comes(lambda: bool(self.records))
        return self.find(video_id)


@pytest.fixture
def studio(poe: ScriptedPoe, tmp_path: Path) -> Iterator[Studio]:
    with client_of(poe.url) as client:
        worker = Worker(client, tmp_path)
        ways = ToolWays("auto", "auto", time.monotonic)
        exchange = Exchange(Upstreams(client, worker.keys), worker.attachments, tokenizer(), ways)
        studio = Studio(poe, Making(exchange, worker.files), tmp_path)
        yield studio
        # Nobody is to be asked once the next test has begun.
        poe.reset()
        assert comes(lambda: len(studio.records) == studio.started, 5.0)


def failure(act: Callable[[], object]) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        act()
    return caught.value


def test_a_film_from_wish_to_end(studio: Studio) -> None:
    video_id = studio.start(
        pause(0.2), file(FILM, "video/mp4", "film.mp4"), done(), wish=Wish("a cat", "720x1280", "8")
    )
    first = studio.find(video_id)
    assert first["status"] in ("queued", "in_progress")
    assert (first["object"], first["model"], first["prompt"]) == ("video", "bot", "a cat")
    assert (first["size"], first["seconds"], first["progress"]) == ("720x1280", "8", 0)
    assert first["expires_at"] - first["created_at"] == KEPT_SECONDS

    last = studio.end(video_id)
    assert (last["status"], last["progress"], last["error"]) == ("completed", 100, None)
    assert last["completed_at"] >= last["created_at"] == first["created_at"]
    assert studio.videos.file(OWN.caller, video_id) == MadeFile(FILM, "video/mp4", "film.mp4")
    (record,) = studio.records
    assert (record.reason, record.error, record.attempts) == ("stop", "", 1)


def test_every_worker_tells_of_it(studio: Studio) -> None:
    video_id = studio.start(file(FILM, "video/mp4"), done())
    studio.end(video_id)
    other = studio.worker()
    assert other.find(OWN.caller, video_id) == studio.find(video_id)
    assert other.file(OWN.caller, video_id).url == FILM
    other.delete(OWN.caller, video_id)
    assert failure(lambda: studio.find(video_id)).kind is ErrorKind.NOT_FOUND


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [
        ([text("I cannot film this."), done()], "no_file_in_answer", "I cannot film this."),
        ([file("https://pfst.cf2.poecdn.net/x.png"), done()], "no_file_in_answer", "image/png"),
        ([replace("Generating (1s elapsed)"), error("It was moderated.")], "invalid_request", "It was moderated."),
        ([error("Not enough points", "insufficient_fund")], "insufficient_quota", "points"),
    ],
)
def test_a_failure_says_why(studio: Studio, script: list[Step], code: str, said: str) -> None:
    video_id = studio.start(*script)
    video = studio.end(video_id)
    assert (video["status"], video["error"]["code"]) == ("failed", code)
    assert said in video["error"]["message"]
    assert studio.records[0].error == code
    refused = failure(lambda: studio.videos.file(OWN.caller, video_id))
    assert refused.kind is ErrorKind.NO_FILE
    assert said in refused.message


def test_there_is_no_file_before_the_end(studio: Studio) -> None:
    video_id = studio.start(hold())
    refused = failure(lambda: studio.videos.file(OWN.caller, video_id))
    assert (refused.kind, refused.kind.status) == (ErrorKind.INVALID_REQUEST, 400)
    assert "not done" in refused.message


def test_each_callers_own_the_latest_first(studio: Studio) -> None:
    made = [studio.start(file(FILM, "video/mp4"), done()) for _ in range(3)]
    assert [video["id"] for video in studio.videos.all(OWN.caller)] == made[::-1]
    assert studio.videos.all(OTHER) == []
    for ask in (studio.videos.find, studio.videos.file, studio.videos.delete):
        refused = failure(partial(ask, OTHER, made[0]))
        assert (refused.kind, made[0] in refused.message) == (ErrorKind.NOT_FOUND, True)
    assert comes(lambda: len(studio.records) == 3)


def test_a_deleted_one_is_given_up(studio: Studio) -> None:
    progress: list[list[Step]] = [[replace(f"Generating ({number}%)"), pause(0.2)] for number in range(1, 40)]
    video_id = studio.start(*progress)
    query = studio.query()
    studio.videos.delete(OWN.caller, video_id)
    assert query.hung_up_after(time.monotonic()) < 3
    assert comes(lambda: bool(studio.records))
    assert (studio.records[0].notes, studio.records[0].error) == (["deleted"], "")
    assert studio.videos.all(OWN.caller) == []


def test_one_whose_worker_is_gone_is_told_as_failed(studio: Studio) -> None:
    studio.slow = LOST_SECONDS - 10
    video_id = studio.start(hold())
    studio.query()
    assert studio.find(video_id)["status"] == "in_progress"

    studio.slow = LOST_SECONDS + 1
    video_id = studio.start(hold())
    studio.query()
    lost = studio.find(video_id)
    assert (lost["status"], lost["error"]["code"]) == ("failed", "interrupted")
    assert "again" in lost["error"]["message"]
    assert [video["status"] for video in studio.videos.all(OWN.caller) if video["id"] == video_id] == ["failed"]


def test_a_lost_one_has_no_file_and_says_so(studio: Studio) -> None:
    studio.slow = LOST_SECONDS + 1
    video_id = studio.start(hold())
    refused = failure(lambda: studio.videos.file(OWN.caller, video_id))
    assert refused.kind is ErrorKind.NO_FILE
    assert "restarted" in refused.message


def test_what_is_done_is_never_lost(studio: Studio) -> None:
    studio.slow = LOST_SECONDS * 10
    video_id = studio.start(file(FILM, "video/mp4"), done())
    assert studio.end(video_id)["status"] == "completed"


def test_progress_never_goes_back(studio: Studio) -> None:
    said = [replace(f"Generating ({percent}%)") for percent in (40, 60, 20)]
    video_id = studio.start(*said, pause(0.1), text("Sorry."), done())
    assert studio.end(video_id)["progress"] == 60


def test_a_fault_of_the_gateway_is_told_without_its_words(studio: Studio, caplog: pytest.LogCaptureFixture) -> None:
    """Here: a request that cannot be written as JSON."""
    video = studio.end(studio.start(request=asked(extra={"x": object()})))
    assert (video["status"], video["error"]["code"]) == ("failed", "internal_error")
    assert "object" not in video["error"]["message"]
    assert video["id"] in caplog.text
