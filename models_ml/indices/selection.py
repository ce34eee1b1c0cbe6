"""Which tokens an index may hold, in which order, and which it takes.

Belongs here: eligibility, ranking, the entry and exit buffers, and leaving out the worst of the chosen.
Does not: weights (`weighting.py`), stablecoins held by rotation (`rotation.py`), wording (`reasons.py`).
"""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import polars as pl

from models_ml.indices.definition import IndexDefinition, Selection, number_left_out
from models_ml.indices.errors import MarketDataError
from models_ml.indices.feature_rules import FeatureCondition, feature_column
from models_ml.indices.market import PriceLookup
from models_ml.indices.weighting_rules import Weighting

CALLS = {"bearish": -1, "neutral": 0}
HELD_CALL = 1  # what a token without a call counts as: nothing speaks against it


@dataclass(frozen=True)
class Ranked:
    """A snapshot split in two.

    Attributes:
        eligible: Snapshot rows by `rank` (1 is best), which is counted within the pool of `ranking.among_largest`.
        snapshot: All rows.
        codes: Code of the first test that each row of the snapshot failed, None where it is eligible.
        judged: Size of the pool: `eligible` and those of it that fail a bound on a feature.
    """

    eligible: pl.DataFrame
    snapshot: pl.DataFrame
    codes: list[str | None]
    judged: int

    @cached_property
    def ranks(self) -> dict[str, int]:
        """Rank of every eligible token."""
        return dict(zip(self.eligible["token_id"].to_list(), self.eligible["rank"].to_list(), strict=True))

    @cached_property
    def excluded(self) -> pl.DataFrame:
        """The rows that are not eligible, with `exclusion`, the code of the first test they failed."""
        judged = self.snapshot.with_columns(pl.Series("exclusion", self.codes, dtype=pl.String))
        return judged.filter(pl.col("exclusion").is_not_null())

    def excluded_row(self, token_id: str) -> Mapping[str, Any] | None:
        """The row of an excluded token, with `exclusion`; None for one that is eligible or no candidate."""
        position = self._positions.get(token_id)
        if position is None or self.codes[position] is None:
            return None
        return self.snapshot.row(position, named=True) | {"exclusion": self.codes[position]}

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {token_id: position for position, token_id in enumerate(self.snapshot["token_id"].to_list())}

    def still_held(self, held: Collection[str], *, weighting: Weighting) -> pl.DataFrame:
        """Constituents between two reviews: those with a market cap, whatever else they failed; `rank` may be null.

        One without the volume or the grade that the weighting rests on leaves, too: it could not be weighed.

        Args:
            held: Constituents that have a price.
            weighting: How they are weighed.
        """
        rows = pl.concat([self.eligible, self.excluded], how="diagonal_relaxed")
        # A code tells the first test that failed only, so what weights rest on is asked for itself.
        needed = [pl.col("market_cap_usd") > 0]
        if weighting.uses_volume:
            needed.append(pl.col("volume_30d_median_usd") > 0)
        if weighting.uses_grade:
            needed.append(pl.col("trader_grade").is_not_null())
        kept = rows.filter(pl.col("token_id").is_in(list(held)), *needed)
        return kept.sort("market_cap_usd", "token_id", descending=[True, False]).select(self.eligible.columns)


def rank_candidates(
    definition: IndexDefinition, snapshot: pl.DataFrame, *, close_date: dt.date, prices: PriceLookup
) -> Ranked:
    """Apply universe and eligibility to a snapshot, then rank what is left.

    Args:
        definition: The index.
        snapshot: Candidates at the close of `close_date`, the largest first (`MarketData.snapshot`).
        close_date: Day of the snapshot.
        prices: Asked whether a candidate has a recent price, without which nobody could trade it.

    Raises:
        MarketDataError: The candidates lack a feature that the definition rests on.
    """
    lacking = [name for name in definition.features_used if feature_column(name) not in snapshot.columns]
    if lacking:
        raise MarketDataError(
            f"candidates of {close_date}: {definition.index_id} rests on the features {', '.join(lacking)}, which they lack; "
            f"hand them in as columns {', '.join(feature_column(name) for name in lacking)}"
        )
    codes = snapshot.select(exclusion=judge(definition)).to_series().to_list()
    survivors = np.array([position for position, code in enumerate(codes) if code is None], dtype=np.int64)
    names = snapshot["token_id"][survivors].to_list()
    is_priced, least = prices.are_priced(names, close_date), definition.universe.min_history_days
    is_long = prices.closes_until(names, close_date) >= least if least else np.ones(len(names), dtype=bool)
    for position in survivors[is_priced & ~is_long]:
        codes[position] = "short_history"
    for position in survivors[~is_priced]:
        codes[position] = "unpriced"
    by_size = survivors[is_priced & is_long]
    for position in by_size[definition.ranking.among_largest :] if definition.ranking.among_largest else ():
        codes[position] = "outside_pool"
    pool = by_size[: definition.ranking.among_largest]
    size, conditions = len(pool), definition.eligibility.features
    if conditions:
        failed = snapshot[pool].select(exclusion=_first_code(_bounds(conditions))).to_series()
        for position, code in zip(pool, failed.to_list(), strict=True):
            codes[position] = code
        pool = pool[failed.is_null().to_numpy()]
    if definition.ranking.column != "market_cap_usd" or definition.ranking.order != "descending":
        # The pool is in the order of size and token_id, so a stable sort breaks ties by them.
        values = snapshot[definition.ranking.column].to_numpy()[pool]
        pool = pool[np.argsort(-values if definition.ranking.order == "descending" else values, kind="stable")]
    return Ranked(snapshot[pool].with_row_index("rank", offset=1), snapshot, codes, size)


