from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.dialects.json_body import name_of_type, parse_object, require_shallow


def refusal(body: bytes) -> str:
    with pytest.raises(GatewayError) as caught:
        parse_object(body)
    assert caught.value.kind is ErrorKind.INVALID_REQUEST
    assert caught.value.param is None
    return caught.value.message


def test_an_object_is_read() -> None:
    assert parse_object('{"a": "é😀", "b": [1, 2.5, null, true]}'.encode()) == {"a": "é😀", "b": [1, 2.5, None, True]}


def test_the_last_of_two_equal_keys_counts() -> None:
    assert parse_object(b'{"a": 1, "a": 2}') == {"a": 2}


@pytest.mark.parametrize("body", [b'{"a": 1}', b' \n{"a": 1}'])
def test_a_byte_order_mark_is_no_obstacle(body: bytes) -> None:
    assert parse_object(b"\xef\xbb\xbf" + body) == {"a": 1}


@pytest.mark.parametrize("body", [b"", b" \n\t", b"\xef\xbb\xbf"])
def test_an_empty_body_is_called_empty(body: bytes) -> None:
    assert refusal(body) == "The body is empty: a JSON object was expected."


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b'{\n  "a": 1,\n  b\n}', "line 3, column 3"),
        (b'{"a": 1,}', "line 1, column 8"),
        (b'{"a": 1} x', "line 1, column 10"),
        (b'{"a": NaN}', "line 1, column 7"),
        (b'{"a": -Infinity}', "line 1, column 8"),
        (b'{"a": 1e999}', "line 1, column 7"),
        (b'{"a": "x\ny"}', "line 1, column 9"),
        (b'{"a": "x', "line 1, column 9"),
        (b"{'a': 1}", "line 1, column 2"),
        (b"\xef\xbb\xbf{b}", "line 1, column 2"),
        ('{"é": é}'.encode(), "line 1, column 7"),
    ],
)
def test_broken_json_is_told_with_its_place(body: bytes, place: str) -> None:
    message = refusal(body)

    assert message.startswith("The body is not valid JSON: ")
    assert message.endswith(f" ({place}).")


@pytest.mark.parametrize("escape", [b"\\ud800", b"\\udc00", b"\\ud800\\u0041", b"x\\udfff"])
@pytest.mark.parametrize("body", [b'{"a": "%s"}', b'{"%s": 1}'])
def test_a_lone_surrogate_is_refused_with_its_place(escape: bytes, body: bytes) -> None:
    message = refusal(body % escape)

    assert "surrogate" in message
    assert "line 1, column" in message


def test_a_pair_of_surrogates_is_a_character() -> None:
    assert parse_object(b'{"a": "\\ud83d\\ude00"}') == {"a": "😀"}


@pytest.mark.parametrize(
    ("body", "offset"),
    [(b'{"a": "\xff"}', 7), (b'{"a": "\xed\xa0\x80"}', 7), (b'{"a": "\xc3', 7), ('{"é'.encode() + b"\xff", 4)],
)
def test_what_is_not_utf8_is_told_with_its_offset(body: bytes, offset: int) -> None:
    assert refusal(body) == f"The body is not valid UTF-8 (at byte offset {offset})."


def test_utf16_is_not_utf8() -> None:
    assert "not valid UTF-8" in refusal('{"a": 1}'.encode("utf-16"))


@pytest.mark.parametrize("depth", [1025, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_too_deep_a_body_is_refused_with_its_place(depth: int, opening: bytes, closing: bytes) -> None:
    message = refusal(b'{"a":' + opening * depth + b"1" + closing * depth + b"}")

    assert "depth" in message
    assert "(line 1, column " in message


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"[]", "a list"),
        (b"null", "null"),
        (b'"model"', "a string"),
        (b"1", "an integer"),
        (b"1.5", "a number"),
        (b"true", "a boolean"),
    ],
)
def test_only_an_object_is_a_body(body: bytes, kind: str) -> None:
    assert refusal(body) == f"The body has to be a JSON object, but is {kind}."


def test_an_object_has_a_name_too() -> None:
    assert name_of_type({}) == "an object"


@given(st.binary())
def test_any_bytes_are_an_object_or_a_refusal(body: bytes) -> None:
    try:
        parsed = parse_object(body)
    except GatewayError:
        return
    assert isinstance(parsed, dict)


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def test_what_can_be_written_again_inside_a_query_passes() -> None:
    value = nested(230)

    require_shallow([("tools[0].function.parameters", value), ("other", None)])
    orjson.dumps({"query": [{"parameters": {"x": value}}]})


@pytest.mark.parametrize("levels", [250, 1020])
def test_what_could_not_be_written_again_is_refused_by_name(levels: int) -> None:
    with pytest.raises(GatewayError) as caught:
        require_shallow([("shallow", [1]), ("deep", nested(levels)), ("deep too", nested(levels))])

    assert caught.value.kind is ErrorKind.INVALID_REQUEST
    assert caught.value.param == "deep"
    assert "too deeply" in caught.value.message
