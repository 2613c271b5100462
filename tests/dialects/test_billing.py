"""Poe's points in the words of OpenAI's old billing pages."""

from datetime import UTC, date, datetime
from typing import Any

import orjson
import pytest

from poe2openai.core.errors import GatewayError
from poe2openai.dialects.billing import (
    Period,
    balance_body,
    period_of,
    spent_points,
    subscription_body,
    usage_body,
)

TODAY = date(2026, 11, 21)


def microseconds(day: int, hour: int = 12) -> int:
    return int(datetime(2026, 11, day, hour, tzinfo=UTC).timestamp() * 1e6)


@pytest.mark.parametrize(
    ("query", "start", "end"),
    [
        ({}, date(2026, 11, 1), TODAY),
        ({"start_date": "2026-10-01", "end_date": "2026-11-01"}, date(2026, 10, 1), date(2026, 11, 1)),
        ({"start_date": "2026-11-05", "end_date": "2026-11-05"}, date(2026, 11, 5), date(2026, 11, 5)),
        ({"start_date": "2026-11-05T10:00:00Z"}, date(2026, 11, 5), TODAY),
        ({"start_date": "2023-01-01", "end_date": "2030-01-01"}, date(2023, 1, 1), date(2030, 1, 1)),
    ],
)
def test_periods(query: dict[str, str], start: date, end: date) -> None:
    assert period_of(query, TODAY) == Period(start, end)


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"start_date": "yesterday"}, "start_date"),
        ({"end_date": "2026-13-01"}, "end_date"),
        ({"start_date": "2026-11-05", "end_date": "2026-11-01"}, "end_date"),
        ({"start_date": "1999-01-01"}, "start_date"),
        ({"end_date": "9999-01-01"}, "end_date"),
    ],
)
def test_days_that_are_none_are_refused(query: dict[str, str], param: str) -> None:
    with pytest.raises(GatewayError) as caught:
        period_of(query, TODAY)
    assert caught.value.param == param


def test_points_are_summed_by_day() -> None:
    entries: list[dict[str, Any]] = [
        {"creation_time": microseconds(5), "cost_points": 10},
        {"creation_time": microseconds(5, 23), "cost_points": 5},
        {"creation_time": microseconds(7, 23), "cost_points": 1},
        {"creation_time": microseconds(8), "cost_points": 100},
        {"creation_time": None, "cost_points": 100},
        {"creation_time": 10**30, "cost_points": 100},
        {"creation_time": microseconds(6)},
    ]
    period = Period(date(2026, 11, 5), date(2026, 11, 7))
    assert spent_points(entries, period) == {date(2026, 11, 5): 15, date(2026, 11, 7): 1}


def test_limit_less_usage_is_what_is_left() -> None:
    balance = {"current_point_balance": 2_000_000}
    limit = orjson.loads(subscription_body(balance, 1_000_000, 30))["hard_limit_usd"]
    used = orjson.loads(usage_body({TODAY: 1_000_000}, 30, is_complete=True))

    assert limit - used["total_usage"] / 100 == 60
    assert orjson.loads(balance_body(balance, 30)) == {"object": "balance", **balance, "usd": 60}
    assert used["daily_costs"][0]["line_items"] == [{"name": "Poe", "cost": 3000}]
    assert used["is_complete"] is True
