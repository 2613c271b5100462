"""Bytes to blocks: the same events whatever the line ends, however the bytes were cut."""

import itertools

import pytest

from poe2openai.poe.sse import MAX_EVENT_BYTES, EventSplitter, EventTooLarge, parse_block


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
