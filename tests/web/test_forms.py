"""Forms with files, in any cutting: the bytes arrive unchanged, once, and nothing that a client writes is a 500."""

import contextlib
import io
import itertools
import tracemalloc
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from poe2openai.config.settings import Settings
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.dialects.form import Fields
from poe2openai.gateway.record import RequestRecord
from poe2openai.web.forms import MAX_PARTS, MAX_TEXT, read_fields

BOUNDARY = "----WebKitFormBoundary7MA4YWxk"
TYPE = f"multipart/form-data; boundary={BOUNDARY}"
MB = 1024 * 1024

Part = tuple[str, bytes]
"""What stands behind `form-data` in the part's header, with further headers, and its bytes."""


class Cut(io.RawIOBase):
    """A body that comes in the pieces of one cutting."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = [piece for piece in pieces if piece]

    def read(self, size: int = -1) -> bytes:
        if not self._pieces:
            return b""
        piece = self._pieces.pop(0)
        if 0 <= size < len(piece):
            self._pieces.insert(0, piece[size:])
            piece = piece[:size]
        return piece


def form(*parts: Part, boundary: str = BOUNDARY) -> bytes:
    mark = f"--{boundary}".encode()
    written = b"".join(
        mark + b"\r\nContent-Disposition: form-data" + head.encode() + b"\r\n\r\n" + data + b"\r\n"
        for head, data in parts
    )
    return written + mark + b"--\r\n"


def field(name: str, value: str) -> Part:
    return f'; name="{name}"', value.encode()


def file(name: str, filename: str, data: bytes, media_type: str = "image/png") -> Part:
    return f'; name="{name}"; filename="{filename}"\r\nContent-Type: {media_type}', data


def read(
    *pieces: bytes,
    content_type: str = TYPE,
    chunked: bool = False,
    length: int | None = None,
    settings: Settings | None = None,
    record: RequestRecord | None = None,
) -> Fields:
    environ: dict[str, Any] = {"CONTENT_TYPE": content_type, "wsgi.input": Cut(pieces)}
    if chunked:
        environ["wsgi.input_terminated"] = True
    else:
        environ["CONTENT_LENGTH"] = str(sum(map(len, pieces)) if length is None else length)
    return read_fields(environ, settings or Settings(), record or RequestRecord("r1"))


def refusal(*pieces: bytes, kind: ErrorKind = ErrorKind.INVALID_REQUEST, **options: Any) -> str:
    with pytest.raises(GatewayError) as caught:
        read(*pieces, **options)
    assert caught.value.kind is kind
    return caught.value.message


def told(fields: Fields) -> list[tuple[str, str | None, str | None, bytes]]:
    return [(each.field, each.name, each.media_type, b"".join(each.content.pieces)) for each in fields.files]


MIXED = form(
    field("model", "gpt-image-1"),
    file("image[]", "cat.png", b"\x89PNG\r\n\x1a\n\0\xff"),
    field("prompt", "Make it blue, é漢字 😀\r\nand large."),
    file("image[]", "é.webp", b"", "image/webp"),
    file("mask", "", b"\r\n--\r\n", "IMAGE/PNG; charset=binary"),
)
MIXED_FILES = [
    ("image[]", "cat.png", "image/png", b"\x89PNG\r\n\x1a\n\0\xff"),
    ("image[]", "é.webp", "image/webp", b""),
    ("mask", None, "image/png", b"\r\n--\r\n"),
]
MIXED_VALUES = {"model": "gpt-image-1", "prompt": "Make it blue, é漢字 😀\r\nand large."}


def test_a_forms_texts_and_files() -> None:
    record = RequestRecord("r1")
    fields = read(MIXED, record=record)

    assert fields.is_form
    assert fields.values == MIXED_VALUES
    assert told(fields) == MIXED_FILES
    assert record.input_bytes > 0


@pytest.mark.parametrize("chunked", [False, True])
def test_any_single_cut_changes_nothing(chunked: bool) -> None:
    wrong = []
    for at in range(len(MIXED) + 1):
        fields = read(MIXED[:at], MIXED[at:], chunked=chunked)
        if (fields.values, told(fields)) != (MIXED_VALUES, MIXED_FILES):
            wrong.append((MIXED[:at][-20:], MIXED[at:][:20]))
    assert wrong == []


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_nor_does_cutting_it_small(size: int) -> None:
    fields = read(*[MIXED[at : at + size] for at in range(0, len(MIXED), size)])
    assert (fields.values, told(fields)) == (MIXED_VALUES, MIXED_FILES)


# Bytes that a reader of boundaries stumbles over, if it does.
TRICKY = st.lists(
    st.sampled_from(
        [
            b"\r",
            b"\n",
            b"\r\n",
            b"-",
            b"--",
            b"\r\n--",
            b"\r\n--B",
            b"\r\n--Bo",
            b"--Bo",
            b"\n--Bx",
            b"Bou",
            b"\0",
            b"a",
        ]
    ),
    max_size=12,
).map(b"".join)


@given(TRICKY | st.binary(max_size=40), TRICKY, st.lists(st.integers(0, 400), max_size=6))
@example(b"--Bo", b"", [])
@example(b"", b"", [len(form(file("a", "a", b""), file("b", "b", b""), boundary="Boundary")) - len("-\r\n")])
@example(b"\r\n--Bo\r\n", b"\r", [])
def test_any_bytes_arrive_unchanged_in_any_cutting(first: bytes, second: bytes, cuts: list[int]) -> None:
    """A boundary may begin anywhere in the data: only the whole one ends a part (RFC 2046, 5.1.1)."""
    body = form(file("a", "a", first), file("b", "b", second), boundary="Boundary")
    borders = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    pieces = [body[start:end] for start, end in itertools.pairwise(borders)]

    fields = read(*pieces, content_type="multipart/form-data; boundary=Boundary")

    assert [data for *_, data in told(fields)] == [first, second]


class TestNames:
    @pytest.mark.parametrize(
        ("written", "name"),
        [
            ('filename="a b.png"', "a b.png"),
            ("filename=plain.png", "plain.png"),
            ('filename="漢字 😀.png"', "漢字 😀.png"),
            (r'filename="a\"b.png"', 'a"b.png'),
            ('filename="a%22b.png"', 'a"b.png'),
            ("filename=\"x.png\"; filename*=UTF-8''%E6%BC%A2.png", "漢.png"),
            ('filename="a;b=c.png"', "a;b=c.png"),
            ('filename=""', None),
        ],
    )
    def test_of_files(self, written: str, name: str | None) -> None:
        """As browsers, curl and the SDKs write them (HTML standard, "Multipart form data"; RFC 5987)."""
        fields = read(form((f'; name="file"; {written}', b"data")))
        assert told(fields) == [("file", name, None, b"data")]

    @pytest.mark.parametrize("name", ["prompt", "é漢字", "a b", "a;b"])
    def test_of_texts(self, name: str) -> None:
        assert read(form(field(name, "x"))).values == {name: "x"}

    def test_lists_and_objects_are_written_with_brackets(self) -> None:
        fields = read(
            form(
                field("include[]", "logprobs"),
                field("include[]", "x"),
                field("ids[0]", "a"),
                field("ids[1]", "b"),
                field("chunking_strategy[type]", "server_vad"),
                field("chunking_strategy[threshold]", "0.5"),
                field("model", "first"),
                field("model", "last"),
            )
        )
        assert fields.values == {
            "include": ["logprobs", "x"],
            "ids": ["a", "b"],
            "chunking_strategy": {"type": "server_vad", "threshold": "0.5"},
            "model": "last",
        }

    @pytest.mark.parametrize("head", ["", '; filename="a.png"', "; size=1"])
    def test_a_part_without_a_name_is_refused(self, head: str) -> None:
        assert "cannot be read" in refusal(form((head, b"data"), field("model", "m")))


@pytest.mark.parametrize(
    "content_type",
    [
        f'multipart/form-data; boundary="{BOUNDARY}"',
        f"Multipart/Form-Data; charset=utf-8; boundary={BOUNDARY}",
        f"  multipart/form-data;boundary={BOUNDARY}",
    ],
)
def test_a_boundary_may_be_written_in_several_ways(content_type: str) -> None:
    assert read(MIXED, content_type=content_type).values == MIXED_VALUES


@pytest.mark.parametrize("boundary", ["a'b(c)+d_e,f-g./:=?h", "x" * 70, "=====", "a.b*c"])
def test_any_boundary_of_the_standard_is_read(boundary: str) -> None:
    body = form(field("a", "b"), boundary=boundary)
    assert read(body, content_type=f'multipart/form-data; boundary="{boundary}"').values == {"a": "b"}


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        "multipart/form-data; boundary=é",
        "multipart/form-data; boundary=" + "x" * 300,
        "multipart/form-data; charset=utf-8",
    ],
)
def test_without_a_boundary_nothing_can_be_read(content_type: str) -> None:
    assert "boundary" in refusal(MIXED, content_type=content_type)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b'{"model": "m"}',
        form(field("a", "b"), boundary="another"),
        f"--{BOUNDARY}\r\n\r\nno header\r\n--{BOUNDARY}--\r\n".encode(),
        f"--{BOUNDARY}\r\nContent-Type: text/plain\r\n\r\nx\r\n--{BOUNDARY}--\r\n".encode(),
        f"--{BOUNDARY}\r\nContent-Disposition: \xff\r\n\r\nx\r\n--{BOUNDARY}--\r\n".encode("latin-1"),
        form(('; name="a"', b"\xff\xfe")),
    ],
)
def test_a_malformed_form_is_the_clients_error(body: bytes) -> None:
    assert refusal(body).startswith("The form (multipart/form-data) cannot be read:")
    assert refusal(body, chunked=True).startswith("The form (multipart/form-data) cannot be read:")


def test_a_form_that_is_cut_off_is_never_taken_for_whole() -> None:
    whole = len(MIXED) - len("--\r\n")
    for at in range(whole):
        refusal(MIXED[:at], chunked=True)
        refusal(MIXED[:at], length=len(MIXED))


def test_a_form_that_is_cut_off_is_told_so() -> None:
    assert "ended in the middle" in refusal(MIXED[: len(MIXED) // 2], chunked=True)


@given(st.binary(max_size=200) | TRICKY, st.integers(0, len(MIXED)), st.integers(0, 20))
def test_no_damage_is_more_than_a_refusal(noise: bytes, at: int, dropped: int) -> None:
    fields = None
    with contextlib.suppress(GatewayError):
        fields = read(MIXED[:at] + noise + MIXED[at + dropped :], chunked=True)
    assert fields is None or fields.media("nothing") == []


def test_an_empty_form_has_no_fields() -> None:
    fields = read(form())
    assert (fields.values, fields.files, fields.is_form) == ({}, (), True)


def test_what_stands_before_and_behind_the_form_is_no_part_of_it() -> None:
    """RFC 2046, 5.1.1: preamble and epilogue are to be ignored."""
    assert read(b"Hello.\r\n" + MIXED + b"Goodbye.\r\n").values == MIXED_VALUES


class TestBounds:
    def test_of_parts(self) -> None:
        assert len(read(form(*[field(f"f{at}", "x") for at in range(MAX_PARTS)])).values) == MAX_PARTS

        message = refusal(form(*[field("a", "x")] * (MAX_PARTS + 1)), kind=ErrorKind.TOO_LARGE)
        assert str(MAX_PARTS) in message

    def test_of_texts_together(self) -> None:
        half = "x" * (MAX_TEXT // 2)
        assert len(read(form(field("a", half), field("b", half))).values["b"]) == MAX_TEXT // 2

        message = refusal(form(field("a", half), field("b", half + "x")), kind=ErrorKind.TOO_LARGE)
        assert str(MAX_TEXT) in message

    def test_of_names_and_headers(self) -> None:
        long = (f'; name="{"x" * 8 * MB}"', b"x")
        refusal(*_cut(form(long)), kind=ErrorKind.TOO_LARGE)

    @pytest.mark.parametrize("chunked", [False, True])
    def test_of_the_whole_body(self, chunked: bool) -> None:
        settings = Settings(max_request_size=len(MIXED))
        assert read(MIXED, settings=settings, chunked=chunked).values == MIXED_VALUES
        refusal(MIXED + b"\n", settings=settings, chunked=chunked, kind=ErrorKind.TOO_LARGE)


def test_a_large_file_stays_in_pieces_and_costs_its_own_size() -> None:
    size = 24 * MB
    line = bytes(range(256)) * 16

    class Endless(io.RawIOBase):
        """Makes the body as it is read, so that the test itself holds none of it."""

        def __init__(self) -> None:
            self._head = form(file("image", "a.png", b"?")).partition(b"?")
            self._left = size
            self._end = b""

        def read(self, wanted: int = -1) -> bytes:
            if self._head[0]:
                piece, self._head, self._end = self._head[0], (b"", b"", b""), self._head[2]
                return piece
            if self._left:
                piece = (line * 64)[: min(wanted, self._left)]
                self._left -= len(piece)
                return piece
            piece, self._end = self._end, b""
            return piece

    environ: dict[str, Any] = {"CONTENT_TYPE": TYPE, "wsgi.input": Endless(), "wsgi.input_terminated": True}
    tracemalloc.start()
    try:
        fields = read_fields(environ, Settings(), RequestRecord("r1"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    (found,) = fields.files
    assert found.content.size == size
    assert b"".join(found.content.pieces) == line * (size // len(line))
    assert max(map(len, found.content.pieces)) <= MB
    assert peak < 1.2 * size


def test_a_files_bytes_are_not_counted_as_text_that_a_bot_reads() -> None:
    """The log's guess of a request's tokens is made of it, of a form as of JSON."""
    record = RequestRecord("r1")
    read(*_cut(form(field("prompt", "Blue."), file("image", "a.png", bytes(2 * MB)))), record=record)
    assert record.input_bytes < MB


class TestJson:
    @pytest.mark.parametrize("content_type", ["application/json", "", "text/plain", "multipart/mixed"])
    def test_what_is_no_form_is_json(self, content_type: str) -> None:
        record = RequestRecord("r1")
        fields = read(b'{"model": "m", "n": 2}', content_type=content_type, record=record)

        assert (fields.values, fields.files, fields.is_form) == ({"model": "m", "n": 2}, (), False)
        assert record.input_bytes == len(b'{"model": "m", "n": 2}')

    def test_a_long_picture_in_it_is_taken_out(self) -> None:
        data = "A" * 40_000
        body = orjson.dumps({"prompt": "x", "image": f"data:image/png;base64,{data}"})
        record = RequestRecord("r1")
        fields = read(body[:100], body[100:], content_type="application/json", record=record)

        (media,) = fields.media("image")
        assert media.media_type == "image/png"
        assert len(fields.values["image"]) < 200
        assert record.input_bytes < 1_000

    @pytest.mark.parametrize("body", [b"", b"[]", b"{", MIXED])
    def test_what_cannot_be_read_is_told(self, body: bytes) -> None:
        assert "body" in refusal(body, content_type="application/json")


def _cut(body: bytes, size: int = 256 * 1024) -> list[bytes]:
    return [body[at : at + size] for at in range(0, len(body), size)]
