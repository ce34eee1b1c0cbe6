"""Volatility features: how far a token's price moves, whatever the direction.

Belongs here: dispersion of daily returns over windows.
Does not: drawdowns and tails (`risk.py`), volume (`liquidity.py`), reading or writing tables (`orchestration/lib`).
"""

from __future__ import annotations

import math

import polars as pl

from models_ml.features.exponential import FORGOTTEN, exponential_mean, memory_days
from models_ml.features.feature import DAYS_A_YEAR, Feature, enough

LOG_RETURN = pl.col("log_return")
ANNUAL = math.sqrt(DAYS_A_YEAR)


def realised_volatility(window_days: int) -> Feature:
    """Annualised standard deviation of daily log returns."""
    return Feature(
        name=f"volatility_{window_days}d",
        family="volatility",
        unit="fraction per year",
        formula=f"std(ln(price[t] / price[t-1]), {window_days} days) * sqrt({DAYS_A_YEAR})",
        look_back_days=window_days + 1,
        expr=LOG_RETURN.rolling_std(window_days, min_samples=enough(window_days)) * ANNUAL,
        source="Hull, Options, Futures, and Other Derivatives, 9th ed., ch. 15",
    )


def downside_volatility(window_days: int) -> Feature:
    """Annualised root mean square of the falling days' log returns, rising days counted as zero."""
    samples = enough(window_days)
    fall = pl.when(LOG_RETURN.is_not_null()).then(LOG_RETURN.clip(upper_bound=0))
    mean_square = (fall**2).rolling_mean(window_days, min_samples=samples).clip(lower_bound=0)
    has_fallen = fall.rolling_min(window_days, min_samples=samples) < 0
    return Feature(
        name=f"downside_volatility_{window_days}d",
        family="volatility",
        unit="fraction per year",
        formula=f"sqrt(mean(min(log return, 0)^2, {window_days} days)) * sqrt({DAYS_A_YEAR})",
        look_back_days=window_days + 1,
        # Without a fall the mean is rounding error, which the root would magnify.
        expr=pl.when(has_fallen).then(mean_square.sqrt() * ANNUAL).when(mean_square.is_not_null()).then(0.0),
        source="Sortino, van der Meer (1991), Downside Risk, J. Portfolio Management 17(4)",
    )


def volatility_ratio(short_days: int, long_days: int) -> Feature:
    """Recent volatility against that of a longer window: above 1 a token grows restless."""
    short = LOG_RETURN.rolling_std(short_days, min_samples=enough(short_days))
    long = LOG_RETURN.rolling_std(long_days, min_samples=enough(long_days))
    return Feature(
        name=f"volatility_ratio_{short_days}d_{long_days}d",
        family="volatility",
        unit="ratio",
        formula=f"std(log return, {short_days} days) / std(log return, {long_days} days)",
        look_back_days=long_days + 1,
        expr=pl.when(long > 1e-6).then(short / long),
    )


def exponential_volatility(decay: float) -> Feature:
    """Annualised root mean square of daily log returns, the newest weighted most."""
    mean_square = exponential_mean(LOG_RETURN**2, decay)
    return Feature(
        name="ewma_volatility",
        family="volatility",
        unit="fraction per year",
        formula=(
            f"sqrt(mean(log return^2, weights {decay:g}^age)) * sqrt({DAYS_A_YEAR}); older days, {FORGOTTEN:g} of the weight, "
            "are cut off"
        ),
        look_back_days=memory_days(decay) + 1,
        expr=mean_square.clip(lower_bound=0).sqrt() * ANNUAL,
        null_policy="null where known days carry less than half of the weight",
        source="J.P. Morgan (1996), RiskMetrics Technical Document, 4th ed., decay of daily data",
        is_model_input=False,
    )


def jump_share(window_days: int) -> Feature:
    """Share of the variance that comes from single jumps: neighbouring days would show it as well if it came steadily."""
    samples = enough(window_days)
    square = (LOG_RETURN**2).rolling_mean(window_days, min_samples=samples)
    steady = (LOG_RETURN.abs() * LOG_RETURN.shift(1).abs()).rolling_mean(window_days, min_samples=samples)
    return Feature(
        name=f"jump_share_{window_days}d",
        family="volatility",
        unit="0-1",
        formula=f"max(0, 1 - pi/2 * mean(|r[t]| * |r[t-1]|) / mean(r^2)), {window_days} daily log returns",
        look_back_days=window_days + 2,
        expr=pl.when(square > 1e-10).then((1 - math.pi / 2 * steady / square).clip(0, 1)),
        source="Barndorff-Nielsen, Shephard (2004), Power and Bipower Variation, J. Financial Econometrics 2(1)",
        is_model_input=False,
    )


FEATURES = [
    *(realised_volatility(days) for days in (7, 14, 30, 90)),
    downside_volatility(30),
    volatility_ratio(7, 30),
    exponential_volatility(0.94),
    jump_share(30),
]
