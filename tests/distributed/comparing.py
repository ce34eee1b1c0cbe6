"""Two published copies table by table: rows, and whether their content is the same.

Belongs here: comparing, and the page that says what came of it. Does not: making the copies.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

OF_THE_RUN = frozenset(
    {
        *(
            "run_id",
            "recorded_at",
            "superseded_at",
            "code_version",
            "inputs_hash",
            "input_cutoff",
            "loaded_at",
            "load_id",
        ),
        *(
            "checked_at",
            "completed_at",
            "started_at",
            "build_id",
            "newest_loaded_at",
            "newest_load_id",
            "last_loaded_at",
            "last_attempt_at",
            "applied_at",
        ),
    }
)
"""Columns that name the run, its code or its clock and not what was computed."""

NOT_COMPARED = frozenset(
    {
        *("quality.builds", "quality.check_results", "api.check_results"),
        *("quality.run_steps", "quality.run_rows", "api.run_history", "api.run_rows"),
    }
)
"""What tells of runs themselves."""

RELATIVE = 1e-9
"""Greatest relative difference of two floating-point numbers: sums over files are added in another order."""

ABSOLUTE = 1e-12
"""Greatest difference of two that are themselves what rounding left, as the differences between recomputed levels are."""


@dataclass(frozen=True)
class Compared:
    """A table in both copies.

    Attributes:
        name: `schema.name`.
        rows: Rows in the first copy.
        rows_lost: Rows of the first copy that the second lacks, by count.
        differing: First column whose values differ, None where none does.
        is_exact: Whether every number is the same to its last bit.
    """

    name: str
    rows: int
    rows_lost: int
    differing: str | None
    is_exact: bool

    @property
    def is_equal(self) -> bool:
        """Same rows, same values."""
        return self.rows_lost == 0 and self.differing is None


def compare_copies(first: Path, second: Path) -> list[Compared]:
    """Every table and view of two published folders, by name; one that is missing in the second has lost all rows."""
    with (
        duckdb.connect(str(first / "warehouse.duckdb"), read_only=True) as one,
        duckdb.connect(str(second / "warehouse.duckdb"), read_only=True) as other,
    ):
        there = set(_names(other))
        return [
            compare(name, _rows(one, name), _rows(other, name) if name in there else None)
            for name in _names(one)
            if name not in NOT_COMPARED
        ]


def compare(name: str, one: pl.DataFrame, other: pl.DataFrame | None) -> Compared:
    """Compare rows as sets: sorted by all that is no floating-point number, then by those."""
    if other is None or one.columns != other.columns or one.height != other.height:
        lost = one.height - (other.height if other is not None else 0)
        differing = None if other is not None and one.columns == other.columns else "columns"
        return Compared(name, one.height, max(lost, 0), differing or ("rows" if lost < 0 else None), is_exact=False)
    floats = [column for column, dtype in one.schema.items() if dtype.is_float()]
    order = [*(column for column in one.columns if column not in floats), *floats]
    left, right = _sorted(one, order), _sorted(other, order)
    if left.equals(right):
        return Compared(name, one.height, 0, None, is_exact=True)
    differing = next((column for column in order if not _is_close(left[column], right[column])), None)
    return Compared(name, one.height, 0, differing, is_exact=False)


MEASURED = "## The whole weekly job"
"""Heading of the part of docs/results/distributed.md that the drill writes; the rest is written by hand."""


def with_measured(page: str, measured: str) -> str:
    """The page with the drill's part in the place of the one before, which ends with the next heading of its rank."""
    before, _, after = page.partition(MEASURED + "\n")
    _, heading, rest = after.partition("\n## ")
    return f"{before}{MEASURED}\n\n{measured}{heading}{rest}"


def measured_part(compared: Iterable[Compared], embedded: Any, spread: Any, at_once: int) -> str:
    """What the drill measured, in Markdown."""
    tables = list(compared)
    versioned = ("learning.", "indices.", "screens.")
    lines = [
        "One first run of the weekly job on the simulated market of 130 tokens, embedded (one process, one DuckDB file)",
        f"and spread (a process a step, {at_once} at once; a lake with its catalogue in Postgres; landing in an",
        "S3-compatible store; Dagster on Postgres), one after the other on one machine. Written by the drill",
        "`tests/distributed/test_whole_run.py`.\n",
        "| | Embedded | Spread | |",
        "|---|---:|---:|---:|",
        f"| Seconds | {embedded.seconds:.0f} | {spread.seconds:.0f} | {spread.seconds / embedded.seconds:.1f} times |",
        f"| Seconds of processor, servers not counted | {embedded.processor_seconds:.0f} | {spread.processor_seconds:.0f} | "
        f"{spread.processor_seconds / embedded.processor_seconds:.1f} times |",
        f"| Tables and views compared | {len(tables)} | {sum(each.is_equal for each in tables)} equal | "
        f"{sum(each.is_exact for each in tables)} to the last bit |",
        f"| Rows | {sum(each.rows for each in tables):,} | {sum(each.rows_lost for each in tables)} lost | |\n",
        "| Schema | Tables | Rows | Lost | Equal |",
        "|---|---:|---:|---:|---:|",
    ]
    for schema in sorted({each.name.partition(".")[0] for each in tables}):
        of_schema = [each for each in tables if each.name.startswith(f"{schema}.")]
        lines.append(
            f"| {schema}{' (versioned among them)' if f'{schema}.' in versioned else ''} | {len(of_schema)} | "
            f"{sum(each.rows for each in of_schema):,} | {sum(each.rows_lost for each in of_schema)} | "
            f"{sum(each.is_equal for each in of_schema)} |"
        )
    return "\n".join(lines) + "\n"


def _names(connection: duckdb.DuckDBPyConnection) -> list[str]:
    found = connection.execute(
        "select table_schema || '.' || table_name from information_schema.tables order by all"
    ).fetchall()
    return [name for (name,) in found]


def _rows(connection: duckdb.DuckDBPyConnection, name: str) -> pl.DataFrame:
    schema, _, table = name.partition(".")
    rows = connection.execute(f'select * from "{schema}"."{table}"').pl()
    return rows.drop(OF_THE_RUN & set(rows.columns))


def _sorted(rows: pl.DataFrame, order: list[str]) -> pl.DataFrame:
    flat = [pl.col(name).list.join(",") if rows.schema[name] == pl.List(pl.String) else pl.col(name) for name in order]
    return rows.select(flat).sort(order, nulls_last=True)


def _is_close(one: pl.Series, other: pl.Series) -> bool:
    if not one.dtype.is_float():
        return one.equals(other)
    if not (one.is_null() == other.is_null()).all():
        return False
    distance = (one - other).abs()
    scale = pl.select(pl.max_horizontal(one.abs(), other.abs())).to_series()
    within = (distance <= RELATIVE * scale + ABSOLUTE) | (one == other)
    return bool(within.fill_null(True).all())
