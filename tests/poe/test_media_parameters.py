"""OpenAI's sizes, qualities, lengths and voices, in the words of every kind of bot that Poe lists."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poe2openai.core.request import ModelRequest
from poe2openai.poe.media_parameters import (
    chosen,
    count_parameter,
    quality_parameters,
    size_parameters,
    speech_parameters,
    video_parameters,
)
from poe2openai.poe.parameters import Declared, bot_parameters
from tests.support.media_parameters import FILM_BOTS, PICTURE_BOTS, SPEECH_BOTS, is_valid, of, shape

BOTS = {**PICTURE_BOTS, **FILM_BOTS}
SIZES = (
    *("auto", "256x256", "512x512", "1024x1024", "1024x1536", "1536x1024", "1792x1024", "1024x1792"),
    *("1280x720", "720x1280", "16:9", "9:16", "2K", "720p"),
)
QUALITIES = ("auto", "standard", "hd", "low", "medium", "high")
RATIOS = ("aspect", "aspect_ratio", "size", "resolution", "image_size", "dimension")


def sent(made: dict[str, Any], declared: Declared) -> dict[str, Any]:
    """What reaches the bot: everything it is sent goes through its schemas once more."""
    return bot_parameters(ModelRequest("bot", (), extra=made), {}, declared)


def require_valid(made: dict[str, Any], declared: Declared) -> None:
    assert made.keys() <= declared.keys()
    wrong = {name: value for name, value in made.items() if not is_valid(value, declared[name])}
    assert not wrong


def shapes(parameters: dict[str, Any]) -> set[str]:
    told = {shape(str(parameters[name])) for name in RATIOS if name in parameters}
    if {"width", "height"} <= parameters.keys():
        told.add(shape(f"{parameters['width']}x{parameters['height']}"))
    return told - {""}


def possible_shapes(declared: Declared) -> set[str]:
    if {"width", "height"} <= declared.keys():
        return {"landscape", "portrait", "square"}
    ratio = next((name for name in RATIOS if name in declared and shape(declared[name]["enum"][0])), None)
    return {shape(choice) for choice in declared[ratio]["enum"]} - {""} if ratio else set()


@pytest.mark.parametrize("bot", BOTS)
class TestEveryBot:
    def test_pictures_and_films_are_asked_for_in_its_own_words(self, bot: str) -> None:
        declared = BOTS[bot]
        for size, quality in itertools.product(SIZES, QUALITIES):
            made = {**size_parameters(size, declared), **quality_parameters(quality, declared)}
            require_valid(sent(made, declared), declared)

    def test_shapes_are_kept(self, bot: str) -> None:
        declared = BOTS[bot]
        possible = possible_shapes(declared)
        for size in SIZES:
            wanted = shape(size)
            if wanted in possible:
                made = size_parameters(size, declared)
                # A ratio says nothing of how many pixels a bot without ratios is to paint.
                if not ({"width", "height"} <= declared.keys() and ":" in size):
                    assert shapes(made) == {wanted}, size

    def test_films_last_about_as_long_as_they_are_to(self, bot: str) -> None:
        declared = BOTS[bot]
        for size, seconds in itertools.product(SIZES, ("4", "8", "12", "60", None)):
            require_valid(sent(video_parameters(size, seconds, declared), declared), declared)

    def test_what_is_left_to_the_bot_is_not_mentioned(self, bot: str) -> None:
        for nothing in (None, "", "auto", " AUTO "):
            assert size_parameters(nothing, BOTS[bot]) == {}
            assert quality_parameters(nothing, BOTS[bot]) == {}
        assert video_parameters("auto", None, BOTS[bot]) == {}

    @given(st.data())
    def test_any_words_make_valid_parameters(self, bot: str, data: st.DataObject) -> None:
        declared = BOTS[bot]
        size = data.draw(st.text(st.sampled_from("0123456789xX×*:.kKpP portrai"), max_size=12) | st.text(max_size=12))
        quality = data.draw(st.text(max_size=8))
        made = {**size_parameters(size, declared), **quality_parameters(quality, declared)}
        require_valid(sent(made, declared), declared)


@pytest.mark.parametrize(
    ("bot", "size", "expected"),
    [
        ("gpt-image-1.5", "1024x1536", {"aspect": "2:3"}),
        ("gpt-image-1.5", "1792x1024", {"aspect": "3:2"}),
        ("dall-e-3", "1792x1024", {"aspect": "7:4"}),
        ("dall-e-3", "1024x1792", {"aspect": "4:7"}),
        ("nano-banana-2", "1024x1536", {"aspect_ratio": "2:3", "image_size": "1K"}),
        ("nano-banana-2", "2K", {"image_size": "2K"}),
        ("nano-banana-2", "4096x4096", {"aspect_ratio": "1:1", "image_size": "4K"}),
        ("nano-banana-2", "16:9", {"aspect_ratio": "16:9"}),
        ("grok-imagine-image", "19.5:9", {"aspect": "19.5:9"}),
        ("stablediffusionxl", "1536x1024", {"aspect": "19:13"}),
        ("kling-image-o1", "1024X1024", {"aspect": "1:1", "resolution": "1K"}),
        ("qwen-image", "1024x1536", {"size": "1024*1536"}),
        ("qwen-image", "1792x1024", {"size": "1280*720"}),
        ("qwen-image", "1024 × 1024", {"size": "1024*1024"}),
        ("hunyuan-image-3", "256x256", {"size": "512x512"}),
        ("hunyuan-image-3", "1024*768", {"size": "1024x768"}),
        ("flux-dev-di", "1024x1536", {"width": 1024, "height": 1536}),
        ("flux-dev-di", "3840x2160", {"width": 1920, "height": 1080}),
        ("flux-dev-di", "2160x3840", {"width": 1080, "height": 1920}),
        ("flux-dev-di", "128x64", {"width": 256, "height": 128}),
        ("flux-dev-di", "16:9", {}),
        ("moss-video-and-audio", "720x1280", {"aspect_ratio": "portrait", "resolution": "720p"}),
        ("moss-video-and-audio", "1280x720", {"aspect_ratio": "landscape", "resolution": "720p"}),
        ("moss-video-and-audio", "portrait", {"aspect_ratio": "portrait"}),
        ("veo-3.1-lite", "1280x720", {"aspect_ratio": "16:9", "resolution": "720p"}),
        ("veo-3.1-lite", "1080x1920", {"aspect_ratio": "9:16", "resolution": "1080p"}),
        ("veo-3.1-lite", "1080p", {"resolution": "1080p"}),
        ("ray2", "3840x2160", {"aspect_ratio": "16:9", "resolution": "4k"}),
        ("grok-imagine-video", "1920x1080", {"aspect": "16:9", "resolution": "720p"}),
        ("svi-2.0-pro", "480x832", {"resolution": "480x832"}),
        ("svi-2.0-pro", "1080x1920", {"resolution": "720x1280"}),
        ("sora-2-pro", "1792x1024", {"size": "1792x1024"}),
        ("sora-2", "1920x1080", {"size": "1280x720"}),
        ("amazon-nova-reel-1.1", "1920x1080", {"dimension": "1280x720"}),
        ("says-nothing-of-it", "1024x1024", {}),
        ("kling-omni", "1024x1024", {}),
        ("gpt-image-1.5", "as large as a house", {}),
        ("nano-banana-2", "0x0", {}),
    ],
)
def test_a_size_in_a_bots_own_words(bot: str, size: str, expected: dict[str, Any]) -> None:
    assert size_parameters(size, BOTS[bot]) == expected


@pytest.mark.parametrize("size", ["0k", "0K", "000p", "0x1024", "0:9", "0.0:1", "1024x0", "99999x1", "٣x٣"])
@pytest.mark.parametrize("bot", ["nano-banana-2", "veo-3.1-lite", "hunyuan-image-3", "flux-dev-di"])
def test_a_size_of_nothing_harms_nobody(bot: str, size: str) -> None:
    require_valid(size_parameters(size, BOTS[bot]), BOTS[bot])


@pytest.mark.parametrize(("ratio", "size"), [("16:9", "1280x720"), ("9:16", "720x1280")])
def test_a_ratio_is_kept_where_a_bot_knows_sizes_alone(ratio: str, size: str) -> None:
    assert size_parameters(ratio, BOTS["sora-2"]) == {"size": size}


@pytest.mark.parametrize(
    ("choices", "quality", "expected"),
    [
        ("low medium high", "low", "low"),
        ("low medium high", "medium", "medium"),
        ("low medium high", "HIGH", "high"),
        ("low medium high", "standard", "medium"),
        ("low medium high", "hd", "high"),
        ("standard premium", "low", "standard"),
        ("standard premium", "standard", "standard"),
        ("standard premium", "hd", "premium"),
        ("standard premium", "high", "premium"),
        ("Standard HD", "hd", "HD"),
        ("low high", "standard", "low"),
        ("draft final", "high", None),
        ("low medium high", "splendid", None),
    ],
)
def test_a_quality_in_a_bots_own_words(choices: str, quality: str, expected: str | None) -> None:
    """The better of DALL·E 3's two is the best that there is (OpenAI API reference, `quality`)."""
    assert quality_parameters(quality, {"quality": of(choices)}).get("quality") == expected


