"""Numbers in, shapes out."""

import pytest

from poe2openai.web.admin.charts import HEIGHT, TOP, Chart, Series, bars, line, style

HOURS = [f"{hour}:00" for hour in range(24)]
BASE = HEIGHT + TOP


def whole(number: float) -> str:
    return f"{number:.0f}"


def of(*columns: float | None) -> Chart:
    labels = [str(number) for number in range(len(columns))]
    return bars(labels, [Series("one", columns)], "a summary", whole)


def test_bars_stand_on_each_other_and_on_the_base() -> None:
    chart = bars(["a", "b"], [Series("x", [6, 0]), Series("y", [4, 2])], "sum", whole)
    lower, upper = chart.columns[0].shapes
    assert lower.y + lower.height == pytest.approx(BASE)
    assert upper.y + upper.height == pytest.approx(lower.y)
    assert lower.height / upper.height == pytest.approx(6 / 4)
    assert [(shape.style, shape.y + shape.height) for shape in chart.columns[1].shapes] == [("c2", BASE)]


@pytest.mark.parametrize("most", [1, 2, 3, 7, 10, 39, 99, 100, 101, 4096, 1_234_567])
def test_nothing_is_higher_than_the_uppermost_line(most: int) -> None:
    chart = of(most, 1)
    assert min(shape.y for column in chart.columns for shape in column.shapes) >= chart.ticks[-1].y - 0.1
    assert chart.ticks[-1].y == TOP
    assert chart.ticks[0].y == BASE
    assert 2 <= len(chart.ticks) <= 4
    assert chart.ticks[0].label == "0"
    assert chart.ticks[1].label.rstrip("0") in {"1", "2", "5"}


def test_a_little_still_shows() -> None:
    chart = of(100_000, 1)
    assert chart.columns[1].shapes[0].height >= 1


def test_every_column_lies_within_the_picture() -> None:
    chart = bars(HOURS, [Series("x", [1] * 24)], "sum", whole)
    assert chart.columns[0].x == 0
    assert chart.columns[-1].x + chart.column_width == pytest.approx(100, abs=0.01)
    assert all(column.x < column.middle < column.x + chart.column_width for column in chart.columns)
    assert chart.bar_width < chart.column_width


def test_a_few_columns_are_named() -> None:
    chart = bars(HOURS, [Series("x", [1] * 24)], "sum", whole, marked=[f"h{hour}" for hour in range(24)])
    assert [mark.label for mark in chart.marks] == ["h2", "h6", "h10", "h14", "h18", "h22"]


def test_a_title_tells_the_sum_and_who_has_a_part() -> None:
    chart = bars(["9:00"], [Series("x", [6]), Series("y", [0]), Series("z", [4])], "sum", whole)
    assert chart.columns[0].title == "9:00: 10\nx: 6\nz: 4"
    assert chart.columns[0].cells == ["6", "0", "4"]
    assert of(3).columns[0].title == "0: 3"


def test_a_line_breaks_where_nothing_is_known() -> None:
    chart = line(["a", "b", "c", "d", "e"], Series("x", [10, 20, None, 5, None]), "sum", whole)
    (segment,) = chart.segments
    assert (segment.x1, segment.x2) == (chart.columns[0].middle, chart.columns[1].middle)
    assert segment.y1 > segment.y2
    assert [len(column.shapes) for column in chart.columns] == [1, 1, 0, 1, 0]
    assert chart.columns[2].cells == ["–"]


@pytest.mark.parametrize("chart", [of(0, 0), of(), line(["a"], Series("x", [None]), "sum", whole)])
def test_nothing_is_told_to_be_nothing(chart: Chart) -> None:
    assert chart.is_empty


def test_what_is_there_is_not_nothing() -> None:
    assert not of(0, 1).is_empty
    assert not line(["a"], Series("x", [0]), "sum", whole).is_empty


def test_there_are_six_colours() -> None:
    assert [style(number) for number in (0, 5, 6, 60)] == ["c1", "c6", "c6", "c6"]
