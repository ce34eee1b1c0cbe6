"""The provider's kit of every index: versions of its definition, its methodology as a document, and its pro-forma composition.

Belongs here: the three tables, what is recorded of a definition when it changes, and the documents as files beside the published copy.
Does not: words and versions (`models_ml.indices`), compositions and levels (`index_weeks.py`), figures (`index_backtest.py`).

`indices.definition_versions` only grows: a row stays as it was recorded. The other two tables are written anew by every run.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from models_ml.indices.components import undated_inputs
from models_ml.indices.definition import IndexDefinition
from models_ml.indices.definition_versions import next_version
from models_ml.indices.market import MarketData
from models_ml.indices.methodology import Change, methodology_document
from models_ml.indices.pro_forma import ProForma, pro_forma
from models_ml.indices.state import IndexState
from orchestration.lib.index_weeks import IndexWeeks, state_after
from orchestration.lib.lake import without_keys
from orchestration.lib.run_context import RunContext
from orchestration.lib.whole_file import write_whole
from orchestration.lib.written_anew import write_anew

DEFINITION_VERSIONS = """create table if not exists indices.definition_versions
    (index_id varchar, version varchar, first_week date, recorded_at timestamptz, run_id varchar, code_version varchar,
    content_hash varchar, definition_yaml varchar, values_json varchar, changes varchar, primary key (index_id, version))"""

CREATE_TABLES = (
    DEFINITION_VERSIONS,
    """create table if not exists indices.methodologies
    (index_id varchar primary key, version varchar, twin varchar, base_level double, undated_inputs varchar, document varchar)""",
    """create table if not exists indices.pro_forma
    (index_id varchar, status varchar, determined_at timestamptz, announced_from timestamptz, effective_at timestamptz,
    token_id varchar, symbol varchar, target_weight double, weight_change double, reason varchar)""",
)

METHODOLOGY = "methodology"
"""Folder of the documents beside the published copy."""

PRO_FORMA_SCHEMA: dict[str, pl.DataType] = {
    "index_id": pl.String(),
    "status": pl.String(),
    "determined_at": pl.Datetime("us", "UTC"),
    "announced_from": pl.Datetime("us", "UTC"),
    "effective_at": pl.Datetime("us", "UTC"),
    "token_id": pl.String(),
    "symbol": pl.String(),
    "target_weight": pl.Float64(),
    "weight_change": pl.Float64(),
    "reason": pl.String(),
}


@dataclass(frozen=True)
class Documents:
    """Methodology files beside the published copy.

    Attributes:
        folder: Where they lie.
        files: How many there are.
        written: How many were new or changed.
    """

    folder: Path
    files: int
    written: int


def create_kit_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the tables, which the api views need before the first index is computed."""
    for statement in CREATE_TABLES:
        connection.execute(without_keys(connection, statement))


def record_versions(
    connection: duckdb.DuckDBPyConnection, definitions: Sequence[IndexDefinition], build: RunContext
) -> int:
    """Record the definitions that say something else than when they were recorded last; returns how many did."""
    newest = {
        index_id: (version, values)
        for index_id, version, values in connection.execute(
            "select index_id, arg_max(version, recorded_at), arg_max(values_json, recorded_at) from indices.definition_versions "
            "group by index_id"
        ).fetchall()
    }
    found = [(each.index_id, next_version(newest.get(each.index_id), each)) for each in definitions]
    rows = [
        [
            index_id,
            each.version,
            build.as_of_week,
            build.recorded_at,
            build.build_id,
            build.code_version,
            each.content_hash,
            each.definition_yaml,
            each.values_json,
            json.dumps(each.changes, ensure_ascii=False),
        ]
        for index_id, each in found
        if each is not None
    ]
    if rows:
        connection.executemany(
            f"insert into indices.definition_versions values ({', '.join('?' * len(rows[0]))})", rows
        )
    return len(rows)


