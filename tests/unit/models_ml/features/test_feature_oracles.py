"""Features against TA-Lib, where it has an indicator of the same definition, and against a published worked example."""

import math

import numpy as np
import polars as pl
import pytest
import talib

from models_ml.features.compute import token_features
from models_ml.features.exponential import decay_of_span, decay_of_wilder, memory_days
from models_ml.features.volatility import realised_volatility

DAYS = 900
DOUBLE = 1e-8
"""Agreement with the oracle, relative, in double precision before the value is stored in single."""

HULL_CLOSES = [
    *(20.00, 20.10, 19.90, 20.00, 20.50, 20.25, 20.90, 20.90, 20.90, 20.75, 20.75),
    *(21.00, 21.10, 20.90, 20.90, 21.25, 21.40, 21.40, 21.25, 21.75, 22.00),
]


def returns_of(closes):
    return np.diff(np.log(closes), prepend=np.nan)


def prices_with_returns(returns):
    """Prices whose simple returns are the given values: TA-Lib's BETA takes prices and makes simple returns of them."""
    return np.cumprod(1 + np.nan_to_num(returns))


def after_first(indicator, values, *args, **kwargs):
    """An indicator of a series whose first value is unknown, in the place of the series."""
    return np.concatenate([[np.nan], indicator(values[1:], *args, **kwargs)])


@pytest.fixture(scope="module")
def closes():
    rng = np.random.default_rng(3)
    market = rng.normal(0, 0.03, DAYS)
    return {
        "bitcoin": 2e4 * np.exp(np.cumsum(market)),
        "token": 5 * np.exp(np.cumsum(0.8 * market + rng.normal(0, 0.05, DAYS))),
    }


@pytest.fixture(scope="module")
def volumes():
    return np.random.default_rng(4).lognormal(15, 1, DAYS)


@pytest.fixture(scope="module")
def features(closes, volumes, candles_of, no_onchain):
    frames = [candles_of(path, name=name, volumes=volumes) for name, path in closes.items()]
    return token_features(pl.concat(frames), no_onchain, dtype=pl.Float64).filter(pl.col("token_id") == "token")


@pytest.fixture(scope="module")
def assert_equal(features):
    """Compares a feature with an oracle from the first day on which the oracle has a value, or later by its warm-up."""

    def check(name, oracle, *, warm_up=0, absolute=1e-10):
        full = np.isfinite(oracle)
        full[: full.argmax() + warm_up] = False
        assert full.sum() > 50
        np.testing.assert_allclose(features[name].to_numpy()[full], oracle[full], rtol=DOUBLE, atol=absolute)

    return check


@pytest.mark.parametrize("days", [1, 3, 7, 14, 30, 60, 90, 180, 365])
def test_trailing_return_is_the_rate_of_change(days, closes, assert_equal):
    assert_equal(f"return_{days}d", talib.ROCP(closes["token"], days))


@pytest.mark.parametrize("days", [20, 50, 200])
def test_distance_to_average_is_that_to_the_simple_moving_average(days, closes, assert_equal):
    assert_equal(f"price_to_sma_{days}d", closes["token"] / talib.SMA(closes["token"], days) - 1)


def test_average_cross_is_the_percentage_price_oscillator_of_simple_averages(closes, assert_equal):
    assert_equal("sma_cross_20d_50d", talib.APO(closes["token"], 20, 50, 0) / talib.SMA(closes["token"], 50))


def test_strength_index_is_the_ratio_of_simple_averages(closes, assert_equal):
    returns = returns_of(closes["token"])
    gains = after_first(talib.SMA, np.maximum(returns, 0), 14)
    losses = after_first(talib.SMA, np.maximum(-returns, 0), 14)

    assert_equal("rsi_14d", 100 - 100 / (1 + gains / losses))


def test_stochastic_position_is_fast_k_on_closes(closes, assert_equal):
    path = closes["token"]

    fast_k, _ = talib.STOCHF(path, path, path, fastk_period=14, fastd_period=1)

    assert_equal("stochastic_14d", fast_k)


@pytest.mark.parametrize("days", [7, 14, 30, 90])
def test_volatility_is_the_sample_deviation_where_the_oracle_has_that_of_the_population(days, closes, assert_equal):
    population = after_first(talib.STDDEV, returns_of(closes["token"]), days)

    assert_equal(f"volatility_{days}d", population * math.sqrt(days / (days - 1) * 365))


def test_extremes_are_those_of_the_window(closes, assert_equal):
    path, returns = closes["token"], returns_of(closes["token"])

    assert_equal("drawdown_30d", path / talib.MAX(path, 30) - 1)
    assert_equal("drawdown_90d", path / talib.MAX(path, 90) - 1)
    assert_equal("rebound_30d", path / talib.MIN(path, 30) - 1)
    assert_equal("best_day_30d", after_first(talib.MAX, returns, 30))
    assert_equal("worst_day_30d", after_first(talib.MIN, returns, 30))


@pytest.mark.parametrize("days", [30, 90])
def test_correlation_and_beta_to_bitcoin(days, closes, assert_equal):
    own, bitcoin = returns_of(closes["token"]), returns_of(closes["bitcoin"])

    # The oracle's first argument is the independent variable.
    beta = talib.BETA(prices_with_returns(bitcoin), prices_with_returns(own), days)

    assert_equal(f"correlation_btc_{days}d", after_first(talib.CORREL, own, bitcoin[1:], timeperiod=days))
    assert_equal(f"beta_btc_{days}d", beta)


