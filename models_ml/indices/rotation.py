"""Rotation: how much of an index is in stablecoins, and in which.

Only stablecoins that an issuer backs with dollars are held, never algorithmic ones: a peg that only a rule keeps fails when it is needed.

Belongs here: the permanent share, the rule on Bitcoin's moving averages, the minimum hold, what empty places park, the choice of
stablecoins.
Does not: reading prices of Bitcoin (`market.py` takes them ready-made), the weights of constituents (`weighting.py`).
"""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import polars as pl

from models_ml.indices.definition import IndexDefinition
from models_ml.indices.market import MarketState, PriceLookup
from models_ml.indices.reasons import percent, usd
from models_ml.indices.sections import Rotation
from models_ml.indices.state import SAME_SHARE, Stance


@dataclass(frozen=True)
class Stable:
    """One stablecoin of the basket and its share of it, 0-1."""

    token_id: str
    symbol: str
    share: float


@dataclass(frozen=True)
class Refuge:
    """Share of the index to hold in stablecoins, which, and why.

    `rotated` is the part of the share that Bitcoin's averages ask for, the rest is that of empty places. `note` tells where a wanted
    rotation was not possible, `failure` where empty places could not be parked: then no targets can be set.
    """

    share: float = 0.0
    rotated: float = 0.0
    stables: tuple[Stable, ...] = ()
    because: str = ""
    note: str | None = None
    failure: str | None = None


def wanted_share(rotation: Rotation, market: MarketState) -> tuple[float, str]:
    """The floor and, of what it leaves, the sum of the steps whose average Bitcoin closed below; and the sentence that says so.

    An average that is not known, or an unknown price, moves nothing.
    """
    averages = {100: market.btc_sma_100_usd, 200: market.btc_sma_200_usd}
    share, clauses = 0.0, []
    for step in rotation.steps:
        average = averages[step.below_btc_average_days]
        if average is not None and market.btc_price_usd is not None and market.btc_price_usd < average:
            share += step.share
            clauses.append(f"its {step.below_btc_average_days}-day average {usd(average)}")
    floor = rotation.floor_share
    always = f"{percent(floor)} always" if floor else None
    if market.btc_price_usd is None or not clauses:
        return floor, always or "BTC is below none of its averages"
    below = f"BTC {usd(market.btc_price_usd)} is below {' and '.join(clauses)}"
    return floor + (1 - floor) * min(share, 1.0), f"{always}, and {below}" if always else below


def refuge(
    definition: IndexDefinition,
    snapshot: pl.DataFrame,
    *,
    market: MarketState,
    stance: Stance,
    effective_at: dt.datetime,
    close_date: dt.date,
    prices: PriceLookup,
    forced_by: str | None = None,
    filled: float = 1.0,
    empty_because: str = "",
) -> Refuge:
    """What the rotation and empty places ask for at a rebalance; nothing for an index without either.

    Args:
        definition: The index.
        snapshot: Candidates.
        market: Bitcoin at the close of `close_date`.
        stance: What is held in stablecoins, and since when.
        effective_at: When the targets take effect.
        close_date: The close the rotation rests on, at which stablecoins must be at their peg.
        prices: Closes.
        forced_by: Why all is to be parked whatever Bitcoin does; the minimum hold does not stand against it.
        filled: Fraction of the places that constituents fill, 0-1. What a rotation leaves invested is parked for the others.
        empty_because: Why the others are empty.
    """
    parking = definition.parking
    if parking is None:
        return Refuge()
    share, because = (1.0, forced_by) if forced_by is not None else wanted_share(parking, market)
    until = _held_until(parking, stance)
    if forced_by is None and until is not None and abs(share - stance.share) > SAME_SHARE and effective_at < until:
        share = stance.share
        because = f"kept until {until.date()} (minimum hold {parking.min_hold_days} days), though {because}"
    if share == 0 and filled == 1:
        return Refuge(note=f"no rotation: {because}" if because.startswith("kept") else None)
    stables = parking_basket(definition, snapshot, close_date=close_date, prices=prices)
    if not stables:
        lack = f"no eligible stablecoin within {percent(parking.peg_tolerance)} of 1 USD on {close_date}"
        return Refuge(failure=f"{empty_because}; {lack}") if filled < 1 else Refuge(note=f"no rotation: {lack}")
    clauses = [because if share > 0 else "", empty_because if filled < 1 and share < 1 else ""]
    return Refuge(
        share=1 - (1 - share) * filled, rotated=share, stables=stables, because="; ".join(filter(None, clauses))
    )


def is_held_on(rotation: Rotation, stance: Stance, effective_at: dt.datetime) -> bool:
    """Whether the minimum hold forbids to change the share in stables at an instant."""
    until = _held_until(rotation, stance)
    return until is not None and effective_at < until


def _held_until(rotation: Rotation, stance: Stance) -> dt.datetime | None:
    return stance.since + dt.timedelta(days=rotation.min_hold_days) if stance.since is not None else None


def parking_basket(
    definition: IndexDefinition,
    snapshot: pl.DataFrame,
    *,
    close_date: dt.date,
    prices: PriceLookup,
    avoid: Collection[str] = (),
) -> tuple[Stable, ...]:
    """The largest fiat-backed stablecoins that keep their peg and trade enough, by market cap; empty if there is none.

    Args:
        definition: An index that parks weight in stablecoins.
        snapshot: Candidates, of `close_date` or of an earlier day, the largest first (`MarketData.snapshot`).
        close_date: The close at which they must be at their peg.
        prices: Closes.
        avoid: token_ids that are not to be held.
    """
    parking, limits = definition.parking, definition.eligibility
    if parking is None:
        return ()
    token_ids = snapshot["token_id"].to_list()
    cap = np.asarray(snapshot["market_cap_usd"].to_numpy(), dtype=np.float64)
    volume = np.nan_to_num(np.asarray(snapshot["volume_30d_median_usd"].to_numpy(), dtype=np.float64))
    is_large = np.asarray(snapshot["is_fiat_backed"].to_numpy(), dtype=bool) & (cap > 0)
    is_large &= (volume >= limits.min_volume_30d_usd) & (volume >= limits.min_volume_to_cap * cap)
    large = [position for position in np.flatnonzero(is_large).tolist() if token_ids[position] not in avoid]
    close = prices.block([token_ids[position] for position in large], close_date, close_date)
    values, is_priced = close.prices_usd[0], close.is_priced()[0]
    is_pegged = is_priced & (abs(values - 1) <= parking.peg_tolerance) & (values >= parking.leave_below_usd)
    kept = [position for position, pegged in zip(large, is_pegged, strict=True) if pegged][: parking.stables]
    total, symbols = cap[kept].sum(), snapshot["symbol"].to_list()
    return tuple(Stable(token_ids[position], symbols[position], float(cap[position] / total)) for position in kept)
