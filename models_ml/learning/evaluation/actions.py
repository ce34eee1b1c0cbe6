"""What came of calls by what stood beside them: excess return and precision by confirmations, by action, by any other group.

Belongs here: the record of groups of calls, and what an answer of yes was worth against one of no, with intervals over blocks of weeks.
Does not: confirmations and actions (`models_ml.learning.actions`), precision of calls as such (`calls.py`).

A frame has one row a week and token: as_of_week, signal (1, 0, -1), forward_barrier (1, 0, -1) and excess, the 14-day return less the
mean of the week's universe (`with_excess`). Published and backfilled calls are judged apart: filter before.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from models_ml.learning.evaluation.intervals import (
    bootstrap_interval,
    paired_difference,
    ratio_of_totals,
    summarise_weekly,
)
from models_ml.learning.evaluation.probabilities import CLASSES


def with_excess(frame: pl.DataFrame, *, outcome: str = "forward_return_14d_lag1") -> pl.DataFrame:
    """Add `excess`: the outcome less the mean of all rows of the week that have one (fraction; null where unknown)."""
    return frame.with_columns(excess=pl.col(outcome) - pl.col(outcome).mean().over("as_of_week"))


def record_of_groups(frame: pl.DataFrame, *, by: Sequence[str], block: int) -> pl.DataFrame:
    """What came of each group of calls.

    Args:
        frame: Every call of the weeks, whatever it was: base rates are of all rows whose outcome is known.
        by: Columns that name a group beside the call.
        block: Weeks in a block.

    Returns:
        One row a call and group, bullish first: call, the columns of `by`, rows, weeks (with a known return), mean_excess (mean of weekly
        means, fraction over 14 days), precision (share of the calls whose barrier was passed first), both with _low and _high (null where
        weeks are too few), base_rate (share of that outcome among all rows), lift (precision over base rate) and lift_in_weeks (over the
        rate among all rows of the same weeks: what is left of the lift when the choice of weeks counts for nothing).
    """
    known = frame.filter(pl.col("excess").is_not_null() & pl.col("forward_barrier").is_not_null())
    names = pl.DataFrame(
        {"signal": list(CLASSES), "call": list(CLASSES.values())}, schema_overrides={"signal": pl.Int8}
    )
    is_right = (pl.col("signal") == pl.col("forward_barrier")).cast(pl.Float64)
    happened = pl.concat(
        known.select(
            "as_of_week",
            signal=pl.lit(number, pl.Int8),
            happened=(pl.col("forward_barrier") == number).cast(pl.Float64),
        )
        for number in CLASSES
    )
    in_weeks = happened.group_by("as_of_week", "signal").agg(rate=pl.col("happened").mean())
    keys = ["signal", "call", *by]
    weekly = (
        known.with_columns(pl.col("signal").cast(pl.Int8), is_right=is_right)
        .join(names, on="signal")
        .join(in_weeks, on=["as_of_week", "signal"])
        .group_by("as_of_week", *keys)
        .agg(
            value=pl.col("excess").mean(),
            right=pl.col("is_right").sum(),
            rows=pl.len().cast(pl.Float64),
            expected=pl.col("rate").sum(),
        )
        .sort("as_of_week")
    )
    excess = summarise_weekly(weekly, block=block, by=keys).select(
        *keys, "weeks", mean_excess="mean", mean_excess_low="low", mean_excess_high="high"
    )
    figures: dict[str, pl.DataType] = dict.fromkeys(("precision", "precision_low", "precision_high"), pl.Float64())
    precisions = []
    for key, group in weekly.partition_by(keys, as_dict=True).items():
        measure = ratio_of_totals(group.select("right", "rows").to_numpy())
        precision = bootstrap_interval(measure, group.height, block=block)
        precisions.append((*key, precision.estimate, precision.low, precision.high))
    totals = weekly.group_by(keys).agg(pl.col("rows").sum().cast(pl.Int64), pl.col("right", "expected").sum())
    base_rates = happened.group_by("signal").agg(base_rate=pl.col("happened").mean())
    return (
        excess.join(
            pl.DataFrame(precisions, schema=dict(weekly.select(keys).schema) | figures, orient="row"),
            on=keys,
            nulls_equal=True,
        )
        .join(totals, on=keys, nulls_equal=True)
        .join(base_rates, on="signal")
        .with_columns(
            lift=pl.col("precision") / pl.col("base_rate"), lift_in_weeks=pl.col("right") / pl.col("expected")
        )
        .sort(keys, descending=[True, *[False] * (len(keys) - 1)], nulls_last=True)
        .select(
            *("call", *by, "rows", "weeks", "mean_excess", "mean_excess_low", "mean_excess_high"),
            *("precision", "precision_low", "precision_high", "base_rate", "lift", "lift_in_weeks"),
        )
    )


def worth_of_answers(frame: pl.DataFrame, answers: Sequence[str], *, block: int) -> pl.DataFrame:
    """What a true answer beside a call was worth against a false one, within the same weeks.

    Args:
        frame: One row a call, with the answers (boolean, nullable); neutral calls do not count.
        answers: Their columns.
        block: Weeks in a block.

    Returns:
        One row an answer and call: answer, call, share_true (of known answers), difference (of mean excess returns in the call's
        direction, true less false, mean over the weeks that have both; fraction over 14 days), difference_low, difference_high, weeks.
        Answers that never differ within a week are left out.
    """
    rows = []
    known = frame.filter((pl.col("signal") != 0) & pl.col("excess").is_not_null())
    for answer in answers:
        for number in (1, -1):
            called = known.filter((pl.col("signal") == number) & pl.col(answer).is_not_null())
            weekly = called.group_by("as_of_week", answer).agg(value=(pl.col("excess") * number).mean())
            yes, no = weekly.filter(pl.col(answer)), weekly.filter(~pl.col(answer))
            if yes.join(no, on="as_of_week", how="semi").is_empty():
                continue
            (difference,) = paired_difference(yes, no, block=block).iter_rows(named=True)
            share = called[answer].cast(pl.Float64).mean()
            bounds = (difference["mean"], difference["low"], difference["high"], difference["weeks"])
            rows.append((answer, CLASSES[number], share, *bounds))
    figures = ("share_true", "difference", "difference_low", "difference_high")
    schema = {"answer": pl.String, "call": pl.String} | dict.fromkeys(figures, pl.Float64) | {"weeks": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")
