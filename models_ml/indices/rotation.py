"""Rotation: how much of an index is in stablecoins, and in which.

Belongs here: the rule on Bitcoin's moving averages, the minimum hold, the choice of stablecoin.
Does not: reading prices of Bitcoin (`market.py` takes them ready-made), the weights of constituents (`weighting.py`).
"""

import datetime as dt
from dataclasses import dataclass

import polars as pl

from models_ml.indices.definition import IndexDefinition, Rotation
from models_ml.indices.market import MarketState, PriceLookup
from models_ml.indices.reasons import percent, usd
from models_ml.indices.state import SAME_SHARE, Stance


@dataclass(frozen=True)
class Refuge:
    """Share of the index to hold in one stablecoin, and why. `note` tells where a wanted rotation was not possible."""

    share: float = 0.0
    token_id: str | None = None
    symbol: str | None = None
    because: str = ""
    note: str | None = None


def wanted_share(rotation: Rotation, market: MarketState) -> tuple[float, str]:
    """Sum of the steps whose average Bitcoin closed below, and the sentence that says so.

    An average that is not known, or an unknown price, moves nothing.
    """
    averages = {100: market.btc_sma_100_usd, 200: market.btc_sma_200_usd}
    share, clauses = 0.0, []
    for step in rotation.steps:
        average = averages[step.below_btc_average_days]
        if average is not None and market.btc_price_usd is not None and market.btc_price_usd < average:
            share += step.share
            clauses.append(f"its {step.below_btc_average_days}-day average {usd(average)}")
    if market.btc_price_usd is None or not clauses:
        return 0.0, "BTC is below none of its averages"
    return min(share, 1.0), f"BTC {usd(market.btc_price_usd)} is below {' and '.join(clauses)}"


def refuge(
    definition: IndexDefinition,
    snapshot: pl.DataFrame,
    *,
    market: MarketState,
    stance: Stance,
    effective_at: dt.datetime,
    close_date: dt.date,
    prices: PriceLookup,
) -> Refuge:
    """What the rotation asks for at a rebalance; nothing for an index without rotation."""
    if definition.rotation is None:
        return Refuge()
    share, because = wanted_share(definition.rotation, market)
    hold = dt.timedelta(days=definition.rotation.min_hold_days)
    if stance.since is not None and abs(share - stance.share) > SAME_SHARE and effective_at < stance.since + hold:
        share = stance.share
        because = f"kept until {(stance.since + hold).date()} (minimum hold {hold.days} days), though {because}"
    if share == 0:
        return Refuge(note=f"no rotation: {because}" if because.startswith("kept") else None)
    stable = largest_stable(definition, definition.rotation, snapshot, close_date=close_date, prices=prices)
    if stable is None:
        tolerance = percent(definition.rotation.peg_tolerance)
        return Refuge(note=f"no rotation: no eligible stablecoin within {tolerance} of 1 USD on {close_date}")
    return Refuge(share=share, token_id=stable[0], symbol=stable[1], because=because)


def largest_stable(
    definition: IndexDefinition, rotation: Rotation, snapshot: pl.DataFrame, *, close_date: dt.date, prices: PriceLookup
) -> tuple[str, str] | None:
    """Token_id and symbol of the largest stablecoin that keeps its peg and trades enough, None if there is none."""
    limits = definition.eligibility
    pegged = snapshot.filter(
        pl.col("is_stable"),
        ~pl.col("is_wrapped"),
        (pl.col("price_usd") - 1).abs() <= rotation.peg_tolerance,
        pl.col("market_cap_usd") > 0,
        pl.col("volume_30d_median_usd").fill_null(0) >= limits.min_volume_30d_usd,
        pl.col("volume_30d_median_usd").fill_null(0) >= limits.min_volume_to_cap * pl.col("market_cap_usd"),
    ).sort("market_cap_usd", "token_id", descending=[True, False])
    for token_id, symbol in pegged.select("token_id", "symbol").iter_rows():
        if prices.is_priced(token_id, close_date):
            return str(token_id), str(symbol)
    return None
