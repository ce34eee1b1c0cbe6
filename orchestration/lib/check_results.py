"""`quality.check_results`: every check of every run, one row a check and run, whoever made it.

Whatever is checked ends up in Dagster's event log: Great Expectations suites, dbt tests and contracts, Python checks. The end of a
run copies its checks from there, so the author of a check has nothing to do, and no step of a run has to have the warehouse
open. The publishing step does it before it copies the warehouse, the run's lock when it is let go (`resources.py`), which also
catches runs that fail before they publish; a run that was killed is caught up by the next one.

Belongs here: the table, and what a row says of which event. Does not: making checks; the pages of Great Expectations
(`data_docs.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, Literal

import dagster as dg
import duckdb
import polars as pl
from dagster import DagsterEventType

from orchestration.lib.landing_checks import CHECK_NAME, OUTCOMES

NAME = "quality.check_results"
TABLE = f"""
    create table if not exists {NAME} (
        run_id varchar not null,
        checked_at timestamptz not null,
        as_of_week date,
        tier varchar not null,
        table_name varchar not null,
        check_name varchar not null,
        column_name varchar,
        severity varchar not null,
        is_passed boolean not null,
        rows_checked bigint,
        rows_failed bigint,
        detail varchar,
        offending_rows varchar
    )
"""
COMMENTS = {
    "run_id": "Run that checked.",
    "checked_at": "UTC instant of the result.",
    "as_of_week": "Week the run built, null where it only ingested.",
    "tier": "great_expectations, dbt or python.",
    "table_name": "Table that was checked, `schema.name`; what landed under the name of its view in the schema raw.",
    "check_name": "Check; one expectation of a suite, one test of dbt; `contract` is that of a dbt model.",
    "column_name": "Column or columns it is about, null for the whole table.",
    "severity": "error where a failure stops the run, warning elsewhere.",
    "is_passed": "Whether it held.",
    "rows_checked": "Count of rows judged, null where a check does not judge rows.",
    "rows_failed": "Count of rows that broke it, null where it does not count rows.",
    "detail": "What was expected and found, in words.",
    "offending_rows": "Some rows that broke it, a JSON list; null where it held or does not judge rows.",
}
HOLDS, SEVERITY, COLUMN, ROWS, SAMPLE = "holds", "severity", "column", "rows", "sample"
"""Metadata by which a check tells more than whether it passed: what it holds, what its failure means, column, rows judged, and
some offending rows."""

CONTRACT = "contract"
CAUGHT_UP_RUNS = 20
LONGEST_DETAIL = 500

Tier = Literal["great_expectations", "dbt", "python"]


@dataclass(frozen=True)
class CheckRow:
    """A row of `quality.check_results`; `COMMENTS` says what its values are."""

    run_id: str
    checked_at: datetime
    as_of_week: date | None
    tier: Tier
    table_name: str
    check_name: str
    column_name: str | None
    severity: Literal["error", "warning"]
    is_passed: bool
    rows_checked: int | None = None
    rows_failed: int | None = None
    detail: str | None = None
    offending_rows: str | None = None


SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "run_id": pl.String,
    "checked_at": pl.Datetime("us", "UTC"),
    "as_of_week": pl.Date,
    "tier": pl.String,
    "table_name": pl.String,
    "check_name": pl.String,
    "column_name": pl.String,
    "severity": pl.String,
    "is_passed": pl.Boolean,
    "rows_checked": pl.Int64,
    "rows_failed": pl.Int64,
    "detail": pl.String,
    "offending_rows": pl.String,
}


def create_check_results(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table, with what its columns say, where it is missing."""
    exists = connection.execute(
        "select 1 from duckdb_tables() where schema_name || '.' || table_name = ?", [NAME]
    ).fetchone()
    if exists:
        return
    connection.execute(TABLE)
    for column, comment in COMMENTS.items():
        connection.execute(f"comment on column {NAME}.{column} is '{comment}'")


def record_checks(connection: duckdb.DuckDBPyConnection, instance: dg.DagsterInstance, run_id: str) -> int:
    """Write the checks of a run so far, and those of earlier runs that ended before they could.

    Called again for the same run it writes the run's rows anew, so the order of callers does not matter. The caller holds the run
    lock: no other run is under way.

    Returns:
        Rows of the run.
    """
    create_check_results(connection)
    recorded = {row[0] for row in connection.execute(f"select distinct run_id from {NAME}").fetchall()}
    earlier = [run.run_id for run in instance.get_runs(limit=CAUGHT_UP_RUNS) if run.run_id not in recorded | {run_id}]
    weeks = dict(connection.execute("select build_id, as_of_week from quality.builds").fetchall())
    rows = [row for each in [*earlier, run_id] for row in rows_of_run(instance, each, as_of_week=weeks.get(each))]
    frame = pl.DataFrame([asdict(row) for row in rows], schema=SCHEMA, orient="row")
    connection.execute("begin")
    connection.execute(f"delete from {NAME} where run_id = ?", [run_id])
    connection.register("checks_of_runs", frame)
    connection.execute(f"insert into {NAME} select {', '.join(SCHEMA)} from checks_of_runs")
    connection.execute("commit")
    connection.unregister("checks_of_runs")
    return sum(row.run_id == run_id for row in rows)


