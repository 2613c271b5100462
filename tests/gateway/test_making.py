"""What a bot made, and how far it says it is: read from a scripted Poe's answer on real sockets."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.events import MadeFile
from poe2openai.gateway.attempts import Waiting
from poe2openai.gateway.exchange import Exchange
from poe2openai.gateway.making import MOST_TOLD, Made, Making, MediaKind, Progress, Steps, files_of_kind
from poe2openai.gateway.record import RequestRecord
from poe2openai.gateway.tokens import tokenizer
from poe2openai.gateway.tool_ways import ToolWays
from poe2openai.gateway.upstream import Upstreams
from tests.support.asking import asked, route
from tests.support.attaching import OWN, Worker, client_of
from tests.support.poe_script import Step, cut, done, error, error_reply, file, hold, replace, text
from tests.support.scripted_poe import ScriptedPoe

POECDN = "https://pfst.cf2.poecdn.net/"


class Maker:
    """Asks the bot `bot` of a scripted Poe; `record` is of the last question."""

    def __init__(self, poe: ScriptedPoe, making: Making) -> None:
        self.poe = poe
        self.record = RequestRecord("req_1")
        self._making = making

    def begin(self, *script: Step | list[Step], on_silence: Callable[[], None] = lambda: None) -> Steps:
        self.poe.reset()
        self.poe.script("bot", *script)
        self.record = RequestRecord("req_1")
        return self._making.make(asked(), route(), OWN.caller, self.record, Waiting(None, on_silence))

    def steps(self, *script: Step) -> list[Progress | MadeFile | Made]:
        return [step for step in self.begin(*script) if step is not None]

    def made(self, *script: Step) -> Made:
        last = self.steps(*script)[-1]
        assert isinstance(last, Made)
        return last

    def percents(self, *script: Step) -> list[int | None]:
        return [step.percent for step in self.steps(*script) if isinstance(step, Progress)]


@pytest.fixture
def maker(poe: ScriptedPoe, tmp_path: Path) -> Iterator[Maker]:
    with client_of(poe.url) as client:
        worker = Worker(client, tmp_path)
        ways = ToolWays("auto", "auto", time.monotonic)
        exchange = Exchange(Upstreams(client, worker.keys), worker.attachments, tokenizer(), ways)
        yield Maker(poe, Making(exchange, worker.files))


def urls(made: Made) -> list[str]:
    return [file.url for file in made.files]


class TestFiles:
    def test_each_is_told_as_it_comes_and_all_at_the_end(self, maker: Maker) -> None:
        one, two = f"{POECDN}1.png", f"{POECDN}2.mp4"
        steps = maker.steps(text("Look:"), file(one, name="one.png"), file(two, "video/mp4", "two.mp4"), done())
        files = (MadeFile(one, "image/png", "one.png"), MadeFile(two, "video/mp4", "two.mp4"))
        assert steps == [Progress("Look:", None), *files, Made(files, "Look:")]
        assert maker.record.reason == "stop"

    def test_what_a_later_text_took_back_is_not_among_them(self, maker: Maker) -> None:
        rough, fine = file(f"{POECDN}rough.png", ref="a"), file(f"{POECDN}fine.png", ref="b")
        assert urls(maker.made(rough, text("![x][a]"), fine, replace("![x][b]"), done())) == [f"{POECDN}fine.png"]
        by_address = replace(f"![x]({POECDN}fine.png)")
        assert urls(maker.made(rough, text("![x][a]"), fine, by_address, done())) == [f"{POECDN}fine.png"]

    def test_a_text_that_names_none_takes_none_back(self, maker: Maker) -> None:
        assert urls(maker.made(file(f"{POECDN}1.png", ref="a"), replace("Here it is."), done())) == [f"{POECDN}1.png"]
        assert urls(maker.made(file(f"{POECDN}1.png", ref="a"), replace(""), done())) == [f"{POECDN}1.png"]

    @pytest.mark.parametrize(
        ("said", "media_type", "name"),
        [
            ("![a cat]({}a/cat.png)", "image/png", "cat.png"),
            ("![a cat]({}a/1234?w=8&h=8)", "image/png", "1234"),
            ("[Listen]({}a/b%20c.mp3)", "audio/mpeg", "b c.mp3"),
            ("{}film.mp4.", "video/mp4", "film.mp4"),
            ("<{}film.mp4>", "video/mp4", "film.mp4"),
            ("See **{}film.mp4**, please", "video/mp4", "film.mp4"),
        ],
    )
    def test_a_link_in_the_text_alone(self, maker: Maker, said: str, media_type: str, name: str) -> None:
        (made,) = maker.made(text(said.format(POECDN)), done()).files
        assert (made.media_type, made.name) == (media_type, name)
        assert made.url.startswith(POECDN)
        assert not made.url.endswith((".", "*", ">", ")"))

    def test_a_link_to_another_place_is_none_of_them(self, maker: Maker) -> None:
        said = "![x](https://example.com/a.png) https://poecdn.net.example.com/a.png http://pfst.cf2.poecdn.net/a.png"
        assert maker.made(text(said), done()).files == ()
        own = maker.poe.url + "/files/1/a.png"
        assert urls(maker.made(text(f"![x]({own})"), done())) == [own]

    def test_the_bots_words_without_progress_and_pictures(self, maker: Maker) -> None:
        made = file(f"{POECDN}1.png", ref="a")
        assert maker.made(made, text("![x][a]"), done()).text == ""
        assert maker.made(made, text(f"![x]({POECDN}1.png)\n\nA cat."), done()).text == "A cat."
        assert maker.made(made, replace("Generating image... (3s elapsed)"), done()).text == ""


class TestProgress:
    @pytest.mark.parametrize(
        ("said", "percent"),
        [
            ("Generating video... (10% complete)", 10),
            ("Generating video... (12.7 %)", 12),
            ("10%... 20%... 30%", 30),
            ("Done: 100%", 99),
            ("250% better", 99),
            ("Generating video... (0s elapsed)", 0),
            ("Generating video... (60s elapsed)", 50),
            ("Generating video... (1.5 seconds elapsed)", 2),
            ("Generating video... (100000s elapsed)", 95),
            ("Generating video...", None),
            ("%", None),
        ],
    )
    def test_is_read_from_the_text(self, maker: Maker, said: str, percent: int | None) -> None:
        assert maker.percents(replace(said), done()) == [percent]

    def test_also_where_a_text_comes_in_pieces(self, maker: Maker) -> None:
        assert maker.percents(text("Generating (4"), text("0"), text("%)"), done())[-1] == 40


class TestErrors:
    def test_before_the_first_event_it_is_raised_at_once(self, maker: Maker) -> None:
        with pytest.raises(GatewayError) as caught:
            maker.begin(error_reply(402, "no points"))
        assert caught.value.kind is ErrorKind.INSUFFICIENT_QUOTA

    def test_later_it_ends_the_steps(self, maker: Maker) -> None:
        steps = maker.begin(replace("Generating (1s elapsed)"), error("It was moderated."))
        with pytest.raises(GatewayError, match="moderated"):
            list(steps)
        assert maker.record.error == ErrorKind.INVALID_REQUEST.code

    def test_a_stream_that_breaks_off(self, maker: Maker) -> None:
        with pytest.raises(GatewayError) as caught:
            list(maker.begin(file(f"{POECDN}1.png"), cut()))
        assert caught.value.kind is ErrorKind.UPSTREAM_CUT_OFF


class TestLeaving:
    def test_closing_ends_the_query(self, maker: Maker) -> None:
        steps = maker.begin(replace("Generating (1s elapsed)"), hold())
        assert next(steps) == Progress("Generating (1s elapsed)", 1)
        left = time.monotonic()
        steps.close()
        assert maker.poe.wait_query("bot").hung_up_after(left) < 2

    def test_whoever_waits_is_asked_and_may_give_up(self, maker: Maker) -> None:
        asked = []

        def look() -> None:
            asked.append(1)
            if len(asked) > 3:
                raise KeyboardInterrupt

        steps = maker.begin(replace("Generating (1s elapsed)"), hold(), on_silence=look)
        with pytest.raises(KeyboardInterrupt):
            list(steps)
        assert maker.poe.wait_query("bot").hung_up_after(time.monotonic()) < 2

    def test_in_silence_there_are_idle_moments(self, maker: Maker) -> None:
        steps = maker.begin(replace("Generating (1s elapsed)"), hold())
        next(steps)
        assert next(steps) is None
        steps.close()


def a_file(media_type: str, name: str = "x", url: str = f"{POECDN}1234") -> MadeFile:
    return MadeFile(url, media_type, name)


class TestOfKind:
    @pytest.mark.parametrize(
        ("kind", "file"),
        [
            ("image", a_file("image/webp")),
            ("image", a_file("IMAGE/PNG")),
            ("image", a_file("application/octet-stream", "cat.png")),
            ("image", a_file("binary/octet-stream", "1234", f"{POECDN}cat.png")),
            ("audio", a_file("audio/mpeg")),
            ("audio", a_file("video/mp4", "speech.mp4")),
            ("video", a_file("video/mp4")),
            ("video", a_file("", "film.webm")),
        ],
    )
    def test_is_given(self, kind: MediaKind, file: MadeFile) -> None:
        other = a_file("application/pdf", "a.pdf")
        assert files_of_kind(Made((other, file), ""), kind, "bot") == [file]

    @pytest.mark.parametrize(
        ("kind", "file"),
        [
            ("image", a_file("video/mp4", "cat.png")),
            ("audio", a_file("image/png")),
            ("video", a_file("audio/mpeg")),
            ("video", a_file("application/octet-stream", "film")),
        ],
    )
    def test_another_kind_is_named_in_the_error(self, kind: MediaKind, file: MadeFile) -> None:
        with pytest.raises(GatewayError) as caught:
            files_of_kind(Made((file,), ""), kind, "bot")
        assert caught.value.kind is ErrorKind.NO_FILE
        assert file.media_type in caught.value.message

    def test_the_error_quotes_the_bot_up_to_a_length(self) -> None:
        def message(said: str, model: str = "Painter") -> str:
            with pytest.raises(GatewayError) as caught:
                files_of_kind(Made((), said), "image", model)
            return caught.value.message

        assert "'Painter'" in message("")
        assert "nothing" in message("")
        assert "I cannot draw this." in message("I cannot\ndraw this.")
        assert len(message("x" * 10_000)) < MOST_TOLD + 200
        assert len(message("", "m" * 512)) < 300

    def test_all_of_the_kind_in_their_order(self) -> None:
        one, two = a_file("image/png", "1"), a_file("image/jpeg", "2")
        kinds: Any = files_of_kind(Made((one, a_file("audio/wav"), two), "x"), "image", "bot")
        assert kinds == [one, two]
