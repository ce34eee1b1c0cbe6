"""Trend features: which way a token's price points and how straight, by averages, oscillators and regression.

Belongs here: exponential and weighted averages, Bollinger bands, regression on time, indicators of price and volume.
Does not: simple averages and returns (`momentum.py`). Averages of prices take prices; deviations and regressions take their logs,
which stay exact when a price falls a thousandfold.
"""

from __future__ import annotations

import polars as pl

from models_ml.features.exponential import FORGOTTEN, decay_of_span, decay_of_wilder, exponential_mean, memory_days
from models_ml.features.feature import Feature, enough

PRICE = pl.col("price_usd")
LOG_PRICE = pl.col("log_price")
LOG_RETURN = pl.col("log_return")
VOLUME = pl.col("volume_24h_usd")
DAY = pl.col("age_days").cast(pl.Float64)

ENDS = f"older days, {FORGOTTEN:g} of the weight, are cut off"
HALF_THE_WEIGHT = "null where known days carry less than half of the weight"
APPEL = "Appel (2005), Technical Analysis: Power Tools for Active Investors"
BOLLINGER = "Bollinger (2001), Bollinger on Bollinger Bands, on log prices"


def _average(days: int) -> pl.Expr:
    return exponential_mean(PRICE, decay_of_span(days))


def _memory(days: int) -> int:
    return memory_days(decay_of_span(days))


def price_to_exponential_average(days: int) -> Feature:
    """Distance of the price from its exponential moving average."""
    return Feature(
        name=f"price_to_ema_{days}d",
        family="trend",
        unit="fraction",
        formula=f"price[t] / EMA(price, {days} days) - 1; {ENDS}",
        look_back_days=_memory(days),
        expr=PRICE / _average(days) - 1,
        null_policy=HALF_THE_WEIGHT,
        is_model_input=False,
    )


def convergence(fast_days: int, slow_days: int) -> pl.Expr:
    """MACD in USD: fast less slow exponential average."""
    return _average(fast_days) - _average(slow_days)


def macd(fast_days: int, slow_days: int) -> Feature:
    """Moving average convergence and divergence as a fraction of the price, comparable between tokens."""
    return Feature(
        name=f"macd_{fast_days}d_{slow_days}d",
        family="trend",
        unit="fraction of the price",
        formula=f"(EMA(price, {fast_days} days) - EMA(price, {slow_days} days)) / price[t]; {ENDS}",
        look_back_days=_memory(slow_days),
        expr=convergence(fast_days, slow_days) / PRICE,
        null_policy=HALF_THE_WEIGHT,
        source=APPEL,
        is_model_input=False,
    )


def macd_histogram(fast_days: int, slow_days: int, signal_days: int) -> Feature:
    """MACD less its signal line: positive when a trend gathers pace."""
    line = convergence(fast_days, slow_days)
    return Feature(
        name=f"macd_histogram_{fast_days}d_{slow_days}d_{signal_days}d",
        family="trend",
        unit="fraction of the price",
        formula=f"(MACD - EMA(MACD, {signal_days} days)) / price[t], MACD = EMA({fast_days} days) - EMA({slow_days} days); {ENDS}",
        look_back_days=_memory(slow_days) + _memory(signal_days),
        expr=(line - exponential_mean(line, decay_of_span(signal_days))) / PRICE,
        null_policy=HALF_THE_WEIGHT,
        source=APPEL,
        is_model_input=False,
    )


def triple_exponential(days: int) -> Feature:
    """Daily change of an average smoothed three times."""
    decay = decay_of_span(days)
    smooth = exponential_mean(exponential_mean(exponential_mean(PRICE, decay), decay), decay)
    return Feature(
        name=f"trix_{days}d",
        family="trend",
        unit="fraction a day",
        formula=f"E[t] / E[t-1] - 1, E = EMA of EMA of EMA(price), {days} days each; {ENDS}",
        look_back_days=3 * _memory(days) + 1,
        expr=smooth.pct_change(1),
        null_policy=HALF_THE_WEIGHT,
        source="Hutson (1983), Good TRIX, Technical Analysis of Stocks & Commodities 1(5)",
        is_model_input=False,
    )


