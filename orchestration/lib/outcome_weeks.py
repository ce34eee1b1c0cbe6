"""The report card of the weeks whose labels have ended, as versions.

Belongs here: which version of a call is scored, and the rows it becomes.
Does not: outcomes (`models_ml.learning.report_card`), skill of a whole week (`evaluation_weeks.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import duckdb

from models_ml.learning.report_card import call_outcomes
from orchestration.lib.evaluation_weeks import EVALUATED_TRADER, weeks_to_evaluate
from orchestration.lib.run_context import RunContext
from orchestration.lib.training import labels_of
from orchestration.lib.versioned_tables import CALL_OUTCOMES
from orchestration.lib.versions import Appended
from orchestration.lib.weekly_inputs import features_of_weeks
from orchestration.lib.weekly_versions import append_weeks


def build_outcomes(
    connection: duckdb.DuckDBPyConnection, context: RunContext, *, weeks: Sequence[date] | None = None
) -> Appended:
    """Score the first version of every call of the weeks: what was corrected later does not make a call better.

    Args:
        connection: The warehouse.
        context: The build.
        weeks: Weeks to score instead of those the context chooses.
    """
    if weeks is None:
        weeks = weeks_to_evaluate(connection, context, EVALUATED_TRADER, CALL_OUTCOMES)
    chosen = list(weeks)
    if not chosen:
        return Appended.nothing(CALL_OUTCOMES)
    said = connection.execute(
        """
        select signals.as_of_week, signals.token_id, signals.symbol, signals.signal, grades.trader_grade,
            signals.origin as call_origin, signals.model_version
        from learning.trading_signals as signals
        left join learning.trader_grades as grades
            on signals.as_of_week = grades.as_of_week and signals.token_id = grades.token_id and grades.version = 1
        where signals.version = 1 and signals.as_of_week in (select unnest(?::date[]))
        order by signals.as_of_week, signals.token_id
        """,
        [chosen],
    ).pl()
    eligible = features_of_weeks(connection, chosen)
    rows = call_outcomes(said, labels_of(connection, eligible, context.as_of_week))
    return append_weeks(connection, CALL_OUTCOMES, rows, chosen, context)
