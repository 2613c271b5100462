"""What a file is, by its bytes; what it is said to be counts only where the bytes do not tell."""

import struct
from collections.abc import Callable

import pytest

from poe2openai.core.content import content_of
from poe2openai.gateway.media_types import HEAD, UNKNOWN, ending_of, file_name, true_type, type_of
from tests.support import sample_files

OFFICE = "application/vnd.openxmlformats-officedocument."
KINDS: list[tuple[Callable[[], bytes], str]] = [
    (sample_files.png, "image/png"),
    (sample_files.jpeg, "image/jpeg"),
    (sample_files.gif, "image/gif"),
    (sample_files.webp, "image/webp"),
    (sample_files.wav, "audio/wav"),
    (sample_files.mp3, "audio/mpeg"),
    (sample_files.ogg, "audio/ogg"),
    (sample_files.mp4, "video/mp4"),
    (sample_files.webm, "video/webm"),
    (sample_files.pdf, "application/pdf"),
    (sample_files.docx, f"{OFFICE}wordprocessingml.document"),
    (sample_files.xlsx, f"{OFFICE}spreadsheetml.sheet"),
    (sample_files.pptx, f"{OFFICE}presentationml.presentation"),
    (sample_files.zip_, "application/zip"),
    (sample_files.text, "text/plain"),
]
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"/>'


@pytest.mark.parametrize(("make", "expected"), KINDS)
@pytest.mark.parametrize("declared", [None, "application/octet-stream", "image/png", "audio/mpeg", "application/pdf"])
def test_the_bytes_decide(make: Callable[[], bytes], expected: str, declared: str | None) -> None:
    for name in (None, "picture.png", "song.mp3"):
        assert true_type(content_of(make()), declared, name) == expected


def box(kind: bytes, brand: bytes) -> bytes:
    return struct.pack(">I", 24) + kind + brand + struct.pack(">I", 0) + brand + b"isom"


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"BM" + struct.pack("<IHHI", 1000, 0, 0, 54) + struct.pack("<I", 40) + bytes(30), "image/bmp"),
        (b"II*\0" + bytes(20), "image/tiff"),
        (b"\0\0\1\0\1\0\x10\x10" + bytes(20), "image/x-icon"),
        (b"fLaC\0\0\0\x22" + bytes(34), "audio/flac"),
        (b"\xff\xfb\x90\x00" + bytes(413) + b"\xff\xfb\x90\x00" + bytes(413), "audio/mpeg"),
        (b"{\\rtf1\\ansi Hello}", "application/rtf"),
        (b"\x1f\x8b\x08" + bytes(20), "application/gzip"),
        (box(b"ftyp", b"heic"), "image/heic"),
        (box(b"ftyp", b"M4A "), "audio/mp4"),
    ],
)
def test_other_kinds_are_known_too(head: bytes, expected: str) -> None:
    assert type_of(head, None, None, is_whole=True) == expected


@pytest.mark.parametrize(
    "drawing",
    [
        SVG,
        b'<?xml version="1.0" encoding="UTF-8"?>\n' + SVG,
        b"<!-- made by hand -->\n" + SVG,
        b'<?xml version="1.0"?>\n<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "svg11.dtd">\n' + SVG,
    ],
)
def test_a_drawing_in_text_is_a_picture(drawing: bytes) -> None:
    assert type_of(drawing, "text/plain", "a.txt", is_whole=True) == "image/svg+xml"


def test_a_page_that_holds_a_drawing_is_a_page() -> None:
    assert type_of(b"<html>" + SVG + b"</html>", "text/html", None, is_whole=True) == "text/html"


