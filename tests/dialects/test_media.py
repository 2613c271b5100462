import pytest

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.request import Inline, Media, Url
from poe2openai.dialects.media import is_address, media_from_url, media_inline

PARAM = "messages[0].content[1].image_url.url"


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
    assert media_from_url(url, PARAM, name="a.png") == Media(Inline("aGk="), media_type, "a.png", PARAM)


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

    assert media == Media(Inline("aGk="), "audio/wav", "a.wav", PARAM)


def test_no_data_is_no_media() -> None:
    with pytest.raises(GatewayError, match="there is no data"):
        media_inline("", PARAM)


def test_an_address_is_told_from_base64() -> None:
    assert all(map(is_address, ["https://x", "http://x", "data:image/png;base64,", "Data:x"]))
    assert not any(map(is_address, ["", "aGk=", "httpsx", "data"]))
