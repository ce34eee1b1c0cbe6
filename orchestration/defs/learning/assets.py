"""Models, grades, calls and their evaluation."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import dagster as dg
import duckdb
import polars as pl

from models_ml.learning.actions import ActionRules
from models_ml.learning.boosters import gain_shares
from models_ml.learning.evaluation.rank_skill import SIZE_EDGES_USD
from models_ml.learning.explanations import gain_by_family
from models_ml.screens.moonshots import MoonshotSettings
from orchestration.lib.action_weeks import build_actions
from orchestration.lib.calls import CALL_TABLES, build_calls
from orchestration.lib.chance_weeks import ensure_chance_models
from orchestration.lib.dask_training import training_place
from orchestration.lib.evaluation_weeks import EVALUATED_HEADS, EVALUATED_TRADER, EvaluatedHead, evaluate
from orchestration.lib.explained_weeks import EXPLAINED_TABLES, build_explanations
from orchestration.lib.metadata import lines_plot, markdown_table, plot, preview_of, table_metadata
from orchestration.lib.model_table import TABLE, record_models
from orchestration.lib.outcome_weeks import build_outcomes
from orchestration.lib.published_checks import key_of, published_check_spec, published_result
from orchestration.lib.resources import POOL, RunLease, Warehouse
from orchestration.lib.training import HEADS, ensure_models
from orchestration.lib.versioned_tables import (
    BULL_BEAR,
    CALL_OUTCOMES,
    DAILY_GRADES,
    DAILY_SIGNALS,
    GRADE_EXPLANATIONS,
    INVESTOR_GRADES,
    MODEL_EVALUATION,
    PRICE_RANGES,
    TRADE_ACTIONS,
    TRADER_GRADES,
    TRADING_SIGNALS,
    VersionedTable,
)

MARTS = [
    dg.AssetKey(["marts", name])
    for name in ("feat_token_daily", "fct_universe_daily", "feat_market_daily", "fct_daily", "dim_tokens")
]
PRICED = dg.AssetKey(["quality", "source_health"])
"""Its blocking check stops everything downstream when the prices are lost."""

MODELS = dg.AssetKey(["learning", "models"])

FEWEST_WEEKS_OF_A_MEAN = 8
"""A mean of fewer weeks is left out of a picture, whose scale it would set."""

PREVIEW_ORDER = {
    TRADER_GRADES.full_name: "as_of_week desc, trader_grade desc",
    INVESTOR_GRADES.full_name: "as_of_week desc, investor_grade desc",
    DAILY_GRADES.full_name: "market_date desc, trader_grade desc",
    TRADING_SIGNALS.full_name: "as_of_week desc, p_bullish - p_bearish desc",
    DAILY_SIGNALS.full_name: "market_date desc, p_bullish - p_bearish desc",
    PRICE_RANGES.full_name: "as_of_week desc, token_id, horizon_days",
    BULL_BEAR.full_name: "as_of_week desc, universe",
}


def spec_of(table: VersionedTable, deps: list[dg.AssetKey]) -> dg.AssetSpec:
    """Asset of a versioned table of learning."""
    return dg.AssetSpec(
        key_of(table),
        deps=deps,
        description=table.description,
        group_name="learning",
        owners=["team:research"],
        kinds={"lightgbm", "duckdb"},
    )


@dg.asset(
    key=MODELS, deps=[*MARTS, PRICED], group_name="learning", owners=["team:research"], kinds={"lightgbm"}, pool=POOL
)
def models(context: dg.AssetExecutionContext, lease: RunLease, warehouse: Warehouse) -> dg.MaterializeResult:
    """The models of every quarter, one a head: trained on their refit date's past, frozen in the registry, never changed."""
    registry = warehouse.registry()
    with warehouse.connect() as connection, training_place(warehouse.settings):
        build = warehouse.build(connection, context.run_id)
        trials = warehouse.settings.tuning_trials
        trained = ensure_models(connection, registry, until=build.as_of_week, trials=trials, report=context.log.info)
        trained += ensure_chance_models(
            connection, registry, MoonshotSettings(), until=build.as_of_week, report=context.log.info
        )
        rows = record_models(connection, registry, week=build.as_of_week)
        shown = table_metadata(connection, TABLE)
    # Lists of columns would fill the page.
    preview = rows.filter("is_in_force").drop("column_names", "parameters", "constants")
    metadata: dict[str, Any] = {"trained_now": len(trained), **shown, "preview": preview_of(preview)}
    for head in HEADS:
        newest = registry.in_force(head.name, build.as_of_week)
        if newest is not None:
            gains = gain_shares(list(newest.boosters.values()))
            metadata |= {
                f"{head.name}_in_force": newest.version,
                f"{head.name}_training_rows": newest.training_rows,
                f"{head.name}_parameters": dg.MetadataValue.json(newest.parameters),
                f"{head.name}_gain": dg.MetadataValue.md(markdown_table(gains.head(15))),
                f"{head.name}_families": family_plot(head.name, gains, warehouse.settings.source),
            }
    return dg.MaterializeResult(metadata=metadata)


