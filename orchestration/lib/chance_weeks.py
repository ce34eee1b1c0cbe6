"""The chances of small tokens: models of every refit that is due, and probabilities of the weeks of a build as versions.

Belongs here: which refits and weeks are missing, and the rows they rest on.
Does not: formulas (`models_ml.screens.chances`), files of models (`registry.py`), how chances turned out (`moonshot_outcomes.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

import duckdb
import polars as pl

from models_ml.learning.calendar import newest_refit, refit_dates
from models_ml.learning.frozen_model import FrozenModel
from models_ml.screens.chance_refits import first_chance_refit, said_in_force, train_refit
from models_ml.screens.chances import CHANCES, chance_frame
from models_ml.screens.moonshots import MoonshotSettings
from models_ml.screens.outcomes import follow
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
    first = frozen[0] if frozen else first_chance_refit(frame, until)
    if first is None:
        return []
    outcomes = follow(rows, market_closes(connection, until=until), until=until)
    known = [model for refit in frozen if (model := registry.load(CHANCES, refit))]
    trained = []
    for refit in refit_dates(first, until):
        if refit in frozen:
            continue
        model = train_refit([each for each in known if each.refit < refit], frame, outcomes, refit=refit)
        registry.freeze(model)
        known.append(model)
        trained.append(model)
        report(
            f"{CHANCES}, refit {refit}: {model.training_rows} rows of {model.training_weeks[0]} to {model.training_weeks[1]}"
        )
    return trained


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
    frame = chance_frame(rows)
    refits = registry.refits(CHANCES)
    wanted = {newest_refit(refits, week) for week in frame["as_of_week"].unique().to_list()} - {None}
    models = []
    for refit in sorted(refit for refit in wanted if refit):
        model = registry.load(CHANCES, refit)
        if model is None:
            raise TidemarkError(
                f"the {CHANCES} model of {refit} left the registry during the run; restore {registry.root} from a backup"
            )
        models.append(model)
    named = rows.select(
        *("as_of_week", "token_id", "symbol", "price_usd", "market_cap_usd"),
        pl.col("volatility_30d").cast(pl.Float64),
        *("volatility_quintile", "cap_tercile"),
    )
    said = said_in_force(models, frame)
    return said.join(named, on=["as_of_week", "token_id"], how="inner", maintain_order="left")
