"""The scam filter and the moonshot screen."""

from collections.abc import Iterator

import dagster as dg

from models_ml.screens.moonshots import MoonshotSettings
from models_ml.screens.plan import PlanSettings
from models_ml.screens.scam_filter.token_warnings import FilterSettings
from orchestration.lib.published_checks import key_of, published_check_spec, published_result
from orchestration.lib.resources import POOL, RunLease, Warehouse
from orchestration.lib.screen_weeks import SCREEN_TABLES, build_moonshots
from orchestration.lib.versioned_tables import (
    BASE_RATES,
    DAILY_GRADES,
    DAILY_SIGNALS,
    MOONSHOT_CHANCES,
    MOONSHOTS,
    TOKEN_WARNINGS,
    TRADER_GRADES,
    TRADING_SIGNALS,
    WARNING_COVERAGE,
)
from orchestration.lib.warning_weeks import WARNING_TABLES, build_warnings

MARTS = (
    "dim_token_links",
    "dim_tokens",
    "fct_candle_ranges_daily",
    "fct_community_daily",
    "fct_daily",
    "fct_developers_daily",
    "fct_dex_tokens_daily",
    "fct_holders_daily",
    "fct_listings",
    "fct_mentions_daily",
    "fct_onchain_daily",
    "fct_pools_daily",
    "fct_risk_daily",
    "fct_sectors_daily",
    "fct_universe_daily",
    "feat_token_daily",
)
UPSTREAM = (
    TRADER_GRADES,
    TRADING_SIGNALS,
    DAILY_GRADES,
    DAILY_SIGNALS,
    BASE_RATES,
    MOONSHOT_CHANCES,
    TOKEN_WARNINGS,
    WARNING_COVERAGE,
)


@dg.multi_asset(
    name="moonshot_weeks",
    specs=[
        dg.AssetSpec(
            key_of(table),
            deps=[
                *(key_of(each) for each in UPSTREAM),
                *(dg.AssetKey(["marts", name]) for name in MARTS),
                dg.AssetKey(["intermediate", "int_closes_resolved"]),
            ],
            description=table.description,
            group_name="screens",
            owners=["team:research"],
            kinds={"duckdb"},
        )
        for table in SCREEN_TABLES
    ],
    check_specs=[published_check_spec(table) for table in SCREEN_TABLES],
    pool=POOL,
)
def moonshot_weeks(
    context: dg.AssetExecutionContext, lease: RunLease, warehouse: Warehouse
) -> Iterator[dg.MaterializeResult]:
    """At most ten low-cap picks a week with plan and research card, and the tokens they were chosen from. Scored, not trusted."""
    with warehouse.connect() as connection:
        build = warehouse.build(connection, context.run_id)
        appended = build_moonshots(connection, build, MoonshotSettings(), PlanSettings())
        for table, written in appended.items():
            place = "rank" if table is MOONSHOTS else "place"
            yield published_result(
                connection, table, written, build, root=warehouse.folder.root, order_by=f"as_of_week desc, {place}"
            )


@dg.multi_asset(
    name="warning_weeks",
    specs=[
        dg.AssetSpec(
            key_of(table),
            deps=[
                *(
                    dg.AssetKey(["marts", name])
                    for name in (
                        "fct_universe_daily",
                        "fct_daily",
                        "dim_tokens",
                        "fct_liquidity_daily",
                        "fct_holders_daily",
                        "fct_pools_daily",
                    )
                ),
                dg.AssetKey(["intermediate", "int_daily_cleaned"]),
                dg.AssetKey(["quality", "corrections"]),
            ],
            description=table.description,
            group_name="screens",
            owners=["team:research"],
            kinds={"duckdb"},
        )
        for table in WARNING_TABLES
    ],
    check_specs=[published_check_spec(table) for table in WARNING_TABLES],
    pool=POOL,
)
def warning_weeks(
    context: dg.AssetExecutionContext, lease: RunLease, warehouse: Warehouse
) -> Iterator[dg.MaterializeResult]:
    """What speaks against a token, with the reason: made-up volume, pumps, caps nobody can sell at, traps. It proves no fraud."""
    with warehouse.connect() as connection:
        build = warehouse.build(connection, context.run_id)
        written = build_warnings(connection, build, FilterSettings())
        orders = (
            "as_of_week desc, is_excluding desc, token_id, warning",
            "as_of_week desc, warnings_raised desc, token_id",
        )
        for table, appended, order_by in zip(WARNING_TABLES, written, orders, strict=True):
            yield published_result(connection, table, appended, build, root=warehouse.folder.root, order_by=order_by)