@pytest.mark.parametrize(
    ("data", "declared", "name", "expected"),
    [
        (b"a,b\n1,2\n", "text/csv", None, "text/csv"),
        (b"a,b\n1,2\n", None, "table.csv", "text/csv"),
        (b"a,b\n1,2\n", "application/octet-stream", "table.csv", "text/csv"),
        (b'{"a": 1}', "application/json", None, "application/json"),
        (b"# Title\n", None, "README.md", "text/markdown"),
        (b"print(1)\n", None, "a.py", "text/x-python"),
        (b"hello", "application/pdf", "a.pdf", "text/plain"),
        (b"hello", "video/mp4", None, "text/plain"),
        (b"BMW is a maker of cars.", None, None, "text/plain"),
        (b"II* is no picture", None, None, "text/plain"),
        (b"MZ, he said.", None, None, "text/plain"),
        ("\ufeffhello".encode("utf-16-le"), None, None, "text/plain"),
        ("été".encode(), "text/plain", None, "text/plain"),
        (b"\x1b[31mred\x1b[0m", None, "log.txt", "text/plain"),
        (b"", None, None, "text/plain"),
    ],
)
def test_of_texts_the_kind_is_believed(data: bytes, declared: str | None, name: str | None, expected: str) -> None:
    assert true_type(content_of(data), declared, name) == expected


@pytest.mark.parametrize("data", [bytes(range(256)), b"\0" * 100, "été".encode("latin-1") * 10, b"hello\0world"])
def test_what_nobody_knows_is_called_so(data: bytes) -> None:
    assert true_type(content_of(data), "image/png", "a.png") == UNKNOWN


@pytest.mark.parametrize("shift", range(4))
def test_a_text_may_be_cut_within_a_character(shift: int) -> None:
    data = b"a" * shift + "漢".encode() * HEAD
    assert true_type(content_of(data), None, None) == "text/plain"


def test_a_short_text_that_ends_within_a_character_is_none() -> None:
    assert true_type(content_of("漢".encode()[:2]), None, None) == UNKNOWN


@pytest.mark.parametrize(
    ("make", "declared", "expected"),
    [
        (sample_files.webm, "audio/webm", "audio/webm"),
        (sample_files.webm, "audio/mpeg", "video/webm"),
        (sample_files.mp4, "audio/mp4", "audio/mp4"),
        (sample_files.ogg, "video/ogg", "audio/ogg"),
    ],
)
def test_a_container_may_hold_sound_alone(make: Callable[[], bytes], declared: str, expected: str) -> None:
    assert true_type(content_of(make()), declared, None) == expected


@pytest.mark.parametrize("kind", ["application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint"])
def test_older_office_files_are_what_they_are_said_to_be(kind: str) -> None:
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)
    assert type_of(head, kind, None, is_whole=True) == kind


@pytest.mark.parametrize("kind", ["application/epub+zip", "application/vnd.oasis.opendocument.text"])
def test_archives_that_say_what_they_are(kind: str) -> None:
    head = b"PK\x03\x04" + bytes(26) + b"mimetype" + kind.encode() + b"PK\x03\x04"
    assert type_of(head, "application/zip", None) == kind


@pytest.mark.parametrize(
    ("name", "media_type", "expected"),
    [
        (None, "image/png", "image.png"),
        (None, "image/jpeg", "image.jpg"),
        (None, "audio/wav", "audio.wav"),
        (None, "audio/mpeg", "audio.mp3"),
        (None, "video/webm", "video.webm"),
        (None, "application/pdf", "file.pdf"),
        (None, "text/plain", "file.txt"),
        (None, UNKNOWN, "file.bin"),
        ("cat", "image/png", "cat.png"),
        ("cat.jpg", "image/png", "cat.jpg"),
        (".env", "text/plain", ".env.txt"),
        ("日本.txt", "text/plain", "日本.txt"),
    ],
)
def test_every_file_has_a_name_that_tells_its_kind(name: str | None, media_type: str, expected: str) -> None:
    assert file_name(name, media_type) == expected


def test_an_unknown_kind_has_no_ending() -> None:
    assert ending_of("x-made/up") == ""
