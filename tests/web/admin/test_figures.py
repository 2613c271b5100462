"""Numbers and times as a reader of each language expects them."""

import pytest
from flask import Flask

from poe2openai.web.admin.figures import OFFSET_COOKIE, Figures, figures_of_request

EN, CN, TW = Figures("en"), Figures("zh-CN"), Figures("zh-TW")
NOON = 1_763_726_400.0  # 2025-11-21 12:00 UTC


@pytest.mark.parametrize(
    ("figures", "number", "text"),
    [
        (EN, 0, "0"),
        (EN, 999, "999"),
        (EN, 999.6, "1K"),
        (EN, 1_250, "1.2K"),
        (EN, 250_000, "250K"),
        (EN, 999_999, "1M"),
        (EN, 3_400_000_000, "3.4B"),
        (CN, 9_999, "1万"),
        (CN, 9_900, "9,900"),
        (CN, 1_200_000, "120万"),
        (CN, 210_000_000, "2.1亿"),
        (TW, 52_000, "5.2萬"),
    ],
)
def test_short_numbers(figures: Figures, number: float, text: str) -> None:
    assert figures.short(number) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 0, "0 %"),
        (0, 9, "0 %"),
        (1, 100_000, "<0.1 %"),
        (4, 1000, "0.4 %"),
        (1, 10, "10 %"),
        (999, 1000, ">99 %"),
        (5, 5, "100 %"),
    ],
)
def test_a_share_never_rounds_to_none_or_all(part: int, whole: int, text: str) -> None:
    assert EN.percent(part, whole) == text
    assert CN.percent(part, whole) == text.replace(" ", "")


def test_changes() -> None:
    assert [EN.change(*each) for each in ((112, 100), (88, 100), (100, 100), (5, 0))] == ["+12 %", "−12 %", "±0 %", ""]
    assert [EN.change(1099, 100), CN.change(1099, 100), EN.change(2352, 1)] == ["+999 %", "+999%", "×2,352"]


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (None, "–"),
        (0, "0 ms"),
        (85, "85 ms"),
        (620, "0.62 s"),
        (1900, "1.9 s"),
        (12_400, "12 s"),
        (59_700, "1:00"),
        (125_000, "2:05"),
    ],
)
def test_durations(milliseconds: int | None, text: str) -> None:
    assert EN.duration(milliseconds) == text


def test_times_are_the_browsers() -> None:
    east = Figures("zh-CN", 8 * 60)
    assert (EN.clock(NOON), EN.day(NOON), EN.moment(NOON)) == ("12:00", "Nov 21", "Nov 21 12:00:00")
    assert (east.clock(NOON), east.day(NOON), east.short_day(NOON)) == ("20:00", "11月21日", "11/21")
    assert east.machine(NOON) == EN.machine(NOON) == "2025-11-21T12:00:00Z"


@pytest.mark.parametrize(("cookie", "offset"), [("480", 480), ("-300", -300), ("99999", 840), ("x", 0), ("", 0)])
def test_the_browser_tells_its_offset(cookie: str, offset: int) -> None:
    with Flask(__name__).test_request_context("/", headers={"Cookie": f"{OFFSET_COOKIE}={cookie}"}):
        assert figures_of_request().offset == offset
