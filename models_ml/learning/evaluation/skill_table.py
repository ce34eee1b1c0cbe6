"""Every rank figure of a score and its baselines in one long table, for tables and plots.

Belongs here: which universes, measures and groups are shown together.
Does not: the measures (`rank_skill.py`), the baselines (`baselines.py`), the intervals (`intervals.py`), plots.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl

from models_ml.learning.evaluation.baselines import BASELINE_SCORES, baseline_scores
from models_ml.learning.evaluation.intervals import summarise_weekly
from models_ml.learning.evaluation.rank_skill import (
    KNOWN_FACTORS,
    LAGGED_OUTCOME,
    weekly_partial_rank_ic,
    weekly_rank_ic,
    with_groups,
)
from models_ml.learning.evaluation.resampling import SEED

MEASURES: dict[str, Callable[..., pl.DataFrame]] = {
    "rank_ic": weekly_rank_ic,
    "partial_rank_ic": weekly_partial_rank_ic,
}

ALL = "all"
GROUPINGS = (ALL, "size_bucket", "sector")
SERIES = ["measure", "universe", "model", "grouping", "group"]
"""Columns that name a weekly series."""


def weekly_skill(
    panel: pl.DataFrame,
    *,
    model: str,
    outcome: str = LAGGED_OUTCOME,
    groupings: Sequence[str] = GROUPINGS,
    seed: int = SEED,
) -> pl.DataFrame:
    """Rank IC and partial rank IC of a score and of the baselines in each week, by universe and group.

    Args:
        panel: One row a week and token of the broad universe: as_of_week, token_id, is_liquid, score (nullable), `KNOWN_FACTORS`, the
            outcome (nullable), and the columns of `groupings` other than 'all' and 'size_bucket'.
        model: Name of the score, beside those of the baselines.
        outcome: Column with the return after the call.
        groupings: 'all' for the whole universe, or columns whose values are ranked apart.
        seed: Of the permuted baseline.

    Returns:
        as_of_week, measure, universe ('broad', 'liquid'), model, grouping, group (text; 'all' in the grouping 'all'), value, tokens; by
        series and week. Input of `with_cumulative_mean` and of `skill_table`.
    """
    keys = ["as_of_week", "token_id"]
    grouped = with_groups(panel)
    own = grouped.select(*keys, pl.lit(model).alias("model"), pl.col("score").cast(pl.Float64))
    scores = pl.concat([own, baseline_scores(panel, seed=seed)])
    columns = [name for name in groupings if name != ALL]
    inputs = {column for column, _ in BASELINE_SCORES.values()} | set(KNOWN_FACTORS) | {outcome}
    facts = scores.join(grouped.select(*keys, "is_liquid", *sorted(inputs), *columns), on=keys)
    weekly = [
        measure(members, outcome=outcome, by=["model", *([] if grouping == ALL else [grouping])]).select(
            "as_of_week",
            "model",
            "value",
            "tokens",
            measure=pl.lit(name),
            universe=pl.lit(universe),
            grouping=pl.lit(grouping),
            group=pl.lit(ALL) if grouping == ALL else pl.col(grouping).cast(pl.String),
        )
        for universe, members in (("broad", facts), ("liquid", facts.filter(pl.col("is_liquid"))))
        for name, measure in MEASURES.items()
        for grouping in groupings
    ]
    ordered = ["as_of_week", *SERIES, "value", "tokens"]
    return pl.concat(part.select(ordered) for part in weekly).sort(*SERIES, "as_of_week")


def skill_table(weekly: pl.DataFrame, *, block: int, by_year: bool = False) -> pl.DataFrame:
    """Means of `weekly_skill` with intervals.

    Args:
        weekly: As `weekly_skill` gives it.
        block: Weeks in a block.
        by_year: Whether each calendar year is summarised apart.

    Returns:
        measure, universe, model, grouping, group, year (where asked for), and the columns of `intervals.summarise_weekly`.
    """
    years = ["year"] if by_year else []
    return summarise_weekly(weekly.with_columns(year=pl.col("as_of_week").dt.year()), block=block, by=[*SERIES, *years])
