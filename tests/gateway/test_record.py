"""What a record notes of an answer on its way."""

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
