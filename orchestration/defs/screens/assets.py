"""The moonshot screen."""

from collections.abc import Iterator

import dagster as dg

from models_ml.screens.moonshots import MoonshotSettings
from orchestration.lib.metadata import table_metadata
from orchestration.lib.published_checks import judge_published, key_of, published_check_spec
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
        shown = table_metadata(connection, "screens.moonshots_current", order_by="as_of_week desc, rank")
        yield dg.MaterializeResult(
            asset_key=key_of(MOONSHOTS),
            metadata={**appended.as_metadata(), **shown},
            check_results=[judge_published(connection, MOONSHOTS, root=warehouse.folder.root)],
        )
