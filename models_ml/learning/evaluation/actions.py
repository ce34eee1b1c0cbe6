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
        weeks are too few), base_rate (share of that outcome among all rows) and lift (precision over base rate).
    """
    known = frame.filter(pl.col("excess").is_not_null() & pl.col("forward_barrier").is_not_null())
    calls = pl.DataFrame(
        {"signal": list(CLASSES), "call": list(CLASSES.values())}, schema_overrides={"signal": pl.Int8}
    )
    chosen = known.with_columns(
        pl.col("signal").cast(pl.Int8), is_right=(pl.col("signal") == pl.col("forward_barrier")).cast(pl.Float64)
    ).join(calls, on="signal", maintain_order="left")
    keys = ["signal", "call", *by]
    weekly = chosen.group_by("as_of_week", *keys).agg(
        value=pl.col("excess").mean(), right=pl.col("is_right").sum(), rows=pl.len()
    )
    excess = summarise_weekly(weekly, block=block, by=keys).select(
        *keys, "weeks", pl.col("mean").alias("mean_excess"), mean_excess_low="low", mean_excess_high="high"
    )
    happened = {number: float((known["forward_barrier"] == number).mean() or 0.0) for number in CLASSES}
    rows = []
    for key, group in weekly.sort("as_of_week").partition_by(keys, as_dict=True).items():
        per_week = group.select(pl.col("right"), pl.col("rows").cast(pl.Float64)).to_numpy()
        precision = bootstrap_interval(ratio_of_totals(per_week), len(per_week), block=block)
        base_rate = happened[int(key[0])]
        lift = precision.estimate / base_rate if base_rate else None
        rows.append(
            (*key, int(group["rows"].sum()), precision.estimate, precision.low, precision.high, base_rate, lift)
        )
    figures = {"rows": pl.Int64} | dict.fromkeys(
        ("precision", "precision_low", "precision_high", "base_rate", "lift"), pl.Float64
    )
    precisions = pl.DataFrame(rows, schema={name: weekly.schema[name] for name in keys} | figures, orient="row")
    return (
        excess.join(precisions, on=keys, nulls_equal=True)
        .sort(keys, descending=[True, *[False] * (len(keys) - 1)], nulls_last=True)
        .select(
            *("call", *by, "rows", "weeks", "mean_excess", "mean_excess_low", "mean_excess_high"),
            *("precision", "precision_low", "precision_high", "base_rate", "lift"),
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
            share = float(called[answer].mean() or 0.0)
            bounds = (difference["mean"], difference["low"], difference["high"], difference["weeks"])
            rows.append((answer, CLASSES[number], share, *bounds))
    figures = ("share_true", "difference", "difference_low", "difference_high")
    schema = {"answer": pl.String, "call": pl.String} | dict.fromkeys(figures, pl.Float64) | {"weeks": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")
