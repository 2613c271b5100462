"""What a browser asks and sees, from a page of another origin."""

from collections.abc import Iterator

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient
from werkzeug.exceptions import RequestEntityTooLarge, Unauthorized

from poe2openai.web import cors

ORIGIN = {"Origin": "https://chat.example"}


@pytest.fixture
def client() -> FlaskClient:
    app = Flask(__name__)
    cors.install(app)

    @app.post("/v1/chat/completions")
    def stream() -> Response:
        def chunks() -> Iterator[str]:
            yield "data: {}\n\n"
            yield "data: [DONE]\n\n"

        return Response(chunks(), mimetype="text/event-stream")

    @app.get("/v1/refused")
    def refused() -> Response:
        raise Unauthorized

    @app.get("/v1/large")
    def large() -> Response:
        raise RequestEntityTooLarge

    @app.get("/v1/broken")
    def broken() -> Response:
        raise RuntimeError

    @app.get("/admin")
    @app.get("/admin/models")
    @app.get("/api/admin/config")
    @app.get("/models")
    def page() -> str:
        return "page"

    return app.test_client()


def cors_headers(headers: object) -> list[str]:
    return [name for name, _ in headers if name.lower().startswith("access-control-")]  # type: ignore[attr-defined]


def test_any_origin_may_read_a_stream(client: FlaskClient) -> None:
    answer = client.post("/v1/chat/completions", headers=ORIGIN)
    assert answer.text.endswith("data: [DONE]\n\n")
    assert answer.headers.getlist("Access-Control-Allow-Origin") == ["*"]
    exposed = answer.headers["Access-Control-Expose-Headers"]
    assert "x-request-id" in exposed
    assert "retry-after" in exposed
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/nothing", 404),
        ("/v1/refused", 401),
        ("/v1/large", 413),
        ("/v1/broken", 500),
        ("/v1/chat/completions", 405),
    ],
)
def test_errors_can_be_read_too(client: FlaskClient, path: str, status: int) -> None:
    answer = client.get(path, headers=ORIGIN)
    assert answer.status_code == status
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/models", "/v1/nothing"])
def test_a_preflight_allows_what_was_asked_for(client: FlaskClient, path: str) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,x-stainless-os"}
    answer = client.options(path, headers={**ORIGIN, **asked})
    assert answer.status_code == 204
    assert answer.data == b""
    assert "Content-Type" not in answer.headers
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Access-Control-Allow-Headers"] == "authorization, x-stainless-os"
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert int(answer.headers["Access-Control-Max-Age"]) > 0
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_a_bare_options_is_204(client: FlaskClient) -> None:
    answer = client.options("/v1/chat/completions")
    assert answer.status_code == 204
    assert "Access-Control-Allow-Headers" not in answer.headers


def test_only_header_names_are_echoed(client: FlaskClient) -> None:
    asked = 'x-good, bad header, <script>, , "q", x-fine, ' + "x" * 101
    answer = client.options("/v1/models", headers={"Access-Control-Request-Headers": asked})
    assert answer.headers["Access-Control-Allow-Headers"] == "x-good, x-fine"


def test_a_list_without_end_is_cut(client: FlaskClient) -> None:
    asked = ",".join(f"x-{number}" for number in range(5000))
    answer = client.options("/v1/models", headers={"Access-Control-Request-Headers": asked})
    assert len(answer.headers["Access-Control-Allow-Headers"].split(", ")) == 100


@pytest.mark.parametrize(
    "path",
    ["/admin", "/admin/models", "/api/admin/config", "/admin/nothing", "/ADMIN", "//admin", "/api//admin/config"],
)
def test_the_admin_is_for_its_own_origin(client: FlaskClient, path: str) -> None:
    as_sent = {"PATH_INFO": path}
    for answer in (
        client.get(environ_overrides=as_sent, headers=ORIGIN),
        client.options(environ_overrides=as_sent, headers={**ORIGIN, "Access-Control-Request-Method": "GET"}),
    ):
        assert cors_headers(answer.headers) == []
