"""Headers in, callers out."""

import pytest
from flask import Request
from werkzeug.test import EnvironBuilder

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.gateway.keys import KeyRing
from poe2openai.web.auth import caller_of

RING = KeyRing(["gateways-key"], ["token"], True)


def request(*headers: tuple[str, str]) -> Request:
    return Request(EnvironBuilder(headers=list(headers)).get_environ())


@pytest.mark.parametrize("value", ["Bearer poe-key", "bearer poe-key", "BEARER poe-key", "  Bearer   poe-key \t"])
def test_a_bearer_key_in_any_spelling(value: str) -> None:
    assert caller_of(request(("Authorization", value)), RING).poe_key == "poe-key"


def test_an_x_api_key() -> None:
    assert caller_of(request(("x-api-key", " poe-key ")), RING).poe_key == "poe-key"


def test_a_token_in_either_header() -> None:
    for header in (("Authorization", "Bearer token"), ("x-api-key", "token")):
        caller = caller_of(request(header), RING)
        assert caller.id.startswith("token-")
        assert caller.poe_key is None


def test_a_bearer_goes_before_x_api_key() -> None:
    assert caller_of(request(("x-api-key", "second"), ("Authorization", "Bearer first")), RING).poe_key == "first"


@pytest.mark.parametrize("other", ["", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "poe-key"])
def test_x_api_key_stands_in_where_there_is_no_bearer(other: str) -> None:
    assert caller_of(request(("Authorization", other), ("x-api-key", "second")), RING).poe_key == "second"


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ([], "No API key"),
        ([("Authorization", "")], "No API key"),
        ([("Authorization", "Bearer ")], "No API key"),
        ([("Authorization", "Basic dXNlcjpwYXNz")], "must read 'Bearer <key>'"),
        ([("Authorization", "poe-key")], "must read 'Bearer <key>'"),
        ([("Authorization", "Bearer two words")], "malformed"),
        ([("Authorization", "Bearer one"), ("Authorization", "Bearer two")], "malformed"),
        ([("Authorization", "Bearer cl\xe9")], "malformed"),
        ([("x-api-key", "two words")], "malformed"),
    ],
)
def test_missing_and_malformed_keys_are_refused(headers: list[tuple[str, str]], message: str) -> None:
    with pytest.raises(GatewayError, match=message) as caught:
        caller_of(request(*headers), RING)
    assert caught.value.kind is ErrorKind.AUTHENTICATION
