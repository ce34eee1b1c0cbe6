"""The chances of small tokens: models of every refit that is due, and probabilities of the weeks of a build as versions.

Belongs here: which refits and weeks are missing, and the rows they rest on.
Does not: formulas (`models_ml.screens.chances`), files of models (`registry.py`), how chances turned out (`moonshot_outcomes.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

import duckdb
import polars as pl

from models_ml.learning.calendar import refit_dates
from models_ml.learning.frozen_model import FrozenModel
from models_ml.learning.walk_forward import first_refit, training_rows
from models_ml.screens.chances import (
    CHANCES,
    MINIMUM_TOKENS,
    chance_frame,
    predict_chances,
    raw_chances,
    train_chances,
)
from models_ml.screens.moonshots import MoonshotSettings
from models_ml.screens.outcomes import HORIZON_DAYS, follow, labels_of_multiples
from orchestration.lib.errors import TidemarkError
from orchestration.lib.low_cap_inputs import low_cap_weeks, market_closes
from orchestration.lib.registry import ModelRegistry
from orchestration.lib.run_context import RunContext, recorded_weeks
from orchestration.lib.versioned_tables import MOONSHOT_CHANCES
from orchestration.lib.versions import Appended
from orchestration.lib.weekly_versions import append_weeks


def ensure_chance_models(
    connection: duckdb.DuckDBPyConnection,
    registry: ModelRegistry,
    settings: MoonshotSettings,
    *,
    until: date,
    report: Callable[[str], None],
) -> list[FrozenModel]:
    """Train and freeze every refit of the chance model that is due up to `until` and not frozen yet.

    The first is the first quarter with 52 weeks of labels from `MINIMUM_TOKENS` tokens of the universe before it; until then there is
    no model and no chance, which is no error.

    Args:
        connection: Warehouse with the marts.
        registry: Where models are kept.
        settings: Who belongs to the universe.
        until: As of, a Monday.
        report: Told of every model.

    Returns:
        The models trained now, oldest first.
    """
    frozen = registry.refits(CHANCES)
    if frozen and all(refit in frozen for refit in refit_dates(frozen[0], until)):
        return []
    rows = low_cap_weeks(connection, settings, until=until)
    frame = chance_frame(rows)
    first = frozen[0] if frozen else _first_refit(frame, until)
    if first is None:
        return []
    outcomes = follow(rows, market_closes(connection, until=until), until=until)
    trained = []
    for refit in refit_dates(first, until):
        if refit in frozen:
            continue
        trained.append(train_refit(registry, frame, outcomes, refit=refit))
        registry.freeze(trained[-1])
        weeks = f"{trained[-1].training_weeks[0]} to {trained[-1].training_weeks[1]}"
        report(f"{CHANCES}, refit {refit}: {trained[-1].training_rows} rows of {weeks}")
    return trained


def train_refit(registry: ModelRegistry, frame: pl.DataFrame, outcomes: pl.DataFrame, *, refit: date) -> FrozenModel:
    """The model of a refit date, from rows whose outcome had ended before it; its calibration rests on what earlier models said.

    Args:
        registry: Earlier models.
        frame: `chance_frame` of all weeks.
        outcomes: `follow` of the same rows.
        refit: The refit date.
    """
    chosen = training_rows(frame, refit, horizon_days=HORIZON_DAYS, least_tokens=MINIMUM_TOKENS)
    labels = labels_of_multiples(outcomes)
    earlier = [model for each in registry.refits(CHANCES) if each < refit and (model := registry.load(CHANCES, each))]
    said = [
        raw_chances(model, chosen.filter(pl.col("as_of_week").is_between(model.refit, following, closed="left")))
        for model, following in zip(earlier, [*(each.refit for each in earlier), refit][1:], strict=True)
    ]
    return train_chances(chosen, labels, refit=refit, past=pl.concat(said) if said else None)


def build_chances(
    connection: duckdb.DuckDBPyConnection,
    registry: ModelRegistry,
    context: RunContext,
    settings: MoonshotSettings,
    *,
    weeks: Sequence[date] | None = None,
) -> Appended:
    """Chances of the weeks a build has to compute, each by the model then in force, as versions of `screens.moonshot_chances`.

    Args:
        connection: The warehouse.
        registry: Frozen models.
        context: The build.
        settings: Who belongs to the universe.
        weeks: Weeks to compute instead of those the context chooses.
    """
    refits = registry.refits(CHANCES)
    if not refits:
        return Appended.nothing(MOONSHOT_CHANCES)
    if weeks is None:
        weeks = context.weeks_to_build(refits[0], recorded_weeks(connection, MOONSHOT_CHANCES.full_name))
    if not weeks:
        return Appended.nothing(MOONSHOT_CHANCES)
    rows = low_cap_weeks(connection, settings, until=max(weeks), weeks=weeks)
    return append_weeks(connection, MOONSHOT_CHANCES, score_weeks(registry, rows), list(weeks), context)


def score_weeks(registry: ModelRegistry, rows: pl.DataFrame) -> pl.DataFrame:
    """The columns of `screens.moonshot_chances` with as_of_week, token_id and model_version; none of weeks before the first model.

    Args:
        registry: Frozen models.
        rows: `low_cap_weeks` of whole weeks.
    """
    refits = registry.refits(CHANCES)
    frame = chance_frame(rows)
    scored = []
    for refit, following in zip(refits, [*refits[1:], date.max], strict=True):
        of_model = frame.filter(pl.col("as_of_week").is_between(refit, following, closed="left"))
        if of_model.is_empty():
            continue
        model = registry.load(CHANCES, refit)
        if model is None:
            raise TidemarkError(
                f"the {CHANCES} model of {refit} left the registry during the run; restore {registry.root} from a backup"
            )
        scored.append(predict_chances(model, of_model).with_columns(model_version=pl.lit(model.version)))
    named = rows.select(
        *("as_of_week", "token_id", "symbol", "price_usd", "market_cap_usd"),
        pl.col("volatility_30d").cast(pl.Float64),
        *("volatility_quintile", "cap_tercile"),
    )
    if not scored:
        empty = {"p_2x_90d": pl.Float64, "p_3x_90d": pl.Float64, "model_version": pl.String}
        return named.clear().with_columns(pl.lit(None, dtype=dtype).alias(name) for name, dtype in empty.items())
    return pl.concat(scored).join(named, on=["as_of_week", "token_id"], how="inner", maintain_order="left")


def _first_refit(frame: pl.DataFrame, until: date) -> date | None:
    return first_refit(frame, until, horizon_days=HORIZON_DAYS, least_tokens=MINIMUM_TOKENS)
