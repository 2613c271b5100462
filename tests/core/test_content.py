"""The bytes of a file in pieces: the same whatever the pieces are."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poe2openai.core.content import PIECE, Content, ContentBuilder, content_of, put_back, type_by_name

PIECES = st.lists(st.binary(max_size=9), max_size=6)


def built(pieces: list[bytes]) -> Content:
    builder = ContentBuilder()
    for piece in pieces:
        builder.add(piece)
    return builder.finish()


@given(PIECES)
def test_size_digest_and_base64_are_those_of_the_whole(pieces: list[bytes]) -> None:
    content, whole = built(pieces), b"".join(pieces)

    assert b"".join(content.pieces) == whole
    assert content.size == len(whole)
    assert content.sha256 == hashlib.sha256(whole).hexdigest()
    assert b"".join(content.base64()) == base64.b64encode(whole)


@given(PIECES, st.integers(0, 60))
def test_the_head_is_what_the_whole_begins_with(pieces: list[bytes], length: int) -> None:
    assert built(pieces).head(length) == b"".join(pieces)[:length]


def test_the_builder_knows_its_size_on_the_way() -> None:
    builder = ContentBuilder()
    builder.add(b"abc")
    builder.add(b"")
    builder.add(b"de")

    assert builder.size == 5
    assert builder.finish().pieces == (b"abc", b"de")


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 7])
def test_bytes_at_hand_become_pieces_of_a_bounded_size(size: int) -> None:
    data = (bytes(range(256)) * (size // 256 + 1))[:size]

    content = content_of(data)

    assert b"".join(content.pieces) == data
    assert (content.size, content.sha256) == (size, hashlib.sha256(data).hexdigest())
    assert all(0 < len(piece) <= PIECE for piece in content.pieces)
    assert b"".join(content.base64()) == base64.b64encode(data)
    assert all(len(piece) <= PIECE * 4 // 3 for piece in content.base64())


def test_it_can_be_read_more_than_once() -> None:
    content = content_of(b"hello")

    assert b"".join(content.base64()) == b"".join(content.base64()) == b"aGVsbG8="


def test_two_are_told_apart_though_their_bytes_are_the_same_and_no_log_shows_them() -> None:
    one, other = content_of(b"secret"), content_of(b"secret")

    assert one != other
    assert one.sha256 == other.sha256
    assert len({one, other}) == 2
    assert "secret" not in repr(one)


LIFTED = {
    "lifted-ab-1x": content_of(b"one"),
    "lifted-ab-2x": content_of(b"two"),
    "lifted-ab-12x": content_of(b"twelve"),
}


class TestPutBack:
    def test_each_word_becomes_the_base64_it_stands_for(self) -> None:
        text = b"a lifted-ab-12x, lifted-ab-1x and lifted-ab-2xlifted-ab-1x"

        assert put_back(text, LIFTED) == b"a dHdlbHZl, b25l and dHdvb25l"

    @pytest.mark.parametrize("text", [b"", b"lifted-ab-3x", b"lifted-ab-1", b"lifted-ab-x", b"lifted-cd-1x"])
    def test_what_stands_for_nothing_stays(self, text: bytes) -> None:
        assert put_back(text, LIFTED) == text

    def test_nothing_lifted(self) -> None:
        assert put_back(b"text", {}) == b"text"


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("a.png", "image/png"),
        ("a.b.JPG", "image/jpeg"),
        ("a.tar.gz", None),
        ("png", None),
        ("a", None),
        ("", None),
        ("a.", None),
        ("a.p/ng", None),
        ("//[.png", "image/png"),
    ],
)
def test_the_media_type_that_an_ending_tells(name: str, media_type: str | None) -> None:
    assert type_by_name(name) == media_type
