"""Index compositions, rebalances and levels."""

from collections.abc import Iterator

import dagster as dg
import duckdb

from models_ml.indices.components import undated_inputs
from models_ml.indices.definition import FLAGSHIP, IndexDefinition, load_definitions
from models_ml.indices.risk_modes import in_words
from orchestration.defs.indices.plots import index_plots
from orchestration.lib.index_backtest import write_backtests
from orchestration.lib.index_insurance import write_insurance
from orchestration.lib.index_kit import record_versions, write_methodologies, write_pro_forma
from orchestration.lib.index_weeks import TABLES, append_indices, compute_indices, read_market
from orchestration.lib.metadata import lines_plot, table_metadata
from orchestration.lib.published_checks import key_of, published_check_spec, published_result
from orchestration.lib.resources import POOL, RunLease, Warehouse
from orchestration.lib.versioned_tables import (
    COMPOSITIONS,
    DAILY_GRADES,
    LEVELS,
    REBALANCES,
    TRADER_GRADES,
    TRADING_SIGNALS,
)

DEFINITIONS = dg.AssetKey(["indices", "definitions"])
KIT = {
    name: dg.AssetKey(["indices", name]) for name in ("definition_versions", "methodologies", "pro_forma", "insurance")
}
KIT_DESCRIPTIONS = {
    "definition_versions": "Every state of every definition that was ever in force, with what changed; rows are only added.",
    "methodologies": "The methodology of each index as a document written from its definition; written anew.",
    "pro_forma": "What each index will hold at its next effective time as known now, decided or indicative; written anew.",
    "insurance": "What the rotation of each index gives up and avoids, year by year, against the same index without it; written anew.",
}
DEPS = [
    key_of(TRADER_GRADES),
    key_of(TRADING_SIGNALS),
    key_of(DAILY_GRADES),
    *(
        dg.AssetKey(["marts", name])
        for name in (
            "fct_daily",
            "fct_universe_daily",
            "dim_tokens",
            "feat_market_daily",
            "feat_token_daily",
            "feat_token_relative_daily",
        )
    ),
]

PLOTTED = (
    FLAGSHIP,
    "ai_low_risk",
    "hodl100_capped",
    "hodl10",
    "balanced_mix",
    "barbell",
    "ma_cross",
    "rsi_rotation",
)
"""Indices in the plot of levels: one of each family, since the eye tells no more apart."""

PREVIEW_ORDER = {
    COMPOSITIONS.full_name: "as_of_week desc, index_id, weight desc",
    REBALANCES.full_name: "effective_at desc, index_id, target_weight desc",
    LEVELS.full_name: "date desc, index_id",
}


@dg.multi_asset(
    name="index_weeks",
    specs=[
        dg.AssetSpec(
            DEFINITIONS,
            deps=DEPS,
            description="The index definitions in force, one row an index, from their YAML files.",
            group_name="indices",
            owners=["team:research"],
            kinds={"yaml"},
        ),
        *(
            dg.AssetSpec(
                key,
                deps=DEPS,
                description=KIT_DESCRIPTIONS[name],
                group_name="indices",
                owners=["team:research"],
                kinds={"duckdb"},
            )
            for name, key in KIT.items()
        ),
        *(
            dg.AssetSpec(
                key_of(table),
                deps=DEPS,
                description=table.description,
                group_name="indices",
                owners=["team:research"],
                kinds={"duckdb"},
            )
            for table in TABLES
        ),
    ],
    check_specs=[published_check_spec(table) for table in TABLES],
    pool=POOL,
)
def index_weeks(
    context: dg.AssetExecutionContext, lease: RunLease, warehouse: Warehouse
) -> Iterator[dg.MaterializeResult]:
    """Every index through the weeks that are missing or that a late fact may have changed."""
    definitions = load_definitions(*warehouse.settings.indices_folders)
    with warehouse.connect() as connection:
        build = warehouse.build(connection, context.run_id)
        market = read_market(connection, definitions, until=build.as_of_week)
        computed = compute_indices(connection, definitions, market, build)
        appended = append_indices(connection, computed, build)
        record_definitions(connection, definitions)
        record_versions(connection, definitions, build)
        write_methodologies(connection, definitions, year=build.as_of_week.year)
        write_pro_forma(connection, computed, market, build.as_of_week)
        write_insurance(connection, definitions, market, build.as_of_week)
        yield dg.MaterializeResult(asset_key=DEFINITIONS, metadata=table_metadata(connection, "indices.definitions"))
        for name, key in KIT.items():
            yield dg.MaterializeResult(asset_key=key, metadata=table_metadata(connection, f"indices.{name}"))
        for table in TABLES:
            yield published_result(
                connection,
                table,
                appended[table.full_name],
                build,
                root=warehouse.folder.root,
                order_by=PREVIEW_ORDER[table.full_name],
                plot=levels_plot(connection, warehouse.settings.source) if table is LEVELS else None,
            )


