"""`quality.run_steps` and `quality.run_rows`: how long the steps of every run took, and how many rows its tables had, over time.

Both come from the structured log of the run, which holds of a step what Dagster's records do not: memory. The publishing step writes them
before it copies the warehouse, so a published copy has of its own run the steps up to there; the end of a run, failed or not, writes them
whole, and a run that was killed is caught up by the next one. They are facts of a machine and a day: no content hash covers them, and a
run whose tables are equal is not published for them (`publishing.py`).

Belongs here: the tables, what is written into them, what is unlike a run's own past. Does not: the lines of the log (`structured_log.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from orchestration.lib.sql_quoting import sql_text
from orchestration.lib.structured_log import LOGS_FOLDER, path_of
from orchestration.lib.table_comments import create_described_table
from orchestration.lib.versioned_layout import transaction

RUN_STEPS = "quality.run_steps"
RUN_ROWS = "quality.run_rows"

_RUN = {
    "run_id": ("varchar", "Run."),
    "as_of_week": ("date", "Week the run built, null where it only ingested or ended before it began to build."),
}
STEP_COLUMNS: Mapping[str, tuple[str, str]] = {
    **_RUN,
    "step": ("varchar", "Step of the run."),
    "started_at": ("timestamptz", "UTC instant at which it began."),
    "seconds": ("double", "How long it took, in seconds; null where it did not end."),
    "status": ("varchar", "done, failed, or open: it neither ended nor failed, because the run was killed."),
    "rows_written": (
        "bigint",
        "Rows that it landed or recorded, a count over its tables; null where it counts none, as for tables made anew.",
    ),
    "peak_memory_mb": (
        "double",
        "Most memory (MB) that the process of the run, or the largest of its subprocesses, had held by the end of the step.",
    ),
    "error": (
        "varchar",
        "Kind of the error that stopped it, null where none did; docs/how-to/when-it-fails.md has each.",
    ),
}
ROW_COLUMNS: Mapping[str, tuple[str, str]] = {
    **_RUN,
    "table_name": ("varchar", "Table, `schema.name`; what landed under the name of its view in the schema raw."),
    "step": ("varchar", "Step that wrote it."),
    "table_rows": ("bigint", "Rows of the table after the step, a count; null where the step does not count them."),
    "rows_added": ("bigint", "Rows that the step landed or recorded, a count; null where the table was made anew."),
}

CAUGHT_UP_RUNS = 20
LINE = (
    "{'ts': 'timestamptz', 'run_id': 'varchar', 'step': 'varchar', 'event': 'varchar', 'duration_ms': 'bigint', 'table': 'varchar', "
    "'rows': 'bigint', 'rows_added': 'bigint', 'memory_mb': 'double', 'error': 'varchar'}"
)

COMPARED_RUNS = 12
LEAST_COMPARED = 4
"""Earlier runs a run is compared with, and how few are too few to know what is usual."""

SLOWER_BY_FACTOR, SLOWER_BY_SECONDS = 3.0, 30.0
"""A step is slow beyond both: a second is three times of next to nothing."""

FEWER_BY_FACTOR, FEWEST_ROWS = 0.25, 100
"""A step wrote few rows below this share of what is usual, where that is at least so many."""


@dataclass(frozen=True)
class Unlike:
    """A step unlike its own past.

    Attributes:
        step: The step.
        what: `seconds` or `rows_written`.
        now: Its value in the run.
        usual: Median of the runs before.
        runs: How many those are.
    """

    step: str
    what: str
    now: float
    usual: float
    runs: int


def create_run_history(connection: duckdb.DuckDBPyConnection) -> None:
    """Make both tables, with what their columns say, where they are missing."""
    for table, columns in ((RUN_STEPS, STEP_COLUMNS), (RUN_ROWS, ROW_COLUMNS)):
        create_described_table(connection, table, columns)


def record_history(connection: duckdb.DuckDBPyConnection, folder: Path, run_id: str) -> int:
    """Write the steps of a run that have ended so far, and those of earlier runs that ended before they could.

    Called again for the same run it writes the run's rows anew.

    Args:
        connection: The warehouse with its schemas, open for writing; the caller holds the run lock.
        folder: The data folder, whose `logs/` has a file of each run.
        run_id: The run.

    Returns:
        Steps of the run.
    """
    create_run_history(connection)
    known = {row[0] for row in connection.execute(f"select distinct run_id from {RUN_STEPS}").fetchall()}
    files = sorted((folder / LOGS_FOLDER).glob("*.jsonl"), key=lambda path: path.stat().st_mtime)[-CAUGHT_UP_RUNS:]
    wanted = [path for path in files if path.stem == run_id or path.stem not in known]
    if not path_of(folder, run_id).exists() and not wanted:
        return 0
    paths = ", ".join(sql_text(str(path)) for path in wanted)
    lines = f"read_json([{paths}], format = 'newline_delimited', columns = {LINE}, ignore_errors = true)"
    with transaction(connection):
        connection.execute(f"delete from {RUN_STEPS} where run_id = ?", [run_id])
        connection.execute(f"delete from {RUN_ROWS} where run_id = ?", [run_id])
        connection.execute(
            f"create or replace temp table lines_of_runs as select * from {lines} where step is not null"
        )
        connection.execute(
            f"""
            insert into {RUN_STEPS} by name
            select
                lines.run_id,
                any_value(builds.as_of_week) as as_of_week,
                lines.step,
                coalesce(max(ts) filter (event in ('step_start', 'step_restarted')), min(ts)) as started_at,
                arg_max(duration_ms / 1000, ts) filter (event in ('step_success', 'step_failure')) as seconds,
                case
                    when bool_or(event = 'step_success') then 'done'
                    when bool_or(event = 'step_failure') then 'failed'
                    else 'open'
                end as status,
                sum(rows_added) as rows_written,
                max(memory_mb) as peak_memory_mb,
                case when not bool_or(event = 'step_success') then arg_max(error, ts) end as error
            from lines_of_runs as lines
            left join quality.builds as builds on lines.run_id = builds.build_id
            where lines.step in (select step from lines_of_runs where event = 'step_start')
            group by lines.run_id, lines.step
            having lines.run_id <> $run or bool_or(event in ('step_success', 'step_failure'))
            order by lines.run_id, started_at
            """,
            {"run": run_id},
        )
        connection.execute(
            f"""
            insert into {RUN_ROWS} by name
            select
                lines.run_id,
                any_value(builds.as_of_week) as as_of_week,
                lines."table" as table_name,
                arg_max(lines.step, ts) as step,
                arg_max(rows, ts) as table_rows,
                sum(rows_added) as rows_added
            from lines_of_runs as lines
            left join quality.builds as builds on lines.run_id = builds.build_id
            where event = 'asset_materialization' and (rows is not null or rows_added is not null)
            group by lines.run_id, lines."table"
            order by all
            """
        )
        connection.execute("drop table lines_of_runs")
    row = connection.execute(f"select count(*) from {RUN_STEPS} where run_id = ?", [run_id]).fetchone()
    return int(row[0]) if row else 0


def unlike_its_past(connection: duckdb.DuckDBPyConnection, run_id: str) -> list[Unlike]:
    """Steps of a run that took far longer, or wrote far fewer rows, than in the runs before.

    A run is compared with earlier ones that, as it, were the first to build their week: the first filling of a history and the repetition
    of a week that is there are other work. With fewer than four such runs nothing is said.

    Args:
        connection: The warehouse or a published copy.
        run_id: The run.

    Returns:
        The steps, the slowest against their past first.
    """
    rows = connection.execute(
        f"""
        with runs as (
            select run_id, as_of_week, min(started_at) as began_at
            from {RUN_STEPS}
            where as_of_week is not null
            group by run_id, as_of_week
        ),
        weekly as (
            -- The first run of all fills the history, the next of a week repeats it.
            select run_id, began_at
            from runs
            qualify row_number() over (partition by as_of_week order by began_at) = 1 and row_number() over (order by began_at) > 1
        ),
        compared as (
            select steps.*
            from {RUN_STEPS} as steps
            inner join weekly using (run_id)
            where
                steps.status = 'done'
                and steps.run_id <> $run
                and weekly.began_at < (select began_at from weekly where run_id = $run)
            qualify row_number() over (partition by steps.step order by steps.started_at desc) <= {COMPARED_RUNS}
        ),
        usual as (
            select step, count(*) as runs, median(seconds) as seconds, median(rows_written) as rows_written
            from compared
            group by step
            having count(*) >= {LEAST_COMPARED}
        )
        select steps.step, 'seconds' as what, steps.seconds as now, usual.seconds as usual, usual.runs
        from {RUN_STEPS} as steps
        inner join usual using (step)
        where
            steps.run_id = $run
            and steps.seconds > {SLOWER_BY_FACTOR} * usual.seconds
            and steps.seconds > usual.seconds + {SLOWER_BY_SECONDS}
        union all
        select steps.step, 'rows_written', steps.rows_written, usual.rows_written, usual.runs
        from {RUN_STEPS} as steps
        inner join usual using (step)
        where
            steps.run_id = $run
            and steps.status = 'done'
            and usual.rows_written >= {FEWEST_ROWS}
            and steps.rows_written < {FEWER_BY_FACTOR} * usual.rows_written
        """,
        {"run": run_id},
    ).fetchall()
    return sorted((Unlike(*row) for row in rows), key=lambda each: (each.what, -each.now / each.usual))


def steps_beside_their_past(connection: duckdb.DuckDBPyConnection, run_id: str) -> pl.DataFrame:
    """The slowest steps of a run beside the median of all earlier runs: step, seconds, seconds_before, rows_written, peak_memory_mb."""
    return connection.execute(
        f"""
        select
            steps.step,
            round(steps.seconds, 1) as seconds,
            round(median(before.seconds), 1) as seconds_before,
            steps.rows_written,
            steps.peak_memory_mb
        from {RUN_STEPS} as steps
        left join {RUN_STEPS} as before on steps.step = before.step and before.started_at < steps.started_at and before.status = 'done'
        where steps.run_id = ? and steps.status = 'done'
        group by all
        order by seconds desc
        limit 10
        """,
        [run_id],
    ).pl()
