"""A lost or damaged warehouse gets back what cannot be computed again: the recorded versions, from the published copy.

All else in the warehouse follows from landing and is rebuilt by the next build. Versions do not: when a call was recorded, and what was
recorded before it was corrected, stands nowhere else. So the Parquet files beside the published warehouse hold every versioned table, the
ledger and the few histories that only grow; they are taken back when they are the ones the manifest signed, and the restored ledger must
hash to what every manifest of the chain says. Nothing is recorded anew. What was recorded after the last publication was never
published, and is computed again.

    RestoreError    nothing was restored; the message says why and what to do

Belongs here: making a warehouse file that holds the record and nothing else. Does not: building the rest (`defs`), the chain
(`verification.py`), landed files (they are the other half of the record, and are only read).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from orchestration.lib.data_folder import DataFolder
from orchestration.lib.errors import TidemarkError
from orchestration.lib.lake import is_lake_path
from orchestration.lib.ledger import LEDGER_COLUMNS, LEDGER_NAME, LEDGER_SCHEMA, LEDGER_SQL_NAME
from orchestration.lib.manifest import (
    MANIFEST_NAME,
    PARQUET_FOLDER,
    WAREHOUSE_NAME,
    Manifest,
    kept_manifests,
    read_manifest,
)
from orchestration.lib.migrations import migrate, without_columns
from orchestration.lib.publishing import PUBLISHED_HISTORIES
from orchestration.lib.run_context import BUILDS
from orchestration.lib.sql_quoting import quoted, sql_text, table_quoted
from orchestration.lib.verification import record_problems
from orchestration.lib.versioned_layout import create_versioned_tables
from orchestration.lib.versioned_tables import VERSIONED_TABLES, VersionedTable
from orchestration.lib.warehouse import count_rows
from orchestration.lib.whole_file import sha256_of

TEMPORARY = ".restoring-warehouse.duckdb"
LEDGER = f"{LEDGER_SCHEMA}.{LEDGER_NAME}"


class RestoreError(TidemarkError):
    """The record cannot be taken back from the published copy."""


@dataclass(frozen=True)
class Restored:
    """What a new warehouse file was given.

    Attributes:
        manifest: The newest manifest, whose state it is.
        versions: Versions of units.
        rows: Rows of versioned tables.
        set_aside: Where the damaged file lies now, None where there was none.
    """

    manifest: Manifest
    versions: int
    rows: int
    set_aside: Path | None

    def __str__(self) -> str:
        """For the terminal."""
        return (
            f"{self.versions} recorded versions ({self.rows} rows) of manifest {self.manifest.sequence}, week "
            f"{self.manifest.as_of_week}, taken back from the published copy"
        )


def is_published(folder: DataFolder) -> bool:
    """Whether there is anything to restore from."""
    return bool(kept_manifests(folder.published))


def restore_if_missing(folder: DataFolder, *, now: datetime) -> Restored | None:
    """Make a warehouse with the published record where there is no file at all; None where nothing is to be done.

    Raises:
        RestoreError: There is a record and it cannot be taken back.
    """
    if folder.warehouse.exists() or is_lake_path(folder.warehouse) or not is_published(folder):
        return None
    return restore_warehouse(folder, now=now)


def restore_warehouse(
    folder: DataFolder, *, now: datetime, tables: Sequence[VersionedTable] = VERSIONED_TABLES
) -> Restored:
    """Put a new warehouse file with the published record in the place of the one that is there, which is set aside.

    The new file is complete and checked before the old one is touched. The caller holds the run lock.

    Args:
        folder: The data folder.
        now: Instant that the name of the file set aside carries, with a time zone.
        tables: Versioned tables.

    Raises:
        RestoreError: Nothing was published, or what was is not whole. Everything stays as it is.
    """
    if is_lake_path(folder.warehouse):
        raise RestoreError(
            f"{folder.warehouse} is a lake, whose catalogue and files lie elsewhere; restore both from their backups (docs/how-to/"
            "more-than-one-machine.md)"
        )
    if not is_published(folder):
        raise RestoreError(
            f"{folder.published} has no manifest, so nothing was published that a new warehouse would have to keep; move "
            f"{folder.warehouse} away and run make run: it builds everything from landing"
        )
    temporary = folder.root / TEMPORARY
    _remove(temporary)
    manifests = [read_manifest(path) for path in kept_manifests(folder.published)]
    newest = manifests[-1]
    try:
        with duckdb.connect(str(temporary)) as connection:
            connection.execute("set TimeZone = 'UTC'")
            as_published = [_as_published(connection, folder.published, newest, table) for table in tables]
            create_versioned_tables(connection, tables=as_published)
            with_rows = [table for table in as_published if table.full_name in newest.versioned_tables]
            for table in with_rows:
                _take_back(connection, folder.published, newest, table.full_name, table.sql_name, list(table.columns))
            _take_back(connection, folder.published, newest, LEDGER, LEDGER_SQL_NAME, list(LEDGER_COLUMNS))
            for name in PUBLISHED_HISTORIES:
                _take_history(connection, folder.published, newest, name)
            _note_build(connection, newest)
            problems = record_problems(connection, manifests, tables=with_rows)
            if problems:
                raise RestoreError(
                    f"{folder.published}: its rows are not what its manifests signed ({'; '.join(problems[:3])}); restore the folder "
                    "from a backup, then try again"
                )
            versions = count_rows(connection, LEDGER_SQL_NAME)
            rows = sum(count_rows(connection, table.sql_name) for table in with_rows)
            migrate(connection, tables=tables)
            connection.execute("checkpoint")
    except duckdb.Error as error:
        _remove(temporary)
        raise RestoreError(
            f"{folder.published}: cannot be read ({str(error).splitlines()[0]}); restore the folder from a backup, then try again"
        ) from error
    except BaseException:
        _remove(temporary)
        raise
    aside = _set_aside(folder.warehouse, now=now)
    temporary.replace(folder.warehouse)
    return Restored(newest, versions, rows, aside)


def _as_published(
    connection: duckdb.DuckDBPyConnection, published: Path, manifest: Manifest, table: VersionedTable
) -> VersionedTable:
    """The table with the columns it had in the release that published it: a migration since then may have added some."""
    file = f"{PARQUET_FOLDER}/{table.full_name}.parquet"
    if file not in manifest.files:
        return table
    path = _signed(published, manifest, file)
    described = connection.execute(f"select * from read_parquet({sql_text(str(path))}) limit 0").description or []
    return without_columns(table, set(table.value_columns) - {name for name, *_ in described})


def _take_back(
    connection: duckdb.DuckDBPyConnection,
    published: Path,
    manifest: Manifest,
    name: str,
    sql_name: str,
    columns: list[str],
) -> None:
    """Fill a table from its Parquet file, or from the published warehouse where the publication had none of it yet."""
    listed = ", ".join(map(quoted, columns))
    file = f"{PARQUET_FOLDER}/{name}.parquet"
    if file in manifest.files:
        path = _signed(published, manifest, file)
        connection.execute(
            f"insert into {sql_name} ({listed}) select {listed} from read_parquet({sql_text(str(path))})"
        )
        return
    path = _signed(published, manifest, WAREHOUSE_NAME)
    connection.execute(f"attach {sql_text(str(path))} as published (read_only)")
    try:
        connection.execute(f"insert into {sql_name} ({listed}) select {listed} from published.{sql_name}")
    finally:
        connection.execute("detach published")


def _take_history(connection: duckdb.DuckDBPyConnection, published: Path, manifest: Manifest, name: str) -> None:
    """Make a history that only grows as it was published; one that the publication does not have begins anew."""
    file = f"{PARQUET_FOLDER}/{name}.parquet"
    if file not in manifest.files:
        return
    path = _signed(published, manifest, file)
    connection.execute(f"create schema if not exists {quoted(name.split('.')[0])}")
    connection.execute(PUBLISHED_HISTORIES[name])
    connection.execute(f"insert into {table_quoted(name)} by name select * from read_parquet({sql_text(str(path))})")


def _note_build(connection: duckdb.DuckDBPyConnection, manifest: Manifest) -> None:
    """The build that was published, as completed: facts that landed after its cut-off are news to the next one."""
    connection.execute(BUILDS)
    connection.execute(
        "insert into quality.builds values (?, ?, ?, ?, ?, ?, null, null, null, null, ?, ?)",
        [
            f"restored-from-manifest-{manifest.sequence}",
            manifest.as_of_week,
            manifest.data_source,
            manifest.inputs.input_cutoff,
            manifest.inputs.inputs_hash,
            manifest.code_version,
            manifest.created_at,
            manifest.created_at,
        ],
    )


def _signed(published: Path, manifest: Manifest, name: str) -> Path:
    """A published file that is the one in the manifest.

    Raises:
        RestoreError: It is missing or another.
    """
    path = published / name
    if not path.is_file() or sha256_of(path) != manifest.files[name].sha256:
        raise RestoreError(
            f"{path} {'is not the file that ' + MANIFEST_NAME + ' signed' if path.is_file() else 'is missing'}; restore "
            f"{published} from a backup, then try again"
        )
    return path


def _set_aside(warehouse: Path, *, now: datetime) -> Path | None:
    """Move a warehouse and its write-ahead log out of the way; what it holds may still be looked at."""
    if not warehouse.exists():
        _remove(warehouse)
        return None
    aside = warehouse.with_name(f"{warehouse.name}.damaged-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}")
    log = warehouse.with_name(f"{warehouse.name}.wal")
    if log.exists():
        log.replace(aside.with_name(f"{aside.name}.wal"))
    warehouse.replace(aside)
    return aside


def _remove(path: Path) -> None:
    for one in (path, path.with_name(f"{path.name}.wal")):
        one.unlink(missing_ok=True)
