"""Calls: three probabilities that sum to one, and the outcome furthest above its base rate."""

import datetime as dt

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models_ml.learning.signals import bull_bear, call_signals
from models_ml.learning.trader_model import TraderModel

WEEK = dt.date(2024, 1, 1)
PROBABILITIES = st.floats(0, 1)
NAMES = {1: "bullish", 0: "neutral", -1: "bearish"}


def model_with(bullish, neutral, bearish):
    return TraderModel(
        refit=WEEK,
        boosters={},
        columns=(),
        training_weeks=(WEEK, WEEK),
        training_rows=0,
        base_rates={"bullish": bullish, "neutral": neutral, "bearish": bearish},
    )


def predictions_of(*pairs):
    return pl.DataFrame(
        [(WEEK, f"t{number}", move, up) for number, (move, up) in enumerate(pairs)],
        schema=["as_of_week", "token_id", "p_move", "p_up_given_move"],
        orient="row",
    )


@settings(deadline=None)
@given(st.lists(st.tuples(PROBABILITIES, PROBABILITIES), min_size=1, max_size=20))
def test_probabilities_sum_to_one(pairs):
    calls = call_signals(predictions_of(*pairs), model_with(0.2, 0.5, 0.3))

    columns = ["p_bullish", "p_neutral", "p_bearish"]
    assert calls.select(pl.sum_horizontal(columns)).to_series().to_list() == pytest.approx(
        [1.0] * len(pairs), abs=1e-12
    )
    assert calls.select(pl.min_horizontal(columns)).to_series().min() >= 0


@settings(deadline=None)
@given(PROBABILITIES, PROBABILITIES, st.tuples(*[st.integers(1, 100)] * 3))
def test_the_call_is_the_outcome_furthest_above_its_base_rate(p_move, p_up, shares):
    rates = [share / sum(shares) for share in shares]

    call = call_signals(predictions_of((p_move, p_up)), model_with(*rates)).row(0, named=True)

    base = dict(zip(("bullish", "neutral", "bearish"), rates, strict=True))
    lifts = {name: call[f"p_{name}"] / base[name] for name in base}
    assert lifts[NAMES[call["signal"]]] == pytest.approx(max(lifts.values()), rel=1e-12)


def test_the_most_frequent_outcome_is_not_called_for_being_frequent():
    calls = call_signals(predictions_of((0.5, 0.6), (0.5, 0.4), (0.3, 0.5)), model_with(0.2, 0.6, 0.2))

    assert calls["signal"].to_list() == [1, -1, 0]
    assert calls["p_neutral"].to_list() == pytest.approx([0.5, 0.5, 0.7])


@pytest.mark.parametrize("pair", [(0.5, 0.5), (0.4, 0.5)])
def test_a_tie_is_called_neutral(pair):
    calls = call_signals(predictions_of(pair), model_with(0.25, 0.5, 0.25))

    assert calls["signal"].to_list() == [0]


def test_an_outcome_that_training_never_saw_is_not_called_without_a_probability():
    calls = call_signals(predictions_of((0.5, 1.0)), model_with(0.4, 0.6, 0.0))

    assert calls["signal"].to_list() == [1]


def test_the_indicator_is_the_share_of_calls_a_week():
    signals = pl.DataFrame(
        {
            "as_of_week": [dt.date(2024, 1, 8)] * 2 + [WEEK] * 5,
            "token_id": ["a", "b", "a", "b", "c", "d", "e"],
            "signal": pl.Series([1, 1, 1, -1, -1, 0, 0], dtype=pl.Int8),
        }
    )

    shares = bull_bear(signals)

    assert shares["as_of_week"].to_list() == [WEEK, dt.date(2024, 1, 8)]
    assert shares["bullish_share"].to_list() == pytest.approx([0.2, 1.0])
    assert shares["bearish_share"].to_list() == pytest.approx([0.4, 0.0])
    assert shares["tokens"].to_list() == [5, 2]
