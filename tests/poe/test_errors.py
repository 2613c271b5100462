"""What Poe says went wrong, and what a client is told of it."""

import re
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.poe.errors import REFUSED_KEY, error_from_event, error_from_status, is_retryable


def from_status(status: int, error: Any = None, **headers: str) -> GatewayError:
    body = b"" if error is None else orjson.dumps({"error": error})
    return error_from_status(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


class TestEvents:
    @pytest.mark.parametrize(
        ("text", "kind"),
        [
            ("This bot needs more points to answer your request.", ErrorKind.INSUFFICIENT_QUOTA),
            ("You do not have enough points to message this bot.", ErrorKind.INSUFFICIENT_QUOTA),
            ("not enough points", ErrorKind.INSUFFICIENT_QUOTA),
            ("rate limit", ErrorKind.RATE_LIMIT),
            ("Rate limit exceeded: too many tokens per minute", ErrorKind.RATE_LIMIT),
            ("Invalid token", ErrorKind.AUTHENTICATION),
            ("Unauthorized", ErrorKind.AUTHENTICATION),
            ("Bot does not exist: xai/grok-4", ErrorKind.MODEL_NOT_FOUND),
            ("Internal server error (error_id: 7f3a)", ErrorKind.UPSTREAM_INTERNAL),
            ("This model's maximum context length is 8192 tokens", ErrorKind.CONTEXT_LENGTH),
            ("prompt is too long: 213462 tokens > 200000 maximum", ErrorKind.CONTEXT_LENGTH),
            ("Your message is too long.", ErrorKind.CONTEXT_LENGTH),
            ("The number of images exceeds the maximum of 5.", ErrorKind.INVALID_REQUEST),
            ("The model refused.", ErrorKind.INVALID_REQUEST),
        ],
    )
    def test_known_texts(self, text: str, kind: ErrorKind) -> None:
        error = error_from_event({"text": text, "allow_retry": True})

        assert error.kind is kind
        assert text in error.message
        assert error.upstream_status is None
        assert not is_retryable(error)

    @pytest.mark.parametrize(
        ("error_type", "kind"),
        [
            ("user_message_too_long", ErrorKind.CONTEXT_LENGTH),
            ("insufficient_fund", ErrorKind.INSUFFICIENT_QUOTA),
            ("user_caused_error", ErrorKind.INVALID_REQUEST),
            ("privacy_authorization_error", ErrorKind.PERMISSION),
            ("something_new", ErrorKind.INVALID_REQUEST),
        ],
    )
    def test_a_type_tells_the_kind(self, error_type: str, kind: ErrorKind) -> None:
        error = error_from_event({"text": "No.", "error_type": error_type})

        assert error.kind is kind
        assert "No." in error.message

    @pytest.mark.parametrize(
        ("text", "kind", "message"),
        [
            ('{"error": {"message": "rate limit", "code": 429}}', ErrorKind.RATE_LIMIT, "rate limit"),
            ('{"error": {"code": 404, "message": "gone"}}', ErrorKind.MODEL_NOT_FOUND, "gone"),
            (
                '{"error": "{\\"message\\": \\"not enough points\\"}"}',
                ErrorKind.INSUFFICIENT_QUOTA,
                "not enough points",
            ),
            ('{"text": "Bot does not exist"}', ErrorKind.MODEL_NOT_FOUND, "Bot does not exist"),
            ('"Unauthorized"', ErrorKind.AUTHENTICATION, f"{REFUSED_KEY}Unauthorized"),
            ('{"a": 1}', ErrorKind.INVALID_REQUEST, '{"a": 1}'),
            ('{"broken', ErrorKind.INVALID_REQUEST, '{"broken'),
            ('[{"message": "x"}]', ErrorKind.INVALID_REQUEST, '[{"message": "x"}]'),
        ],
    )
    def test_json_within_the_text_is_unwrapped(self, text: str, kind: ErrorKind, message: str) -> None:
        error = error_from_event({"text": text})

        assert (error.kind, error.message) == (kind, message)

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            ({}, "The bot failed without saying why."),
            ({"text": None, "error_type": None}, "The bot failed without saying why."),
            ({"text": 5, "error_type": 7}, "The bot failed without saying why."),
            ({"text": "  \n"}, "The bot failed without saying why."),
            ({"text": None, "raw_response": "the maker says no"}, "the maker says no"),
            ({"raw_response": {"error": {"message": "the maker says no"}}}, "the maker says no"),
            ({"text": "shown", "raw_response": "hidden"}, "shown"),
        ],
    )
    def test_a_text_that_is_missing(self, data: dict[str, Any], message: str) -> None:
        assert error_from_event(data).message == message

    def test_a_message_is_one_bounded_line_that_can_be_encoded(self) -> None:
        error = error_from_event({"text": "a\r\nb\x1b[31m\u2028c \ud800 " + "x" * 5000})

        assert error.message.startswith("a b [31m c ? xxx")
        assert len(error.message) == 2000
        orjson.dumps(error.message)

    def test_the_error_id_is_kept(self) -> None:
        assert "(error_id: 7f3a-11)" in error_from_event({"text": "Internal server error (error_id: 7f3a-11)"}).message

    def test_what_a_long_text_is_shows_at_its_beginning(self) -> None:
        filler = "a context, too many input, the prompt is too: " * 70_000
        before = time.process_time()

        assert error_from_event({"text": f"Rate limit. {filler}"}).kind is ErrorKind.RATE_LIMIT
        assert error_from_event({"text": f"{filler} rate limit"}).kind is ErrorKind.INVALID_REQUEST
        assert error_from_status(500, {}, f"{filler} not enough points".encode()).kind is ErrorKind.UPSTREAM_INTERNAL
        assert time.process_time() - before < 0.5

    def test_json_of_megabytes_within_the_text_is_not_unwrapped(self) -> None:
        short, long = ('{"message": "no", "trace": [' + "{}," * count + "{}]}" for count in (10_000, 1_000_000))

        assert error_from_event({"text": short}).message == "no"
        assert error_from_event({"text": long}).message.startswith('{"message": "no"')


