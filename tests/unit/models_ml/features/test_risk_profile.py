"""Risk quantities against numpy, scipy and the definitions written out, and what they may know."""

import datetime as dt
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from models_ml.features.expected_shortfall import ROWS_AT_ONCE, expected_shortfall
from models_ml.features.risk_profile import LOOK_BACK_DAYS, RISK_PROFILE, SHORTFALL_DAYS, risk_profile

DAYS = 1100
YEAR = 365
QUANTITIES = [*(feature.name for feature in RISK_PROFILE), *(f"expected_shortfall_{days}d" for days in SHORTFALL_DAYS)]


@pytest.fixture(scope="module")
def closes():
    rng = np.random.default_rng(7)
    bitcoin = rng.standard_t(4, DAYS) * 0.02
    return {
        "bitcoin": 2e4 * np.exp(np.cumsum(bitcoin)),
        "token": 3 * np.exp(np.cumsum(1.3 * bitcoin + rng.standard_t(3, DAYS) * 0.03)),
    }


@pytest.fixture(scope="module")
def daily(closes, candles_of):
    return pl.concat([candles_of(path, name=name) for name, path in closes.items()])


@pytest.fixture(scope="module")
def newest(daily):
    return risk_profile(daily, dtype=pl.Float64).filter(pl.col("token_id") == "token").row(-1, named=True)


@pytest.fixture(scope="module")
def returns(closes):
    return {name: np.diff(np.log(path))[-YEAR:] for name, path in closes.items()}


def worst_distance_below_high(path, days):
    """Of each of the last days: its distance below the highest of as many days up to it."""
    return min(path[end] / max(path[end + 1 - days : end + 1]) - 1 for end in range(len(path) - days, len(path)))


def test_moments_of_a_year_are_those_of_scipy(newest, returns):
    year = returns["token"]

    assert newest["volatility_365d"] == pytest.approx(np.std(year, ddof=1) * math.sqrt(YEAR))
    assert newest["skewness_365d"] == pytest.approx(stats.skew(year))
    assert newest["kurtosis_365d"] == pytest.approx(stats.kurtosis(year))


def test_ratios_of_a_year_are_their_definitions(newest, returns):
    year = returns["token"]

    downside = math.sqrt(np.mean(np.minimum(year, 0) ** 2))
    low, high = np.quantile(year, [0.05, 0.95])
    assert newest["sharpe_365d"] == pytest.approx(year.mean() / year.std(ddof=1) * math.sqrt(YEAR))
    assert newest["sortino_365d"] == pytest.approx(year.mean() / downside * math.sqrt(YEAR))
    assert newest["value_at_risk_365d"] == pytest.approx(low)
    assert newest["tail_ratio_365d"] == pytest.approx(high / -low)
    assert newest["average_move_14d"] == pytest.approx(np.abs(year[-14:]).mean())


def test_the_average_move_of_a_price_that_has_stopped_moving_is_not_negative(candles_of):
    # Of 200 such tokens the running mean leaves some below zero; on real history it did of 164 rows.
    rng = np.random.default_rng(3)
    stopped = [
        np.concatenate([np.exp(np.cumsum(rng.standard_t(3, 40) * 0.05)), np.full(30, 0.731)]) for _ in range(200)
    ]
    daily = pl.concat([candles_of(path, name=f"token-{number}") for number, path in enumerate(stopped)])
    bitcoin = candles_of(np.exp(np.cumsum(rng.standard_t(3, 70) * 0.02)), name="bitcoin")

    moves = risk_profile(pl.concat([daily, bitcoin]), dtype=pl.Float64)["average_move_14d"].drop_nulls()

    assert moves.min() == 0


def test_beta_of_a_year_is_the_slope_of_a_regression(newest, returns):
    slope = stats.linregress(returns["bitcoin"], returns["token"]).slope

    assert newest["beta_btc_365d"] == pytest.approx(slope)


def test_drawdown_of_a_year_is_the_worst_distance_below_a_high_of_a_year(newest, closes):
    assert newest["max_drawdown_365d"] == pytest.approx(worst_distance_below_high(closes["token"], YEAR))