def price_to_weighted_average(days: int) -> Feature:
    """Distance of the price from an average that weighs the newest day most."""
    samples = enough(days)
    known_day = pl.when(PRICE.is_not_null()).then(DAY)
    oldest = DAY - days
    weighted = (PRICE * DAY).rolling_sum(days, min_samples=samples) - oldest * PRICE.rolling_sum(
        days, min_samples=samples
    )
    weights = known_day.rolling_sum(days, min_samples=samples) - oldest * PRICE.is_not_null().cast(
        pl.Float64
    ).rolling_sum(days, min_samples=1)
    return Feature(
        name=f"price_to_wma_{days}d",
        family="trend",
        unit="fraction",
        formula=f"price[t] / mean(price, {days} days, weights {days} for the newest down to 1) - 1",
        look_back_days=days,
        expr=PRICE * weights / weighted - 1,
        is_model_input=False,
    )


def wilder_strength_index(days: int) -> Feature:
    """Relative strength index as Wilder smooths it, on price changes."""
    change = PRICE.diff()
    decay = decay_of_wilder(days)
    gain = exponential_mean(pl.when(change.is_not_null()).then(change.clip(lower_bound=0)), decay)
    path = exponential_mean(change.abs(), decay)
    return Feature(
        name=f"rsi_wilder_{days}d",
        family="trend",
        unit="0-100",
        formula=f"100 * W(gains) / (W(gains) + W(losses)) of daily price changes, W = Wilder's mean of {days} days; {ENDS}",
        look_back_days=memory_days(decay) + 1,
        # Of a price that stands still only rounding errors are left.
        expr=pl.when(path > 1e-10 * PRICE).then((100 * gain / path).clip(0, 100)),
        null_policy=f"{HALF_THE_WEIGHT}, and where the price stands still",
        source="Wilder (1978), New Concepts in Technical Trading Systems",
        is_model_input=False,
    )


def bollinger_position(days: int) -> Feature:
    """Where the price stands between the bands: 0 on the lower, 1 on the upper one."""
    mean, spread = _level_and_spread(days)
    return Feature(
        name=f"bollinger_position_{days}d",
        family="trend",
        unit="0 lower band, 1 upper band",
        formula=f"(x - mean + 2 std) / (4 std) of x = ln(price), {days} days",
        look_back_days=days,
        expr=pl.when(spread > 1e-6).then(0.5 + (LOG_PRICE - mean) / (4 * spread)),
        null_policy=f"null below {enough(days)} known days, and where the price stands still",
        source=BOLLINGER,
        is_model_input=False,
    )


def bollinger_bandwidth(days: int) -> Feature:
    """Width of the bands: narrow ones often come before a large move."""
    _, spread = _level_and_spread(days)
    return Feature(
        name=f"bollinger_bandwidth_{days}d",
        family="volatility",
        unit="log ratio of upper to lower band",
        formula=f"4 std(ln(price), {days} days)",
        look_back_days=days,
        expr=4 * spread,
        source=BOLLINGER,
        is_model_input=False,
    )


def _level_and_spread(days: int) -> tuple[pl.Expr, pl.Expr]:
    samples = enough(days)
    return LOG_PRICE.rolling_mean(days, min_samples=samples), LOG_PRICE.rolling_std(days, min_samples=samples, ddof=0)


def _regression(days: int) -> tuple[pl.Expr, pl.Expr, pl.Expr]:
    """Covariance of log price and day, variance of the days, variance of the log price, over the known days."""
    samples = enough(days)
    day = pl.when(PRICE.is_not_null()).then(DAY)
    mean_day = day.rolling_mean(days, min_samples=samples)
    mean_level = LOG_PRICE.rolling_mean(days, min_samples=samples)
    covariance = (day * LOG_PRICE).rolling_mean(days, min_samples=samples) - mean_day * mean_level
    day_variance = (day**2).rolling_mean(days, min_samples=samples) - mean_day**2
    return covariance, day_variance, LOG_PRICE.rolling_var(days, min_samples=samples, ddof=0)


