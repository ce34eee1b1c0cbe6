"""Walk-forward of the chance model: which refits a history needs, what each may train on, and what the models in force said.

Belongs here: the order of training and scoring in time, the same in the weekly run and in evaluation.
Does not: the model itself (`chances.py`), files of models (`orchestration/lib/registry.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from models_ml.learning.calendar import refit_dates
from models_ml.learning.frozen_model import FrozenModel
from models_ml.learning.walk_forward import first_refit, training_rows
from models_ml.screens.chances import MINIMUM_TOKENS, predict_chances, raw_chances, train_chances
from models_ml.screens.outcomes import HORIZON_DAYS, labels_of_multiples


def first_chance_refit(frame: pl.DataFrame, until: date) -> date | None:
    """First refit date with 52 weeks of ended outcomes from `MINIMUM_TOKENS` tokens; None while there is none."""
    return first_refit(frame, until, horizon_days=HORIZON_DAYS, least_tokens=MINIMUM_TOKENS)


def train_refit(
    earlier: Sequence[FrozenModel], frame: pl.DataFrame, outcomes: pl.DataFrame, *, refit: date
) -> FrozenModel:
    """The model of a refit date, from rows whose outcome had ended before it; its calibration rests on what earlier models said.

    Args:
        earlier: The models of earlier refits, oldest first.
        frame: `chances.chance_frame` of all weeks.
        outcomes: `outcomes.follow` of the same rows.
        refit: The refit date.
    """
    chosen = training_rows(frame, refit, horizon_days=HORIZON_DAYS, least_tokens=MINIMUM_TOKENS)
    said = [
        raw_chances(model, chosen.filter(pl.col("as_of_week").is_between(model.refit, following, closed="left")))
        for model, following in zip(earlier, [*(each.refit for each in earlier), refit][1:], strict=True)
    ]
    return train_chances(chosen, labels_of_multiples(outcomes), refit=refit, past=pl.concat(said) if said else None)


def said_in_force(models: Sequence[FrozenModel], frame: pl.DataFrame) -> pl.DataFrame:
    """What the model in force in each week says: as_of_week, token_id, p_2x_90d, p_3x_90d, model_version.

    Args:
        models: Models by refit date, oldest first; weeks before the first have no row.
        frame: `chances.chance_frame` of the weeks.
    """
    said = []
    for model, following in zip(models, [*(each.refit for each in models), date.max][1:], strict=True):
        of_model = frame.filter(pl.col("as_of_week").is_between(model.refit, following, closed="left"))
        if not of_model.is_empty():
            said.append(predict_chances(model, of_model).with_columns(model_version=pl.lit(model.version)))
    if said:
        return pl.concat(said)
    numbers = dict.fromkeys(("p_2x_90d", "p_3x_90d"), pl.Float64)
    return pl.DataFrame(schema={"as_of_week": pl.Date, "token_id": pl.String, **numbers, "model_version": pl.String})


def walk_chances(frame: pl.DataFrame, outcomes: pl.DataFrame, *, until: date) -> pl.DataFrame:
    """Train every refit up to a week and score each week by the model then in force, as `said_in_force` gives it.

    Args:
        frame: `chances.chance_frame` of all weeks.
        outcomes: `outcomes.follow` of the same rows.
        until: Newest week.
    """
    first = first_chance_refit(frame, until)
    models: list[FrozenModel] = []
    for refit in refit_dates(first, until) if first else []:
        models.append(train_refit(models, frame, outcomes, refit=refit))
    return said_in_force(models, frame)
