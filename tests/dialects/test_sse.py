import pytest
from hypothesis import given
from hypothesis import strategies as st
from sseclient import SSEClient

from poe2openai.dialects import sse


def read(stream: bytes) -> list[tuple[str, str]]:
    """Events as an independent reader sees them."""
    return [(event.event, event.data) for event in SSEClient(iter([stream])).events()]


def test_a_frame_is_one_line_and_an_empty_one() -> None:
    assert sse.frame(b'{"a":1}') == b'data: {"a":1}\n\n'


def test_a_frame_may_name_its_event() -> None:
    assert sse.frame(b"{}", event="message_start") == b"event: message_start\ndata: {}\n\n"


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_a_line_end_in_the_data_cannot_end_the_event(line_end: bytes) -> None:
    written = sse.frame(b"one" + line_end + b"event: forged" + line_end)

    assert read(written) == [("message", "one\nevent: forged\n")]


def test_empty_data_is_still_an_event() -> None:
    assert sse.frame(b"") == b"data: \n\n"


def test_a_comment_is_no_event() -> None:
    assert sse.comment("ping") == b": ping\n\n"
    assert read(sse.comment("ping")) == []


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_comment_of_two_lines_stays_a_comment(line_end: str) -> None:
    assert read(sse.comment(f"one{line_end}data: forged")) == []


@given(st.lists(st.text(), max_size=4))
def test_whatever_is_written_is_read_back(texts: list[str]) -> None:
    stream = b"".join(sse.frame(text.encode()) + sse.comment("ping") for text in texts)

    expected = [text.replace("\r\n", "\n").replace("\r", "\n") for text in texts]
    assert [data for _, data in read(stream)] == expected
