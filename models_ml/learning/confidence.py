"""Confidence: how much a model can know of a row, from its novelty, from drift and from the model's age.

Belongs here: the formula, and the figures by which a model is watched.
Does not: novelty and drift themselves (`training_profile.py`), which model is in force (`orchestration/lib`).

It says how like its training the present is, not how often a grade is right: the formula is fixed and fitted to no outcome.
"""

from __future__ import annotations

import polars as pl

SHIFTED = 0.25
"""Population stability index above which a column counts as drifted (Siddiqi 2006, Credit Risk Scorecards, ch. 9)."""

NOVEL_ROW = 0.1
"""A row is novel with more than this share of its known columns outside their range in training: ten times the usual share."""

NOVELTY_WEIGHT = 2.0
"""Confidence lost a unit of novelty: nothing is left where half of the columns are outside."""

DRIFT_WEIGHT = 0.5
"""Confidence lost where every column has drifted. Half, because ranks within the week take most of what all tokens share out again."""

EXPIRED_CAP = 0.5
"""Highest confidence of a model that has expired."""


def confidence(novelty: pl.Series, *, drifted_share: float, is_expired: bool) -> pl.Series:
    """`(1 - 2 * novelty) * (1 - drifted_share / 2)`, at least 0, and at most `EXPIRED_CAP` where the model has expired.

    Args:
        novelty: Share (0-1) of a row's columns outside their range in training.
        drifted_share: Share (0-1) of the model's columns with a population stability index above `SHIFTED`.
        is_expired: Whether the model is older than `calendar.EXPIRES_AFTER_DAYS`.

    Returns:
        `confidence`, 0 to 1 in the order of `novelty`; null where that is.
    """
    known = (1 - NOVELTY_WEIGHT * novelty).clip(0.0, 1.0) * (1 - DRIFT_WEIGHT * drifted_share)
    return known.clip(0.0, EXPIRED_CAP if is_expired else 1.0).alias("confidence")


def drifted_share(drift: pl.DataFrame) -> float:
    """Share of the columns of a week that have drifted: the rows of `drift_by_week` with a psi above `SHIFTED`; 0 without any."""
    return float((drift["psi"] > SHIFTED).sum() / drift.height) if drift.height else 0.0


def watched_figures(drift: pl.DataFrame, novelty: pl.Series, *, age_days: int) -> dict[str, float | None]:
    """The figures by which a model is watched in a week, by metric.

    Args:
        drift: feature, psi of the week.
        novelty: Of each of the week's rows.
        age_days: Days since the refit.

    Returns:
        psi_max, psi_mean, columns_compared, columns_drifted, novel_row_share (0-1), age_days; null where there is nothing to measure.
    """
    known = novelty.drop_nulls()
    return {
        "psi_max": _number(drift["psi"].max()),
        "psi_mean": _number(drift["psi"].mean()),
        "columns_compared": float(drift.height),
        "columns_drifted": float((drift["psi"] > SHIFTED).sum()),
        "novel_row_share": _number((known > NOVEL_ROW).mean()),
        "age_days": float(age_days),
    }


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None
