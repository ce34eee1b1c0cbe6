"""Ingestion: what lands, from the providers by day or from an archive in one import. Nothing is cleaned here."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg

from orchestration.lib.bulk_import import import_archive, load_mapping
from orchestration.lib.ingestion import Ingested, Ingestion, Reach
from orchestration.lib.landing import LandingStore, read_lags
from orchestration.lib.landing_checks import judge_landing, key_of, landing_check_specs
from orchestration.lib.metadata import landed_metadata
from orchestration.lib.partitions import ingestion_days
from orchestration.lib.resources import LAGS, Connections, RunLease, Warehouse, Week, seed_category_names
from orchestration.lib.week_choice import choose_week
from orchestration.lib.weeks import instant_of
from orchestration.settings import Settings, load_settings
from orchestration.sources.datasets import DATASETS, Dataset, find_dataset

RETRY = dg.RetryPolicy(max_retries=2, delay=30, backoff=dg.Backoff.EXPONENTIAL)
"""For whole steps; single requests are retried in the HTTP client."""

HISTORY = dg.AssetKey(["landing", "history"])
Load = Callable[[Ingestion, Connections, Reach], Sequence[Ingested]]


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
        **more,  # type: ignore[arg-type]  # deps and partitions
    )


def kept_in(dataset: Dataset) -> str:
    """Where rows of a dataset lie, for whoever looks for them."""
    return f"Files: `landing/{dataset.label}/<partition>/<load_id>.parquet`; refused records: `quarantine/{dataset.label}`."


def load_markets(ingestion: Ingestion, providers: Connections, reach: Reach) -> Sequence[Ingested]:
    """CoinGecko's market list and the list of coins."""
    settings = providers.settings
    return ingestion.coingecko_markets(
        providers.coingecko(), reach, max_coins=settings.live_universe, with_inactive=settings.source == "simulated"
    )


def load_categories(ingestion: Ingestion, providers: Connections, reach: Reach) -> Sequence[Ingested]:
    """Members of the categories that sectors and pegged classes are made of."""
    names, universe = seed_category_names(), providers.settings.live_universe
    return [ingestion.coingecko_categories(providers.coingecko(), reach, names=names, max_coins=universe)]


def load_market_daily(ingestion: Ingestion, providers: Connections, reach: Reach) -> Sequence[Ingested]:
    """Daily price, cap and volume of every coin."""
    return [ingestion.coingecko_market_daily(providers.coingecko(), reach)]


def load_candles(ingestion: Ingestion, providers: Connections, reach: Reach) -> Sequence[Ingested]:
    """Daily candles of every dollar market of Binance."""
    return [ingestion.exchange_candles(providers.binance(), reach)]


def load_tickers(ingestion: Ingestion, providers: Connections, reach: Reach) -> Sequence[Ingested]:
    """Last price, best bid and ask of every dollar market of Binance."""
    return [ingestion.exchange_tickers(providers.binance(), reach)]


def load_onchain(ingestion: Ingestion, providers: Connections, reach: Reach) -> Sequence[Ingested]:
    """On-chain metrics of Coin Metrics."""
    return [ingestion.coinmetrics_metrics(providers.coinmetrics(), reach)]


def load_fear_greed(ingestion: Ingestion, providers: Connections, reach: Reach) -> Sequence[Ingested]:
    """The fear and greed index."""
    return [ingestion.fear_greed(providers.http("alternative_me"), reach, base_url=providers.fear_greed_url())]


# A step, the datasets it lands, what it needs before, whether its history is filled by the first run.
STEPS: tuple[tuple[str, Load, tuple[tuple[str, str], ...], tuple[tuple[str, str], ...], bool], ...] = (
    ("coingecko_markets", load_markets, (("coingecko", "markets"), ("coingecko", "assets")), (), True),
    ("coingecko_categories", load_categories, (("coingecko", "asset_categories"),), (), True),
    ("coingecko_market_daily", load_market_daily, (("coingecko", "market_daily"),), (("coingecko", "assets"),), True),
    ("binance_candles_daily", load_candles, (("binance", "candles_daily"),), (), True),
    ("binance_tickers", load_tickers, (("binance", "tickers"),), (), False),
    ("coinmetrics_asset_metrics", load_onchain, (("coinmetrics", "asset_metrics"),), (), True),
    ("alternative_me_fear_greed", load_fear_greed, (("alternative_me", "fear_greed"),), (), True),
)


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
        start = warehouse.folder.start_date()
        if start is not None and start < last and warehouse.store().loads():
            return dg.MaterializeResult(metadata={"status": f"filled before {start}", **rows_landed(warehouse.store())})
        reach = providers.reach(last=last, first=choice.first_day, partition="year")
        ingestion = providers.ingestion(warehouse.store())
        counts: dict[str, int] = {}
        for name, load, _, _, has_history in STEPS:
            if has_history:
                results = load(ingestion, providers, reach)
                counts |= {result.dataset.label: result.landed for result in results}
                context.log.info("%s: %s", name, ", ".join(f"{r.dataset.label} landed {r.landed}" for r in results))
        return dg.MaterializeResult(
            metadata={
                "landed": counts,
                "first_day": str(choice.first_day),
                "last_day": str(last),
                **rows_landed(warehouse.store()),
            }
        )

    return history


def rows_landed(store: LandingStore) -> dict[str, int]:
    """Rows of all datasets landed so far."""
    return {"dagster/row_count": sum(load.rows for load in store.loads())}


def daily_asset(
    name: str, load: Load, datasets: Sequence[Dataset], needs: Sequence[Dataset], days: dg.DailyPartitionsDefinition
) -> dg.AssetsDefinition:
    """One day-partitioned step that lands the datasets of one request pattern, with their checks."""
    keys = [key_of(dataset) for dataset in datasets]
    deps = [HISTORY, *(key_of(dataset) for dataset in needs)]

    @dg.multi_asset(
        name=name,
        specs=[spec_of(dataset, deps=deps) for dataset in datasets],
        check_specs=landing_check_specs(keys),
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
        results = load(providers.ingestion(store), providers, reach)
        yield from results_of(store, results, as_of=last + timedelta(days=1), warehouse=warehouse)

    return land_days


def results_of(
    store: LandingStore, results: Sequence[Ingested], *, as_of: date, warehouse: Warehouse
) -> Iterator[dg.MaterializeResult]:
    """Counts and checks of what landed."""
    is_first = not warehouse.folder.warehouse.exists()
    for result in results:
        check = judge_landing(store, result.dataset, as_of=instant_of(as_of), is_first=is_first)
        metadata: dict[str, Any] = {
            **landed_metadata(store.loads(result.dataset), result.dataset),
            "received": result.received,
            "landed": result.landed,
            "quarantined": result.quarantined,
            "failures": dg.MetadataValue.json(dict(result.failures)),
        }
        yield dg.MaterializeResult(
            asset_key=key_of(result.dataset), metadata=metadata, check_results=[check] if check else []
        )


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
        made = [history_asset()]
        for name, load, datasets, needs, _ in STEPS:
            made.append(
                daily_asset(
                    name,
                    load,
                    [find_dataset(*each) for each in datasets],
                    [find_dataset(*each) for each in needs],
                    days,
                )
            )
    present = {key for asset in made for key in asset.keys}
    note = f"No step of a run on {settings.source} data lands it; rows, if any, came from an archive."
    described = [spec_of(dataset, note=note) for dataset in DATASETS.values() if key_of(dataset) not in present]
    return dg.Definitions(assets=[*made, *described])