@lru_cache(maxsize=256)
def judge(definition: IndexDefinition) -> pl.Expr:
    """Code of the first test a candidate fails, null where it passes all.

    Prices and bounds on features are tested by `rank_candidates`; here it counts only whether a bounded feature is known.
    """
    universe, limits = definition.universe, definition.eligibility
    cap, volume = pl.col("market_cap_usd"), pl.col("volume_30d_median_usd")
    needs_volume = limits.min_volume_30d_usd > 0 or limits.min_volume_to_cap > 0 or definition.weighting.uses_volume
    sector = universe.sector.casefold() if universe.sector else ""
    left_out = [name.casefold() for name in universe.exclude_sectors]
    tests = [
        ("core", pl.col("token_id").is_in(list(definition.weighting.core_weights))),
        ("stable", pl.col("is_stable") & universe.exclude_stable),
        ("wrapped", pl.col("is_wrapped") & universe.exclude_wrapped),
        ("named", pl.col("token_id").is_in(list(universe.exclude_tokens))),
        ("left_out_sector", pl.col("sector").fill_null("").str.to_lowercase().is_in(left_out)),
        ("sector", pl.col("sector").fill_null("").str.to_lowercase().ne(sector) & bool(sector)),
        ("no_market_cap", cap.is_null() | ~cap.is_finite() | (cap <= 0)),
        ("small", cap < limits.min_market_cap_usd),
        ("large", cap > (limits.max_market_cap_usd or float("inf"))),
        ("no_volume", volume.is_null() & needs_volume),
        ("zero_volume", (volume <= 0) & definition.weighting.uses_volume),
        ("thin", volume < limits.min_volume_30d_usd),
        ("fake_cap", volume < limits.min_volume_to_cap * cap),
        ("young", pl.col("age_days").fill_null(0) < limits.min_price_age_days),
        *((code, pl.col("signal").fill_null(HELD_CALL) == CALLS[code]) for code in limits.leave_out_calls),
        ("unranked", pl.col(definition.ranking.column).is_null()),
        ("ungraded", pl.col("trader_grade").is_null() & definition.weighting.uses_grade),
        *((condition.column, pl.col(condition.column).is_null()) for condition in limits.features),
    ]
    # Tests that no token can fail cost as much as the others.
    idle = {
        "stable": not universe.exclude_stable,
        "wrapped": not universe.exclude_wrapped,
        "named": not universe.exclude_tokens,
        "left_out_sector": not left_out,
        "sector": not sector,
        "large": limits.max_market_cap_usd is None,
        "no_volume": not needs_volume,
        "zero_volume": not definition.weighting.uses_volume,
        "ungraded": not definition.weighting.uses_grade,
    }
    return _first_code([(code, fails) for code, fails in tests if not idle.get(code, False)])


def _bounds(conditions: Iterable[FeatureCondition]) -> list[tuple[str, pl.Expr]]:
    """Code and test of every bound on a feature; the code is the feature's column."""
    tests = []
    for condition in conditions:
        value = pl.col(condition.column)
        if condition.at_least is not None:
            tests.append((condition.column, value < condition.at_least))
        if condition.at_most is not None:
            tests.append((condition.column, value > condition.at_most))
    return tests


def _first_code(tests: Sequence[tuple[str, pl.Expr]]) -> pl.Expr:
    """Code of the first test that a row fails, null where it fails none."""
    if not tests:
        return pl.lit(None, pl.String)
    return pl.coalesce(*(pl.when(fails).then(pl.lit(code)) for code, fails in tests))


def choose(eligible: pl.DataFrame, *, held: Collection[str], selection: Selection) -> pl.DataFrame:
    """Take `count` tokens, constituents inside the exit buffer before newcomers.

    First whoever ranks within `entry_rank`, then constituents that rank within `exit_rank`, then the best of the rest.

    Args:
        eligible: Rows by `rank`, one per token.
        held: Constituents so far.
        selection: Count and buffers.

    Returns:
        At most `count` rows of `eligible`, by rank.
    """
    exit_rank, entry_rank = selection.exit_rank or selection.count, selection.entry_rank or 0
    # Were all within the exit rank constituents, the rest would still come from the next `count`.
    near = eligible.head(exit_rank + selection.count)
    ranks, token_ids, constituents = near["rank"].to_list(), near["token_id"].to_list(), set(held)

    def preference(position: int) -> tuple[int, int]:
        rank = ranks[position]
        if rank <= entry_rank:
            return 0, rank
        return 1 if rank <= exit_rank and token_ids[position] in constituents else 2, rank

    chosen = sorted(range(len(ranks)), key=preference)[: selection.count]
    return near[sorted(chosen, key=ranks.__getitem__)]


def worst_of(chosen: pl.DataFrame, *, share: float) -> pl.DataFrame:
    """The chosen tokens that a screened index leaves out: a share of all chosen, rounded down, with the lowest `prior_score`.

    Tokens without a score are never among them, so fewer than the share go where too few are scored. Equal scores go by token_id.

    Args:
        chosen: One row per token with `token_id` and `prior_score` (no unit, null where the model gave none).
        share: Fraction of `chosen`, 0 to below 1.

    Returns:
        Rows of `chosen`, the worst first.
    """
    scored = chosen.filter(pl.col("prior_score").is_not_null()).sort("prior_score", "token_id")
    return scored.head(number_left_out(chosen.height, share=share))
