"""How the sources stand, as tables of the warehouse, and the gate that stops a week without prices."""

from collections.abc import Iterator

import dagster as dg

from orchestration.lib.connections import LAGS
from orchestration.lib.landing import read_lags
from orchestration.lib.loads import steps_of
from orchestration.lib.metadata import markdown_table
from orchestration.lib.resources import POOL, RunLease, Warehouse
from orchestration.lib.source_health import price_cover, write_coverage, write_health
from orchestration.lib.source_journal import SourceJournal
from orchestration.sources.datasets import DATASETS

HEALTH = dg.AssetKey(["quality", "source_health"])
COVERAGE = dg.AssetKey(["quality", "source_coverage"])
PRICES_CHECK = "prices_are_there"
FRESHNESS_CHECK = "sources_are_fresh"
TROUBLED = ("down", "stale")


@dg.multi_asset(
    name="source_health",
    specs=[
        dg.AssetSpec(
            COVERAGE,
            deps=[dg.AssetKey(["marts", "fct_daily"])],
            group_name="quality",
            owners=["team:operations"],
            kinds={"duckdb"},
            description="Rows received and refused by source, dataset and day, beside what the days before lead one to expect.",
        ),
        dg.AssetSpec(
            HEALTH,
            deps=[dg.AssetKey(["marts", "fct_daily"])],
            group_name="quality",
            owners=["team:operations"],
            kinds={"duckdb"},
            description="For each week and dataset: fresh, partly, stale, down or never, the newest day, and the reason.",
        ),
    ],
    check_specs=[
        dg.AssetCheckSpec(
            PRICES_CHECK,
            asset=HEALTH,
            blocking=True,
            description="At least half of the tokens that had prices a week ago still have them; else nothing is published.",
        ),
        dg.AssetCheckSpec(
            FRESHNESS_CHECK,
            asset=HEALTH,
            description="No source is down or stale; its features are missing where one is, and the week says so.",
        ),
    ],
    pool=POOL,
)
def source_health(
    context: dg.AssetExecutionContext, lease: RunLease, warehouse: Warehouse
) -> Iterator[dg.MaterializeResult]:
    """Coverage by day, and the state of every source as the week saw it."""
    store, lags = warehouse.store(), read_lags(LAGS)
    asked = {dataset.label for step in steps_of(warehouse.settings) for dataset in step.datasets}
    with warehouse.connect() as connection:
        build = warehouse.build(connection, context.run_id)
        is_live = build.data_source != "archive"
        shown = [each for each in DATASETS.values() if store.files(each) or (is_live and each.label in asked)]
        days = write_coverage(connection, shown, as_of=build.as_of, lags=lags)
        attempts = SourceJournal(store.beside).attempts()
        health = write_health(connection, shown, as_of=build.as_of, attempts=attempts, lags=lags)
        prices = price_cover(connection, as_of=build.as_of)
    troubled = health.filter(health["status"].is_in(TROUBLED))
    for source, dataset, status in troubled.select("source", "dataset", "status").iter_rows():
        context.log.info("%s/%s is %s", source, dataset, status)
    counts = {f"datasets_{status}": count for status, count in health["status"].value_counts().iter_rows()}
    yield dg.MaterializeResult(asset_key=COVERAGE, metadata={"rows_of_the_last_weeks": days})
    yield dg.MaterializeResult(
        asset_key=HEALTH,
        metadata={
            "sources": dg.MetadataValue.md(
                markdown_table(health.select("source", "dataset", "status", "newest_date", "days_behind", "reason"))
            ),
            "dagster/row_count": health.height,
            **counts,
        },
        check_results=[
            dg.AssetCheckResult(
                passed=prices.is_enough,
                severity=dg.AssetCheckSeverity.ERROR,
                check_name=PRICES_CHECK,
                asset_key=HEALTH,
                metadata={
                    "last_day": str(prices.last_day),
                    "expected": prices.expected,
                    "priced": prices.priced,
                    "what to do": "Bring back a source of prices (quality.source_health names those that are down) and run again.",
                },
            ),
            dg.AssetCheckResult(
                passed=troubled.is_empty(),
                severity=dg.AssetCheckSeverity.WARN,
                check_name=FRESHNESS_CHECK,
                asset_key=HEALTH,
                metadata={
                    "troubled": dg.MetadataValue.md(
                        markdown_table(troubled.select("source", "dataset", "status", "reason"))
                    )
                },
            ),
        ],
    )
