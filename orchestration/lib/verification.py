"""Verifying a published folder: the chain of manifests, the files, the ledger, and the rows behind it.

What it holds against what:
- each manifest against the hash its successor recorded, sequences without gaps, instants in order, `manifest.json` =
  the newest;
- each file against the sha256 in the newest manifest;
- for every manifest ever made, the ledger rows recorded up to it against the hash it recorded (none added, removed,
  backdated);
- each version's rows against the ledger: content hash (over the columns it was recorded with), number, and the version columns;
  succession of versions.

The newest manifest has no successor: whoever can rewrite it and everything it signs is found out only by a copy of its
hash kept elsewhere (`VerifyReport.newest_manifest_sha256`).

Belongs here: reading and comparing; nothing is repaired. Does not: writing manifests (`publishing.py`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import duckdb
import polars as pl

from orchestration.lib.content_hash import HASH_OF_NO_ROWS, hash_units, unit_texts
from orchestration.lib.ledger import hash_ledger, read_ledger
from orchestration.lib.manifest import (
    MANIFEST_NAME,
    WAREHOUSE_NAME,
    Manifest,
    ManifestError,
    kept_manifests,
    read_manifest,
    sha256_of_bytes,
)
from orchestration.lib.migrations import columns_added, recorded_with
from orchestration.lib.published_copy import PublishError, attached
from orchestration.lib.versioned_tables import VERSIONED_TABLES, VersionedTable
from orchestration.lib.versions import read_rows
from orchestration.lib.whole_file import sha256_of

EXAMPLES = 3
SIGNED_OF_ROWS = (
    "content_hash",
    "recorded_at",
    "superseded_at",
    "run_id",
    "code_version",
    "inputs_hash",
    "input_cutoff",
    "origin",
    "version_reason",
)
"""Version columns that every row of a version shares with its ledger entry; model_version is compared as a set."""


@dataclass(frozen=True)
class VerifyReport:
    """What was checked and what is wrong.

    Attributes:
        problems: Everything that is wrong, one sentence each; empty where all is well.
        manifests: Manifests read.
        files: Files hashed.
        versions: Versions of units whose rows were hashed.
        newest_sequence: Sequence of the newest manifest, None where there is none.
        newest_manifest_sha256: Hash of its bytes, to compare with one noted elsewhere.
    """

    problems: tuple[str, ...]
    manifests: int
    files: int
    versions: int
    newest_sequence: int | None
    newest_manifest_sha256: str | None

    @property
    def is_ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


class VerificationError(RuntimeError):
    """What is published is not what was published; holds the whole report."""

    def __init__(self, published_dir: Path, report: VerifyReport) -> None:
        """List every problem."""
        lines = "\n".join(f"- {problem}" for problem in report.problems)
        super().__init__(
            f"{published_dir}: {len(report.problems)} problems\n{lines}\nRestore the folder from a backup."
        )
        self.report = report


def verify_chain(published_dir: Path, *, tables: Sequence[VersionedTable] = VERSIONED_TABLES) -> VerifyReport:
    """Check a published folder and raise where anything is wrong.

    Raises:
        VerificationError: With the report on everything that is wrong.
    """
    report = inspect_chain(published_dir, tables=tables)
    if not report.is_ok:
        raise VerificationError(published_dir, report)
    return report


def inspect_chain(published_dir: Path, *, tables: Sequence[VersionedTable] = VERSIONED_TABLES) -> VerifyReport:
    """Check a published folder and report; never raises for what it finds there.

    Args:
        published_dir: With `manifest.json`, `manifests/`, `warehouse.duckdb` and `parquet/`.
        tables: Versioned tables.
    """
    manifests, problems = _read_manifests(published_dir)
    newest = manifests[-1] if manifests else None
    if newest:
        problems += _file_problems(published_dir, newest)
    versions = 0
    try:
        with attached(published_dir / WAREHOUSE_NAME, alias="published") as connection:
            for table in tables:
                checked, found = _table_problems(connection, table, manifests)
                versions += checked
                problems += found
    except (PublishError, duckdb.Error, pl.exceptions.PolarsError) as error:
        problems.append(f"{WAREHOUSE_NAME} cannot be checked: {str(error).splitlines()[0]}")
    newest_path = published_dir / MANIFEST_NAME
    return VerifyReport(
        problems=tuple(problems),
        manifests=len(manifests),
        files=len(newest.files) if newest else 0,
        versions=versions,
        newest_sequence=newest.sequence if newest else None,
        newest_manifest_sha256=sha256_of(newest_path) if newest_path.is_file() else None,
    )


def record_problems(
    connection: duckdb.DuckDBPyConnection, manifests: Sequence[Manifest], *, tables: Sequence[VersionedTable]
) -> list[str]:
    """What is wrong with versioned tables and their ledger, wherever they are, by the manifests that signed them."""
    return [problem for table in tables for problem in _table_problems(connection, table, manifests)[1]]


def _read_manifests(published_dir: Path) -> tuple[list[Manifest], list[str]]:
    """All manifests that can be read, oldest first, and what is wrong with the chain."""
    manifests: list[Manifest] = []
    problems: list[str] = []
    previous_sha256: str | None = None
    previous: Manifest | None = None
    content = b""
    paths = kept_manifests(published_dir)
    for expected, path in enumerate(paths, start=1):
        content = path.read_bytes()
        try:
            manifest = read_manifest(path)
        except ManifestError as error:
            problems.append(str(error))
        else:
            problems += _link_problems(
                path, manifest, expected=expected, previous=previous, previous_sha256=previous_sha256
            )
            manifests.append(manifest)
            previous = manifest
        previous_sha256 = sha256_of_bytes(content)
    newest = published_dir / MANIFEST_NAME
    if not paths:
        problems.append(f"{published_dir}: no manifests; nothing was published here, or the chain was removed")
    elif not newest.is_file() or newest.read_bytes() != content:
        problems.append(f"{MANIFEST_NAME} is missing or is not a copy of {paths[-1].name}")
    return manifests, problems


def _link_problems(
    path: Path, manifest: Manifest, *, expected: int, previous: Manifest | None, previous_sha256: str | None
) -> Iterator[str]:
    if manifest.sequence != expected or path.name != f"{expected:06d}.json":
        yield (
            f"{path.name}: holds sequence {manifest.sequence}, but {expected} is next; a manifest was removed, added "
            "or renamed"
        )
    if manifest.previous_manifest_sha256 != previous_sha256:
        yield (
            f"{path.name}: names {manifest.previous_manifest_sha256} as hash of the manifest before it, which has "
            f"{previous_sha256}; one of the two was changed"
        )
    if previous and manifest.created_at <= previous.created_at:
        yield f"{path.name}: created at {manifest.created_at}, not after the one before it ({previous.created_at})"


def _file_problems(published_dir: Path, newest: Manifest) -> Iterator[str]:
    for name, entry in newest.files.items():
        path = published_dir / name
        if not path.is_file():
            yield f"{name} is missing"
        elif (found := sha256_of(path)) != entry.sha256:
            yield f"{name}: sha256 is {found}, manifest {newest.sequence} says {entry.sha256}"


def _table_problems(
    connection: duckdb.DuckDBPyConnection, table: VersionedTable, manifests: Sequence[Manifest]
) -> tuple[int, list[str]]:
    ledger = read_ledger(connection, table.full_name)
    problems = [*_signature_problems(ledger, table, manifests), *_succession_problems(ledger, table)]
    rows = read_rows(connection, table)
    units = rows.select(table.unit_columns).unique()
    rows = rows.join(units.with_columns(unit_texts(units)), on=list(table.unit_columns), how="left")
    added = columns_added(connection, table)
    problems += _content_problems(rows, ledger, table, added)
    problems += _late_column_problems(rows, table, added)
    problems += _stamp_problems(rows, ledger, table)
    return ledger.height, problems


def _signature_problems(ledger: pl.DataFrame, table: VersionedTable, manifests: Sequence[Manifest]) -> Iterator[str]:
    """Whether each manifest would sign the same ledger today."""
    signed = sorted((m for m in manifests if table.full_name in m.versioned_tables), key=lambda m: m.created_at)
    hashes = hash_ledger(ledger, at=[manifest.created_at for manifest in signed])
    wrong = []
    for manifest, now in zip(signed, hashes, strict=True):
        then = manifest.versioned_tables[table.full_name]
        if now.sha256 != then.ledger_sha256:
            wrong.append(f"{manifest.sequence} ({then.ledger_rows} versions signed, {now.rows} now)")
    if wrong:
        yield (
            f"{table.full_name}: its ledger is not what was signed in {len(wrong)} of {len(signed)} manifests: "
            f"{', '.join(wrong[:EXAMPLES])}{', ...' if len(wrong) > EXAMPLES else ''}"
        )
    if signed and ledger.filter(pl.col("recorded_at") > signed[-1].created_at).height:
        yield f"{table.full_name}: its ledger holds versions recorded after the newest manifest, which nobody signed"


def _succession_problems(ledger: pl.DataFrame, table: VersionedTable) -> Iterator[str]:
    """Versions of a unit count from 1, and each is superseded when the next is recorded."""
    ordered = ledger.sort("unit", "version").with_columns(
        pl.int_range(1, pl.len() + 1).over("unit").alias("place"),
        pl.col("recorded_at").shift(-1).over("unit").alias("next_recorded_at"),
    )
    wrong = ordered.filter(
        (pl.col("version") != pl.col("place")) | ~pl.col("superseded_at").eq_missing(pl.col("next_recorded_at"))
    )
    if wrong.height:
        yield f"{table.full_name}: {_versions(wrong)} do not follow one another (version, recorded_at, superseded_at)"


def _content_problems(
    rows: pl.DataFrame, ledger: pl.DataFrame, table: VersionedTable, added: Mapping[str, datetime]
) -> Iterator[str]:
    """Whether the rows of each version have the hash and the number its ledger entry says.

    A version covers the columns that it was recorded with, so those from before and after a migration are hashed apart.
    """
    eras = [datetime.min.replace(tzinfo=UTC), *sorted(set(added.values())), datetime.max.replace(tzinfo=UTC)]
    hashes = pl.concat(
        hash_units(
            rows.filter(pl.col("recorded_at").ge(begin) & pl.col("recorded_at").lt(end)),
            recorded_with(table, added, begin),
            by=["unit", "version"],
        )
        for begin, end in pairwise(eras)
    ).rename({"content_hash": "found_hash", "row_count": "found_rows"})
    compared = ledger.join(hashes, on=["unit", "version"], how="left").with_columns(
        pl.col("found_hash").fill_null(HASH_OF_NO_ROWS), pl.col("found_rows").fill_null(0)
    )
    differing = (pl.col("found_hash") != pl.col("content_hash")) | (pl.col("found_rows") != pl.col("row_count"))
    if (wrong := compared.filter(differing)).height:
        yield f"{table.full_name}: rows do not match their content_hash in {_versions(wrong)}"
    if (stray := hashes.join(ledger, on=["unit", "version"], how="anti")).height:
        yield f"{table.full_name}: rows without a ledger entry in {_versions(stray)}"


def _late_column_problems(rows: pl.DataFrame, table: VersionedTable, added: Mapping[str, datetime]) -> Iterator[str]:
    """Whether a column that came later is null in the versions before it, whose hash does not cover it."""
    for column, at in added.items():
        filled = rows.filter(pl.col("recorded_at").lt(at) & pl.col(column).is_not_null())
        if filled.height:
            yield f"{table.full_name}: {column} came on {at:%Y-%m-%d} and is filled in earlier versions, {_versions(filled)}"


def _stamp_problems(rows: pl.DataFrame, ledger: pl.DataFrame, table: VersionedTable) -> Iterator[str]:
    """Whether the version columns of the rows are those of the ledger."""
    key = ["unit", "version"]
    models = pl.col("model_version").drop_nulls().unique().sort().str.join(", ").replace("", None)
    stamps = rows.group_by(key).agg(models, *(pl.col(name).unique().alias(name) for name in SIGNED_OF_ROWS))
    compared = stamps.join(ledger, on=key, how="inner", suffix="_signed")
    same = pl.col("model_version").eq_missing(pl.col("model_version_signed"))
    for name in SIGNED_OF_ROWS:
        values = pl.col(name)
        same = same & (values.list.len() == 1) & values.list.first().eq_missing(pl.col(f"{name}_signed"))
    if (wrong := compared.filter(~same)).height:
        yield f"{table.full_name}: version columns of the rows differ from the ledger in {_versions(wrong)}"


def _versions(frame: pl.DataFrame) -> str:
    first = frame.sort("unit", "version").head(EXAMPLES)
    examples = ", ".join(f"{unit} v{version}" for unit, version in first.select("unit", "version").iter_rows())
    return f"{frame.height} versions ({examples}{', ...' if frame.height > EXAMPLES else ''})"
