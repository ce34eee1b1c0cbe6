"""What all variants of a search read: rankings, weight columns, stablecoins and closes, for the tokens that any of them could hold.

Belongs here: gathering the tables once, small enough to hand to several processes.
Does not: reading the market into arrays (`snapshots.py`), the walk (`walk.py`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models_ml.indices.market import MarketData
from models_ml.indices.rotation import wanted_share
from models_ml.optimiser.ranks import NO_TOKEN, best_tokens, refuges
from models_ml.optimiser.rules import CompiledVariants, ParkingKey
from models_ml.optimiser.snapshots import Booleans, Floats, Snapshots, read_closes
from models_ml.optimiser.weights import volatilities, weight_columns

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Parking:
    """The stablecoins of one rotation.

    Attributes:
        tokens: Stablecoins that may be held, the largest first, at each decision; the number of tokens where there are fewer.
        caps_usd: Their market caps.
        most: How many are held.
        peg_tolerance: Largest distance from 1 USD at which one is bought.
        leave_below_usd: Close below which one is not bought.
    """

    tokens: Positions
    caps_usd: Floats
    most: int
    peg_tolerance: float
    leave_below_usd: float


@dataclass(frozen=True)
class Tables:
    """What a walk reads. A token is its position in `token_ids`; the position after the last stands for no token.

    Attributes:
        mondays: as_of of each decision.
        token_ids: Tokens that any variant may hold.
        ranked: Best tokens by ranking key and decision, best first.
        left_out_by_call: How many tokens only their call keeps out, by ranking key and decision.
        counts: What tokens count by method, decision and token; the last column, of no token, is 0.
        is_rank: Whether a method counts by rank among the constituents, which only the walk knows.
        volumes_usd: Median volume by decision and token, NaN where it is not known; 0 in the last column.
        volatilities: Deviation of daily returns by number of days, decision and token; NaN where it is not measured.
        prices_usd: One row a token (the last is of none, 1 throughout) and one column a day from the first decision's close.
        is_priced: Whether a close is at most three days old, in the same shape.
        parkings: By parking key.
        wanted: Share in stablecoins that Bitcoin's averages ask for, by parking key and close from the first decision's.
    """

    mondays: tuple[dt.date, ...]
    token_ids: tuple[str, ...]
    ranked: Positions
    left_out_by_call: Positions
    counts: Floats
    is_rank: tuple[bool, ...]
    volumes_usd: Floats
    volatilities: Floats
    prices_usd: Floats
    is_priced: Booleans
    parkings: tuple[Parking, ...]
    wanted: Floats

    @property
    def none(self) -> int:
        """The position that stands for no token."""
        return len(self.token_ids)

    @property
    def days(self) -> tuple[dt.date, ...]:
        """Day of each column of `prices_usd`."""
        first = self.mondays[0] - dt.timedelta(days=1)
        return tuple(first + dt.timedelta(days=offset) for offset in range(self.prices_usd.shape[1]))


def gather_tables(market: MarketData, snapshots: Snapshots, compiled: CompiledVariants) -> Tables:
    """Rank, weigh and price once for all variants.

    Args:
        market: The market.
        snapshots: Its snapshots at the decisions.
        compiled: The variants.
    """
    rules = compiled.rules
    depth = int(np.maximum(rules.exit_rank, rules.count).max())
    best = [best_tokens(snapshots, key, depth=depth) for key in compiled.rank_keys]
    ranked = np.stack([each.tokens for each in best])
    parked = [refuges(snapshots, key.limits) for key in compiled.parking_keys]
    used = np.unique(np.concatenate([ranked.ravel(), *(each.tokens.ravel() for each in parked)]))
    used = used[used != NO_TOKEN]
    position = np.full(len(snapshots.token_ids) + 1, len(used), dtype=np.int64)  # the last is NO_TOKEN's
    position[used] = np.arange(len(used))
    lead = max([0, *(days for _, days in compiled.columns), *compiled.calm_days])
    closes = read_closes(market, snapshots, used.tolist(), lead_days=lead)
    counts = weight_columns(snapshots, closes, used.tolist(), compiled.columns)
    weeks = len(snapshots.mondays)
    deviations = np.full((len(compiled.calm_days), weeks, len(used) + 1), np.nan)
    for column, days in enumerate(compiled.calm_days):
        deviations[column, :, :-1] = volatilities(closes, weeks, days=days)
    volumes = np.zeros((weeks, len(used) + 1))
    volumes[:, :-1] = snapshots.figures["volume_30d_median_usd"][:, used]
    parkings = [
        Parking(
            tokens=position[found.tokens],
            caps_usd=found.caps_usd,
            most=key.rotation.stables,
            peg_tolerance=key.rotation.peg_tolerance,
            leave_below_usd=key.rotation.leave_below_usd,
        )
        for key, found in zip(compiled.parking_keys, parked, strict=True)
    ]
    prices = np.ones((len(used) + 1, len(closes.prices_usd) - lead))
    prices[:-1] = closes.prices_usd[lead:].T
    is_priced = np.zeros(prices.shape, dtype=bool)
    is_priced[:-1] = closes.is_priced[lead:].T
    return Tables(
        mondays=snapshots.mondays,
        token_ids=tuple(snapshots.token_ids[token] for token in used),
        ranked=position[ranked],
        left_out_by_call=np.stack([each.left_out_by_call for each in best]),
        counts=np.concatenate([counts, np.zeros((*counts.shape[:2], 1))], axis=2),
        is_rank=tuple(method == "rank" for method, _ in compiled.columns),
        volumes_usd=volumes,
        volatilities=deviations,
        prices_usd=prices,
        is_priced=is_priced,
        parkings=tuple(parkings),
        wanted=_wanted(snapshots, compiled.parking_keys),
    )


def _wanted(snapshots: Snapshots, keys: Sequence[ParkingKey]) -> Floats:
    """Shares that rotations ask for at every close; rotations that differ in other things ask for the same."""
    found: dict[tuple[object, ...], Floats] = {}
    rows = np.zeros((len(keys), len(snapshots.states)))
    for row, key in enumerate(keys):
        asks = (key.rotation.steps, key.rotation.floor_share)
        if asks not in found:
            found[asks] = np.array([wanted_share(key.rotation, state)[0] for state in snapshots.states])
        rows[row] = found[asks]
    return rows


def basket_on(
    parking: Parking, tables: Tables, *, week: int, day: int, avoid: Positions | None = None
) -> tuple[Positions, Floats]:
    """Stablecoins to hold and their shares: known at decision `week`, at their peg at the close of column `day`.

    Source: `models_ml/indices/rotation.py`, `parking_basket`.
    """
    tokens = parking.tokens[week]
    values = tables.prices_usd[tokens, day]
    is_kept = tables.is_priced[tokens, day] & (np.abs(values - 1) <= parking.peg_tolerance)
    is_kept &= (values >= parking.leave_below_usd) & (tokens != tables.none)
    if avoid is not None:
        is_kept &= ~np.isin(tokens, avoid)
    kept = np.flatnonzero(is_kept)[: parking.most]
    caps = parking.caps_usd[week, kept]
    return tokens[kept], caps / caps.sum()
