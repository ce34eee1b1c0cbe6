"""What lies in the data folder: warehouse, published copy, models, landed files, runs.

Belongs here: checks that read them, and only read. Does not: rebuilding or verifying all of it (`make run`, `make verify`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

from orchestration.doctor.finding import FAILS, Finding, Patient
from orchestration.lib import manifest
from orchestration.lib.code_version import code_version
from orchestration.lib.due_weeks import moves_with_calendar, newest_owed
from orchestration.lib.landing_checksums import dataset_folders
from orchestration.lib.landing_files import LandingError, read_checksum
from orchestration.lib.landing_listing import list_files
from orchestration.lib.manifest import MANIFEST_NAME, WAREHOUSE_NAME, ManifestError, kept_manifests, read_manifest
from orchestration.lib.migrations import MIGRATIONS, SchemaError, check_known, schema_version
from orchestration.lib.registry import ModelRegistry, RegistryError
from orchestration.lib.warehouse import WarehouseError, connect
from orchestration.lib.whole_file import sha256_of

SAMPLED_FILES = 40


def asked_of_warehouse(patient: Patient, query: str) -> Any:
    """The one value of a query on the warehouse; None where there is no such table, or no warehouse that can be opened."""
    if not patient.folder.warehouse.exists():
        return None
    try:
        with connect(patient.folder.warehouse, read_only=True) as connection:
            row = connection.execute(query).fetchone()
    except (WarehouseError, duckdb.Error):
        return None  # the check `warehouse` says why
    return row[0] if row else None


def warehouse(patient: Patient) -> Finding:
    """The warehouse can be read, and its tables are of a version that this code knows."""
    if not patient.folder.warehouse.exists():
        return Finding("ok", "not there yet; the first run makes it")
    try:
        with connect(patient.folder.warehouse, read_only=True) as connection:
            check_known(connection, known=len(MIGRATIONS))
            found = schema_version(connection)
            tables = connection.execute("select count(*) from duckdb_tables()").fetchone()
    except SchemaError as error:
        return Finding(
            "problem", str(error), "take the newer code again", f"{FAILS}#the-warehouse-is-of-another-version"
        )
    except WarehouseError as error:
        is_busy = "Could not set lock" in str(error)
        return Finding(
            "warning" if is_busy else "problem",
            "another program has it open for writing" if is_busy else str(error),
            "ask again when that program has ended" if is_busy else "make rebuild-warehouse",
            f"{FAILS}#the-warehouse-cannot-be-opened",
        )
    size = patient.folder.warehouse.stat().st_size / 1e9
    said = f"{tables[0] if tables else 0} tables, {size:.2f} GB, schema version {found} of {len(MIGRATIONS)}"
    if found < len(MIGRATIONS):
        return Finding("warning", said, "copy the data folder; make run then migrates it", "docs/how-to/upgrade.md")
    return Finding("ok", said)


def published_copy(patient: Patient) -> Finding:
    """The published copy is there, whole as far as its manifests say, and can be read."""
    folder = patient.folder.published
    if not (folder / MANIFEST_NAME).exists():
        return Finding("ok", "nothing is published yet", page=f"{FAILS}#nothing-is-published-yet")
    try:
        newest = read_manifest(folder / MANIFEST_NAME)
    except ManifestError as error:
        return Finding("problem", str(error), "restore the folder", f"{FAILS}#what-is-published-was-changed")
    kept = kept_manifests(folder)
    if not kept or kept[-1].read_bytes() != (folder / MANIFEST_NAME).read_bytes() or len(kept) != newest.sequence:
        return Finding(
            "problem",
            f"{len(kept)} manifests are kept, and the newest is number {newest.sequence}",
            "make verify",
            f"{FAILS}#what-is-published-was-changed",
        )
    wrong = [
        name
        for name, entry in newest.files.items()
        if not (folder / name).is_file() or (folder / name).stat().st_size != entry.size_bytes
    ]
    if wrong:
        return Finding(
            "problem",
            f"{', '.join(wrong[:3])} missing or of another size than signed",
            "make verify",
            f"{FAILS}#what-is-published-was-changed",
        )
    with duckdb.connect(str(folder / WAREHOUSE_NAME), read_only=True) as connection:
        row = connection.execute("select count(*) from duckdb_views() where schema_name = 'api'").fetchone()
    said = f"week {newest.as_of_week}, manifest {newest.sequence}, {row[0] if row else 0} views; make verify hashes all of it"
    if newest.code_version != code_version():
        return Finding(
            "ok", f"{said}; by code {newest.code_version}, and this is {code_version()}", page="docs/how-to/upgrade.md"
        )
    return Finding("ok", said)


def published_week(patient: Patient) -> Finding:
    """The week that is due is published; only live data move with the calendar."""
    week = manifest.published_week(patient.folder.published)
    if patient.settings is None or not moves_with_calendar(patient.settings, now=patient.now):
        return Finding("ok", f"newest is {week or 'none'}; without SOURCE=live none is due")
    due = newest_owed(now=patient.now)
    if week is None:
        return Finding("warning", f"none, and {due} is due", "make run", "docs/how-to/go-live.md")
    if week < due:
        return Finding(
            "problem",
            f"newest is {week}, {(due - week).days // 7} weeks behind {due}",
            "make run fills every missing week; see why none ran",
        )
    return Finding("ok", f"{week}, as due")


def models(patient: Patient) -> Finding:
    """Every frozen model can be read and hashes to the version it was frozen under."""
    registry, count, wrong = ModelRegistry(patient.folder.models), 0, []
    for head in sorted(path.name for path in patient.folder.models.glob("*") if path.is_dir()):
        for refit in registry.refits(head):
            count += 1
            try:
                registry.load(head, refit)
            except (RegistryError, OSError, ValueError, KeyError) as error:
                wrong.append(" ".join(str(error).split()) or f"{head}/{refit}")
    if wrong:
        return Finding(
            "problem",
            f"{len(wrong)} of {count}: {wrong[0]}"[:400],
            "restore models/ from a backup",
            f"{FAILS}#a-model-cannot-be-read",
        )
    return Finding("ok", f"{count} frozen models, each with the hash it was frozen under")


def landed_files(patient: Patient) -> Finding:
    """A sample of the landed files, the newest, has the bytes that landed; every build looks at all of them."""
    newest: list[Path] = []
    lost: list[Path] = []
    try:
        for each in dataset_folders(patient.folder.root):
            files = list_files(each)
            newest += files.live
            lost += files.lost
    except LandingError as error:
        return Finding("problem", str(error), "restore the file", f"{FAILS}#landed-files-are-damaged-or-lost")
    sample = sorted(newest, key=lambda path: path.stat().st_mtime)[-SAMPLED_FILES:]
    wrong = [path for path in sample if (noted := read_checksum(path)) is not None and noted != sha256_of(path)]
    if lost or wrong:
        first = (lost + wrong)[0].relative_to(patient.folder.root)
        return Finding(
            "problem",
            f"{len(lost)} files are lost and {len(wrong)} of {len(sample)} looked at are damaged, e.g. {first}",
            "restore it",
            f"{FAILS}#landed-files-are-damaged-or-lost",
        )
    return Finding("ok", f"{len(newest)} files, {len(sample)} of them looked at, as they landed")


def last_run(patient: Patient) -> Finding:
    """The newest run ended well."""
    found = asked_of_warehouse(
        patient,
        """select {'run': run_id, 'at': max(started_at), 'seconds': sum(seconds), 'failed': list(step) filter (status <> 'done'),
        'error': any_value(error)} from quality.run_steps group by run_id order by max(started_at) desc limit 1""",
    )
    if found is None:
        return Finding("ok", "none is recorded")
    said = f"{found['run'][:8]} of {found['at']:%Y-%m-%d %H:%M} UTC, {found['seconds'] or 0:.0f} s"
    if found["failed"]:
        return Finding(
            "warning",
            f"{said}: {', '.join(found['failed'][:3])} failed ({found['error'] or 'killed'})",
            "see its log, then run again",
            FAILS,
        )
    return Finding("ok", f"{said}, every step done")
