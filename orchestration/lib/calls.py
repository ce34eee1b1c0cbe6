"""Grades, calls and price ranges for the weeks of a build, as versions.

Belongs here: which weeks are computed, and the tables they become.
Does not: formulas (`models_ml.learning`), scores (`scoring.py`), models (`training.py`), how calls turned out (`evaluation_weeks.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import duckdb
import polars as pl

from models_ml.learning.grades import cross_sectional_rank, grade_weeks, market_part
from models_ml.learning.price_ranges import RANGES
from models_ml.learning.ranking import INVESTOR, TRADER
from models_ml.learning.signals import Standing, bull_bear, call_signals, outcome_probabilities
from orchestration.lib.registry import ModelRegistry
from orchestration.lib.run_context import RunContext, recorded_weeks
from orchestration.lib.scoring import DAY, DayScores, score_days
from orchestration.lib.versioned_tables import (
    BULL_BEAR,
    DAILY_GRADES,
    DAILY_SIGNALS,
    INVESTOR_GRADES,
    PRICE_RANGES,
    TRADER_GRADES,
    TRADING_SIGNALS,
    VersionedTable,
)
from orchestration.lib.versions import Appended
from orchestration.lib.weekly_inputs import daily_market
from orchestration.lib.weekly_versions import append_weeks
from orchestration.lib.weeks import WEEK

HEAD_OF: Mapping[str, str] = {
    TRADER_GRADES.full_name: TRADER.name,
    INVESTOR_GRADES.full_name: INVESTOR.name,
    DAILY_GRADES.full_name: TRADER.name,
    TRADING_SIGNALS.full_name: TRADER.name,
    DAILY_SIGNALS.full_name: TRADER.name,
    PRICE_RANGES.full_name: RANGES,
    BULL_BEAR.full_name: TRADER.name,
}
"""The head whose first refit is the first week of a table."""

CALL_TABLES: tuple[VersionedTable, ...] = (
    TRADER_GRADES,
    INVESTOR_GRADES,
    DAILY_GRADES,
    TRADING_SIGNALS,
    DAILY_SIGNALS,
    PRICE_RANGES,
    BULL_BEAR,
)


def build_calls(
    connection: duckdb.DuckDBPyConnection,
    registry: ModelRegistry,
    context: RunContext,
    *,
    weeks: Sequence[date] | None = None,
) -> dict[str, Appended]:
    """Grades, signals, price ranges and the bull-bear indicator of the weeks a build has to compute, as versions.

    Every day is scored by the models then in force; the weekly tables are the Sundays. A grade's reference is every weekly
    out-of-sample score recorded before its week; while there are fewer than 104 weeks of them, the out-of-fold scores of the first
    model's training weeks are added and the grade is provisional.

    Args:
        connection: The warehouse.
        registry: Frozen models.
        context: The build.
        weeks: Weeks to compute instead of those the context chooses.

    Returns:
        What was appended, by table name.
    """
    firsts = {
        table.full_name: refits[0] for table in CALL_TABLES if (refits := registry.refits(HEAD_OF[table.full_name]))
    }
    if weeks is None:
        chosen: set[date] = set()
        for name, first in firsts.items():
            chosen |= set(context.weeks_to_build(first, recorded_weeks(connection, name)))
        weeks = sorted(chosen)
    if not weeks:
        return {table.full_name: Appended.nothing(table) for table in CALL_TABLES}
    scores = score_days(connection, weeks, registry)
    grades = _grades(connection, scores, registry, until=max(weeks))
    calls = _calls(connection, scores, weeks)
    closing = pl.col("market_date") == pl.col("as_of_week") - DAY
    weekly_calls = calls.filter(closing)
    content = {
        TRADER_GRADES.full_name: _weekly_grades(grades, TRADER.name).filter(closing),
        INVESTOR_GRADES.full_name: _weekly_grades(grades, INVESTOR.name).filter(closing),
        DAILY_GRADES.full_name: grades,
        TRADING_SIGNALS.full_name: weekly_calls,
        DAILY_SIGNALS.full_name: calls,
        PRICE_RANGES.full_name: _with_prices(connection, scores.ranges),
        BULL_BEAR.full_name: _shares(weekly_calls),
    }
    appended = {}
    for table in CALL_TABLES:
        start = firsts.get(table.full_name)
        of_table = [week for week in weeks if start is not None and week >= start]
        appended[table.full_name] = append_weeks(connection, table, content[table.full_name], of_table, context)
    return appended


def _grades(
    connection: duckdb.DuckDBPyConnection, scores: DayScores, registry: ModelRegistry, *, until: date
) -> pl.DataFrame:
    """Scores, grades and ranks of both ranking heads, one row a day and token, with whether each grade is provisional."""
    market = market_part(daily_market(connection, until=until))
    graded = (
        scores.rows.join(market, on="market_date", how="left", maintain_order="left")
        .with_columns(pl.col("score_market").fill_null(0.0))
        .with_columns(
            model_version=pl.concat_str(
                f"{TRADER.name}_version", f"{INVESTOR.name}_version", separator=" ", ignore_nulls=True
            ),
            universe=pl.when("is_liquid").then(pl.lit("liquid")).otherwise(pl.lit("broad")),
            coverage=pl.col("coverage").cast(pl.Float64),
        )
    )
    for head, table in ((TRADER.name, TRADER_GRADES), (INVESTOR.name, INVESTOR_GRADES)):
        score = f"{head}_score"
        graded = graded.with_columns((pl.col(head) + pl.col("score_market")).alias(score))
        recorded = connection.execute(
            f"select as_of_week, score as {score} from {table.current_view_sql_name} where as_of_week < ? order by as_of_week",
            [until],
        ).pl()
        reference = (
            registry.reference_scores(head)
            .with_columns(market_date=pl.col("as_of_week") - DAY)
            .join(market, on="market_date", how="left", maintain_order="left")
        )
        stand_in = (reference["score_cross_section"] + reference["score_market"].fill_null(0.0)).to_numpy()
        graded = (
            grade_weeks(graded, recorded, stand_in, score=score, grade=f"{head}_grade")
            .rename({"is_grade_provisional": f"is_{head}_provisional"})
            .with_columns(cross_sectional_rank(score).alias(f"{head}_rank"))
        )
    return graded


def _weekly_grades(grades: pl.DataFrame, head: str) -> pl.DataFrame:
    """The grades of one head under the column names of its weekly table; rows without a score are left out."""
    return grades.filter(pl.col(head).is_not_null()).with_columns(
        score=pl.col(f"{head}_score"),
        score_cross_section=pl.col(head),
        is_grade_provisional=pl.col(f"is_{head}_provisional"),
        model_version=pl.col(f"{head}_version"),
    )


def _calls(connection: duckdb.DuckDBPyConnection, scores: DayScores, weeks: Sequence[date]) -> pl.DataFrame:
    """The calls of every day; each run of consecutive weeks goes on from the calls recorded before it."""
    probabilities = outcome_probabilities(scores.rows.drop_nulls("p_move")).rename({"calls_version": "model_version"})
    called = []
    for run in _consecutive(weeks):
        days = probabilities.filter(pl.col("as_of_week").is_in(run))
        called.append(call_signals(days, before=_standing(connection, run[0] - WEEK)))
    return pl.concat(called)


def _consecutive(weeks: Sequence[date]) -> list[list[date]]:
    """Weeks as runs without a gap."""
    runs: list[list[date]] = []
    for week in sorted(weeks):
        if runs and week - runs[-1][-1] == WEEK:
            runs[-1].append(week)
        else:
            runs.append([week])
    return runs


def _standing(connection: duckdb.DuckDBPyConnection, first_day: date) -> dict[str, Standing]:
    """The call of each token as recorded at its newest close in the week before a day."""
    rows = connection.execute(
        f"""select token_id, max(market_date), arg_max(signal, market_date), arg_max(signal_since_date, market_date)
        from {DAILY_SIGNALS.current_view_sql_name} where market_date < ? and market_date >= ? group by token_id""",
        [first_day, first_day - timedelta(days=7)],
    ).fetchall()
    return {token: Standing(day, signal, since) for token, day, signal, since in rows}


def _with_prices(connection: duckdb.DuckDBPyConnection, ranges: pl.DataFrame) -> pl.DataFrame:
    """Add the close that the ranges start from."""
    days = ranges["market_date"].unique().to_list()
    closes = connection.execute(
        "select market_date, token_id, price_usd from marts.fct_daily where market_date in (select unnest(?::date[]))",
        [days],
    ).pl()
    return ranges.join(closes, on=["market_date", "token_id"], how="left", maintain_order="left")


def _shares(weekly_calls: pl.DataFrame) -> pl.DataFrame:
    """The bull-bear indicator of each week with the model behind it."""
    versions = weekly_calls.group_by("as_of_week").agg(pl.col("model_version").first())
    return bull_bear(weekly_calls).join(versions, on="as_of_week")
