"""What a bot is asked where a client wants pictures, speech or a film: as few queries as do, in the bot's own words."""

import itertools
from dataclasses import dataclass, field
from typing import Any

import pytest

from poe2openai.core.content import Content, content_of
from poe2openai.core.request import Inline, Media, Message, ModelRequest, Part, Text, Url
from poe2openai.gateway.picture_requests import requests_for, speech_request, video_request
from poe2openai.poe.parameters import Declared, bot_parameters
from tests.support.media_parameters import FILM_BOTS, PICTURE_BOTS, SPEECH_BOTS, is_valid

CAT = Media(Inline(content_of(b"cat")), "image/png", "cat.png", "image[0]")
DOG = Media(Url("https://x.test/dog.png"), None, None, "image[1]")
MASK = Media(Inline(content_of(b"mask")), "image/png", "mask.png", "mask")


@dataclass(frozen=True)
class Pictures:
    model: str = "bot"
    prompt: str = "A cat."
    n: int = 1
    options: dict[str, str] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    pictures: tuple[Media, ...] = ()
    mask: Media | None = None
    lifted: dict[str, Content] = field(default_factory=dict)


@dataclass(frozen=True)
class Speech:
    model: str = "bot"
    input: str = "Hello."
    voice: str | None = None
    response_format: str | None = None
    speed: float | None = None
    instructions: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    lifted: dict[str, Content] = field(default_factory=dict)


@dataclass(frozen=True)
class Film:
    references: tuple[Media, ...]
    model: str = "bot"
    prompt: str = "A cat runs."
    seconds: str | None = None
    size: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    lifted: dict[str, Content] = field(default_factory=dict)


def parts(request: ModelRequest) -> tuple[Part, ...]:
    (message,) = request.messages
    assert message.role == "user"
    return message.parts


def only(requests: list[ModelRequest]) -> ModelRequest:
    (request,) = requests
    return request


def sent(request: ModelRequest, declared: Declared) -> dict[str, Any]:
    """What Poe is sent, as the client's own parameters are."""
    return bot_parameters(request, {}, declared)


class TestPictures:
    def test_the_least(self) -> None:
        assert requests_for(Pictures(), None) == [ModelRequest("bot", (Message("user", (Text("A cat."),)),), extra={})]

    def test_pictures_to_edit_follow_the_prompt_in_their_order(self) -> None:
        request = only(requests_for(Pictures(prompt="Blue.", pictures=(CAT, DOG)), None))

        assert parts(request) == (Text("Blue."), CAT, DOG)

    def test_a_mask_comes_last_and_is_explained(self) -> None:
        text, *files = parts(only(requests_for(Pictures(prompt="Blue.", pictures=(CAT,), mask=MASK), {})))

        assert files == [CAT, MASK]
        assert isinstance(text, Text)
        assert text.text.startswith("Blue.\n\n")
        assert "mask" in text.text

    def test_a_bot_that_knows_masks_is_told_in_its_own_words(self) -> None:
        declared = PICTURE_BOTS["gpt-image-1.5"]
        request = only(requests_for(Pictures(prompt="Blue.", pictures=(CAT,), mask=MASK), declared))

        assert parts(request) == (Text("Blue."), CAT, MASK)
        assert sent(request, declared) == {"use_mask": True}
        assert sent(only(requests_for(Pictures(pictures=(CAT,)), declared)), declared) == {}

    def test_options_go_by_the_bots_names(self) -> None:
        options = {"size": "1024x1536", "quality": "hd", "style": "vivid", "background": "transparent"}
        declared = {**PICTURE_BOTS["seedream-5.0-lite"], "background": {"enum": ["opaque", "Transparent"]}}

        assert only(requests_for(Pictures(options=options), declared)).extra == {
            "aspect": "3:4",
            "background": "Transparent",
        }
        assert only(requests_for(Pictures(options=options), None)).extra == options

    def test_the_clients_own_parameters_are_stronger(self) -> None:
        asked = Pictures(options={"size": "1024x1024"}, extra={"aspect": "16:9", "seed": 7})

        assert only(requests_for(asked, PICTURE_BOTS["seedream-5.0-lite"])).extra == {"aspect": "16:9", "seed": 7}

    def test_its_own_count_is_not_overruled(self) -> None:
        asked = Pictures(n=4, extra={"num_images": 2})
        requests = requests_for(asked, PICTURE_BOTS["hunyuan-image-3"])

        assert all(request.extra["num_images"] == 2 for request in requests)


