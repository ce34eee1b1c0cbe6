"""The scam and pump filter for the weeks of a build.

Belongs here: which weeks are judged, the versions the warnings and their coverage become.
Does not: the inputs (`filter_inputs.py`), the warnings (`models_ml.screens.scam_filter`), Dagster.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import duckdb

from models_ml.screens.scam_filter.token_warnings import FilterSettings, raised_warnings, warning_coverage
from orchestration.lib.filter_inputs import filter_inputs
from orchestration.lib.run_context import RunContext, recorded_weeks
from orchestration.lib.versioned_tables import TOKEN_WARNINGS, WARNING_COVERAGE
from orchestration.lib.versions import Appended
from orchestration.lib.weekly_versions import append_weeks
from orchestration.lib.weeks import mondays

WARNING_TABLES = (TOKEN_WARNINGS, WARNING_COVERAGE)

WARM_UP = timedelta(days=35)
"""Days of history before the first week that is judged: a month that tells what is usual, and the days after it."""


def build_warnings(
    connection: duckdb.DuckDBPyConnection,
    context: RunContext,
    settings: FilterSettings,
    *,
    weeks: Sequence[date] | None = None,
) -> tuple[Appended, Appended]:
    """Warnings and coverage of the weeks a build has to compute; a week without a warning is a unit too.

    The filter needs no model, so its weeks begin with the warehouse's days and not with the grades.

    Returns:
        What was appended to `TOKEN_WARNINGS` and to `WARNING_COVERAGE`.
    """
    if weeks is None:
        weeks = _weeks_to_build(connection, context)
    if not weeks:
        return Appended.nothing(TOKEN_WARNINGS), Appended.nothing(WARNING_COVERAGE)
    inputs = filter_inputs(connection, weeks, settings=settings)
    return (
        append_weeks(connection, TOKEN_WARNINGS, raised_warnings(inputs, settings), weeks, context),
        append_weeks(connection, WARNING_COVERAGE, warning_coverage(inputs, settings), weeks, context),
    )


def _weeks_to_build(connection: duckdb.DuckDBPyConnection, context: RunContext) -> list[date]:
    row = connection.execute("select min(market_date) from marts.fct_daily").fetchone()
    if row is None or row[0] is None or row[0] + WARM_UP > context.as_of_week:
        return []
    first = next(iter(mondays(row[0] + WARM_UP, context.as_of_week)), None)
    if first is None:
        return []
    recorded = recorded_weeks(connection, TOKEN_WARNINGS.full_name) & recorded_weeks(
        connection, WARNING_COVERAGE.full_name
    )
    return context.weeks_to_build(first, recorded)
