"""Which tokens an index may hold, in which order, and which it takes.

Belongs here: eligibility, ranking, the entry and exit buffers, and leaving out the worst of the chosen.
Does not: weights (`weighting.py`), stablecoins held by rotation (`rotation.py`), wording (`reasons.py`).
"""

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

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
        excluded: The other rows with `exclusion`, the code of the first test they failed.
        judged: Size of the pool: `eligible` and those of it that fail a bound on a feature.
    """

    eligible: pl.DataFrame
    excluded: pl.DataFrame
    judged: int

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
        snapshot: Candidates at the close of `close_date` (`MarketData.snapshot`).
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
    judged = snapshot.with_columns(exclusion=judge(definition))
    survivors = judged.filter(pl.col("exclusion").is_null())["token_id"].to_list()
    unpriced = [token_id for token_id in survivors if not prices.is_priced(token_id, close_date)]
    least = definition.universe.min_history_days
    short = [token_id for token_id in survivors if least and prices.closes_until(token_id, close_date) < least]
    judged = judged.with_columns(
        exclusion=pl.when(pl.col("exclusion").is_not_null())
        .then("exclusion")
        .when(pl.col("token_id").is_in(unpriced))
        .then(pl.lit("unpriced"))
        .when(pl.col("token_id").is_in(short))
        .then(pl.lit("short_history"))
    )
    by_size = judged.filter(pl.col("exclusion").is_null()).sort("market_cap_usd", "token_id", descending=[True, False])
    pool = by_size if definition.ranking.among_largest is None else by_size.head(definition.ranking.among_largest)
    outside = by_size.tail(by_size.height - pool.height).with_columns(exclusion=pl.lit("outside_pool"))
    pool = pool.with_columns(exclusion=_first_code(_bounds(definition.eligibility.features)))
    # The pool is sorted by size and token_id, so a stable sort breaks ties by them.
    eligible = (
        pool.filter(pl.col("exclusion").is_null())
        .sort(definition.ranking.column, descending=definition.ranking.order == "descending", maintain_order=True)
        .with_row_index("rank", offset=1)
    )
    return Ranked(
        eligible=eligible.drop("exclusion"),
        excluded=pl.concat(
            [frame.filter(pl.col("exclusion").is_not_null()) for frame in (judged, outside, pool)], how="vertical"
        ),
        judged=pool.height,
    )


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
    return _first_code(tests)


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
    exit_rank = selection.exit_rank or selection.count
    preference = (
        pl.when(pl.col("rank") <= (selection.entry_rank or 0))
        .then(0)
        .when(pl.col("token_id").is_in(list(held)) & (pl.col("rank") <= exit_rank))
        .then(1)
        .otherwise(2)
    )
    return eligible.sort(preference, "rank").head(selection.count).sort("rank")


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
