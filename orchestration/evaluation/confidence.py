"""Whether confidence says anything about skill, and how far the models drifted: docs/results/confidence.md.

Belongs here: skill by novelty, by tercile of confidence and by drift of the week.
Does not: the formula (`models_ml/learning/confidence.py`), the weekly run (`orchestration/lib/monitored_weeks.py`).
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from models_ml.learning.evaluation.intervals import summarise_weekly
from models_ml.learning.evaluation.rank_skill import LAGGED_OUTCOME, weekly_partial_rank_ic, weekly_rank_ic
from orchestration.evaluation.experiments import BLOCK
from orchestration.evaluation.history import FIRST_WEEK, KEYS, History
from orchestration.lib.metadata import markdown_table

TERCILES = ("1 lowest", "2 middle", "3 highest")
NOVELTY_CLASSES = ("1 none", "2 up to 0.05", "3 above 0.05")
FEWEST_CALLS = 5
"""Calls of a class below which a week says nothing of it."""


def page(history: History, code: str) -> str:
    """The page."""
    watched = history.query("""select as_of_week, model, metric, value from api.model_monitor""").filter(
        pl.col("as_of_week") >= FIRST_WEEK
    )
    known = history.query(
        """
        select as_of_week, token_id, trader_novelty, trader_confidence, calls_confidence from api.confidence
        where trader_confidence is not null
        """
    )
    grades = history.query("select as_of_week, token_id, score from api.trader_grades")
    signals = history.query("select as_of_week, token_id, signal from api.trading_signals")
    panel = history.panel(grades).join(known, on=KEYS)
    calls = signals.join(known, on=KEYS).join(history.labels.select(*KEYS, "forward_barrier"), on=KEYS)
    return "\n\n".join(
        [
            "# Confidence, drift and novelty\n\nThe formula is fixed and was fitted to no outcome: confidence says how like its training a "
            f"row is. This page asks whether skill follows it. From {FIRST_WEEK} on, intervals from blocks of {BLOCK} weeks. Code {code}.",
            watched_section(watched),
            skill_section(panel),
            calls_section(calls.filter(pl.col("as_of_week") >= FIRST_WEEK)),
        ]
    )


def watched_section(watched: pl.DataFrame) -> str:
    """What the monitor saw, by model and metric."""
    value = pl.col("value")
    table = (
        watched.group_by("model", "metric")
        .agg(
            median=value.median(),
            low=value.quantile(0.05, "linear"),
            high=value.quantile(0.95, "linear"),
            largest=value.max(),
            weeks=pl.len(),
        )
        .sort("model", "metric")
    )
    return "## What the monitor saw\n\nMedian week, 5 % and 95 % of the weeks, and the largest.\n\n" + markdown_table(
        table
    )


def skill_section(panel: pl.DataFrame) -> str:
    """Rank IC of the trader score among the tokens of each class.

    Args:
        panel: `History.panel` of the trader score with trader_novelty and trader_confidence.
    """
    drift = panel.group_by("as_of_week").agg(week_confidence=pl.col("trader_confidence").median())
    classed = panel.join(drift, on="as_of_week").with_columns(
        novelty_class=pl.when(pl.col("trader_novelty") == 0)
        .then(pl.lit(NOVELTY_CLASSES[0]))
        .when(pl.col("trader_novelty") <= 0.05)
        .then(pl.lit(NOVELTY_CLASSES[1]))
        .otherwise(pl.lit(NOVELTY_CLASSES[2])),
        confidence_tercile=_tercile("trader_confidence"),
        week_tercile=_tercile("week_confidence"),
    )
    parts = []
    for grouping in ("confidence_tercile", "novelty_class", "week_tercile"):
        for (name,), members in sorted(classed.partition_by(grouping, as_dict=True).items()):
            parts += [
                _summary(measure, members, grouping=grouping, name=str(name), figure=figure)
                for figure, measure in (("rank_ic", weekly_rank_ic), ("partial_rank_ic", weekly_partial_rank_ic))
            ]
    return (
        "## Skill of the trader score\n\nRank IC and partial rank IC (one day of lag) among the tokens of a class alone, in weeks with at "
        "least 20 of them: by tercile of confidence over all rows, by novelty, and by tercile of the week's median confidence, which is "
        "drift. Classes hold different kinds of tokens, so a difference need not come from confidence; the weeks of a class need not "
        "follow each other.\n\n" + markdown_table(pl.concat(parts))
    )


def calls_section(calls: pl.DataFrame) -> str:
    """Precision of the calls over the base rate of the week, by tercile of confidence.

    Args:
        calls: as_of_week, token_id, signal, calls_confidence, forward_barrier.
    """
    ended = calls.drop_nulls(["forward_barrier", "calls_confidence"]).with_columns(tercile=_tercile("calls_confidence"))
    parts = []
    for name, sign in (("bullish", 1), ("bearish", -1)):
        judged = ended.with_columns(
            is_hit=(pl.col("forward_barrier") == sign).cast(pl.Float64),
            base=(pl.col("forward_barrier") == sign).mean().over("as_of_week"),
        ).filter(pl.col("signal") == sign)
        weekly = (
            judged.group_by("tercile", "as_of_week")
            .agg(value=(pl.col("is_hit") - pl.col("base")).mean(), calls=pl.len())
            .filter(pl.col("calls") >= FEWEST_CALLS)
        )
        totals = judged.group_by("tercile").agg(
            calls=pl.len(), precision=pl.col("is_hit").mean(), base_rate=pl.col("base").mean()
        )
        summary = summarise_weekly(weekly.select("as_of_week", "tercile", "value"), block=BLOCK, by=["tercile"])
        parts.append(
            totals.join(summary.select("tercile", "mean", "low", "high", "weeks"), on="tercile", how="left")
            .sort("tercile")
            .select(pl.lit(name).alias("call"), pl.all())
        )
    return (
        "## Precision of the calls\n\nShare of the calls whose outcome came, by tercile of confidence over all rows; `mean` is the weekly "
        f"mean of precision less the base rate of the week (weeks with at least {FEWEST_CALLS} such calls), with its interval.\n\n"
        + markdown_table(pl.concat(parts))
    )


def _tercile(column: str) -> pl.Expr:
    """Tercile of a column over all rows, equal values together."""
    low, high = (pl.col(column).quantile(at, "linear") for at in (1 / 3, 2 / 3))
    return (
        pl.when(pl.col(column) <= low)
        .then(pl.lit(TERCILES[0]))
        .when(pl.col(column) <= high)
        .then(pl.lit(TERCILES[1]))
        .otherwise(pl.lit(TERCILES[2]))
    )


def _summary(
    measure: Callable[..., pl.DataFrame], members: pl.DataFrame, *, grouping: str, name: str, figure: str
) -> pl.DataFrame:
    """One row: the weekly mean of a figure among the members, with its interval."""
    weekly = measure(members, outcome=LAGGED_OUTCOME).select("as_of_week", "value")
    summary = summarise_weekly(weekly, block=BLOCK).select("mean", "low", "high", "weeks")
    described = [pl.lit(grouping).alias("grouping"), pl.lit(name).alias("class"), pl.lit(figure).alias("figure")]
    return summary.select(*described, pl.all(), rows=pl.lit(members.height))
