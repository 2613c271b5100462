"""Poe's points in the shapes of OpenAI's old billing pages."""

from datetime import date

from poe2openai.dialects.billing import period_of


def test_without_dates_it_is_this_month() -> None:
    period = period_of({}, date(2026, 11, 20))
    assert period.start == date(2026, 11, 1)
