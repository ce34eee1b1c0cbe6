"""The published copy and the pages written from it: the last steps of a weekly run, after every blocking check."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import duckdb

from orchestration.lib.attribution import ATTRIBUTION, TERMS
from orchestration.lib.check_results import HOLDS, NAME, SAMPLE, record_checks
from orchestration.lib.data_docs import write_data_docs
from orchestration.lib.index_kit import write_documents
from orchestration.lib.ledger import LEDGER_DESCRIPTION, LEDGER_NAME, LEDGER_SCHEMA
from orchestration.lib.manifest import WAREHOUSE_NAME
from orchestration.lib.metadata import markdown_table
from orchestration.lib.publishing import PublicationInfo, SourceLoads, publish
from orchestration.lib.resources import POOL, RunLease, Warehouse
from orchestration.lib.run_context import complete_build
from orchestration.lib.run_history import Unlike, record_history, steps_beside_their_past, unlike_its_past
from orchestration.lib.training import HEADS
from orchestration.lib.versioned_tables import VERSIONED_TABLES
from orchestration.lib.warehouse import count_rows

API_VIEWS = (
    *("tokens", "daily", "trader_grades", "trading_signals", "indices", "index_compositions", "index_rebalances"),
    *(
        "index_levels",
        "index_level_check",
        "index_statistics",
        "index_net_levels",
        "paper_portfolios",
        "index_methodology",
        "index_pro_forma",
        "index_coverage",
        "index_fact_sheet",
        "index_insurance",
        "index_capacity",
        "index_start_dates",
        "index_plans",
        "moonshots",
        "moonshot_candidates",
        "base_rates",
        "token_warnings",
        "warning_coverage",
        "moonshot_chances",
        "moonshot_outcomes",
        "moonshot_record",
        "unlocks",
        "unlock_months",
        "bull_bear",
        "model_evaluation",
        "model_evaluation_cumulative",
        "source_health",
        "source_coverage",
        "check_results",
        "investor_grades",
        "daily_grades",
        "daily_signals",
        "signal_flips",
        "price_ranges",
        "grade_explanations",
        "sub_grades",
        "models",
        "model_monitor",
        "confidence",
        "trade_actions",
        "call_outcomes",
        "report_card",
        "technology_grade",
        "fundamental_grade",
        "listings",
        "daily_ohlcv",
        "sentiments",
        "weekly_report",
    ),
    *("bull_bear_daily", "market_signal", "market_calls", "market_regime", "market_regime_models", "market_metrics"),
    *("sector_rotation", "top_market_cap", "grade_above_80", "grade_movers", "turned_bullish", "second_bearish_call"),
    *("low_cap_in_use", "errata", "run_history", "run_rows"),
)
CHECK_RESULTS = dg.AssetKey(["quality", "check_results"])
RUN_HISTORY = (dg.AssetKey(["quality", "run_steps"]), dg.AssetKey(["quality", "run_rows"]))
PUBLISHED = dg.AssetKey(["published", "warehouse"])
PACE_CHECK = "run_is_like_its_past"
LEDGER = dg.AssetKey([LEDGER_SCHEMA, LEDGER_NAME])


@dg.asset(
    key=PUBLISHED,
    deps=[
        *(dg.AssetKey([table.schema, table.name]) for table in VERSIONED_TABLES),
        *(dg.AssetKey(["api", name]) for name in API_VIEWS),
        dg.AssetKey(["quality", "corrections"]),
        dg.AssetKey(["quality", "source_health"]),
        dg.AssetKey(["quality", "source_coverage"]),
        dg.AssetKey(["marts", "feature_catalogue"]),
    ],
    group_name="publishing",
    owners=["team:operations"],
    kinds={"duckdb", "parquet"},
    check_specs=[
        dg.AssetCheckSpec(
            PACE_CHECK,
            asset=PUBLISHED,
            description=(
                "No step took more than three times as long, or wrote fewer than a quarter of the rows, that it did in the median of up to "
                "twelve weekly runs before; not judged with fewer than four."
            ),
        )
    ],
    pool=POOL,
)
def published_warehouse(
    context: dg.AssetExecutionContext, lease: RunLease, warehouse: Warehouse
) -> dg.MaterializeResult:
    """What users read: a copy of the warehouse swapped in whole, Parquet of every versioned table, and the manifest chain."""
    folder, store, registry = warehouse.folder, warehouse.store(), warehouse.registry()
    with warehouse.connect() as connection:
        build = warehouse.build(connection, context.run_id)
        complete_build(connection, context.run_id)
        record_history(connection, folder.root, context.run_id)
        steps = steps_beside_their_past(connection, context.run_id)
        unlike = unlike_its_past(connection, context.run_id)
        record_checks(connection, context.instance, context.run_id)
        context.log_event(dg.AssetMaterialization(CHECK_RESULTS, metadata=shown_checks(connection, context.run_id)))
    loads: dict[str, SourceLoads] = {}
    for load in store.loads():
        source = load.source
        known = loads.get(source)
        loads[source] = SourceLoads(
            load_count=(known.load_count if known else 0) + 1,
            newest_load_id=max(load.load_id, known.newest_load_id or "") if known else load.load_id,
            newest_loaded_at=max(load.loaded_at, known.newest_loaded_at or load.loaded_at) if known else load.loaded_at,
        )
    in_force = {head.name: registry.in_force(head.name, build.as_of_week) for head in HEADS}
    info = PublicationInfo(
        created_at=datetime.now(UTC),
        data_source=build.data_source,  # type: ignore[arg-type]  # one of three by the settings
        as_of_week=build.as_of_week,
        code_version=build.code_version,
        model_versions={head: model.version for head, model in in_force.items() if model},
        inputs_hash=build.inputs_hash,
        input_cutoff=build.input_cutoff,
        loads=loads,
        attribution={source: ATTRIBUTION[source] for source in loads if source in ATTRIBUTION},
        terms={source: TERMS[source] for source in loads if source in TERMS},
        publish_for=warehouse.settings.publish_for,
    )
    publication = publish(folder.warehouse, folder.published, info=info, report_step=context.log.info)
    # A week that is published already changes nothing, the pages about it included.
    docs = write_data_docs(folder.root, folder.published) if publication.is_new else None
    # Written from what is published, so a run that died before it is made good by the next one.
    documents = write_documents(folder.published / WAREHOUSE_NAME, folder.published)
    metadata: dict[str, Any] = {
        **publication.as_metadata(),
        "path": str(folder.published / WAREHOUSE_NAME),
        "methodology": dg.MetadataValue.path(documents.folder),
        "methodology_documents": documents.files,
        "slowest_steps": dg.MetadataValue.md(markdown_table(steps)),
    }
    if docs is not None:
        metadata |= {
            "data_docs": dg.MetadataValue.path(docs.index),
            "suites": docs.suites,
            "suites_failed": docs.failed,
        }
    return dg.MaterializeResult(metadata=metadata, check_results=[pace_check(unlike)])


def pace_check(unlike: Sequence[Unlike]) -> dg.AssetCheckResult:
    """A warning for every step unlike its own past."""
    found = [
        {"step": each.step, "what": each.what, "now": each.now, "median_before": each.usual, "runs_before": each.runs}
        for each in unlike
    ]
    return dg.AssetCheckResult(
        passed=not unlike,
        severity=dg.AssetCheckSeverity.WARN,
        check_name=PACE_CHECK,
        asset_key=PUBLISHED,
        metadata={
            HOLDS: "every step took about as long and wrote about as many rows as in the weeks before",
            SAMPLE: found,
            "what to do": "See api.run_history of these steps; docs/how-to/when-it-fails.md, a run unlike its past.",
        },
    )


@dg.asset(
    key=["published", "site"],
    deps=[published_warehouse],
    group_name="publishing",
    owners=["team:research"],
    kinds={"html"},
    pool=POOL,
)
def published_site(context: dg.AssetExecutionContext, lease: RunLease, warehouse: Warehouse) -> dg.MaterializeResult:
    """The weekly report: static pages beside the published copy, one a graded token and index, for readers without SQL."""
    # Templates and Markdown are loaded where they are used.
    from orchestration.site.build import write_site

    site = write_site(warehouse.folder.published)
    return dg.MaterializeResult(
        metadata={
            "index": dg.MetadataValue.path(site.index),
            "pages": site.pages,
            "size_mb": site.size_bytes / 1e6,
            "first_view_kb": site.first_view_bytes / 1e3,
            "build_seconds": site.seconds,
            "is_new": site.is_new,
        }
    )


def shown_checks(connection: duckdb.DuckDBPyConnection, run_id: str) -> dict[str, Any]:
    """What the UI shows of the checks of a run: counts by tier, and those that failed."""
    counts = connection.execute(
        f"""select tier, count(*) as checks, count(*) filter (not is_passed) as failed
        from {NAME} where run_id = ? group by tier order by tier""",
        [run_id],
    ).pl()
    failed = connection.execute(
        f"""select severity, table_name, check_name, column_name, rows_failed, detail
        from {NAME} where run_id = ? and not is_passed order by severity, table_name, check_name""",
        [run_id],
    ).pl()
    return {
        "dagster/row_count": count_rows(connection, NAME),
        "checks": dg.MetadataValue.md(markdown_table(counts)),
        "failed": dg.MetadataValue.md(markdown_table(failed)),
    }


@dg.definitions
def defs() -> dg.Definitions:
    """The published copy; the history of checks, which its step writes on the way, and the ledger of versions are described."""
    described = {
        CHECK_RESULTS: (
            "The history of every check: one row a check and run, of Great Expectations, dbt and Python alike. Written by the "
            "publishing step, and at the end of a run that fails before."
        ),
        LEDGER: f"{LEDGER_DESCRIPTION} Written with each version, by the step of its table.",
    }
    described |= dict.fromkeys(
        RUN_HISTORY,
        "How long the steps of every run took and how many rows its tables had. Written by the publishing step and at the end of a run.",
    )
    specs = [
        dg.AssetSpec(key, group_name="quality", owners=["team:operations"], kinds={"duckdb"}, description=text)
        for key, text in described.items()
    ]
    return dg.Definitions(assets=[published_warehouse, published_site, *specs])
