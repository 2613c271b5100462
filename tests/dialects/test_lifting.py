"""Long base64 is taken out of a body as it comes: put back, the body says what it said, whatever the cutting."""

import base64
import random
import re
import time
import tracemalloc
from collections.abc import Callable, Iterable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poe2openai.core.content import Content
from poe2openai.core.request import Inline
from poe2openai.dialects.lifting import LEAST_LIFTED, LiftedBody, Lifter
from poe2openai.dialects.media import media_inline

DATA = random.Random(5).randbytes(60_001)
BASE64 = base64.b64encode(DATA).decode()
UNPADDED = base64.b64encode(DATA[:30_000]).decode()
SHORT = base64.b64encode(DATA[:300]).decode()
PIECE = 256 * 1024
CUTTINGS: list[Callable[[], int]] = [
    lambda: 7,
    lambda: random.randint(1, 5_000),
    lambda: random.randint(1, 40_000),
    lambda: PIECE,
]


def lifted(body: bytes, step: Callable[[], int] = lambda: PIECE) -> LiftedBody:
    lifter = Lifter()
    at = 0
    while at < len(body):
        size = step()
        lifter.feed(body[at : at + size])
        at += size
    return lifter.finish()


def put_back(body: LiftedBody) -> bytes:
    text = body.text
    for word, content in body.files.items():
        text = text.replace(word.encode(), b"".join(content.base64()))
    return text


def bytes_of(content: Content) -> bytes:
    return b"".join(content.pieces)


def escaped(body: bytes) -> bytes:
    return body.replace(b"/", b"\\/").replace(b"+", b"\\u002B")


@pytest.mark.parametrize("step", CUTTINGS)
@pytest.mark.parametrize("write", [bytes, escaped])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": "x", "url": f"data:image/png;base64,{BASE64}", "q": 1}, [DATA]),
        ({"input_audio": {"data": BASE64, "format": "wav"}}, [DATA]),
        ({"file": {"file_data": BASE64}}, [DATA]),
        ({"text": f"see data:image/png;base64,{BASE64} and this"}, [DATA]),
        ({"text": f"![x](data:image/png;base64,{BASE64})"}, [DATA]),
        ({"x": f"base64,{BASE64} base64,{BASE64}"}, [DATA, DATA]),
        ({"data": BASE64, "file_data": SHORT}, [DATA]),
        ({"data": "base64,base64," + BASE64 + "é"}, [DATA]),
        ({"data": BASE64 + BASE64}, [DATA]),
        ({"data": BASE64 + "==="}, [DATA]),
        ({"other": BASE64}, []),
        ({"data": "===" + BASE64}, []),
        ({"data": ""}, []),
        ({"data": [BASE64, {"data": BASE64}]}, [DATA]),
    ],
)
def test_each_long_base64_comes_out_decoded(
    value: dict[str, Any], expected: list[bytes], write: Callable[[bytes], bytes], step: Callable[[], int]
) -> None:
    body = lifted(write(orjson.dumps(value)), step)

    assert [bytes_of(content) for content in body.files.values()] == expected
    assert orjson.loads(put_back(body)) == value


def test_in_its_place_stands_a_word_that_differs_with_each_body_and_place() -> None:
    bodies = [lifted(orjson.dumps([{"data": BASE64}, {"data": BASE64}])) for _ in range(2)]
    words = [word for body in bodies for word in body.files]

    assert len(set(words)) == 4
    for body in bodies:
        assert [entry["data"] for entry in orjson.loads(body.text)] == list(body.files)
    # Whatever looks for base64 in a text finds the word whole.
    assert all(re.fullmatch(r"[A-Za-z0-9]{40,}", word) for word in words)


@pytest.mark.parametrize(("length", "is_lifted"), [(LEAST_LIFTED - 4, False), (LEAST_LIFTED, True)])
def test_a_short_one_stays_where_it_is(length: int, is_lifted: bool) -> None:
    body = orjson.dumps({"data": BASE64[:length]})

    assert bool(lifted(body).files) is is_lifted
    assert is_lifted or lifted(body).text == body


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_padding_may_be_missing(missing: int) -> None:
    data = DATA[: 30_001 + missing]
    text = base64.b64encode(data).decode().rstrip("=")

    (content,) = lifted(orjson.dumps({"data": text})).files.values()

    assert bytes_of(content) == data


def test_what_follows_the_padding_is_no_part_of_it() -> None:
    padded = base64.b64encode(DATA[:30_001]).decode()
    value = {"data": f"{padded}AAAA{BASE64}"}

    body = lifted(orjson.dumps(value))

    assert [bytes_of(content) for content in body.files.values()] == [DATA[:30_001]]
    assert orjson.loads(put_back(body)) == value


@pytest.mark.parametrize("step", CUTTINGS)
@pytest.mark.parametrize("line_break", ["\\n", "\\r\\n", "\\u000a", "\\u000D\\u000A"])
@pytest.mark.parametrize(("length", "end"), [(76, ""), (76, "\\n"), (LEAST_LIFTED, ""), (len(BASE64), "\\n")])
def test_base64_in_lines_is_the_same_file(length: int, end: str, line_break: str, step: Callable[[], int]) -> None:
    """As MIME has it (RFC 2045), or with a line break at its end."""
    lines = [BASE64[start : start + length] for start in range(0, len(BASE64), length)]
    body = lifted(f'{{"data":"{line_break.join(lines)}{end}"}}'.encode(), step)

    media = media_inline(orjson.loads(body.text)["data"], "", body.files)

    assert isinstance(media.source, Inline)
    assert bytes_of(media.source.content) == DATA


