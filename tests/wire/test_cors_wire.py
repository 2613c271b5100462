"""Pages of any origin may call the API, without credentials; never the admin."""

import pytest

from tests.support.gateway import Gateway
from tests.support.poe_script import done, text
from tests.support.scripted_poe import ScriptedPoe

ORIGIN = {"Origin": "https://chat.example"}


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/chat/completions", "/v1/models", "/v1/not-yet-there"])
def test_preflight(gateway: Gateway, poe: ScriptedPoe, path: str) -> None:
    asked = "authorization,content-type,x-stainless-os, x-custom"
    preflight = {**ORIGIN, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": asked}
    with gateway.client() as client:
        response = client.request("OPTIONS", path, None, preflight)
        assert response.read() == b""
        assert response.status == 204
        assert response.header("access-control-allow-origin") == "*"
        allowed = (response.header("access-control-allow-headers") or "").lower()
        assert all(name.strip() in allowed for name in asked.split(","))
        assert "POST" in (response.header("access-control-allow-methods") or "")
        assert response.header("access-control-allow-credentials") is None
    assert poe.queries() == []


def test_answers_and_errors_may_be_read(gateway: Gateway, poe: ScriptedPoe) -> None:
    poe.script("bot", text("ok"), done())
    with gateway.client() as client:
        for response in (
            client.chat(model="bot", headers=ORIGIN),
            client.chat(model="bot", stream=True, headers=ORIGIN),
            client.chat(model="bot", key=None, headers=ORIGIN),
            client.request("GET", "/v1/nowhere", None, ORIGIN),
        ):
            response.read()
            assert response.header("access-control-allow-origin") == "*"
            assert response.header("access-control-allow-credentials") is None


@pytest.mark.parametrize("path", ["/admin", "/api/admin/config"])
def test_the_admin_is_closed_to_other_origins(gateway: Gateway, path: str) -> None:
    with gateway.client() as client:
        for method in ("OPTIONS", "GET"):
            response = client.request(method, path, None, ORIGIN)
            response.read()
            assert response.header("access-control-allow-origin") is None
