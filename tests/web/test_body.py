"""Reading a request's body: counted as it comes, never a 500."""

import io
from typing import Any

import pytest
from gunicorn.http.errors import InvalidChunkSize

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.web.body import read_body


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
