"""What prices do after a close, by hand and against plain loops."""

import datetime as dt
import itertools
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models_ml.learning.price_paths import (
    DECIDE_DAYS,
    REACH_DAYS,
    level_outcomes,
    path_drawdown,
    path_low,
    path_volatility,
    paths_after,
)

MONDAY = dt.date(2024, 1, 1)
DAYS = REACH_DAYS + DECIDE_DAYS
PATHS = st.lists(
    st.lists(st.floats(0.01, 1e3) | st.just(math.nan), min_size=5, max_size=5), min_size=1, max_size=8
).map(lambda rows: np.array([[1.0, *row] for row in rows]))


def outcome(closes, *, level=90.0, move=10.0, side="support"):
    """Outcome of one path that begins at 100 and stays at its last given close."""
    path = [100.0, *closes]
    path += [path[-1]] * (DAYS + 1 - len(path))
    return level_outcomes(np.array([path]), levels=np.array([level]), moves=np.array([move]), side=side)[0]


def test_a_path_has_the_closes_of_the_days_after_a_key():
    closes = pl.DataFrame(
        {
            "token_id": ["a", "a", "a", "b"],
            "market_date": [MONDAY + dt.timedelta(days=day) for day in (0, 1, 3, 1)],
            "price_usd": [1.0, 2.0, 4.0, 9.0],
        }
    )
    keys = pl.DataFrame({"token_id": ["b", "a"], "market_date": [MONDAY, MONDAY]})

    paths = paths_after(closes, keys, days=3)

    np.testing.assert_array_equal(paths, [[np.nan, 9, np.nan, np.nan], [1, 2, np.nan, 4]])


@settings(max_examples=50, deadline=None)
@given(paths=PATHS, least=st.integers(1, 5))
def test_measures_of_a_path_are_their_definitions(paths, least):
    volatility, drawdown, low = (measure(paths, least=least) for measure in (path_volatility, path_drawdown, path_low))

    for row, path in enumerate(paths):
        known = [price for price in path if not math.isnan(price)]
        returns = [math.log(b / a) for a, b in itertools.pairwise(path) if not math.isnan(a + b)]
        if len(returns) >= max(2, least):
            assert volatility[row] == pytest.approx(np.std(returns, ddof=1) * math.sqrt(365), abs=1e-9)
        else:
            assert math.isnan(volatility[row])
        if len(known) - 1 >= least:
            assert drawdown[row] == pytest.approx(min(p / max(known[: i + 1]) - 1 for i, p in enumerate(known)))
            assert low[row] == pytest.approx(min(known) - 1)
        else:
            assert math.isnan(drawdown[row])
            assert math.isnan(low[row])


@pytest.mark.parametrize(
    ("closes", "expected"),
    [
        ([93, 93, 93], "not reached"),
        ([92.5, 95, 100], "held"),
        ([92.5, 85, 80], "broken"),
        ([92.5, 99], "undecided"),
        # Turned and broken later: what comes first counts.
        ([92, 100, 70], "held"),
        ([92, 80, 110], "broken"),
        # A leap over the level by a whole move breaks it on the day.
        ([79, 110], "broken"),
        # Back only after the days in which it is decided.
        ([92, *[95] * DECIDE_DAYS, 110], "undecided"),
        ([*[95] * REACH_DAYS, 90, 110], "not reached"),
    ],
)
def test_a_support_holds_or_breaks(closes, expected):
    assert outcome(closes) == expected


@pytest.mark.parametrize(
    ("closes", "expected"), [([107.5, 100], "held"), ([108, 120], "broken"), ([95], "not reached")]
)
def test_a_resistance_is_a_support_upside_down(closes, expected):
    assert outcome(closes, level=110.0, side="resistance") == expected


def test_a_path_that_ends_is_undecided():
    assert outcome([92, math.nan]) == "undecided"
    assert outcome([math.nan]) == "not reached"


def test_paths_that_are_too_short_are_refused():
    with pytest.raises(ValueError, match="paths of 5 days, but 30 are needed"):
        level_outcomes(np.ones((1, 6)), levels=np.ones(1), moves=np.ones(1), side="support")