@dg.multi_asset(
    name="calls",
    specs=[spec_of(table, [MODELS, *MARTS]) for table in CALL_TABLES],
    check_specs=[published_check_spec(table) for table in CALL_TABLES],
    pool=POOL,
)
def calls(context: dg.AssetExecutionContext, lease: RunLease, warehouse: Warehouse) -> Iterator[dg.MaterializeResult]:
    """Grades, signals, ranges and the bull-bear indicator of every week that is missing or that a late fact may have changed."""
    source = warehouse.settings.source
    with warehouse.connect() as connection:
        build = warehouse.build(connection, context.run_id)
        appended = build_calls(connection, warehouse.registry(), build)
        plots = {
            TRADER_GRADES.full_name: median_grade_plot(connection, source),
            BULL_BEAR.full_name: bull_bear_plot(connection, source),
        }
        for table in CALL_TABLES:
            yield published_result(
                connection,
                table,
                appended[table.full_name],
                build,
                root=warehouse.folder.root,
                order_by=PREVIEW_ORDER[table.full_name],
                plot=plots.get(table.full_name),
            )


@dg.multi_asset(
    name="explanations",
    specs=[
        spec_of(table, [MODELS, key_of(TRADER_GRADES), key_of(INVESTOR_GRADES), *MARTS]) for table in EXPLAINED_TABLES
    ],
    check_specs=[published_check_spec(table) for table in EXPLAINED_TABLES],
    pool=POOL,
)
def explanations(
    context: dg.AssetExecutionContext, lease: RunLease, warehouse: Warehouse
) -> Iterator[dg.MaterializeResult]:
    """What moved each grade most, in numbers and words, and grades by family of features."""
    with warehouse.connect() as connection:
        build = warehouse.build(connection, context.run_id)
        appended = build_explanations(connection, warehouse.registry(), build)
        for table in EXPLAINED_TABLES:
            written = appended[table.full_name]
            yield published_result(
                connection, table, written, build, root=warehouse.folder.root, order_by="as_of_week desc, token_id"
            )


@dg.multi_asset(
    name="trade_actions",
    specs=[
        spec_of(
            TRADE_ACTIONS,
            [
                MODELS,
                *map(key_of, (TRADER_GRADES, TRADING_SIGNALS, DAILY_SIGNALS, GRADE_EXPLANATIONS)),
                *MARTS,
            ],
        )
    ],
    check_specs=[published_check_spec(TRADE_ACTIONS)],
    pool=POOL,
)
def trade_actions(
    context: dg.AssetExecutionContext, lease: RunLease, warehouse: Warehouse
) -> Iterator[dg.MaterializeResult]:
    """What confirms each weekly call, what the rules do about it, how large a position they allow, and what changed since the flip."""
    with warehouse.connect() as connection:
        build = warehouse.build(connection, context.run_id)
        appended = build_actions(connection, warehouse.registry(), build, ActionRules())
        order = "as_of_week desc, position_weight desc nulls last, token_id"
        yield published_result(connection, TRADE_ACTIONS, appended, build, root=warehouse.folder.root, order_by=order)


