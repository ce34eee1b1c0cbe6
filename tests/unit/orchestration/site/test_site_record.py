"""The report card's excess over the market: a week counts once, however many tokens it has."""

import datetime as dt

import duckdb
import polars as pl
import pytest

from orchestration.site.pages.record import weekly_excess
from orchestration.site.reading import Published

WEEKS = [dt.date(2024, 1, 1) + dt.timedelta(days=7 * week) for week in range(3)]


@pytest.fixture
def copy():
    """Three weeks: of the bullish one call, two, and three; the neutral are another group, the published another origin."""
    said = [(week, number, 1, 90.0 + number, excess) for week, number, excess in BULLISH]
    said += [(0, 9, 0, 55.0, 0.5), (1, 9, 0, None, 0.7), (2, 9, 1, 85.0, None)]
    rows = pl.DataFrame(
        [
            (WEEKS[week], f"t{number}", signal, grade, excess, "backfilled", band_of(grade))
            for week, number, signal, grade, excess in said
        ],
        schema=["as_of_week", "token_id", "signal", "trader_grade", "excess_over_market", "call_origin", "grade_band"],
        orient="row",
    )
    published = rows.head(1).with_columns(call_origin=pl.lit("published"), excess_over_market=pl.lit(9.0))
    both = pl.concat([rows, published])
    with duckdb.connect() as connection:
        connection.register("made", both)
        connection.execute("create schema api; create table api.call_outcomes as from made")
        yield Published(connection, None, "", WEEKS[-1], frozenset())


BULLISH = [(0, 1, 0.1), (1, 1, 0.0), (1, 2, 0.2), (2, 1, -0.3), (2, 2, 0.0), (2, 3, 0.0)]


def band_of(grade):
    return None if grade is None else "80 and above" if grade >= 80 else "50 to 60"


def test_a_week_is_one_value_of_a_call_whatever_its_tokens_grades(copy):
    weekly = weekly_excess(copy, "backfilled", "call")

    assert set(weekly) == {"bullish", "neutral"}
    assert weekly["bullish"] == pytest.approx([0.1, 0.1, -0.1])
    assert weekly["neutral"] == pytest.approx([0.5, 0.7])


def test_bands_of_the_grade_leave_out_who_has_none(copy):
    weekly = weekly_excess(copy, "backfilled", "grade")

    assert set(weekly) == {"80 and above", "50 to 60"}
    assert weekly["50 to 60"] == pytest.approx([0.5])


def test_published_and_backfilled_calls_are_never_pooled(copy):
    assert {group: values.tolist() for group, values in weekly_excess(copy, "published", "call").items()} == {
        "bullish": [9.0]
    }
