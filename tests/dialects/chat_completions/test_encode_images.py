"""Pictures apart from the text, in OpenRouter's form: `message.images` and `delta.images`."""

from typing import Any

import orjson
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from poe2openai.core.choices import ChoiceBatch
from poe2openai.core.collect import collect
from poe2openai.core.events import (
    AnswerEvent,
    FilesMade,
    Finished,
    MadeFile,
    PartDelta,
    PartFinished,
    PartStarted,
    Started,
    Usage,
)
from poe2openai.dialects.chat_completions.decode import decode
from poe2openai.dialects.chat_completions.encode import MAX_LINE, ChunkEncoder, completion, images_body

IDENTITY: dict[str, Any] = {"id": "chatcmpl-1", "model": "bot", "created": 1_700_000_000}

CAT = MadeFile("https://pfst.cf2.poecdn.net/cat.png?w=8", "image/png", "cat.png")
DOG = MadeFile("https://pfst.cf2.poecdn.net/dog.webp", "IMAGE/WEBP", "dog.webp")
SONG = MadeFile("https://pfst.cf2.poecdn.net/song.mp3", "audio/mpeg", "song.mp3")

CAT_SHOWN = {"type": "image_url", "image_url": {"url": CAT.url}, "index": 0}
DOG_SHOWN = {"type": "image_url", "image_url": {"url": DOG.url}, "index": 1}

TEXT: list[AnswerEvent] = [PartStarted(0, "text"), PartDelta(0, f"![cat]({CAT.url})"), PartFinished(0)]


def answer(*files: MadeFile) -> list[AnswerEvent]:
    made: list[AnswerEvent] = [FilesMade(files)] if files else []
    return [Started(), *TEXT, *made, Finished("stop", Usage(5, 1))]


def chunks(stream: bytes) -> list[dict[str, Any]]:
    *data, done = [block.removeprefix("data: ") for block in stream.decode().strip().split("\n\n")]
    assert done == "[DONE]"
    bodies: list[dict[str, Any]] = [orjson.loads(each) for each in data]
    for body in bodies:
        ChatCompletionChunk.model_validate(body, strict=False)
    return bodies


def deltas(stream: bytes) -> list[dict[str, Any]]:
    return [choice["delta"] for chunk in chunks(stream) for choice in chunk["choices"]]


def message(*files: MadeFile) -> dict[str, Any]:
    body = completion([collect([answer(*files)])], **IDENTITY)
    ChatCompletion.model_validate_json(body)
    told: dict[str, Any] = orjson.loads(body)["choices"][0]["message"]
    return told


def streamed(*files: MadeFile) -> list[dict[str, Any]]:
    return deltas(ChunkEncoder(**IDENTITY, include_usage=True).encode(answer(*files)))


def test_a_whole_answer_holds_them_beside_its_text() -> None:
    told = message(CAT, SONG, DOG)

    assert told["images"] == [CAT_SHOWN, DOG_SHOWN]
    assert told["content"] == f"![cat]({CAT.url})"


def test_a_stream_has_them_in_one_delta_before_its_end() -> None:
    *before, images, end = streamed(CAT, SONG, DOG)

    assert images == {"images": [CAT_SHOWN, DOG_SHOWN]}
    assert end == {}
    assert not any("images" in delta for delta in before)


@pytest.mark.parametrize("files", [(), (SONG,)])
def test_without_a_picture_nothing_is_said_of_any(files: tuple[MadeFile, ...]) -> None:
    assert "images" not in message(*files)
    assert not any("images" in delta for delta in streamed(*files))


def test_each_choice_has_its_own() -> None:
    encoder = ChunkEncoder(**IDENTITY, include_usage=False, n=2)
    first, second = answer(CAT), answer(DOG)
    told = chunks(encoder.encode(ChoiceBatch(0, first)) + encoder.encode(ChoiceBatch(1, second)))

    shown = {
        choice["index"]: choice["delta"]["images"][0]["image_url"]["url"]
        for chunk in told
        for choice in chunk["choices"]
        if "images" in choice["delta"]
    }
    assert shown == {0: CAT.url, 1: DOG.url}


def test_an_address_cannot_break_the_frame() -> None:
    url = 'https://x.test/"\n\ndata: [DONE]\n\n\u2028é'

    assert images_body([MadeFile(url, "image/png", "x")])[0]["image_url"]["url"] == url
    (told,) = [delta["images"] for delta in streamed(MadeFile(url, "image/png", "x")) if "images" in delta]
    assert told[0]["image_url"]["url"] == url


def test_no_line_is_too_long_for_open_webui() -> None:
    files = [MadeFile(f"https://x.test/{'x' * 2_000}/{at}", "image/png", "x") for at in range(100)]
    stream = ChunkEncoder(**IDENTITY, include_usage=False).encode(answer(*files))

    assert max(len(line) for line in stream.splitlines(keepends=True)) <= MAX_LINE
    shown = [image for delta in deltas(stream) for image in delta.get("images", [])]
    assert [(image["image_url"]["url"], image["index"]) for image in shown] == [
        (file.url, at) for at, file in enumerate(files)
    ]


@pytest.mark.parametrize(
    ("modalities", "wanted"),
    [(["image"], True), (["text", "image"], True), (["image", "text", 5], True), (["text"], False), ([], False),
     (None, False), (["images"], False)],
)  # fmt: skip
def test_they_are_for_those_who_ask(modalities: Any, wanted: bool) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "A cat."}], "modalities": modalities}

    assert decode(orjson.dumps(body)).request.images is wanted
