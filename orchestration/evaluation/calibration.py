"""Whether calibration helps: candidates fitted on the past of each year and judged on the year.

Belongs here: the section of docs/results/calls.md on calibration.
Does not: the candidates (`models_ml.learning.calibration`), the probabilities as published (`calls.py`).
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

from models_ml.learning.calendar import TRADER_HORIZON_DAYS, purge_days
from models_ml.learning.calibration import CALIBRATORS
from models_ml.learning.evaluation.intervals import paired_difference
from models_ml.learning.evaluation.probabilities import calibration_error, known_rows, one_class, top_label
from models_ml.learning.evaluation.resampling import block_weeks
from models_ml.learning.signals import outcome_probabilities
from orchestration.evaluation.history import FIRST_WEEK, KEYS, History
from orchestration.lib.metadata import markdown_table

BLOCK = block_weeks(TRADER_HORIZON_DAYS)
TARGETS = {"both": (True, True), "P(move)": (True, False), "P(up given move)": (False, True)}
"""Which of the two probabilities a candidate maps."""


def section(history: History) -> str:
    """Brier score and calibration error of each candidate, paired against raw."""
    said = history.query(
        """select as_of_week, token_id, 1 - p_neutral as p_move, p_bullish / nullif(1 - p_neutral, 0) as p_up_given_move
        from learning.trading_signals_current"""
    )
    rows = known_rows(
        said.join(history.labels.select(*KEYS, "forward_barrier"), on=KEYS),
        "p_move",
        "p_up_given_move",
        "forward_barrier",
    )
    variants = {"raw": calibrated(rows, "raw", maps_move=False, maps_up=False)}
    for name in CALIBRATORS:
        if name != "raw":
            for target, (maps_move, maps_up) in TARGETS.items():
                variants[f"{name}, {target}"] = calibrated(rows, name, maps_move=maps_move, maps_up=maps_up)
    reference = weekly_brier(variants["raw"])
    table = []
    for name, judged in variants.items():
        own = weekly_brier(judged)
        gain = paired_difference(reference, own, block=BLOCK).select("mean", "low", "high").row(0)
        errors = (
            calibration_error(top_label(judged), probability="p_top", outcome="is_right", block=BLOCK)[0].estimate,
            calibration_error(one_class(judged, "bullish"), probability="p_class", outcome="is_class", block=BLOCK)[
                0
            ].estimate,
            calibration_error(one_class(judged, "bearish"), probability="p_class", outcome="is_class", block=BLOCK)[
                0
            ].estimate,
        )
        table.append((name, own["value"].mean(), *gain, *errors))
    columns = ["variant", "brier", "gain", "gain_low", "gain_high", "error_top", "error_bullish", "error_bearish"]
    shown = pl.DataFrame(table, schema=columns, orient="row")
    best = shown.filter((pl.col("variant") != "raw") & (pl.col("gain_low") > 0))
    verdict = (
        "no candidate is surely better, so raw probabilities are published"
        if best.is_empty()
        else (f"{', '.join(best['variant'])} would be better than the raw probabilities that are published")
    )
    return (
        "## Calibration\n\nEach candidate is fitted on the published probabilities and outcomes that had ended before a year and judged on "
        f"the year. Mean weekly Brier score, its gain over raw paired by week, and calibration errors: {verdict}.\n\n"
        + markdown_table(shown)
    )


def calibrated(rows: pl.DataFrame, name: str, *, maps_move: bool, maps_up: bool) -> pl.DataFrame:
    """The rows from 2020 on with p_move and p_up_given_move as a candidate maps them, and the three probabilities of outcomes.

    Args:
        rows: as_of_week, p_move, p_up_given_move, forward_barrier (-1, 0, 1), no nulls.
        name: Candidate.
        maps_move: Whether P(move) is mapped.
        maps_up: Whether P(up | move) is mapped.
    """
    fit = CALIBRATORS[name]
    parts = []
    weeks = rows["as_of_week"]
    for year in sorted(set(weeks.dt.year()) & set(range(FIRST_WEEK.year, 9999))):
        ended = rows.filter(pl.col("as_of_week") < date(year, 1, 1) - timedelta(days=purge_days(TRADER_HORIZON_DAYS)))
        current = rows.filter(pl.col("as_of_week").dt.year() == year)
        moved = ended.filter(pl.col("forward_barrier") != 0)
        mapped = {}
        if maps_move:
            happened = (ended["forward_barrier"] != 0).to_numpy().astype(np.float64)
            mapped["p_move"] = fit(ended["p_move"].to_numpy(), happened)(current["p_move"].to_numpy())
        if maps_up:
            happened = (moved["forward_barrier"] > 0).to_numpy().astype(np.float64)
            up = fit(moved["p_up_given_move"].to_numpy(), happened)
            mapped["p_up_given_move"] = up(current["p_up_given_move"].to_numpy())
        parts.append(current.with_columns(pl.Series(column, values) for column, values in mapped.items()))
    return outcome_probabilities(pl.concat(parts))


def weekly_brier(judged: pl.DataFrame) -> pl.DataFrame:
    """Mean squared error of the three probabilities by week: as_of_week, value."""
    outcome = pl.col("forward_barrier")
    error = sum(
        (pl.col(f"p_{name}") - (outcome == side).cast(pl.Float64)) ** 2
        for name, side in (("bullish", 1), ("neutral", 0), ("bearish", -1))
    )
    return judged.group_by("as_of_week").agg(value=error.mean()).sort("as_of_week")  # type: ignore[union-attr]  # a sum of expressions
