"""What is measured of a token's risk besides the catalogue: the quantities of a year, expected shortfall, the average daily move.

Belongs here: what `marts.fct_risk_daily` has that `marts.feat_token_daily` has not. Quantities of 90 days that are features already
are read from there.
Does not: formulas shared with the catalogue (`risk.py`, `volatility.py`), the risk score (`fct_risk_daily.sql`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

import numpy as np
import polars as pl

from models_ml.features.compute import KEY, LARGEST_LOG_RETURN, feature_batches
from models_ml.features.expected_shortfall import expected_shortfall
from models_ml.features.feature import Feature, enough
from models_ml.features.risk import (
    beta_to_bitcoin,
    deepest_drawdown,
    kurtosis,
    sharpe_ratio,
    skewness,
    sortino_ratio,
    tail_ratio,
    value_at_risk,
)
from models_ml.features.volatility import realised_volatility

YEAR: Final = 365
SHORTFALL_DAYS: Final = (90, YEAR)


def average_move(window_days: int) -> Feature:
    """Mean absolute daily log return: the average true range of a token of which only closes are known."""
    return Feature(
        name=f"average_move_{window_days}d",
        family="risk",
        unit="log return",
        formula=f"mean(|ln(price[t] / price[t-1])|, {window_days} days)",
        look_back_days=window_days + 1,
        # The running sum that polars keeps leaves residues like -1e-17 where a price has stopped moving.
        expr=pl.col("log_return")
        .abs()
        .rolling_mean(window_days, min_samples=enough(window_days))
        .clip(lower_bound=0.0),
        source="Wilder (1978), New Concepts in Technical Trading Systems, with the true range taken between closes",
        is_model_input=False,
    )


RISK_PROFILE: Final[tuple[Feature, ...]] = (
    average_move(14),
    realised_volatility(YEAR),
    sharpe_ratio(YEAR),
    sortino_ratio(YEAR),
    deepest_drawdown(YEAR),
    value_at_risk(YEAR),
    skewness(YEAR),
    kurtosis(YEAR),
    tail_ratio(YEAR),
    beta_to_bitcoin(YEAR),
)

LOOK_BACK_DAYS: Final[int] = max(feature.span_days for feature in RISK_PROFILE)
"""Days before a row that it may depend on."""


def risk_profile(
    daily: pl.DataFrame, *, since: date | None = None, dtype: type[pl.Float32 | pl.Float64] = pl.Float32
) -> pl.DataFrame:
    """The risk quantities of every token and day that has a price.

    Args:
        daily: One row a token and day, as `token_features` takes it.
        since: First day to return; the frame begins as many days before it as `LOOK_BACK_DAYS`, and one. None returns all.
        dtype: Of the quantities.

    Returns:
        One row a token and day of `daily`, by token and day: token_id, market_date, the quantities of `RISK_PROFILE` and
        `expected_shortfall_<days>d` (log return, negative for a loss), null where fewer than half of the window's returns are known.
    """
    return pl.concat(list(risk_profile_batches(daily, since=since, dtype=dtype)))


def risk_profile_batches(
    daily: pl.DataFrame, *, since: date | None = None, dtype: type[pl.Float32 | pl.Float64] = pl.Float32
) -> Iterator[pl.DataFrame]:
    """The rows of `risk_profile`, some tokens at a time, so that memory does not grow with their number.

    Yields:
        At least one frame; all of them have the same columns, and their tokens follow one another.
    """
    prices = daily.select(*KEY, "price_usd")
    names = [_name(days) for days in SHORTFALL_DAYS]
    for batch in feature_batches(daily, None, RISK_PROFILE, since=since, dtype=dtype):
        # Batches hold whole tokens in their order, so the first and last one say which.
        first, last = (pl.lit(edge, pl.String) for edge in (batch["token_id"].min(), batch["token_id"].max()))
        own = prices.filter(pl.col("token_id").is_between(first, last))
        tails = shortfalls(own, since=since).with_columns(pl.col(names).cast(dtype))
        yield batch.drop("known_inputs", "known_features").join(tails, on=KEY, how="left", maintain_order="left")


def shortfalls(daily: pl.DataFrame, *, since: date | None = None) -> pl.DataFrame:
    """Expected shortfall of every token and day that has a price.

    Args:
        daily: One row a token and day: token_id, market_date, price_usd > 0.
        since: First day to return; None returns all.

    Returns:
        One row a token and day, by token and day: token_id, market_date, `expected_shortfall_<days>d` for `SHORTFALL_DAYS`.
    """
    reach = daily.select(*KEY, "price_usd")
    if since is not None:
        reach = reach.filter(pl.col("market_date") >= since - timedelta(days=max(SHORTFALL_DAYS) + 1))
    parts = list(_token_shortfalls(reach.sort(KEY), since))
    if parts:
        return pl.concat(parts)
    return reach.select(*KEY, *(pl.lit(0.0).alias(_name(days)) for days in SHORTFALL_DAYS)).clear()


def _name(days: int) -> str:
    return f"expected_shortfall_{days}d"


def _token_shortfalls(ordered: pl.DataFrame, since: date | None) -> Iterator[pl.DataFrame]:
    """Rows of one token after the other."""
    for rows in ordered.partition_by("token_id", maintain_order=True):
        day = rows["market_date"].to_physical().to_numpy().astype(np.int64)
        place = day - day[0]
        log_price = np.full(place[-1] + 1, np.nan)
        log_price[place] = np.log(rows["price_usd"].to_numpy())
        # A return needs the price of the day before; a gap is no return.
        returns = np.clip(np.diff(log_price, prepend=np.nan), -LARGEST_LOG_RETURN, LARGEST_LOG_RETURN)
        first = 0 if since is None else max(0, (since - rows["market_date"][0]).days)
        values = {
            _name(days): expected_shortfall(returns, window_days=days, min_samples=enough(days), first=first)[place]
            for days in SHORTFALL_DAYS
        }
        found = rows.select(KEY).with_columns(
            pl.Series(name, column, nan_to_null=True) for name, column in values.items()
        )
        yield found if since is None else found.filter(pl.col("market_date") >= since)
