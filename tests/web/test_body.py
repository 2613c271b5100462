"""Reading a request's body: counted as it comes, never a 500."""

import base64
import io
from typing import Any

import orjson
import pytest
from gunicorn.http.errors import InvalidChunkSize

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.dialects.lifting import LiftedBody
from poe2openai.web.body import read_body, read_lifted


def environ(body: bytes, length: str | None = None, *, terminated: bool = False) -> dict[str, Any]:
    source: dict[str, Any] = {"wsgi.input": io.BytesIO(body), "wsgi.input_terminated": terminated}
    return source if length is None else {**source, "CONTENT_LENGTH": length}


def failure(source: dict[str, Any], limit: int = 10) -> ErrorKind:
    with pytest.raises(GatewayError) as caught:
        read_body(source, limit=limit, timeout=5.0)
    return caught.value.kind


@pytest.mark.parametrize("size", [0, 1, 10])
def test_bodies_up_to_the_limit_are_read(size: int) -> None:
    body = b"a" * size
    assert read_body(environ(body, str(size)), limit=10, timeout=5.0) == body
    assert read_body(environ(body, terminated=True), limit=10, timeout=5.0) == body


def test_a_large_body_is_whole() -> None:
    body = bytes(range(256)) * 5000
    assert read_body(environ(body, str(len(body))), limit=10**7, timeout=5.0) == body


def test_a_body_that_says_it_is_too_large_is_not_even_read() -> None:
    source = environ(b"a" * 11, "11")
    assert failure(source) is ErrorKind.TOO_LARGE
    assert source["wsgi.input"].tell() == 0


def test_a_chunked_body_is_counted_as_it_comes() -> None:
    assert failure(environ(b"a" * 11, terminated=True)) is ErrorKind.TOO_LARGE


def test_a_body_that_ends_early_is_told_so() -> None:
    assert failure(environ(b"abc", "5")) is ErrorKind.INVALID_REQUEST


@pytest.mark.parametrize("error", [InvalidChunkSize(b"zz"), ConnectionResetError(), ValueError()])
def test_broken_framing_is_the_clients_error(error: Exception) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise error

    assert failure({"wsgi.input": Broken(), "wsgi.input_terminated": True}) is ErrorKind.INVALID_REQUEST


@pytest.mark.parametrize("length", ["", "-1", "١", "abc"])
def test_a_length_that_is_none_means_no_body(length: str) -> None:
    assert read_body(environ(b"abc", length), limit=10, timeout=5.0) == b""


class Trickle(io.BytesIO):
    """Gives little at a time, as a slow client does."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(size or 0, 50_000))


def lifted(source: dict[str, Any], limit: int = 10**8) -> LiftedBody:
    return read_lifted(source, limit=limit, timeout=5.0)


FILE = bytes(range(256)) * 4_000
LARGE = orjson.dumps({"before": "ü", "data": base64.b64encode(FILE).decode(), "after": [1]})


class TestLifted:
    @pytest.mark.parametrize("source", [io.BytesIO, Trickle])
    @pytest.mark.parametrize("is_chunked", [False, True])
    def test_a_file_is_taken_out_of_a_large_body(self, source: type[io.BytesIO], is_chunked: bool) -> None:
        described = environ(b"", None if is_chunked else str(len(LARGE)), terminated=is_chunked)

        body = lifted({**described, "wsgi.input": source(LARGE)})

        ((word, content),) = body.files.items()
        assert b"".join(content.pieces) == FILE
        assert orjson.loads(body.text) == {"before": "ü", "data": word, "after": [1]}

    @pytest.mark.parametrize("size", [0, 1, 16_000, 100_000])
    def test_a_short_body_is_left_as_it_is(self, size: int) -> None:
        body = orjson.dumps({"data": "A" * size})

        assert lifted(environ(body, str(len(body)))) == LiftedBody(body)

    def test_no_body_is_empty(self) -> None:
        assert lifted(environ(b"", "0")) == lifted(environ(b"abc")) == LiftedBody(b"")

    def test_a_large_body_of_text_says_what_it_said(self) -> None:
        said = {"text": "C:\\new\nline data:image/png;base64,AAAA\nand then\n" * 20_000}
        body = orjson.dumps(said)

        assert orjson.loads(lifted(environ(body, str(len(body)))).text) == said

    @pytest.mark.parametrize("is_chunked", [False, True])
    def test_the_limit_is_for_what_was_sent(self, is_chunked: bool) -> None:
        described = environ(LARGE, None if is_chunked else str(len(LARGE)), terminated=is_chunked)
        with pytest.raises(GatewayError) as caught:
            lifted(described, limit=len(LARGE) - 1)
        assert caught.value.kind is ErrorKind.TOO_LARGE

        again = environ(LARGE, None if is_chunked else str(len(LARGE)), terminated=is_chunked)
        assert lifted(again, limit=len(LARGE)).files

    def test_a_body_that_ends_early_is_told_so(self) -> None:
        with pytest.raises(GatewayError) as caught:
            lifted(environ(LARGE[:600_000], str(len(LARGE))))
        assert caught.value.kind is ErrorKind.INVALID_REQUEST
