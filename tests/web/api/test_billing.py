"""Poe's balance where clients ask for it."""

import time

import pytest

from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway
from tests.support.poe_script import error_reply, json_reply
from tests.support.scripted_poe import ScriptedPoe
from tests.support.wire import KEY

BALANCE = {"current_point_balance": 1_000_000}


def auth(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def spent(poe: ScriptedPoe, points: int) -> None:
    entry = {"creation_time": int(time.time() * 1e6), "cost_points": points, "query_id": "q", "bot_name": "b"}
    poe.route("GET /usage/points_history", json_reply(200, {"has_more": False, "length": 1, "data": [entry]}))


@pytest.mark.parametrize("prefix", ["", "/v1"])
def test_what_nextchat_computes_is_what_is_left(make_gateway: GatewayFactory, poe: ScriptedPoe, prefix: str) -> None:
    poe.route("GET /usage/current_balance", json_reply(200, BALANCE))
    spent(poe, 500_000)
    gateway = make_gateway(fresh=True)
    with gateway.client() as client:
        limit = client.request("GET", f"{prefix}/dashboard/billing/subscription", headers=auth(KEY)).json()
        used = client.request("GET", f"{prefix}/dashboard/billing/usage", headers=auth(KEY)).json()
        balance = client.request("GET", f"{prefix}/balance", headers=auth(KEY)).json()

    assert limit["hard_limit_usd"] == 45
    assert used["total_usage"] == 1500
    assert balance["usd"] == limit["hard_limit_usd"] - used["total_usage"] / 100
    assert balance["current_point_balance"] == 1_000_000
    asked = [request for request in poe.requests if b"usage" in request.target]
    assert {request.header("authorization") for request in asked} == {f"Bearer {KEY}"}


def test_refusals_have_the_usual_shape(gateway: Gateway, poe: ScriptedPoe) -> None:
    poe.route("GET /usage/current_balance", error_reply(401, "Invalid token"))
    with gateway.client() as client:
        refused = client.request("GET", "/v1/balance", headers=auth("another-key"))
        assert (refused.status, refused.json()["error"]["code"]) == (401, "invalid_api_key")
        assert client.request("GET", "/v1/balance").status == 401
        bad_day = client.request("GET", "/v1/dashboard/billing/usage?start_date=soon", headers=auth(KEY))
        assert (bad_day.status, bad_day.json()["error"]["param"]) == (400, "start_date")


def test_a_token_sees_what_the_gateways_keys_have_together(make_gateway: GatewayFactory, poe: ScriptedPoe) -> None:
    poe.route("GET /usage/current_balance", json_reply(200, BALANCE))
    gateway = make_gateway(fresh=True, POE_API_KEYS='["one", "two"]', ACCESS_TOKENS="token")
    with gateway.client() as client:
        balance = client.request("GET", "/v1/balance", headers=auth("token")).json()
    assert balance["current_point_balance"] == 2_000_000
