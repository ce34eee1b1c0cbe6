"""The dbt project as assets: first everything up to the marts, after the learning steps the api views."""

from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg
from dagster_dbt import DbtCliResource, dbt_assets
from dagster_dbt.dbt_manifest import validate_manifest
from dagster_dbt.errors import DagsterDbtCliRuntimeError

from orchestration.defs.warehouse.plots import PLOTS
from orchestration.lib.child_guard import killed_with_us
from orchestration.lib.code_version import code_version
from orchestration.lib.data_folder import DataFolder
from orchestration.lib.dbt_checks import RUN_RESULTS, contract_checks, described_check, read_run_results
from orchestration.lib.dbt_translator import MANIFEST, WarehouseTranslator, words_of_columns
from orchestration.lib.metadata import read_layout, table_columns, table_metadata
from orchestration.lib.migrations import migrate
from orchestration.lib.published_checks import judge_mart, mart_check_spec
from orchestration.lib.resources import (
    EVERY_DAY,
    POOL,
    RebuiltDays,
    RunLease,
    Warehouse,
    Week,
    dbt_environment,
)
from orchestration.lib.run_context import RunContext, begin_build, first_unfinished_day, last_completed
from orchestration.lib.suites_marts import mart_tables
from orchestration.lib.table_comments import view_descriptions
from orchestration.lib.versioned_layout import create_versioned_tables, transaction
from orchestration.lib.warehouse import changes_since, create_raw_views, create_schemas, table_exists
from orchestration.lib.warehouse_restore import restore_if_missing
from orchestration.lib.warehouse_tables import create_written_tables
from orchestration.lib.weeks import WEEK, instant_of
from orchestration.sources.datasets import DATASETS

API_COLUMNS = view_descriptions(validate_manifest(MANIFEST))
SHOWN = ("marts", "quality", "api")
"""Schemas whose tables are previewed in the UI; of the others it shows columns and, of tables, the row count. To run every staging view
would cost more than it tells."""


def prepare_build(warehouse: Warehouse, week: Week, run_id: str) -> tuple[RunContext, RebuiltDays]:
    """Open the warehouse for a build: schemas, raw views, the build's row; and which days are to be computed."""
    folder, as_of_week = warehouse.folder, week.choose()
    cutoff = datetime.now(UTC)
    restore_if_missing(folder, now=cutoff)
    with warehouse.connect() as connection:
        with transaction(connection):  # else each of hundreds of comments is a snapshot of a lake
            create_schemas(connection)
            migrate(connection)  # of a lake, and the record of a warehouse that is made now
            create_versioned_tables(connection)
            create_written_tables(connection, API_COLUMNS)
            create_raw_views(connection, folder.landing, input_cutoff=cutoff)
        before = last_completed(connection)
        unfinished = first_unfinished_day(connection)
        changes = changes_since(
            connection,
            since=before["input_cutoff"] if before else None,
            as_of=instant_of(as_of_week),
            datasets=[dataset for dataset in DATASETS.values() if dataset.is_dated],
            recent_from=as_of_week - WEEK * warehouse.settings.correction_weeks,
        )
        context = begin_build(
            connection,
            build_id=run_id,
            as_of_week=as_of_week,
            data_source=warehouse.settings.source,
            input_cutoff=cutoff,
            inputs_hash=warehouse.store().inputs_hash(cutoff),
            code_version=code_version(),
            earliest_change=changes.first_recent_day,
            rebuild=week.rebuild(),
            version_reason=week.reason or ("rebuild" if week.rebuild_from else None),
            correction_weeks=warehouse.settings.correction_weeks,
        )
        has_features = table_exists(connection, "intermediate", "int_price_features")
        is_same_code = before is not None and before["code_version"] == context.code_version
    if not (before and has_features and is_same_code):
        return context, EVERY_DAY
    # A fact from before the reach of corrections changes the features of its days, but by itself no recorded week.
    new_days = min(before["as_of_week"], as_of_week)
    return context, RebuiltDays(min(new_days, unfinished or new_days), changes.first_days)


@dataclass(frozen=True)
class DbtRun:
    """What came of a dbt run.

    Attributes:
        events: Its events in Dagster's terms.
        results: Results by node, from `run_results.json`.
        failure: Why it failed; the events of what it did until then are there all the same.
    """

    events: list[Any]
    results: dict[str, Any]
    failure: DagsterDbtCliRuntimeError | None


