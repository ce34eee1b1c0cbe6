"""The metrics that the tables of evaluation publish for each week, beside simple baselines.

Belongs here: rank IC with and without a day of lag, partial rank IC, by size bucket and by sector; decile spread, coverage, the trailing
ICIR, as the tables define them.
Does not: the correlations themselves (`rank_skill.py`), statistics over many weeks and their intervals (the other modules of this
package), choosing models.
"""

from __future__ import annotations

import polars as pl

from models_ml.learning.calendar import TRADER_HORIZON_DAYS
from models_ml.learning.evaluation.rank_skill import (
    SMALLEST_CROSS_SECTION,
    weekly_partial_rank_ic,
    weekly_rank_ic,
    with_groups,
)

BASELINES = {
    "baseline_low_volatility": "idiosyncratic_volatility_30d",
    "baseline_low_volatility_total": "volatility_30d",
}
"""Baselines by the feature whose low values they prefer; where the horizon is not the trader's, their names end with it (`_90d`)."""

ICIR_WEEKS = 52

METRIC_ROW = {"model": pl.String(), "universe": pl.String(), "metric": pl.String(), "value": pl.Float64()}
"""Columns of a row of metrics, beside its week."""


def evaluate_week(
    scores: pl.DataFrame, outcomes: pl.DataFrame, eligible: pl.DataFrame, *, model: str, horizon_days: int
) -> pl.DataFrame:
    """Metrics of one week whose labels have ended.

    Args:
        scores: token_id, score of the week as published.
        outcomes: token_id, forward_return_<n>d, forward_return_<n>d_lag1 of the horizon (fractions, nullable).
        eligible: Every token of the broad universe: token_id, is_liquid, and the baselines' features.
        model: Name of the head that gave the scores.
        horizon_days: How far the head looks ahead.

    Returns:
        model, universe ('broad', 'liquid'), metric, value. Metrics: rank_ic (Spearman's correlation of score and return over the
        horizon), rank_ic_lag1 (return from the next day's close), decile_spread (mean return of the best less the worst tenth),
        coverage (share of the universe with a score), label_coverage (share with a known return), tokens. A correlation over
        fewer than 20 tokens is left out.
    """
    joined = eligible.join(scores, on="token_id", how="left").join(outcomes, on="token_id", how="left")
    outcome, lagged = outcomes_of(horizon_days)
    suffix = "" if horizon_days == TRADER_HORIZON_DAYS else f"_{horizon_days}d"
    rows: list[tuple[str, str, str, float]] = []
    for universe, members in (("broad", joined), ("liquid", joined.filter(pl.col("is_liquid")))):
        if members.is_empty():
            continue
        rows.append((model, universe, "tokens", float(members.height)))
        for metric, column in (("coverage", "score"), ("label_coverage", outcome)):
            known = members.height - members[column].null_count()
            rows.append((model, universe, metric, known / members.height))
        baselines = {f"{name}{suffix}": -pl.col(column) for name, column in BASELINES.items()}
        candidates = {model: pl.col("score"), **baselines}
        for candidate, expression in candidates.items():
            for metric, column in (("rank_ic", outcome), ("rank_ic_lag1", lagged)):
                pairs = members.select(s=expression.cast(pl.Float64), r=pl.col(column)).drop_nulls()
                if pairs.height >= SMALLEST_CROSS_SECTION:
                    value = pairs.select(pl.corr("s", "r", method="spearman")).item()
                    if value is not None and value == value:
                        rows.append((candidate, universe, metric, float(value)))
            spread = _decile_spread(members.select(s=expression.cast(pl.Float64), r=pl.col(lagged)).drop_nulls())
            if spread is not None:
                rows.append((candidate, universe, "decile_spread", spread))
    return pl.DataFrame(rows, schema=METRIC_ROW, orient="row")


