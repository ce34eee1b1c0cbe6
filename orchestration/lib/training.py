"""Trains and freezes the models that are due.

Belongs here: which refits of which head are missing, and the rows each is trained on.
Does not: formulas (`models_ml.learning`), files of models (`registry.py`), scores (`scoring.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import duckdb
import polars as pl

from models_ml.learning.calendar import RANGE_HORIZONS_DAYS, TRADER_HORIZON_DAYS, refit_dates
from models_ml.learning.dataset import model_frame
from models_ml.learning.frozen_model import FrozenModel
from models_ml.learning.labels import forward_returns
from models_ml.learning.moves import CALLS, train_moves
from models_ml.learning.price_ranges import RANGES, train_ranges
from models_ml.learning.ranking import INVESTOR, TRADER, RankingHead, train_ranking
from models_ml.learning.training_profile import training_profile
from models_ml.learning.walk_forward import first_refit, out_of_fold_scores, training_rows
from orchestration.lib.errors import TidemarkError
from orchestration.lib.registry import ModelRegistry
from orchestration.lib.weekly_inputs import daily_closes, weekly_features

Train = Callable[[pl.DataFrame, pl.DataFrame, date], FrozenModel]


class TooLittleHistoryError(TidemarkError):
    """There is not enough history to train a first model."""


@dataclass(frozen=True)
class Head:
    """A head as the weekly run trains it.

    Attributes:
        name: Its name in the registry.
        horizon_days: Longest horizon that its first refit must know.
        train: Trains it from the weekly frame, the labels and the refit date.
        ranking: The ranking head, whose first model needs scores out of fold; None for the others.
    """

    name: str
    horizon_days: int
    train: Train
    ranking: RankingHead | None = None


def _train_ranking(head: RankingHead) -> Train:
    def train(frame: pl.DataFrame, labels: pl.DataFrame, refit: date) -> FrozenModel:
        return train_ranking(head, training_rows(frame, refit, horizon_days=head.horizon_days), labels, refit=refit)

    return train


def _train_moves(frame: pl.DataFrame, labels: pl.DataFrame, refit: date) -> FrozenModel:
    return train_moves(training_rows(frame, refit, horizon_days=TRADER_HORIZON_DAYS), labels, refit=refit)


def _train_ranges(frame: pl.DataFrame, labels: pl.DataFrame, refit: date) -> FrozenModel:
    rows = {days: training_rows(frame, refit, horizon_days=days) for days in RANGE_HORIZONS_DAYS}
    return train_ranges(rows, labels, refit=refit)


HEADS: tuple[Head, ...] = (
    Head(TRADER.name, TRADER.horizon_days, _train_ranking(TRADER), TRADER),
    Head(INVESTOR.name, INVESTOR.horizon_days, _train_ranking(INVESTOR), INVESTOR),
    Head(CALLS, TRADER_HORIZON_DAYS, _train_moves),
    Head(RANGES, max(RANGE_HORIZONS_DAYS), _train_ranges),
)


def labels_of(connection: duckdb.DuckDBPyConnection, weekly: pl.DataFrame, until: date) -> pl.DataFrame:
    """Forward quantities of every eligible token-week, from closes known at `until`."""
    tokens = weekly["token_id"].unique().to_list()
    closes = daily_closes(connection, until=until, tokens=[*tokens, "bitcoin"])
    return forward_returns(weekly, closes)


def ensure_models(
    connection: duckdb.DuckDBPyConnection,
    registry: ModelRegistry,
    *,
    until: date,
    report: Callable[[str], None],
) -> list[FrozenModel]:
    """Train and freeze every refit of every head that is due up to `until` and not frozen yet.

    The heads with a longer horizon start later: their labels take longer to end.

    Returns:
        The models trained now, by head, oldest first.

    Raises:
        TooLittleHistoryError: No refit date has 52 weeks of trader labels from 50 eligible tokens before it.
    """
    weekly = weekly_features(connection, until=until)
    frame = model_frame(weekly)
    due: list[tuple[Head, date, bool]] = []
    for head in HEADS:
        frozen = registry.refits(head.name)
        first = frozen[0] if frozen else first_refit(frame, until, horizon_days=head.horizon_days)
        if first is not None:
            due += [(head, refit, refit == first) for refit in refit_dates(first, until) if refit not in frozen]
        elif head.horizon_days == TRADER_HORIZON_DAYS:
            raise TooLittleHistoryError(
                f"grades start with the first quarter that has 52 weeks of labels from 50 eligible tokens before it; up to {until} "
                f"there are {weekly['as_of_week'].n_unique()} weeks with eligible tokens. Land more history, or choose a later AS_OF."
            )
    if not due:
        return []
    labels = labels_of(connection, weekly, until)
    trained = []
    for head, refit, is_first in due:
        model = head.train(frame, labels, refit)
        is_graded = is_first and head.ranking is not None
        reference = out_of_fold_scores(head.ranking, frame, labels, refit=refit) if is_graded and head.ranking else None
        profile = training_profile(training_rows(weekly, refit, horizon_days=head.horizon_days), model.columns)
        registry.freeze(model, reference=reference, profile=profile)
        weeks = f"{model.training_weeks[0]} to {model.training_weeks[1]}"
        report(f"{head.name}, refit {refit}: {model.training_rows} rows of {weeks}")
        trained.append(model)
    return trained
