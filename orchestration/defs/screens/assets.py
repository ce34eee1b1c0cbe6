"""The scam filter and the moonshot screen."""

from collections.abc import Iterator

import dagster as dg

from models_ml.screens.moonshots import MoonshotSettings
from models_ml.screens.scam_filter.token_warnings import FilterSettings
from orchestration.lib.published_checks import key_of, published_check_spec, published_result
from orchestration.lib.resources import POOL, RunLease, Warehouse
from orchestration.lib.screen_weeks import build_moonshots
from orchestration.lib.versioned_tables import MOONSHOTS, TRADER_GRADES, TRADING_SIGNALS
from orchestration.lib.warning_weeks import WARNING_TABLES, build_warnings


@dg.multi_asset(
    name="moonshot_weeks",
    specs=[
        dg.AssetSpec(
            key_of(MOONSHOTS),
            deps=[
                key_of(TRADER_GRADES),
                key_of(TRADING_SIGNALS),
                *(
                    dg.AssetKey(["marts", name])
                    for name in ("fct_universe_daily", "feat_token_daily", "fct_listings", "dim_tokens", "fct_daily")
                ),
            ],
            description=MOONSHOTS.description,
            group_name="screens",
            owners=["team:research"],
            kinds={"duckdb"},
        )
    ],
    check_specs=[published_check_spec(MOONSHOTS)],
    pool=POOL,
)
def moonshot_weeks(
    context: dg.AssetExecutionContext, lease: RunLease, warehouse: Warehouse
) -> Iterator[dg.MaterializeResult]:
    """At most ten low-cap picks a week, each with its checklist and evidence. Unproven: the screen is scored, not trusted."""
    with warehouse.connect() as connection:
        build = warehouse.build(connection, context.run_id)
        appended = build_moonshots(connection, build, MoonshotSettings())
        yield published_result(
            connection, MOONSHOTS, appended, root=warehouse.folder.root, order_by="as_of_week desc, rank"
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
            yield published_result(connection, table, appended, root=warehouse.folder.root, order_by=order_by)
