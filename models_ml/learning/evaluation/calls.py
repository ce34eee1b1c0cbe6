"""What came of calls: precision against base rates as published, and how often the opposite of the strongest ones happened.

Belongs here: hit rates of bullish, neutral and bearish calls, with intervals over blocks of weeks.
Does not: how a call is made (`models_ml.learning.signals`), whether its probabilities are right (`probabilities.py`).

A frame has one row a week and token: as_of_week, the call (1, 0, -1), the outcome (1, 0, -1; rows where one is null do not count).
Published and backfilled calls are judged apart: filter before.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from models_ml.learning.evaluation.hac import Floats
from models_ml.learning.evaluation.intervals import bootstrap_interval, ratio_of_totals
from models_ml.learning.evaluation.probabilities import CLASSES, known_rows, totals_by_week
from models_ml.learning.evaluation.resampling import Counts

STRONGEST_SHARE = 0.1


def call_precision(
    frame: pl.DataFrame, *, block: int, signal: str = "signal", outcome: str = "forward_barrier"
) -> pl.DataFrame:
    """How often each call was right, beside how often its outcome happens anyway.

    Args:
        frame: as_of_week, the call, the outcome.
        block: Weeks in a block.
        signal: Column of calls, as published (after hysteresis, where there is one).
        outcome: Column of what happened.

    Returns:
        One row a call that was made, bullish first: call, rows, share_of_rows, precision (share that was right), base_rate (of its
        outcome, over all rows), lift (precision over base rate), opposite (share whose opposite happened; null of neutral),
        opposite_base_rate; share_of_rows, precision, lift and opposite with _low and _high.
    """
    rows = known_rows(frame, signal, outcome)
    called, happened = rows[signal].to_numpy(), rows[outcome].to_numpy()
    table = []
    for number, name in CLASSES.items():
        chosen = (called == number).astype(np.float64)
        if chosen.any():
            table.append({"call": name} | _judged(rows, chosen, happened, number, block))
    return pl.DataFrame(table, infer_schema_length=None).with_columns(pl.col("^opposite.*$").cast(pl.Float64))


def strongest_calls(
    frame: pl.DataFrame, *, block: int, share: float = STRONGEST_SHARE, outcome: str = "forward_barrier"
) -> pl.DataFrame:
    """The rows whose P(bullish) - P(bearish) is most extreme: is it direction they know, or only that the token moves a lot?

    A model that mistakes volatility for direction has more of the opposite outcome there, too: `opposite` above its base rate.

    Args:
        frame: as_of_week, p_bullish, p_bearish, the outcome.
        block: Weeks in a block.
        share: Of all rows, at each end.
        outcome: Column of what happened.

    Returns:
        The columns of `call_precision` for the bullish and the bearish end.

    Raises:
        ValueError: `share` is not above 0 and at most one half.
    """
    if not 0 < share <= 0.5:
        raise ValueError(f"share is {share:g}; the two ends are a fraction of the rows each, above 0 and at most 0.5")
    rows = known_rows(frame, "p_bullish", "p_bearish", outcome)
    edge = (rows["p_bullish"] - rows["p_bearish"]).to_numpy()
    low, high = np.quantile(edge, [share, 1 - share])
    happened = rows[outcome].to_numpy()
    ends = {1: edge >= high, -1: edge <= low}
    return pl.DataFrame(
        [
            {"call": CLASSES[number]} | _judged(rows, chosen.astype(np.float64), happened, number, block)
            for number, chosen in ends.items()
        ]
    )


def _judged(
    rows: pl.DataFrame, chosen: Floats, happened: Floats, number: int, block: int
) -> dict[str, float | int | None]:
    """Figures of the chosen rows as calls of the class `number`."""
    right, opposite = (happened == number).astype(np.float64), (happened == -number).astype(np.float64)
    per_week = totals_by_week(rows, np.ones(len(chosen)), chosen, right, chosen * right, opposite, chosen * opposite)
    everything, calls, all_right, called_right, all_opposite, called_opposite = per_week.T

    def lift(counts: Counts) -> Floats:
        totals = counts @ per_week
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(totals[:, 3] / totals[:, 1] / (totals[:, 2] / totals[:, 0]), dtype=np.float64)

    measures = {
        "share_of_rows": ratio_of_totals(np.column_stack([calls, everything])),
        "precision": ratio_of_totals(np.column_stack([called_right, calls])),
        "lift": lift,
        "opposite": ratio_of_totals(np.column_stack([called_opposite, calls])),
    }
    figures: dict[str, float | int | None] = {"rows": int(chosen.sum())}
    for name, measure in measures.items():
        interval = bootstrap_interval(measure, len(per_week), block=block)
        is_void = np.isnan(interval.estimate) or (name == "opposite" and number == 0)
        bounds = {f"{name}_low": interval.low, f"{name}_high": interval.high}
        figures |= {key: None if is_void else value for key, value in ({name: interval.estimate} | bounds).items()}
    figures["base_rate"] = float(all_right.sum() / everything.sum())
    figures["opposite_base_rate"] = None if number == 0 else float(all_opposite.sum() / everything.sum())
    return figures
