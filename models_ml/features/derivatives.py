"""Derivatives features: what perpetuals say of a token, what longs pay and how much is staked on its price.

Belongs here: funding and open interest over all venues.
Does not: spot markets (`liquidity.py`), the whole market's leverage (`feat_market_daily`).
"""

from __future__ import annotations

import polars as pl

from models_ml.features.carried import mean_of_days
from models_ml.features.feature import Feature

DERIVATIVES = ("fct_derivatives_daily",)
INTEREST = pl.col("open_interest_usd")
VENUES = pl.col("open_interest_venues")


def funding_zscore(short_days: int, long_days: int) -> Feature:
    """Recent funding against the token's own habit: a crowded trade stands out whatever its usual price."""
    recent = mean_of_days("funding_rate_8h", short_days, least=4)
    usual = mean_of_days("funding_rate_8h", long_days)
    spread = pl.col("funding_rate_8h").rolling_std(long_days, min_samples=long_days // 2)
    return Feature(
        name=f"funding_rate_zscore_{long_days}d",
        family="derivatives",
        unit="standard deviations",
        formula=f"(mean(funding, {short_days} days) - mean(funding, {long_days} days)) / std(funding, {long_days} days)",
        look_back_days=long_days - 1,
        sources=DERIVATIVES,
        # Some rates rest at one value for months; what is left of their deviation is rounding error.
        expr=pl.when(spread > 1e-8).then((recent - usual) / spread),
        is_model_input=False,
    )


def interest_growth(days: int) -> Feature:
    """Growth of the open interest of as many venues."""
    return Feature(
        name=f"open_interest_growth_{days}d",
        family="derivatives",
        unit="log ratio",
        formula=f"ln(open interest[t] / open interest[t-{days}]), null where the number of venues differs",
        look_back_days=days,
        sources=DERIVATIVES,
        expr=pl.when(VENUES.eq(VENUES.shift(days)) & (INTEREST > 0) & (INTEREST.shift(days) > 0)).then(
            (INTEREST / INTEREST.shift(days)).log()
        ),
        is_model_input=False,
    )


FEATURES = [
    Feature(
        name="funding_rate_7d",
        family="derivatives",
        unit="fraction per 8 hours",
        formula="mean(funding rate per 8 hours, mean over venues, 7 days); longs pay when positive",
        look_back_days=6,
        sources=DERIVATIVES,
        expr=mean_of_days("funding_rate_8h", 7, least=4),
        is_model_input=False,
    ),
    funding_zscore(7, 90),
    Feature(
        name="open_interest_to_market_cap",
        family="derivatives",
        unit="fraction",
        formula="open interest of all venues in USD / market_cap_usd; of some archives one contract of several, so a lower bound",
        look_back_days=0,
        sources=("fct_derivatives_daily", "fct_daily"),
        expr=INTEREST / pl.col("market_cap_usd"),
        is_model_input=False,
    ),
    interest_growth(7),
    interest_growth(30),
    Feature(
        name="funding_positive_share_30d",
        family="derivatives",
        unit="0-1",
        formula="share of the known days of 30 on which longs paid",
        look_back_days=29,
        sources=DERIVATIVES,
        expr=(pl.col("funding_rate_8h") > 0).cast(pl.Float64).rolling_mean(30, min_samples=15),
        null_policy="null below 15 days with a funding rate",
        is_model_input=False,
    ),
    Feature(
        name="open_interest_to_volume_7d",
        family="derivatives",
        unit="days of spot volume",
        formula="open interest of all venues in USD / mean(volume_24h_usd, 7 days)",
        look_back_days=6,
        sources=("fct_derivatives_daily", "fct_daily"),
        expr=INTEREST / mean_of_days("volume_24h_usd", 7, least=4),
        is_model_input=False,
    ),
]
