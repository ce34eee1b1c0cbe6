"""The report card: a small week worked out by hand."""

import datetime as dt

import polars as pl
import pytest

from models_ml.learning.report_card import call_outcomes

WEEK = dt.date(2024, 1, 1)


@pytest.fixture
def happened():
    returns = [0.10, -0.20, 0.30, 0.0, -1.0, None, *[0.05] * 5]
    tokens = ["bitcoin", "a", "b", "c", "dead", "unknown", *[f"x{number}" for number in range(5)]]
    return pl.DataFrame(
        {
            "as_of_week": [WEEK] * 11,
            "token_id": tokens,
            "forward_return_14d_lag1": pl.Series(returns, dtype=pl.Float64),
            "forward_barrier": pl.Series([0, -1, 1, 0, -1, None, *[0] * 5], dtype=pl.Int8),
            "forward_has_ended_14d": [False, False, False, False, True, None, *[False] * 5],
        }
    )


@pytest.fixture
def judged(happened):
    said = pl.DataFrame(
        {
            "as_of_week": [WEEK] * 6,
            "token_id": ["a", "b", "c", "dead", "unknown", "left"],
            "signal": pl.Series([1, 1, 0, -1, 1, 1], dtype=pl.Int8),
            "trader_grade": [90.0, 80.0, 50.0, 5.0, 60.0, 70.0],
        }
    )
    return call_outcomes(said, happened)


def column(judged, name):
    return judged[name].to_list()


def test_a_call_is_right_where_its_outcome_came(judged):
    assert column(judged, "outcome") == [-1, 1, 0, -1, None, None]
    assert column(judged, "is_right") == [False, True, True, True, None, None]


def test_returns_stand_beside_the_market_and_bitcoin(judged):
    # The ten known returns of the week have the mean -0.055.
    assert column(judged, "return_14d") == [-0.2, 0.3, 0.0, -1.0, None, None]
    assert column(judged, "excess_over_market") == [
        pytest.approx(value, abs=1e-12) for value in (-0.145, 0.355, 0.055, -0.945)
    ] + [None, None]
    assert column(judged, "excess_over_bitcoin")[:4] == [
        pytest.approx(value, abs=1e-12) for value in (-0.3, 0.2, -0.1, -1.1)
    ]


def test_the_worst_tenth_of_the_known_universe_is_marked(judged):
    assert column(judged, "is_in_worst_decile") == [False, False, False, True, None, None]


def test_an_end_is_shown_and_no_call_is_lost(judged):
    assert column(judged, "has_ended") == [False, False, False, True, None, None]
    assert column(judged, "token_id") == ["a", "b", "c", "dead", "unknown", "left"]