@pytest.mark.parametrize("step", [*CUTTINGS, lambda: 1])
@pytest.mark.parametrize(
    "value",
    [
        {"data": "one\ntwo"},
        {"data": "\n"},
        {"data": "C:\\new\\readme and C:\\/x"},
        {"text": "data:image/png;base64,AAAA\n\nand then\r\nmore"},
        {"text": "url = 'base64,' + data\nprint(\"\\n\")"},
        {"text": f"data:image/png;base64,{SHORT}\n[1]: https://example.com/a"},
        {"text": f"data:image/png;base64,{BASE64}\n\nWhat is this?\nC:\\new"},
        {"text": f"data:image/png;base64,{UNPADDED}\n\nWhat is this?"},
        {"text": f"{UNPADDED}base64,{UNPADDED}A base64,{UNPADDED}AA, base64,{UNPADDED}AAA."},
        {"text": f"base64,{UNPADDED}QR== base64,{UNPADDED}QQ= base64,{UNPADDED}=== base64,{UNPADDED}Q==="},
        {"data": "AB\nCD and not base64"},
        {"data": "\\"},
        {"text": 'base64,\\\\"'},
    ],
)
def test_the_text_behind_a_beginning_stays_as_it_is(value: dict[str, str], step: Callable[[], int]) -> None:
    assert orjson.loads(put_back(lifted(orjson.dumps(value), step))) == value


def test_a_broken_end_gives_the_text_back() -> None:
    value = {"data": BASE64[:40_001]}  # one character is no byte

    body = lifted(orjson.dumps(value))

    assert not body.files
    assert orjson.loads(body.text) == value


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"data":"', b'{"data":"AAAA', b'{"data":"A\\', b"base64,\\u002", b"\xff"]
)
def test_a_body_that_breaks_off_is_left_to_the_parser(body: bytes) -> None:
    assert lifted(body).text == body


def test_a_long_one_that_breaks_off_is_put_back() -> None:
    body = b'{"data":"' + BASE64.encode()

    assert lifted(body).text == body


# What makes a lifter stumble: where base64 begins and ends, escapes, and what only looks like it.
SCRAPS = st.sampled_from(
    [
        *("base64,", "data:image/png;base64,", SHORT, BASE64[:20_000], "=", "==", "AAAA", "A", "+/", "/", ","),
        *("\n", "\\", "\\n", '"', " ", "é", "\u2028", "text"),
    ]
)
TEXTS = st.lists(SCRAPS, max_size=6).map("".join)
VALUES = st.recursive(
    TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["data", "file_data", "text", '"data"']), inner, max_size=3)
    ),
    max_leaves=6,
)
CUTS = st.lists(st.integers(1, 3_000), min_size=1, max_size=9)


def in_cuts(cuts: list[int]) -> Callable[[], int]:
    endless: Iterable[int] = iter(lambda: random.choice(cuts), None)
    return iter(endless).__next__


def without_padding(value: Any) -> Any:
    """A value that ends with base64 may come back with the padding that it lacked."""
    if isinstance(value, list):
        return [without_padding(inner) for inner in value]
    if isinstance(value, dict):
        return {name: without_padding(inner) for name, inner in value.items()}
    return value.rstrip("=")


@given(VALUES, CUTS, st.booleans())
def test_any_body_put_back_says_the_same(value: Any, cuts: list[int], is_escaped: bool) -> None:
    body = orjson.dumps(value)
    back = orjson.loads(put_back(lifted(escaped(body) if is_escaped else body, in_cuts(cuts))))

    assert back == value or without_padding(back) == without_padding(value)


@given(st.binary(max_size=200), CUTS)
def test_any_bytes_pass(junk: bytes, cuts: list[int]) -> None:
    lifted(b'{"data":"' + junk + b"base64," + junk, in_cuts(cuts))


def test_no_more_is_kept_than_the_decoded_bytes() -> None:
    size = 50_000_000
    raw = random.Random(1).randbytes(3 * 64 * 1024)
    piece = base64.b64encode(raw)
    lifter = Lifter()
    tracemalloc.start()
    try:
        lifter.feed(b'{"data":"')
        for _ in range(0, size, len(raw)):
            lifter.feed(bytes(bytearray(piece)))
        lifter.feed(b'"}')
        body = lifter.finish()
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    (content,) = body.files.values()
    assert content.size >= size
    assert len(body.text) < 100
    assert kept < content.size * 1.05 + 1_000_000
    assert peak < content.size * 1.05 + 5_000_000


@pytest.mark.parametrize("unit", [b"base64,", b'"data":"",', b"base64,AAAA ", b"base64,\\n", b'"data":"hello",'])
def test_a_body_full_of_beginnings_holds_nobody_up(unit: bytes) -> None:
    piece = (unit * (PIECE // len(unit) + 1))[:PIECE]
    took = []
    for _ in range(3):
        lifter = Lifter()
        began = time.perf_counter()
        lifter.feed(piece)
        took.append(time.perf_counter() - began)

    assert min(took) < 0.1  # the longest that another stream may wait
