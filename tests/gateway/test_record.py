"""What a record notes of an answer on its way."""

import pytest

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.events import Failed, Finished, PartDelta, PartFinished, PartStarted, Started, Usage
from poe2openai.core.request import Media, Message, ModelRequest, Text, Url
from poe2openai.gateway.record import RequestRecord, Texts


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


def asked(*messages: Message) -> Texts:
    texts = Texts()
    texts.ask(ModelRequest("m", messages))
    return texts


class TestTexts:
    def test_the_last_question_and_the_answers_own_text(self) -> None:
        picture = Media(Url("https://x.test/a.png"), "image/png", None, "messages[2]")
        texts = asked(
            Message("user", (Text("first"),)),
            Message("assistant", (Text("said"),)),
            Message("user", (Text("look:"), picture, Text("what is it?"))),
            Message("assistant", (Text("It is"),)),
        )
        record = RequestRecord("req_1", texts=texts)
        record.see([Started(), PartStarted(0, "reasoning"), PartDelta(0, "hm"), PartFinished(0)])
        record.see([PartStarted(1, "text"), PartDelta(1, "a ")])
        record.see([PartDelta(1, "cat"), PartFinished(1)])
        record.see([PartStarted(2, "tool_call", "c", "n"), PartDelta(2, "{}"), PartFinished(2), Finished("stop")])

        assert (texts.question, texts.answer) == ("look:\nwhat is it?", "a cat")

    def test_their_beginnings_alone(self) -> None:
        texts = asked(Message("user", (Text("q" * 9_000),)))
        texts.see([Started(), PartStarted(0, "text")])
        for _ in range(100):
            texts.see([PartDelta(0, "a" * 99)])
        assert (texts.question, texts.answer) == ("q" * 4_000, "a" * 4_000)

    def test_of_an_answer_asked_for_once_more_the_last_counts(self) -> None:
        texts = asked(Message("user", (Text("q"),)))
        for said in ("no json", "{}"):
            texts.see([Started(), PartStarted(0, "text"), PartDelta(0, said)])
        assert texts.answer == "{}"

    def test_several_answers_at_once_are_not_mixed(self) -> None:
        texts = asked(Message("user", (Text("q"),)))
        texts.ask(ModelRequest("m", (Message("user", (Text("q"),)),)))
        texts.see([Started(), PartStarted(0, "text"), PartDelta(0, "a")])
        assert (texts.question, texts.answer) == ("q", None)

    def test_nothing_said_is_nothing(self) -> None:
        texts = asked(Message("system", (Text("be kind"),)))
        assert (texts.question, texts.answer) == (None, None)


def test_work_that_goes_on_has_a_record_of_its_own() -> None:
    record = RequestRecord("req_1", caller="c", model="m", bot="b", status=200, sender=("t", "r", "a"), texts=Texts())
    of_work = record.of_work()
    assert (of_work.id, of_work.caller, of_work.model, of_work.bot) == ("req_1", "c", "m", "b")
    assert (of_work.sender, of_work.texts, of_work.status) == (record.sender, record.texts, 0)
    of_work.notes.append("x")
    assert record.notes == []
