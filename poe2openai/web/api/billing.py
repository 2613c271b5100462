"""Poe's balance, also where OpenAI's old billing pages were, which NextChat and Chatbox ask."""

from datetime import UTC, date, datetime

from flask import Blueprint, Response, request

from poe2openai.dialects.billing import (
    Period,
    balance_body,
    period_of,
    spent_points,
    subscription_body,
    usage_body,
)
from poe2openai.web.auth import caller_of
from poe2openai.web.request_log import current_record
from poe2openai.web.services import Services, services

blueprint = Blueprint("billing", __name__)


@blueprint.get("/v1/balance")
@blueprint.get("/balance")
def balance() -> Response:
    here = services()
    return _json(balance_body(here.balances.balance(_keys(here)), here.settings.usd_per_million_points))


@blueprint.get("/v1/dashboard/billing/subscription")
@blueprint.get("/dashboard/billing/subscription")
def subscription() -> Response:
    here = services()
    keys = _keys(here)
    period = period_of({}, _today())
    days, _ = _spent(here, keys, period)
    left = here.balances.balance(keys)
    return _json(subscription_body(left, sum(days.values()), here.settings.usd_per_million_points))


@blueprint.get("/v1/dashboard/billing/usage")
@blueprint.get("/dashboard/billing/usage")
def usage() -> Response:
    here = services()
    keys = _keys(here)
    days, is_complete = _spent(here, keys, period_of(request.args, _today()))
    return _json(usage_body(days, here.settings.usd_per_million_points, is_complete=is_complete))


def _keys(here: Services) -> list[str]:
    caller = caller_of(request, here.keys)
    current_record().caller = caller.id
    return here.keys.keys_for(caller)


def _spent(here: Services, keys: list[str], period: Period) -> tuple[dict[date, float], bool]:
    since = datetime(period.start.year, period.start.month, period.start.day, tzinfo=UTC)
    spent = here.balances.spent(keys, since.timestamp())
    return spent_points(spent.entries, period), spent.is_complete


def _today() -> date:
    return datetime.now(UTC).date()


def _json(body: bytes) -> Response:
    return Response(body, content_type="application/json", headers={"Cache-Control": "no-cache"})
