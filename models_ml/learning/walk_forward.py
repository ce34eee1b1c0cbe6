"""Walk-forward: which refits a history needs, what each may train on, and scores out of fold for the first one.

Belongs here: the order of training and scoring in time.
Does not: the models themselves (`ranking.py`, `moves.py`, `price_ranges.py`), dates (`calendar.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import polars as pl

from models_ml.learning.calendar import purge_days, refit_dates, training_end
from models_ml.learning.dataset import MINIMUM_TOKENS
from models_ml.learning.ranking import RankingHead, predict_ranking, train_ranking

MINIMUM_LABEL_WEEKS = 52
FOLDS = 4


def usable_weeks(frame: pl.DataFrame, *, least_tokens: int = MINIMUM_TOKENS) -> list[date]:
    """Weeks with at least `least_tokens` eligible tokens, oldest first."""
    counts = frame.group_by("as_of_week").len().filter(pl.col("len") >= least_tokens)
    return sorted(counts["as_of_week"].to_list())


def first_refit(
    frame: pl.DataFrame, last: date, *, horizon_days: int, least_tokens: int = MINIMUM_TOKENS
) -> date | None:
    """First refit date with `MINIMUM_LABEL_WEEKS` usable weeks whose labels it may know; None while there is none."""
    weeks = usable_weeks(frame, least_tokens=least_tokens)
    if not weeks:
        return None
    for refit in refit_dates(weeks[0], last):
        if sum(week <= training_end(refit, horizon_days=horizon_days) for week in weeks) >= MINIMUM_LABEL_WEEKS:
            return refit
    return None


def training_rows(
    frame: pl.DataFrame, refit: date, *, horizon_days: int, least_tokens: int = MINIMUM_TOKENS
) -> pl.DataFrame:
    """Rows a refit may train on: usable weeks up to its purged end (an expanding window)."""
    end = training_end(refit, horizon_days=horizon_days)
    weeks = usable_weeks(frame, least_tokens=least_tokens)
    return frame.filter(pl.col("as_of_week").is_in([week for week in weeks if week <= end]))


def purged_folds(weeks: list[date], *, folds: int, horizon_days: int) -> Iterator[tuple[list[date], list[date]]]:
    """Blocks of consecutive weeks, each with the weeks a model may train on to score it.

    Weeks nearer to a block than the purge are left out of its training: their labels overlap those of the block or touch them
    (López de Prado, Advances in Financial Machine Learning, ch. 7).

    Args:
        weeks: Mondays, ascending.
        folds: Number of blocks.
        horizon_days: How far the label looks ahead.

    Yields:
        The block, and the weeks kept for training.
    """
    size = -(-len(weeks) // folds)
    gap = timedelta(days=purge_days(horizon_days))
    for start in range(0, len(weeks), size):
        block = weeks[start : start + size]
        yield block, [week for week in weeks if week < block[0] - gap or week > block[-1] + gap]


def out_of_fold_scores(head: RankingHead, frame: pl.DataFrame, labels: pl.DataFrame, *, refit: date) -> pl.DataFrame:
    """Scores of the first refit's own training weeks, each from a model that saw neither the week nor its neighbours.

    They stand in for earlier out-of-sample scores while there are fewer than a grade asks for.

    Returns:
        as_of_week, token_id, score_cross_section.
    """
    rows = training_rows(frame, refit, horizon_days=head.horizon_days)
    weeks = sorted(rows["as_of_week"].unique().to_list())
    scored = []
    for block, kept in purged_folds(weeks, folds=FOLDS, horizon_days=head.horizon_days):
        model = train_ranking(head, rows.filter(pl.col("as_of_week").is_in(kept)), labels, refit=refit)
        held_out = rows.filter(pl.col("as_of_week").is_in(block))
        scored.append(predict_ranking(model, held_out).select("as_of_week", "token_id", "score_cross_section"))
    return pl.concat(scored)