def regression_slope(days: int) -> Feature:
    """Slope of the straight line through the log prices of a window."""
    covariance, day_variance, _ = _regression(days)
    return Feature(
        name=f"regression_slope_{days}d",
        family="trend",
        unit="log return a day",
        formula=f"cov(day, ln(price)) / var(day), {days} days",
        look_back_days=days,
        expr=covariance / day_variance,
        is_model_input=False,
    )


def regression_fit(days: int) -> Feature:
    """How much of the log price's variance the straight line explains: 1 is a steady trend."""
    covariance, day_variance, level_variance = _regression(days)
    return Feature(
        name=f"regression_r_squared_{days}d",
        family="trend",
        unit="0-1",
        formula=f"corr(day, ln(price))^2, {days} days",
        look_back_days=days,
        expr=pl.when(level_variance > 1e-8).then((covariance**2 / (day_variance * level_variance)).clip(0, 1)),
        null_policy=f"null below {enough(days)} known days, and where the price stands still",
        is_model_input=False,
    )


def signed_volume(days: int) -> Feature:
    """Change of the on-balance volume as a share of all volume: who trades, buyers or sellers."""
    samples = enough(days)
    signed = LOG_RETURN.sign() * VOLUME
    traded = pl.when(LOG_RETURN.is_not_null()).then(VOLUME)
    total = traded.rolling_sum(days, min_samples=samples)
    return Feature(
        name=f"on_balance_volume_change_{days}d",
        family="trend",
        unit="-1 to 1",
        formula=f"sum(sign(log return) * volume_24h_usd, {days} days) / sum(volume_24h_usd, {days} days)",
        look_back_days=days + 1,
        expr=pl.when(total > 0).then((signed.rolling_sum(days, min_samples=samples) / total).clip(-1, 1)),
        source="Granville (1963), New Key to Stock Market Profits",
        is_model_input=False,
    )


def money_flow_index(days: int) -> Feature:
    """Share of the volume that traded on rising days, of that on days that moved."""
    samples = enough(days)
    rising = pl.when(LOG_RETURN.is_not_null()).then(VOLUME * (LOG_RETURN > 0).cast(pl.Float64))
    moving = pl.when(LOG_RETURN.is_not_null()).then(VOLUME * (LOG_RETURN != 0).cast(pl.Float64))
    total = moving.rolling_sum(days, min_samples=samples)
    has_moved = moving.rolling_max(days, min_samples=samples) > 0
    return Feature(
        name=f"money_flow_index_{days}d",
        family="trend",
        unit="0-100",
        formula=f"100 * sum(volume_24h_usd of rising days) / sum(volume_24h_usd of rising and falling days), {days} days",
        look_back_days=days + 1,
        # Of a price that stands still the sum is rounding error of the days before.
        expr=pl.when(has_moved).then((100 * rising.rolling_sum(days, min_samples=samples) / total).clip(0, 100)),
        null_policy=f"null below {samples} days with return and volume, and where the price stands still",
        source="Quong, Soudack (1989), Volume-Weighted RSI: Money Flow, Technical Analysis of Stocks & Commodities 7(3), on closes",
        is_model_input=False,
    )


FEATURES = [
    price_to_exponential_average(12),
    price_to_exponential_average(26),
    macd(12, 26),
    macd_histogram(12, 26, 9),
    triple_exponential(9),
    price_to_weighted_average(20),
    wilder_strength_index(14),
    bollinger_position(20),
    bollinger_bandwidth(20),
    regression_slope(30),
    regression_fit(30),
    signed_volume(30),
    money_flow_index(14),
]
