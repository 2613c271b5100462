"""Small files that are what they claim to be, so that whoever looks at their bytes finds their true type.

Each call gives the same bytes again.
"""

import io
import struct
import wave
import zipfile
import zlib
from base64 import b64decode
from collections.abc import Mapping

Color = tuple[int, int, int]

RED: Color = (200, 30, 30)


def png(width: int = 8, height: int = 8, color: Color = RED) -> bytes:
    rows = (b"\0" + bytes(color) * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_png_chunk(name, data) for name, data in chunks)


def jpeg() -> bytes:
    """One gray pixel: its tables know a single code each, "no difference" and "end of block"."""
    one_code = bytes([1, *[0] * 15, 0])
    segments = [
        (0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"),
        (0xDB, b"\0" + b"\x01" * 64),
        (0xC0, b"\x08\0\x01\0\x01\x01\x01\x11\0"),
        (0xC4, b"\0" + one_code),
        (0xC4, b"\x10" + one_code),
        (0xDA, b"\x01\x01\0\0\x3f\0"),
    ]
    body = b"".join(struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data for marker, data in segments)
    return b"\xff\xd8" + body + b"\x3f" + b"\xff\xd9"


def gif() -> bytes:
    return b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")


def webp() -> bytes:
    return b64decode("UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA")


def wav(seconds: float = 0.1) -> bytes:
    """Silence, 8,000 samples of 16 bits a second."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(8000)
        writer.writeframes(bytes(2 * round(8000 * seconds)))
    return file.getvalue()


def mp3() -> bytes:
    """A tenth of a second of silence: four frames of MPEG-1 layer III, 128 kbit/s, 44.1 kHz, after an ID3 tag."""
    frame = b"\xff\xfb\x90\x00" + bytes(413)
    return b"ID3\x04\0\0\0\0\0\0" + frame * 4


def ogg() -> bytes:
    """Opus, one silent packet."""
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, 1, 0, 48000, 0, 0)
    tags = b"OpusTags" + struct.pack("<I", 5) + b"tests" + struct.pack("<I", 0)
    pages = [(2, 0, head), (0, 0, tags), (4, 960, b"\xf8\xff\xfe")]
    return b"".join(_ogg_page(flags, position, number, data) for number, (flags, position, data) in enumerate(pages))


def mp4(size: int = 4096) -> bytes:
    """A film without tracks; `size` bytes of nothing stand for its pictures."""
    movie_head = struct.pack(">4xIIII", 0, 0, 1000, 1000) + struct.pack(">IH10x", 0x10000, 0x100)
    matrix = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    head = _box(b"mvhd", movie_head + matrix + bytes(24) + struct.pack(">I", 2))
    kind = _box(b"ftyp", b"isom" + struct.pack(">I", 512) + b"isomiso2avc1mp41")
    return kind + _box(b"moov", head) + _box(b"mdat", bytes(size))


def webm() -> bytes:
    """The EBML head and a segment that has only its description (element ids: Matroska, RFC 9559)."""
    counts = [("4286", b"\x01"), ("42f7", b"\x01"), ("42f2", b"\x04"), ("42f3", b"\x08")]
    head = [*counts, ("4282", b"webm"), ("4287", b"\x04"), ("4285", b"\x02")]
    described = [("2ad7b1", b"\x0f\x42\x40"), ("4d80", b"tests"), ("5741", b"tests")]
    segment = _element("1549a966", b"".join(_element(*each) for each in described))
    return _element("1a45dfa3", b"".join(_element(*each) for each in head)) + _element("18538067", segment)


def pdf(said: str = "Hello") -> bytes:
    """One page that says it, in a font that every reader has."""
    shown = f"BT /F1 24 Tf 72 720 Td ({said}) Tj ET".encode("ascii")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources 6 0 R >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(shown), shown),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Font << /F1 5 0 R >> >>",
    ]
    written = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"
    table = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    for number, content in enumerate(objects, 1):
        table += b"%010d 00000 n \n" % len(written)
        written += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    trailer = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(written))
    return written + table + trailer


def docx(said: str = "Hello") -> bytes:
    name = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    document = f'<w:document xmlns:w="{name}"><w:body><w:p><w:r><w:t>{said}</w:t></w:r></w:p></w:body></w:document>'
    return _office("word/document.xml", "wordprocessingml.document", document)


def xlsx() -> bytes:
    name = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return _office("xl/workbook.xml", "spreadsheetml.sheet", f'<workbook xmlns="{name}"><sheets/></workbook>')


def pptx() -> bytes:
    name = "http://schemas.openxmlformats.org/presentationml/2006/main"
    return _office(
        "ppt/presentation.xml", "presentationml.presentation", f'<p:presentation xmlns:p="{name}"></p:presentation>'
    )


def zip_() -> bytes:
    return _zipped({"hello.txt": text()})


def text() -> bytes:
    """UTF-8, beyond ASCII."""
    return "Hello, é漢字 😀.\nA second line.\n".encode()


def _png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _ogg_page(flags: int, position: int, number: int, data: bytes) -> bytes:
    """A page with one packet of fewer than 255 bytes (RFC 3533)."""
    start = struct.pack("<4sBBqII", b"OggS", 0, flags, position, 1, number)
    rest = bytes([1, len(data)]) + data
    return start + struct.pack("<I", _ogg_checksum(start + bytes(4) + rest)) + rest


def _ogg_checksum(data: bytes) -> int:
    """CRC-32 with the bits in the order that zlib's has not."""
    value = 0
    for byte in data:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1) ^ (0x04C11DB7 if value & 0x80000000 else 0)
            value &= 0xFFFFFFFF
    return value


def _box(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data) + 8) + name + data


def _element(number: str, data: bytes) -> bytes:
    """One of EBML; its length takes one byte, as those who guess types expect of short ones."""
    assert len(data) < 127
    return bytes.fromhex(number) + bytes([0x80 | len(data)]) + data


def _office(main: str, kind: str, document: str) -> bytes:
    """In the order in which office programs write: those who guess the type look at the first entries only."""
    head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    schemas = "http://schemas.openxmlformats.org"
    types = (
        f'{head}<Types xmlns="{schemas}/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/{main}" ContentType="application/vnd.openxmlformats-officedocument.{kind}.main+xml"/>'
        "</Types>"
    )
    relations = (
        f'{head}<Relationships xmlns="{schemas}/package/2006/relationships"><Relationship Id="rId1"'
        f' Type="{schemas}/officeDocument/2006/relationships/officeDocument" Target="{main}"/></Relationships>'
    )
    parts = {"[Content_Types].xml": types, "_rels/.rels": relations, main: head + document}
    return _zipped({name: content.encode() for name, content in parts.items()})


def _zipped(files: Mapping[str, bytes]) -> bytes:
    """Without the time of day, so that the bytes are the same each time."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return file.getvalue()
