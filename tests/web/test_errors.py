"""One test owns the shape of every error."""

import logging

import pytest
from flask import Flask, abort
from flask.testing import FlaskClient

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.web import errors, request_log


@pytest.fixture
def client() -> FlaskClient:
    app = Flask("errors")
    request_log.install(app)
    errors.install(app)

    @app.post("/kind/<name>")
    def raise_kind(name: str) -> str:
        raise GatewayError(ErrorKind[name], "What went wrong.", param="messages[0]", retry_after=1.2)

    @app.get("/bug")
    def bug() -> str:
        raise RuntimeError("secret detail")

    @app.get("/abort/<int:status>")
    def stop(status: int) -> str:
        abort(status)

    return app.test_client()


@pytest.mark.parametrize("kind", list(ErrorKind))
def test_every_kind_has_its_status_and_openais_shape(client: FlaskClient, kind: ErrorKind) -> None:
    response = client.post(f"/kind/{kind.name}")
    assert response.status_code == kind.status
    assert response.content_type == "application/json"
    error = response.json["error"] if response.json else {}
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"] == "What went wrong."
    assert error["param"] == "messages[0]"
    assert error["code"] == kind.code
    assert response.headers["Retry-After"] == "2"
    assert response.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/kind/INTERNAL", 405, "method_not_allowed"),
        ("GET", "/abort/413", 413, "request_too_large"),
        ("GET", "/abort/415", 415, "invalid_request"),
        ("GET", "/abort/503", 503, "internal_error"),
    ],
)
def test_http_errors_have_it_too(client: FlaskClient, method: str, path: str, status: int, code: str) -> None:
    response = client.open(path, method=method)
    assert response.status_code == status
    assert response.json is not None
    assert response.json["error"]["code"] == code
    assert response.json["error"]["message"]


def test_a_refused_method_says_which_are_taken(client: FlaskClient) -> None:
    assert "POST" in client.get("/kind/INTERNAL").headers["Allow"]


def test_a_bug_is_logged_and_not_shown(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        response = client.get("/bug")
    assert response.status_code == 500
    assert "secret detail" not in response.text
    assert "secret detail" in caplog.text
