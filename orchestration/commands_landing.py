"""The commands that look after landed files: compact and replay.

Belongs here: what each does in the order of its steps, and the table it prints.
Does not: parsing arguments (`cli.py`), the work itself (`lib/landing_maintenance.py`, `lib/quarantine_replay.py`).
"""

# ruff: noqa: T201 - the command line speaks here

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import duckdb

from orchestration.lib.data_folder import DataFolder
from orchestration.lib.errors import TidemarkError
from orchestration.lib.landing_maintenance import Compacted, Limits
from orchestration.lib.run_lock import RunLock
from orchestration.lib.text_table import table_lines
from orchestration.settings import RetentionSettings, load_settings
from orchestration.sources.datasets import DATASETS, Dataset, UnknownDatasetError, find_dataset

MEGABYTE = 1e6


def compact(*, forget_lost: bool) -> int:
    """Put small landed files together, drop what retention settings let go, and say what became of each dataset.

    Args:
        forget_lost: Accept first that files which builds have read are gone.
    """
    from orchestration.lib.landing import LandingStore
    from orchestration.lib.landing_checksums import forget_lost as forget_lost_files
    from orchestration.lib.landing_maintenance import compact as compact_files
    from orchestration.lib.raw_views import create_raw_views, forget_lost_loads

    settings = load_settings()
    folder = _landed_folder()
    now = datetime.now(UTC)
    with RunLock(folder.root), _warehouse(folder) as connection:
        newest_cutoff = _newest_cutoff(connection) if connection else None

        def switch_readers() -> None:
            if connection is not None:
                create_raw_views(connection, folder.landing, input_cutoff=newest_cutoff or now, is_verified=True)

        if forget_lost:
            lost = forget_lost_files(folder.landing)
            lost += forget_lost_loads(connection, folder.landing) if connection else []
            print("\n".join(f"accepted as lost: {name}" for name in lost) or "no landed file is lost")
            switch_readers()

        results = compact_files(
            LandingStore(folder.landing, beside=folder.root),
            now=now,
            limits=_limits(settings.retention, now, newest_cutoff=newest_cutoff),
            switch_readers=switch_readers,
            report=lambda _step: None,
        )
    total = Compacted(
        area="all",
        label="",
        files_before=sum(each.files_before for each in results),
        files_after=sum(each.files_after for each in results),
        bytes_before=sum(each.bytes_before for each in results),
        bytes_after=sum(each.bytes_after for each in results),
        rows_dropped=sum(each.rows_dropped for each in results),
    )
    shown = [
        (
            f"{each.area}/{each.label}".rstrip("/"),
            each.files_before,
            each.files_after,
            f"{each.bytes_before / MEGABYTE:,.2f}",
            f"{each.bytes_after / MEGABYTE:,.2f}",
            each.rows_dropped,
        )
        for each in [*results, total]
    ]
    headers = ("dataset", "files before", "files after", "MB before", "MB after", "rows dropped")
    print(*table_lines(headers, shown), sep="\n")
    return 0


def replay(label: str | None) -> int:
    """Judge quarantined records again under today's rules and parsers, land those that pass, and say what became of them.

    Args:
        label: `source/name` of one dataset, None for all.
    """
    from orchestration.lib.connections import LAGS
    from orchestration.lib.landing import LandingStore, find_lag, read_lags
    from orchestration.lib.quarantine_replay import replay as replay_dataset
    from orchestration.sources.replay import READERS

    datasets = [_dataset(label)] if label else list(DATASETS.values())
    folder = _landed_folder()
    lags = read_lags(LAGS)
    rows: list[tuple[object, ...]] = []
    with RunLock(folder.root):
        store = LandingStore(folder.landing, beside=folder.root)
        for dataset in datasets:
            if not store.files(dataset, area="quarantine"):
                continue
            done = replay_dataset(
                store, dataset, READERS, loaded_at=datetime.now(UTC), lag_hours=find_lag(lags, dataset)
            )
            rows.append((dataset.label, done.records, done.accepted, done.landed, sum(done.refused.values()), ""))
            rows += [("", "", "", "", count, reason) for reason, count in done.refused.items()]
    if not rows:
        print("no record is in quarantine" + (f" for {label}" if label else ""))
        return 0
    headers = ("dataset", "open records", "now accepted", "rows landed", "still refused", "reason")
    print(*table_lines(headers, rows, left=("reason",)), sep="\n")
    print("Landed rows are used from the next run on.")
    return 0


@contextmanager
def _warehouse(folder: DataFolder) -> Iterator[duckdb.DuckDBPyConnection | None]:
    """The warehouse where there is one: opened before any file changes, so that nobody reads it meanwhile."""
    from orchestration.lib.warehouse import connect, create_schemas

    if not folder.warehouse.exists():
        yield None
        return
    with connect(folder.warehouse) as connection:
        create_schemas(connection)
        yield connection


def _newest_cutoff(connection: duckdb.DuckDBPyConnection) -> datetime | None:
    """Input cut-off of the newest build, which the raw views show; None before the first."""
    from orchestration.lib.warehouse import table_exists

    if not table_exists(connection, "quality", "builds"):
        return None
    row = connection.execute("select input_cutoff from quality.builds order by started_at desc limit 1").fetchone()
    return row[0] if row else None


def _limits(retention: RetentionSettings, now: datetime, *, newest_cutoff: datetime | None) -> Limits:
    """What settings let go, counted back from now; never a row that the newest build shows."""

    def before(days: int | None) -> datetime | None:
        return None if days is None else now - timedelta(days=days)

    superseded = before(retention.superseded_days)
    if superseded is not None and newest_cutoff is not None:
        superseded = min(superseded, newest_cutoff)
    return Limits(quarantine_before=before(retention.quarantine_days), superseded_before=superseded)


def _landed_folder() -> DataFolder:
    """The data folder, refused where nothing has landed or it holds the other kind of data; nothing is written."""
    settings = load_settings()
    folder = DataFolder(settings.folder)
    folder.check(settings.kind)
    if not (folder.landing / "landing").is_dir():
        raise TidemarkError(f"{folder.landing} has no landing/; nothing has landed there yet, run make run first")
    return folder


def _dataset(label: str) -> Dataset:
    """A dataset as a user named it."""
    source, _, name = label.partition("/")
    try:
        return find_dataset(source, name)
    except UnknownDatasetError as error:
        raise TidemarkError(str(error)) from None
