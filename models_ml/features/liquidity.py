"""Liquidity features: how much money trades in a token, how steadily, and what it costs the price.

Belongs here: volume, turnover, price impact; spread, depth and venues from the order books of exchanges.
Does not: perpetuals (`derivatives.py`).
"""

from __future__ import annotations

import polars as pl

from models_ml.features.carried import mean_of_days
from models_ml.features.feature import Feature, enough

VOLUME = pl.col("volume_24h_usd")
LOG_VOLUME = pl.col("log_volume")
CAP = pl.col("market_cap_usd")
LOG_RETURN = pl.col("log_return")
LIQUIDITY = ("fct_liquidity_daily",)


def median_volume(window_days: int) -> Feature:
    """Median daily volume in USD: the size a token can bear, robust against a pump's one big day."""
    return Feature(
        name=f"volume_{window_days}d_median_usd",
        family="liquidity",
        unit="USD a day",
        formula=f"median(volume_24h_usd, {window_days} days)",
        look_back_days=window_days,
        expr=VOLUME.rolling_median(window_days, min_samples=10),
    )


def turnover(window_days: int) -> Feature:
    """Mean daily volume as a fraction of the market cap."""
    return Feature(
        name=f"turnover_{window_days}d",
        family="liquidity",
        unit="fraction a day",
        formula=f"mean(volume_24h_usd / market_cap_usd, {window_days} days)",
        look_back_days=window_days,
        expr=(VOLUME / CAP).rolling_mean(window_days, min_samples=max(3, window_days // 3)),
    )


def volume_surge(short_days: int, long_days: int) -> Feature:
    """Recent volume against that of a longer window, as a ratio of geometric means."""
    short = LOG_VOLUME.rolling_mean(short_days, min_samples=max(1, short_days // 2))
    long = LOG_VOLUME.rolling_mean(long_days, min_samples=max(10, long_days // 3))
    return Feature(
        name=f"volume_surge_{short_days}d_{long_days}d",
        family="liquidity",
        unit="ratio",
        formula=f"geometric mean(volume, {short_days} days) / geometric mean(volume, {long_days} days)",
        look_back_days=long_days,
        expr=(short - long).exp(),
    )


def volume_trend() -> Feature:
    """Volume of the last 30 days against the 60 days before them."""
    recent = LOG_VOLUME.rolling_mean(30, min_samples=10)
    before = LOG_VOLUME.shift(30).rolling_mean(60, min_samples=20)
    return Feature(
        name="volume_trend_30d_90d",
        family="liquidity",
        unit="log ratio",
        formula="mean(ln volume, last 30 days) - mean(ln volume, the 60 days before)",
        look_back_days=90,
        expr=recent - before,
    )


def volume_volatility(window_days: int) -> Feature:
    """Standard deviation of the daily change of log volume."""
    return Feature(
        name=f"volume_volatility_{window_days}d",
        family="liquidity",
        unit="log ratio a day",
        formula=f"std(ln volume[t] - ln volume[t-1], {window_days} days)",
        look_back_days=window_days + 1,
        expr=LOG_VOLUME.diff().rolling_std(window_days, min_samples=10),
    )


def illiquidity(window_days: int) -> Feature:
    """Log of the mean price move a dollar of volume makes; null for a price that stood still, which shows no impact at all."""
    impact = LOG_RETURN.abs() / VOLUME
    has_moved = impact.rolling_max(window_days, min_samples=10) > 0
    return Feature(
        name=f"amihud_illiquidity_{window_days}d",
        family="liquidity",
        unit="ln(1 / USD)",
        formula=f"ln(mean(|log return| / volume_24h_usd, {window_days} days))",
        look_back_days=window_days + 1,
        expr=pl.when(has_moved).then(impact.rolling_mean(window_days, min_samples=10).clip(lower_bound=1e-30).log()),
        source="Amihud (2002), Illiquidity and Stock Returns, J. Financial Markets 5(1)",
    )


def volume_return_correlation(window_days: int) -> Feature:
    """Whether volume grows on rising days or on falling ones."""
    samples = enough(window_days)
    change = LOG_VOLUME.diff()
    price = pl.when(change.is_not_null()).then(LOG_RETURN)
    volume = pl.when(LOG_RETURN.is_not_null()).then(change)
    means = [each.rolling_mean(window_days, min_samples=samples) for each in (price, volume)]
    covariance = (price * volume).rolling_mean(window_days, min_samples=samples) - means[0] * means[1]
    variances = [
        (each**2).rolling_mean(window_days, min_samples=samples) - mean**2
        for each, mean in zip((price, volume), means, strict=True)
    ]
    is_moving = (variances[0] > 1e-10) & (variances[1] > 1e-10)
    return Feature(
        name=f"volume_return_correlation_{window_days}d",
        family="liquidity",
        unit="-1 to 1",
        formula=f"corr(log return, change of ln(volume)), {window_days} days",
        look_back_days=window_days + 1,
        expr=pl.when(is_moving).then((covariance / (variances[0] * variances[1]).sqrt()).clip(-1, 1)),
        source="Karpoff (1987), The Relation between Price Changes and Trading Volume, J. Financial and Quantitative Analysis 22(1)",
        is_model_input=False,
    )


def price_to_volume_weighted(window_days: int) -> Feature:
    """Distance of the price from what the window's volume paid on average: whether its buyers are ahead."""
    samples = enough(window_days)
    traded = pl.when(VOLUME > 0).then(VOLUME)
    paid = traded.rolling_sum(window_days, min_samples=samples)
    bought = (traded / pl.col("price_usd")).rolling_sum(window_days, min_samples=samples)
    return Feature(
        name=f"price_to_vwap_{window_days}d",
        family="liquidity",
        unit="fraction",
        formula=f"price[t] * sum(volume_24h_usd / price, {window_days} days) / sum(volume_24h_usd, {window_days} days) - 1",
        look_back_days=window_days,
        expr=pl.col("price_usd") * bought / paid - 1,
        source="Berkowitz, Logue, Noser (1988), The Total Cost of Transactions on the NYSE, J. Finance 43(1)",
        is_model_input=False,
    )


FEATURES = [
    median_volume(30),
    turnover(7),
    turnover(30),
    volume_surge(1, 30),
    volume_surge(7, 30),
    volume_trend(),
    volume_volatility(30),
    illiquidity(30),
    volume_return_correlation(30),
    price_to_volume_weighted(30),
    Feature(
        name="bid_ask_spread_7d",
        family="liquidity",
        unit="fraction of the mid",
        formula="mean(spread of the deepest order book, 7 days); where no book was read, of the most traded ticker",
        look_back_days=6,
        sources=LIQUIDITY,
        expr=mean_of_days("bid_ask_spread", 7, least=1),
        is_model_input=False,
    ),
    Feature(
        name="depth_2pct_to_market_cap",
        family="liquidity",
        unit="fraction",
        formula="mean(bids and asks within 2 % of the mid over all venues read, 7 days) / market_cap_usd",
        look_back_days=6,
        sources=("fct_liquidity_daily", "fct_daily"),
        expr=mean_of_days("depth_2pct_usd", 7, least=1) / CAP,
        is_model_input=False,
    ),
    Feature(
        name="venues_listing",
        family="liquidity",
        unit="exchanges",
        formula="max(exchanges that quoted the token against dollars, 7 days): one that is down for some days still lists it",
        look_back_days=6,
        sources=LIQUIDITY,
        expr=pl.col("venues_listing").rolling_max(7, min_samples=1),
        is_model_input=False,
    ),
]
