"""How the grades of a week turned out, once their labels have ended, as versions.

Belongs here: which weeks can be evaluated, and the rows they become.
Does not: metrics (`models_ml.learning.evaluation`), grades (`calls.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import duckdb
import polars as pl

from models_ml.learning.calendar import LAG_DAYS, TRADER_HORIZON_DAYS
from models_ml.learning.evaluation import evaluate_week, trailing_icir
from orchestration.lib.run_context import RunContext, recorded_weeks
from orchestration.lib.training import labels_of
from orchestration.lib.versioned_tables import MODEL_EVALUATION, VersionedTable
from orchestration.lib.versions import Appended
from orchestration.lib.weekly_inputs import features_of_weeks
from orchestration.lib.weekly_versions import append_weeks
from orchestration.lib.weeks import WEEK

EVALUATED_AFTER = -(-(TRADER_HORIZON_DAYS + LAG_DAYS) // 7) * WEEK
"""A week is evaluated on the first Monday by which its lagged label has ended."""


def evaluate(
    connection: duckdb.DuckDBPyConnection,
    context: RunContext,
    *,
    weeks: Sequence[date] | None = None,
) -> Appended:
    """Evaluate the weeks whose labels have ended, as versions of `learning.model_evaluation`.

    Scores are those recorded as current now; `icir_52w` rests on the evaluations recorded before the week.
    """
    if weeks is None:
        weeks = weeks_to_evaluate(connection, context, MODEL_EVALUATION)
    if not weeks:
        return Appended.nothing(MODEL_EVALUATION)
    chosen = features_of_weeks(connection, weeks)
    outcomes = labels_of(connection, chosen, context.as_of_week).partition_by(
        "as_of_week", as_dict=True, include_key=False
    )
    eligible = chosen.partition_by("as_of_week", as_dict=True, include_key=False)
    scores = (
        connection.execute(
            "select as_of_week, token_id, score from learning.trader_grades_current where as_of_week >= ?", [min(weeks)]
        )
        .pl()
        .partition_by("as_of_week", as_dict=True, include_key=False)
    )
    history = (
        connection.execute(
            """select as_of_week, universe, value from learning.model_evaluation_current
        where model = 'trader' and metric = 'rank_ic' order by as_of_week"""
        )
        .pl()
        .filter(~pl.col("as_of_week").is_in(list(weeks)))
    )
    evaluated = []
    for week in sorted(weeks):
        key = (week,)
        rows = evaluate_week(scores[key], outcomes[key], eligible[key]).with_columns(as_of_week=pl.lit(week))
        ics = rows.filter((pl.col("model") == "trader") & (pl.col("metric") == "rank_ic"))
        history = pl.concat([history, ics.select("as_of_week", "universe", "value")]).sort("as_of_week")
        for universe in ("broad", "liquid"):
            value = trailing_icir(history.filter((pl.col("universe") == universe) & (pl.col("as_of_week") <= week)))
            if value is not None:
                row = {
                    "model": ["trader"],
                    "universe": [universe],
                    "metric": ["icir_52w"],
                    "value": [value],
                    "as_of_week": [week],
                }
                rows = pl.concat([rows, pl.DataFrame(row)])
        evaluated.append(rows)
    return append_weeks(connection, MODEL_EVALUATION, pl.concat(evaluated), weeks, context)


def weeks_to_evaluate(connection: duckdb.DuckDBPyConnection, context: RunContext, table: VersionedTable) -> list[date]:
    """Graded weeks whose labels have ended and that a table of outcomes lacks, or that a late fact may have changed."""
    graded = connection.execute(
        "select distinct as_of_week from learning.trader_grades_current order by as_of_week"
    ).fetchall()
    recorded = recorded_weeks(connection, table.full_name)
    ended = [week for (week,) in graded if week + EVALUATED_AFTER <= context.as_of_week]
    return [week for week in ended if week not in recorded or _is_reached(week, context)]


def _is_reached(week: date, context: RunContext) -> bool:
    """Whether a late fact of this build may change the evaluation of a week, within the reach of corrections."""
    if context.is_asked(week):
        return True
    if context.changed_from is None:
        return False
    oldest = context.as_of_week - WEEK * context.correction_weeks
    label_end = week + timedelta(days=TRADER_HORIZON_DAYS + LAG_DAYS - 1)
    return week > oldest and label_end >= context.changed_from
