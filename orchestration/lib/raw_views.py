"""The schema `raw`: one view a dataset over the landed files that count, and one over all quarantined records.

Belongs here: the views, that they are made over files that are as they landed, and which loads builds have read.
Does not: comparing checksums (`landing_checksums.py`), what dbt makes of the views.
The views list their files: a load that ends while a build runs is in none of them, as it is in no `inputs_hash`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars as pl

from orchestration.lib.landing import LandingStore
from orchestration.lib.landing_checksums import DamagedFilesError, verify
from orchestration.lib.landing_files import LandingError
from orchestration.lib.landing_listing import DatasetFiles, list_files
from orchestration.lib.landing_rows import landed_sql
from orchestration.lib.quarantine import quarantine_sql
from orchestration.lib.versioned_layout import transaction
from orchestration.sources.datasets import DATASETS

KNOWN_LOADS = """
    create table if not exists raw.known_loads (
        source varchar not null,
        dataset varchar not null,
        load_id varchar not null,
        first_read_at timestamptz not null,
        lost_at timestamptz
    )
"""
"""Loads that a build of this warehouse has read; `lost_at` is when an operator accepted that one is gone."""


def create_raw_views(
    connection: duckdb.DuckDBPyConnection, landing_root: Path, *, input_cutoff: datetime, is_verified: bool = False
) -> None:
    """One view a dataset in `raw`, over its landing files; a dataset that never landed is a view without rows.

    Args:
        connection: The warehouse.
        landing_root: Folder that has `landing/`.
        input_cutoff: Loads that ended later are invisible, so that a past state can be built again.
        is_verified: Whether the files were compared with their checksums a moment ago; else they are now.

    Raises:
        DamagedFilesError: Landed files are changed, cut off, empty or lost.
        LandingError: Retention dropped rows that were in force at the cut-off.
    """
    store = LandingStore(landing_root)
    if is_verified:
        folders: Mapping[Path, DatasetFiles] = {}
    else:
        folders = verify(landing_root).folders
        remember_loads(connection, landing_root)
    shown = f"loaded_at <= '{input_cutoff.isoformat()}'::timestamptz"
    for dataset in DATASETS.values():
        folder = store.folder("landing", dataset)
        files = folders.get(folder) or list_files(folder)
        dropped = max((each.superseded_before for each in files.compacted if each.superseded_before), default=None)
        if dropped is not None and input_cutoff < dropped:
            raise LandingError(
                f"{dataset.label}: rows superseded before {dropped:%Y-%m-%d %H:%M} UTC were dropped by "
                f"TIDEMARK_RETENTION__SUPERSEDED_DAYS, so the state of {input_cutoff:%Y-%m-%d %H:%M} UTC cannot be built; "
                "restore landing/ from a backup of that time"
            )
        selected = ", ".join(f'"{name}"' for name in dataset.landed_columns)
        body = f"select {selected} from {landed_sql(dataset, files.live)} where {shown}"
        connection.execute(f"create or replace view raw.{dataset.source}__{dataset.name} as {body}")
    connection.execute(f"create or replace view raw.quarantine as select * from {quarantine_sql(store)} where {shown}")


def remember_loads(connection: duckdb.DuckDBPyConnection, landing_root: Path) -> None:
    """Note the loads that are there, and refuse to go on when one that was noted before is not.

    Raises:
        DamagedFilesError: A load that a build has read is gone with its checksum.
    """
    connection.execute(KNOWN_LOADS)
    there = _loads_there(landing_root)
    connection.register("there", there)
    gone = connection.execute(
        """select source, dataset, load_id from raw.known_loads anti join there using (source, dataset, load_id)
        where lost_at is null order by all"""
    ).fetchall()
    if not gone:
        connection.execute(
            """insert into raw.known_loads
            select source, dataset, load_id, $now, null from there anti join raw.known_loads using (source, dataset, load_id)""",
            {"now": datetime.now(UTC)},
        )
    connection.unregister("there")
    if gone:
        raise DamagedFilesError(
            [
                f"landing/{source}/{dataset}: load {load_id} is gone, a build has read it"
                for source, dataset, load_id in gone
            ]
        )


def forget_lost_loads(connection: duckdb.DuckDBPyConnection, landing_root: Path) -> list[str]:
    """Accept that loads are lost: builds no longer ask for them. Returns their names."""
    connection.execute(KNOWN_LOADS)
    connection.register("there", _loads_there(landing_root))
    lost = """lost_at is null and not exists (
        select 1 from there where there.source = known_loads.source and there.dataset = known_loads.dataset
        and there.load_id = known_loads.load_id)"""
    with transaction(connection):
        gone = connection.execute(f"select source, dataset, load_id from raw.known_loads where {lost}").fetchall()
        # A lake returns nothing of an update, and no load comes back between the two.
        connection.execute(f"update raw.known_loads set lost_at = ? where {lost}", [datetime.now(UTC)])
    connection.unregister("there")
    return sorted(f"landing/{source}/{dataset}: load {load_id}" for source, dataset, load_id in gone)


def _loads_there(landing_root: Path) -> pl.DataFrame:
    """One row per landed load: source, dataset, load_id."""
    rows = [
        (*folder.parts[-2:], load_id)
        for folder in LandingStore(landing_root).folders("landing")
        for load_id in list_files(folder).load_ids
    ]
    schema = {"source": pl.String, "dataset": pl.String, "load_id": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")
