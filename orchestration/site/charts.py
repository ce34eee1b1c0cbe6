"""Charts of the site: lines over days as SVG that a page carries in itself, each with its figures as a table behind it.

Belongs here: scales, ticks, paths, and the table. Does not: where figures come from (`reading.py`), colours (`assets/site.css`).

The picture has no text: labels are HTML beside it, so that they keep their size on a phone and the picture takes any width.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from orchestration.site.formats import UNKNOWN

WIDTH, HEIGHT = 1000, 300
MOST_POINTS = 400
"""Points of a line that are drawn; more cannot be told apart on a screen."""

MOST_ROWS = 40
ROOM_FOR_MARKS = 0.08
"""Share of the scale that stays free above and below a line with marks, so that none stands on the labels of days."""

WIDE_SPAN = 8.0
"""A positive series whose largest value is this many times its smallest is drawn on a logarithmic scale."""


Values = Sequence[float | None]
"""A line's values, one a day, null where there is none."""


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
    columns = {name: _known(values) for name, values in lines.items()}
    filled = [[place for place, value in enumerate(column) if value is not None] for column in columns.values()]
    if max((len(places) for places in filled), default=0) < 2:
        return None
    begin = min(places[0] for places in filled if places)
    end = max(places[-1] for places in filled if places) + 1
    dates = days.to_list()[begin:end]
    columns = {name: column[begin:end] for name, column in columns.items()}
    low, high = bounds or _span(columns.values())
    is_log = bounds is None and low > 0 and high / low > WIDE_SPAN
    if is_area:
        high = max(high, 0.0)
    if events:
        low, high = _widened(low, high, is_log=is_log)
    y_of = _vertical(low, high, is_log=is_log)
    first, last = dates[0], dates[-1]
    x_of = _horizontal(first, last)
    points = [_points(dates, column, x_of, y_of) for column in columns.values()]
    shown = _table(dates)
    return Chart(
        title=title,
        description=_description(first, last, columns, write),
        paths=[(name, number, _path(line)) for number, (name, line) in enumerate(zip(columns, points, strict=True))],
        y_ticks=[Tick(100 * y_of(v) / HEIGHT, (label or write)(v)) for v in _value_ticks(low, high, is_log=is_log)],
        x_ticks=[Tick(100 * x_of(d) / WIDTH, text) for d, text in _day_ticks(first, last)],
        columns=["Day", *columns],
        rows=[[str(dates[place]), *(write(column[place]) for column in columns.values())] for place in shown],
        area=_area(points[0], y_of(0.0)) if is_area else "",
        marks=_marks(events, dict(zip(dates, next(iter(columns.values())), strict=True)), x_of, y_of) if events else (),
        zero=y_of(0.0) if low < 0 < high else None,
    )


def _known(values: pl.Series) -> list[float | None]:
    """Values as a list, NaN as null. A list, since a chart is some hundred values and a frame costs more than they do."""
    return [None if value is None or math.isnan(value) else float(value) for value in values.to_list()]


def _span(columns: Iterable[Values]) -> tuple[float, float]:
    values = [value for column in columns for value in column if value is not None]
    low, high = min(values), max(values)
    if low == high:
        margin = abs(low) / 10 or 1.0
        return low - margin, high + margin
    return low, high


def _widened(low: float, high: float, *, is_log: bool) -> tuple[float, float]:
    if is_log:
        factor = (high / low) ** ROOM_FOR_MARKS
        return low / factor, high * factor
    margin = (high - low) * ROOM_FOR_MARKS
    return low - margin, high + margin


def _vertical(low: float, high: float, *, is_log: bool) -> Callable[[float], float]:
    """Places of values from the top, in units of the picture."""
    if is_log:
        bottom, span = math.log(low), math.log(high) - math.log(low)
        return lambda value: HEIGHT * (1 - (math.log(value) - bottom) / span)
    return lambda value: HEIGHT * (1 - (value - low) / (high - low))


def _horizontal(first: date, last: date) -> Callable[[date], float]:
    span = max((last - first).days, 1)
    return lambda day: WIDTH * (day - first).days / span


def _points(
    dates: Sequence[date], column: Values, x_of: Callable[[date], float], y_of: Callable[[float], float]
) -> list[tuple[float, float] | None]:
    """Places of a line's values; None where it breaks off.

    Of a long line the first, the last, and of every few days the lowest and the highest stay, so that no peak is lost; what is missing
    is a break where it fills such days.
    """
    places: list[int | None] = list(range(len(column)))
    if len(column) > MOST_POINTS:
        step = math.ceil(2 * len(column) / (MOST_POINTS - 2))
        places = [place for start in range(0, len(column), step) for place in _extremes(column, start, start + step)]
    return [
        None if place is None or (value := column[place]) is None else (x_of(dates[place]), y_of(value))
        for place in places
    ]


def _extremes(column: Values, start: int, end: int) -> list[int | None]:
    """Places of the lowest and the highest of some days, with the first and the last of the line; a break without any."""
    known = [(value, place) for place, value in enumerate(column[start:end], start) if value is not None]
    if not known:
        return [None]
    kept = {min(known)[1], max(known)[1]}
    if start == 0:
        kept.add(known[0][1])
    if end >= len(column):
        kept.add(known[-1][1])
    return [*sorted(kept)]


def _path(points: Sequence[tuple[float, float] | None]) -> str:
    """An SVG path that lifts the pen where a value is missing."""
    parts, letter = [], "M"
    for point in points:
        if point is None:
            letter = "M"
            continue
        parts.append(f"{letter}{point[0]:.0f} {point[1]:.1f}")
        letter = "L"
    return "".join(parts)


def _area(points: Sequence[tuple[float, float] | None], base: float) -> str:
    known = [point for point in points if point is not None]
    return f"{_path(known)}L{known[-1][0]:.0f} {base:.1f}L{known[0][0]:.0f} {base:.1f}Z"


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


def _table(dates: Sequence[date]) -> list[int]:
    """Places of the days the table shows, newest first: all, or where these are many the last of each month or year."""
    newest_first = range(len(dates) - 1, -1, -1)
    if len(dates) <= MOST_ROWS:
        return list(newest_first)
    for is_month in (True, False):
        places: dict[tuple[int, int], int] = {}
        for place in newest_first:
            day = dates[place]
            places.setdefault((day.year, day.month if is_month else 0), place)
        if len(places) <= MOST_ROWS:
            break
    return list(places.values())


def _description(first: date, last: date, columns: Mapping[str, Values], write: Callable[[float | None], str]) -> str:
    parts = [f"From {first} to {last}."]
    for name, column in columns.items():
        values = [value for value in column if value is not None]
        if not values:
            parts.append(f"{name}: {UNKNOWN}.")
            continue
        parts.append(
            f"{name}: first {write(values[0])}, last {write(values[-1])}, lowest {write(min(values))}, highest {write(max(values))}."
        )
    return " ".join(parts)


def _marks(
    events: Sequence[Event],
    values: Mapping[date, float | None],
    x_of: Callable[[date], float],
    y_of: Callable[[float], float],
) -> list[Mark]:
    placed = [(event, values.get(event.on)) for event in events]
    return [
        Mark(100 * x_of(event.on) / WIDTH, 100 * y_of(value) / HEIGHT, event.glyph, event.kind, event.text)
        for event, value in placed
        if value is not None
    ]