def run_dbt(
    context: dg.AssetExecutionContext, dbt: DbtCliResource, folder: DataFolder, *, as_of: datetime, rebuilt: RebuiltDays
) -> DbtRun:
    """Run `dbt build` as a subprocess to its end: no connection is open while it works."""
    target = folder.root / "dbt" / "target"
    target.mkdir(parents=True, exist_ok=True)
    (target / RUN_RESULTS).unlink(missing_ok=True)  # a run that fails early would seem to have those of the run before
    # dbt's unit tests judge the code and not the data: make test runs them, a week need not.
    arguments = ["build", "--exclude-resource-type", "unit_test"]
    if rebuilt == EVERY_DAY:
        arguments.append("--full-refresh")
    log = folder.root / "dbt" / "dbt.log"
    events: list[Any] = []
    failure = None
    # dbt's own lines go into its log: the terminal shows one line a step, Dagster the events.
    with (
        dbt_environment(folder, as_of=as_of, rebuilt=rebuilt),
        log.open("a") as written,
        redirect_stdout(written),
    ):
        invocation = dbt.cli(arguments, context=context, target_path=target)
        with killed_with_us(invocation.process.pid):
            try:
                events.extend(invocation.stream())
            except DagsterDbtCliRuntimeError as error:
                failure = error
    return DbtRun(events, read_run_results(target), failure)


def shown_events(
    context: dg.AssetExecutionContext, warehouse: Warehouse, run: DbtRun, *, as_of_week: date
) -> Iterator[Any]:
    """The events with row counts, schemas and previews of tables, and with the rows that broke a test.

    Raises:
        DagsterDbtCliRuntimeError: dbt failed; raised last, so that the UI shows the check that did not hold.
    """
    data_source = warehouse.settings.source
    nodes = validate_manifest(MANIFEST)["nodes"]
    by_name = {f"{node['schema']}.{node['name']}": node for node in nodes.values()}
    row_counts: dict[str, int] = {}
    with warehouse.connect(read_only=True) as connection:
        layout = read_layout(connection)
        for event in run.events:
            if isinstance(event, dg.AssetCheckResult):
                yield described_check(connection, event, nodes=nodes, results=run.results, row_counts=row_counts)
                continue
            if isinstance(event, dg.Output):
                key = context.asset_key_for_output(event.output_name)
                if key.path[0] in SHOWN:
                    metadata = dict(event.metadata) | table_metadata(
                        connection, ".".join(key.path), layout=layout, recent_from=as_of_week - WEEK
                    )
                    for name, draw in PLOTS.get(key.path[-1], {}).items():
                        metadata[name] = draw(connection, data_source)
                    yield dg.Output(None, output_name=event.output_name, metadata=metadata)
                    continue
                name = ".".join(key.path)
                words = words_of_columns(by_name.get(name, {}))
                metadata = dict(event.metadata) | table_columns(connection, name, words, layout=layout)
                yield dg.Output(None, output_name=event.output_name, metadata=metadata)
                continue
            yield event
    for evaluation in contract_checks(nodes, run.results, WarehouseTranslator().get_asset_key):
        context.log_event(evaluation)
    if run.failure is not None:
        raise run.failure


@dbt_assets(
    manifest=MANIFEST,
    exclude="tidemark.api",
    dagster_dbt_translator=WarehouseTranslator(),
    name="dbt_marts",
    pool=POOL,
)
def dbt_marts(
    context: dg.AssetExecutionContext, lease: RunLease, warehouse: Warehouse, week: Week, dbt: DbtCliResource
) -> Iterator[Any]:
    """Staging, intermediate and marts."""
    build, rebuilt = prepare_build(warehouse, week, context.run_id)
    context.log.info(
        "build of %s: facts changed from %s, days computed: %s", build.as_of_week, build.changed_from, rebuilt
    )
    run = run_dbt(context, dbt, warehouse.folder, as_of=build.as_of, rebuilt=rebuilt)
    yield from shown_events(context, warehouse, run, as_of_week=build.as_of_week)


@dbt_assets(
    manifest=MANIFEST,
    select="tidemark.api",
    dagster_dbt_translator=WarehouseTranslator(),
    name="dbt_api",
    pool=POOL,
)
def dbt_api(
    context: dg.AssetExecutionContext, lease: RunLease, warehouse: Warehouse, dbt: DbtCliResource
) -> Iterator[Any]:
    """The views that users query."""
    with warehouse.connect() as connection:
        build = warehouse.build(connection, context.run_id)
    run = run_dbt(context, dbt, warehouse.folder, as_of=build.as_of, rebuilt=RebuiltDays(build.as_of_week))
    yield from shown_events(context, warehouse, run, as_of_week=build.as_of_week)


MARTS = mart_tables(validate_manifest(MANIFEST))  # read once by dagster-dbt, for its own definitions too


@dg.multi_asset_check(name="published_marts", specs=[mart_check_spec(table) for table in MARTS], pool=POOL)
def published_marts(
    context: dg.AssetCheckExecutionContext, lease: RunLease, warehouse: Warehouse
) -> Iterator[dg.AssetCheckResult]:
    """What Great Expectations says of the newest days of every table that dbt builds and readers get."""
    with warehouse.connect() as connection:
        build = warehouse.build(connection, context.run.run_id)
        for table in MARTS:
            yield judge_mart(connection, table, as_of=build.as_of_week, root=warehouse.folder.root)