def test_idiosyncratic_volatility_is_what_correlation_leaves(closes, assert_equal):
    own, bitcoin = returns_of(closes["token"]), returns_of(closes["bitcoin"])
    explained = after_first(talib.CORREL, own, bitcoin[1:], timeperiod=30) ** 2

    deviation = after_first(talib.STDDEV, own, 30)

    assert_equal("idiosyncratic_volatility_30d", deviation * np.sqrt(1 - explained) * math.sqrt(365))


@pytest.mark.parametrize("days", [30, 90])
def test_sums_of_returns_against_bitcoin(days, closes, assert_equal):
    difference = returns_of(closes["token"]) - returns_of(closes["bitcoin"])

    assert_equal(f"return_vs_btc_{days}d", after_first(talib.SUM, difference, days))


def test_volume_surge_is_the_distance_of_average_log_volumes(volumes, assert_equal):
    log_volume = np.log(volumes)

    assert_equal("volume_surge_7d_30d", np.exp(talib.SMA(log_volume, 7) - talib.SMA(log_volume, 30)))


# TA-Lib starts an exponential mean from a simple one. Its weight, and that of the days the catalogue cuts off, is 1e-9 once the
# memory is full, the warm-up from which on both agree. Distances are fractions of the price: near zero it is that they are exact of.
@pytest.mark.parametrize("days", [12, 26])
def test_distance_to_exponential_average(days, closes, assert_equal):
    warm_up = memory_days(decay_of_span(days))

    assert_equal(
        f"price_to_ema_{days}d",
        closes["token"] / talib.EMA(closes["token"], days) - 1,
        warm_up=warm_up,
        absolute=DOUBLE,
    )


def test_convergence_of_averages_and_its_histogram(closes, assert_equal):
    path = closes["token"]

    line, _, histogram = talib.MACD(path, fastperiod=12, slowperiod=26, signalperiod=9)

    slow, signal = memory_days(decay_of_span(26)), memory_days(decay_of_span(9))
    assert_equal("macd_12d_26d", line / path, warm_up=slow, absolute=DOUBLE)
    assert_equal("macd_histogram_12d_26d_9d", histogram / path, warm_up=slow + signal, absolute=DOUBLE)


def test_triple_exponential_average(closes, assert_equal):
    # The starts of three averages in a row are forgotten more slowly than that of one.
    assert_equal("trix_9d", talib.TRIX(closes["token"], 9) / 100, warm_up=3 * memory_days(decay_of_span(9)))


def test_wilders_strength_index(closes, assert_equal):
    assert_equal("rsi_wilder_14d", talib.RSI(closes["token"], 14), warm_up=memory_days(decay_of_wilder(14)))


def test_distance_to_weighted_average(closes, assert_equal):
    assert_equal("price_to_wma_20d", closes["token"] / talib.WMA(closes["token"], 20) - 1)


def test_bands_of_log_prices(closes, assert_equal):
    levels = np.log(closes["token"])

    upper, _, lower = talib.BBANDS(levels, timeperiod=20, nbdevup=2, nbdevdn=2)

    assert_equal("bollinger_position_20d", (levels - lower) / (upper - lower))
    assert_equal("bollinger_bandwidth_20d", upper - lower)


def test_regression_of_log_prices_on_days(closes, assert_equal):
    levels = np.log(closes["token"])

    assert_equal("regression_slope_30d", talib.LINEARREG_SLOPE(levels, 30))
    assert_equal("regression_r_squared_30d", talib.CORREL(np.arange(DAYS, dtype=float), levels, 30) ** 2)


def test_change_of_on_balance_volume(closes, volumes, assert_equal):
    balance = talib.OBV(closes["token"], volumes)

    change = balance - np.concatenate([np.full(30, np.nan), balance[:-30]])

    assert_equal("on_balance_volume_change_30d", change / talib.SUM(volumes, 30))


def test_money_flow_of_closes(closes, volumes, assert_equal):
    path = closes["token"]

    # The oracle multiplies the volume by the price; ours is in USD already.
    assert_equal("money_flow_index_14d", talib.MFI(path, path, path, volumes / path, timeperiod=14))


def test_sharpe_ratio_is_the_mean_over_the_deviation(closes, assert_equal):
    returns = returns_of(closes["token"])
    deviation = after_first(talib.STDDEV, returns, 90) * math.sqrt(90 / 89)

    assert_equal("sharpe_90d", after_first(talib.SMA, returns, 90) / deviation * math.sqrt(365))


def test_deepest_drawdown_is_the_minimum_of_distances_to_the_maximum(closes, assert_equal):
    path = closes["token"]
    distance = path / talib.MAX(path, 90) - 1

    oracle = np.concatenate([np.full(89, np.nan), talib.MIN(distance[89:], 90)])

    assert_equal("max_drawdown_90d", oracle)


def test_distance_to_the_volume_weighted_price(closes, volumes, assert_equal):
    path = closes["token"]

    assert_equal("price_to_vwap_30d", path * talib.SUM(volumes / path, 30) / talib.SUM(volumes, 30) - 1)


def test_correlation_of_returns_and_volume_changes(closes, volumes, assert_equal):
    own, change = returns_of(closes["token"]), returns_of(volumes)

    oracle = after_first(talib.CORREL, own, change[1:], timeperiod=30)

    assert_equal("volume_return_correlation_30d", oracle)


def test_volatility_equals_the_published_worked_example(candles_of, no_onchain):
    # Hull, Options, Futures, and Other Derivatives, 9th ed., table 15.1: 21 closes, daily standard deviation 0.01216.
    prices = candles_of(HULL_CLOSES)

    result = token_features(prices, no_onchain, [realised_volatility(20)])

    assert result["volatility_20d"][-1] / math.sqrt(365) == pytest.approx(0.01216, abs=5e-6)
