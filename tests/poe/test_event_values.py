"""What an event's JSON holds, and what cannot be used of it."""

import json
from typing import Any

import pytest

from poe2openai.poe.event_values import (
    ArgumentsForm,
    json_text,
    object_of,
    plain_texts,
    string_of,
    text_of,
    without_surrogates,
)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b'{"text": "a"}', "a"),
        (b'{"text": "a", "index": 0}', "a"),
        (b'{"text": "a", "index": 1}', None),
        (b'{"text": 5}', None),
        (b'["a"]', None),
        (b"{", None),
    ],
)
def test_the_text_of_a_plain_event(payload: bytes, expected: str | None) -> None:
    assert text_of(payload) == expected


def test_plain_texts_are_joined_or_left_to_be_looked_at_one_by_one() -> None:
    blocks = [b'event: text\ndata: {"text": "a"}', b'event: text\ndata: {"text": "b"}']
    start = len(b"event: text\ndata: ")
    assert plain_texts(blocks, start) == "ab"
    assert plain_texts([*blocks, b"event: text\ndata: {}"], start) is None
    assert plain_texts([*blocks, blocks[0] + b"\ndata: x"], start) is None


def test_objects_with_lone_surrogates_are_read_and_written_out_without() -> None:
    value = object_of('{"text": "\\ud800"}')
    assert value is not None
    assert string_of(value["text"]) == "\ufffd"
    assert without_surrogates("\ud83d\ude00") == "\U0001f600"
    assert object_of("[1]") is None
    assert object_of("{") is None
    assert string_of(5) is None


def test_arguments_that_came_as_an_object_become_text() -> None:
    assert json_text({"a": [1]}) == '{"a": [1]}'


def chunk(arguments: str, **fields: Any) -> bytes:
    call = {"index": 1, "function": {"arguments": arguments}}
    return json.dumps(
        {"choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None} | fields]}
    ).encode()


def test_pieces_of_arguments_are_read_as_one() -> None:
    form = ArgumentsForm.of(chunk('{"a'))
    assert form is not None
    assert form.index == 1
    pieces = ['{"a": ', '"é\n', "", "\\\\x", '"}']
    assert form.text([chunk(piece) for piece in pieces if not piece.endswith("\\")]) == "".join(pieces)
    assert form.run([chunk("a"), chunk("b"), b"{}"], 1) == 1


@pytest.mark.parametrize(
    "payload",
    [
        b"{}",
        chunk("a", finish_reason="tool_calls"),
        chunk("a", delta={"content": "a"}),
        chunk("a", delta={"tool_calls": [{"index": 0, "id": "1", "function": {"arguments": "a"}}]}),
        chunk("a", delta={"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "a"}}]}),
        b'{"choices": [{"delta": {"tool_calls": [{"index": "0", "function": {"arguments": "a"}}]}}]}',
    ],
)
def test_a_chunk_that_says_more_has_no_such_form(payload: bytes) -> None:
    assert ArgumentsForm.of(payload) is None


def test_a_chunk_of_another_form_is_not_read_as_this_one() -> None:
    form = ArgumentsForm.of(chunk("a"))
    assert form is not None
    for other in (chunk("a").replace(b'"index": 1', b'"index": 2'), chunk('a"}, "x": {"y": "z'), chunk("a")[:-1]):
        text = form.text([other])
        assert (
            text is None or text == json.loads(other)["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"]
        )
