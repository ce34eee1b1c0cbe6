"""Charts of the site: where a value stands, where the pen is lifted, and what the table behind says."""

import datetime as dt
import re

import polars as pl
import pytest

from orchestration.site.charts import HEIGHT, MOST_POINTS, MOST_ROWS, WIDTH, Event, line_chart

START = dt.date(2024, 1, 1)


def days(count):
    return pl.Series([START + dt.timedelta(days=offset) for offset in range(count)])


def drawn(values, **settings):
    return line_chart(
        "Level", days(len(values)), {"index": pl.Series(values, dtype=pl.Float64)}, write=lambda v: f"{v}", **settings
    )


def points_of(path):
    return [(float(x), float(y)) for x, y in re.findall(r"[ML](\S+?) ([\d.]+)", path)]


def test_the_lowest_value_stands_at_the_bottom_and_the_highest_at_the_top():
    chart = drawn([1.0, 3.0, 2.0])

    assert points_of(chart.paths[0][2]) == [(0, HEIGHT), (WIDTH / 2, 0), (WIDTH, HEIGHT / 2)]


def test_a_missing_day_lifts_the_pen():
    chart = drawn([1.0, 2.0, None, 2.0, 1.0])

    assert chart.paths[0][2].count("M") == 2


def test_equal_steps_of_growth_are_equal_steps_on_a_wide_span():
    chart = drawn([1.0, 10.0, 100.0])

    assert [y for _, y in points_of(chart.paths[0][2])] == [HEIGHT, HEIGHT / 2, 0]


def test_a_series_that_crosses_zero_is_never_logarithmic_and_shows_zero():
    chart = drawn([-1.0, 3.0])

    assert chart.zero == pytest.approx(HEIGHT * 3 / 4)


def test_long_series_are_thinned_on_the_picture_and_told_by_months_in_the_table():
    values = [float(value) for value in range(1, 1001)]

    chart = drawn(values)

    drawn_points = points_of(chart.paths[0][2])
    assert len(drawn_points) <= MOST_POINTS
    assert drawn_points[-1] == (WIDTH, 0)
    assert len(chart.rows) <= MOST_ROWS
    assert chart.rows[0] == [str(START + dt.timedelta(days=999)), "1000.0"]
    assert chart.rows[1] == ["2026-08-31", str(float((dt.date(2026, 8, 31) - START).days + 1))]


def test_a_thinned_line_keeps_its_ends_and_every_peak():
    values = [float(day % 7) for day in range(3000)]
    values[1234], values[2001] = 100.0, -100.0

    (_, _, path) = drawn(values).paths[0]

    drawn_points = points_of(path)
    assert len(drawn_points) <= MOST_POINTS
    assert {y for _, y in drawn_points} >= {0.0, HEIGHT}
    assert (drawn_points[0][0], drawn_points[-1][0]) == (0, WIDTH)
    assert [x for x, _ in drawn_points] == sorted(x for x, _ in drawn_points)


def test_a_thinned_line_breaks_off_where_many_days_are_missing():
    values = [1.0] * 1000 + [None] * 1000 + [2.0] * 1000

    assert drawn(values).paths[0][2].count("M") == 2


def test_a_mark_stands_on_the_line_at_its_day_and_not_where_there_is_no_value():
    known = Event(START + dt.timedelta(days=1), "▲", "up", "turned bullish")
    unknown = Event(START + dt.timedelta(days=9), "▼", "down", "turned bearish")

    chart = drawn([1.0, 3.0, 2.0], events=[known, unknown])

    (mark,) = chart.marks
    drawn_points = points_of(chart.paths[0][2])
    assert (mark.left, mark.text) == (50, "turned bullish")
    assert 100 * drawn_points[1][1] / HEIGHT == pytest.approx(mark.top, abs=0.05)
    assert all(HEIGHT * 0.05 < y < HEIGHT * 0.95 for _, y in drawn_points), "marks need room above and below the line"


def test_who_cannot_see_it_is_told_first_last_lowest_and_highest():
    assert (
        drawn([2.0, 1.0, 3.0]).description
        == "From 2024-01-01 to 2024-01-03. index: first 2.0, last 3.0, lowest 1.0, highest 3.0."
    )


@pytest.mark.parametrize("values", [[], [1.0], [None, None, 1.0]])
def test_less_than_two_values_make_no_chart(values):
    assert drawn(values) is None


def test_a_flat_series_has_room_above_and_below():
    chart = drawn([5.0, 5.0])

    assert [y for _, y in points_of(chart.paths[0][2])] == [HEIGHT / 2, HEIGHT / 2]
