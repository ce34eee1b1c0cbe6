"""Checks of rows before they become a version: types, keys, weeks, finite values, units that were announced.

Everything wrong with a frame is gathered and raised at once; a frame that passes has the table's columns with exact
types.

Belongs here: what can be said of incoming frames alone. Does not: comparing with what is stored or writing
(`versions.py`).
"""

from collections.abc import Iterator, Mapping

import polars as pl

from orchestration.lib.content_hash import POLARS_TYPES
from orchestration.lib.versioned_tables import VersionedTable

MONDAY = 1


class VersionError(ValueError):
    """Base of everything that versioned tables refuse; the tree is drawn in `versions.py`."""


class InvalidRowsError(VersionError):
    """Rows or units that cannot become a version as they are."""

    def __init__(self, table: VersionedTable, problems: list[str]) -> None:
        """Gather all problems of one frame into one message."""
        super().__init__(f"{table.full_name}: nothing was written; {'; '.join(problems)}")
        self.problems = tuple(problems)


def check_units(units: pl.DataFrame, table: VersionedTable) -> pl.DataFrame:
    """Type the expected units and refuse unknown columns, nulls and weeks that are not Mondays.

    Args:
        units: One row per unit (repeats are allowed): unit columns, optionally as_of_week.
        table: Whose units they are.

    Returns:
        One row per unit: its columns, and as_of_week where it was given.

    Raises:
        InvalidRowsError: With all problems found.
    """
    optional = {} if "as_of_week" in table.unit_columns else {"as_of_week": "DATE"}
    required = {column: table.columns[column] for column in table.unit_columns}
    problems = [f"units: {problem}" for problem in _column_problems(units, required, optional=optional)]
    if not problems:
        given = {column: kind for column, kind in (required | optional).items() if column in units.columns}
        typed, problems = _typed(units, given)
        problems += list(_null_problems(typed, table.unit_columns)) + list(_week_problems(typed))
        typed = typed.unique(maintain_order=True)
        if not problems and (repeated := typed.filter(typed.select(table.unit_columns).is_duplicated())).height:
            problems.append(f"units: as_of_week differs within a unit, e.g. {_example(repeated, typed.columns)}")
    if problems:
        raise InvalidRowsError(table, problems)
    return typed


def check_rows(
    rows: pl.DataFrame, table: VersionedTable, *, units: pl.DataFrame, default_model_version: str | None
) -> pl.DataFrame:
    """Type the rows of a call and refuse whatever would make a version ambiguous.

    Args:
        rows: Unit, key and value columns of the table, optionally model_version.
        table: Where they will be written.
        units: Expected units, as `check_units` returns them.
        default_model_version: For rows without a model_version.

    Returns:
        The rows with exact types: unit, key and value columns, model_version.

    Raises:
        InvalidRowsError: With all problems found.
    """
    content = table.content_columns
    problems = _column_problems(rows, content, optional={"model_version": "VARCHAR"})
    if problems:
        raise InvalidRowsError(table, problems)
    default = pl.lit(default_model_version, dtype=pl.String)
    models = pl.coalesce("model_version", default) if "model_version" in rows.columns else default
    typed, problems = _typed(rows.with_columns(models.alias("model_version")), content | {"model_version": "VARCHAR"})
    if not problems:
        identifiers = [*table.unit_columns, *table.key_columns]
        problems = [*_null_problems(typed, identifiers), *_week_problems(typed), *_not_finite_problems(typed)]
        problems += _key_problems(typed, identifiers)
        problems += _unit_problems(typed, units, table)
    if problems:
        raise InvalidRowsError(table, problems)
    return typed


