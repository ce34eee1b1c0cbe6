"""Pools that are traps: bought and never sold, or drained.

Belongs here: warnings from trades and money in pools. Does not: pools that are merely small (`thin_liquidity.py`).
"""

from __future__ import annotations

import polars as pl
from pydantic import Field

from models_ml.screens.scam_filter.warning import Thresholds, TokenWarning, number, usd


class PoolThresholds(Thresholds):
    """Counts of trades, dollars and days."""

    min_buys: int = Field(default=8, ge=1)
    """With fewer buys nobody may have wanted to sell yet. Where a third of trades sell, eight buys without a sale are a chance of 2 %."""
    max_sell_share: float = Field(default=0.02, ge=0, lt=1)
    min_liquidity_usd: float = Field(default=1_000.0, ge=0)


def pool_warnings(limits: PoolThresholds) -> tuple[TokenWarning, ...]:
    """The three warnings of this subject."""
    sell_share = pl.col("pool_sells_24h") / (pl.col("pool_buys_24h") + pl.col("pool_sells_24h"))
    return (
        TokenWarning(
            name="honeypot_reported",
            inputs=("is_honeypot_reported",),
            value=pl.col("is_honeypot_reported").cast(pl.Float64),
            threshold=pl.lit(1.0),
            is_raised=pl.col("is_honeypot_reported"),
            reason=pl.lit("its contract is reported to let people buy and not sell"),
            meaning="The provider's verdict on the contract; unknown on some chains.",
            unit="1 for yes",
        ),
        TokenWarning(
            name="never_sold",
            inputs=("pool_buys_24h", "pool_sells_24h"),
            value=sell_share,
            threshold=pl.lit(limits.max_sell_share),
            is_raised=(pl.col("pool_buys_24h") >= limits.min_buys) & (sell_share <= limits.max_sell_share),
            reason=pl.format(
                "{} trades of a day bought it from its pools and {} sold it: looks like a honeypot",
                number(pl.col("pool_buys_24h")),
                number(pl.col("pool_sells_24h")),
            ),
            meaning="Sales among the trades of a day in all its pools, from eight buys on.",
            unit="fraction of trades",
        ),
        TokenWarning(
            name="drained_pool",
            inputs=("pool_liquidity_usd",),
            value=pl.col("pool_liquidity_usd"),
            threshold=pl.lit(limits.min_liquidity_usd),
            is_raised=(pl.col("pool_liquidity_usd") < limits.min_liquidity_usd)
            & ~(pl.col("venues") > 0).fill_null(value=False),
            reason=pl.format("its pools hold {}: there is nothing to sell into", usd(pl.col("pool_liquidity_usd"))),
            meaning="Money in all its pools, where no exchange that is followed trades it.",
            unit="USD",
        ),
    )