@dg.multi_asset(
    name="model_evaluation",
    specs=[spec_of(head.table, [key_of(head.grades), *MARTS]) for head in EVALUATED_HEADS],
    check_specs=[
        *(published_check_spec(head.table) for head in EVALUATED_HEADS),
        dg.AssetCheckSpec(
            "skill_is_positive",
            asset=key_of(MODEL_EVALUATION),
            description="The mean weekly rank IC of the last 26 evaluated weeks is above 0.",
        ),
    ],
    pool=POOL,
)
def model_evaluation(
    context: dg.AssetExecutionContext, lease: RunLease, warehouse: Warehouse
) -> Iterator[dg.MaterializeResult]:
    """Rank IC, decile spread and coverage of every week whose labels have ended, by size and sector, beside simple baselines."""
    source = warehouse.settings.source
    with warehouse.connect() as connection:
        build = warehouse.build(connection, context.run_id)
        appended = {head: evaluate(connection, build, head) for head in EVALUATED_HEADS}
        for head in EVALUATED_HEADS:
            ics = weekly_ics(connection, head)
            yield published_result(
                connection,
                head.table,
                appended[head],
                build,
                root=warehouse.folder.root,
                where=f"model = '{head.name}' and universe = 'broad'",
                plot=weekly_ic_plot(ics, head, source),
                further_plots={
                    "cumulative_by_head": cumulative_by_head(connection, source),
                    "cumulative_by_size": cumulative_by_size(connection, head, source),
                },
                checks=[skill_check(ics)] if head is EVALUATED_TRADER else (),
            )


@dg.multi_asset(
    name="call_outcomes",
    specs=[spec_of(CALL_OUTCOMES, [key_of(TRADER_GRADES), key_of(TRADING_SIGNALS), *MARTS])],
    check_specs=[published_check_spec(CALL_OUTCOMES)],
    pool=POOL,
)
def call_outcomes(
    context: dg.AssetExecutionContext, lease: RunLease, warehouse: Warehouse
) -> Iterator[dg.MaterializeResult]:
    """What was said of each token and what came of it: the first version of every call, misses included."""
    with warehouse.connect() as connection:
        build = warehouse.build(connection, context.run_id)
        appended = build_outcomes(connection, build)
        yield published_result(
            connection, CALL_OUTCOMES, appended, build, root=warehouse.folder.root, order_by="as_of_week desc, token_id"
        )


def family_plot(head: str, gains: pl.DataFrame, data_source: str) -> dg.MarkdownMetadataValue:
    """Share of a head's gain by family of features, from that by column (`gain_shares`)."""
    shares = gain_by_family(gains).reverse()

    def draw(axes: Any) -> None:
        axes.barh(shares["family"].to_list(), shares["gain_share"].to_list())
        axes.grid(visible=True, axis="x", alpha=0.25)

    return plot(draw, title=f"{head}: gain by family", unit="fraction of the gain", data_source=data_source)


def weekly_ics(connection: duckdb.DuckDBPyConnection, head: EvaluatedHead) -> pl.DataFrame:
    """Weekly rank ICs of a head on the broad universe: as_of_week, value."""
    return connection.execute(
        f"""select as_of_week, value from {head.table.current_view_sql_name}
        where model = ? and universe = 'broad' and metric = 'rank_ic' order by as_of_week""",
        [head.name],
    ).pl()


def skill_check(ics: pl.DataFrame) -> dg.AssetCheckResult:
    """Whether the newest weekly rank ICs of the trader model are above 0 in the mean; so they are while there are none."""
    recent = ics["value"].tail(26).mean()
    return dg.AssetCheckResult(
        passed=not ics.height or (isinstance(recent, float) and recent > 0),
        severity=dg.AssetCheckSeverity.WARN,
        asset_key=key_of(MODEL_EVALUATION),
        check_name="skill_is_positive",
        metadata={"mean_rank_ic_26_weeks": recent if isinstance(recent, float) else "no week evaluated yet"},
    )


def weekly_ic_plot(ics: pl.DataFrame, head: EvaluatedHead, data_source: str) -> dg.MarkdownMetadataValue | None:
    """The weekly rank ICs of a head and their mean over half a year; None before the first."""
    if ics.is_empty():
        return None
    mean = ics["value"].rolling_mean(26, min_samples=4).to_list()
    days = ics["as_of_week"].to_list()
    return lines_plot(
        {"rank IC of the week": (days, ics["value"].to_list()), "mean of 26 weeks": (days, mean)},
        title=f"Weekly rank IC of the {head.name} model over {head.horizon_days} days, broad universe, out of sample",
        unit="rank correlation",
        data_source=data_source,
    )


