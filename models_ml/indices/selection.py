"""Which tokens an index may hold, in which order, and which it takes.

Belongs here: eligibility, ranking, the entry and exit buffers, and leaving out the worst of the chosen.
Does not: weights (`weighting.py`), stablecoins held by rotation (`rotation.py`), wording (`reasons.py`).
"""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from models_ml.indices.definition import IndexDefinition
from models_ml.indices.errors import MarketDataError
from models_ml.indices.feature_rules import FeatureCondition, feature_column
from models_ml.indices.market import PriceLookup
from models_ml.indices.sections import Selection, number_left_out
from models_ml.indices.weighting_rules import Weighting

Booleans = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

CALLS = {"bearish": -1, "neutral": 0}


@dataclass(frozen=True)
class Ranked:
    """A snapshot split in two.

    Attributes:
        order: Positions of the eligible rows in the snapshot, the best first, within the pool of `ranking.among_largest`.
        snapshot: All rows.
        codes: Code of the first test that each row of the snapshot failed, None where it is eligible.
        judged: Size of the pool: the eligible and those of it that fail a bound on a feature.
    """

    order: Integers
    snapshot: pl.DataFrame
    codes: list[str | None]
    judged: int

    @property
    def passed(self) -> int:
        """Number of eligible tokens."""
        return len(self.order)

    @cached_property
    def eligible(self) -> pl.DataFrame:
        """Snapshot rows of all eligible tokens by `rank` (1 is best)."""
        return self._rows(range(self.passed))

    @cached_property
    def token_ids(self) -> list[str]:
        """Eligible tokens by rank."""
        names = self.snapshot["token_id"].to_list()
        return [names[position] for position in self.order.tolist()]

    @cached_property
    def ranks(self) -> dict[str, int]:
        """Rank of every eligible token."""
        return dict(zip(self.token_ids, range(1, self.passed + 1), strict=True))

    def choose(self, *, held: Collection[str], selection: Selection) -> pl.DataFrame:
        """The rows of `eligible` that `choose` takes; only these are gathered, since to gather hundreds is most of the work."""
        near = self.token_ids[: selection.reach]
        return self._rows(preferred(range(1, len(near) + 1), near, held=held, selection=selection))

    def _rows(self, places: Sequence[int]) -> pl.DataFrame:
        """Rows of the eligible tokens at some places of the order, counted from 0, with their rank."""
        rank = pl.Series("rank", [place + 1 for place in places], dtype=pl.UInt32)
        return self.snapshot[self.order[list(places)]].insert_column(0, rank)

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
    codes = judge(definition, snapshot)
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
        failed = _first_codes(_bounds(conditions, snapshot), count=snapshot.height)
        for position in pool:
            codes[position] = failed[position]
        pool = np.array([position for position in pool if codes[position] is None], dtype=np.int64)
    if definition.ranking.column != "market_cap_usd" or definition.ranking.order != "descending":
        # The pool is in the order of size and token_id, so a stable sort breaks ties by them.
        values = snapshot[definition.ranking.column].to_numpy()[pool]
        pool = pool[np.argsort(-values if definition.ranking.order == "descending" else values, kind="stable")]
    return Ranked(pool, snapshot, codes, size)


