"""The metrics that `learning.model_evaluation` publishes for each week, beside simple baselines.

Belongs here: rank IC with and without a day of lag, decile spread, coverage, the trailing ICIR, as the table defines them.
Does not: statistics over many weeks and their intervals (the other modules of this package), choosing models.
"""

from __future__ import annotations

import polars as pl

BASELINES = {
    "baseline_low_volatility": "idiosyncratic_volatility_30d",
    "baseline_low_volatility_total": "volatility_30d",
}
"""Baselines by the feature whose low values they prefer."""

ICIR_WEEKS = 52
SMALLEST_CROSS_SECTION = 20


def evaluate_week(scores: pl.DataFrame, outcomes: pl.DataFrame, eligible: pl.DataFrame) -> pl.DataFrame:
    """Metrics of one week whose labels have ended.

    Args:
        scores: token_id, score of the week as published.
        outcomes: token_id, forward_return_14d, forward_return_14d_lag1 (fractions, nullable).
        eligible: Every token of the broad universe: token_id, is_liquid, and the baselines' features.

    Returns:
        model, universe ('broad', 'liquid'), metric, value. Metrics: rank_ic (Spearman's correlation of score and 14-day
        return), rank_ic_lag1 (return from the next day's close), decile_spread (mean return of the best less the worst tenth),
        coverage (share of the universe with a score), label_coverage (share with a known return), tokens. A correlation over
        fewer than 20 tokens is left out.
    """
    joined = eligible.join(scores, on="token_id", how="left").join(outcomes, on="token_id", how="left")
    rows: list[tuple[str, str, str, float]] = []
    for universe, members in (("broad", joined), ("liquid", joined.filter(pl.col("is_liquid")))):
        if members.is_empty():
            continue
        rows.append(("trader", universe, "tokens", float(members.height)))
        for metric, column in (("coverage", "score"), ("label_coverage", "forward_return_14d")):
            known = members.height - members[column].null_count()
            rows.append(("trader", universe, metric, known / members.height))
        candidates = {"trader": pl.col("score"), **{name: -pl.col(column) for name, column in BASELINES.items()}}
        for model, expression in candidates.items():
            for metric, outcome in (("rank_ic", "forward_return_14d"), ("rank_ic_lag1", "forward_return_14d_lag1")):
                pairs = members.select(s=expression.cast(pl.Float64), r=pl.col(outcome)).drop_nulls()
                if pairs.height >= SMALLEST_CROSS_SECTION:
                    value = pairs.select(pl.corr("s", "r", method="spearman")).item()
                    if value is not None and value == value:
                        rows.append((model, universe, metric, float(value)))
            spread = _decile_spread(
                members.select(s=expression.cast(pl.Float64), r=pl.col("forward_return_14d_lag1")).drop_nulls()
            )
            if spread is not None:
                rows.append((model, universe, "decile_spread", spread))
    return pl.DataFrame(rows, schema=["model", "universe", "metric", "value"], orient="row")


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
