"""What a record notes of an answer on its way."""

import pytest

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.events import Failed, Finished, PartDelta, PartStarted, Started, Usage
from poe2openai.gateway.record import RequestRecord


def test_the_first_token_is_the_first_text_and_not_the_start() -> None:
    record = RequestRecord("req_1")
    record.see([Started(), PartStarted(0, "text")])
    assert record.first_token is None
    record.see([PartDelta(0, "abc")])
    first = record.first_token
    record.see([PartDelta(0, "de"), Finished("stop", Usage(7, 8))])
    assert record.first_token == first is not None
    assert record.output_characters == 5
    assert (record.reason, record.tokens()) == ("stop", ("7", "8"))


def test_a_failure_is_noted_by_its_code() -> None:
    record = RequestRecord("req_1")
    record.see([Failed(GatewayError(ErrorKind.UPSTREAM_CUT_OFF, "cut"))])
    assert record.error == "upstream_cut_off"


def test_several_answers_of_one_request_are_counted_together() -> None:
    record = RequestRecord("req_1")
    record.see([Finished("stop", Usage(7, 8))])
    record.see([Finished("length", Usage(7, 1))])
    assert record.tokens() == ("14", "9")
    assert record.reason == "length"


def test_tokens_are_guessed_where_nobody_asked_for_a_count() -> None:
    record = RequestRecord("req_1", input_bytes=4000)
    record.see([PartDelta(0, "a" * 40), Finished("stop")])
    assert record.tokens() == ("~1000", "~10")


def test_no_note_about_the_format_is_no_error_of_it() -> None:
    assert RequestRecord("req_1", notes=["asked again: Answer in JSON.", "not response_format: no"]).format_error == ""


@pytest.mark.parametrize(
    ("note", "header"),
    [
        ("response_format: 'city' is missing", "'city' is missing"),
        ("response_format: two\r\nX-Evil: 1\nlines\x85", "two X-Evil: 1 lines"),
        ("response_format: größer 字 \u2028 x", "gr\\xf6\\xdfer \\u5b57 x"),
        ("response_format: \x00\x1b[31mred\x7f", "[31mred"),
        ("response_format: " + "x" * 9000, "x" * 500),
        ("response_format: " + "字" * 9000, "\\u5b57" * 83),
    ],
)
def test_an_error_of_the_format_fits_into_a_header(note: str, header: str) -> None:
    error = RequestRecord("req_1", notes=["asked again", note]).format_error
    assert error.startswith(header)
    assert len(error) <= 500
    assert error.isascii()
    assert error.isprintable()
