"""Whether probabilities mean what they say: Brier score, skill over base rates, calibration error, calibration slope.

Belongs here: scores of probabilities against outcomes, with intervals over blocks of weeks.
Does not: calibrating (the models), what is called on top of them (`calls.py`), ordering by them (`discrimination.py`).

A frame has one row a week and token: as_of_week, the probabilities, and the outcome. Rows where one of them is unknown do not count.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl

from models_ml.learning.evaluation.hac import Floats
from models_ml.learning.evaluation.intervals import Interval, bootstrap_interval, ratio_of_totals
from models_ml.learning.evaluation.resampling import Counts

CLASSES = {1: "bullish", 0: "neutral", -1: "bearish"}
"""Outcome of a call by its number; the probability of each stands in p_<name>."""

BINS = 15


def known_rows(frame: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """Rows with finite values in all the columns, which become Float64; by week.

    Raises:
        ValueError: There is none.
    """
    numbers = frame.with_columns(pl.col(columns).cast(pl.Float64))
    known = numbers.filter(pl.all_horizontal(pl.col(columns).is_finite().fill_null(False)))
    if known.is_empty():
        raise ValueError(
            f"no row of {frame.height} has all of {list(columns)}; join the outcomes before judging probabilities"
        )
    return known.sort("as_of_week", maintain_order=True)


def totals_by_week(rows: pl.DataFrame, *columns: Floats) -> Floats:
    """Sums of columns over the rows of each week, one row a week in order of time.

    Args:
        rows: as_of_week, sorted.
        columns: One value a row each.
    """
    week = rows["as_of_week"].rank("dense").to_numpy().astype(np.int64) - 1
    return np.column_stack([np.bincount(week, weights=column) for column in columns])


def class_outcomes(rows: pl.DataFrame, outcome: str) -> dict[str, Floats]:
    """1 where an outcome (1, 0, -1) is that of the class, else 0; by the class's name."""
    values = rows[outcome].to_numpy()
    return {name: (values == number).astype(np.float64) for number, name in CLASSES.items()}


def brier_scores(frame: pl.DataFrame, *, block: int, outcome: str = "forward_barrier") -> dict[str, Interval]:
    """Brier scores of three classes, and their skill over the base rates of the same rows.

    B = mean over rows of the sum over classes of (p - o)^2, o being 1 for the class that happened; 0 is best and 2 worst (Brier 1950,
    Verification of Forecasts Expressed in Terms of Probability, Monthly Weather Review 78). Skill is 1 - B / B of the base rates,
    which are those of the resample: a forecast that knew the mean frequencies in advance is the one to beat.

    Args:
        frame: as_of_week, p_bullish, p_neutral, p_bearish, the outcome (1, 0, -1).
        block: Weeks in a block.
        outcome: Column of what happened.

    Returns:
        Intervals of 'brier', 'brier_base_rates', 'brier_skill'.
    """
    rows = known_rows(frame, *(f"p_{name}" for name in CLASSES.values()), outcome)
    happened = class_outcomes(rows, outcome)
    squared = np.sum(
        [np.square(rows[f"p_{name}"].to_numpy() - of_class) for name, of_class in happened.items()], axis=0
    )
    return _brier_intervals(totals_by_week(rows, np.ones(rows.height), squared, *happened.values()), block)


def binary_brier_scores(frame: pl.DataFrame, *, probability: str, outcome: str, block: int) -> dict[str, Interval]:
    """The same of one probability and an outcome of 0 or 1 (mean of (p - o)^2, half of what two classes would add up to)."""
    rows = known_rows(frame, probability, outcome)
    happened = rows[outcome].to_numpy()
    squared = np.square(rows[probability].to_numpy() - happened)
    # The two classes' parts of the base rates' score are equal: half of each gives that of one.
    doubled = totals_by_week(rows, np.ones(rows.height), 2 * squared, happened, 1 - happened)
    return _brier_intervals(doubled, block, scale=0.5)