def cumulative_by_head(connection: duckdb.DuckDBPyConnection, data_source: str) -> dg.MarkdownMetadataValue:
    """The mean rank IC so far of every head, on the broad and the liquid universe."""
    series = {
        f"{head.name}, {universe}": mean_so_far(connection, head, universe)
        for head in EVALUATED_HEADS
        for universe in ("broad", "liquid")
    }
    return cumulative_plot(series, title="Mean rank IC so far, by head", data_source=data_source)


def cumulative_by_size(
    connection: duckdb.DuckDBPyConnection, head: EvaluatedHead, data_source: str
) -> dg.MarkdownMetadataValue:
    """The mean rank IC so far of a head in each size bucket, and on the whole universe."""
    buckets = {bucket.replace("_", " "): f"size_{bucket}" for bucket in SIZE_EDGES_USD}
    series = {
        label: mean_so_far(connection, head, universe) for label, universe in {"all sizes": "broad", **buckets}.items()
    }
    return cumulative_plot(
        series, title=f"Mean rank IC so far of the {head.name} model, by market cap in USD", data_source=data_source
    )


def mean_so_far(connection: duckdb.DuckDBPyConnection, head: EvaluatedHead, universe: str) -> pl.DataFrame:
    """The mean of a head's lagged rank IC up to each week in which the head was evaluated.

    Returns:
        as_of_week, mean, weeks (count of those in the mean), from the week on in which a mean says something. In a week in which the
        universe was too small to be ranked the mean stays what it was.
    """
    return connection.execute(
        f"""
        select evaluated.as_of_week, avg(own.value) over so_far as mean, count(own.value) over so_far as weeks
        from (select distinct as_of_week from {head.table.current_view_sql_name}) as evaluated
        left join {head.table.current_view_sql_name} as own
            on evaluated.as_of_week = own.as_of_week
            and own.model = ? and own.universe = ? and own.metric = 'rank_ic_lag1'
        window so_far as (order by evaluated.as_of_week)
        qualify weeks >= ?
        order by evaluated.as_of_week
        """,
        [head.name, universe, FEWEST_WEEKS_OF_A_MEAN],
    ).pl()


def cumulative_plot(series: Mapping[str, pl.DataFrame], *, title: str, data_source: str) -> dg.MarkdownMetadataValue:
    """Frames of `mean_so_far` as lines, each named with its number of weeks; one without a week is left out."""
    return lines_plot(
        {
            f"{label} ({means['weeks'][-1]})": (means["as_of_week"].to_list(), means["mean"].to_list())
            for label, means in series.items()
            if means.height
        },
        title=f"{title}, weeks in brackets",
        unit="rank correlation, bought one day late",
        data_source=data_source,
        is_legend_beside=True,
    )


def median_grade_plot(connection: duckdb.DuckDBPyConnection, data_source: str) -> dg.MarkdownMetadataValue:
    """The median grade over the weeks: all grades fall together in a weak market."""
    rows = connection.execute(
        """select as_of_week, median(trader_grade) as grade, quantile_cont(trader_grade, 0.9) as high
        from learning.trader_grades_current group by as_of_week order by as_of_week"""
    ).pl()
    days = rows["as_of_week"].to_list()
    return lines_plot(
        {"median grade": (days, rows["grade"].to_list()), "best tenth": (days, rows["high"].to_list())},
        title="Trader Grades by week",
        unit="Trader Grade (0-100)",
        data_source=data_source,
    )


def bull_bear_plot(connection: duckdb.DuckDBPyConnection, data_source: str) -> dg.MarkdownMetadataValue:
    """Shares of bullish and bearish calls of the last two years."""
    rows = connection.execute(
        "select * from learning.bull_bear_current where universe = 'broad' order by as_of_week"
    ).pl()
    if rows.height:
        rows = rows.filter(pl.col("as_of_week") > rows["as_of_week"][-1] - timedelta(days=730))
    days = rows["as_of_week"].to_list()
    return lines_plot(
        {"bullish": (days, rows["bullish_share"].to_list()), "bearish": (days, rows["bearish_share"].to_list())},
        title="Share of bullish and bearish calls",
        unit="fraction of tokens",
        data_source=data_source,
    )
