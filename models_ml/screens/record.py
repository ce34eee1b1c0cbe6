"""The record of a screen: its hit rate beside those of its controls and of screens that pick at random, and what follows from it.

Belongs here: figures over followed picks, and the verdict that stands on the face of the screen.
Does not: outcomes (`outcomes.py`), controls (`controls.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from models_ml.learning.evaluation.hac import Floats
from models_ml.learning.evaluation.intervals import Interval, bootstrap_interval, ratio_of_totals
from models_ml.learning.evaluation.resampling import block_weeks
from models_ml.screens.controls import random_hit_rates
from models_ml.screens.outcomes import HORIZON_DAYS

BLOCK_WEEKS: Final = block_weeks(HORIZON_DAYS)

SHOWN_PERCENTILE: Final = 95.0
"""Percentile of the random screens that a screen has to pass."""

SKILL = (
    "skill beyond volatility: above {percentile:.1f} % of 1,000 random screens, {difference:+.1%} hits over controls of equal volatility "
    "and size, {sorting:+.1%} over a sort by volatility"
)
NO_SKILL = "no skill shown beyond volatility"
LUCK_PASSED = "{no_skill}: above {percentile:.1f} % of 1,000 random screens, but not surely better than {rival}"
TOO_FEW = f"{NO_SKILL}: too few weeks have ended"


@dataclass(frozen=True)
class Record:
    """A screen's record over picks whose outcome is known; shares are fractions 0-1, null where nothing is known.

    Attributes:
        weeks: Weeks with a known pick.
        picks_known: Picks with a known outcome.
        picks_open: Picks whose outcome is not known yet.
        hit_rate: Share of the known picks that held 2x.
        controls_hit_rate: The same of their controls, each pick counting once.
        universe_hit_rate: The same of all tokens of the universe, each week counting by its picks.
        lift: hit_rate over universe_hit_rate.
        difference: hit_rate minus controls_hit_rate, over picks that have known controls, with its interval.
        over_volatility: hit_rate minus that of a screen that picks as many of the most volatile tokens (90 days), with its interval.
        random_percentile: Share (0-100) of the random screens that did worse, ties counting half.
        halved_rate: Share of the known picks that fell to half of their entry.
        median_return_90d: Median return of the known picks, before costs.
    """

    weeks: int
    picks_known: int
    picks_open: int
    hit_rate: float | None
    controls_hit_rate: float | None
    universe_hit_rate: float | None
    lift: float | None
    difference: Interval
    over_volatility: Interval
    random_percentile: float | None
    halved_rate: float | None
    median_return_90d: float | None

    @property
    def verdict(self) -> str:
        """What the record shows, in words.

        Controls are of the same fifth by volatility only: within the wildest fifth the wilder double more often, and a screen that picked
        those would beat its controls on a market in which nothing but volatility can be known. Hence the sort as a second rival.
        """
        low, sorting, percentile = self.difference.low, self.over_volatility.low, self.random_percentile
        if low is None or sorting is None or percentile is None:
            return TOO_FEW
        if percentile < SHOWN_PERCENTILE:
            return NO_SKILL
        if low > 0 and sorting > 0:
            return SKILL.format(
                percentile=percentile, difference=self.difference.estimate, sorting=self.over_volatility.estimate
            )
        rival = "its controls" if low <= 0 else "a sort by volatility"
        return LUCK_PASSED.format(no_skill=NO_SKILL, percentile=percentile, rival=rival)


def screen_record(
    picks: pl.DataFrame, controls: pl.DataFrame, universe: pl.DataFrame, *, drawn: Floats | None = None
) -> Record:
    """Figures of a screen.

    Args:
        picks: One row a week and pick: as_of_week, token_id, is_success (null while unknown), has_halved, return_90d.
        controls: One row a week, pick and control: as_of_week, pick_token_id, is_success, return_90d.
        universe: One row a week and token: as_of_week, token_id, is_success, return_90d, volatility_90d (null where unknown).
        drawn: Hit rates of the random screens (`controls.random_hit_rates`), where many screens of one size and period are judged.

    A success of a window that is still open does not count yet: known early, it would make the newest weeks look good.
    """
    known = picks.filter(_is_known())
    count = known.height
    of_controls = (
        controls.filter(_is_known())
        .group_by("as_of_week", token_id=pl.col("pick_token_id"))
        .agg(controls=pl.col("is_success").cast(pl.Float64).mean())
    )
    paired = known.join(of_controls, on=["as_of_week", "token_id"], how="inner")
    weekly = (
        paired.group_by("as_of_week")
        .agg(gap=(pl.col("is_success").cast(pl.Float64) - pl.col("controls")).sum(), picks=pl.len().cast(pl.Float64))
        .sort("as_of_week")
    )
    difference = bootstrap_interval(
        ratio_of_totals(weekly.select("gap", "picks").to_numpy()), weekly.height, block=BLOCK_WEEKS
    )
    settled = universe.filter(_is_known())
    sizes = known.group_by("as_of_week").agg(picks=pl.len())
    drawn = random_hit_rates(settled, sizes) if drawn is None else drawn
    over_volatility = bootstrap_interval(
        ratio_of_totals(_against_sort(known, settled, sizes)), sizes.height, block=BLOCK_WEEKS
    )
    hit_rate = _mean(known["is_success"])
    base = _mean_over_weeks(settled, sizes)
    percentile = None
    if len(drawn) and hit_rate is not None:
        percentile = float(100 * ((drawn < hit_rate).mean() + (drawn == hit_rate).mean() / 2))
    median = known["return_90d"].median()
    return Record(
        weeks=known["as_of_week"].n_unique(),
        picks_known=count,
        picks_open=picks.height - count,
        hit_rate=hit_rate,
        controls_hit_rate=_mean(paired["controls"]),
        universe_hit_rate=base,
        lift=hit_rate / base if hit_rate is not None and base else None,
        difference=difference,
        over_volatility=over_volatility,
        random_percentile=percentile,
        halved_rate=_mean(known["has_halved"]),
        median_return_90d=float(median) if isinstance(median, float) else None,
    )


def _against_sort(known: pl.DataFrame, settled: pl.DataFrame, sizes: pl.DataFrame) -> Floats:
    """By week: hits of the picks minus those of as many of the most volatile tokens, and the number of picks."""
    wildest = (
        settled.join(sizes, on="as_of_week")
        .sort("as_of_week", "volatility_90d", "token_id", descending=[False, True, False], nulls_last=True)
        .with_columns(place=pl.int_range(1, pl.len() + 1).over("as_of_week"))
        .filter(pl.col("place") <= pl.col("picks"))
        .group_by("as_of_week")
        .agg(share=pl.col("is_success").cast(pl.Float64).mean())
    )
    ours = known.group_by("as_of_week").agg(
        hits=pl.col("is_success").cast(pl.Float64).sum(), picks=pl.len().cast(pl.Float64)
    )
    weekly = ours.join(wildest, on="as_of_week").sort("as_of_week")
    return np.asarray(
        weekly.select(pl.col("hits") - pl.col("share") * pl.col("picks"), "picks").to_numpy(), dtype=np.float64
    )


def _is_known() -> pl.Expr:
    """Rows that count: the outcome and the return over the whole window are known."""
    return pl.col("is_success").is_not_null() & pl.col("return_90d").is_not_null()


def _mean(values: pl.Series) -> float | None:
    numbers = values.cast(pl.Float64).drop_nulls().to_numpy()
    return float(np.mean(numbers)) if len(numbers) else None


def _mean_over_weeks(settled: pl.DataFrame, sizes: pl.DataFrame) -> float | None:
    """Hit rate of the universe, each week weighing as much as it has picks."""
    weekly = (
        settled.group_by("as_of_week")
        .agg(rate=pl.col("is_success").cast(pl.Float64).mean())
        .join(sizes, on="as_of_week")
    )
    if weekly.is_empty():
        return None
    weight = weekly["picks"].cast(pl.Float64)
    return float(np.average(weekly["rate"].to_numpy(), weights=weight.to_numpy()))
