"""The moonshot screen."""

from collections.abc import Iterator

import dagster as dg

from models_ml.screens.moonshots import MoonshotSettings
from orchestration.lib.published_checks import key_of, published_check_spec, published_result
from orchestration.lib.resources import POOL, RunLease, Warehouse
from orchestration.lib.screen_weeks import build_moonshots
from orchestration.lib.versioned_tables import MOONSHOTS, TRADER_GRADES, TRADING_SIGNALS


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
