"""Poe's bytes to events, as a dialogue: what Poe writes, what comes of it."""

import dataclasses
import random
import time
from collections.abc import Iterable, Iterator

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.poe.events import Done, Error, File, PoeEvent, Replace, Text, ToolCallDelta, read_events

DONE = b"event: done\r\ndata: {}\r\n\r\n"


def event(name: str, data: object, line_end: str = "\r\n") -> bytes:
    payload = data if isinstance(data, str) else orjson.dumps(data).decode()
    return f"event: {name}{line_end}data: {payload}{line_end}{line_end}".encode()


def joined(batches: Iterable[list[PoeEvent]]) -> list[PoeEvent]:
    """All events, neighbouring texts joined over the batches too."""
    events: list[PoeEvent] = []
    for item in (item for batch in batches for item in batch):
        last = events[-1] if events else None
        if isinstance(item, Text) and isinstance(last, Text) and last.index == item.index:
            events[-1] = Text(last.text + item.text, item.index)
        else:
            events.append(item)
    return events


def read(*chunks: bytes) -> list[PoeEvent]:
    return joined(read_events(chunks))


def cut_anyhow(stream: bytes, seed: int) -> list[bytes]:
    chance = random.Random(seed)
    borders = sorted(chance.sample(range(len(stream) + 1), min(len(stream), chance.choice([1, 3, 12, 60]))))
    return [stream[a:b] for a, b in zip([0, *borders], [*borders, len(stream)], strict=True)]


def failure(events: list[PoeEvent]) -> GatewayError:
    last = events[-1]
    assert isinstance(last, Error)
    return last.error


def test_the_events_of_an_answer() -> None:
    stream = b"".join(
        [
            event("meta", {"content_type": "text/markdown"}),
            event("text", {"text": "Hel"}),
            event("text", {"text": "lo", "index": 0}),
            event("ping", {}),
            event("suggested_reply", {"text": "Why?"}),
            event("data", {"metadata": "x"}),
            event("unheard-of", {"text": "no"}),
            event("replace_response", {"text": "Bye", "index": 1}),
            event("file", {"url": "https://f/1", "content_type": "image/png", "name": "a.png", "inline_ref": "r"}),
            event("file", {"url": "https://f/2"}),
            DONE,
        ]
    )
    assert read(stream) == [
        Text("Hello"),
        Replace("Bye", 1),
        File("https://f/1", "image/png", "a.png", "r"),
        File("https://f/2", "application/octet-stream", "", None),
        Done(),
    ]


def test_native_tool_calls() -> None:
    first = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}}
    stream = b"".join(
        [
            event(
                "json", {"choices": [{"delta": {"content": "Look: ", "tool_calls": [first]}, "finish_reason": None}]}
            ),
            event("json", {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}}]}),
            event("json", {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}),
            event("json", {"choices": []}),
            event("json", "null"),
            DONE,
        ]
    )
    assert read(stream) == [
        Text("Look: "),
        ToolCallDelta(0, "call_1", "f", "{}"),
        Done("tool_calls"),
    ]


