"""What watches the models: drift from their training, novelty and confidence of tokens, expiry."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import dagster as dg
import duckdb

from orchestration.defs.learning.assets import MARTS, MODELS, spec_of
from orchestration.lib.metadata import lines_plot
from orchestration.lib.model_table import expired_models
from orchestration.lib.monitored_weeks import MONITOR_TABLES, build_monitor
from orchestration.lib.published_checks import key_of, published_check_spec, published_result
from orchestration.lib.registry import ModelRegistry
from orchestration.lib.resources import POOL, RunLease, Warehouse
from orchestration.lib.versioned_tables import CONFIDENCE, MODEL_MONITOR, TRADER_GRADES

EXPIRY_CHECK = "model_is_not_expired"


@dg.multi_asset(
    name="monitor",
    specs=[spec_of(table, [MODELS, key_of(TRADER_GRADES), *MARTS]) for table in MONITOR_TABLES],
    check_specs=[
        *(published_check_spec(table) for table in MONITOR_TABLES),
        dg.AssetCheckSpec(
            EXPIRY_CHECK,
            asset=key_of(MODEL_MONITOR),
            description="No model in force is older than 200 days; one that is scores on at a capped confidence.",
        ),
    ],
    pool=POOL,
)
def monitor(context: dg.AssetExecutionContext, lease: RunLease, warehouse: Warehouse) -> Iterator[dg.MaterializeResult]:
    """How far the present is from what the models were trained on, and how confident each grade and call can be."""
    registry = warehouse.registry()
    with warehouse.connect() as connection:
        build = warehouse.build(connection, context.run_id)
        appended = build_monitor(connection, registry, build)
        root = warehouse.folder.root
        yield published_result(
            connection,
            MODEL_MONITOR,
            appended[MODEL_MONITOR.full_name],
            build,
            root=root,
            order_by="as_of_week desc, model, metric",
            plot=drift_plot(connection, warehouse.settings.source),
            checks=[judge_expiry(registry, build.as_of_week)],
        )
        yield published_result(
            connection,
            CONFIDENCE,
            appended[CONFIDENCE.full_name],
            build,
            root=root,
            order_by="as_of_week desc, trader_confidence",
        )


def judge_expiry(registry: ModelRegistry, week: date) -> dg.AssetCheckResult:
    """A warning where a model in force in a week has expired, with what to do."""
    expired = expired_models(registry, week=week)
    metadata: dict[str, Any] = {each.model: each.remedy(week) for each in expired}
    return dg.AssetCheckResult(
        passed=not expired,
        severity=dg.AssetCheckSeverity.WARN,
        asset_key=key_of(MODEL_MONITOR),
        check_name=EXPIRY_CHECK,
        metadata=metadata or {"expired": "none"},
    )


def drift_plot(connection: duckdb.DuckDBPyConnection, data_source: str) -> dg.MarkdownMetadataValue:
    """Share of the trader model's columns that drifted, and of novel tokens, over the weeks."""
    rows = connection.execute(
        """
        pivot (
            select as_of_week, metric, value from learning.model_monitor_current where model = 'trader'
        ) on metric in ('columns_drifted', 'columns_compared', 'novel_row_share')
        using first(value) group by as_of_week order by as_of_week
        """
    ).pl()
    days = rows["as_of_week"].to_list()
    drifted = (rows["columns_drifted"] / rows["columns_compared"]).fill_nan(None)
    return lines_plot(
        {"drifted columns": (days, drifted.to_list()), "novel tokens": (days, rows["novel_row_share"].to_list())},
        title="Trader model: the present against its training",
        unit="fraction",
        data_source=data_source,
    )