NET_LEVELS, STATISTICS, CAPACITY, START_DATES, PLANS, PAPER_PORTFOLIOS = BACKTESTED = tuple(
    dg.AssetKey(["indices", name])
    for name in ("net_levels", "statistics", "capacity", "start_dates", "plans", "paper_portfolios")
)


@dg.multi_asset(
    name="index_backtests",
    specs=[
        dg.AssetSpec(
            key,
            deps=[
                DEFINITIONS,
                key_of(REBALANCES),
                *(
                    dg.AssetKey(["marts", name])
                    for name in ("fct_daily", "fct_ranges_daily", "fct_liquidity_daily", "fct_market_daily")
                ),
            ],
            description=description,
            group_name="indices",
            owners=["team:research"],
            kinds={"duckdb"},
        )
        for key, description in (
            (
                NET_LEVELS,
                "Levels after costs for four capitals, from recorded rebalances and today's closes; written anew.",
            ),
            (STATISTICS, "Figures of every index with intervals, alone and against its benchmarks; written anew."),
            (CAPACITY, "The capital at which costs have eaten what an index earns above its twin; written anew."),
            (START_DATES, "How much the figures of an index depend on the month one began with it; written anew."),
            (PLANS, "What paying into an index at once, weekly or monthly has come to; written anew."),
            (
                PAPER_PORTFOLIOS,
                "What 10,000 USD put into each index at its first trade hold, week by week, after costs; written anew.",
            ),
        )
    ],
    pool=POOL,
)
def index_backtests(
    context: dg.AssetExecutionContext, lease: RunLease, warehouse: Warehouse
) -> Iterator[dg.MaterializeResult]:
    """Costs and figures of every index to the newest close."""
    definitions = load_definitions(*warehouse.settings.indices_folders)
    with warehouse.connect() as connection:
        build = warehouse.build(connection, context.run_id)
        write_backtests(connection, definitions, until=build.as_of_week)
        plots = index_plots(connection, definitions, warehouse.settings.source)
        for key in BACKTESTED:
            shown = plots if key == NET_LEVELS else {}
            yield dg.MaterializeResult(asset_key=key, metadata=table_metadata(connection, ".".join(key.path)) | shown)


def record_definitions(connection: duckdb.DuckDBPyConnection, definitions: list[IndexDefinition]) -> None:
    """Replace the table of definitions: what each index is, and since when it has levels."""
    connection.execute("delete from indices.definitions")
    by_id = {definition.index_id: definition for definition in definitions}
    for definition in definitions:
        undated = undated_inputs(definition, by_id)
        risk = f" {in_words(definition.risk_mode)}" if definition.risk_mode else ""
        hindsight = f" Rests on undated reference data (hindsight): {', '.join(undated)}." if undated else ""
        connection.execute(
            """
            insert into indices.definitions
            select ?, ?, ?, ?, min(date), max(date)
            from indices.levels_current where index_id = ? and level is not null
            """,
            [
                definition.index_id,
                definition.name,
                definition.kind,
                " ".join(definition.methodology.split()) + risk + hindsight,
                definition.index_id,
            ],
        )


def levels_plot(connection: duckdb.DuckDBPyConnection, data_source: str) -> dg.MarkdownMetadataValue:
    """Levels of `PLOTTED` on a log scale; of the first ones where none of them is there."""
    known = [
        index_id for (index_id,) in connection.execute("select index_id from indices.definitions order by 1").fetchall()
    ]
    shown = [index_id for index_id in PLOTTED if index_id in known] or known[: len(PLOTTED)]
    rows = connection.execute(
        """
        select index_id, date, level from indices.levels_current
        where level is not null and index_id in (select unnest(?)) order by index_id, date
        """,
        [shown],
    ).pl()
    series = {
        str(index_id): (frame["date"].to_list(), frame["level"].to_list())
        for (index_id,), frame in rows.partition_by("index_id", as_dict=True).items()
    }
    return lines_plot(series, title="Index levels", unit="level, log scale", data_source=data_source, is_log=True)