def unit_weeks(rows: pl.DataFrame, units: pl.DataFrame, table: VersionedTable) -> pl.DataFrame:
    """The week each unit belongs to, which decides whether a version is published in time.

    Args:
        rows: Checked rows with a column `unit`.
        units: Checked units with a column `unit`.
        table: Whose units they are.

    Returns:
        One row per unit: unit, as_of_week. Without a week in the unit itself it is that of the rows, else the one
        given with the unit, else the first Monday at or after effective_at.

    Raises:
        InvalidRowsError: The rows of one unit name different weeks, or none.
    """
    if "as_of_week" in table.unit_columns:
        return units.select("unit", "as_of_week")
    of_rows = rows.group_by("unit").agg(pl.col("as_of_week").min(), pl.col("as_of_week").n_unique().alias("weeks"))
    if (wrong := of_rows.filter((pl.col("weeks") > 1) | pl.col("as_of_week").is_null())).height:
        raise InvalidRowsError(
            table,
            [f"{wrong.height} units do not name exactly one as_of_week, e.g. {wrong['unit'][0]}; give each one Monday"],
        )
    just_before = pl.col("effective_at") - pl.duration(microseconds=1)
    first_monday = just_before.dt.truncate("1w").dt.offset_by("1w").dt.date()
    given = pl.col("given_week") if "as_of_week" in units.columns else pl.lit(None, dtype=pl.Date)
    return (
        units.rename({"as_of_week": "given_week"}, strict=False)
        .join(of_rows.select("unit", "as_of_week"), on="unit", how="left")
        .select("unit", pl.coalesce("as_of_week", given, first_monday).cast(pl.Date).alias("as_of_week"))
    )


def _column_problems(frame: pl.DataFrame, required: Mapping[str, str], *, optional: Mapping[str, str]) -> list[str]:
    missing = [column for column in required if column not in frame.columns]
    unknown = [column for column in frame.columns if column not in required and column not in optional]
    problems = [f"columns missing: {', '.join(missing)}"] if missing else []
    return problems + ([f"columns unknown: {', '.join(unknown)}"] if unknown else [])


def _typed(frame: pl.DataFrame, kinds: Mapping[str, str]) -> tuple[pl.DataFrame, list[str]]:
    """Cast without loss; text is never parsed and fractions are never cut."""
    columns: list[pl.Series] = []
    problems: list[str] = []
    for column, kind in kinds.items():
        values, target = frame[column], POLARS_TYPES[kind]
        if not _is_lossless(values.dtype, target):
            problems.append(f"column {column} is {values.dtype}, but {kind} is expected")
            continue
        try:
            columns.append(values.cast(target))
        except pl.exceptions.PolarsError:
            problems.append(
                f"column {column} has values outside the range of {kind}, {values.min()!s} to {values.max()!s}"
            )
    return pl.DataFrame(columns), problems


def _is_lossless(source: pl.DataType, target: pl.DataType) -> bool:
    if source in (pl.Null, target):
        return True
    if isinstance(target, pl.String):
        return source in (pl.Categorical, pl.Enum)
    if isinstance(target, pl.Datetime):
        return isinstance(source, pl.Datetime) and source.time_zone is not None
    if isinstance(target, pl.Float64):
        return source.is_numeric() and not isinstance(source, pl.Decimal)
    return target.is_integer() and source.is_integer()


def _null_problems(frame: pl.DataFrame, columns: list[str] | tuple[str, ...]) -> Iterator[str]:
    for column in columns:
        if count := frame[column].null_count():
            yield f"{column} is null in {count} rows, but it identifies the row"


def _week_problems(frame: pl.DataFrame) -> Iterator[str]:
    if "as_of_week" in frame.columns:
        wrong = frame.filter(pl.col("as_of_week").dt.weekday() != MONDAY)["as_of_week"]
        if wrong.len():
            yield f"as_of_week is not a Monday in {wrong.len()} rows, e.g. {wrong[0]}"


def _not_finite_problems(frame: pl.DataFrame) -> Iterator[str]:
    for column in (name for name, dtype in frame.schema.items() if dtype == pl.Float64):
        if count := int((~frame[column].is_finite()).sum()):
            yield f"{column} is NaN or infinite in {count} rows; write null where a value is unknown"


def _key_problems(frame: pl.DataFrame, identifiers: list[str]) -> Iterator[str]:
    repeated = frame.filter(frame.select(identifiers).is_duplicated())
    if repeated.height:
        yield f"{repeated.height} rows share their key with another, e.g. {_example(repeated, identifiers)}"


def _unit_problems(frame: pl.DataFrame, units: pl.DataFrame, table: VersionedTable) -> Iterator[str]:
    columns = list(table.unit_columns)
    stray = frame.join(units, on=columns, how="anti").select(columns).unique()
    if stray.height:
        yield f"{stray.height} units have rows but are not among the expected units, e.g. {_example(stray, columns)}"


def _example(frame: pl.DataFrame, columns: list[str]) -> str:
    first = frame.select(columns).sort(columns).row(0, named=True)
    return ", ".join(f"{name} {value}" for name, value in first.items())
