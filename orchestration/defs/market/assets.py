"""The state of the market: bull-bear indicator, call of the market and its record, regime."""

from collections.abc import Iterator

import dagster as dg

from orchestration.defs.market.plots import state_plots
from orchestration.lib.market_tables import SCHEMA, TABLES, newest_state, write_market_tables
from orchestration.lib.metadata import table_metadata
from orchestration.lib.published_checks import key_of
from orchestration.lib.resources import POOL, RunLease, Warehouse
from orchestration.lib.versioned_tables import DAILY_GRADES, DAILY_SIGNALS

DESCRIPTIONS = {
    "bull_bear": "Share of bullish and bearish calls by day, plain and by cap, and the lowest or highest since when.",
    "signal": "The call of the whole market by day, from the calls of its tokens, with hysteresis.",
    "calls": "How every call of the market turned out, losses included, beside what it had to beat.",
    "regime": "Bull or bear, calm or turbulent, by day: filtered, by models weighted on returns before each quarter.",
    "regime_models": "What the models of the regime looked like at each refit.",
    "grades": "Median grade and share of high grades by day, of all tokens and of new ones.",
}


@dg.multi_asset(
    name="market_state",
    specs=[
        dg.AssetSpec(
            dg.AssetKey([SCHEMA, name]),
            deps=[
                key_of(DAILY_SIGNALS),
                key_of(DAILY_GRADES),
                *(
                    dg.AssetKey(["marts", mart])
                    for mart in (
                        "fct_market_daily",
                        "feat_market_daily",
                        "fct_universe_daily",
                        "fct_token_events_daily",
                    )
                ),
                dg.AssetKey(["marts", "fct_sector_rotation_daily"]),
                dg.AssetKey(["intermediate", "int_market_members"]),
            ],
            description=f"{DESCRIPTIONS[name]} Written anew by every run.",
            group_name="market",
            owners=["team:research"],
            kinds={"duckdb"},
        )
        for name in TABLES
    ],
    pool=POOL,
)
def market_state(
    context: dg.AssetExecutionContext, lease: RunLease, warehouse: Warehouse
) -> Iterator[dg.MaterializeResult]:
    """What the calls of tokens, and the market's own returns, say of the market as a whole."""
    with warehouse.connect() as connection:
        rows = write_market_tables(connection)
        context.log.info("rows written: %s; newest: %s", rows, newest_state(connection))
        plots = state_plots(connection, warehouse.settings.source)
        for name in TABLES:
            shown = table_metadata(connection, f"{SCHEMA}.{name}") | plots.get(name, {})
            yield dg.MaterializeResult(asset_key=dg.AssetKey([SCHEMA, name]), metadata=shown)
