"""Labels: what happened after a week's close, as returns, ranks and barrier outcomes.

Belongs here: forward quantities. Nothing here may enter a feature frame: `FORWARD_PREFIX` marks every column.
Does not: features, training.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from models_ml.learning.calendar import HORIZON_DAYS, LAG_DAYS

FORWARD_PREFIX = "forward_"

DAYS_A_YEAR = 365


def forward_returns(weeks: pl.DataFrame, prices: pl.DataFrame) -> pl.DataFrame:
    """Returns after the close before each week's Monday.

    Args:
        weeks: One row a week and token: as_of_week, token_id, volatility_30d (annual), beta_btc_90d.
        prices: One row a token and day: token_id, market_date, price_usd.

    Returns:
        `weeks`' keys with forward_return_7d, forward_return_14d, forward_return_14d_lag1 (bought one day late),
        forward_residual_14d (less beta times bitcoin's), all fractions, null where a price is missing; and forward_barrier:
        1, -1 or 0 for the first of +-sigma * sqrt(14) that a close passes within 14 days, null where the window is incomplete.
    """
    keyed = weeks.select("as_of_week", "token_id", "volatility_30d", "beta_btc_90d").with_columns(
        close_date=pl.col("as_of_week") - timedelta(days=1)
    )
    closes = prices.select("token_id", "market_date", "price_usd")
    path = keyed
    last_day = HORIZON_DAYS + LAG_DAYS
    for days in range(last_day + 1):
        path = (
            path.with_columns(market_date=pl.col("close_date") + timedelta(days=days))
            .join(closes, on=["token_id", "market_date"], how="left")
            .rename({"price_usd": f"close_{days}"})
            .drop("market_date")
        )

    def gain(start: int, end: int) -> pl.Expr:
        return pl.col(f"close_{end}") / pl.col(f"close_{start}") - 1

    bitcoin = path.filter(pl.col("token_id") == "bitcoin").select("as_of_week", bitcoin_return=gain(0, HORIZON_DAYS))
    barrier = pl.col("volatility_30d").cast(pl.Float64) / DAYS_A_YEAR**0.5 * HORIZON_DAYS**0.5
    outcome = pl.lit(0, dtype=pl.Int8)
    for days in range(HORIZON_DAYS, 0, -1):  # from the last day to the first, so that the first passage wins
        move = (pl.col(f"close_{days}") / pl.col("close_0")).log()
        outcome = pl.when(move > barrier).then(1).when(move < -barrier).then(-1).otherwise(outcome).cast(pl.Int8)
    return (
        path.join(bitcoin, on="as_of_week", how="left")
        .with_columns(
            forward_return_7d=gain(0, 7),
            forward_return_14d=gain(0, HORIZON_DAYS),
            forward_return_14d_lag1=gain(LAG_DAYS, last_day),
            forward_barrier=pl.when(gain(0, HORIZON_DAYS).is_not_null() & barrier.is_not_null()).then(outcome),
        )
        .with_columns(
            forward_residual_14d=pl.col("forward_return_14d")
            - pl.col("beta_btc_90d").cast(pl.Float64).clip(0, 2).fill_null(1.0) * pl.col("bitcoin_return")
        )
        .select(
            "as_of_week",
            "token_id",
            "forward_return_7d",
            "forward_return_14d",
            "forward_return_14d_lag1",
            "forward_residual_14d",
            "forward_barrier",
        )
        .sort("as_of_week", "token_id")
    )


def centred_rank(column: str) -> pl.Expr:
    """Rank of a column among the non-null rows of its week, from -0.5 to 0.5."""
    return ((pl.col(column).rank("average") - 0.5) / pl.col(column).count()).over("as_of_week") - 0.5
