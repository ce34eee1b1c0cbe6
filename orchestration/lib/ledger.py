"""The ledger `quality.unit_versions`: one row for every version of every unit, units without rows included.

It makes comparison cheap (no rows are read to see that nothing changed), and it is what the chain of manifests signs:
the hash of a table's ledger covers everything but `superseded_at`, the only value that changes later.

Belongs here: the ledger's layout, reading it, hashing it. Does not: writing to it (`versions.py`), manifests
(`manifest.py`).
"""

import bisect
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

import duckdb
import polars as pl

from orchestration.lib.content_hash import POLARS_TYPES, row_text

LEDGER_SCHEMA = "quality"
LEDGER_NAME = "unit_versions"
LEDGER_SQL_NAME = f'"{LEDGER_SCHEMA}"."{LEDGER_NAME}"'
LEDGER_DESCRIPTION = "Ledger of versioned tables: one row per table, unit and version, units without rows included."

LEDGER_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "table_name": "VARCHAR",
        "unit": "VARCHAR",
        "as_of_week": "DATE",
        "version": "INTEGER",
        "content_hash": "VARCHAR",
        "row_count": "BIGINT",
        "recorded_at": "TIMESTAMPTZ",
        "superseded_at": "TIMESTAMPTZ",
        "run_id": "VARCHAR",
        "code_version": "VARCHAR",
        "model_version": "VARCHAR",
        "inputs_hash": "VARCHAR",
        "input_cutoff": "TIMESTAMPTZ",
        "origin": "VARCHAR",
        "version_reason": "VARCHAR",
    }
)

LEDGER_DESCRIPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "table_name": "Versioned table, as schema.name.",
        "unit": "Values of the table's unit columns (JSON text, columns in declared order).",
        "as_of_week": "Monday (UTC) of the week the unit belongs to; for rebalances the week that recorded it.",
        "row_count": "Number of rows of this version; 0 where the unit holds nothing.",
        "model_version": "Models that produced the rows, sorted, separated by commas; null where none was used.",
    }
)
"""Descriptions of the columns that are not version columns of the tables, or differ from them."""

SIGNED_COLUMNS = tuple(column for column in LEDGER_COLUMNS if column != "superseded_at")
"""What a manifest signs. `superseded_at` is left out: a later version sets it on a row that was signed before."""


@dataclass(frozen=True)
class LedgerHash:
    """Hash over the ledger rows of one table up to an instant.

    Attributes:
        sha256: Hash of the rows in the order of recorded_at, unit and version.
        rows: Number of ledger rows it covers.
    """

    sha256: str
    rows: int


def read_ledger(connection: duckdb.DuckDBPyConnection, table_name: str, *, only_current: bool = False) -> pl.DataFrame:
    """Ledger rows of one table, sorted by recorded_at, unit and version.

    Args:
        connection: On the database that holds the ledger.
        table_name: `schema.name`.
        only_current: Leave out versions that were superseded.
    """
    columns = ", ".join(LEDGER_COLUMNS)
    current = " and superseded_at is null" if only_current else ""
    rows = connection.execute(
        f"select {columns} from {LEDGER_SQL_NAME} where table_name = ?{current}", [table_name]
    ).pl()
    typed = rows.select(pl.col(column).cast(POLARS_TYPES[kind]) for column, kind in LEDGER_COLUMNS.items())
    return typed.sort("recorded_at", "unit", "version")


def hash_ledger(ledger: pl.DataFrame, *, at: Sequence[datetime]) -> list[LedgerHash]:
    """Hash what a table's ledger said at each of some instants.

    The rows are in the order in which they were recorded, so every instant sees a prefix, and one pass serves all.

    Args:
        ledger: Rows of one table, as `read_ledger` returns them.
        at: Instants, ascending.

    Returns:
        One hash per instant, over the rows with recorded_at up to and including it.
    """
    recorded = ledger["recorded_at"].to_list()
    lines = row_text(ledger, SIGNED_COLUMNS).to_list()
    digest = hashlib.sha256()
    hashes: list[LedgerHash] = []
    done = 0
    for instant in at:
        end = bisect.bisect_right(recorded, instant)
        digest.update("".join(f"{line}\n" for line in lines[done:end]).encode())
        done = max(done, end)
        hashes.append(LedgerHash(sha256=digest.hexdigest(), rows=done))
    return hashes
