"""Files in a client's body: by address, in base64, or pasted into a text."""

import base64
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poe2openai.core.content import content_of
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.request import Inline, Media, Part, Text, Url
from poe2openai.dialects.media import is_address, media_from_url, media_inline, pasted_media

PARAM = "messages[0].content[1].image_url"


def told(media: Part) -> tuple[bytes, str | None, str | None]:
    assert isinstance(media, Media)
    assert isinstance(media.source, Inline)
    assert media.param == PARAM
    return b"".join(media.source.content.pieces), media.media_type, media.name


@pytest.mark.parametrize("url", ["https://example.com/a.png", "http://example.com/a?b=c#d", "HTTPS://EXAMPLE.COM/é"])
def test_an_address_stays_an_address(url: str) -> None:
    assert media_from_url(url, PARAM) == Media(Url(url), None, None, PARAM)


@pytest.mark.parametrize(
    ("url", "media_type"),
    [
        ("data:image/png;base64,aGk=", "image/png"),
        ("DATA:IMAGE/PNG;BASE64,aGk=", "image/png"),
        ("data:image/svg+xml;charset=utf-8;base64,aGk=", "image/svg+xml"),
        ("data:;base64,aGk=", None),
        ("data:application/vnd.openxmlformats-officedocument.wordprocessingml.document;base64,aGk=",
         "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ],
)  # fmt: skip
def test_a_data_url_is_split_into_media_type_and_data(url: str, media_type: str | None) -> None:
    assert told(media_from_url(url, PARAM, name="a.png")) == (b"hi", media_type, "a.png")


def test_what_a_data_url_says_of_itself_wins() -> None:
    assert media_from_url("data:image/png;base64,aGk=", PARAM, media_type="image/jpeg").media_type == "image/png"
    assert media_from_url("data:;base64,aGk=", PARAM, media_type="image/jpeg").media_type == "image/jpeg"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.png",
        "/etc/passwd",
        "file:///etc/passwd",
        "ftp://example.com/a.png",
        "httpss://example.com",
        "data:",
        "data:image/png",
        "data:image/png;base64",
        "data:image/png;base64,",
        "data:image/png;base64,=",
        "data:image/png;base64,a",
        "data:image/png;base64,aGk*",
        "data:image/png;base64,aG=kAAAA",
        "data:image/png;base64,%61Gk=",
        "data:image/png;base64,äGk=",
        "data:image/png,aGk=",
        "data:text/plain,hello%20world",
        "data:image/png;base64;name=x,aGk=",
        "data:image;base64,aGk=",
        "data:image/p\r\nng;base64,aGk=",
        "data:" + "x" * 2000 + ";base64,aGk=",
    ],
)
def test_anything_else_is_refused_with_its_place(url: str) -> None:
    with pytest.raises(GatewayError) as caught:
        media_from_url(url, PARAM)

    assert caught.value.kind is ErrorKind.INVALID_REQUEST
    assert caught.value.param == PARAM
    assert len(caught.value.message) < 200


def test_bare_base64_is_inline() -> None:
    media = media_inline("aGk=", PARAM, media_type="audio/wav", name="a.wav")

    assert told(media) == (b"hi", "audio/wav", "a.wav")


@pytest.mark.parametrize("empty", ["", "=", "\n"])
def test_no_data_is_no_media(empty: str) -> None:
    with pytest.raises(GatewayError, match="there is no data"):
        media_inline(empty, PARAM)


def test_a_refusal_never_shows_the_data() -> None:
    with pytest.raises(GatewayError) as caught:
        media_inline("secret*" * 100, PARAM)
    assert "secret" not in caught.value.message


@given(st.binary(max_size=60), st.booleans(), st.booleans(), st.integers(0, 20))
def test_base64_comes_in_many_hands(data: bytes, is_url_safe: bool, is_padded: bool, line: int) -> None:
    """Of URLs' alphabet, without its padding, in lines: each is the same file (RFC 4648, 2045)."""
    text = (base64.urlsafe_b64encode if is_url_safe else base64.b64encode)(data + b"!").decode()
    text = text if is_padded else text.rstrip("=")
    text = f"{text[:line]}\r\n{text[line:]}"

    assert told(media_inline(text, PARAM))[0] == data + b"!"