class TestHowMany:
    @pytest.mark.parametrize("declared", [None, {}, PICTURE_BOTS["nano-banana"]])
    def test_a_bot_that_makes_one_at_a_time_is_asked_for_each(self, declared: Declared | None) -> None:
        requests = requests_for(Pictures(n=4), declared)

        assert len(requests) == 4
        assert all(request == requests[0] for request in requests)

    @pytest.mark.parametrize(
        ("n", "counts"),
        [(1, [None]), (2, [2]), (6, [6]), (7, [6, 1]), (8, [6, 2]), (10, [6, 4])],
    )
    def test_one_that_makes_several_is_asked_as_rarely_as_can_be(self, n: int, counts: list[int | None]) -> None:
        declared = PICTURE_BOTS["qwen-image-2.0"]
        requests = requests_for(Pictures(n=n, options={"size": "1024x1024"}), declared)

        assert [request.extra.get("num_images") for request in requests] == counts
        assert all(request.extra["aspect_ratio"] == "1:1" for request in requests)

    @pytest.mark.parametrize("bot", PICTURE_BOTS)
    def test_every_bot_gives_as_many_as_were_asked_for(self, bot: str) -> None:
        declared = PICTURE_BOTS[bot]
        for n in range(1, 11):
            told = [sent(request, declared) for request in requests_for(Pictures(n=n), declared)]
            counts = [each.get("num_images", each.get("number_of_images", 1)) for each in told]
            assert sum(counts) == n


@pytest.mark.parametrize("bot", PICTURE_BOTS)
def test_every_picture_bot_gets_valid_parameters(bot: str) -> None:
    declared = PICTURE_BOTS[bot]
    sizes = ("auto", "1024x1024", "1024x1536", "1536x1024", "1792x1024", "1024x1792", "16:9", "2K")
    wishes = itertools.product(sizes, ("auto", "standard", "hd", "high"), (None, MASK), (1, 3))
    for size, quality, mask, n in wishes:
        options = {"size": size, "quality": quality, "style": "vivid", "background": "auto", "output_format": "png"}
        for request in requests_for(Pictures(options=options, mask=mask, n=n), declared):
            told = sent(request, declared)
            assert {name: value for name, value in told.items() if not is_valid(value, declared[name])} == {}


class TestSpeech:
    def test_what_is_to_be_said_is_the_message(self) -> None:
        request = speech_request(Speech(input="Hello.", voice="TARA", extra={"pitch": 1}), SPEECH_BOTS["orpheus-tts"])

        assert parts(request) == (Text("Hello."),)
        assert request.extra == {"voice": "tara", "pitch": 1}

    def test_the_clients_own_parameters_are_stronger(self) -> None:
        asked = Speech(voice="tara", extra={"voice": "leo"})

        assert speech_request(asked, SPEECH_BOTS["orpheus-tts"]).extra == {"voice": "leo"}

    def test_a_bot_that_poes_list_does_not_hold_gets_the_clients_words(self) -> None:
        asked = Speech(voice="alloy", response_format="mp3", speed=1.5, instructions="Whisper.")

        assert speech_request(asked, None).extra == {
            "voice": "alloy", "response_format": "mp3", "speed": 1.5, "instructions": "Whisper.",
        }  # fmt: skip


class TestFilms:
    def film(self, declared: Declared | None, *references: Media, **wishes: Any) -> ModelRequest:
        return video_request(Film(references, **wishes), declared)

    def test_the_least(self) -> None:
        expected = ModelRequest("bot", (Message("user", (Text("A cat runs."),)),), extra={})
        assert self.film(None) == self.film({}) == expected

    def test_what_it_begins_with_follows_the_prompt(self) -> None:
        assert parts(self.film({}, CAT)) == (Text("A cat runs."), CAT)

    def test_size_and_seconds_go_by_the_bots_names(self) -> None:
        declared = FILM_BOTS["veo-3.1-lite"]
        request = self.film(declared, size="720x1280", seconds="12", extra={"seed": 7})

        assert request.extra == {"aspect_ratio": "9:16", "resolution": "720p", "duration": "8", "seed": 7}
        assert self.film(declared, seconds="4", extra={"duration": "6"}).extra == {"duration": "6"}

    @pytest.mark.parametrize("bot", FILM_BOTS)
    def test_every_film_bot_gets_valid_parameters(self, bot: str) -> None:
        declared = FILM_BOTS[bot]
        for size, seconds in itertools.product(("1280x720", "720x1280", "1792x1024", "1024x1792"), ("4", "8", "12")):
            told = sent(self.film(declared, size=size, seconds=seconds), declared)
            assert told
            assert {name: value for name, value in told.items() if not is_valid(value, declared[name])} == {}


def test_base64_that_was_no_file_travels_with_its_request() -> None:
    lifted = {"word1x": content_of(b"abc")}

    (picture,) = requests_for(Pictures(lifted=lifted), None)

    assert picture.lifted == lifted
    assert speech_request(Speech(lifted=lifted), None).lifted == lifted
    assert video_request(Film((), lifted=lifted), None).lifted == lifted
