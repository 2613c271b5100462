"""Bytes to blocks: the same events whatever the line ends, however the bytes were cut."""

import itertools
import logging
import time

import pytest
import sseclient
from hypothesis import given
from hypothesis import strategies as st

from poe2openai.poe.sse import MAX_EVENT_BYTES, MAX_EVENT_LINES, EventSplitter, EventTooLarge, parse_block


def events_of(pieces: list[bytes]) -> list[tuple[str, str]]:
    splitter = EventSplitter()
    found = []
    for piece in pieces:
        block, rest = splitter.open(piece)
        for whole in ([block] if block else []) + (splitter.split(rest) if rest else []):
            found += [(event.event, event.data) for event in parse_block(whole)]
    return found


LINE_ENDS = [b"\n", b"\r", b"\r\n"]


@pytest.mark.parametrize("line_end", LINE_ENDS)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_any_line_end_and_any_cutting(line_end: bytes, mark: bytes) -> None:
    lines = [b"event: a", b"data: 1", b"data: 2", b"", b": comment", b"", b"data:3", b"", b""]
    stream = mark + line_end.join(lines)
    expected = [("a", "1\n2"), ("message", "3")]
    for first, second in itertools.combinations(range(len(stream) + 1), 2):
        assert events_of([stream[:first], stream[first:second], stream[second:]]) == expected
    assert events_of([stream[i : i + 1] for i in range(len(stream))]) == expected


@pytest.mark.parametrize(("first", "second"), list(itertools.product(LINE_ENDS, repeat=2)))
def test_mixed_line_ends_keep_events_apart(first: bytes, second: bytes) -> None:
    # A carriage return before a line feed is one line end, not two.
    blank = first + second if first + second != b"\r\n" else b"\r\n\n"
    stream = b"data: 1" + blank + b"data: 2" + blank
    for cut in range(len(stream)):
        assert events_of([stream[:cut], stream[cut:]]) == [("message", "1"), ("message", "2")]


def test_an_event_that_has_not_ended_is_not_given_out() -> None:
    splitter = EventSplitter()
    _, rest = splitter.open(b"data: 1\n\ndata: 2\n")
    assert splitter.split(rest) == [b"data: 1\n\n"]
    assert not splitter.is_between_events
    assert splitter.open(b"\n") == (b"data: 2\n\n", b"")
    assert splitter.is_between_events


def test_an_event_without_end_is_refused_before_it_fills_the_memory() -> None:
    splitter = EventSplitter()
    splitter.open(b": ")
    splitter.keep(b"a" * MAX_EVENT_BYTES)
    with pytest.raises(EventTooLarge):
        splitter.open(b"a")


@pytest.mark.parametrize("line_end", [*LINE_ENDS, b"\r\n\n", b"\n\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_runs_of_blank_lines_are_swallowed_in_every_cutting(line_end: bytes, mark: bytes) -> None:
    run = line_end * 4
    stream = mark + run + b"data: 1" + run + b"data: 2" + run
    for cut in range(len(stream)):
        assert events_of([stream[:cut], stream[cut:]]) == [("message", "1"), ("message", "2")]
    assert events_of([stream[i : i + 1] for i in range(len(stream))]) == [("message", "1"), ("message", "2")]


@pytest.mark.parametrize("line_end", [*LINE_ENDS, b"\r\n\n", b"\n\r"])
def test_blank_lines_are_no_blocks(line_end: bytes) -> None:
    splitter = EventSplitter()
    run = line_end * 500_000
    assert splitter.open(run) == (b"", b"")
    assert splitter.is_between_events
    assert splitter.split(run) == []
    assert len(splitter.split(b"data: 1" + run + b"data: 2" + run)) == 2
    assert splitter.is_between_events


def test_a_line_feed_that_ends_a_carriage_return_begins_no_event() -> None:
    splitter = EventSplitter()
    assert splitter.open(b"data: 1\r\r") == (b"", b"data: 1\r\r")
    assert splitter.split(b"data: 1\r\r") == [b"data: 1\r\r"]
    assert splitter.is_between_events
    assert splitter.open(b"\n") == (b"", b"")
    assert splitter.is_between_events


@pytest.mark.parametrize("line_end", LINE_ENDS)
def test_the_lines_of_an_event_are_bounded(line_end: bytes) -> None:
    block = (b"data: x" + line_end) * (MAX_EVENT_LINES - 1) + line_end
    assert [event.data for event in parse_block(block)] == ["\n".join("x" * (MAX_EVENT_LINES - 1))]
    for line in (b"data: x", b"", b"unknown", b":"):
        with pytest.raises(EventTooLarge, match="lines"):
            list(parse_block(line + line_end + block))


def test_an_event_that_would_be_copied_for_long_is_refused() -> None:
    before = time.process_time()
    with pytest.raises(EventTooLarge, match="lines"):
        list(parse_block((b"data: " + b"x" * 800 + b"\n") * 9_999))
    list(parse_block((b"data: " + b"x" * 16_000 + b"\n") * 500))
    assert time.process_time() - before < 5


@pytest.mark.parametrize(
    "block", [b"", b"\n", b":\n\n", b": ping\r\n\r\n", b":a\r:b\r\r", b": \xc3\xa4\n\n", b":\n" * (2 * MAX_EVENT_LINES)]
)
def test_comments_cost_no_reader(block: bytes, caplog: pytest.LogCaptureFixture) -> None:
    # The library says at each start that it starts.
    with caplog.at_level(logging.DEBUG):
        assert list(parse_block(block)) == []
        assert not caplog.records
        assert list(parse_block(b":\ndata: 1\n\n"))
        assert caplog.records


def outcome(block: bytes, *, alone: bool) -> object:
    """The events, by the library alone or by `parse_block`; or that the bytes are no text."""
    try:
        events = list(sseclient.SSEClient(iter([block])).events() if alone else parse_block(block))
    except UnicodeDecodeError:
        return UnicodeDecodeError
    return [(event.id, event.event, event.data, event.retry) for event in events]


LINES = st.sampled_from(
    (
        b"data: 1",
        b"data:",
        b"data",
        b"event: a",
        b"id: 7",
        b"retry: 5",
        b":",
        b": x",
        b":data: 1",
        b" ",
        b"\x1c",
        b"\xff",
    )
) | st.binary(max_size=6).filter(lambda line: not {10, 13} & set(line))


@given(lines=st.lists(LINES, max_size=6), line_end=st.sampled_from(LINE_ENDS), blank=st.booleans())
def test_a_block_means_what_it_means_to_the_library(lines: list[bytes], line_end: bytes, blank: bool) -> None:
    # A block holds a blank line at its end alone, if at all.
    block = line_end.join(line for line in lines if line) + (line_end * 2 if blank else b"")
    assert outcome(block, alone=False) == outcome(block, alone=True)
