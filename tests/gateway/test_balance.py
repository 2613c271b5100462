"""Balances are asked of a scripted Poe, seldom, and added up over the gateway's keys."""

from collections.abc import Iterator

import pytest

from poe2openai.core.errors import GatewayError
from poe2openai.gateway.balance import KEPT_SECONDS, MAX_PAGES, Balances
from poe2openai.poe.client import PoeClient
from tests.support.poe_script import error_reply, json_reply
from tests.support.scripted_poe import ScriptedPoe


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def balances(poe: ScriptedPoe, clock: Clock) -> Iterator[Balances]:
    client = PoeClient(poe.url, connect_timeout=2.0, idle_timeout=5.0)
    yield Balances(client, clock)
    client.close()


def test_a_balance_is_remembered_for_a_moment(poe: ScriptedPoe, balances: Balances, clock: Clock) -> None:
    poe.route("GET /usage/current_balance", json_reply(200, {"current_point_balance": 5}))

    assert balances.balance(["a"]) == {"current_point_balance": 5}
    balances.balance(["a"])
    assert len(poe.requests) == 1
    balances.balance(["b"])
    clock.now += KEPT_SECONDS + 1
    balances.balance(["a"])
    assert [request.header("authorization") for request in poe.requests] == ["Bearer a", "Bearer b", "Bearer a"]


def test_several_keys_add_up_and_a_refused_one_is_left_out(poe: ScriptedPoe, balances: Balances) -> None:
    poe.route("GET /usage/current_balance", json_reply(200, {"current_point_balance": 5, "plan": "x"}))
    poe.route("GET /usage/current_balance", error_reply(401, "Invalid token"))
    poe.route("GET /usage/current_balance", json_reply(200, {"current_point_balance": 7, "plan": "y"}))

    assert balances.balance(["a", "b", "c"]) == {"current_point_balance": 12, "plan": "x"}


def test_where_all_keys_are_refused_the_first_refusal_is_told(poe: ScriptedPoe, balances: Balances) -> None:
    poe.route("GET /usage/current_balance", error_reply(401, "Invalid token"))

    with pytest.raises(GatewayError, match="Invalid token"):
        balances.balance(["first", "second"])


def test_the_history_is_read_page_by_page_back_to_the_day(poe: ScriptedPoe, balances: Balances) -> None:
    def page(first: int, *, more: bool) -> dict[str, object]:
        entries = [{"creation_time": at * 10**6, "cost_points": 1, "query_id": f"q{at}"} for at in (first, first - 1)]
        return {"has_more": more, "length": 2, "data": entries}

    poe.route("GET /usage/points_history", json_reply(200, page(50, more=True)))
    poe.route("GET /usage/points_history", json_reply(200, page(40, more=True)))

    spent = balances.spent(["a"], since=39.5)

    assert spent.is_complete
    assert [request.target for request in poe.requests] == [
        b"/usage/points_history?limit=100",
        b"/usage/points_history?limit=100&starting_after=q49",
    ]
    assert [entry["creation_time"] for entry in spent.entries] == [at * 10**6 for at in (50, 49, 40, 39)]


def test_a_history_without_end_is_read_so_far_and_says_so(poe: ScriptedPoe, balances: Balances) -> None:
    page = {"has_more": True, "data": [{"creation_time": 10**15, "cost_points": 1, "query_id": "q"}]}
    poe.route("GET /usage/points_history", json_reply(200, page))

    spent = balances.spent(["a"], since=0)

    assert not spent.is_complete
    assert len(spent.entries) == MAX_PAGES