def rows_of_run(instance: dg.DagsterInstance, run_id: str, *, as_of_week: date | None) -> list[CheckRow]:
    """The checks of a run, in the order they were made; of a check made twice, as when a step is tried again, the last."""
    found: dict[tuple[str, str, str | None], CheckRow] = {}
    cursor: str | None = None
    while True:
        page = instance.event_log_storage.get_records_for_run(
            run_id, cursor=cursor, of_type=DagsterEventType.ASSET_CHECK_EVALUATION, limit=1000
        )
        for record in page.records:
            entry = record.event_log_entry
            event = entry.dagster_event
            if event is None:
                continue
            checked_at = datetime.fromtimestamp(entry.timestamp, UTC)
            rows = _rows(event.asset_check_evaluation_data, run_id, checked_at, as_of_week)
            for row in _told_apart(rows):
                found[row.table_name, row.check_name, row.column_name] = row
        cursor = page.cursor
        if not page.has_more:
            return list(found.values())


def table_name_of(key: dg.AssetKey) -> str:
    """`schema.name` of an asset; a landed dataset is read through its view in `raw`."""
    first, *rest = key.path
    return f"raw.{'__'.join(rest)}" if first == "landing" else f"{first}.{'__'.join(rest)}"


def _rows(evaluation: Any, run_id: str, checked_at: datetime, as_of_week: date | None) -> Iterable[CheckRow]:
    """One row, of a suite one for each expectation."""
    facts = {name: value.value for name, value in evaluation.metadata.items()}
    tier: Tier = (
        "great_expectations"
        if evaluation.check_name == CHECK_NAME
        else "dbt"
        if "unique_id" in facts or evaluation.check_name == CONTRACT
        else "python"
    )
    whole = CheckRow(
        run_id=run_id,
        checked_at=checked_at,
        as_of_week=as_of_week,
        tier=tier,
        table_name=table_name_of(evaluation.asset_key),
        check_name=evaluation.check_name,
        column_name=facts.get(COLUMN),
        severity=facts.get(SEVERITY) or ("error" if evaluation.severity == dg.AssetCheckSeverity.ERROR else "warning"),
        is_passed=evaluation.passed,
        rows_checked=facts.get(ROWS),
        rows_failed=facts.get("dagster_dbt/failed_row_count"),
        detail=_detail(facts, evaluation.description),
        offending_rows=_as_json(facts.get(SAMPLE)),
    )
    outcomes = facts.get(OUTCOMES)
    if not outcomes:
        return [whole]
    samples = {
        (one["expectation"], one["column"], one["detail"]): one["sample"] for one in facts.get("failures") or [] if one
    }
    return [
        replace(
            whole,
            **{**one, "detail": str(one["detail"])[:LONGEST_DETAIL]},
            offending_rows=_as_json(samples.get((one["check_name"], one["column_name"] or "rows", one["detail"]))),
        )
        for one in outcomes
    ]


def _told_apart(rows: Iterable[CheckRow]) -> Iterable[CheckRow]:
    """Two expectations of one kind on one column get a number: a row stands for one check."""
    seen: dict[tuple[str, str | None], int] = {}
    for row in rows:
        key = (row.check_name, row.column_name)
        seen[key] = seen.get(key, 0) + 1
        yield row if seen[key] == 1 else replace(row, check_name=f"{row.check_name}_{seen[key]}")


def _detail(facts: Mapping[str, Any], description: str | None) -> str | None:
    """What a check says of itself, in one line."""
    if HOLDS in facts:
        said = [str(facts[HOLDS]), *([str(facts["message"])] if facts.get("message") else [])]
    else:
        told = {name: value for name, value in facts.items() if not isinstance(value, list | dict) and "/" not in name}
        said = [f"{name.replace('_', ' ')}: {value}" for name, value in told.items()]
        said += [
            f"{name}: {json.dumps(value, default=str)}" for name, value in facts.items() if name == "failures" and value
        ]
    text = "; ".join([*([description] if description else []), *said])
    return " ".join(text.split())[:LONGEST_DETAIL] or None


def _as_json(rows: object) -> str | None:
    return json.dumps(rows, default=str) if rows else None