class TestWhoSaysNo:
    @pytest.mark.parametrize("said", ["Invalid API key", "invalid token", "Unauthorized.", "Invalid token: ***"])
    def test_a_bare_refusal_of_a_key_is_told_as_poes(self, said: str) -> None:
        for error in (error_from_event({"text": said}), from_status(401, {"message": said})):
            assert (error.kind, error.message) == (ErrorKind.AUTHENTICATION, f"Poe refused this API key: {said}")

    def test_whatever_comes_with_401_is_poes_refusal(self) -> None:
        assert (
            from_status(401, {"message": "Confirm your mail"}).message == "Poe refused this API key: Confirm your mail"
        )
        assert from_status(401).message == "Poe answered with HTTP status 401."
        assert len(from_status(401, {"message": "x" * 5000}).message) == 2000

    @pytest.mark.parametrize(
        "said", ["Your Poe API key has expired.", "Unauthorized, see poe.com/api_key", "POE refuses: invalid token"]
    )
    def test_a_text_that_names_poe_stays_as_it_is(self, said: str) -> None:
        assert from_status(401, {"message": said}).message == said

    def test_within_an_answer_it_may_be_the_models_maker_who_refuses(self) -> None:
        said = "The maker of the model says: invalid API key for organization org-1"

        assert error_from_event({"text": said}).message == said

    @pytest.mark.parametrize("said", ["Not Found", "not found.", "404 Not Found", "404: Not Found"])
    def test_what_is_not_found_is_the_bot(self, said: str) -> None:
        error = error_from_status(404, {}, orjson.dumps({"detail": said}))

        assert (error.kind, error.message) == (ErrorKind.MODEL_NOT_FOUND, f"Poe has no such bot: {said}")

    @pytest.mark.parametrize("said", ["Bot does not exist: xai/grok-4", "The bot GPT-9 was not found", "gone"])
    def test_a_text_that_says_more_stays_as_it_is(self, said: str) -> None:
        assert from_status(404, {"message": said}).message == said
        assert from_status(400, {"message": "Not Found"}).message == "Not Found"


class TestContextLength:
    @pytest.mark.parametrize(
        "words",
        [
            "this model's maximum context length is",  # litellm: aider, OpenHands
            "maximum context length",
            "context length",  # Cline, Roo Code, with status 400
            "token",
            "prompt is too long",  # Claude Code, opencode, pi
            "reduce the",
        ],
    )
    def test_is_told_in_words_that_agents_look_for(self, words: str) -> None:
        for error in (
            error_from_event({"error_type": "user_message_too_long", "text": "Too much of it."}),
            from_status(413),
        ):
            assert (error.kind.code, error.kind.status) == ("context_length_exceeded", 400)
            assert words in error.message.lower()

    def test_keeps_what_poe_said(self) -> None:
        error = error_from_event({"error_type": "user_message_too_long", "text": "12 messages are over."})

        assert error.message.endswith("Poe says: 12 messages are over.")

    def test_stays_recognisable_when_poe_says_much(self) -> None:
        error = error_from_event({"error_type": "user_message_too_long", "text": "x" * 5000})

        assert "maximum context length" in error.message
        assert len(error.message) == 2000