def evaluate_groups(panel: pl.DataFrame, *, model: str, horizon_days: int) -> pl.DataFrame:
    """Rank skill of a head in each size bucket and sector of a week, and what of it no known factor explains.

    Args:
        panel: One row a week and token of the broad universe: as_of_week, token_id, is_liquid, score and sector (nullable),
            `rank_skill.KNOWN_FACTORS`, forward_return_<n>d and forward_return_<n>d_lag1 of the horizon (fractions, nullable).
        model: Name of the head that gave the scores.
        horizon_days: How far the head looks ahead.

    Returns:
        as_of_week, model, universe, metric, value, by week and universe. Universe: 'size_<bucket>' (`rank_skill.SIZE_EDGES_USD`) and
        'sector_<name>' with rank_ic, rank_ic_lag1, partial_rank_ic (with the lagged return) and tokens (members of the group); 'broad'
        and 'liquid' with partial_rank_ic, the rest of theirs is `evaluate_week`'s. All are ranked within the group. A correlation over
        fewer than 20 tokens is left out, and a group without any has no rows.
    """
    outcome, lagged = outcomes_of(horizon_days)
    named = with_groups(panel).with_columns(
        size_universe=pl.format("size_{}", pl.col("size_bucket").cast(pl.String)),
        sector_universe=pl.format("sector_{}", "sector"),
    )
    wholes = (
        weekly_partial_rank_ic(members, outcome=lagged).select(
            "as_of_week", "value", universe=pl.lit(universe), metric=pl.lit("partial_rank_ic")
        )
        for universe, members in (("broad", named), ("liquid", named.filter(pl.col("is_liquid"))))
    )
    groups = (
        _group_metrics(named.with_columns(universe=column), outcome, lagged)
        for column in ("size_universe", "sector_universe")
    )
    columns = ["as_of_week", "universe", "metric", "value"]
    rows = pl.concat(part.select(columns) for part in (*wholes, *groups))
    return rows.select("as_of_week", pl.lit(model).alias("model"), "universe", "metric", "value").sort(
        "as_of_week", "universe", "metric"
    )


def outcomes_of(horizon_days: int) -> tuple[str, str]:
    """Columns of the return over a horizon: from the call's close, and from the next day's."""
    return f"forward_return_{horizon_days}d", f"forward_return_{horizon_days}d_lag1"


def _group_metrics(panel: pl.DataFrame, outcome: str, lagged: str) -> pl.DataFrame:
    """as_of_week, universe, metric, value of the groups that the column universe names."""
    by = ["universe"]
    skill = pl.concat(
        weekly.select("as_of_week", "universe", "value", metric=pl.lit(metric))
        for metric, weekly in (
            ("rank_ic", weekly_rank_ic(panel, outcome=outcome, by=by)),
            ("rank_ic_lag1", weekly_rank_ic(panel, outcome=lagged, by=by)),
            ("partial_rank_ic", weekly_partial_rank_ic(panel, outcome=lagged, by=by)),
        )
    )
    keys = ["as_of_week", "universe"]
    counted = (
        panel.group_by(keys)
        .agg(value=pl.len().cast(pl.Float64), metric=pl.lit("tokens"))
        .join(skill.select(keys).unique(), on=keys, how="semi")
    )
    return pl.concat([skill, counted.select(skill.columns)])


def trailing_icir(history: pl.DataFrame) -> float | None:
    """Mean over standard deviation of the newest 52 weekly rank ICs (column value, oldest first).

    None below 26 weeks, and where all are equal: a deviation below 1e-12 is rounding error.
    """
    newest = history["value"].tail(ICIR_WEEKS)
    spread = newest.std()
    if newest.len() < ICIR_WEEKS // 2 or not isinstance(spread, float) or spread < 1e-12:
        return None
    mean = newest.mean()
    return float(mean) / spread if isinstance(mean, float) else None


def _decile_spread(pairs: pl.DataFrame) -> float | None:
    """Mean lagged return of the best tenth less that of the worst; None below 20 tokens.

    Tokens of one score share their mean return, so that how ties are ordered neither helps nor hurts.
    """
    if pairs.height < SMALLEST_CROSS_SECTION:
        return None
    tenth = pairs.height // 10
    ordered = pairs.with_columns(pl.col("r").mean().over("s")).sort("s")["r"]
    best, worst = ordered.tail(tenth).mean(), ordered.head(tenth).mean()
    return float(best) - float(worst) if isinstance(best, float) and isinstance(worst, float) else None