def test_a_large_one_is_decoded_in_pieces_and_others_run_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytes(range(256)) * 16_000
    text = base64.b64encode(data).decode()
    lines = "\n".join(text[at : at + 76] for at in range(0, len(text), 76))
    turns: list[float] = []
    monkeypatch.setattr(time, "sleep", turns.append)

    for written in (text, lines, text.rstrip("="), base64.urlsafe_b64encode(data).decode()):
        assert told(media_inline(written, PARAM))[0] == data
    assert len(turns) >= 4 * (len(text) // 1024 // 1024)


def test_what_was_lifted_is_found_by_its_word() -> None:
    lifted = {"aGkx": content_of(b"a file"), "aGky": content_of(b"")}

    assert told(media_inline("aGkx", PARAM, lifted))[0] == b"a file"
    assert told(media_from_url("data:image/png;base64,aGkx", PARAM, lifted)) == (b"a file", "image/png", None)
    assert told(media_inline("aGkz", PARAM, lifted))[0] == b"hi3"
    with pytest.raises(GatewayError, match="there is no data"):
        media_inline("aGky", PARAM, lifted)


class TestPasted:
    @pytest.mark.parametrize(
        ("text", "said", "names"),
        [
            ("data:image/png;base64,aGk=", "[attached file 1]", [None]),
            ("a data:image/png;base64,aGk= b", "a [attached file 1] b", [None]),
            ("a\ndata:image/png;base64,aGk=\nb", "a\n[attached file 1]\nb", [None]),
            ("![a cat](data:image/png;base64,aGk=)", "[attached file 1]", ["a cat"]),
            ("so:![](data:image/png;base64,aGk=).", "so:[attached file 1].", [None]),
            ("[a.pdf](data:application/pdf;base64,aGk=)", "[attached file 1]", ["a.pdf"]),
            (
                "![x](data:image/png;base64,aGk=) data:image/png;base64,aGk=",
                "[attached file 1] [attached file 2]",
                ["x", None],
            ),
            (
                "data:image/png;base64,aGk data:image/png;base64,a data:image/png;base64,aG-_",
                "[attached file 1] data:image/png;base64,a [attached file 2]",
                [None, None],
            ),
        ],
    )
    def test_a_file_that_stands_alone_or_in_markdown(self, text: str, said: str, names: list[str | None]) -> None:
        first, *files = pasted_media(text, PARAM)

        assert first == Text(said)
        assert [told(file)[2] for file in files] == names

    @pytest.mark.parametrize(
        "text",
        [
            'src="data:image/png;base64,aGk="',
            "`data:image/png;base64,aGk=`",
            "(data:image/png;base64,aGk=)",
            "url(data:image/png;base64,aGk=)",
            "xdata:image/png;base64,aGk=",
            "data:image/png;base64,aGk=.",
            "data:image/png;base64,",
            "data:image/png;base64,a",
            "data:image/png;base64,====",
            "data:image;base64,aGk=",
            "![x](data:image/png;base64,aGk",
            "data: image/png;base64,aGk=",
            "data:text/plain,hello ;base64,",
            ";base64,",
            "Hello",
        ],
    )
    def test_everything_else_stays_as_it_is(self, text: str) -> None:
        assert pasted_media(text, PARAM) == [Text(text)]

    def test_an_empty_text_is_no_part(self) -> None:
        assert pasted_media("", PARAM) == []

    def test_what_was_lifted_out_of_it_is_a_file_too(self) -> None:
        said, file = pasted_media("See data:image/png;base64,aGkx", PARAM, {"aGkx": content_of(b"a file")})

        assert said == Text("See [attached file 1]")
        assert told(file)[0] == b"a file"

    @given(st.text(st.sampled_from("data:/;base64,[]()!x \nAg=-_"), max_size=60))
    def test_any_text_keeps_its_words(self, text: str) -> None:
        for mark in ("", "data:image/png;base64,aGk= "):
            parts = pasted_media(mark + text, PARAM)
            assert len(parts) >= (1 if text else 0)
            assert all(isinstance(part, Media) for part in parts[1:])

    @pytest.mark.parametrize(
        "text",
        ["data:;base64," * 40_000, "[a" * 200_000, "[](data:;base64," * 40_000, "![x](data:" * 60_000, "[" * 9**6],
    )
    def test_no_text_takes_long_to_look_through(self, text: str) -> None:
        began = time.perf_counter()
        pasted_media(f"{text};base64,", PARAM)
        assert time.perf_counter() - began < 1.0


def test_an_address_is_told_from_base64() -> None:
    assert all(map(is_address, ["https://x", "http://x", "data:image/png;base64,", "Data:x"]))
    assert not any(map(is_address, ["", "aGk=", "httpsx", "data"]))
