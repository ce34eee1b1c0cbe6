"""Walk-forward: which refits a history needs, what each may train on, and scores out of fold for the first one.

Belongs here: the order of training and scoring in time.
Does not: the model itself (`trader_model.py`), dates (`calendar.py`).
"""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from models_ml.learning.calendar import PURGE_DAYS, refit_dates, training_end
from models_ml.learning.dataset import MINIMUM_TOKENS
from models_ml.learning.trader_model import predict, train

MINIMUM_LABEL_WEEKS = 52
FOLDS = 4


def usable_weeks(frame: pl.DataFrame) -> list[date]:
    """Weeks with at least `MINIMUM_TOKENS` eligible tokens, oldest first."""
    counts = frame.group_by("as_of_week").len().filter(pl.col("len") >= MINIMUM_TOKENS)
    return sorted(counts["as_of_week"].to_list())


def first_refit(frame: pl.DataFrame, last: date) -> date | None:
    """First refit date with `MINIMUM_LABEL_WEEKS` usable weeks whose labels it may know; None while there is none."""
    weeks = usable_weeks(frame)
    if not weeks:
        return None
    for refit in refit_dates(weeks[0], last):
        if sum(week <= training_end(refit) for week in weeks) >= MINIMUM_LABEL_WEEKS:
            return refit
    return None


def training_rows(frame: pl.DataFrame, refit: date) -> pl.DataFrame:
    """Rows a refit may train on: usable weeks up to its purged end (an expanding window)."""
    weeks = [week for week in usable_weeks(frame) if week <= training_end(refit)]
    return frame.filter(pl.col("as_of_week").is_in(weeks))


def out_of_fold_scores(frame: pl.DataFrame, labels: pl.DataFrame, *, refit: date) -> pl.DataFrame:
    """Scores of the first refit's own training weeks, each from a model that saw neither the week nor its neighbours.

    They stand in for earlier out-of-sample scores while there are fewer than a grade asks for. Folds are blocks of consecutive
    weeks; weeks nearer than the purge to a block are left out of its training.

    Returns:
        as_of_week, token_id, score_cross_section.
    """
    rows = training_rows(frame, refit)
    weeks = sorted(rows["as_of_week"].unique().to_list())
    size = -(-len(weeks) // FOLDS)
    scored = []
    for start in range(0, len(weeks), size):
        block = weeks[start : start + size]
        gap = timedelta(days=PURGE_DAYS)
        kept = [week for week in weeks if week < block[0] - gap or week > block[-1] + gap]
        model = train(rows.filter(pl.col("as_of_week").is_in(kept)), labels, refit=refit)
        held_out = rows.filter(pl.col("as_of_week").is_in(block))
        scored.append(predict(model, held_out).select("as_of_week", "token_id", "score_cross_section"))
    return pl.concat(scored)
