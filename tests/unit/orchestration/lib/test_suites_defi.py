"""Suites of DefiLlama's datasets: what the simulated source lands passes, and what would be wrong does not."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from orchestration.lib.connections import open_connections
from orchestration.lib.expectations import run_suite
from orchestration.lib.landing import LandingStore
from orchestration.lib.loads import defillama, unlocks
from orchestration.lib.suites_defi import DEFI_SUITES
from orchestration.lib.suites_landing import LANDING_SUITES
from orchestration.settings import Settings
from orchestration.sources.datasets import find_dataset
from orchestration.sources.datasets.defi import DATASETS

SUNDAY = date(2025, 1, 5)
AS_OF = datetime(2025, 1, 6, tzinfo=UTC)


@contextmanager
def landed_store(folder: Path) -> Iterator[LandingStore]:
    with open_connections(Settings(simulation={"tokens": 130}), lambda text: None) as connections:
        reach = connections.reach(last=SUNDAY, first=date(2024, 12, 1), partition="day")
        store = LandingStore(folder)
        for step in (*defillama.STEPS, *unlocks.STEPS):
            step.load(connections.ingestion(store), connections, reach)
        yield store


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Iterator[LandingStore]:
    with landed_store(tmp_path_factory.mktemp("defi")) as made:
        yield made


def frame_of(store: LandingStore, label: str) -> pl.DataFrame:
    return store.newest(find_dataset(*label.split("/")))


def failures_of(label: str, frame: pl.DataFrame) -> set[tuple[str, str]]:
    result = run_suite(frame, DEFI_SUITES[label](as_of=AS_OF), name=label)
    return {(each.column, each.severity) for each in result.failures}


def test_every_dataset_has_a_suite_that_runs():
    assert set(DEFI_SUITES) == {dataset.label for dataset in DATASETS} <= set(LANDING_SUITES)


@pytest.mark.parametrize("label", sorted(DEFI_SUITES))
def test_what_the_simulated_source_lands_passes(store, label):
    assert failures_of(label, frame_of(store, label)) == set()


@pytest.mark.parametrize(
    ("label", "column", "wrong", "severity"),
    [
        ("defillama/protocols", "tvl_usd", -1.0, "critical"),
        ("defillama/protocol_metrics", "metric", "users", "critical"),
        ("defillama/protocol_metrics", "value", -5.0, "critical"),
        ("defillama/chain_tvl", "tvl_usd", 1e15, "critical"),
        ("defillama/stablecoin_supply", "price_usd", 99.0, "warning"),
        ("defillama/yields", "apy_base", 425.0, "warning"),
        ("defillama/yields", "tvl_usd", 5.0, "critical"),
        ("defillama/unlock_events", "unlock_type", "step", "critical"),
        ("defillama/unlock_events", "amount_tokens", 0.0, "critical"),
        ("defillama/unlock_schedules", "max_supply_tokens", -1.0, "critical"),
    ],
)
def test_what_is_wrong_fails(store, label, column, wrong, severity):
    frame = frame_of(store, label).with_columns(pl.lit(wrong).alias(column))

    assert (column, severity) in failures_of(label, frame)


def test_an_old_day_warns(store):
    frame = frame_of(store, "defillama/chain_tvl").filter(pl.col("market_date") < date(2024, 12, 20))

    assert ("market_date", "warning") in failures_of("defillama/chain_tvl", frame)
