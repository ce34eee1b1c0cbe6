"""Explanations and sub-grades for the weeks of a build, as versions.

Belongs here: which weeks are explained, and the rows they become.
Does not: contributions and sub-grades (`models_ml.learning`), scores (`scoring.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import duckdb
import polars as pl

from models_ml.learning.dataset import model_frame
from models_ml.learning.explanations import largest_contributions
from models_ml.learning.ranking import INVESTOR, TRADER
from models_ml.learning.sub_grades import grade_families
from orchestration.lib.known_contributions import forget_contributions, known_contributions
from orchestration.lib.registry import ModelRegistry
from orchestration.lib.run_context import RunContext, recorded_weeks
from orchestration.lib.versioned_tables import GRADE_EXPLANATIONS, SUB_GRADES, TRADER_GRADES, VersionedTable
from orchestration.lib.versions import Appended
from orchestration.lib.weekly_inputs import catalogue_features
from orchestration.lib.weekly_versions import append_weeks
from orchestration.lib.weeks import WEEK

EXPLAINED_TABLES: tuple[VersionedTable, ...] = (GRADE_EXPLANATIONS, SUB_GRADES)

FIRST_FILLING_WEEKS = 4
"""Weeks that the first filling of a history explains; from then on every week is. Each costs a second, all of a history an hour."""


def build_explanations(
    connection: duckdb.DuckDBPyConnection,
    registry: ModelRegistry,
    context: RunContext,
    *,
    weeks: Sequence[date] | None = None,
) -> dict[str, Appended]:
    """Explain the graded weeks that a build has to compute.

    Args:
        connection: The warehouse; the grades of the weeks are recorded.
        registry: Frozen models.
        context: The build.
        weeks: Weeks to explain instead of those the context chooses.

    Returns:
        What was appended, by table name.
    """
    if weeks is None:
        recorded = recorded_weeks(connection, GRADE_EXPLANATIONS.full_name)
        start = min(recorded, default=context.as_of_week - WEEK * (FIRST_FILLING_WEEKS - 1))
        graded = recorded_weeks(connection, TRADER_GRADES.full_name)
        asked = [week for week in (context.rebuild_from, start) if week is not None]
        weeks = [week for week in context.weeks_to_build(min(asked), recorded) if week in graded]
    if not weeks:
        return {table.full_name: Appended.nothing(table) for table in EXPLAINED_TABLES}
    explained, by_family = [], []
    # One look at the features for all weeks: it goes through all of them however few are wanted.
    every_week = catalogue_features(connection, weeks=weeks)
    for week in weeks:
        features = every_week.filter(pl.col("as_of_week") == week)
        frame = model_frame(features)
        symbols = features.select("token_id", "symbol")
        for head in (TRADER, INVESTOR):
            model = registry.in_force(head.name, week)
            if model is None:
                continue
            added = known_contributions(connection, model, frame, context)
            named = {"model": pl.lit(head.name), "model_version": pl.lit(model.version)}
            explained.append(
                largest_contributions(added, frame)
                .with_columns(**named)
                .join(symbols, on="token_id", maintain_order="left")
            )
            if head is TRADER:
                by_family.append(
                    grade_families(added, features)
                    .with_columns(model_version=pl.lit(model.version))
                    .join(symbols, on="token_id", maintain_order="left")
                )
    forget_contributions(connection, context)
    content = {GRADE_EXPLANATIONS.full_name: pl.concat(explained), SUB_GRADES.full_name: pl.concat(by_family)}
    return {
        table.full_name: append_weeks(connection, table, content[table.full_name], weeks, context)
        for table in EXPLAINED_TABLES
    }