@pytest.mark.parametrize(
    ("bot", "seconds", "expected"),
    [
        ("veo-3.1-lite", "4", "4"),
        ("veo-3.1-lite", "12", "8"),
        ("kling-omni", "8", "10"),
        ("kling-o3", "4", 4),
        ("kling-o3", "60", 15),
        ("svi-2.0-pro", "8", 18),
        ("ltx-2-fast", "4", "6"),
        ("veo-v3.1", "4", "4s"),
        ("veo-v3.1", "12", "8s"),
        ("ray2", "8", "9s"),
        ("sora-2", "12", "12"),
    ],
)
def test_seconds_in_a_bots_own_words(bot: str, seconds: str, expected: Any) -> None:
    declared = BOTS[bot]
    assert sent(video_parameters(None, seconds, declared), declared) == {"duration": expected}


class TestSpeech:
    @pytest.mark.parametrize("bot", SPEECH_BOTS)
    def test_it_is_asked_for_in_every_bots_own_words(self, bot: str) -> None:
        declared = SPEECH_BOTS[bot]
        own = [choice for name in ("voice", "voice_id") for choice in declared.get(name, {}).get("enum", [])]
        wishes = itertools.product(
            ("alloy", None, *own, *map(str.upper, own)),
            ("mp3", "wav", "opus", None),
            (0.25, 1, 1.0, 4, None),
            ("Whisper.", None),
        )
        for voice, response_format, speed, instructions in wishes:
            made = speech_parameters(voice, response_format, speed, instructions, declared)
            require_valid(sent(made, declared), declared)
            told = made.get("voice", made.get("voice_id"))
            assert (told or "").casefold() == (voice.casefold() if voice and voice != "alloy" else "")

    @pytest.mark.parametrize(
        ("bot", "asked", "expected"),
        [
            ("orpheus-tts", ("TARA", None, None, None), {"voice": "tara"}),
            ("orpheus-tts", ("alloy", "mp3", 1.0, "Whisper."), {}),
            ("elevenlabs-v2.5-turbo", ("LUCÍA", None, None, None), {"voice": "Lucía"}),
            ("gemini-2.5-flash-tts", ("puck", "mp3", None, "Whisper."),
             {"voice": "Puck", "output_format": "MP3", "style_prompt": "Whisper."}),
            ("gemini-2.5-flash-tts", ("alloy", "opus", None, None), {}),
            ("minimax-speech-2.8", ("english_graceful_lady", "flac", 1.0, None),
             {"voice_id": "English_Graceful_Lady", "format": "flac", "speed": "1.0"}),
            ("minimax-speech-2.8", (None, None, 4, None), {"speed": "2.0"}),
            ("minimax-speech-2.8", (None, None, 0.25, None), {"speed": "0.5"}),
            ("hailuo-speech-02", (None, None, 4, None), {"speed": 2}),
            ("hailuo-speech-02", (None, None, 0.25, None), {"speed": 0.5}),
            ("hailuo-speech-02", (None, None, 1.25, None), {"speed": 1.25}),
        ],
    )  # fmt: skip
    def test_each_wish(self, bot: str, asked: tuple[Any, Any, Any, Any], expected: dict[str, Any]) -> None:
        assert speech_parameters(*asked, SPEECH_BOTS[bot]) == expected


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        (PICTURE_BOTS["qwen-image-2.0"], ("num_images", 6)),
        (PICTURE_BOTS["hunyuan-image-3"], ("num_images", 4)),
        (PICTURE_BOTS["amazon-nova-canvas"], ("number_of_images", 5)),
        (PICTURE_BOTS["nano-banana"], None),
        ({"num_images": {"type": "number"}}, None),
        ({"num_images": {"type": "number", "maximum": 1}}, None),
        ({"num_images": {"maximum": "many"}}, None),
        ({}, None),
        (None, None),
    ],
)
def test_some_bots_make_several_pictures_at_once(declared: Declared | None, expected: tuple[str, int] | None) -> None:
    assert count_parameter(declared) == expected


def test_an_option_goes_to_the_bot_that_has_it() -> None:
    styles = {"style": of("GENERAL ANIME"), "background": {"type": "string"}}

    assert chosen("style", "anime", styles) == {"style": "ANIME"}
    assert chosen("style", "vivid", styles) == {}
    assert chosen("background", "transparent", styles) == {"background": "transparent"}
    assert chosen("output_format", "webp", styles) == {}
    assert chosen("style", None, styles) == chosen("style", None, None) == {}


def test_a_bot_that_poes_list_does_not_hold_gets_the_clients_words() -> None:
    assert size_parameters("1024x1536", None) == {"size": "1024x1536"}
    assert size_parameters("auto", None) == quality_parameters("auto", None) == {}
    assert quality_parameters("hd", None) == {"quality": "hd"}
    assert chosen("style", "vivid", None) == {"style": "vivid"}
    assert video_parameters("1280x720", "8", None) == {"size": "1280x720", "seconds": "8"}
    assert video_parameters(None, None, None) == {}
    assert speech_parameters("alloy", "mp3", 1.5, None, None) == {
        "voice": "alloy", "response_format": "mp3", "speed": 1.5,
    }  # fmt: skip
