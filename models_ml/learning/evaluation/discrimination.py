"""Whether P(up | move) tells risers from fallers: among the tokens of a week (selection), and rising weeks from falling ones (timing).

Belongs here: areas under the ROC curve within and across weeks, each with its interval.
Does not: whether the probabilities are right in size (`probabilities.py`), published calls (`calls.py`).

The two are kept apart because they are different skills, and pooled over rows one could pass for the other: a model that only knows that
markets rise in some years has a pooled AUC above one half and picks no token. An AUC is the share of pairs of a riser and a faller in
which the riser has the higher probability, ties counting half (Hanley, McNeil 1982, Radiology 143(1)).
"""

from __future__ import annotations

import numpy as np
import polars as pl

from models_ml.learning.evaluation.hac import Floats
from models_ml.learning.evaluation.intervals import Interval, bootstrap_interval, ratio_of_totals
from models_ml.learning.evaluation.probabilities import known_rows
from models_ml.learning.evaluation.resampling import Counts

DIRECTION = "p_up_given_move"


def with_direction(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with p_move and p_up_given_move made of p_bullish, p_neutral and p_bearish; the latter null where no move is possible."""
    moves = pl.col("p_bullish") + pl.col("p_bearish")
    return frame.with_columns(
        p_move=1 - pl.col("p_neutral"), **{DIRECTION: pl.when(moves > 0).then(pl.col("p_bullish") / moves)}
    )


def weekly_auc(frame: pl.DataFrame, *, probability: str = DIRECTION, outcome: str = "forward_barrier") -> pl.DataFrame:
    """AUC among the tokens of each week that moved.

    Args:
        frame: One row a week and token: as_of_week, the probability, the outcome (1 up, -1 down, 0 no move; 0 does not count).
        probability: Column whose high values are to precede 1.
        outcome: Column of what happened.

    Returns:
        as_of_week, value (0 to 1), pairs (risers times fallers), by week; weeks without a pair are left out.
    """
    moved = known_rows(frame, probability, outcome).filter(pl.col(outcome) != 0)
    is_up = pl.col(outcome) > 0
    place = pl.col(probability).rank("average")
    return (
        moved.group_by("as_of_week")
        .agg(
            # Mann-Whitney: the ranks of the risers less what they would sum to among themselves.
            won=place.filter(is_up).sum() - is_up.sum() * (is_up.sum() + 1) / 2,
            pairs=is_up.sum().cast(pl.Int64) * (~is_up).sum().cast(pl.Int64),
        )
        .filter(pl.col("pairs") > 0)
        .select("as_of_week", value=pl.col("won") / pl.col("pairs"), pairs="pairs")
        .sort("as_of_week")
    )


def selection_auc(
    frame: pl.DataFrame, *, block: int, probability: str = DIRECTION, outcome: str = "forward_barrier"
) -> Interval:
    """AUC within weeks, over all pairs of a riser and a faller of the same week; one half is no skill.

    Args:
        frame: As for `weekly_auc`.
        block: Weeks in a block.
        probability: Column whose high values are to precede 1.
        outcome: Column of what happened.
    """
    weekly = weekly_auc(frame, probability=probability, outcome=outcome)
    pairs = weekly["pairs"].to_numpy().astype(np.float64)
    per_week = np.column_stack([weekly["value"].to_numpy() * pairs, pairs])
    return bootstrap_interval(ratio_of_totals(per_week), weekly.height, block=block)


def timing_auc(
    frame: pl.DataFrame, *, block: int, probability: str = DIRECTION, outcome: str = "forward_barrier"
) -> Interval:
    """AUC across weeks: does the mean probability of a week tell weeks in which more tokens rise than fall from the others?

    A week in which as many rose as fell, or none moved, counts on neither side.

    Args:
        frame: As for `weekly_auc`.
        block: Weeks in a block.
        probability: Column whose high values are to precede 1.
        outcome: Column of what happened.
    """
    weeks = (
        known_rows(frame, probability, outcome)
        .group_by("as_of_week", maintain_order=True)
        .agg(market=pl.col(probability).mean(), balance=pl.col(outcome).cast(pl.Int64).sum())
        .sort("as_of_week")
    )
    market, balance = weeks["market"].to_numpy(), weeks["balance"].to_numpy()
    rising, falling = (balance > 0).astype(np.float64), (balance < 0).astype(np.float64)
    wins = (market[:, None] > market) + 0.5 * (market[:, None] == market)
    won = wins * rising[:, None] * falling

    def measure(counts: Counts) -> Floats:
        pairs = (counts @ rising) * (counts @ falling)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(((counts @ won) * counts).sum(axis=1) / pairs, dtype=np.float64)

    return bootstrap_interval(measure, weeks.height, block=block)
