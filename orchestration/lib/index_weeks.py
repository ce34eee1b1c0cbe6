"""Index compositions, rebalances and levels for the weeks of a build.

Belongs here: the market as the engine asks for it, read from the marts; the fold over weeks; the versions it becomes.
Does not: the engine and its definitions (`models_ml.indices`), Dagster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import duckdb
import polars as pl

from models_ml.indices.definition import IndexDefinition
from models_ml.indices.engine import WeekResult, fold
from models_ml.indices.feature_rules import FEATURE_MARTS, MARKET_WIDE_FEATURES, feature_column
from models_ml.indices.market import CANDIDATE_SCHEMA, MarketData, MarketState
from models_ml.indices.schedule import snapshot_days
from models_ml.indices.state import (
    COMPOSITION_SCHEMA,
    LEVEL_SCHEMA,
    REBALANCE_SCHEMA,
    IndexState,
    new_state,
    state_from_rows,
)
from orchestration.lib.run_context import RunContext, recorded_weeks
from orchestration.lib.versioned_tables import COMPOSITIONS, DAILY_GRADES, LEVELS, REBALANCES, VersionedTable
from orchestration.lib.versions import Appended, append_versions
from orchestration.lib.weekly_inputs import token_of_day
from orchestration.lib.weekly_versions import merge_appended
from orchestration.lib.weeks import WEEK, mondays

TABLES = (COMPOSITIONS, REBALANCES, LEVELS)
PRIOR_SCORE_DAYS = 7  # an older score counts as none

SNAPSHOT_SCHEMA = CANDIDATE_SCHEMA | {"signal": pl.Int64(), "prior_score": pl.Float64()}


@dataclass(frozen=True)
class IndexWeeks:
    """What a build computed of one index.

    Attributes:
        definition: The index.
        results: One result a week, oldest first, from the first week it was available on.
    """

    definition: IndexDefinition
    results: tuple[WeekResult, ...]


def read_market(
    connection: duckdb.DuckDBPyConnection, definitions: Sequence[IndexDefinition], *, until: date
) -> MarketData:
    """The market of a warehouse as the engine asks for it for some definitions, up to the close before Monday `until`.

    A token whose price is carried counts as without a price that day: the engine has its own rule for halts. Market caps that
    are hindsight (is_supply_carried) make no candidate. Candidates have a `prior_score` where a definition screens by it, and those
    features of the catalogue that a definition names.
    """
    first = first_market_week(connection, until)
    days = {day for each in definitions for day in snapshot_days(each, first - WEEK, until)} if first else set()
    snapshots = connection.execute(
        f"""
        select
            universe.market_date, universe.token_id, tokens.symbol, tokens.sector, universe.is_stable, universe.is_wrapped,
            tokens.is_fiat_backed,
            universe.price_usd, universe.market_cap_usd, universe.volume_30d_median_usd, universe.age_days::bigint as age_days,
            grades.trader_grade, grades.score, calls.signal
        from marts.fct_universe_daily as universe
        inner join {token_of_day("universe")}
        left join learning.trader_grades_current as grades
            on universe.token_id = grades.token_id and universe.market_date + 1 = grades.as_of_week
        left join learning.trading_signals_current as calls
            on universe.token_id = calls.token_id and universe.market_date + 1 = calls.as_of_week
        where universe.market_date < ? and universe.market_cap_usd is not null and universe.volume_30d_median_usd is not null
            and not universe.is_supply_carried and universe.market_date in (select unnest(?::date[]))
        order by universe.market_date, universe.token_id
        """,
        [until, sorted(days)],
    ).pl()
    screened = [each for each in definitions if each.selection.leave_out_worst > 0]
    scored_days = {day for each in screened for day in snapshot_days(each, first - WEEK, until)} if first else set()
    snapshots = snapshots.join(
        _prior_scores(connection, sorted(scored_days)),
        on=["market_date", "token_id"],
        how="left",
        maintain_order="left",
    )
    features = sorted({name for each in definitions for name in each.features_used})
    schema = SNAPSHOT_SCHEMA | {feature_column(name): pl.Float64() for name in features}
    by_day = {
        day: frame.select(pl.col(name).cast(dtype) for name, dtype in schema.items())
        for (day,), frame in _with_features(connection, snapshots, features)
        .partition_by("market_date", as_dict=True, include_key=False)
        .items()
    }
    nothing = pl.DataFrame(schema=schema)
    prices = connection.execute(
        """
        select market_date, token_id, price_usd from marts.fct_daily
        where market_date < ? and not is_carried and token_id in (select unnest(?))
        """,
        [until, snapshots["token_id"].unique().to_list()],
    ).pl()
    states = {
        row["market_date"]: MarketState(row["btc_price_usd"], row["btc_sma_100d_usd"], row["btc_sma_200d_usd"])
        for row in connection.execute(
            "select market_date, btc_price_usd, btc_sma_100d_usd, btc_sma_200d_usd from marts.feat_market_daily where market_date < ?",
            [until],
        )
        .pl()
        .iter_rows(named=True)
    }
    unknown = MarketState(None)
    caps = None
    if any(definition.market_cap_half_life_days for definition in definitions):
        caps = connection.execute(
            """
            select market_date, token_id, market_cap_usd from marts.fct_universe_daily
            where market_date < ? and market_cap_usd > 0 and not is_supply_carried and token_id in (select unnest(?))
            """,
            [until, snapshots["token_id"].unique().to_list()],
        ).pl()
    return MarketData(
        prices=prices,
        market_caps=caps,
        candidates=lambda day: by_day.get(day, nothing),
        market_state=lambda day: states.get(day, unknown),
    )


def _prior_scores(connection: duckdb.DuckDBPyConnection, days: Sequence[date]) -> pl.DataFrame:
    """What the model said before the closes of some days.

    A score made from a close is known only after it, so a rule index that trades at that close rests on the newest day before, at most
    `PRIOR_SCORE_DAYS` back. All scores of a snapshot are of one day: the part of a score that is common to a day's tokens cancels out.

    Returns:
        market_date (one of `days`), token_id, prior_score (no unit); no rows of a day before which nothing was scored.
    """
    return connection.execute(
        f"""
        with scores as (
            select market_date, token_id, trader_score from {DAILY_GRADES.current_view_sql_name} where trader_score is not null
        ),
        newest as (
            select days.market_date, max(scored.market_date) as scored_date
            from (select unnest(?::date[]) as market_date) as days
            inner join (select distinct market_date from scores) as scored
                on scored.market_date < days.market_date and scored.market_date >= days.market_date - {PRIOR_SCORE_DAYS}
            group by days.market_date
        )
        select newest.market_date, scores.token_id, scores.trader_score as prior_score
        from newest inner join scores on newest.scored_date = scores.market_date
        """,
        [list(days)],
    ).pl()


def _with_features(
    connection: duckdb.DuckDBPyConnection, snapshots: pl.DataFrame, features: Sequence[str]
) -> pl.DataFrame:
    """Snapshots with a column a feature (`feature_column`), as they were at the close of the row's day; one query a mart.

    The marts hold each input on the day at whose close it was known, so a row of a day knows nothing later.
    """
    days = snapshots["market_date"].unique().to_list()
    for mart in sorted({FEATURE_MARTS[name] for name in features}):
        names = [name for name in features if FEATURE_MARTS[name] == mart]
        key = ["market_date"] if set(names) <= set(MARKET_WIDE_FEATURES) else ["market_date", "token_id"]
        columns = ", ".join([*key, *(f'{name} as "{feature_column(name)}"' for name in names)])
        rows = connection.execute(
            f"select {columns} from marts.{mart} where market_date in (select unnest(?::date[]))", [days]
        ).pl()
        snapshots = snapshots.join(rows, on=key, how="left", maintain_order="left", validate="m:1")
    return snapshots


def first_market_week(connection: duckdb.DuckDBPyConnection, until: date) -> date | None:
    """First Monday whose week has closes; None in an empty warehouse."""
    row = connection.execute("select min(market_date) from marts.fct_daily").fetchone()
    if row is None or row[0] is None:
        return None
    weeks = mondays(row[0] + timedelta(days=1), until)
    return weeks[0] if weeks else None


def compute_index(
    connection: duckdb.DuckDBPyConnection,
    definition: IndexDefinition,
    market: MarketData,
    context: RunContext,
    *,
    weeks: Sequence[date] | None = None,
) -> IndexWeeks:
    """Weeks of one index that a build has to compute, continuing from what is recorded before them.

    Args:
        connection: The warehouse with the recorded versions.
        definition: The index.
        market: `read_market`.
        context: The build.
        weeks: Consecutive weeks to compute instead of those the context chooses.
    """
    first = first_market_week(connection, context.as_of_week)
    if first is None:
        return IndexWeeks(definition, ())
    recorded = recorded_weeks(connection, COMPOSITIONS.full_name, index_id=definition.index_id)
    if weeks is None:
        start = min(recorded) if recorded else first
        chosen = context.weeks_to_build(start, recorded)
        # The fold leaves no week out: from the first chosen one on, all are computed, and equal ones leave no version.
        weeks = mondays(chosen[0], context.as_of_week) if chosen else []
    if not weeks:
        return IndexWeeks(definition, ())
    state = (
        _state_before(connection, definition, weeks[0])
        if recorded and min(recorded) < weeks[0]
        else new_state(definition)
    )
    results = list(fold(definition, state, weeks, market))
    while results and not recorded and results[0].status == "unavailable" and not results[0].state.is_started:
        results.pop(0)  # an index has no history before it starts
    return IndexWeeks(definition, tuple(results))


def append_indices(
    connection: duckdb.DuckDBPyConnection, computed: Sequence[IndexWeeks], context: RunContext
) -> dict[str, Appended]:
    """Record the computed weeks of all indices as versions of compositions, rebalances and levels.

    Indices that have the same reason are recorded together: an append costs the same for one as for forty.
    """
    gathered: dict[str, dict[VersionedTable, list[tuple[pl.DataFrame, pl.DataFrame]]]] = {}
    for index in computed:
        if not index.results:
            continue
        known = recorded_weeks(connection, COMPOSITIONS.full_name, index_id=index.definition.index_id)
        for is_known, reason in ((False, context.reason_for_new() if known else "backfill"), (True, "correction")):
            part = [result for result in index.results if (result.as_of_week in known) == is_known]
            if not part:
                continue
            for table, frames in _frames(connection, index.definition, part).items():
                gathered.setdefault(reason, {}).setdefault(table, []).append(frames)
    results: dict[str, list[Appended]] = {table.full_name: [] for table in TABLES}
    for reason, tables in gathered.items():
        provenance = context.provenance(reason)
        for table, frames_of_indices in tables.items():
            rows, units = (pl.concat(parts) for parts in zip(*frames_of_indices, strict=True))
            results[table.full_name].append(
                append_versions(connection, table, rows, provenance=provenance, units=units)
            )
    return {name: merge_appended(name, appended) for name, appended in results.items()}


def _frames(
    connection: duckdb.DuckDBPyConnection, definition: IndexDefinition, results: Sequence[WeekResult]
) -> dict[VersionedTable, tuple[pl.DataFrame, pl.DataFrame]]:
    """Rows and expected units of each table for some weeks of one index."""
    weeks = [result.as_of_week for result in results]
    units = pl.DataFrame({"as_of_week": weeks}, schema={"as_of_week": pl.Date}).with_columns(
        index_id=pl.lit(definition.index_id)
    )
    rebalances = pl.concat(
        [result.rebalances.with_columns(as_of_week=pl.lit(result.as_of_week)) for result in results], how="vertical"
    )
    # A rebalance that a correction undoes stays as a unit without rows.
    undone = (
        connection.execute(
            """
        select distinct effective_at, as_of_week from indices.rebalances_current
        where index_id = ? and as_of_week in (select unnest(?))
        """,
            [definition.index_id, weeks],
        )
        .pl()
        .select(pl.col("effective_at").cast(pl.Datetime("us", "UTC")), "as_of_week")
    )
    rebalance_units = (
        pl.concat([rebalances.select(pl.col("effective_at").cast(pl.Datetime("us", "UTC")), "as_of_week"), undone])
        .unique("effective_at", keep="first", maintain_order=True)
        .with_columns(index_id=pl.lit(definition.index_id))
    )
    levels = pl.concat([_level_rows(result) for result in results])
    return {
        COMPOSITIONS: (pl.concat([result.compositions for result in results]), units),
        REBALANCES: (rebalances, rebalance_units),
        LEVELS: (levels, units),
    }


def _level_rows(result: WeekResult) -> pl.DataFrame:
    """Levels of a week with their status; an unavailable week has seven rows without a level, which say why."""
    if result.status == "available":
        rows = result.levels.with_columns(status=pl.lit("available"), status_reason=pl.lit(None, pl.String))
    else:
        days = [result.as_of_week - timedelta(days=back) for back in range(7, 0, -1)]
        rows = pl.DataFrame({"index_id": [result.index_id] * 7, "date": days}).with_columns(
            level=pl.lit(None, pl.Float64), status=pl.lit("unavailable"), status_reason=pl.lit(result.reason, pl.String)
        )
    return rows.with_columns(as_of_week=pl.lit(result.as_of_week)).select(
        "as_of_week", "index_id", "date", "level", "status", "status_reason"
    )


def _state_before(connection: duckdb.DuckDBPyConnection, definition: IndexDefinition, week: date) -> IndexState:
    """State of an index at the end of the week before `week`, from the recorded rows."""
    before = week - WEEK

    def rows(table: VersionedTable, schema: dict[str, pl.DataType], condition: str) -> pl.DataFrame:
        frame = connection.execute(
            f"select * from {table.current_view_sql_name} where index_id = ? and as_of_week <= ? and {condition}",
            [definition.index_id, before],
        ).pl()
        return frame.select(pl.col(name).cast(dtype) for name, dtype in schema.items())

    return state_from_rows(
        definition,
        rows(REBALANCES, REBALANCE_SCHEMA, "true"),
        rows(LEVELS, LEVEL_SCHEMA, "level is not null"),
        rows(COMPOSITIONS, COMPOSITION_SCHEMA, "true"),
        as_of_week=before,
    )


def midnight(day: date) -> datetime:
    """00:00 UTC of a day."""
    return datetime.combine(day, time(), UTC)
