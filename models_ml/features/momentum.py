"""Momentum and trend features: where a token's price comes from and which way it points.

Belongs here: returns over windows, distances to moving averages, oscillators.
Does not: returns relative to other tokens (`relative_strength.py`), drawdowns (`risk.py`).
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from models_ml.features.feature import Feature, enough

PRICE = pl.col("price_usd")
LOG_PRICE = pl.col("log_price")
LOG_RETURN = pl.col("log_return")


def trailing_return(window_days: int) -> Feature:
    """Simple return over a window of calendar days."""
    return Feature(
        name=f"return_{window_days}d",
        family="momentum",
        unit="fraction",
        formula=f"price[t] / price[t-{window_days}] - 1",
        look_back_days=window_days,
        expr=(LOG_PRICE - LOG_PRICE.shift(window_days)).exp() - 1,
        null_policy="null where one of the two days has no price",
    )


def price_to_average(window_days: int) -> Feature:
    """Distance of the price from its simple moving average."""
    return Feature(
        name=f"price_to_sma_{window_days}d",
        family="trend",
        unit="fraction",
        formula=f"price[t] / mean(price, {window_days} days) - 1",
        look_back_days=window_days,
        expr=PRICE / PRICE.rolling_mean(window_days, min_samples=enough(window_days)) - 1,
    )


def average_cross(short_days: int, long_days: int) -> Feature:
    """Distance between a short and a long simple moving average."""
    short = PRICE.rolling_mean(short_days, min_samples=enough(short_days))
    long = PRICE.rolling_mean(long_days, min_samples=enough(long_days))
    return Feature(
        name=f"sma_cross_{short_days}d_{long_days}d",
        family="trend",
        unit="fraction",
        formula=f"mean(price, {short_days} days) / mean(price, {long_days} days) - 1",
        look_back_days=long_days,
        expr=short / long - 1,
        source="Brock, Lakonishok, LeBaron (1992), Simple Technical Trading Rules, J. Finance 47(5)",
    )


def relative_strength_index(window_days: int) -> Feature:
    """Relative strength index with simple means, so that its memory ends (Cutler's form, not Wilder's smoothing)."""
    gain = pl.when(LOG_RETURN.is_not_null()).then(LOG_RETURN.clip(lower_bound=0)).rolling_mean(window_days)
    loss = pl.when(LOG_RETURN.is_not_null()).then((-LOG_RETURN).clip(lower_bound=0)).rolling_mean(window_days)
    return Feature(
        name=f"rsi_{window_days}d",
        family="trend",
        unit="0-100",
        formula=f"100 * mean(gains) / (mean(gains) + mean(losses)) over {window_days} daily log returns",
        look_back_days=window_days + 1,
        # A price that stands still has neither gains nor losses; their rounding errors would read as 0 or 100.
        expr=pl.when(gain + loss > 1e-10).then(100 * gain / (gain + loss)),
        null_policy=f"null unless all {window_days} returns are known, and where the price stands still",
        source="Wilder (1978), New Concepts in Technical Trading Systems, with Cutler's simple means",
    )


def stochastic_position(window_days: int) -> Feature:
    """Where the price stands between the lowest and the highest close of a window."""
    low = PRICE.rolling_min(window_days, min_samples=enough(window_days))
    high = PRICE.rolling_max(window_days, min_samples=enough(window_days))
    return Feature(
        name=f"stochastic_{window_days}d",
        family="trend",
        unit="0-100",
        formula=f"100 * (price - min) / (max - min) over {window_days} closes",
        look_back_days=window_days,
        expr=100 * (PRICE - low) / (high - low),
        source="Lane (1984), Lane's Stochastics, Technical Analysis of Stocks & Commodities 2(3), on closes",
    )


def trend_efficiency(window_days: int) -> Feature:
    """Share of the path that led somewhere: 1 is a straight line, 0 a walk that ends where it began."""
    path = LOG_RETURN.abs().rolling_sum(window_days, min_samples=enough(window_days))
    return Feature(
        name=f"trend_efficiency_{window_days}d",
        family="trend",
        unit="0-1",
        formula=f"|ln(price[t] / price[t-{window_days}])| / sum(|daily log return|, {window_days} days)",
        look_back_days=window_days + 1,
        expr=pl.when(path > 1e-10).then((LOG_PRICE - LOG_PRICE.shift(window_days)).abs() / path),
        source="Kaufman (1995), Smarter Trading: efficiency ratio",
    )


def share_of_up_days(window_days: int) -> Feature:
    """Share of days that closed higher than the day before."""
    return Feature(
        name=f"up_day_share_{window_days}d",
        family="trend",
        unit="0-1",
        formula=f"mean(daily log return > 0, {window_days} days)",
        look_back_days=window_days + 1,
        expr=(LOG_RETURN > 0).cast(pl.Float64).rolling_mean(window_days, min_samples=enough(window_days)),
    )


def skipping_return(window_days: int, skipped_days: int) -> Feature:
    """Return of a window without its last days, whose reversal hides the momentum."""
    change = LOG_PRICE.shift(skipped_days) - LOG_PRICE.shift(window_days)
    return Feature(
        name=f"return_{window_days}d_skip_{skipped_days}d",
        family="momentum",
        unit="fraction",
        formula=f"price[t-{skipped_days}] / price[t-{window_days}] - 1",
        look_back_days=window_days,
        expr=change.exp() - 1,
        source="Jegadeesh (1990), Evidence of Predictable Behavior of Security Returns, J. Finance 45(3)",
        null_policy="null where one of the two days has no price",
        is_model_input=False,
    )


def variance_ratio(long_days: int, window_days: int) -> Feature:
    """Variance of returns over several days against that of as many single ones: above 1 moves go on, below 1 they turn back."""
    samples = enough(window_days)
    daily = LOG_RETURN.rolling_std(window_days, min_samples=samples)
    long = LOG_RETURN.rolling_sum(long_days, min_samples=long_days).rolling_std(window_days, min_samples=samples)
    return Feature(
        name=f"variance_ratio_{long_days}d_{window_days}d",
        family="momentum",
        unit="ratio",
        formula=f"var({long_days}-day log return) / ({long_days} * var(daily log return)), {window_days} days",
        look_back_days=window_days + long_days,
        expr=pl.when(daily > 1e-6).then(long**2 / (long_days * daily**2)),
        source="Lo, MacKinlay (1988), Stock Market Prices Do Not Follow Random Walks, Review of Financial Studies 1(1)",
        is_model_input=False,
    )


FEATURES = [
    *(trailing_return(days) for days in (1, 3, 7, 14, 30, 60, 90, 180)),
    *(price_to_average(days) for days in (20, 50, 200)),
    average_cross(20, 50),
    relative_strength_index(14),
    stochastic_position(14),
    trend_efficiency(30),
    share_of_up_days(30),
    replace(trailing_return(365), is_model_input=False),
    skipping_return(30, 7),
    variance_ratio(5, 90),
]
