"""Actions for the weeks of a build, as versions.

Belongs here: which weeks are decided, which of them say what changed, and the rows they become.
Does not: confirmations, rules and sizes (`models_ml.learning.actions`), calls (`calls.py`), the record (`orchestration/evaluation`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import duckdb
import polars as pl

from models_ml.learning.actions import ActionRules, confirm_calls, decide_actions
from models_ml.learning.dataset import model_frame
from models_ml.learning.explanations import largest_changes
from models_ml.learning.ranking import TRADER
from orchestration.lib.known_contributions import known_contributions
from orchestration.lib.registry import ModelRegistry
from orchestration.lib.run_context import RunContext, recorded_weeks
from orchestration.lib.versioned_tables import (
    DAILY_SIGNALS,
    GRADE_EXPLANATIONS,
    TRADE_ACTIONS,
    TRADER_GRADES,
    TRADING_SIGNALS,
)
from orchestration.lib.versions import Appended
from orchestration.lib.weekly_inputs import features_of_weeks, token_of_day
from orchestration.lib.weekly_versions import append_weeks, weeks_behind

RECENT_FLIP_DAYS = 28
RECENT_END_DAYS = 7
"""It is told what changed since a flip to bullish or bearish of the last 28 days, and to neutral of the last 7. The older, the less a
difference of two days says, and each token and day costs milliseconds: all of a week's tokens would cost five seconds."""


def build_actions(
    connection: duckdb.DuckDBPyConnection,
    registry: ModelRegistry,
    context: RunContext,
    rules: ActionRules,
    *,
    weeks: Sequence[date] | None = None,
) -> Appended:
    """Decide the weeks with calls that a build has to compute, the whole history in a first filling.

    What changed is told of the weeks that are explained (`learning.grade_explanations`), so that a week corrected or reproduced later
    has it or lacks it as before.

    Args:
        connection: The warehouse; the calls, grades and explanations of the weeks are recorded.
        registry: Frozen models.
        context: The build.
        rules: When a call is confirmed, what is done about it, how large a position may be.
        weeks: Weeks to decide instead of those the context chooses.
    """
    if weeks is None:
        weeks = weeks_behind(connection, context, TRADE_ACTIONS, TRADING_SIGNALS)
    if not weeks:
        return Appended.nothing(TRADE_ACTIONS)
    calls = weekly_calls(connection, weeks)
    decided = decide_actions(confirm_calls(calls, _closes(connection, weeks), rules), rules)
    explained = recorded_weeks(connection, GRADE_EXPLANATIONS.full_name)
    changes = what_changed(connection, registry, calls.filter(pl.col("as_of_week").is_in(list(explained))), context)
    rows = decided.join(changes, on=["as_of_week", "token_id"], how="left", maintain_order="left")
    return append_weeks(connection, TRADE_ACTIONS, rows, weeks, context)


def weekly_calls(connection: duckdb.DuckDBPyConnection, weeks: Sequence[date]) -> pl.DataFrame:
    """The calls of the weeks with what the rules look at, one row a week and token, by both.

    Returns:
        as_of_week, token_id, symbol, signal, signal_since_date, trader_grade, return_7d, volume_surge_7d_30d, volatility_30d,
        volume_30d_median_usd (of the close before the Monday), sector as known that day, is_hindsight (whether it rests on an undated
        list; null without a sector), model_version (of the call and of the grade).
    """
    return connection.execute(
        f"""
        with calls as (
            select *, as_of_week - 1 as market_date from {TRADING_SIGNALS.current_view_sql_name}
            where as_of_week in (select unnest(?::date[]))
        )
        select
            calls.as_of_week, calls.token_id, calls.symbol, calls.signal, calls.signal_since_date, grades.trader_grade,
            features.return_7d, features.volume_surge_7d_30d, features.volatility_30d, features.volume_30d_median_usd,
            tokens.sector, case when tokens.sector is not null then tokens.is_hindsight end as is_hindsight,
            concat_ws(' ', calls.model_version, grades.model_version) as model_version
        from calls
        left join {TRADER_GRADES.current_view_sql_name} as grades
            on calls.as_of_week = grades.as_of_week and calls.token_id = grades.token_id
        left join marts.feat_token_daily as features
            on calls.token_id = features.token_id and calls.market_date = features.market_date
        left join {token_of_day("calls")}
        order by calls.as_of_week, calls.token_id
        """,
        [list(weeks)],
    ).pl()


def _closes(connection: duckdb.DuckDBPyConnection, weeks: Sequence[date]) -> pl.DataFrame:
    """The calls of the seven closes before each of the weeks' Mondays: as_of_week, market_date, token_id, signal."""
    return connection.execute(
        f"""select as_of_week, market_date, token_id, signal from {DAILY_SIGNALS.current_view_sql_name}
        where as_of_week in (select unnest(?::date[]))""",
        [list(weeks)],
    ).pl()


def what_changed(
    connection: duckdb.DuckDBPyConnection, registry: ModelRegistry, calls: pl.DataFrame, context: RunContext
) -> pl.DataFrame:
    """What moved the trader score most between the Sunday before the last flip and the week's close.

    Args:
        connection: The warehouse.
        registry: Frozen models; each day is explained by the one then in force.
        calls: as_of_week, token_id, signal, signal_since_date.
        context: The build.

    Returns:
        as_of_week, token_id, what_changed; rows whose flip is recent and whose token was scored on both days.
    """
    empty = pl.DataFrame(schema={"as_of_week": pl.Date, "token_id": pl.String, "what_changed": pl.String})
    reach = pl.when(pl.col("signal") == 0).then(RECENT_END_DAYS).otherwise(RECENT_FLIP_DAYS)
    recent = calls.filter(pl.col("signal_since_date") >= pl.col("as_of_week") - pl.duration(days=reach)).with_columns(
        # The Monday of the flip's calendar week: the close before it is the newest Sunday's before the flip.
        before=pl.col("signal_since_date").dt.truncate("1w")
    )
    wanted: dict[date, set[str]] = {}
    for week, before, token in recent.select("as_of_week", "before", "token_id").iter_rows():
        for day in (week, before):
            wanted.setdefault(day, set()).add(token)
    # One look at the features for all weeks: it goes through all of them however few are wanted.
    frame = model_frame(features_of_weeks(connection, sorted(wanted)))
    added = {}
    for week, of_week in sorted(wanted.items()):
        model = registry.in_force(TRADER.name, week)
        rows = frame.filter((pl.col("as_of_week") == week) & pl.col("token_id").is_in(sorted(of_week)))
        if model is not None and not rows.is_empty():
            contributions = known_contributions(connection, model, rows, context)
            added[week] = contributions.with_columns(model_version=pl.lit(model.version))
    told = []
    for (week, before), tokens in recent.partition_by(
        "as_of_week", "before", as_dict=True, maintain_order=True
    ).items():
        if week in added and before in added:
            chosen = pl.col("token_id").is_in(tokens["token_id"].implode())
            changes = largest_changes(added[week].filter(chosen), added[before].filter(chosen))
            told.append(changes.with_columns(as_of_week=pl.lit(week)).select(empty.columns))
    return pl.concat([empty, *told])
