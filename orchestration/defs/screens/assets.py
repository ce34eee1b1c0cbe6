"""The moonshot screen."""

from collections.abc import Iterator

import dagster as dg

from models_ml.screens.moonshots import MoonshotSettings
from models_ml.screens.plan import PlanSettings
from orchestration.lib.published_checks import key_of, published_check_spec, published_result
from orchestration.lib.resources import POOL, RunLease, Warehouse
from orchestration.lib.screen_weeks import SCREEN_TABLES, build_moonshots
from orchestration.lib.versioned_tables import (
    BASE_RATES,
    DAILY_GRADES,
    DAILY_SIGNALS,
    MOONSHOTS,
    TRADER_GRADES,
    TRADING_SIGNALS,
)

MARTS = (
    "dim_token_links",
    "dim_tokens",
    "fct_candle_ranges_daily",
    "fct_community_daily",
    "fct_daily",
    "fct_developers_daily",
    "fct_holders_daily",
    "fct_listings",
    "fct_mentions_daily",
    "fct_onchain_daily",
    "fct_risk_daily",
    "fct_sectors_daily",
    "fct_universe_daily",
    "feat_token_daily",
)
UPSTREAM = (TRADER_GRADES, TRADING_SIGNALS, DAILY_GRADES, DAILY_SIGNALS, BASE_RATES)


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
                connection, table, written, root=warehouse.folder.root, order_by=f"as_of_week desc, {place}"
            )
