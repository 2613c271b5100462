"""Numbers, shares and times as a page shows them, in its language."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from flask import request

from poe2openai.web.admin import page
from poe2openai.web.i18n import Language

OFFSET_COOKIE: Final = "poe2openai_offset"
_FARTHEST: Final = 14 * 60
_MOST_PERCENTS: Final = 999

_STEPS: Final[dict[Language, tuple[tuple[int, str], ...]]] = {
    "en": ((1_000_000_000, "B"), (1_000_000, "M"), (1_000, "K")),
    "zh-CN": ((100_000_000, "亿"), (10_000, "万")),
    "zh-TW": ((100_000_000, "億"), (10_000, "萬")),
}
_DAYS: Final[dict[Language, str]] = {"en": "{name} {day}", "zh-CN": "{month}月{day}日", "zh-TW": "{month}月{day}日"}
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Figures:
    """`offset` is the browser's distance from UTC in minutes, east positive."""

    language: Language
    offset: int = 0

    def whole(self, number: float) -> str:
        return f"{round(number):,}"

    def short(self, number: float) -> str:
        """`1.2M`, `120万`: what a place has no room for otherwise."""
        for size, name in _STEPS[self.language]:
            if number >= size * 0.9995:
                return f"{_significant(number / size)}{name}"
        return self.whole(number)

    def percent(self, part: float, whole: float) -> str:
        """`0.4 %`; what is above nothing never reads as nothing, and what is below all never as all."""
        share = 100 * part / whole if whole else 0.0
        if 0 < share < 0.1:
            text = "<0.1"
        elif share < 10:
            text = f"{share:.1f}".removesuffix(".0")
        elif 99.5 <= share < 100:
            text = ">99"
        else:
            text = f"{share:.0f}"
        return f"{text} %" if self.language == "en" else f"{text}%"

    def change(self, now: float, before: float) -> str:
        """`+12 %`, `×24` where percents would need four digits, empty where there is nothing to compare with."""
        if not before:
            return ""
        share = round(100 * (now - before) / before)
        if share > _MOST_PERCENTS:
            return f"×{now / before:,.0f}"
        sign = "−" if share < 0 else "+" if share > 0 else "±"
        return f"{sign}{abs(share)}{' %' if self.language == 'en' else '%'}"

    def duration(self, milliseconds: float | None) -> str:
        """`85 ms`, `0.62 s`, `12 s`, `2:05`; a dash for one that is not known."""
        if milliseconds is None:
            return "–"
        if milliseconds < 100:
            return f"{round(milliseconds)} {'ms' if self.language == 'en' else '毫秒'}"
        seconds = milliseconds / 1000
        if round(seconds) >= 60:
            return self.countdown(seconds)
        text = f"{seconds:.2f}" if seconds < 1 else f"{seconds:.1f}" if seconds < 10 else f"{seconds:.0f}"
        return f"{text} {'s' if self.language == 'en' else '秒'}"

    def countdown(self, seconds: float) -> str:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes}:{rest:02}"

    def clock(self, at: float) -> str:
        return f"{self._local(at):%H:%M}"

    def day(self, at: float) -> str:
        there = self._local(at)
        return _DAYS[self.language].format(day=there.day, month=there.month, name=_MONTHS[there.month - 1])

    def short_day(self, at: float) -> str:
        there = self._local(at)
        return self.day(at) if self.language == "en" else f"{there.month}/{there.day}"

    def moment(self, at: float) -> str:
        return f"{self.day(at)} {self._local(at):%H:%M:%S}"

    def machine(self, at: float) -> str:
        """For `<time datetime>`."""
        return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"

    def _local(self, at: float) -> datetime:
        return datetime.fromtimestamp(at, UTC) + timedelta(minutes=self.offset)


def figures_of_request() -> Figures:
    """In the page's language and, as far as the browser told it, its time."""
    try:
        offset = int(request.cookies.get(OFFSET_COOKIE, "0"))
    except ValueError:
        offset = 0
    return Figures(page.language(), max(-_FARTHEST, min(offset, _FARTHEST)))


def _significant(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0") if number < 99.95 else f"{number:,.0f}"
