"""The guard: a column that has seen the next day is refused, an honest one and an honest strong one are not."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from models_ml.learning.dataset import LeakError
from models_ml.learning.guard import GUARDED_WEEKS, refuse_leaks, suspicious_columns

WEEKS, TOKENS = 120, 40
START = dt.date(2021, 1, 4)
OUTCOMES = {"outcome": "forward_return_14d", "lagged_outcome": "forward_return_14d_lag1"}


@pytest.fixture(scope="module")
def market():
    """Returns of fifteen days a row; the first day is as large as the rest together, as where a bad close is put right the next day."""
    rng = np.random.default_rng(5)
    count = WEEKS * TOKENS
    first, rest, last = (rng.normal(0, 1, count) for _ in range(3))
    keys = pl.DataFrame(
        {
            "as_of_week": [START + dt.timedelta(weeks=row // TOKENS) for row in range(count)],
            "token_id": [f"t{row % TOKENS}" for row in range(count)],
        }
    )
    frame = keys.with_columns(
        leaking=pl.Series(first + rng.normal(0, 0.5, count)),
        strong=pl.Series(rest + rng.normal(0, 2, count)),
        weak=pl.Series(0.1 * rest + rng.normal(0, 1, count)),
        noise=pl.Series(rng.normal(0, 1, count)),
    )
    labels = keys.with_columns(
        forward_return_14d=pl.Series(first + rest), forward_return_14d_lag1=pl.Series(rest + 0.3 * last)
    )
    return frame, labels


COLUMNS = ("leaking", "strong", "weak", "noise")


def test_only_the_column_that_has_seen_the_next_day_is_suspicious(market):
    found = suspicious_columns(*market, columns=COLUMNS, **OUTCOMES)

    assert found["column"].to_list() == ["leaking"]
    assert found["ic"].item() > 0.5
    assert abs(found["ic_a_day_later"].item()) < 0.05


def test_a_column_that_leaks_with_the_opposite_sign_is_found_too(market):
    frame, labels = market

    found = suspicious_columns(frame.with_columns(-pl.col("leaking")), labels, columns=COLUMNS, **OUTCOMES)

    assert found["column"].to_list() == ["leaking"]


def test_training_on_it_is_refused_by_name_with_the_figures(market):
    with pytest.raises(LeakError, match=r"leaking \(rank IC \+0\.\d+, [+-]0\.0\d a day later\)"):
        refuse_leaks(*market, columns=COLUMNS, **OUTCOMES)


def test_honest_columns_are_let_through(market):
    refuse_leaks(*market, columns=("strong", "weak", "noise"), **OUTCOMES)


def test_a_leak_of_long_ago_is_no_longer_judged(market):
    frame, labels = market
    newest = frame["as_of_week"].unique().sort().tail(GUARDED_WEEKS)
    healed = frame.with_columns(
        leaking=pl.when(pl.col("as_of_week").is_in(newest.implode())).then("noise").otherwise("leaking")
    )

    assert suspicious_columns(healed, labels, columns=COLUMNS, **OUTCOMES).is_empty()


def test_weeks_without_outcomes_judge_nothing(market):
    frame, labels = market
    unknown = labels.with_columns(forward_return_14d=pl.lit(None, dtype=pl.Float64))

    refuse_leaks(frame, unknown, columns=COLUMNS, **OUTCOMES)
