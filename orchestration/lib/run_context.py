"""What one build of the warehouse knows of itself: its week, its cut-off, and what changed since the build before.

Belongs here: the table `quality.builds`, one row a build, and the choice of weeks to (re)build.
Does not: what is built (`calls.py`, `index_weeks.py`, `screen_weeks.py`), versions (`versions.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import duckdb
import polars as pl

from orchestration.lib.lake import name_snapshot, without_keys
from orchestration.lib.versioned_layout import transaction
from orchestration.lib.versions import Provenance
from orchestration.lib.warehouse import table_exists
from orchestration.lib.weeks import WEEK, instant_of, mondays

BUILDS = """
    create table if not exists quality.builds (
        build_id varchar primary key,
        as_of_week date not null,
        data_source varchar not null,
        input_cutoff timestamptz not null,
        inputs_hash varchar not null,
        code_version varchar not null,
        changed_from date,
        rebuild_from date,
        rebuild_to date,
        version_reason varchar,
        started_at timestamptz not null,
        completed_at timestamptz
    )
"""


@dataclass(frozen=True)
class RunContext:
    """One build.

    Attributes:
        build_id: Run that executes it.
        as_of_week: Newest week to build, a Monday.
        data_source: simulated, archive or live.
        input_cutoff: Loads that ended by this instant are read.
        inputs_hash: Hash over those loads.
        code_version: Version of the code.
        changed_from: First market_date whose facts are new or other than in the build before; None in a first build.
        rebuild_from: First week of a rebuild asked for by hand, else None.
        rebuild_to: Last week of it.
        version_reason: Reason of the versions of a rebuild, else None.
        correction_weeks: Weeks back that a correction may reach by itself.
        recorded_at: Instant the versions of this build carry.
    """

    build_id: str
    as_of_week: date
    data_source: str
    input_cutoff: datetime
    inputs_hash: str
    code_version: str
    changed_from: date | None
    rebuild_from: date | None
    rebuild_to: date | None
    version_reason: str | None
    correction_weeks: int
    recorded_at: datetime

    @property
    def as_of(self) -> datetime:
        """Monday 00:00 UTC of the week."""
        return instant_of(self.as_of_week)

    @property
    def oldest_correction(self) -> date:
        """The newest week that no late fact changes by itself; those after it are in reach of corrections."""
        return self.as_of_week - WEEK * self.correction_weeks

    def provenance(self, reason: str, *, model_version: str | None = None) -> Provenance:
        """What the versions of this build say of their origin."""
        return Provenance(
            recorded_at=self.recorded_at,
            run_id=self.build_id,
            code_version=self.code_version,
            inputs_hash=self.inputs_hash,
            input_cutoff=self.input_cutoff,
            model_version=model_version,
            version_reason=self.version_reason or reason,
        )

    def reason_for_new(self) -> str:
        """`scheduled` for the newest week of a running warehouse, `backfill` for the first filling of history."""
        return "backfill" if self.changed_from is None else "scheduled"

    def is_asked(self, week: date) -> bool:
        """Whether a rebuild asked for by hand holds a week."""
        if self.rebuild_from is None or self.rebuild_to is None:
            return False
        return self.rebuild_from <= week <= self.rebuild_to

    def weeks_to_build(self, first: date, recorded: set[date]) -> list[date]:
        """Weeks of a table to compute, oldest first: the missing ones, those a late fact may have changed, those asked for.

        A fact of day D is used from the week after D on. Weeks further back than `correction_weeks` wait for a rebuild.

        Args:
            first: First week the table can have.
            recorded: Weeks that are recorded already.
        """
        chosen = []
        for week in mondays(first, self.as_of_week):
            is_changed = self.changed_from is not None and week > self.changed_from and week > self.oldest_correction
            if week not in recorded or is_changed or self.is_asked(week):
                chosen.append(week)
        return chosen


def begin_build(
    connection: duckdb.DuckDBPyConnection,
    *,
    build_id: str,
    as_of_week: date,
    data_source: str,
    input_cutoff: datetime,
    inputs_hash: str,
    code_version: str,
    earliest_change: date | None,
    rebuild: tuple[date, date] | None,
    version_reason: str | None,
    correction_weeks: int,
) -> RunContext:
    """Record the start of a build.

    `earliest_change` is the first day touched by loads since the last completed build; days that were landed earlier and only
    now lie before as_of count as changed too.
    """
    connection.execute(without_keys(connection, BUILDS))
    before = last_completed(connection)
    changed_from = None
    if before is not None:
        changed_from = min(day for day in (earliest_change, before["as_of_week"], as_of_week) if day is not None)
    context = RunContext(
        build_id=build_id,
        as_of_week=as_of_week,
        data_source=data_source,
        input_cutoff=input_cutoff,
        inputs_hash=inputs_hash,
        code_version=code_version,
        changed_from=changed_from,
        rebuild_from=rebuild[0] if rebuild else None,
        rebuild_to=rebuild[1] if rebuild else None,
        version_reason=version_reason,
        correction_weeks=correction_weeks,
        recorded_at=datetime.now(UTC),
    )
    connection.execute(
        """merge into quality.builds as known using (select
            ?::varchar as build_id, ?::date as as_of_week, ?::varchar as data_source, ?::timestamptz as input_cutoff,
            ?::varchar as inputs_hash, ?::varchar as code_version, ?::date as changed_from, ?::date as rebuild_from,
            ?::date as rebuild_to, ?::varchar as version_reason, ?::timestamptz as started_at, null::timestamptz as completed_at
        ) as begun on known.build_id = begun.build_id when matched then update when not matched then insert""",
        [
            build_id,
            as_of_week,
            data_source,
            input_cutoff,
            inputs_hash,
            code_version,
            changed_from,
            context.rebuild_from,
            context.rebuild_to,
            version_reason,
            context.recorded_at,
        ],
    )
    return context


def current_build(connection: duckdb.DuckDBPyConnection, build_id: str, *, correction_weeks: int) -> RunContext:
    """The build a step belongs to; steps executed alone (from the UI) continue the newest one.

    Raises:
        LookupError: No build was ever begun in this warehouse.
    """
    connection.execute(without_keys(connection, BUILDS))
    rows = connection.execute(
        "select * from quality.builds order by (build_id = ?) desc, started_at desc limit 1", [build_id]
    ).pl()
    if rows.is_empty():
        raise LookupError("no build has begun in this warehouse; run the job weekly (make run) first")
    row = rows.row(0, named=True)
    return RunContext(
        build_id=build_id,
        as_of_week=row["as_of_week"],
        data_source=row["data_source"],
        input_cutoff=row["input_cutoff"],
        inputs_hash=row["inputs_hash"],
        code_version=row["code_version"],
        changed_from=row["changed_from"],
        rebuild_from=row["rebuild_from"],
        rebuild_to=row["rebuild_to"],
        version_reason=row["version_reason"],
        correction_weeks=correction_weeks,
        recorded_at=row["started_at"] if row["build_id"] == build_id else datetime.now(UTC),
    )


def complete_build(connection: duckdb.DuckDBPyConnection, build_id: str) -> None:
    """Mark a build as completed: its cut-off is where the next one starts."""
    with transaction(connection):
        name_snapshot(connection, run_id=build_id, message=f"build {build_id} completed")
        now = datetime.now(UTC)
        connection.execute("update quality.builds set completed_at = ? where build_id = ?", [now, build_id])


def last_completed(connection: duckdb.DuckDBPyConnection) -> dict[str, Any] | None:
    """The newest completed build as a row, or None."""
    connection.execute(without_keys(connection, BUILDS))
    rows = connection.execute(
        "select * from quality.builds where completed_at is not null order by started_at desc limit 1"
    ).pl()
    return rows.row(0, named=True) if rows.height else None


def first_unfinished_day(connection: duckdb.DuckDBPyConnection) -> date | None:
    """First day the models of the newest build went back to, if it did not complete; else None.

    Those that came before its end hold these days anew, those after it do not, and what sent them back is no longer to be seen.
    """
    connection.execute(without_keys(connection, BUILDS))
    newest = connection.execute("select completed_at from quality.builds order by started_at desc limit 1").fetchone()
    if newest is None or newest[0] is not None or not table_exists(connection, "intermediate", "rebuilt_days"):
        return None
    row = connection.execute("select min(rebuilt_from) from intermediate.rebuilt_days").fetchone()
    return row[0] if row else None


def recorded_weeks(connection: duckdb.DuckDBPyConnection, table_name: str, *, index_id: str | None = None) -> set[date]:
    """Weeks of which a versioned table has a unit, of one index where it is by index."""
    chosen = "" if index_id is None else "and json_extract_string(unit, '$.index_id') = ?"
    parameters = [table_name] if index_id is None else [table_name, index_id]
    rows = connection.execute(
        f"select distinct as_of_week from quality.unit_versions where table_name = ? {chosen}", parameters
    ).fetchall()
    return {row[0] for row in rows}


def units_of(weeks: list[date]) -> pl.DataFrame:
    """Expected units of a table by week, those that stay empty included."""
    return pl.DataFrame({"as_of_week": weeks}, schema={"as_of_week": pl.Date})


def days_after(week: date, days: int) -> date:
    """A calendar day some days after a Monday."""
    return week + timedelta(days=days)
