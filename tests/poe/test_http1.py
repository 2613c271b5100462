"""HTTP/1.1 as bytes: every cutting gives the same, and nothing but a `GatewayError` comes of bad bytes."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.poe.http1 import (
    MAX_CHUNK_LINE,
    MAX_HEAD,
    MAX_TRAILERS,
    BodyDecoder,
    ChunkedDecoder,
    CloseDecoder,
    HeadReader,
    LengthDecoder,
    ResponseHead,
    body_decoder,
    parse_head,
    request_head,
)


def read_all(pieces: list[bytes]) -> tuple[int | None, bytes, str]:
    """One response, read in these pieces and then ended: its status, its body, and how it went."""
    reader = HeadReader()
    decoder: BodyDecoder | None = None
    status: int | None = None
    body = b""
    for piece in pieces:
        data = piece
        try:
            if decoder is None:
                head = reader.feed(data)
                if head is None:
                    continue
                status, decoder, data = head.status, body_decoder(head), reader.rest
        except GatewayError as error:
            return status, body, error.kind.name
        if data and not decoder.done and decoder.failure is None:
            body += decoder.feed(data)
    if decoder is None:
        return status, body, "no head"
    if not decoder.done and decoder.failure is None:
        decoder.end()
    assert decoder.done or decoder.failure is not None
    return status, body, "done" if decoder.failure is None else decoder.failure.kind.name


def cut(data: bytes, *places: int) -> list[bytes]:
    edges = [0, *sorted(places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def dechunk(data: bytes) -> tuple[bytes, ChunkedDecoder]:
    decoder = ChunkedDecoder()
    return decoder.feed(data), decoder


HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class TestRequestHead:
    def test_is_what_a_server_reads(self) -> None:
        head = request_head("POST", "/bot/GPT-4o", [("Host", "api.poe.com"), ("X-Title", "caf\xe9")])

        assert head == b"POST /bot/GPT-4o HTTP/1.1\r\nHost: api.poe.com\r\nX-Title: caf\xe9\r\n\r\n"

    @pytest.mark.parametrize(
        ("target", "name", "value"),
        [
            ("/a b", "Host", "x"),
            ("/a\r\nEvil: 1", "Host", "x"),
            ("/ä", "Host", "x"),
            ("/", "Ho st", "x"),
            ("/", "Host:", "x"),
            ("/", "Host", "x\r\nEvil: 1"),
            ("/", "Host", "x\nEvil: 1"),
            ("/", "Host", "x\0"),
            ("/", "Host", "密钥"),
        ],
    )
    def test_nothing_breaks_out_of_its_line(self, target: str, name: str, value: str) -> None:
        with pytest.raises(ValueError, match="cannot be sent") as caught:
            request_head("GET", target, [(name, value)])

        assert "Evil" not in str(caught.value)


class TestHead:
    def test_status_reason_and_headers(self) -> None:
        head = parse_head(b"HTTP/1.1 429 Too Many Requests\r\nRetry-After:  7 \r\nX-Empty:\r\nA: caf\xe9")

        assert (head.status, head.reason) == (429, "Too Many Requests")
        assert head.headers == [("Retry-After", "7"), ("X-Empty", ""), ("A", "café")]

    def test_bare_line_feeds_no_reason_and_folded_lines_are_read(self) -> None:
        reader = HeadReader()

        head = reader.feed(b"HTTP/1.0 200\nA: one\n  two\n\nbody")

        assert head is not None
        assert (head.status, head.reason, head.headers, reader.rest) == (200, "", [("A", "one two")], b"body")

    @pytest.mark.parametrize(
        ("head", "lives_on"),
        [
            (b"HTTP/1.1 200 OK", True),
            (b"HTTP/1.1 200 OK\r\nConnection: Close", False),
            (b"HTTP/1.1 200 OK\r\nConnection: foo, close", False),
            (b"HTTP/1.0 200 OK", False),
            (b"HTTP/1.0 200 OK\r\nConnection: keep-alive", True),
        ],
    )
    def test_keep_alive(self, head: bytes, lives_on: bool) -> None:
        assert parse_head(head).keep_alive is lives_on

    def test_interim_responses_are_skipped(self) -> None:
        interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"

        assert read_all([interim + HEAD + b"2\r\nok\r\n0\r\n\r\n"]) == (200, b"ok", "done")

    @pytest.mark.parametrize(
        "data",
        [
            b"SSH-2.0-OpenSSH_9.6\r\n",
            b"\r\nHTTP/1.1 200 OK\r\n\r\n",
            b"HTTP/2 200\r\n\r\n",
            b"HTTP/1.1 2000 OK\r\n\r\n",
            b"HTTP/1.1 abc\r\n\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nSpace : x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n: x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nA: \0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nA: x\ry\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n",
        ],
    )
    def test_a_bad_head_is_refused_at_once(self, data: bytes) -> None:
        assert read_all([data]) == (None, b"", "UPSTREAM_INVALID")

    @pytest.mark.parametrize("piece", [1000, 65536, 10**6])
    def test_the_head_has_a_size_limit(self, piece: int) -> None:
        data = b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * MAX_HEAD

        assert read_all([data[at : at + piece] for at in range(0, len(data), piece)])[2] == "UPSTREAM_INVALID"

    def test_endless_interim_responses_are_refused(self) -> None:
        assert read_all([b"HTTP/1.1 100 Continue\r\n\r\n"] * MAX_HEAD)[2] == "UPSTREAM_INVALID"

    def test_a_head_that_arrives_byte_by_byte_is_read_in_passable_time(self) -> None:
        data = b"HTTP/1.1 200 OK\r\nA: " + b"x" * (MAX_HEAD - 100) + b"\r\n\r\n"
        reader = HeadReader()

        heads = [reader.feed(data[at : at + 1]) for at in range(len(data))]

        assert [head is not None for head in heads].index(True) == len(data) - 1

    def test_it_is_empty_until_a_byte_came(self) -> None:
        reader = HeadReader()
        assert reader.is_empty
        reader.feed(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert not reader.is_empty


class TestFraming:
    @pytest.mark.parametrize(
        ("status", "headers", "kind", "reusable"),
        [
            (200, [("Transfer-Encoding", "Chunked")], ChunkedDecoder, True),
            (200, [("Content-Length", "5")], LengthDecoder, True),
            (200, [("Content-Length", "5, 5")], LengthDecoder, True),
            (200, [("Transfer-Encoding", "chunked"), ("Content-Length", "5")], ChunkedDecoder, False),
            (200, [], CloseDecoder, False),
            (204, [("Transfer-Encoding", "chunked")], LengthDecoder, True),
        ],
    )
    def test_follows_the_head(
        self, status: int, headers: list[tuple[str, str]], kind: type[BodyDecoder], reusable: bool
    ) -> None:
        decoder = body_decoder(ResponseHead(status, "", headers, keep_alive=True))

        assert isinstance(decoder, kind)
        assert decoder.reusable is reusable

    def test_a_length_is_counted_and_what_is_beyond_it_is_not_the_bodys(self) -> None:
        decoder = LengthDecoder(5, reusable=True)

        assert (decoder.feed(b"he"), decoder.done) == (b"he", False)
        assert (decoder.feed(b"lloXX"), decoder.done, decoder.reusable) == (b"llo", True, False)

    def test_a_length_that_is_met_exactly_leaves_the_connection_good(self) -> None:
        decoder = LengthDecoder(2, reusable=True)

        assert (decoder.feed(b"ok"), decoder.done, decoder.reusable) == (b"ok", True, True)
        assert LengthDecoder(0, reusable=True).done

    def test_a_length_that_is_not_met_is_a_cut_off(self) -> None:
        decoder = LengthDecoder(5, reusable=True)
        decoder.feed(b"he")
        decoder.end()

        assert decoder.failure is not None
        assert decoder.failure.kind is ErrorKind.UPSTREAM_CUT_OFF

    def test_a_body_without_length_ends_with_the_connection(self) -> None:
        assert read_all([b"HTTP/1.1 200 OK\r\n\r\nhel", b"lo"]) == (200, b"hello", "done")


class TestChunks:
    def test_all_chunks_of_one_read_come_as_one_piece(self) -> None:
        body, decoder = dechunk(b"5\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n")

        assert body == b"hello world"
        assert (decoder.done, decoder.failure) == (False, None)

    @pytest.mark.parametrize(
        "end",
        [
            b"0\r\n\r\n",
            b"000\r\n\r\n",
            b"0;last=1\r\n\r\n",
            b"0\r\nX-Trailer: a\r\nX-Other: b\r\n\r\n",
        ],
    )
    def test_extensions_and_trailers_are_read_over(self, end: bytes) -> None:
        body, decoder = dechunk(b'A;name="va;lue"\r\n0123456789\r\n3  \r\nabc\r\n' + end)

        assert (body, decoder.done, decoder.reusable) == (b"0123456789abc", True, True)

    def test_bytes_beyond_the_end_spoil_the_connection_and_not_the_body(self) -> None:
        body, decoder = dechunk(b"2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK")

        assert (body, decoder.done, decoder.reusable) == (b"ok", True, False)

    @pytest.mark.parametrize(
        "bad",
        [
            b"x\r\n",
            b"-1\r\nab",
            b"+2\r\nab\r\n",
            b"0x2\r\nab\r\n",
            b"1_0\r\n",
            b" 2\r\nab\r\n",
            b"2\nab\n",
            b"2 x\r\nab\r\n",
            b"\r\n",
            b"1" * 17,
            b"2;" + b"e" * MAX_CHUNK_LINE,
            b"2\r\nabX\r\n",
            b"0\r\n" + b"T: x\r\n" * MAX_TRAILERS,
        ],
    )
    def test_bad_framing_is_told_after_the_good_bytes(self, bad: bytes) -> None:
        body, decoder = dechunk(b"4\r\ngood\r\n" + bad)

        assert body.startswith(b"good")
        assert decoder.failure is not None
        assert decoder.failure.kind is ErrorKind.UPSTREAM_CUT_OFF
        assert not decoder.done

    @pytest.mark.parametrize(
        "sent", [b"", b"4", b"4\r\ngo", b"4\r\ngood", b"4\r\ngood\r\n", b"0\r\n", b"0\r\nA: b\r\n"]
    )
    def test_an_end_before_the_last_chunk_is_a_cut_off(self, sent: bytes) -> None:
        assert read_all([HEAD + sent])[2] == "UPSTREAM_CUT_OFF"


WHOLE = [
    b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"5;x=y\r\nhello\r\nA\r\n 0123\r\n\r\n4\r\n0\r\nT: x\r\n\r\n",
    HEAD + b"5\r\nhello\r\n0\r\n\r\nbeyond",
    HEAD + b"5\r\nhello\r\nzz\r\n",
    HEAD + b"5\r\nhelloX\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world",
    b"HTTP/1.1 500 Oops\nContent-Length: 11\n\nhello",
    b"HTTP/1.1 200 OK\r\n\r\nhello world",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
]


@pytest.mark.parametrize("data", WHOLE)
def test_every_cutting_into_three_reads_the_same(data: bytes) -> None:
    uncut = read_all([data])

    assert read_all([data[at : at + 1] for at in range(len(data))]) == uncut
    for first in range(len(data)):
        for second in range(first, len(data)):
            assert read_all(cut(data, first, second)) == uncut


_mutated = st.builds(
    lambda data, at, junk, drop: data[: at % len(data)] + junk + data[at % len(data) + drop :],
    st.sampled_from(WHOLE),
    st.integers(0, 10_000),
    st.binary(max_size=4) | st.sampled_from([b"\r\n", b"\n", b"\r", b"0", b"\r\n0\r\n\r\n", b";", b" "]),
    st.integers(0, 4),
)


@given(
    data=_mutated | st.binary(max_size=200) | st.binary(max_size=60).map(HEAD.__add__),
    places=st.lists(st.integers(0, 400), max_size=12),
)
def test_any_bytes_in_any_cutting_read_the_same(data: bytes, places: list[int]) -> None:
    assert read_all(cut(data, *(place % (len(data) + 1) for place in places))) == read_all([data])