def _brier_intervals(per_week: Floats, block: int, *, scale: float = 1.0) -> dict[str, Interval]:
    """Intervals from weekly sums of ones, of squared errors, and of each class's outcomes."""

    def of_base_rates(counts: Counts) -> Floats:
        totals = counts @ per_week
        rates = totals[:, 2:] / totals[:, :1]
        return np.asarray((rates * (1 - rates)).sum(axis=1) * scale, dtype=np.float64)

    score = ratio_of_totals(per_week[:, [1, 0]] * [scale, 1.0])

    def skill(counts: Counts) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(1 - score(counts) / of_base_rates(counts), dtype=np.float64)

    measures: dict[str, Callable[[Counts], Floats]] = {
        "brier": score,
        "brier_base_rates": of_base_rates,
        "brier_skill": skill,
    }
    return {name: bootstrap_interval(measure, len(per_week), block=block) for name, measure in measures.items()}


def calibration_error(
    frame: pl.DataFrame, *, probability: str, outcome: str, block: int, bins: int = BINS
) -> tuple[Interval, pl.DataFrame]:
    """Expected calibration error over bins of equal counts, and the reliability table behind it.

    ECE = sum over bins of n_b / n |mean p - mean o|. The bins are those of the whole sample, in the resamples too. Chance can only
    raise an ECE, so the interval is centred on the estimate, and its lower bound is at least 0.

    Args:
        frame: as_of_week, the probability, the outcome (0 or 1).
        probability: Column of probabilities.
        outcome: Column of what happened.
        block: Weeks in a block.
        bins: Number of bins; fewer where probabilities are tied, rows of one probability stay together.

    Returns:
        The interval, and one row a bin: bin, rows, mean_probability, frequency.

    Source: Naeini, Cooper, Hauskrecht (2015), Obtaining Well Calibrated Probabilities Using Bayesian Binning, AAAI; bins of equal
    counts after Nixon et al. (2019), Measuring Calibration in Deep Learning.
    """
    rows = known_rows(frame, probability, outcome)
    place = ((rows[probability].rank("average") - 0.5) / rows.height * bins).floor().cast(pl.Int64).rank(
        "dense"
    ).to_numpy() - 1
    values, happened = rows[probability].to_numpy(), rows[outcome].to_numpy()
    in_bin = [(place == number).astype(np.float64) for number in range(int(place.max()) + 1)]
    gaps = totals_by_week(rows, *(inside * (values - happened) for inside in in_bin))
    sizes = totals_by_week(rows, np.ones(rows.height))

    def measure(counts: Counts) -> Floats:
        return np.asarray(np.abs(counts @ gaps).sum(axis=1) / (counts @ sizes)[:, 0], dtype=np.float64)

    table = (
        pl.DataFrame({"bin": place.astype(np.int64) + 1, "p": values, "o": happened})
        .group_by("bin")
        .agg(rows=pl.len().cast(pl.Int64), mean_probability=pl.col("p").mean(), frequency=pl.col("o").mean())
        .sort("bin")
    )
    interval = bootstrap_interval(measure, len(gaps), block=block, is_centred=True)
    return replace(interval, low=None if interval.low is None else max(interval.low, 0.0)), table


def top_label(frame: pl.DataFrame, *, outcome: str = "forward_barrier") -> pl.DataFrame:
    """The likeliest class of each row: as_of_week, p_top (its probability), is_right (0 or 1); input of `calibration_error`."""
    names = [f"p_{name}" for name in CLASSES.values()]
    rows = known_rows(frame, *names, outcome)
    probabilities = rows.select(names).to_numpy()
    happened = np.column_stack(list(class_outcomes(rows, outcome).values()))
    best = probabilities.argmax(axis=1)
    every = np.arange(rows.height)
    return rows.select(
        "as_of_week", p_top=pl.Series(probabilities[every, best]), is_right=pl.Series(happened[every, best])
    )


def one_class(frame: pl.DataFrame, name: str, *, outcome: str = "forward_barrier") -> pl.DataFrame:
    """One class against the others: as_of_week, p_class, is_class (0 or 1); input of `calibration_error` and `calibration_slopes`.

    Args:
        frame: as_of_week, p_<name>, the outcome (1, 0, -1), and anything else, which stays.
        name: 'bullish', 'neutral' or 'bearish'.
        outcome: Column of what happened.
    """
    rows = known_rows(frame, f"p_{name}", outcome)
    return rows.with_columns(p_class=f"p_{name}", is_class=pl.Series(class_outcomes(rows, outcome)[name]))
