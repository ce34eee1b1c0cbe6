"""Charts of the site: lines over days as SVG that a page carries in itself, each with its figures as a table behind it.

Belongs here: scales, ticks, paths, and the table. Does not: where figures come from (`reading.py`), colours (`assets/site.css`).

The picture has no text: labels are HTML beside it, so that they keep their size on a phone and the picture takes any width.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import polars as pl

from orchestration.site.formats import UNKNOWN

WIDTH, HEIGHT = 1000, 300
MOST_POINTS = 400
"""Days of a line that are drawn; more cannot be told apart on a screen."""

MOST_ROWS = 40
WIDE_SPAN = 8.0
"""A positive series whose largest value is this many times its smallest is drawn on a logarithmic scale."""


DayRow = tuple[Any, ...]
"""A day and the value of each line on it, null where there is none."""


@dataclass(frozen=True)
class Tick:
    """A label at a place, percent of the width or height from the left or the top."""

    place: float
    label: str


@dataclass(frozen=True)
class Mark:
    """Something that happened on a day: a glyph on the chart and its meaning in words."""

    left: float
    top: float
    glyph: str
    kind: str
    text: str


@dataclass(frozen=True)
class Chart:
    """What a template draws.

    Attributes:
        title: What is shown.
        description: The same for who cannot see it: first, last, lowest and highest of each line.
        paths: Name, number of its colour and SVG path of each line.
        area: Path of a filled area, or empty.
        y_ticks: Labels of values.
        x_ticks: Labels of days.
        marks: What happened.
        columns: Heads of the table.
        rows: Cells of the table.
        zero: Place of zero from the top in units of the picture, None where it is not shown.
    """

    title: str
    description: str
    paths: Sequence[tuple[str, int, str]]
    y_ticks: Sequence[Tick]
    x_ticks: Sequence[Tick]
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    area: str = ""
    marks: Sequence[Mark] = field(default_factory=tuple)
    zero: float | None = None


@dataclass(frozen=True)
class Event:
    """A mark before it has a place: on the first line, at the value of its day."""

    on: date
    glyph: str
    kind: str
    text: str


def line_chart(
    title: str,
    days: pl.Series,
    lines: Mapping[str, pl.Series],
    *,
    write: Callable[[float | None], str],
    label: Callable[[float | None], str] | None = None,
    bounds: tuple[float, float] | None = None,
    events: Sequence[Event] = (),
    is_area: bool = False,
) -> Chart | None:
    """A chart of one or more lines over the same days.

    Args:
        title: What is shown.
        days: Days (Date), ascending, one a value.
        lines: Values by name, each as long as `days`, null where there is none.
        write: Writes a value, for the table.
        label: Writes a value on the axis, which has room for some eight letters; as the table by default.
        bounds: Ends of the scale of values; by default what the values span.
        events: What happened on the first line.
        is_area: Whether the first line is filled down to zero.

    Returns:
        The chart, or None where no line has two values.
    """
    columns = [_known(values) for values in lines.values()]
    every_day = list(zip(days.to_list(), *columns, strict=True))
    known = [place for place, row in enumerate(every_day) if any(value is not None for value in row[1:])]
    if max((len(column) - column.count(None) for column in columns), default=0) < 2:
        return None
    rows = every_day[known[0] : known[-1] + 1]
    low, high = bounds or _span(rows)
    is_log = bounds is None and low > 0 and high / low > WIDE_SPAN
    if is_area:
        high = max(high, 0.0)
    scale = _scale(low, high, is_log=is_log)
    first, last = rows[0][0], rows[-1][0]
    drawn = _thinned(rows)
    x_of = _horizontal(first, last)
    names = list(lines)
    return Chart(
        title=title,
        description=_description(rows, names, write),
        paths=[(name, number, _path(drawn, number + 1, x_of, scale)) for number, name in enumerate(names)],
        y_ticks=[Tick(100 * scale(v) / HEIGHT, (label or write)(v)) for v in _value_ticks(low, high, is_log=is_log)],
        x_ticks=[Tick(100 * x_of(d) / WIDTH, text) for d, text in _day_ticks(first, last)],
        columns=["Day", *names],
        rows=[[str(row[0]), *(write(value) for value in row[1:])] for row in _table(rows)],
        area=_area(drawn, x_of, scale) if is_area else "",
        marks=_marks(events, rows, x_of, scale),
        zero=scale(0.0) if low < 0 < high else None,
    )


def _known(values: pl.Series) -> list[float | None]:
    """Values as a list, NaN as null. A list, since a chart is some hundred values and a frame costs more than they do."""
    return [None if value is None or math.isnan(value) else float(value) for value in values.to_list()]


def _span(rows: Sequence[DayRow]) -> tuple[float, float]:
    values = [value for row in rows for value in row[1:] if value is not None]
    low, high = min(values), max(values)
    if low == high:
        margin = abs(low) / 10 or 1.0
        return low - margin, high + margin
    return low, high


def _scale(low: float, high: float, *, is_log: bool) -> Callable[[float], float]:
    """Places of values from the top, in units of the picture."""
    if is_log:
        bottom, span = math.log(low), math.log(high) - math.log(low)
        return lambda value: HEIGHT * (1 - (math.log(value) - bottom) / span)
    return lambda value: HEIGHT * (1 - (value - low) / (high - low))


def _horizontal(first: date, last: date) -> Callable[[date], float]:
    span = max((last - first).days, 1)
    return lambda day: WIDTH * (day - first).days / span


def _thinned(rows: Sequence[DayRow]) -> Sequence[DayRow]:
    """Every n-th day and the last one."""
    step = math.ceil(len(rows) / MOST_POINTS)
    return [*rows[:-1:step], rows[-1]]


def _path(rows: Sequence[DayRow], place: int, x_of: Callable[[date], float], scale: Callable[[float], float]) -> str:
    """An SVG path that lifts the pen where a value is missing."""
    parts, is_down = [], False
    for row in rows:
        value = row[place]
        if value is None:
            is_down = False
            continue
        parts.append(f"{'L' if is_down else 'M'}{x_of(row[0]):.0f} {scale(value):.1f}")
        is_down = True
    return "".join(parts)


def _area(rows: Sequence[DayRow], x_of: Callable[[date], float], scale: Callable[[float], float]) -> str:
    known = [row for row in rows if row[1] is not None]
    top = scale(0.0)
    return f"{_path(known, 1, x_of, scale)}L{x_of(known[-1][0]):.0f} {top:.1f}L{x_of(known[0][0]):.0f} {top:.1f}Z"


def _value_ticks(low: float, high: float, *, is_log: bool) -> list[float]:
    # Heavy, and definitions load without it.
    from matplotlib.ticker import LogLocator, MaxNLocator

    if is_log:
        locator = LogLocator(base=10, subs=(1.0, 2.0, 5.0), numticks=8)
        found = [float(value) for value in locator.tick_values(low, high) if low <= value <= high]
        if len(found) >= 2:
            step = math.ceil(len(found) / 6)
            return found[::step]
    return [float(value) for value in MaxNLocator(5).tick_values(low, high) if low <= value <= high]


def _day_ticks(first: date, last: date) -> list[tuple[date, str]]:
    """Starts of years, of months or single days, at most six."""
    years = [date(year, 1, 1) for year in range(first.year + 1, last.year + 1)]
    if len(years) >= 3:
        step = math.ceil(len(years) / 6)
        return [(each, str(each.year)) for each in years[::step]]
    months = [
        date(year, month, 1)
        for year in range(first.year, last.year + 1)
        for month in range(1, 13)
        if first < date(year, month, 1) <= last
    ]
    if len(months) >= 3:
        step = math.ceil(len(months) / 5)
        return [(each, f"{each:%b %Y}") for each in months[::step]]
    places = [first + (last - first) * share // 2 for share in (0, 1, 2)]
    return [(each, f"{each:%d %b}") for each in places]


def _table(rows: Sequence[DayRow]) -> list[DayRow]:
    """The newest days, or where these are many the last day of each month or year, newest first."""
    for length in (10, 7, 4):  # as in 2025-01-06, 2025-01, 2025
        periods = {row[0].isoformat()[:length]: row for row in rows}
        if len(periods) <= MOST_ROWS:
            break
    return list(periods.values())[::-1]


def _description(rows: Sequence[DayRow], names: Sequence[str], write: Callable[[float | None], str]) -> str:
    parts = [f"From {rows[0][0]} to {rows[-1][0]}."]
    for place, name in enumerate(names, start=1):
        values = [row[place] for row in rows if row[place] is not None]
        if not values:
            parts.append(f"{name}: {UNKNOWN}.")
            continue
        parts.append(
            f"{name}: first {write(values[0])}, last {write(values[-1])}, lowest {write(min(values))}, highest {write(max(values))}."
        )
    return " ".join(parts)


def _marks(
    events: Sequence[Event], rows: Sequence[DayRow], x_of: Callable[[date], float], scale: Callable[[float], float]
) -> list[Mark]:
    values = {row[0]: row[1] for row in rows if row[1] is not None}
    return [
        Mark(100 * x_of(event.on) / WIDTH, 100 * scale(values[event.on]) / HEIGHT, event.glyph, event.kind, event.text)
        for event in events
        if event.on in values
    ]
