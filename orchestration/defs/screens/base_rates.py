"""Base rates: how often tokens of a size and volatility reached a multiple or lost half."""

from collections.abc import Iterator

import dagster as dg

from models_ml.screens.moonshots import MoonshotSettings
from orchestration.lib.base_rate_weeks import build_base_rates, newest_odds
from orchestration.lib.metadata import markdown_table
from orchestration.lib.published_checks import key_of, published_check_spec, published_result
from orchestration.lib.resources import POOL, RunLease, Warehouse
from orchestration.lib.versioned_tables import BASE_RATES, TRADER_GRADES

SHOWN = (("2x", 90), ("half", 90))
"""Outcome and horizon of the tables in the UI."""


@dg.multi_asset(
    name="base_rate_weeks",
    specs=[
        dg.AssetSpec(
            key_of(BASE_RATES),
            deps=[
                key_of(TRADER_GRADES),  # which says the weeks
                *(
                    dg.AssetKey(["marts", name])
                    for name in ("fct_daily", "fct_universe_daily", "feat_token_daily", "dim_tokens", "dim_token_ids")
                ),
            ],
            description=BASE_RATES.description,
            group_name="screens",
            owners=["team:research"],
            kinds={"duckdb"},
        )
    ],
    check_specs=[published_check_spec(BASE_RATES)],
    pool=POOL,
)
def base_rate_weeks(
    context: dg.AssetExecutionContext, lease: RunLease, warehouse: Warehouse
) -> Iterator[dg.MaterializeResult]:
    """Odds by market cap and volatility, from every window that had ended before the week: what to print beside a pick."""
    with warehouse.connect() as connection:
        build = warehouse.build(connection, context.run_id)
        appended = build_base_rates(connection, build, MoonshotSettings())
        odds = {
            f"{outcome} within {days} days": dg.MetadataValue.md(
                markdown_table(newest_odds(connection, outcome=outcome, horizon_days=days))
            )
            for outcome, days in SHOWN
        }
        yield published_result(
            connection,
            BASE_RATES,
            appended,
            build,
            root=warehouse.folder.root,
            order_by="as_of_week desc, horizon_days, outcome, cap_bucket, volatility_bucket",
            further_plots=odds,
        )