class TestStatuses:
    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (400, ErrorKind.INVALID_REQUEST),
            (401, ErrorKind.AUTHENTICATION),
            (402, ErrorKind.INSUFFICIENT_QUOTA),
            (403, ErrorKind.PERMISSION),
            (404, ErrorKind.MODEL_NOT_FOUND),
            (405, ErrorKind.INVALID_REQUEST),
            (407, ErrorKind.UPSTREAM_UNREACHABLE),
            (408, ErrorKind.UPSTREAM_TIMEOUT),
            (413, ErrorKind.CONTEXT_LENGTH),
            (422, ErrorKind.INVALID_REQUEST),
            (429, ErrorKind.RATE_LIMIT),
            (500, ErrorKind.UPSTREAM_INTERNAL),
            (502, ErrorKind.UPSTREAM_ERROR),
            (503, ErrorKind.OVERLOADED),
            (504, ErrorKind.UPSTREAM_TIMEOUT),
            (520, ErrorKind.UPSTREAM_ERROR),
            (529, ErrorKind.OVERLOADED),
        ],
    )
    def test_tell_the_kind_where_nothing_else_does(self, status: int, kind: ErrorKind) -> None:
        for error in (from_status(status), from_status(status, {"message": "Alas."})):
            assert error.kind is kind
            assert error.upstream_status == status

        assert "Alas." in from_status(status, {"message": "Alas."}).message

    @pytest.mark.parametrize(
        ("status", "error", "kind"),
        [
            (400, {"code": "model_not_found", "message": "no"}, ErrorKind.MODEL_NOT_FOUND),
            (400, {"type": "context_length_exceeded", "message": "no"}, ErrorKind.CONTEXT_LENGTH),
            (400, {"message": "This model's maximum context length is 5"}, ErrorKind.CONTEXT_LENGTH),
            (400, {"message": "Bot does not exist: x"}, ErrorKind.MODEL_NOT_FOUND),
            (
                400,
                {"type": "invalid_request_error", "code": "unsupported_feature_for_model"},
                ErrorKind.INVALID_REQUEST,
            ),
            (400, {"code": 402, "message": "pay"}, ErrorKind.INSUFFICIENT_QUOTA),
            (402, {"type": "insufficient_credits"}, ErrorKind.INSUFFICIENT_QUOTA),
            (403, {"message": "You do not have enough points"}, ErrorKind.INSUFFICIENT_QUOTA),
            (404, {"type": "not_found_error"}, ErrorKind.MODEL_NOT_FOUND),
            (429, {"code": "insufficient_quota", "message": "no points"}, ErrorKind.INSUFFICIENT_QUOTA),
            (429, {"message": "too many tokens"}, ErrorKind.RATE_LIMIT),
            (500, {"message": "rate limit of a neighbour"}, ErrorKind.UPSTREAM_INTERNAL),
            (500, {"type": "overloaded_error"}, ErrorKind.OVERLOADED),
        ],
    )
    def test_give_way_to_what_poe_names(self, status: int, error: dict[str, Any], kind: ErrorKind) -> None:
        assert from_status(status, error).kind is kind

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            (b"", "Poe answered with HTTP status 502."),
            (b"<!DOCTYPE html><html>secrets of the edge", "Poe answered with a web page and HTTP status 502."),
            (b"\n <html>", "Poe answered with a web page and HTTP status 502."),
            (b"upstream connect error", "upstream connect error"),
            (b'{"error": "plain"}', "plain"),
            (b'{"message": "bare"}', "bare"),
            (b'{"detail": [{"loc": ["query"], "msg": "field required"}]}', "field required"),
            (b"\xff\xfe", "\ufffd\ufffd"),
        ],
    )
    def test_any_body_gives_a_message(self, body: bytes, message: str) -> None:
        assert error_from_status(502, {}, body).message == message


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("7", 7.0),
            (" 1.5 ", 1.5),
            ("-3", 0.0),
            ("1m30s", 90.0),
            ("250ms", 0.25),
            ("1e9", 86400.0),
            ("soon", None),
            ("nan", None),
            ("", None),
            ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ],
    )
    def test_is_read(self, value: str, seconds: float | None) -> None:
        assert from_status(429, Retry_After=value).retry_after == seconds

    @pytest.mark.parametrize("scale", [1, 1000])
    def test_is_counted_from_now(self, scale: int) -> None:
        then = datetime.now(UTC) + timedelta(seconds=30)
        by_date = from_status(429, Retry_After=format_datetime(then, usegmt=True)).retry_after
        by_time = from_status(429, Retry_After=str(int(then.timestamp() * scale))).retry_after

        assert by_date is not None
        assert by_time is not None
        assert 25 < by_date <= 30
        assert 25 < by_time <= 30

    def test_comes_from_the_rate_headers_where_it_is_missing(self) -> None:
        headers = {"x_ratelimit_reset_requests": "12"}

        assert from_status(429, **headers).retry_after == 12.0
        assert from_status(429, Retry_After="3", **headers).retry_after == 3.0
        assert from_status(500, **headers).retry_after is None

    def test_is_handed_on_for_an_overloaded_server(self) -> None:
        assert from_status(503, retry_after="4").retry_after == 4.0


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (from_status(429), True),
        (from_status(500), True),
        (from_status(502), True),
        (from_status(529), True),
        (from_status(400), False),
        (from_status(401), False),
        (from_status(402), False),
        (from_status(407), False),
        (from_status(429, {"code": "insufficient_quota"}), False),
        (GatewayError(ErrorKind.UPSTREAM_UNREACHABLE, "refused"), True),
        (GatewayError(ErrorKind.UPSTREAM_CUT_OFF, "reset"), True),
        (GatewayError(ErrorKind.UPSTREAM_TIMEOUT, "silent"), False),
        (GatewayError(ErrorKind.UPSTREAM_INVALID, "a web page", upstream_status=200), False),
    ],
)
def test_only_what_may_pass_is_tried_again(error: GatewayError, expected: bool) -> None:
    assert is_retryable(error) is expected


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-999, 999)
    | st.text(max_size=20)
    | st.sampled_from(['{"error":{"code":4}}', "402"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "text", "message", "code", "type", "detail", "raw_response"]), inner
        )
    ),
    max_leaves=8,
)


