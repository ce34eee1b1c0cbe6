"""Several processes write at once, into an object store and into a lake, and nothing is lost."""

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from orchestration.lib.data_folder import DataFolder
from orchestration.lib.landing import LandingStore
from orchestration.lib.landing_checksums import verify
from orchestration.lib.metadata import landed_metadata
from orchestration.lib.object_store import file_system
from orchestration.lib.versioned_layout import create_versioned_tables
from orchestration.lib.versioned_tables import TRADER_GRADES
from orchestration.lib.warehouse import connect
from tests.distributed.writers import DATASET, LOADS, ROWS, TOKENS, WEEKS, landed_rows

pytestmark = pytest.mark.slow  # a drill: three processes and two servers, some 30 s of processor time

PROJECT = Path(__file__).resolve().parents[2]
PROCESSES = 3


@pytest.fixture
def spread(tmp_path, monkeypatch, postgres_server, bucket, request):
    """Settings of a data folder with its landing in the bucket and its warehouse in a lake on Postgres."""
    name = request.node.name.partition("[")[0][:40]
    postgres_server.create(name)
    settings = {
        **bucket,
        "TIDEMARK_DATA_DIR": str(tmp_path / "data"),
        "TIDEMARK_LANDING_URL": f"s3://landing/{name}",
        "TIDEMARK_LAKE__CATALOGUE": postgres_server.catalogue(name),
        "TIDEMARK_LAKE__DATA": str(tmp_path / "lake"),
    }
    for key, value in settings.items():
        monkeypatch.setenv(key, value)
    (tmp_path / "data").mkdir()
    file_system.cache_clear()
    yield DataFolder(tmp_path / "data")
    file_system.cache_clear()


def at_once(what: str) -> None:
    """Start the writing processes together and wait for all; none may fail."""
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.distributed.writers", what, str(number)],
            cwd=PROJECT,
            env=dict(os.environ),
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    said = [process.communicate()[1] for process in started]
    failed = [text[-2000:] for process, text in zip(started, said, strict=True) if process.returncode]
    assert not failed, failed[0]


def test_loads_of_three_processes_land_in_an_object_store_without_loss(spread, tmp_path):
    at_once("land")

    store, here = LandingStore(spread.landing), LandingStore(tmp_path / "here")
    for process in range(PROCESSES):
        for load in range(LOADS):
            rows = landed_rows(process, load)
            first = store.loads(DATASET)[0]
            day = str(rows["market_date"][0])
            here.write(DATASET, rows, data_source="simulated", partition=day, loaded_at=first.loaded_at, lag_hours=1)
    facts = [*DATASET.columns, "available_at"]
    assert len(store.loads(DATASET)) == PROCESSES * LOADS
    assert store.newest(DATASET).select(facts).equals(here.newest(DATASET).select(facts))
    assert store.newest(DATASET).height == PROCESSES * LOADS * ROWS
    assert verify(spread.landing).files == PROCESSES * LOADS
    # What the UI previews.
    assert landed_metadata(store.loads(DATASET), DATASET)["dagster/row_count"] == PROCESSES * LOADS * ROWS


def test_versions_of_three_processes_in_one_table_are_all_recorded_once(spread):
    with connect(spread.warehouse) as connection:
        create_versioned_tables(connection)

    at_once("record")

    with connect(spread.warehouse, read_only=True) as connection:
        rows = connection.execute(f"select * from {TRADER_GRADES.sql_name}").pl()
        ledger = connection.execute("select * from quality.unit_versions").pl()
    versions = rows.group_by("as_of_week").agg(
        pl.col("version").unique().sort(),
        pl.col("version").filter(pl.col("superseded_at").is_null()).unique().alias("current"),
        pl.len().alias("rows"),
    )
    own = versions.filter(pl.col("version").list.len() == 1)
    shared = versions.filter(pl.col("version").list.len() > 1)
    assert own.height == PROCESSES * WEEKS
    assert shared.height == WEEKS
    # Each of the three has its say in a shared week, in some order, and the last of them holds.
    assert set(map(tuple, shared["version"])) == {tuple(range(1, PROCESSES + 1))}
    assert set(map(tuple, shared["current"])) == {(PROCESSES,)}
    assert rows.height == TOKENS * (PROCESSES * WEEKS + PROCESSES * WEEKS)
    assert ledger.height == PROCESSES * WEEKS * 2
    assert ledger["superseded_at"].null_count() == PROCESSES * WEEKS + WEEKS


def test_a_past_state_of_a_lake_can_be_asked_for_by_the_run_that_made_it(spread):
    from orchestration.lib.lake import name_snapshot
    from orchestration.lib.versioned_layout import transaction

    with connect(spread.warehouse) as connection:
        connection.execute("create schema marts")
        connection.execute("create table marts.prices as select 1 as price_usd")
        with transaction(connection):
            name_snapshot(connection, run_id="first", message="build first completed")
            connection.execute("insert into marts.prices values (2)")
        connection.execute("delete from marts.prices")

        [(snapshot,)] = connection.execute(
            "select snapshot_id from warehouse.snapshots() where commit_extra_info = 'first'"
        ).fetchall()
        then = connection.execute(f"select sum(price_usd) from marts.prices at (version => {snapshot})").fetchone()
        now = connection.execute("select count(*) from marts.prices").fetchone()

    assert then == (3,)
    assert now == (0,)
