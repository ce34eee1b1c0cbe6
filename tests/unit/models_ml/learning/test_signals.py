"""Calls: three probabilities that sum to one, a lift that begins a call, a lower one that keeps it."""

import datetime as dt

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models_ml.learning.signals import CallRules, Standing, bull_bear, call_signals, outcome_probabilities

DAY = dt.date(2024, 1, 1)
RULES = CallRules(enter_lift=1.4, enter_margin=1.1, stay_lift=1.2, stay_margin=1.0, memory_days=7)
PROBABILITIES = st.floats(0, 1)


def days_of(lifts, *, name="t", first=DAY, skip=0):
    """Consecutive days of one token from (bullish lift, bearish lift); `skip` days lie between two."""
    return pl.DataFrame(
        [
            (first + dt.timedelta(days=number * (skip + 1)), name, 0.25 * bullish, 0.5 * bearish, 0.25, 0.5)
            for number, (bullish, bearish) in enumerate(lifts)
        ],
        schema=["market_date", "token_id", "p_bullish", "p_bearish", "base_bullish", "base_bearish"],
        orient="row",
    )


def called(lifts, *, before=None, **kwargs):
    return call_signals(days_of(lifts, **kwargs), before=before or {}, rules=RULES)


@settings(deadline=None)
@given(st.lists(st.tuples(PROBABILITIES, PROBABILITIES), min_size=1, max_size=20))
def test_probabilities_sum_to_one(pairs):
    moves = pl.DataFrame(pairs, schema=["p_move", "p_up_given_move"], orient="row")

    rows = outcome_probabilities(moves)

    columns = ["p_bullish", "p_neutral", "p_bearish"]
    assert rows.select(pl.sum_horizontal(columns)).to_series().to_list() == pytest.approx([1.0] * len(pairs), abs=1e-12)
    assert rows.select(pl.min_horizontal(columns)).to_series().min() >= 0


@pytest.mark.parametrize(
    ("lifts", "signal"),
    [
        ((1.5, 1.0), 1),
        ((1.0, 1.5), -1),
        ((1.39, 0.5), 0),
        ((0.5, 1.39), 0),
        ((1.5, 1.7), -1),
        ((1.7, 1.5), 1),
        ((1.5, 1.6), 0),
        ((1.6, 1.5), 0),
        ((1.5, 1.5), 0),
    ],
)
def test_a_call_begins_where_a_lift_is_large_enough_and_well_above_the_other(lifts, signal):
    assert called([lifts])["signal"].to_list() == [signal]


def test_a_call_stands_until_its_lift_falls_below_the_lower_bound():
    rows = called([(1.5, 1.0), (1.25, 1.0), (1.19, 1.0), (1.25, 1.0)])

    assert rows["signal"].to_list() == [1, 1, 0, 0]
    days = rows["market_date"].to_list()
    assert rows["signal_since_date"].to_list() == [days[0], days[0], days[2], days[2]]


def test_a_call_ends_where_the_opposite_outcome_passes_it():
    rows = called([(1.0, 1.5), (1.45, 1.3), (1.3, 1.35)])

    assert rows["signal"].to_list() == [-1, 1, 0]


@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0, 3)), min_size=1, max_size=30), st.integers(0, 30))
def test_days_called_in_two_builds_equal_those_called_in_one(lifts, cut):
    whole = called(lifts)
    first = days_of(lifts[:cut])

    early = call_signals(first, before={}, rules=RULES) if cut and first.height else None
    before = {}
    if early is not None:
        last = early.row(-1, named=True)
        before = {"t": Standing(last["market_date"], last["signal"], last["signal_since_date"])}
    rest = days_of(lifts).filter(pl.col("market_date") >= DAY + dt.timedelta(days=min(cut, len(lifts))))
    late = call_signals(rest, before=before, rules=RULES)

    assert pl.concat([frame for frame in (early, late) if frame is not None]).equals(whole)


def test_tokens_are_called_apart():
    both = pl.concat([days_of([(1.5, 1.0), (1.3, 1.0)], name="a"), days_of([(1.0, 1.0), (1.3, 1.0)], name="b")])

    rows = call_signals(both, before={}, rules=RULES)

    assert rows.sort("token_id", "market_date")["signal"].to_list() == [1, 1, 0, 0]


def test_a_token_that_was_away_starts_anew():
    short, long = called([(1.5, 1.0), (1.3, 1.0)], skip=6), called([(1.5, 1.0), (1.3, 1.0)], skip=7)

    assert short["signal"].to_list() == [1, 1]
    assert long["signal"].to_list() == [1, 0]


def test_an_outcome_that_training_never_saw_is_not_called_without_a_probability():
    rows = days_of([(1.5, 0.0)]).with_columns(base_bearish=pl.lit(0.0), p_bearish=pl.lit(0.0))

    assert call_signals(rows, before={}, rules=RULES)["signal"].to_list() == [1]


def test_the_indicator_is_the_share_of_calls_a_week():
    signals = pl.DataFrame(
        {
            "as_of_week": [dt.date(2024, 1, 8)] * 2 + [DAY] * 5,
            "token_id": ["a", "b", "a", "b", "c", "d", "e"],
            "signal": pl.Series([1, 1, 1, -1, -1, 0, 0], dtype=pl.Int8),
        }
    )

    shares = bull_bear(signals)

    assert shares["as_of_week"].to_list() == [DAY, dt.date(2024, 1, 8)]
    assert shares["bullish_share"].to_list() == pytest.approx([0.2, 1.0])
    assert shares["bearish_share"].to_list() == pytest.approx([0.4, 0.0])
    assert shares["tokens"].to_list() == [5, 2]