@given(data=st.dictionaries(st.sampled_from(["text", "error_type", "raw_response", "allow_retry"]), _json))
def test_any_event_is_an_error_that_can_be_told(data: dict[str, Any]) -> None:
    message = error_from_event(data).message

    assert message
    assert len(message) <= 2000
    assert not re.search(r"[\x00-\x1f]", message)


@given(
    status=st.integers(400, 599),
    body=st.binary(max_size=80)
    | _json.map(
        orjson.dumps,
    ).filter(bool),
    wait=st.text(max_size=30) | st.from_regex(r"[0-9a-zA-Z:, .+-]{0,30}"),
)
def test_any_answer_is_an_error_that_can_be_told(status: int, body: bytes, wait: str) -> None:
    error = error_from_status(status, {"Retry-After": wait}, body)

    assert error.message
    assert error.retry_after is None or 0 <= error.retry_after <= 86400


class TestSecrets:
    KEY = "pk-0123456789"

    @pytest.mark.parametrize("place", [0, 1980, 1990, 1995, 1999, 2000, 3985, 3990, 3995, 5000])
    def test_no_part_of_a_key_survives_where_a_message_is_cut(self, place: int) -> None:
        said = "x" * place + self.KEY
        for error in (
            error_from_event({"text": said}, self.KEY),
            error_from_event({"text": f"\n\n{said}", "error_type": "user_message_too_long"}, self.KEY),
            error_from_status(401, {}, orjson.dumps({"error": {"message": said}}), self.KEY),
            error_from_status(500, {}, said.encode(), self.KEY),
        ):
            assert not any(self.KEY[:length] in error.message for length in range(3, len(self.KEY)))
            assert len(error.message) <= 2000

    def test_a_key_is_masked_after_its_escapes_are_read(self) -> None:
        said = self.KEY.replace("-", "\\u002d")
        error = error_from_status(401, {}, f'{{"error": {{"message": "Invalid token {said}"}}}}'.encode(), self.KEY)

        assert error.message == "Poe refused this API key: Invalid token ***"
