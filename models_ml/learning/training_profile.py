"""What the columns of a model looked like in its training: kept beside it, so that the present can be held against it.

Belongs here: the values behind a model's columns, the hash of its training data, the profile, drift and novelty against it.
Does not: the statistics (`evaluation/stability.py`), what follows for a grade (`confidence.py`), files (`orchestration/lib/registry.py`).
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from models_ml.learning.dataset import KEYS, MARKET_COLUMNS, RATIOS
from models_ml.learning.evaluation.stability import (
    bin_shares,
    novelty,
    quantile_edges,
    stability_of_shares,
    training_ranges,
)

RANK_PREFIX = "rank_"

DRIFT_WEEKS = 13
"""Weeks whose rows are held against training together."""

WEEK = timedelta(days=7)

PROFILE_SCHEMA = pl.Schema(
    {
        "feature": pl.String(),
        "low": pl.Float64(),
        "high": pl.Float64(),
        "edges": pl.List(pl.Float64()),
        "shares": pl.List(pl.Float64()),
    }
)


def values_behind(rows: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """The values that a model's columns are made of, under the names of the columns.

    A rank stands for the feature it ranks: ranks are spread evenly over 0 to 1 whatever the market does, so they can neither drift
    nor be new. Ratios and the state of the market are values already.

    Args:
        rows: One row a week and token with the features and market columns that `dataset.model_frame` takes.
        columns: Columns of a model.

    Returns:
        One Float64 column a column of the model, in the order of `rows`; unknown values null.
    """
    return rows.select(_value_behind(name).cast(pl.Float64).fill_nan(None).alias(name) for name in columns)


def training_profile(rows: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Range and deciles of each column in training.

    Args:
        rows: The rows of the training weeks, as `values_behind` takes them.
        columns: Columns of the model.

    Returns:
        One row a column, in their order: feature, low and high (quantiles 0.5 % and 99.5 %, null where never known), edges (the inner
        decile edges, ties merged), shares (share of the rows in each bin, and last of the unknown ones).
    """
    # Each column sorted by itself: a quantile of sorted values is a look-up.
    values = values_behind(rows, columns).select(pl.all().sort())
    edges = [quantile_edges(values[name]) for name in columns]
    shares = [bin_shares(values[name], inner).tolist() for name, inner in zip(columns, edges, strict=True)]
    ranges = training_ranges(values, columns)
    return ranges.with_columns(
        pl.Series("edges", [inner.tolist() for inner in edges], dtype=pl.List(pl.Float64)),
        pl.Series("shares", shares, dtype=pl.List(pl.Float64)),
    ).cast(PROFILE_SCHEMA)


def drift_by_week(profile: pl.DataFrame, rows: pl.DataFrame, weeks: Sequence[date]) -> pl.DataFrame:
    """Population stability index of each column of a token between training and the `DRIFT_WEEKS` weeks up to each week.

    A quarter of weeks, because in any single one all returns have moved together. The state of the market is left out: it has one value
    a week.

    Args:
        profile: As `training_profile` gives it.
        rows: The rows of the weeks and of those before them, as `values_behind` takes them, with as_of_week.
        weeks: The weeks to judge, at least one.

    Returns:
        as_of_week, feature, psi, by week and in the order of the profile; columns never known in training are left out, and weeks
        without a row in the quarter up to them.
    """
    judged = [row for row in profile.iter_rows(named=True) if row["feature"] not in MARKET_COLUMNS and row["edges"]]
    rows = rows.filter(pl.col("as_of_week").is_between(min(weeks) - DRIFT_WEEKS * WEEK, max(weeks)))
    values = values_behind(rows, [row["feature"] for row in judged])
    present = sorted(rows["as_of_week"].unique())
    place = np.searchsorted(np.array(present, dtype="datetime64[D]"), rows["as_of_week"].to_numpy())
    spans = [(bisect_right(present, week - DRIFT_WEEKS * WEEK), bisect_right(present, week)) for week in weeks]
    found: list[tuple[date, str, float]] = []
    for row in judged:
        counts = _counts_by_week(values[row["feature"]], row["edges"], place, len(present))
        for week, (start, end) in zip(weeks, spans, strict=True):
            total = counts[start:end].sum(axis=0)
            if total.sum():
                found.append((week, row["feature"], stability_of_shares(row["shares"], total / total.sum())))
    order = pl.Enum([row["feature"] for row in judged])
    table = pl.DataFrame(found, schema={"as_of_week": pl.Date, "feature": order, "psi": pl.Float64}, orient="row")
    return table.sort("as_of_week", "feature").cast({"feature": pl.String})


def novelty_against(profile: pl.DataFrame, rows: pl.DataFrame) -> pl.Series:
    """Share of each row's known columns whose value lies outside the middle 99 % of training.

    Args:
        profile: As `training_profile` gives it.
        rows: One row a token and day, as `values_behind` takes them.

    Returns:
        `novelty`, 0 to 1 in the order of `rows`, about 0.01 for rows like those of training; null where no column is known.
    """
    values = values_behind(rows, profile["feature"].to_list())
    return novelty(values, profile.select("feature", "low", "high"))


def data_hash(frame: pl.DataFrame, columns: Sequence[str]) -> str:
    """sha256 over rows sorted by their keys: the keys, and the chosen columns of features and labels.

    It depends on the values alone: not on the order of the rows, nor on how a frame is laid out in memory. Every missing value counts
    the same, null or NaN.

    Args:
        frame: One row a key; the keys of `dataset.KEYS` that it has, and `columns`.
        columns: Columns to hash, in this order.
    """
    keys = [name for name in KEYS if name in frame.columns]
    ordered = frame.select(*keys, *columns).sort(keys)
    digest = hashlib.sha256()
    for name in ordered.columns:
        digest.update(f"{name}\0{ordered.height}\0".encode())
        digest.update(_bytes_of(ordered[name]))
    return digest.hexdigest()


def _counts_by_week(
    values: pl.Series, edges: Sequence[float], place: npt.NDArray[np.int64], weeks: int
) -> npt.NDArray[np.int64]:
    """Rows of each week (first axis) in each bin, the unknown ones last; binned as `stability.bin_shares` does."""
    numbers = values.fill_null(float("nan")).to_numpy()
    bins = np.where(np.isnan(numbers), len(edges) + 1, np.searchsorted(np.asarray(edges), numbers, side="left"))
    width = len(edges) + 2
    return np.bincount(place * width + bins, minlength=weeks * width).reshape(weeks, width)


def _value_behind(column: str) -> pl.Expr:
    if column in RATIOS:
        return RATIOS[column]
    return pl.col(column.removeprefix(RANK_PREFIX))


def _bytes_of(column: pl.Series) -> bytes:
    """The values of a column as bytes that are the same on every machine and in every process."""
    if column.dtype == pl.String:
        return "\0".join(column.to_list()).encode()
    if column.dtype == pl.Date:
        return column.to_physical().to_numpy().astype("<i4").tobytes()
    values: npt.NDArray[np.float64] = column.cast(pl.Float64).fill_null(float("nan")).to_numpy().astype("<f8")
    return np.where(np.isnan(values), np.nan, values).tobytes()
