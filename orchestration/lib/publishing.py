"""Publishing: a copy of the warehouse for readers, Parquet of the versioned tables, and a manifest that signs them.

Beside the versioned tables the ledger and the histories that only grow are written as Parquet: together they are what a lost warehouse
cannot compute again (`warehouse_restore.py`).

Order of a publication: everything is written under temporary names (`.publishing-*`) and synced; the Parquet files and
the warehouse are renamed into place; the numbered manifest is written; `manifest.json` comes last. Killed anywhere,
readers have a complete warehouse, the old one or the new one, and the next call of `publish` repairs: it removes
temporary files, completes a publication whose numbered manifest exists, and publishes anew where files and manifest
disagree.

**When there is a new manifest.** When something changed since the last one: the ledger of a versioned table, data
source, as_of_week, code version, model versions, inputs_hash, attribution and terms, whom the copy is for, the
published objects (columns, SQL of views, number of rows of tables in marts and api), or when a published file is
missing or is not the one in the manifest. Not when only input_cutoff, the counts of loads, or rows in `quality` moved:
loading the same facts again, or checking them again, is no news. So inputs_hash must cover all that the marts were
built from.

Belongs here: the order of writing, and what counts as changed. Does not: building the copy (`published_copy.py`), the
manifest's layout (`manifest.py`), checking a published folder (`verification.py`). The caller holds the run lock.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from types import MappingProxyType

import duckdb

from orchestration.lib.index_kit import DEFINITION_VERSIONS
from orchestration.lib.ledger import LEDGER_NAME, LEDGER_SCHEMA, LEDGER_SQL_NAME
from orchestration.lib.manifest import (
    MANIFEST_NAME,
    MANIFESTS_FOLDER,
    PARQUET_FOLDER,
    WAREHOUSE_NAME,
    FileEntry,
    InputVersions,
    Manifest,
    ObjectEntry,
    PublicationInfo,
    SourceLoads,
    TableEntry,
    kept_manifests,
    manifest_path,
    read_manifest,
)
from orchestration.lib.migrations import SCHEMA_VERSIONS, SCHEMA_VERSIONS_TABLE
from orchestration.lib.published_copy import PublishError, attached, build_copy, versioned_order
from orchestration.lib.redistribution import LeftOut, left_out
from orchestration.lib.source_health import COVERAGE, HEALTH
from orchestration.lib.source_state import SourceState, read_source_state
from orchestration.lib.sql_quoting import sql_text, table_quoted
from orchestration.lib.verification import VerificationError, VerifyReport, inspect_chain, verify_chain
from orchestration.lib.versioned_tables import VERSIONED_TABLES, VersionedTable
from orchestration.lib.warehouse import count_rows, table_exists
from orchestration.lib.whole_file import flush, sha256_of

__all__ = [
    "Publication",
    "PublicationInfo",
    "PublishError",
    "SourceLoads",
    "VerificationError",
    "VerifyReport",
    "inspect_chain",
    "publish",
    "verify_chain",
]

TEMPORARY_PREFIX = ".publishing-"
WRITTEN_WHOLE_EVERY = 13
"""Every so many publications the warehouse is written whole: rows that were replaced leave gaps in the file."""

PUBLISHED_HISTORIES: Mapping[str, str] = MappingProxyType(
    {
        "indices.definition_versions": DEFINITION_VERSIONS,
        "quality.source_coverage": COVERAGE,
        "quality.source_health": HEALTH,
        # Which columns older versions were hashed with.
        SCHEMA_VERSIONS: SCHEMA_VERSIONS_TABLE,
    }
)
"""Tables besides the versioned ones whose older rows follow from nothing that is kept, and what makes them."""


@dataclass(frozen=True)
class Publication:
    """The published state after a call.

    Attributes:
        manifest: The newest manifest.
        manifest_sha256: Hash of its bytes; noted elsewhere, it also guards the newest manifest itself.
        is_new: Whether this call made it; False where nothing had changed.
        reason: Why there is a new one, or none.
        published_dir: Where it lies.
    """

    manifest: Manifest
    manifest_sha256: str
    is_new: bool
    reason: str
    published_dir: Path

    def as_metadata(self) -> dict[str, str | int | bool]:
        """Facts for the metadata of a materialisation."""
        return {
            "sequence": self.manifest.sequence,
            "is_new": self.is_new,
            "reason": self.reason,
            "manifest_sha256": self.manifest_sha256,
            "warehouse_rows": self.manifest.files[WAREHOUSE_NAME].rows,
            "warehouse_bytes": self.manifest.files[WAREHOUSE_NAME].size_bytes,
        }


def _no_report(_step: str) -> None:
    """Report nothing."""


def publish(
    warehouse_path: Path,
    published_dir: Path,
    *,
    info: PublicationInfo,
    tables: Sequence[VersionedTable] = VERSIONED_TABLES,
    report_step: Callable[[str], None] = _no_report,
) -> Publication:
    """Publish the working warehouse, unless nothing changed since the last manifest.

    Args:
        warehouse_path: The working warehouse; no connection of this process may be open to it, the caller holds the
            run lock.
        published_dir: Where readers look.
        info: What the manifest says about the run.
        tables: Versioned tables.
        report_step: Told each step when it is done, e.g. to log it.

    Returns:
        The newest manifest, and whether this call made it.

    Raises:
        PublishError: The warehouse cannot be read, a published view in it is broken, its ledger contradicts what was
            published before, or the clock went back. What is published stays as it was.
    """
    if not warehouse_path.is_file():
        raise PublishError(f"{warehouse_path}: no warehouse to publish; run the pipeline first")
    for folder in (published_dir, published_dir / PARQUET_FOLDER, published_dir / MANIFESTS_FOLDER):
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob(f"{TEMPORARY_PREFIX}*"):
            if leftover.is_dir():  # what DuckDB puts on the disk while memory is short lies in a folder beside its file
                shutil.rmtree(leftover)
            else:
                leftover.unlink()
    previous = _complete_last_publication(published_dir)
    source = read_source_state(warehouse_path, previous, info=info, tables=tables)
    reason = _reason_to_publish(published_dir, previous, source)
    if previous and not reason:
        return Publication(previous, _newest_sha256(published_dir), False, "nothing changed", published_dir)
    _check_clock(previous, source, info=info)
    manifest = _write_files(
        warehouse_path, published_dir, previous, source, info=info, tables=tables, report_step=report_step
    )
    _write_atomically(manifest_path(published_dir, manifest.sequence), manifest.as_bytes())
    report_step("numbered manifest")
    _write_atomically(published_dir / MANIFEST_NAME, manifest.as_bytes())
    report_step("manifest")
    return Publication(manifest, _newest_sha256(published_dir), True, reason, published_dir)


def _complete_last_publication(published_dir: Path) -> Manifest | None:
    """Newest manifest, after finishing a publication that was killed before its last rename."""
    newest = published_dir / MANIFEST_NAME
    kept = kept_manifests(published_dir)
    if not kept:
        if newest.exists():
            raise PublishError(
                f"{published_dir / MANIFESTS_FOLDER}: empty, but there is a {MANIFEST_NAME}; restore the folder"
            )
        return None
    content = kept[-1].read_bytes()
    if not newest.exists() or newest.read_bytes() != content:
        read_manifest(kept[-1])
        _write_atomically(newest, content)
    return read_manifest(newest)


def _reason_to_publish(published_dir: Path, previous: Manifest | None, source: SourceState) -> str:
    """Why a new manifest is due; empty where nothing changed."""
    if previous is None:
        return "first publication"
    if previous.content_fingerprint != source.fingerprint:
        return "content changed"
    wrong = [name for name, entry in previous.files.items() if not _is_file_as_signed(published_dir / name, entry)]
    return f"repair of {', '.join(sorted(wrong))}" if wrong else ""


def _is_file_as_signed(path: Path, entry: FileEntry) -> bool:
    return path.is_file() and path.stat().st_size == entry.size_bytes and sha256_of(path) == entry.sha256


def _check_clock(previous: Manifest | None, source: SourceState, *, info: PublicationInfo) -> None:
    if info.created_at.tzinfo is None:
        raise PublishError(f"created_at {info.created_at} has no time zone; give it in UTC")
    created_at = info.created_at.astimezone(UTC)
    if source.newest_recorded_at and created_at < source.newest_recorded_at:
        raise PublishError(
            f"created_at {created_at} is before the newest recorded version, {source.newest_recorded_at}, which the "
            "manifest would not sign; check the clock of this machine"
        )
    if previous and created_at <= previous.created_at:
        raise PublishError(
            f"created_at {created_at} is not after manifest {previous.sequence} of {previous.created_at}; check the "
            "clock of this machine"
        )


def _write_files(
    warehouse_path: Path,
    published_dir: Path,
    previous: Manifest | None,
    source: SourceState,
    *,
    info: PublicationInfo,
    tables: Sequence[VersionedTable],
    report_step: Callable[[str], None],
) -> Manifest:
    """Write warehouse and Parquet files under temporary names, then rename them; returns the manifest to be written."""
    copy = published_dir / f"{TEMPORARY_PREFIX}{WAREHOUSE_NAME}"
    without = left_out(info.publish_for, info.loads)
    before = published_dir / WAREHOUSE_NAME
    objects = build_copy(
        copy,
        warehouse_path,
        alias=warehouse_path.stem,
        tables=tables,
        left_out=without,
        before=before if _may_start_from(before, previous, without) else None,
    )
    report_step("warehouse built")
    temporary = {WAREHOUSE_NAME: copy, **_write_parquet(copy, published_dir, tables)}
    records = _write_records(warehouse_path, published_dir)
    temporary |= {name: path for name, (path, _) in records.items()}
    report_step("parquet built")
    rows = {f"{PARQUET_FOLDER}/{name}.parquet": count for name, count in source.rows.items()}
    rows |= {name: count for name, (_, count) in records.items()}
    rows[WAREHOUSE_NAME] = sum(entry.rows or 0 for entry in objects.values())
    files = {}
    for name, path in temporary.items():
        flush(path)
        files[name] = FileEntry(sha256=sha256_of(path), size_bytes=path.stat().st_size, rows=rows[name])
    # The warehouse last: once it is the new one, the Parquet files beside it are too.
    for name in sorted(temporary, key=lambda name: name == WAREHOUSE_NAME):
        temporary[name].replace(published_dir / name)
        report_step(f"renamed {name}")
    flush(published_dir / PARQUET_FOLDER)
    flush(published_dir)
    signed = _newest_sha256(published_dir) if previous else None
    return _manifest(previous, source, info=info, files=files, objects=objects, without=without, before=signed)


def _may_start_from(warehouse: Path, previous: Manifest | None, without: LeftOut) -> bool:
    """Whether the next copy may be made from the published warehouse: it is as signed, and nobody may read in it what is left out now."""
    if previous is None or (previous.sequence + 1) % WRITTEN_WHOLE_EVERY == 0:
        return False
    # What is deleted from a file can still be read in it by who looks at its bytes.
    if not set(_left_out_of(previous.objects, without)) <= set(previous.left_out):
        return False
    return _is_file_as_signed(warehouse, previous.files[WAREHOUSE_NAME])


def _left_out_of(objects: Mapping[str, ObjectEntry], without: LeftOut) -> dict[str, str]:
    """Reasons by name, only of what a copy has: a table of the future is not left out today."""
    return {name: why for name, why in without.as_manifest().items() if ".".join(name.split(".")[:2]) in objects}


def _write_parquet(copy: Path, published_dir: Path, tables: Sequence[VersionedTable]) -> dict[str, Path]:
    with attached(copy, alias="copy") as connection:
        return dict(
            _copy_out(connection, published_dir, table.full_name, table.sql_name, order=versioned_order(table))
            for table in tables
        )


def _write_records(warehouse_path: Path, published_dir: Path) -> dict[str, tuple[Path, int]]:
    """The ledger and the histories as Parquet, of the working warehouse; those that it does not have are left out."""
    written = {}
    with attached(warehouse_path, alias=warehouse_path.stem) as connection:
        wanted = {f"{LEDGER_SCHEMA}.{LEDGER_NAME}": LEDGER_SQL_NAME}
        wanted |= {name: table_quoted(name) for name in PUBLISHED_HISTORIES}
        for full_name, sql_name in wanted.items():
            if not table_exists(connection, *full_name.split(".")):
                continue
            name, path = _copy_out(connection, published_dir, full_name, sql_name, order="all")
            written[name] = (path, count_rows(connection, sql_name))
    return written


def _copy_out(
    connection: duckdb.DuckDBPyConnection, published_dir: Path, full_name: str, sql_name: str, *, order: str
) -> tuple[str, Path]:
    """Write a table as Parquet under a temporary name; returns the name it will have in the published folder, and the path."""
    path = published_dir / PARQUET_FOLDER / f"{TEMPORARY_PREFIX}{full_name}.parquet"
    query = f"select * from {sql_name} order by {order}"
    connection.execute(f"copy ({query}) to {sql_text(str(path))} (format parquet, compression zstd)")
    return f"{PARQUET_FOLDER}/{full_name}.parquet", path


def _manifest(
    previous: Manifest | None,
    source: SourceState,
    *,
    info: PublicationInfo,
    files: dict[str, FileEntry],
    objects: dict[str, ObjectEntry],
    without: LeftOut,
    before: str | None,
) -> Manifest:
    return Manifest(
        sequence=previous.sequence + 1 if previous else 1,
        created_at=info.created_at,
        data_source=info.data_source,
        as_of_week=info.as_of_week,
        code_version=info.code_version,
        model_versions=info.model_versions,
        inputs=InputVersions(inputs_hash=info.inputs_hash, input_cutoff=info.input_cutoff, loads=info.loads),
        attribution=info.attribution,
        terms=info.terms,
        publish_for=info.publish_for,
        left_out=_left_out_of(objects, without),
        files=files,
        versioned_tables={
            name: TableEntry(ledger_sha256=ledger.sha256, ledger_rows=ledger.rows, rows=source.rows[name])
            for name, ledger in source.ledgers.items()
        },
        objects=objects,
        content_fingerprint=source.fingerprint,
        # Of the bytes on the disk: a manifest of an older version, written again, would say more than it did.
        previous_manifest_sha256=before,
    )


def _newest_sha256(published_dir: Path) -> str:
    return sha256_of(published_dir / MANIFEST_NAME)


def _write_atomically(path: Path, content: bytes) -> None:
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{path.name}")
    temporary.write_bytes(content)
    flush(temporary)
    temporary.replace(path)
    flush(path.parent)
