"""Price without liquidity: a cap that hardly anybody could ever sell at.

Belongs here: volume, order books and pools against the cap, and how many exchanges list the token.
Does not: caps that are not believed at all (`fake_cap.py`), pools that are traps (`pools.py`).
"""

from __future__ import annotations

import polars as pl
from pydantic import Field

from models_ml.screens.scam_filter.warning import NEVER_EXCLUDES, Thresholds, TokenWarning, number, percent, usd


class ThinLiquidityThresholds(Thresholds):
    """Fractions of the cap, and dollars where said."""

    min_volume_to_cap: float = Field(default=0.0002, ge=0)
    """Median daily volume of a month over the cap, that of the broad universe."""
    min_depth_to_cap: float = Field(default=0.00002, ge=0)
    min_depth_usd: float = Field(default=2_000.0, ge=0)
    """A book is thin where it is under both: the share speaks for large tokens, the amount for whether one can trade at all."""
    min_pool_to_cap: float = Field(default=0.001, ge=0)
    min_venues: int = Field(default=2, ge=1)


def thin_liquidity_warnings(limits: ThinLiquidityThresholds) -> tuple[TokenWarning, ...]:
    """The four warnings of this subject."""
    volume_to_cap = pl.col("volume_30d_usd") / pl.col("claimed_cap_usd")
    depth_to_cap = pl.col("depth_2pct_usd") / pl.col("claimed_cap_usd")
    pool_to_cap = pl.col("pool_liquidity_usd") / pl.col("claimed_cap_usd")
    is_on_no_exchange = (pl.col("venues") == 0).fill_null(value=False)
    return (
        TokenWarning(
            name="thin_volume",
            inputs=("volume_30d_usd", "claimed_cap_usd"),
            value=volume_to_cap,
            threshold=pl.lit(limits.min_volume_to_cap),
            is_raised=volume_to_cap < limits.min_volume_to_cap,
            reason=pl.format(
                "a cap of {} on a usual volume of {} a day ({} of it): the price is not one at which many could sell",
                usd(pl.col("claimed_cap_usd")),
                usd(pl.col("volume_30d_usd")),
                percent(volume_to_cap),
            ),
            meaning="Median daily volume of 30 days over the cap, both as claimed.",
            unit="fraction of the cap a day",
        ),
        TokenWarning(
            name="thin_book",
            inputs=("depth_2pct_usd", "claimed_cap_usd"),
            value=depth_to_cap,
            threshold=pl.lit(limits.min_depth_to_cap),
            is_raised=(depth_to_cap < limits.min_depth_to_cap) & (pl.col("depth_2pct_usd") < limits.min_depth_usd),
            reason=pl.format(
                "all order books we read hold {} within 2 % of the price, {} of a cap of {}",
                usd(pl.col("depth_2pct_usd")),
                percent(depth_to_cap),
                usd(pl.col("claimed_cap_usd")),
            ),
            meaning="Bids and asks within 2 % of the mid over all books read, over the cap; only where they are small in dollars, too.",
            unit="fraction of the cap",
        ),
        TokenWarning(
            name="thin_pool",
            inputs=("pool_liquidity_usd", "claimed_cap_usd", "venues"),
            value=pool_to_cap,
            threshold=pl.lit(limits.min_pool_to_cap),
            is_raised=(pool_to_cap < limits.min_pool_to_cap) & is_on_no_exchange,
            reason=pl.format(
                "no exchange we follow lists it, and its pools hold {}, {} of a cap of {}: holders cannot all leave at this price",
                usd(pl.col("pool_liquidity_usd")),
                percent(pool_to_cap),
                usd(pl.col("claimed_cap_usd")),
            ),
            meaning="Money in the token's pools over its cap, where it trades on no exchange that is followed.",
            unit="fraction of the cap",
        ),
        TokenWarning(
            name="single_exchange",
            inputs=("venues", "exchanges_followed"),
            value=pl.col("venues").cast(pl.Float64),
            threshold=pl.lit(float(limits.min_venues)),
            is_raised=pl.col("venues") < limits.min_venues,
            reason=pl.format(
                "{} of the {} exchanges we follow quote it: its price hangs on {}",
                number(pl.col("venues")),
                pl.col("exchanges_followed"),
                pl.when(pl.col("venues") == 0)
                .then(pl.lit("places that nobody here has checked"))
                .otherwise(pl.lit("a single one")),
            ),
            meaning="Exchanges read directly that quote the token against dollars; not asked where fewer than three are followed.",
            unit="exchanges",
            is_excluding=NEVER_EXCLUDES,
        ),
    )
