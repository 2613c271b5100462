"""Films through OpenAI's SDK: made in the background, told by every worker, gone with who does not want them."""

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import httpx
import openai
import pytest

from tests.support import sample_files
from tests.support.bot_server import BotServer
from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway
from tests.support.poe_models import entry
from tests.support.poe_script import Step, done, error, error_reply, file, hold, json_reply, pause, replace
from tests.support.scripted_poe import ScriptedPoe
from tests.support.sending import data_url, new_key
from tests.support.waiting import comes

# Of the SDK alone: OpenAI itself gives these endpoints up, and others have them on.
pytestmark = pytest.mark.filterwarnings("ignore:The Sora API is scheduled:DeprecationWarning")

Clients = Callable[..., openai.OpenAI]

FILM = sample_files.mp4()
PNG = sample_files.png()


@pytest.fixture
def client(gateway: Gateway, openai_client: Clients) -> openai.OpenAI:
    """With a key of its own, so that its list is too."""
    return openai_client(gateway, new_key())


@pytest.fixture
def two_workers(make_gateway: GatewayFactory, poe_bots: BotServer) -> Gateway:
    return make_gateway(poe_url=poe_bots.url, WEB_CONCURRENCY="2")


@pytest.fixture
def bots(two_workers: Gateway, openai_client: Clients) -> openai.OpenAI:
    return openai_client(two_workers, new_key())


def film_bot(poe: ScriptedPoe, bot: str = "bot", data: bytes = FILM) -> str:
    url = poe.serve("film.mp4", data, "video/mp4")
    poe.script(bot, file(url, "video/mp4", "film.mp4"), done())
    return url


def ended(client: openai.OpenAI, video_id: str, within: float = 5.0) -> Any:
    assert comes(lambda: client.videos.retrieve(video_id).status in ("completed", "failed"), within)
    return client.videos.retrieve(video_id)


class TestMaking:
    def test_from_the_wish_to_the_film(self, bots: openai.OpenAI) -> None:
        video = bots.videos.create(model="film", prompt="a cat", seconds="8", size="1280x720")
        assert video.status in ("queued", "in_progress")
        assert (video.object, video.model, video.prompt) == ("video", "film", "a cat")
        assert (video.seconds, video.size, video.error, video.completed_at) == ("8", "1280x720", None, None)
        done = bots.videos.poll(video.id, poll_interval_ms=50)
        assert (done.id, done.status, done.progress) == (video.id, "completed", 100)
        assert done.completed_at is not None
        content = bots.videos.download_content(video.id)
        assert content.read() == FILM
        assert content.response.headers["content-type"] == "video/mp4"

    def test_progress_that_is_told_once_and_at_once(self, client: openai.OpenAI, poe: ScriptedPoe) -> None:
        for bot, said in (("percents", "10% complete"), ("seconds", "30s elapsed")):
            poe.script(bot, replace(f"Generating video... ({said})"), hold())
        made = [client.videos.create(model=bot, prompt="a cat").id for bot in ("percents", "seconds")]
        assert comes(lambda: client.videos.retrieve(made[0]).progress == 10, 3.0)
        assert comes(lambda: 0 < client.videos.retrieve(made[1]).progress < 100, 3.0)

    def test_progress_grows(self, client: openai.OpenAI, poe: ScriptedPoe) -> None:
        said = ["10% complete", "37.5% complete", "30% complete"]
        steps: list[list[Step]] = [[pause(1.05), replace(f"Generating video... ({one})")] for one in said]
        url = poe.serve("film.mp4", FILM, "video/mp4")
        poe.script("bot", replace("Generating video... (1s elapsed)"), *steps, file(url, "video/mp4"), done())
        video = client.videos.create(model="bot", prompt="a cat")
        seen: list[int] = []
        deadline = time.monotonic() + 8
        while (now := client.videos.retrieve(video.id)).status != "completed" and time.monotonic() < deadline:
            seen.append(now.progress)
            time.sleep(0.05)
        assert seen == sorted(seen)
        assert {10, 37} <= set(seen)
        assert max(seen) < 100
        assert now.progress == 100

    def test_options_in_the_bots_words(
        self, make_gateway: GatewayFactory, poe: ScriptedPoe, openai_client: Clients
    ) -> None:
        parameters = [
            {"name": "aspect", "schema": {"enum": ["16:9", "9:16"]}},
            {"name": "duration", "schema": {"enum": ["5", "10"]}},
        ]
        listed = [entry("Films", parameters=parameters)]
        poe.route("GET /v1/models", json_reply(200, {"object": "list", "data": listed}))
        film_bot(poe, "films")
        client = openai_client(make_gateway(fresh=True))
        assert [model.id for model in client.models.list()] == ["films"]
        client.videos.create(model="films", prompt="a cat", size="720x1280", seconds="12", extra_body={"loop": True})
        query = poe.wait_query("films")
        assert query.messages[-1]["content"] == "a cat"
        asked = query.messages[-1]["parameters"]
        assert (asked["aspect"], str(asked["duration"])) == ("9:16", "10")
        assert asked["loop"] in (True, "true")

    def test_a_picture_to_begin_with(self, client: openai.OpenAI, poe: ScriptedPoe) -> None:
        film_bot(poe)
        given: Any = [("a.png", PNG), {"image_url": data_url(PNG)}]
        for number, reference in enumerate(given, 1):
            if isinstance(reference, tuple):
                client.videos.create(model="bot", prompt="a cat", input_reference=reference)
            else:
                body = {"model": "bot", "prompt": "a cat", "input_reference": reference}
                client.post("/videos", body=body, cast_to=openai.types.Video)
            (attached,) = poe.wait_query("bot", number).messages[-1]["attachments"]
            assert attached["content_type"] == "image/png"
        assert [upload.data for upload in poe.uploads] == [PNG]

    def test_a_remix_begins_with_the_film(self, client: openai.OpenAI, poe: ScriptedPoe) -> None:
        url = film_bot(poe)
        first = client.videos.create_and_poll(model="bot", prompt="a cat", seconds="8", poll_interval_ms=50)
        second = client.videos.remix(first.id, prompt="make it blue")
        assert (second.remixed_from_video_id, second.model, second.seconds) == (first.id, "bot", "8")
        query = poe.wait_query("bot", 2)
        assert query.messages[-1]["content"] == "make it blue"
        assert [attached["url"] for attached in query.messages[-1]["attachments"]] == [url]
        assert ended(client, second.id).status == "completed"
        with pytest.raises(openai.NotFoundError):
            client.videos.remix("video_unknown", prompt="make it blue")


