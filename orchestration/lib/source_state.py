"""What the working warehouse holds, as far as it decides whether there is something to publish, and whether it may be.

Belongs here: ledger hashes and the content fingerprint of the source, and refusing a ledger that contradicts what was
published before. Does not: copying anything (`published_copy.py`), the order of publishing (`publishing.py`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from orchestration.lib.ledger import LEDGER_SCHEMA, LedgerHash, hash_ledger, read_ledger
from orchestration.lib.manifest import Manifest, PublicationInfo, sha256_of_bytes
from orchestration.lib.published_copy import PublishError, attached, source_objects
from orchestration.lib.versioned_tables import VersionedTable
from orchestration.lib.warehouse import count_rows


@dataclass(frozen=True)
class SourceState:
    """The working warehouse at the moment of publishing.

    Attributes:
        ledgers: Hash of the whole ledger of each versioned table, by `schema.name`.
        rows: Rows of each versioned table, all versions.
        fingerprint: Hash over all that counts as content; equal to the last manifest's where nothing changed.
        newest_recorded_at: When the newest version was recorded, None where there is none.
    """

    ledgers: dict[str, LedgerHash]
    rows: dict[str, int]
    fingerprint: str
    newest_recorded_at: datetime | None


def read_source_state(
    warehouse_path: Path, previous: Manifest | None, *, info: PublicationInfo, tables: Sequence[VersionedTable]
) -> SourceState:
    """Read the state of the working warehouse and hold its ledger against the last manifest.

    Args:
        warehouse_path: The working warehouse.
        previous: The last manifest, None for the first publication.
        info: What the next manifest says about the run.
        tables: Versioned tables.

    Raises:
        PublishError: The warehouse cannot be read, lacks versioned tables, or its ledger is not what was published.
    """
    ledgers: dict[str, LedgerHash] = {}
    rows: dict[str, int] = {}
    newest: list[datetime] = []
    rewritten: list[str] = []
    with attached(warehouse_path, alias=warehouse_path.stem) as connection:
        _check_tables_exist(connection, warehouse_path, tables)
        for table in tables:
            ledger = read_ledger(connection, table.full_name)
            recorded = ledger["recorded_at"].to_list()
            newest += recorded[-1:]
            then = [previous.created_at] if previous else []
            *before, now = hash_ledger(ledger, at=[*then, max([*recorded, *then], default=info.created_at)])
            published = previous.versioned_tables.get(table.full_name) if previous else None
            if published and before[0].sha256 != published.ledger_sha256:
                rewritten.append(f"{table.full_name} ({published.ledger_rows} versions then, {before[0].rows} now)")
            ledgers[table.full_name] = now
            rows[table.full_name] = count_rows(connection, table.sql_name)
        objects = _describe_objects(connection, catalogue=warehouse_path.stem, tables=tables)
    if rewritten and previous:
        raise PublishError(
            f"{warehouse_path}: its ledger is not the one published on {previous.created_at:%Y-%m-%d} (manifest "
            f"{previous.sequence}): {', '.join(rewritten)}. Past calls cannot be rewritten: restore the warehouse, or, "
            "if it was built anew on purpose, move the published folder aside to begin a new chain."
        )
    fingerprint = _fingerprint(info, ledgers, objects)
    return SourceState(ledgers, rows, fingerprint, newest_recorded_at=max(newest, default=None))


def _check_tables_exist(
    connection: duckdb.DuckDBPyConnection, warehouse_path: Path, tables: Sequence[VersionedTable]
) -> None:
    found = connection.execute(
        "select schema_name || '.' || table_name from duckdb_tables() where database_name = current_database()"
    ).fetchall()
    missing = [table.full_name for table in tables if (table.full_name,) not in found]
    if missing:
        raise PublishError(f"{warehouse_path}: {', '.join(missing)} missing; call create_versioned_tables on it first")


def _describe_objects(
    connection: duckdb.DuckDBPyConnection, *, catalogue: str, tables: Sequence[VersionedTable]
) -> list[list[object]]:
    """Name, kind, columns, SQL and rows of what is published besides versioned tables."""
    described: list[list[object]] = []
    for one in source_objects(connection, catalogue=catalogue, tables=tables):
        # Checks write to quality in every run, so its rows are no news; rows of views would have to be computed.
        is_counted = one.kind == "table" and one.schema != LEDGER_SCHEMA
        rows = count_rows(connection, one.sql_name) if is_counted else None
        described.append([one.full_name, one.kind, one.columns, one.sql, rows])
    return described


def _fingerprint(info: PublicationInfo, ledgers: Mapping[str, LedgerHash], objects: list[list[object]]) -> str:
    content = {
        "data_source": info.data_source,
        "as_of_week": info.as_of_week.isoformat(),
        "code_version": info.code_version,
        "model_versions": info.model_versions,
        "inputs_hash": info.inputs_hash,
        "attribution": info.attribution,
        "terms": {source: terms.model_dump() for source, terms in info.terms.items()},
        "publish_for": info.publish_for,
        "ledgers": {name: ledger.sha256 for name, ledger in ledgers.items()},
        "objects": objects,
    }
    return sha256_of_bytes(json.dumps(content, sort_keys=True).encode())
