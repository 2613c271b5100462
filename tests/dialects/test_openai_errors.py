import re
from pathlib import Path

import httpx2
import openai
import orjson
import pytest

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.dialects.openai_errors import error_body, error_type

API_PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"


def test_an_error_has_the_four_fields_of_openai() -> None:
    error = GatewayError(ErrorKind.INVALID_REQUEST, "Missing required parameter: 'model'.", param="model")

    assert orjson.loads(error_body(error)) == {
        "error": {
            "message": "Missing required parameter: 'model'.",
            "type": "invalid_request_error",
            "param": "model",
            "code": "invalid_request",
        }
    }


@pytest.mark.parametrize(
    ("kind", "type_", "code"),
    [
        (ErrorKind.AUTHENTICATION, "invalid_request_error", "invalid_api_key"),
        (ErrorKind.MODEL_NOT_FOUND, "invalid_request_error", "model_not_found"),
        (ErrorKind.CONTEXT_LENGTH, "invalid_request_error", "context_length_exceeded"),
        (ErrorKind.INSUFFICIENT_QUOTA, "insufficient_quota", "insufficient_quota"),
        (ErrorKind.RATE_LIMIT, "requests", "rate_limit_exceeded"),
        (ErrorKind.UPSTREAM_CUT_OFF, "server_error", "upstream_cut_off"),
        (ErrorKind.OVERLOADED, "server_error", "overloaded"),
        (ErrorKind.INTERNAL, "server_error", "internal_error"),
    ],
)
def test_type_and_code_are_those_that_clients_look_for(kind: ErrorKind, type_: str, code: str) -> None:
    error = orjson.loads(error_body(GatewayError(kind, "…")))["error"]

    assert (error["type"], error["code"]) == (type_, code)


@pytest.mark.parametrize("kind", list(ErrorKind))
def test_every_kind_has_a_type_that_fits_its_status(kind: ErrorKind) -> None:
    assert (error_type(kind) == "server_error") == (kind.status >= 500)


@pytest.mark.parametrize("kind", list(ErrorKind))
def test_the_official_sdk_reads_every_field(kind: ErrorKind) -> None:
    body = error_body(GatewayError(kind, "It went wrong.", param="messages[0]"))
    answer = httpx2.MockTransport(
        lambda request: httpx2.Response(kind.status, content=body, headers={"content-type": "application/json"})
    )
    with (
        httpx2.Client(transport=answer) as http,
        openai.OpenAI(api_key="k", base_url="http://gateway.test/v1", max_retries=0, http_client=http) as client,
        pytest.raises(openai.APIStatusError, match=r"It went wrong\.") as caught,
    ):
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])

    assert caught.value.status_code == kind.status
    assert (caught.value.type, caught.value.code, caught.value.param) == (error_type(kind), kind.code, "messages[0]")


def test_the_documented_errors_are_those_there_are() -> None:
    rows = re.findall(r"^\| (\d{3}) \| `(\w+)` \| `(\w+)` \|", API_PAGE.read_text(encoding="utf-8"), re.MULTILINE)

    assert sorted(rows) == sorted((str(kind.status), kind.code, error_type(kind)) for kind in ErrorKind)
