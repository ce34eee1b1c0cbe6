"""Tokens by rank at every decision, once for all variants that rank alike.

Belongs here: eligibility and ranking on arrays, and the stablecoins that may be parked in; the rules of `models_ml/indices/selection.py`
and `rotation.py`.
Does not: who is taken from the ranking (`walk.py`), weights (`weights.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models_ml.indices.definition import IndexDefinition
from models_ml.indices.sections import Eligibility, Ranking, Universe
from models_ml.indices.selection import CALLS
from models_ml.optimiser.snapshots import Booleans, Floats, Snapshots, known

Positions = npt.NDArray[np.int64]

NO_TOKEN = -1


@dataclass(frozen=True)
class RankKey:
    """All that decides who is eligible and in which order."""

    universe: Universe
    eligibility: Eligibility
    ranking: Ranking
    uses_volume: bool
    uses_grade: bool

    @classmethod
    def of(cls, definition: IndexDefinition) -> RankKey:
        """The key of a definition."""
        weighting = definition.weighting
        return cls(
            definition.universe,
            definition.eligibility,
            definition.ranking,
            uses_volume=weighting.uses_volume,
            uses_grade=weighting.uses_grade,
        )


@dataclass(frozen=True)
class Best:
    """The best tokens by a ranking key.

    Attributes:
        tokens: Positions, one row a decision, best first; `NO_TOKEN` where fewer are eligible.
        left_out_by_call: How many fail no test before that of their call, and fail that one, at each decision.
    """

    tokens: Positions
    left_out_by_call: Positions


def best_tokens(snapshots: Snapshots, key: RankKey, *, depth: int) -> Best:
    """The `depth` best tokens at each decision."""
    passes = _passes_until_calls(snapshots, key)
    is_called = _is_called(snapshots, key)
    is_eligible = passes & ~is_called & _passes_after_calls(snapshots, key)
    caps = snapshots.figures["market_cap_usd"]
    values = snapshots.figures[key.ranking.by]
    best = np.full((len(snapshots.mondays), depth), NO_TOKEN, dtype=np.int64)
    for row, mask in enumerate(is_eligible):
        tokens = np.flatnonzero(mask)
        # Stable sorts on tokens in the order of their token_id, which so breaks every tie.
        by_size = tokens[np.argsort(-caps[row, tokens], kind="stable")][: key.ranking.among_largest]
        ranked = by_size[np.argsort(-values[row, by_size], kind="stable")][:depth]
        best[row, : len(ranked)] = ranked
    return Best(best, (passes & is_called).sum(axis=1))


def _passes_until_calls(snapshots: Snapshots, key: RankKey) -> Booleans:
    """Whether each token passes the tests that come before that of its call: one row a decision, one column a token."""
    universe, limits = key.universe, key.eligibility
    caps, volumes = snapshots.figures["market_cap_usd"], snapshots.figures["volume_30d_median_usd"]
    ages = np.nan_to_num(snapshots.figures["age_days"])
    needs_volume = limits.min_volume_30d_usd > 0 or limits.min_volume_to_cap > 0 or key.uses_volume
    passes = snapshots.is_present & np.isfinite(caps) & (caps > 0)
    passes &= ~(caps < limits.min_market_cap_usd) & ~(volumes < limits.min_volume_30d_usd)
    passes &= ~(volumes < limits.min_volume_to_cap * caps) & ~(ages < limits.min_price_age_days)
    if universe.exclude_stable:
        passes &= ~snapshots.flags["is_stable"]
    if universe.exclude_wrapped:
        passes &= ~snapshots.flags["is_wrapped"]
    if needs_volume:
        passes &= known(volumes)
    if key.uses_volume:
        passes &= ~(volumes <= 0)
    if universe.exclude_tokens:
        passes &= ~np.isin(np.array(snapshots.token_ids), list(universe.exclude_tokens))
    codes = {name: code for code, name in enumerate(snapshots.sector_names)}
    left_out = [codes[name.lower()] for name in universe.exclude_sectors if name.lower() in codes]
    if left_out:
        passes &= ~np.isin(snapshots.sectors, left_out)
    if universe.sector is not None:
        passes &= snapshots.sectors == codes.get(universe.sector.lower(), -2)
    return np.asarray(passes)


def _is_called(snapshots: Snapshots, key: RankKey) -> Booleans:
    """Whether each token has a call that the key leaves out; one without a call has none."""
    calls = [CALLS[name] for name in key.eligibility.leave_out_calls]
    return np.isin(snapshots.figures["signal"], calls)


def _passes_after_calls(snapshots: Snapshots, key: RankKey) -> Booleans:
    """Whether each token passes the tests that come after that of its call."""
    passes = snapshots.is_priced & known(snapshots.figures[key.ranking.by])
    passes &= snapshots.closes >= key.universe.min_history_days
    if key.uses_grade:
        passes &= known(snapshots.figures["trader_grade"])
    return np.asarray(passes)


@dataclass(frozen=True)
class Refuges:
    """Stablecoins that may be parked in, the largest first; whether they keep their peg is asked at each close.

    Attributes:
        tokens: One row a decision; `NO_TOKEN` where there are fewer.
        caps_usd: Their market caps, NaN there.
    """

    tokens: Positions
    caps_usd: Floats


def refuges(snapshots: Snapshots, limits: Eligibility) -> Refuges:
    """Fiat-backed stablecoins that trade enough, at each decision."""
    caps = snapshots.figures["market_cap_usd"]
    volumes = np.nan_to_num(snapshots.figures["volume_30d_median_usd"])
    passes = snapshots.is_present & snapshots.flags["is_fiat_backed"] & (caps > 0)
    passes &= (volumes >= limits.min_volume_30d_usd) & ~(volumes < limits.min_volume_to_cap * caps)
    most = max(1, int(passes.sum(axis=1).max()))
    tokens = np.full((len(passes), most), NO_TOKEN, dtype=np.int64)
    sizes = np.full((len(passes), most), np.nan)
    for row, mask in enumerate(passes):
        found = np.flatnonzero(mask)
        found = found[np.argsort(-caps[row, found], kind="stable")]
        tokens[row, : len(found)] = found
        sizes[row, : len(found)] = caps[row, found]
    return Refuges(tokens, sizes)
