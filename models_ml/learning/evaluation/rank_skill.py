"""Rank skill: how well a week's scores order the returns that followed, and how much of it is not a known factor.

Belongs here: weekly rank IC and partial rank IC, overall and by group, and the groups themselves.
Does not: their intervals (`intervals.summarise_weekly` takes what is returned here), other scores to compare with (`baselines.py`).

A panel has one row a week and token: as_of_week, token_id, the score, the outcome, and what is grouped or controlled by. The outcome is
by default the return from the day after the call: the first day cannot be traded and carries a tenth of the correlation.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from models_ml.learning.evaluation.hac import Floats

LAGGED_OUTCOME = "forward_return_14d_lag1"

SMALLEST_CROSS_SECTION = 20
"""Tokens with a score and an outcome below which a week (or a group of it) has no correlation."""

KNOWN_FACTORS = (
    "volatility_30d",
    "idiosyncratic_volatility_30d",
    "log_market_cap",
    "turnover_30d",
    "return_7d",
    "return_14d",
    "return_30d",
    "beta_btc_30d",
)
"""What a partial rank IC takes out of a score: ordering by one of these needs no model."""

SIZE_EDGES_USD = {"below_20m": 0.0, "20m_to_100m": 20e6, "100m_to_1b": 100e6, "above_1b": 1e9}
"""Size buckets by the market cap they begin at."""


def weekly_rank_ic(
    panel: pl.DataFrame,
    *,
    score: str = "score",
    outcome: str = LAGGED_OUTCOME,
    by: Sequence[str] = (),
    fewest: int = SMALLEST_CROSS_SECTION,
) -> pl.DataFrame:
    """Spearman's correlation of score and outcome in each week (and group of it).

    Args:
        panel: One row a week and token: as_of_week, score and outcome (nullable; a row without one of them does not count), and the
            columns of `by`.
        score: Column whose high values are to precede high outcomes.
        outcome: Column of what happened.
        by: Columns whose values are ranked apart within a week. Rows where one is null count in no group.
        fewest: Weeks (of a group) with fewer rows are left out.

    Returns:
        as_of_week, the columns of `by`, value (-1 to 1), tokens; by week and group. Left out where all scores or outcomes are equal.
    """
    return (
        _known_rows(panel, score, outcome, by)
        .group_by("as_of_week", *by)
        .agg(value=pl.corr(score, outcome, method="spearman"), tokens=pl.len().cast(pl.Int64))
        .filter((pl.col("tokens") >= fewest) & pl.col("value").is_finite())
        .sort("as_of_week", *by)
    )


def weekly_partial_rank_ic(
    panel: pl.DataFrame,
    *,
    score: str = "score",
    outcome: str = LAGGED_OUTCOME,
    controls: Sequence[str] = KNOWN_FACTORS,
    by: Sequence[str] = (),
    fewest: int = SMALLEST_CROSS_SECTION,
) -> pl.DataFrame:
    """Correlation of the outcome's ranks with what the ranks of the controls leave of the score's ranks.

    In each week (and group) the ranks of the score are regressed on a constant and the ranks of the controls; the residuals are
    correlated with the ranks of the outcome. An unknown control counts as the mean of the week. This is the semi-partial
    correlation: the score is cleaned, the outcome is not.

    Args:
        panel: As for `weekly_rank_ic`, with the columns of `controls` (nullable).
        score: Column whose high values are to precede high outcomes.
        outcome: Column of what happened.
        controls: Columns whose part in the score is taken out.
        by: Columns whose values are ranked and regressed apart within a week.
        fewest: Weeks (of a group) with fewer rows are left out; also those with no more rows than regressors.

    Returns:
        as_of_week, the columns of `by`, value, tokens; by week and group. Left out where nothing of the score is left.
    """
    known = _known_rows(panel, score, outcome, by)
    keys = ["as_of_week", *by]
    rows = []
    for key, frame in known.partition_by(keys, as_dict=True).items():
        if frame.height < max(fewest, len(controls) + 3):
            continue
        filled = frame.select(
            pl.col(score, outcome, *controls).cast(pl.Float64).fill_null(strategy="mean").fill_null(0.0)
        )
        ranks = filled.select(pl.all().rank())
        value = _semipartial(
            ranks[score].to_numpy(), ranks[outcome].to_numpy(), ranks.select(controls).to_numpy().astype(np.float64)
        )
        if value is not None:
            rows.append((*key, value, frame.height))
    schema = {name: panel.schema[name] for name in keys} | {"value": pl.Float64(), "tokens": pl.Int64()}
    return pl.DataFrame(rows, schema=schema, orient="row").sort(keys)


def _known_rows(panel: pl.DataFrame, score: str, outcome: str, by: Sequence[str]) -> pl.DataFrame:
    """Rows with a score, an outcome and a group; NaN is unknown here, or one token would void its whole week."""
    return panel.with_columns(pl.col(score, outcome).cast(pl.Float64).fill_nan(None)).drop_nulls([score, outcome, *by])


def _semipartial(score: Floats, outcome: Floats, controls: Floats) -> float | None:
    """Correlation of `outcome` with the residual of `score` on `controls` and a constant; None where one of the two is constant."""
    regressors = np.column_stack([np.ones(len(score)), controls])
    residual = score - regressors @ np.linalg.lstsq(regressors, score, rcond=None)[0]
    # Ranks differ by halves at least: a residual below a millionth is rounding error of a score the controls explain.
    if residual.std() < 1e-6 or outcome.std() == 0:
        return None
    return float(np.corrcoef(residual, outcome)[0, 1])


def with_groups(panel: pl.DataFrame) -> pl.DataFrame:
    """The panel with size_bucket (`SIZE_EDGES_USD`, null without a market cap) and year (of as_of_week).

    Args:
        panel: as_of_week, log_market_cap (ln USD), and anything else.
    """
    cap = pl.col("log_market_cap").cast(pl.Float64).exp()
    bucket = pl.lit(None, dtype=pl.String)
    for name, edge in SIZE_EDGES_USD.items():  # ascending, so the highest edge below the cap wins
        bucket = pl.when(cap >= edge).then(pl.lit(name)).otherwise(bucket)
    return panel.with_columns(
        size_bucket=bucket.cast(pl.Enum(list(SIZE_EDGES_USD))), year=pl.col("as_of_week").dt.year()
    )


def share_of_groups_above_zero(summary: pl.DataFrame) -> float:
    """Share of the groups of `intervals.summarise_weekly` whose mean is above 0, each group counting once.

    Raises:
        ValueError: There is no group.
    """
    if summary.is_empty():
        raise ValueError("no group has a mean, so none can be above 0; check the panel's groups and its fewest tokens")
    return float((summary["mean"] > 0).sum()) / summary.height