def write_methodologies(
    connection: duckdb.DuckDBPyConnection, definitions: Sequence[IndexDefinition], *, year: int
) -> None:
    """Write the document of each definition in force anew.

    Args:
        connection: The warehouse, the versions of the definitions recorded (`record_versions`).
        definitions: The indices in force.
        year: Calendar year whose rebalances the documents list.
    """
    logs: dict[str, list[Change]] = {}
    for index_id, version, first_week, content_hash, changes in connection.execute(
        "select index_id, version, first_week, content_hash, changes from indices.definition_versions order by recorded_at desc"
    ).fetchall():
        change = Change(version, first_week, content_hash, tuple(json.loads(changes)))
        logs.setdefault(index_id, []).append(change)
    by_id = {each.index_id: each for each in definitions}
    undated = {index_id: undated_inputs(each, by_id) for index_id, each in by_id.items()}
    rows = [
        {
            "index_id": each.index_id,
            "version": logs[each.index_id][0].version,
            "twin": each.twin,
            "base_level": float(each.base.level),
            "undated_inputs": ", ".join(undated[each.index_id]) or None,
            "document": methodology_document(each, log=logs[each.index_id], year=year, undated=undated[each.index_id]),
        }
        for each in definitions
    ]
    overrides = {"twin": pl.String(), "undated_inputs": pl.String()}
    write_anew(connection, "indices.methodologies", pl.DataFrame(rows, schema_overrides=overrides))


def write_pro_forma(
    connection: duckdb.DuckDBPyConnection, computed: Sequence[IndexWeeks], market: MarketData, week: date
) -> None:
    """Write anew what each index will hold at its next effective time, as far as the closes before Monday `week` tell.

    Args:
        connection: The warehouse, the weeks of `computed` recorded.
        computed: What the build computed; an index without results continues from what is recorded.
        market: `read_market`.
        week: The build's week.
    """
    rows: list[dict[str, Any]] = []
    for index in computed:
        state = _state(connection, index, week)
        rows += _rows(pro_forma(index.definition, state, week, market))
    write_anew(connection, "indices.pro_forma", pl.DataFrame(rows, schema=PRO_FORMA_SCHEMA))


def write_documents(warehouse: Path, published: Path) -> Documents:
    """Write the documents of a published warehouse as files, `methodology/<index_id>.md`; equal ones stay as they are.

    Args:
        warehouse: The published copy, whose `api.index_methodology` holds the documents.
        published: Where readers look.
    """
    folder = published / METHODOLOGY
    folder.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        found = connection.execute(
            "select index_id, document from api.index_methodology where document is not null"
        ).fetchall()
    texts = {f"{index_id}.md": str(document) for index_id, document in found}
    for path in folder.iterdir():
        if path.name not in texts:
            path.unlink()
    written = 0
    for name, text in texts.items():
        path = folder / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        write_whole(path, text)
        written += 1
    return Documents(folder, len(texts), written)


def _state(connection: duckdb.DuckDBPyConnection, index: IndexWeeks, week: date) -> IndexState:
    if index.results and index.results[-1].as_of_week == week:
        return index.results[-1].state
    return state_after(connection, index.definition, week)


def _rows(found: ProForma) -> list[dict[str, Any]]:
    """One row a token, largest first; one row without a token where there is no basket."""
    facts = {
        "index_id": found.index_id,
        "status": found.status,
        "determined_at": found.timing.determined_at,
        "announced_from": found.timing.announced_from,
        "effective_at": found.timing.effective_at,
    }
    rows = [
        {
            **facts,
            "token_id": target.token_id,
            "symbol": target.symbol,
            "target_weight": target.weight,
            "weight_change": target.weight - found.held.get(target.token_id, 0.0),
            "reason": target.reason,
        }
        for target in sorted(found.targets, key=lambda target: (-target.weight, target.token_id))
    ]
    nothing = dict.fromkeys(("token_id", "symbol", "target_weight", "weight_change"))
    return rows or [{**facts, **nothing, "reason": found.note}]
