"""Pictures, sounds, films and documents, in every shape in which clients send them."""

import base64
from typing import Any, ClassVar

import orjson
import pytest

from poe2openai.core.content import content_of
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.request import FileId, Inline, Media, Message, ModelRequest, Part, Text, ToolResult, Url
from poe2openai.dialects.chat_completions.decode import decode

HELLO = [{"role": "user", "content": "Hello"}]
PASTED = "data:image/png;base64,aGk="


def request(*messages: dict[str, Any], **fields: Any) -> ModelRequest:
    return decode(orjson.dumps({"model": "m", "messages": [*messages]} | fields)).request


def message(**fields: Any) -> Message:
    return request(fields).messages[0]


def parts(*content: Any) -> tuple[Part, ...]:
    return message(role="user", content=list(content)).parts


def told(part: Part) -> tuple[Any, ...]:
    """What is known of a file: address, id or bytes, media type, name, place."""
    assert isinstance(part, Media)
    source = part.source
    found: Any = b"".join(source.content.pieces) if isinstance(source, Inline) else source
    return found, part.media_type, part.name, part.param


MEDIA = [
    (
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "high"}},
        (Url("https://example.com/a.png"), None, None, "image_url"),
    ),
    ({"type": "image_url", "image_url": "https://x.test/a"}, (Url("https://x.test/a"), None, None, "image_url")),
    ({"type": "image_url", "image_url": PASTED}, (b"hi", "image/png", None, "image_url")),
    ({"type": "image_url", "image_url": {"url": PASTED}}, (b"hi", "image/png", None, "image_url")),
    (
        {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,aGk="}},
        (b"hi", "video/mp4", None, "video_url"),
    ),
    (
        {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
        (b"hi", "audio/wav", None, "input_audio.data"),
    ),
    (
        {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "MP3"}},
        (b"hi", "audio/mpeg", None, "input_audio.data"),
    ),
    (
        {"type": "input_audio", "input_audio": {"data": "data:;base64,aGk=", "format": "m4a"}},
        (b"hi", "audio/mp4", None, "input_audio.data"),
    ),
    (
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,aGk=", "filename": "a.pdf"}},
        (b"hi", "application/pdf", "a.pdf", "file.file_data"),
    ),
    ({"type": "file", "file": {"file_data": "aGk=", "filename": None}}, (b"hi", None, None, "file.file_data")),
    (
        {"type": "file", "file": {"file_data": "https://example.com/a.pdf", "filename": "a.pdf"}},
        (Url("https://example.com/a.pdf"), None, "a.pdf", "file.file_data"),
    ),
    (
        {"type": "file", "file": {"file_id": "https://example.com/a.pdf"}},
        (Url("https://example.com/a.pdf"), None, None, "file.file_id"),
    ),
    (
        {"type": "file", "file": {"file_id": "file-abc", "filename": "a.pdf"}},
        (FileId("file-abc"), None, "a.pdf", "file.file_id"),
    ),
    ({"type": "file", "file": {"file_id": "file-abc"}}, (FileId("file-abc"), None, None, "file.file_id")),
    ({"type": "file", "file": {"file_data": "aGk=", "file_id": "file-abc"}}, (b"hi", None, None, "file.file_data")),
]  # fmt: skip


@pytest.mark.parametrize(("part", "expected"), MEDIA)
def test_every_shape_of_a_file(part: dict[str, Any], expected: tuple[Any, ...]) -> None:
    *known, place = expected
    (alone,) = parts(part)
    assert told(alone) == (*known, f"messages[0].content[0].{place}")

    decoded = request(*HELLO, {"role": "user", "content": ["x", part]})
    assert told(decoded.messages[1].parts[1]) == (*known, f"messages[1].content[1].{place}")


@pytest.mark.parametrize("part", [part for part, _ in MEDIA])
def test_a_tools_result_may_hold_files(part: dict[str, Any]) -> None:
    (result,) = message(role="tool", tool_call_id="call_1", content=["Seen:", part]).parts

    assert isinstance(result, ToolResult)
    assert result.parts[0] == Text("Seen:")
    assert told(result.parts[1]) == (*told(parts("Seen:", part)[1]),)


