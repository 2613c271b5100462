"""Poe's balance where clients ask for OpenAI's old billing pages: NextChat, Chatbox and the like.

Such clients show `total_usage` and `hard_limit_usd`, and their difference as what is left.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import orjson

from poe2openai.core.errors import ErrorKind, GatewayError

# 2100-01-01: a balance does not end.
_NO_END = 4_102_444_800
_MILLION = 1_000_000
_FIRST, _LAST = date(2000, 1, 1), date(2100, 1, 1)


@dataclass(frozen=True, slots=True)
class Period:
    """Days in UTC, both among them: some clients ask until today, others until tomorrow."""

    start: date
    end: date

    def holds(self, microseconds: int) -> bool:
        """Whether a time in microseconds since 1970 lies in it."""
        day = _day_of(microseconds)
        return day is not None and self.start <= day <= self.end


def period_of(query: Mapping[str, str], today: date) -> Period:
    """`start_date` and `end_date` as `2026-11-01`; without them, this month."""
    start = _day(query, "start_date") or today.replace(day=1)
    end = _day(query, "end_date") or max(start, today)
    if end < start:
        message = "'end_date' comes before 'start_date'."
        raise GatewayError(ErrorKind.INVALID_REQUEST, message, param="end_date")
    return Period(start, end)


def spent_points(entries: Iterable[Mapping[str, Any]], period: Period) -> dict[date, float]:
    """Points that entries of Poe's history cost, by day."""
    days: dict[date, float] = {}
    for entry in entries:
        at, cost = entry.get("creation_time"), entry.get("cost_points")
        if isinstance(at, int) and isinstance(cost, int | float) and period.holds(at):
            day = _day_of(at) or period.start
            days[day] = days.get(day, 0.0) + cost
    return days


def balance_body(balance: Mapping[str, Any], usd_per_million: float) -> bytes:
    points = points_of(balance)
    usd = _usd(points, usd_per_million)
    return orjson.dumps({"object": "balance", **balance, "usd": usd})


def subscription_body(balance: Mapping[str, Any], spent: float, usd_per_million: float) -> bytes:
    """`spent` are the points of this month, so that the limit less the usage is what is left."""
    limit = _usd(points_of(balance) + spent, usd_per_million)
    return orjson.dumps(
        {
            "object": "billing_subscription",
            "has_payment_method": True,
            "canceled": False,
            "soft_limit_usd": limit,
            "hard_limit_usd": limit,
            "system_hard_limit_usd": limit,
            "access_until": _NO_END,
        }
    )


def usage_body(days: Mapping[date, float], usd_per_million: float, *, is_complete: bool) -> bytes:
    """`total_usage` is in cents; `is_complete` is false where Poe's history was longer than was read."""
    daily = [
        {"timestamp": _midnight(day), "line_items": [{"name": "Poe", "cost": _cents(days[day], usd_per_million)}]}
        for day in sorted(days)
    ]
    total = _cents(sum(days.values()), usd_per_million)
    return orjson.dumps(
        {"object": "list", "daily_costs": daily, "total_usage": total, "is_complete": is_complete},
    )


def points_of(balance: Mapping[str, Any]) -> float:
    points = balance.get("current_point_balance")
    return points if isinstance(points, int | float) and not isinstance(points, bool) else 0


def _day_of(microseconds: int) -> date | None:
    try:
        return datetime.fromtimestamp(microseconds / 1e6, UTC).date()
    except (OverflowError, ValueError, OSError):
        return None


def _day(query: Mapping[str, str], name: str) -> date | None:
    value = query.get(name)
    if not value:
        return None
    try:
        day = date.fromisoformat(value[:10])
        if not _FIRST <= day <= _LAST:
            raise ValueError
    except ValueError:
        message = f"Invalid value for '{name}': expected a day such as 2026-11-01."
        raise GatewayError(ErrorKind.INVALID_REQUEST, message, param=name) from None
    return day


def _midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def _usd(points: float, usd_per_million: float) -> float:
    return round(points * usd_per_million / _MILLION, 4)


def _cents(points: float, usd_per_million: float) -> float:
    return round(points * usd_per_million * 100 / _MILLION, 4)