@pytest.mark.parametrize("days", SHORTFALL_DAYS)
def test_expected_shortfall_is_the_mean_of_returns_up_to_the_value_at_risk(days, newest, returns):
    window = returns["token"][-days:]

    tail = window[window <= np.quantile(window, 0.05)]

    assert newest[f"expected_shortfall_{days}d"] == pytest.approx(tail.mean())


@settings(max_examples=60, deadline=None)
@given(
    returns=st.lists(st.floats(-2, 2) | st.just(math.nan), min_size=1, max_size=60),
    window=st.integers(1, 25),
    least=st.integers(1, 10),
    first=st.integers(0, 5),
)
def test_expected_shortfall_equals_one_window_after_the_other(returns, window, least, first):
    result = expected_shortfall(np.array(returns), window_days=window, min_samples=least, first=first)

    for end, value in enumerate(result):
        known = sorted(r for r in returns[max(0, end + 1 - window) : end + 1] if not math.isnan(r))
        if end < first or len(known) < least:
            assert math.isnan(value)
        else:
            count = (len(known) - 1) // 20 + 1
            assert value == pytest.approx(sum(known[:count]) / count, abs=1e-12)


def test_windows_that_are_sorted_apart_are_those_sorted_together():
    returns = np.random.default_rng(2).normal(0, 0.05, ROWS_AT_ONCE + 500)

    whole = expected_shortfall(returns, window_days=30, min_samples=15)

    together = expected_shortfall(returns[-1029:], window_days=30, min_samples=30)
    np.testing.assert_array_equal(whole[-1000:], together[-1000:])


def test_a_gap_is_no_return(closes, candles_of):
    path = [*closes["token"][:200], None, *(2 * closes["token"][201:400])]

    profile = risk_profile(candles_of(path, name="token"), dtype=pl.Float64)

    row = profile.row(-1, named=True)
    # The window still holds the gap; over it the price has doubled, on no single day.
    known = np.log(np.array([np.nan if price is None else price for price in path], dtype=float))
    window = np.diff(known)[-365:]
    window = window[np.isfinite(window)]
    assert profile.height == len(path) - 1
    assert row["volatility_365d"] == pytest.approx(np.std(window, ddof=1) * math.sqrt(YEAR))
    assert row["expected_shortfall_365d"] == pytest.approx(window[window <= np.quantile(window, 0.05)].mean())


def test_less_than_half_of_the_days_have_no_value(candles_of):
    path = 5 * np.exp(np.cumsum(np.random.default_rng(5).normal(0, 0.04, 190)))

    profile = risk_profile(candles_of(path, name="token"))

    # A window of 90 days needs 45 returns, one of 365 days 182: a return more than places before it.
    for name, returns in {"expected_shortfall_90d": 45, "expected_shortfall_365d": 182, "sharpe_365d": 182}.items():
        assert profile[name].is_null().to_list() == [place < returns for place in range(190)]


def test_values_are_the_same_whatever_comes_later(daily):
    end = daily["market_date"].min() + dt.timedelta(days=800)

    until = risk_profile(daily.filter(pl.col("market_date") <= end))

    assert until.equals(risk_profile(daily).filter(pl.col("market_date") <= end))


def test_new_days_computed_from_what_they_look_back_on_are_those_of_the_whole_history(daily):
    since = daily["market_date"].max() - dt.timedelta(days=13)
    reach = daily.filter(pl.col("market_date") >= since - dt.timedelta(days=LOOK_BACK_DAYS + 1))

    new = risk_profile(reach, since=since, dtype=pl.Float64)

    whole = risk_profile(daily, dtype=pl.Float64).filter(pl.col("market_date") >= since)
    assert new.select("token_id", "market_date").equals(whole.select("token_id", "market_date"))
    assert new.height == 2 * 14
    for name in QUANTITIES:
        np.testing.assert_allclose(new[name].to_numpy(), whole[name].to_numpy(), rtol=1e-9, atol=1e-12)


def test_no_rows_give_no_rows(daily):
    none = risk_profile(daily.clear())

    assert none.height == 0
    assert none.columns == ["token_id", "market_date", *QUANTITIES]
    assert none.schema == risk_profile(daily).schema