def arguments_event(text: str) -> bytes:
    return event("json", {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": text}}]}}]})


@given(st.lists(st.text(max_size=6), max_size=30), st.integers(1, 200))
def test_pieces_of_a_call_are_the_same_in_every_cutting(pieces: list[str], size: int) -> None:
    stream = b"".join([*map(arguments_event, pieces), DONE])
    chunks = [stream[at : at + size] for at in range(0, len(stream), size)]

    said = [found for batch in read_events(chunks) for found in batch if isinstance(found, ToolCallDelta)]

    assert "".join(delta.arguments for delta in said) == "".join(pieces)


def test_texts_of_one_read_leave_as_one_batch_with_one_text() -> None:
    chunk = b"".join(event("text", {"text": f"{i} "}) for i in range(100))
    assert list(read_events([chunk, b"", DONE])) == [[Text("".join(f"{i} " for i in range(100)))], [], [Done()]]


@pytest.mark.parametrize("line_end", ["\n", "\r", "\r\n"])
@pytest.mark.parametrize("seed", range(40))
def test_any_cutting_gives_the_same_events(line_end: str, seed: int) -> None:
    stream = b"\xef\xbb\xbf" + b"".join(
        [
            event("text", {"text": 'Grüße 你好 😀 "quoted"\n'}, line_end),
            b": ping" + line_end.encode() * 2,
            f'event: text{line_end}data: {{"text":{line_end}data: "over lines"}}{line_end}{line_end}'.encode(),
            event("text", '{"text": "\\u4f60\\ud83d\\ude00"}', line_end),
            event("replace_response", {"text": "all"}, "\n"),
            event("text", {"text": " new"}, "\r"),
            event("done", {}, line_end),
        ]
    )
    expected = [Text('Grüße 你好 😀 "quoted"\nover lines你😀'), Replace("all"), Text(" new"), Done()]
    assert read(*cut_anyhow(stream, seed)) == expected


@given(
    st.lists(st.text(st.characters(codec="utf-8")), min_size=1), st.integers(0, 10**6), st.sampled_from(["\n", "\r\n"])
)
def test_no_text_is_ever_lost_or_changed(texts: list[str], seed: int, line_end: str) -> None:
    stream = b"".join(event("text", {"text": text}, line_end) for text in texts) + DONE
    events = read(*cut_anyhow(stream, seed))
    assert [item for item in events if item != Text("")] == [Text(t) for t in ["".join(texts)] if t] + [Done()]


@given(st.binary(max_size=300), st.integers(0, 10**6))
def test_garbage_ends_in_an_error_or_in_poes_own_end(stream: bytes, seed: int) -> None:
    events = read(*cut_anyhow(stream, seed))
    assert isinstance(events[-1], Done | Error)
    assert not any(isinstance(item, Done | Error) for item in events[:-1])


def test_a_character_whose_halves_came_in_two_events_is_whole() -> None:
    halves = event("text", '{"text": "a\\ud83d"}') + event("text", '{"text": "\\ude00b"}')
    assert read(halves + DONE) == [Text("a😀b"), Done()]


def test_half_a_character_alone_is_shown_as_such() -> None:
    assert read(event("text", '{"text": "a\\ud83d"}') + event("text", {"text": "b"}) + DONE) == [
        Text("a\ufffdb"),
        Done(),
    ]
    assert read(event("text", '{"text": "a\\ud83d"}') + DONE) == [Text("a\ufffd"), Done()]


@pytest.mark.parametrize(
    ("chunks", "kind"),
    [
        ([], ErrorKind.UPSTREAM_EMPTY),
        ([b"\r\n"], ErrorKind.UPSTREAM_EMPTY),
        ([b"<html><body>Oops</body></html>"], ErrorKind.UPSTREAM_INVALID),
        ([b": ping\r\n\r\n"], ErrorKind.UPSTREAM_CUT_OFF),
        ([event("text", {"text": "a"})], ErrorKind.UPSTREAM_CUT_OFF),
        ([event("text", {"text": "a"})[:-2]], ErrorKind.UPSTREAM_CUT_OFF),
        ([DONE[:-2]], ErrorKind.UPSTREAM_CUT_OFF),
        ([event("text", "no JSON")], ErrorKind.UPSTREAM_INVALID),
        ([event("text", {"text": 1})], ErrorKind.UPSTREAM_INVALID),
        ([event("text", '{"text": "a"},{"text": "b"}')], ErrorKind.UPSTREAM_INVALID),
        ([event("text", "[" * 100_000)], ErrorKind.UPSTREAM_INVALID),
        ([event("file", {"name": "a"})], ErrorKind.UPSTREAM_INVALID),
        ([b'event: text\r\ndata: {"text": "\xff"}\r\n\r\n'], ErrorKind.UPSTREAM_INVALID),
    ],
)
def test_a_stream_that_does_not_end_well_is_an_error(chunks: list[bytes], kind: ErrorKind) -> None:
    assert failure(read(*chunks)).kind is kind


def test_poes_error_ends_the_answer() -> None:
    events = read(event("text", {"text": "half"}) + event("error", {"text": "Bot does not exist"}) + DONE)
    assert events[0] == Text("half")
    assert failure(events).kind is ErrorKind.MODEL_NOT_FOUND


def test_what_follows_the_end_is_not_read() -> None:
    asked = []

    def chunks() -> Iterator[bytes]:
        yield DONE + event("text", {"text": "late"})
        asked.append("more")

    assert joined(read_events(chunks())) == [Done()]
    assert not asked


def test_a_fault_on_the_way_is_the_answers_error() -> None:
    fault = GatewayError(ErrorKind.UPSTREAM_TIMEOUT, "silent")

    def chunks() -> Iterator[bytes]:
        yield event("text", {"text": "a"})
        raise fault

    assert list(read_events(chunks())) == [[Text("a")], [Error(fault)]]


def test_a_large_event_in_many_pieces_costs_linear_time() -> None:
    def seconds(size: int) -> float:
        stream = event("text", {"text": "a" * size}) + DONE
        pieces = [stream[i : i + 500] for i in range(0, len(stream), 500)]
        began = time.process_time()
        assert len(read(*pieces)) == 2
        return time.process_time() - began

    small = min(seconds(200_000) for _ in range(3))
    # Quadratic work would make it 64 times as long.
    assert seconds(1_600_000) < 30 * max(small, 0.002)


def test_an_event_beyond_any_answers_size_is_refused() -> None:
    assert failure(read(b"event: text\r\ndata: ", *[b"a" * 65536] * 200)).kind is ErrorKind.UPSTREAM_INVALID


HALF = "\\ud83d"


def tool_call(fields: str) -> bytes:
    return event("json", f'{{"choices": [{{"delta": {{"tool_calls": [{{{fields}}}]}}}}]}}')


@pytest.mark.parametrize(
    "odd",
    [
        event("json", f'{{"choices": [{{"delta": {{"content": "a{HALF}"}}}}]}}'),
        tool_call(f'"id": "c{HALF}", "function": {{"name": "f{HALF}"}}'),
        tool_call(f'"id": "c", "function": {{"arguments": "{HALF}"}}'),
        tool_call('"id": "c", "function": {"arguments": {"n": 1e400}}'),
        tool_call('"id": "c", "function": {"arguments": 99999999999999999999}'),
        tool_call(f'"id": "c", "function": {{"arguments": {"[" * 900 + "]" * 900}}}'),
        event("file", f'{{"url": "https://f/{HALF}", "name": "{HALF}", "content_type": "{HALF}", "inline_ref": "r"}}'),
    ],
)
def test_whatever_a_bot_sends_can_be_written_out_again(odd: bytes) -> None:
    events = read(odd + DONE)
    assert events[-1] == Done()
    orjson.dumps([str(value) for item in events for value in dataclasses.astuple(item)])


def test_a_bot_that_sends_arguments_as_an_object_is_understood() -> None:
    call = {"id": "c", "function": {"name": "f", "arguments": {"city": "Paris"}}}
    events = read(event("json", {"choices": [{"delta": {"tool_calls": [call]}}]}) + DONE)
    assert events[0] == ToolCallDelta(0, "c", "f", '{"city": "Paris"}')