@pytest.mark.parametrize(
    ("part", "param"),
    [
        ({"type": "image_url"}, "image_url"),
        ({"type": "image_url", "image_url": 5}, "image_url"),
        ({"type": "image_url", "image_url": {}}, "image_url.url"),
        ({"type": "image_url", "image_url": {"url": "a.png"}}, "image_url"),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,a"}}, "image_url"),
        ({"type": "image_url", "image_url": "data:image/png;base64,*aGk="}, "image_url"),
        ({"type": "image_url", "image_url": ""}, "image_url"),
        ({"type": "video_url", "video_url": {"url": "rtsp://example.com/a"}}, "video_url"),
        ({"type": "input_audio", "input_audio": {"data": "aGk="}}, "input_audio.format"),
        ({"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav\r\nX: y"}}, "input_audio.format"),
        ({"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}, "input_audio.data"),
        ({"type": "input_audio", "input_audio": {"data": "a.wav", "format": "wav"}}, "input_audio.data"),
        ({"type": "file", "file": {}}, "file.file_data"),
        ({"type": "file", "file": {"file_data": "", "filename": "a.pdf"}}, "file.file_data"),
        ({"type": "file", "file": {"file_data": "/etc/passwd.", "filename": "a.pdf"}}, "file.file_data"),
        ({"type": "file", "file": {"file_id": ""}}, "file.file_data"),
    ],
)
def test_a_file_that_cannot_be_had_names_its_place(part: dict[str, Any], param: str) -> None:
    with pytest.raises(GatewayError) as caught:
        request(*HELLO, {"role": "user", "content": ["x", part]})

    assert caught.value.kind is ErrorKind.INVALID_REQUEST
    assert caught.value.param == f"messages[1].content[1].{param}"


def test_megabytes_are_decoded_whole() -> None:
    data = bytes(range(256)) * 20_000

    (picture,) = parts({"type": "image_url", "image_url": f"data:image/png;base64,{base64.b64encode(data).decode()}"})

    assert told(picture)[0] == data


class TestPasted:
    @pytest.mark.parametrize("role", ["user", "assistant"])
    def test_in_a_content_that_is_a_text(self, role: str) -> None:
        text, picture = message(role=role, content=f"See {PASTED} there").parts

        assert text == Text("See [attached file 1] there")
        assert told(picture) == (b"hi", "image/png", None, "messages[0].content")

    def test_in_a_text_part(self) -> None:
        before, text, picture, after = parts("x", {"type": "text", "text": f"![a cat]({PASTED})"}, "y")

        assert (before, text, after) == (Text("x"), Text("[attached file 1]"), Text("y"))
        assert told(picture) == (b"hi", "image/png", "a cat", "messages[0].content[1].text")

    def test_in_a_tools_result(self) -> None:
        (result,) = message(role="tool", tool_call_id="call_1", content=PASTED).parts

        assert isinstance(result, ToolResult)
        assert [result.parts[0], told(result.parts[1])[0]] == [Text("[attached file 1]"), b"hi"]

    @pytest.mark.parametrize("role", ["system", "developer"])
    def test_instructions_may_quote_one(self, role: str) -> None:
        said = f"Write pictures as {PASTED} only."

        assert message(role=role, content=said).parts == (Text(said),)
        assert message(role=role, content=[{"type": "text", "text": said}]).parts == (Text(said),)

    @pytest.mark.parametrize(
        "text", ['const icon = "data:image/png;base64,aGk=";', "data:image/png;base64,", ";base64,"]
    )
    def test_what_is_none_stays_a_text(self, text: str) -> None:
        assert message(role="user", content=text).parts == parts(text) == (Text(text),)


WORDS = [f"lifted{7:032x}x{number}x" for number in range(2)]


class TestLifted:
    FILES: ClassVar = dict(zip(WORDS, [content_of(b"hi"), content_of(b"ho")], strict=True))

    def lifted(self, *content: Any) -> ModelRequest:
        body = orjson.dumps({"model": "m", "messages": [{"role": "user", "content": list(content)}]})
        return decode(body, lifted=self.FILES).request

    def test_what_was_taken_out_of_the_body_is_found_by_its_word(self) -> None:
        decoded = self.lifted(
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{WORDS[0]}"}},
            {"type": "input_audio", "input_audio": {"data": WORDS[1], "format": "wav"}},
            {"type": "file", "file": {"file_data": WORDS[0]}},
            f"data:image/png;base64,{WORDS[1]}",
        )
        found = [told(part)[0] for part in decoded.messages[0].parts if isinstance(part, Media)]

        assert found == [b"hi", b"ho", b"hi", b"ho"]
        assert decoded.lifted == self.FILES

    def test_what_is_no_file_stays_in_the_text_to_be_put_back(self) -> None:
        said = f'url("data:image/png;base64,{WORDS[0]}")'

        assert self.lifted(said).messages[0].parts == (Text(said),)

    @pytest.mark.parametrize("behind", ["=", "\n", "\r\n", " "])
    def test_line_breaks_and_padding_behind_it_are_no_fault(self, behind: str) -> None:
        (file,) = self.lifted({"type": "file", "file": {"file_data": f"{WORDS[1]}{behind}"}}).messages[0].parts

        assert told(file)[0] == b"ho"

    @pytest.mark.parametrize("behind", ["A", "AA", "AAA", "AAAA", " AAAAA", "\nAAA", "*"])
    def test_a_word_with_something_behind_it_is_no_base64(self, behind: str) -> None:
        """The client's base64 went on behind its padding: what the word itself would decode to is nobody's file."""
        with pytest.raises(GatewayError) as caught:
            self.lifted({"type": "file", "file": {"file_data": f"{WORDS[0]}{behind}"}})
        assert caught.value.param == "messages[0].content[0].file.file_data"


@pytest.mark.parametrize(
    ("modalities", "images"),
    [(["image", "text"], True), (["image"], True), (["text"], False), ([], False), (None, False), ([None, 5], False)],
)
def test_pictures_are_wanted_apart_where_the_modalities_say_so(modalities: Any, images: bool) -> None:
    assert request(*HELLO, modalities=modalities).images is images