class TestFailures:
    def test_a_bot_without_a_film_is_quoted(self, bots: openai.OpenAI) -> None:
        video = bots.videos.create_and_poll(model="refuser", prompt="a cat", poll_interval_ms=50)
        assert video.status == "failed"
        assert video.error is not None
        assert video.error.code == "no_file_in_answer"
        assert "I cannot draw this." in video.error.message
        with pytest.raises(openai.APIStatusError, match="I cannot draw this."):
            bots.videos.download_content(video.id)

    @pytest.mark.parametrize(
        ("steps", "code", "said"),
        [
            (error_reply(402, "no points"), "insufficient_quota", "points"),
            ([replace("Generating (1s elapsed)"), error("The film was moderated.")], None, "moderated"),
            (
                [replace("Generating (1s elapsed)"), file("https://pfst.cf2.poecdn.net/x.png"), done()],
                None,
                "image/png",
            ),
        ],
    )
    def test_what_poe_says_is_told(
        self, client: openai.OpenAI, poe: ScriptedPoe, steps: Any, code: str | None, said: str
    ) -> None:
        poe.script("bot", steps)
        video = client.videos.create_and_poll(model="bot", prompt="a cat", poll_interval_ms=50)
        assert video.status == "failed"
        assert video.error is not None
        assert said in video.error.message
        assert video.error.code == (code or video.error.code)

    def test_what_is_not_done_has_no_content(self, client: openai.OpenAI, poe: ScriptedPoe) -> None:
        poe.script("bot", replace("Generating video... (20% complete)"), hold())
        video = client.videos.create(model="bot", prompt="a cat")
        with pytest.raises(openai.BadRequestError, match="not done"):
            client.videos.download_content(video.id)
        with pytest.raises(openai.BadRequestError, match="not done"):
            client.videos.remix(video.id, prompt="make it blue")
        client.videos.delete(video.id)

    def test_there_is_no_thumbnail(self, client: openai.OpenAI, poe: ScriptedPoe) -> None:
        film_bot(poe)
        video = client.videos.create_and_poll(model="bot", prompt="a cat", poll_interval_ms=50)
        with pytest.raises(openai.BadRequestError) as caught:
            client.videos.download_content(video.id, variant="thumbnail")
        assert caught.value.param == "variant"

    def test_what_cannot_be_asked(self, client: openai.OpenAI) -> None:
        wrong: Any = [({"model": "bot"}, "prompt"), ({"prompt": "x", "model": "bot", "seconds": 0}, "seconds")]
        for body, param in wrong:
            with pytest.raises(openai.BadRequestError) as caught:
                client.post("/videos", body=body, cast_to=openai.types.Video)
            assert (caught.value.param or "").startswith(param)


