"""Charts as shapes for `_chart.html`: widths in percent, heights in pixels, so that letters keep their size anywhere.

No colour and no style: a series has a class, `c1` for the first.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

HEIGHT: Final = 120.0
TOP: Final = 10.0
BOTTOM: Final = 22.0
SERIES: Final = 6
_MOST_LABELS: Final = 6
_TICKS: Final = 3
_THINNEST: Final = 1.5

Format = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Series:
    name: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Shape:
    """A bar of one series, or a point where `height` is 0."""

    style: str
    y: float
    height: float = 0.0


@dataclass(frozen=True, slots=True)
class Column:
    """All that stands above one moment; `x` is its left edge, `middle` its middle, `cells` its row of the table."""

    label: str
    title: str
    x: float
    middle: float
    shapes: list[Shape]
    cells: list[str]


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a line."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True, slots=True)
class Tick:
    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A word under the chart."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """`summary` is what a screen reader says of the picture; the table below it has the rest."""

    summary: str
    names: list[tuple[str, str]]
    columns: list[Column]
    segments: list[Segment]
    ticks: list[Tick]
    marks: list[Mark]
    column_width: float
    bar_width: float
    is_empty: bool
    height: float = HEIGHT + TOP + BOTTOM
    base: float = HEIGHT + TOP
    top: float = TOP


def bars(
    labels: Sequence[str],
    series: Sequence[Series],
    summary: str,
    form: Format,
    *,
    ticks: Format | None = None,
    marked: Sequence[str] = (),
) -> Chart:
    """Bars above each other. `marked` are the words under the columns, where they differ from `labels`."""
    totals = [sum(value or 0 for value in column) for column in zip(*(one.values for one in series), strict=True)]
    top, lines = _scale(max(totals, default=0), ticks or form)
    columns = []
    for place, label in enumerate(labels):
        shapes, foot = [], HEIGHT + TOP
        for number, one in enumerate(series):
            if value := one.values[place]:
                height = max(_THINNEST, value / top * HEIGHT)
                foot -= height
                shapes.append(Shape(style(number), round(foot, 1), round(height, 1)))
        values = [one.values[place] or 0 for one in series]
        columns.append(_column(labels, place, shapes, _title(label, series, values, form), [form(v) for v in values]))
    return _chart(columns, series, summary, ticks=lines, marked=marked or labels, is_empty=not any(totals))


def line(
    labels: Sequence[str],
    series: Series,
    summary: str,
    form: Format,
    *,
    ticks: Format | None = None,
    marked: Sequence[str] = (),
) -> Chart:
    """One line, broken where nothing is known."""
    known = [value for value in series.values if value is not None]
    top, lines = _scale(max(known, default=0), ticks or form)
    columns, segments = [], []
    before: tuple[float, float] | None = None
    for place, (label, value) in enumerate(zip(labels, series.values, strict=True)):
        if value is None:
            columns.append(_column(labels, place, [], f"{label}: –", ["–"]))
            before = None
            continue
        y = round(HEIGHT + TOP - value / top * HEIGHT, 1)
        column = _column(labels, place, [Shape(style(0), y)], f"{label}: {form(value)}", [form(value)])
        if before is not None:
            segments.append(Segment(*before, column.middle, y))
        before = column.middle, y
        columns.append(column)
    return _chart(
        columns, [series], summary, ticks=lines, marked=marked or labels, segments=segments, is_empty=not known
    )


def style(number: int) -> str:
    return f"c{min(number, SERIES - 1) + 1}"


def _chart(
    columns: list[Column],
    series: Sequence[Series],
    summary: str,
    *,
    ticks: list[Tick],
    marked: Sequence[str],
    is_empty: bool,
    segments: Sequence[Segment] = (),
) -> Chart:
    width = 100 / max(1, len(columns))
    step = max(1, math.ceil(len(columns) / _MOST_LABELS))
    return Chart(
        summary=summary,
        names=[(style(number), one.name) for number, one in enumerate(series)],
        columns=columns,
        segments=list(segments),
        ticks=ticks,
        marks=[Mark(column.middle, marked[place]) for place, column in enumerate(columns) if place % step == step // 2],
        column_width=round(width, 3),
        bar_width=round(width * 0.72, 3),
        is_empty=is_empty,
    )


def _column(labels: Sequence[str], place: int, shapes: list[Shape], title: str, cells: list[str]) -> Column:
    width = 100 / len(labels)
    return Column(
        labels[place], title, round(width * place, 3), round(width * (place + 0.5), 3), shapes, cells
    )  # fmt: skip


def _title(label: str, series: Sequence[Series], values: Sequence[float], form: Format) -> str:
    """The column's sum, and of several series what each has of it."""
    if len(series) == 1:
        return f"{label}: {form(values[0])}"
    parts = [f"{one.name}: {form(value)}" for one, value in zip(series, values, strict=True) if value]
    return "\n".join([f"{label}: {form(sum(values))}", *parts])


def _scale(most: float, form: Format) -> tuple[float, list[Tick]]:
    """A round number that nothing exceeds, and the lines up to it."""
    step = _round_step(most / _TICKS) if most > 0 else 1.0
    count = max(1, math.ceil(most / step - 1e-9))
    top = step * count
    labels = ["0", *(form(step * place) for place in range(1, count + 1))]
    return top, [Tick(round(TOP + HEIGHT * (1 - place / count), 1), label) for place, label in enumerate(labels)]


def _round_step(least: float) -> float:
    """The next of 1, 2, 5, 10, 20, …; never a part of one."""
    size = 10.0 ** math.floor(math.log10(max(least, 1.0)))
    return next(size * factor for factor in (1, 2, 5, 10) if size * factor >= least - 1e-9)
