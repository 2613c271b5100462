"""Poe's balance where clients ask for OpenAI's old billing pages: NextChat, Chatbox and the like.

Such clients show `total_usage` and `hard_limit_usd`, and their difference as what is left.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson

from poe2openai.core.errors import ErrorKind, GatewayError

MAX_DAYS = 400
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Period:
    """Days in UTC, `end` not among them (as in OpenAI's own page)."""

    start: date
    end: date

    def holds(self, microseconds: int) -> bool:
        """Whether a time in microseconds since 1970 lies in it."""
        return self.start <= datetime.fromtimestamp(microseconds / 1e6, UTC).date() < self.end


def period_of(query: Mapping[str, str], today: date) -> Period:
    """`start_date` and `end_date` as `2026-11-01`; without them, this month."""
    start = _day(query, "start_date") or today.replace(day=1)
    end = _day(query, "end_date") or today + timedelta(days=1)
    if not timedelta() <= end - start <= timedelta(days=MAX_DAYS):
        message = f"'end_date' has to come after 'start_date', by at most {MAX_DAYS} days."
        raise GatewayError(ErrorKind.INVALID_REQUEST, message, param="end_date")
    # A client that asks for one day means that day.
    return Period(start, max(end, start + timedelta(days=1)))


def spent_points(entries: Iterable[Mapping[str, Any]], period: Period) -> dict[date, float]:
    """Points that entries of Poe's history cost, by day."""
    days: dict[date, float] = {}
    for entry in entries:
        at, cost = entry.get("creation_time"), entry.get("cost_points")
        if isinstance(at, int) and isinstance(cost, int | float) and period.holds(at):
            day = datetime.fromtimestamp(at / 1e6, UTC).date()
            days[day] = days.get(day, 0.0) + cost
    return days


def balance_body(balance: Mapping[str, Any], usd_per_million: float) -> bytes:
    points = points_of(balance)
    return orjson.dumps({"object": "balance", **balance, "balance_usd": _usd(points, usd_per_million)})


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
            "access_until": 0,
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


def _day(query: Mapping[str, str], name: str) -> date | None:
    value = query.get(name)
    if not value:
        return None
    try:
        return date.fromisoformat(value[:10])
    except ValueError:
        message = f"Invalid value for '{name}': expected a day such as 2026-11-01."
        raise GatewayError(ErrorKind.INVALID_REQUEST, message, param=name) from None


def _midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def _usd(points: float, usd_per_million: float) -> float:
    return round(points * usd_per_million / _MILLION, 4)


def _cents(points: float, usd_per_million: float) -> float:
    return round(points * usd_per_million * 100 / _MILLION, 4)