class TestList:
    def test_pages(self, client: openai.OpenAI, poe: ScriptedPoe) -> None:
        film_bot(poe)
        assert client.videos.list().data == []
        made = [client.videos.create(model="bot", prompt=f"cat {number}").id for number in range(5)]
        assert [video.id for video in client.videos.list()] == made[::-1]
        assert [video.id for video in client.videos.list(limit=2)] == made[::-1]
        first = client.videos.list(limit=2)
        assert ([video.id for video in first.data], first.has_more) == (made[:2:-1], True)
        assert [video.id for video in client.videos.list(order="asc", limit=2, after=made[1]).data] == made[2:4]
        with pytest.raises(openai.BadRequestError) as caught:
            client.videos.list(limit=-1)
        assert caught.value.param == "limit"

    def test_anothers_is_not_there(self, gateway: Gateway, poe: ScriptedPoe, openai_client: Clients) -> None:
        film_bot(poe)
        mine, other = openai_client(gateway, new_key()), openai_client(gateway, new_key())
        video = mine.videos.create_and_poll(model="bot", prompt="a cat", poll_interval_ms=50)
        calls: list[Callable[[], Any]] = [
            lambda: other.videos.retrieve(video.id),
            lambda: other.videos.download_content(video.id),
            lambda: other.videos.delete(video.id),
            lambda: other.videos.remix(video.id, prompt="blue"),
        ]
        for call in calls:
            with pytest.raises(openai.NotFoundError) as caught:
                call()
            assert caught.value.code == "not_found"
        assert other.videos.list().data == []
        assert mine.videos.retrieve(video.id).status == "completed"


class TestDeleting:
    def test_a_done_one(self, bots: openai.OpenAI) -> None:
        video = bots.videos.create_and_poll(model="film", prompt="a cat", poll_interval_ms=50)
        gone = bots.videos.delete(video.id)
        assert (gone.id, gone.deleted, gone.object) == (video.id, True, "video.deleted")
        for call in (bots.videos.retrieve, bots.videos.delete, bots.videos.download_content):
            with pytest.raises(openai.NotFoundError):
                call(video.id)

    def test_one_that_is_being_made_ends_the_query(self, client: openai.OpenAI, poe: ScriptedPoe) -> None:
        steps: list[list[Step]] = [
            [replace(f"Generating video... ({number}% complete)"), pause(0.3)] for number in range(1, 30)
        ]
        poe.script("bot", *steps)
        video = client.videos.create(model="bot", prompt="a cat")
        query = poe.wait_query("bot")
        client.videos.delete(video.id)
        assert query.hung_up_after(time.monotonic()) < 2.5


class TestWorkers:
    def test_both_answer_for_a_film_of_one(self, two_workers: Gateway, bots: openai.OpenAI) -> None:
        """Each question over a connection of its own, which either worker may take."""
        assert len(two_workers.workers()) == 2
        video = bots.videos.create(model="film", prompt="a cat")
        headers = {"Authorization": f"Bearer {bots.api_key}", "Connection": "close"}
        assert ended(bots, video.id).status == "completed"
        with httpx.Client(trust_env=False, headers=headers, base_url=two_workers.base_url) as plain:
            for _ in range(12):
                assert plain.get(f"/videos/{video.id}").json()["status"] == "completed"
            assert plain.get(f"/videos/{video.id}/content").content == FILM

    def test_a_killed_workers_film_is_not_told_as_done(
        self, make_gateway: GatewayFactory, poe: ScriptedPoe, openai_client: Clients
    ) -> None:
        """After how long it is told as failed: tests/gateway/test_videos.py."""
        gateway = make_gateway(fresh=True)
        poe.script("bot", replace("Generating video... (20% complete)"), hold())
        client = openai_client(gateway, max_retries=3)
        video = client.videos.create(model="bot", prompt="a cat")
        query = poe.wait_query("bot")
        (worker,) = gateway.workers()
        os.kill(worker, signal.SIGKILL)
        assert query.hung_up_after(time.monotonic()) < 5
        assert comes(lambda: gateway.workers() not in ([], [worker]), 5.0)
        assert client.videos.retrieve(video.id).status in ("in_progress", "failed")
        assert [one.id for one in client.videos.list()] == [video.id]


def test_the_log_has_a_line_for_the_film_and_no_key(gateway: Gateway, poe: ScriptedPoe, openai_client: Clients) -> None:
    film_bot(poe)
    key, before = new_key(), len(gateway.log())
    openai_client(gateway, key).videos.create(model="bot", prompt="a secret")
    line = gateway.wait_log('path="/v1/videos (made)"', start=before)
    assert "bot=bot" in line
    assert "attempts=1" in line
    assert key not in gateway.log()
    assert "a secret" not in gateway.log()
