"""Chances of small tokens, and what became of the screen's picks."""

from collections.abc import Iterator

import dagster as dg

from models_ml.screens.moonshots import MoonshotSettings
from orchestration.lib.chance_weeks import build_chances
from orchestration.lib.metadata import table_metadata
from orchestration.lib.moonshot_outcomes import OUTCOMES, RECORD, write_outcomes
from orchestration.lib.published_checks import key_of, published_check_spec, published_result
from orchestration.lib.resources import POOL, RunLease, Warehouse
from orchestration.lib.versioned_tables import MOONSHOT_CHANCES, MOONSHOTS

MARTS = [dg.AssetKey(["marts", name]) for name in ("fct_universe_daily", "feat_token_daily", "fct_daily", "dim_tokens")]


@dg.multi_asset(
    name="chance_weeks",
    specs=[
        dg.AssetSpec(
            key_of(MOONSHOT_CHANCES),
            deps=[dg.AssetKey(["learning", "models"]), *MARTS],
            description=MOONSHOT_CHANCES.description,
            group_name="screens",
            owners=["team:research"],
            kinds={"lightgbm", "duckdb"},
        )
    ],
    check_specs=[published_check_spec(MOONSHOT_CHANCES)],
    pool=POOL,
)
def chance_weeks(
    context: dg.AssetExecutionContext, lease: RunLease, warehouse: Warehouse
) -> Iterator[dg.MaterializeResult]:
    """Chances of every small token to double or treble within 90 days, each week by the model then in force."""
    with warehouse.connect() as connection:
        build = warehouse.build(connection, context.run_id)
        appended = build_chances(connection, warehouse.registry(), build, MoonshotSettings())
        yield published_result(
            connection,
            MOONSHOT_CHANCES,
            appended,
            build,
            root=warehouse.folder.root,
            order_by="as_of_week desc, p_2x_90d desc",
        )


@dg.multi_asset(
    name="moonshot_outcomes",
    specs=[
        dg.AssetSpec(
            dg.AssetKey(table.split(".")),
            deps=[key_of(MOONSHOTS), *MARTS],
            description=text,
            group_name="screens",
            owners=["team:research"],
            kinds={"duckdb"},
        )
        for table, text in (
            (
                OUTCOMES,
                "Past and active picks to their end, failures included, each beside up to five controls; written anew.",
            ),
            (RECORD, "Hit rate beside controls and 1,000 random screens, with the verdict that follows; written anew."),
        )
    ],
    pool=POOL,
)
def moonshot_outcomes(
    context: dg.AssetExecutionContext, lease: RunLease, warehouse: Warehouse
) -> Iterator[dg.MaterializeResult]:
    """What became of every pick, and whether that shows skill beyond volatility."""
    with warehouse.connect() as connection:
        build = warehouse.build(connection, context.run_id)
        rows, records = write_outcomes(connection, MoonshotSettings(), until=build.as_of_week)
        verdicts = {f"verdict_{origin}": record.verdict for origin, record in records.items()}
        for table, order_by in ((OUTCOMES, "as_of_week desc, rank, control_number"), (RECORD, "origin")):
            shown = table_metadata(connection, table, order_by=order_by)
            yield dg.MaterializeResult(
                asset_key=dg.AssetKey(table.split(".")), metadata={**shown, "followed": rows.height, **verdicts}
            )