def judge(definition: IndexDefinition, snapshot: pl.DataFrame) -> list[str | None]:
    """Code of the first test that each candidate fails, None where it passes all.

    Prices and bounds on features are tested by `rank_candidates`; here it counts only whether a bounded feature is known. What is not
    known fails only the tests that ask for it: as NaN it is neither below nor above a limit.
    """
    universe, limits = definition.universe, definition.eligibility
    cap, volume = _figures(snapshot, "market_cap_usd"), _figures(snapshot, "volume_30d_median_usd")
    tests: list[tuple[str, Booleans]] = []
    if definition.weighting.core_weights:
        tests.append(("core", _is_among(snapshot["token_id"], definition.weighting.core_weights)))
    if universe.exclude_stable:
        tests.append(("stable", _flags(snapshot, "is_stable")))
    if universe.exclude_wrapped:
        tests.append(("wrapped", _flags(snapshot, "is_wrapped")))
    if universe.exclude_tokens:
        tests.append(("named", _is_among(snapshot["token_id"], universe.exclude_tokens)))
    if universe.exclude_sectors or universe.sector:
        sectors = [(name or "").casefold() for name in snapshot["sector"].to_list()]
        left_out = {name.casefold() for name in universe.exclude_sectors}
        tests.append(("left_out_sector", np.array([name in left_out for name in sectors], dtype=bool)))
        if universe.sector:
            sector = universe.sector.casefold()
            tests.append(("sector", np.array([name != sector for name in sectors], dtype=bool)))
    tests.append(("no_market_cap", ~(np.isfinite(cap) & (cap > 0))))
    tests.append(("small", cap < limits.min_market_cap_usd))
    if limits.max_market_cap_usd is not None:
        tests.append(("large", cap > limits.max_market_cap_usd))
    if limits.min_volume_30d_usd > 0 or limits.min_volume_to_cap > 0 or definition.weighting.uses_volume:
        tests.append(("no_volume", np.isnan(volume)))
    if definition.weighting.uses_volume:
        tests.append(("zero_volume", volume <= 0))
    tests.append(("thin", volume < limits.min_volume_30d_usd))
    tests.append(("fake_cap", volume < limits.min_volume_to_cap * cap))
    tests.append(("young", np.nan_to_num(_figures(snapshot, "age_days")) < limits.min_price_age_days))
    if limits.leave_out_calls:
        calls = _figures(snapshot, "signal")  # nothing speaks against a token without a call
        tests += [(code, calls == CALLS[code]) for code in limits.leave_out_calls]
    tests.append(("unranked", np.isnan(_figures(snapshot, definition.ranking.column))))
    if definition.weighting.uses_grade:
        tests.append(("ungraded", np.isnan(_figures(snapshot, "trader_grade"))))
    tests += [(condition.column, np.isnan(_figures(snapshot, condition.column))) for condition in limits.features]
    return _first_codes(tests, count=snapshot.height)


def _figures(snapshot: pl.DataFrame, column: str) -> Floats:
    """Numbers of a column, NaN where null. Arrays all the way: an expression on so few rows costs a hundred times as much."""
    return np.asarray(snapshot[column].to_numpy(), dtype=np.float64)


def _flags(snapshot: pl.DataFrame, column: str) -> Booleans:
    """Truth of a column, null as false."""
    return np.asarray(snapshot[column].to_numpy(), dtype=bool)


def _is_among(token_ids: pl.Series, names: Collection[str]) -> Booleans:
    return np.array([token_id in names for token_id in token_ids.to_list()], dtype=bool)


def _bounds(conditions: Iterable[FeatureCondition], snapshot: pl.DataFrame) -> list[tuple[str, Booleans]]:
    """Code and failures of every bound on a feature; the code is the feature's column."""
    tests = []
    for condition in conditions:
        values = _figures(snapshot, condition.column)
        if condition.at_least is not None:
            tests.append((condition.column, values < condition.at_least))
        if condition.at_most is not None:
            tests.append((condition.column, values > condition.at_most))
    return tests


def _first_codes(tests: Sequence[tuple[str, Booleans]], *, count: int) -> list[str | None]:
    """Code of the first test that each of `count` rows fails, None where it fails none."""
    codes = np.full(count, None, dtype=object)
    for code, fails in reversed(tests):  # the first test has the last word
        codes[fails] = code
    return list(codes)


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
    near = eligible.head(selection.reach)
    return near[preferred(near["rank"].to_list(), near["token_id"].to_list(), held=held, selection=selection)]


def preferred(
    ranks: Sequence[int], token_ids: Sequence[str], *, held: Collection[str], selection: Selection
) -> list[int]:
    """Positions of the tokens that `choose` takes, in the order of `ranks`, which ascend and belong to `token_ids`."""
    exit_rank, entry_rank = selection.exit_rank or selection.count, selection.entry_rank or 0
    constituents = set(held)

    def preference(position: int) -> tuple[int, int]:
        rank = ranks[position]
        if rank <= entry_rank:
            return 0, rank
        return 1 if rank <= exit_rank and token_ids[position] in constituents else 2, rank

    return sorted(sorted(range(len(ranks)), key=preference)[: selection.count])


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
