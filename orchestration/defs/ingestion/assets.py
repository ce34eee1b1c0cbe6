"""Ingestion: what lands, from the providers by day or from an archive in one import. Nothing is cleaned here."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg

from orchestration.lib.asset_pages import DAILY
from orchestration.lib.bulk_import import ImportResult, import_archive, load_mapping
from orchestration.lib.connections import LAGS, Connections
from orchestration.lib.ingestion import Ingested
from orchestration.lib.landing import LandingStore, read_lags
from orchestration.lib.landing_checks import (
    answered_check_spec,
    judge_answer,
    judge_landing,
    key_of,
    landing_check_specs,
)
from orchestration.lib.loads import steps_of
from orchestration.lib.loads.step import Outcome, Step
from orchestration.lib.metadata import landed_metadata, markdown_table
from orchestration.lib.partitions import ingestion_days
from orchestration.lib.quarantine import summarise
from orchestration.lib.resources import RunLease, Warehouse, Week
from orchestration.lib.source_journal import Attempt, SourceJournal
from orchestration.lib.week_choice import choose_week
from orchestration.lib.weeks import instant_of
from orchestration.settings import Settings, load_settings
from orchestration.sources.datasets import DATASETS, Dataset, find_dataset
from orchestration.sources.datasets.exchanges import EXCHANGES
from orchestration.sources.errors import SourceUnavailableError

RETRY = dg.RetryPolicy(max_retries=2, delay=30, backoff=dg.Backoff.EXPONENTIAL)
"""For whole steps; single requests are retried in the HTTP client."""

HISTORY = dg.AssetKey(["landing", "history"])

PRICES = (find_dataset("coingecko", "market_daily"), *(find_dataset(name, "candles_daily") for name in EXCHANGES))
"""Datasets that prices are made of; while one of them has rows there is something to build."""


def spec_of(dataset: Dataset, *, note: str = "", **more: object) -> dg.AssetSpec:
    """Asset of a landed dataset, described by the registry of datasets."""
    columns = [
        dg.TableColumn(
            name, type=str(field.dtype), description=f"{field.description}{f' ({field.unit})' if field.unit else ''}"
        )
        for name, field in dataset.fields.items()
    ]
    return dg.AssetSpec(
        key_of(dataset),
        description=f"What the provider said, unchanged. {dataset.description} {note or kept_in(dataset)}",
        group_name="ingestion",
        owners=["team:operations"],
        kinds={"parquet", dataset.source.replace("_", "")},
        metadata={"dagster/column_schema": dg.TableSchema(columns=columns)},
        **more,  # type: ignore[arg-type]  # deps and freshness
    )


def kept_in(dataset: Dataset) -> str:
    """Where rows of a dataset lie, for whoever looks for them."""
    return f"Files: `landing/{dataset.label}/<partition>/<load_id>.parquet`; refused records: `quarantine/{dataset.label}`."


def history_asset() -> dg.AssetsDefinition:
    """The history before daily ingestion starts, filled once; a killed fill goes on where it stopped."""

    @dg.asset(key=HISTORY, group_name="ingestion", owners=["team:operations"], kinds={"parquet"}, retry_policy=RETRY)
    def history(
        context: dg.AssetExecutionContext,
        lease: RunLease,
        warehouse: Warehouse,
        week: Week,
        providers: dg.ResourceParam[Connections],
    ) -> dg.MaterializeResult:
        """All days of every provider before daily ingestion starts, in one load by calendar year. Nothing once it is there."""
        choice = choose_week(warehouse.settings)
        last = week.choose() - timedelta(days=1)
        if warehouse.folder.has_history():
            return dg.MaterializeResult(metadata={"status": "filled before", **rows_landed(warehouse.store())})
        reach = providers.reach(last=last, first=choice.first_day, partition="year")
        store = warehouse.store()
        ingestion, journal = providers.ingestion(store), SourceJournal(store.beside)
        counts: dict[str, int] = {}
        down: dict[str, str] = {}
        for step in steps_of(warehouse.settings):
            if step.has_history:
                outcome = step.attempt(ingestion, providers, reach, journal=journal, run_id=context.run_id)
                counts |= {result.dataset.label: result.landed for result in outcome.results}
                landed = ", ".join(f"{result.dataset.label} landed {result.landed}" for result in outcome.results)
                context.log.info("%s: %s", step.name, landed)
                if outcome.down:
                    down[step.name] = outcome.down
                    context.log.warning("%s: source is down, goes on without it: %s", step.name, outcome.down)
        if not any(store.files(dataset) for dataset in PRICES):
            raise SourceUnavailableError(f"no source of prices could be read, so there is nothing to build: {down}")
        warehouse.folder.remember_history()
        return dg.MaterializeResult(
            metadata={
                "landed": counts,
                "sources_down": down,
                "first_day": str(choice.first_day),
                "last_day": str(last),
                **rows_landed(warehouse.store()),
            }
        )

    return history


def rows_landed(store: LandingStore) -> dict[str, int]:
    """Rows of all datasets landed so far."""
    return {"dagster/row_count": sum(load.rows for load in store.loads())}


def daily_asset(step: Step, days: dg.DailyPartitionsDefinition, *, is_live: bool) -> dg.AssetsDefinition:
    """One day-partitioned step that lands the datasets of one request pattern, with their checks; late only where data are live."""
    keys = [key_of(dataset) for dataset in step.datasets]
    deps = [HISTORY, *(key_of(dataset) for dataset in step.needs)]
    policy = DAILY if is_live else None

    @dg.multi_asset(
        name=step.name,
        specs=[spec_of(dataset, deps=deps, freshness_policy=policy) for dataset in step.datasets],
        check_specs=[*landing_check_specs(keys), *map(answered_check_spec, keys)],
        partitions_def=days,
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=RETRY,
    )
    def land_days(
        context: dg.AssetExecutionContext,
        lease: RunLease,
        warehouse: Warehouse,
        providers: dg.ResourceParam[Connections],
    ) -> Iterator[dg.MaterializeResult]:
        last = date.fromisoformat(context.partition_key_range.end)
        store = warehouse.store()
        reach = providers.reach(last=last, first=choose_week(warehouse.settings).first_day, partition="day")
        journal = SourceJournal(store.beside)
        outcome = step.attempt(providers.ingestion(store), providers, reach, journal=journal, run_id=context.run_id)
        if outcome.down:
            context.log.warning("source is down, the run goes on without it: %s", outcome.down)
        yield from results_of(store, outcome, as_of=last + timedelta(days=1), warehouse=warehouse)

    return land_days


def results_of(
    store: LandingStore, outcome: Outcome, *, as_of: date, warehouse: Warehouse
) -> Iterator[dg.MaterializeResult]:
    """Counts and checks of what landed."""
    is_first = not warehouse.folder.warehouse.exists()
    for result in outcome.results:
        check = judge_landing(store, result.dataset, as_of=instant_of(as_of), is_first=is_first)
        if check is None and has_suite(result.dataset):
            check = passed_unchecked(result.dataset)
        metadata: dict[str, Any] = {
            **landed_metadata(store.loads(result.dataset), result.dataset),
            "received": result.received,
            "landed": result.landed,
            "quarantined": result.quarantined,
            "failures": dg.MetadataValue.json(dict(result.failures)),
            "quarantine": dg.MetadataValue.md(markdown_table(summarise(store, result.dataset))),
        }
        answered = judge_answer(result, down=outcome.down)
        checks = [answered] if check is None else [answered, check]
        yield dg.MaterializeResult(asset_key=key_of(result.dataset), metadata=metadata, check_results=checks)


def archive_asset(settings: Settings) -> dg.AssetsDefinition:
    """The bulk import of an archive: one unpartitioned step that lands every mapped dataset."""
    mapping = load_mapping(settings.mapping)
    datasets = list({entry.dataset: entry.target for entry in mapping.files}.values())
    keys = [key_of(dataset) for dataset in datasets]

    @dg.multi_asset(
        name="import_archive", specs=[spec_of(dataset) for dataset in datasets], check_specs=landing_check_specs(keys)
    )
    def import_files(
        context: dg.AssetExecutionContext, lease: RunLease, warehouse: Warehouse, week: Week
    ) -> Iterator[dg.MaterializeResult]:
        """Land the rows of the archive that were known at as_of and have not landed, and changed rows as corrections."""
        chosen = warehouse.settings
        store, as_of = warehouse.store(), week.choose()
        is_first = not warehouse.folder.warehouse.exists()
        assert chosen.archive is not None  # noqa: S101 - settings refuse an archive run without it
        imported = import_archive(
            mapping, chosen.archive, store, as_of=instant_of(as_of), loaded_at=datetime.now(UTC), lags=read_lags(LAGS)
        )
        warehouse.folder.remember_history()  # what a live run that follows has as its past
        at = datetime.now(UTC)
        SourceJournal(store.beside).add(
            imported_attempt(dataset, imported, run_id=context.run_id, at=at) for dataset in datasets
        )
        for dataset in datasets:
            parts = [part for part in imported if part.dataset == dataset.label]
            for part in parts:
                if part.skipped:
                    context.log.warning("%s: skipped, %s; features that need it stay null", part.file, part.skipped)
            check = judge_landing(store, dataset, as_of=instant_of(as_of), is_first=is_first)
            yield dg.MaterializeResult(
                asset_key=key_of(dataset),
                metadata={
                    **landed_metadata(store.loads(dataset), dataset),
                    "landed": sum(part.landed for part in parts),
                    "read": sum(part.read for part in parts),
                    "corrections": sum(part.corrections for part in parts),
                    "quarantined": sum(part.quarantined for part in parts),
                    "after_as_of": sum(part.after_as_of for part in parts),
                    "skipped_files": [part.file for part in parts if part.skipped],
                },
                check_results=[check] if check else [passed_unchecked(dataset)] if has_suite(dataset) else [],
            )

    return import_files


def imported_attempt(dataset: Dataset, imported: Sequence[ImportResult], *, run_id: str, at: datetime) -> Attempt:
    """What the journal says of an imported dataset; files that are absent are its failures."""
    parts = [part for part in imported if part.dataset == dataset.label]
    result = Ingested(
        dataset,
        received=sum(part.read for part in parts),
        landed=sum(part.landed for part in parts),
        quarantined=sum(part.quarantined for part in parts),
        failures={part.file: part.skipped for part in parts if part.skipped},
    )
    return Attempt.of(result, run_id=run_id, at=at)


def passed_unchecked(dataset: Dataset) -> dg.AssetCheckResult:
    """The result of a suite without rows to judge: the file is absent, which the materialisation says."""
    return dg.AssetCheckResult(
        passed=True, asset_key=key_of(dataset), check_name="great_expectations", metadata={"rows": 0}
    )


def has_suite(dataset: Dataset) -> bool:
    """Whether a dataset has expectations."""
    return bool(landing_check_specs([key_of(dataset)]))


@dg.definitions
def defs() -> dg.Definitions:
    """The import for an archive, the daily steps for everything else; datasets without a step are only described."""
    settings = load_settings()
    if settings.source == "archive":
        made: list[dg.AssetsDefinition] = [archive_asset(settings)]
    else:
        days = ingestion_days(settings)
        is_live = settings.source == "live"
        made = [history_asset(), *(daily_asset(step, days, is_live=is_live) for step in steps_of(settings))]
    present = {key for asset in made for key in asset.keys}
    note = f"No step of a run on {settings.source} data lands it; rows, if any, came from an archive."
    described = [spec_of(dataset, note=note) for dataset in DATASETS.values() if key_of(dataset) not in present]
    return dg.Definitions(assets=[*made, *described])
