"""Mapping files of a bulk import: which columns of which history file are which dataset, as a user writes it in YAML.

Belongs here: the shape of a mapping file, its checks against the registry of datasets, and the SQL of one column.
Does not: looking into the history files or landing them (`bulk_import.py`).

    version: 1
    files:
      - path: prices.csv                    # Parquet or CSV, relative to the archive's folder
        dataset: coingecko/market_daily     # from orchestration/sources/datasets.py
        required: true                      # absent = an error instead of "skipped"
        filters:                            # all must hold
          - {column: kind, equals: daily}
          - {column: price, not_null: true}
        where: "price < 1e6"                # any further DuckDB condition on the file's columns
        columns:                            # dataset's column: file's column, or a transform
          coin_id: {column: id, case: lower}
          market_date: {column: day, date_format: "%d.%m.%Y"}
          price_usd: {column: price_cents, multiply: 0.01}
          market_cap_usd: {column: cap, zero_to_null: true}
          symbol: {constant: BTC}
          volume_24h_usd: {sql: "volume_coins * price"}
        dedupe:                             # of rows of one key the first by this order stays
          - {column: revision, prefer: greatest}
      - path: vestings.parquet
        dataset: defillama/unlock_events
        beside: {tokens: tokens.parquet}    # other files of the archive, and what from_sql calls them
        from_sql: >-                        # a query over `file` and those: rows to unfold, ids to join
          select file.*, tokens.coin_id, unnest(range(file.steps)) as step from file left join tokens using (name)
        columns: {...}                      # over the columns of that query

Two entries may read one file, and two files may fill one dataset, as long as no key of the dataset comes from both: they
would correct each other in every import. Give each file a `feed` where the dataset has one.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from datetime import date
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Final, Literal, Self

import polars as pl
import pydantic

from models_ml.yaml_text import YamlTextError, load_yaml
from orchestration.lib.errors import TidemarkError
from orchestration.lib.fenced import refuse_more_than_one_query
from orchestration.sources.datasets import INSTANT, Dataset, Dtype, UnknownDatasetError, find_dataset

Scalar = str | int | float | bool | date

SQL_TYPES: Final[tuple[tuple[Dtype, str], ...]] = (
    (pl.String, "VARCHAR"),
    (pl.Date, "DATE"),
    (pl.Float64, "DOUBLE"),
    (pl.Int64, "BIGINT"),
    (pl.Boolean, "BOOLEAN"),
    (INSTANT, "TIMESTAMPTZ"),
)


LONGEST_PATH: Final = 500

FILE: Final = "file"
"""What `from_sql` calls the file of its entry."""

Alias = Annotated[str, pydantic.StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]


class MappingError(TidemarkError):
    """A mapping file, or the archive it describes, cannot be used as it is; nothing was written.

    Attributes:
        problems: All of them, each with file, key and remedy.
    """

    def __init__(self, problems: list[str]) -> None:
        """Join the problems, one a line."""
        self.problems = tuple(problems)
        super().__init__("\n".join(problems))


class Strict(pydantic.BaseModel):
    """Frozen, and refusing keys it does not know."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class Transform(Strict):
    """One column: exactly one origin, then the steps that are set, in the order of the fields."""

    column: str | None = None
    constant: Scalar | None = None
    sql: str | None = None
    case: Literal["upper", "lower"] | None = None
    date_format: str | None = None
    multiply: float | None = None
    zero_to_null: bool = False

    @pydantic.field_validator("sql")
    @classmethod
    def sql_is_one_expression(cls, sql: str | None) -> str | None:
        """Refuse SQL that goes on with another statement."""
        return _checked(sql)

    @pydantic.model_validator(mode="after")
    def has_one_origin(self) -> Self:
        """Refuse none or several of column, constant and sql."""
        given = [name for name in ("column", "constant", "sql") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"needs exactly one of column, constant, sql; it has {' and '.join(given) or 'none'}")
        return self

    def to_sql(self) -> str:
        """The DuckDB expression over the columns of the file."""
        if self.column is not None:
            sql = quote_name(self.column)
        elif self.constant is not None:
            sql = quote_value(self.constant)
        else:
            sql = f"({self.sql})"
        if self.case:
            sql = f"{self.case}({sql})"
        if self.date_format:
            sql = f"try_strptime({sql}, {quote_value(self.date_format)})::DATE"
        if self.multiply is not None:
            sql = f"({sql}) * {self.multiply!r}::DOUBLE"
        return f"nullif({sql}, 0)" if self.zero_to_null else sql


class Filter(Strict):
    """A condition on one column of the file."""

    column: str
    equals: Scalar | None = None
    not_null: bool = False

    @pydantic.model_validator(mode="after")
    def asks_something(self) -> Self:
        """Refuse a filter without a condition."""
        if self.equals is None and not self.not_null:
            raise ValueError("needs equals: <value> or not_null: true")
        return self

    def to_sql(self) -> str:
        """The DuckDB condition."""
        name = quote_name(self.column)
        return f"{name} IS NOT NULL" if self.equals is None else f"{name} = {quote_value(self.equals)}"


class Preference(Strict):
    """Which of several rows of one key stays: the one with the greatest or least value."""

    column: str | None = None
    sql: str | None = None
    prefer: Literal["greatest", "least"] = "greatest"

    @pydantic.field_validator("sql")
    @classmethod
    def sql_is_one_expression(cls, sql: str | None) -> str | None:
        """Refuse SQL that goes on with another statement."""
        return _checked(sql)

    @pydantic.model_validator(mode="after")
    def has_one_origin(self) -> Self:
        """Refuse none or both of column and sql."""
        if (self.column is None) == (self.sql is None):
            raise ValueError("needs exactly one of column, sql")
        return self

    def to_sql(self) -> str:
        """The DuckDB expression to compare."""
        return quote_name(self.column) if self.column is not None else f"({self.sql})"


class FileMapping(Strict):
    """One file and the dataset it becomes."""

    path: str
    dataset: str
    required: bool = False
    beside: Mapping[Alias, str] = {}
    from_sql: str | None = None
    filters: tuple[Filter, ...] = ()
    where: str | None = None
    columns: Mapping[str, str | Transform]
    dedupe: tuple[Preference, ...] = ()

    @pydantic.field_validator("from_sql", "where")
    @classmethod
    def sql_is_one_query(cls, sql: str | None) -> str | None:
        """Refuse SQL that goes on with another statement."""
        return _checked(sql)

    @pydantic.field_validator("path")
    @classmethod
    def path_stays_inside(cls, path: str) -> str:
        """Refuse paths out of the archive's folder and other formats."""
        return _check_path(path)

    @pydantic.field_validator("beside")
    @classmethod
    def other_files_stay_inside(cls, beside: Mapping[str, str]) -> Mapping[str, str]:
        """Refuse the same of the files beside it, and a name that is taken."""
        if FILE in beside:
            raise ValueError(f"`{FILE}` is the entry's own file; call the other one differently")
        return {name: _check_path(path) for name, path in beside.items()}

    @pydantic.model_validator(mode="after")
    def other_files_are_read(self) -> Self:
        """Refuse files beside it that nothing reads."""
        if self.beside and self.from_sql is None:
            raise ValueError("`beside` names files that only `from_sql` can read; add it or remove them")
        return self

    @pydantic.model_validator(mode="after")
    def columns_fit_the_dataset(self) -> Self:
        """Refuse unknown datasets and columns, and a required column that no file column fills."""
        try:
            target = self.target
        except UnknownDatasetError as error:
            raise ValueError(str(error)) from None
        faults = []
        for name in self.columns:
            if name not in target.columns:
                near = difflib.get_close_matches(name, target.columns, n=1)
                meant = f"; did you mean {near[0]}?" if near else f"; it has {', '.join(target.columns)}"
                faults.append(f"{self.dataset} has no column {name}{meant}")
        absent = [name for name in target.required if name not in self.columns]
        if absent:
            faults.append(f"{self.dataset} requires {', '.join(absent)}; map a file column, a constant or sql to each")
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @property
    def target(self) -> Dataset:
        """The dataset that rows become."""
        source, _, name = self.dataset.partition("/")
        return find_dataset(source, name)

    def transforms(self) -> dict[str, Transform | None]:
        """Transform of every column of the dataset, in its order; None where the file has nothing (null)."""
        given = {name: Transform(column=each) if isinstance(each, str) else each for name, each in self.columns.items()}
        return {name: given.get(name) for name in self.target.columns}

    def condition(self) -> str:
        """All filters as one DuckDB condition."""
        parts = [f"({each.to_sql()})" for each in self.filters] + ([f"({self.where})"] if self.where else [])
        return " AND ".join(parts) or "true"

    def named_columns(self) -> set[str]:
        """Columns of the file that are named outright; those inside SQL are DuckDB's to find."""
        plain = {each if isinstance(each, str) else each.column for each in self.columns.values()}
        filtered = {each.column for each in self.filters}
        preferred = {each.column for each in self.dedupe}
        return {name for name in plain | filtered | preferred if name is not None}


def _checked(sql: str | None) -> str | None:
    if sql is not None:
        refuse_more_than_one_query(sql)
    return sql


def _check_path(path: str) -> str:
    parts = PurePosixPath(path)
    if "\x00" in path or len(path) > LONGEST_PATH:
        raise ValueError(f"{path[:40]!r} is no path of a file; write the file's name, and folders before it")
    if parts.is_absolute() or ".." in parts.parts:
        raise ValueError(f"{path} leaves the archive's folder; give a path relative to it")
    if parts.suffix not in (".parquet", ".csv"):
        raise ValueError(f"{path} is neither .parquet nor .csv; convert it")
    return path


class ArchiveMapping(Strict):
    """All files of one archive."""

    version: Literal[1]
    files: tuple[FileMapping, ...]


def load_mapping(path: Path) -> ArchiveMapping:
    """Read a mapping file.

    Raises:
        MappingError: It is no YAML or breaks the shape; all problems at once, each with file, key and remedy.
    """
    try:
        content = load_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MappingError([f"{path}: cannot be read ({error.strerror}); check the path"]) from None
    except UnicodeDecodeError as error:
        raise MappingError(
            [f"{path}: is no UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8"]
        ) from None
    except YamlTextError as error:
        raise MappingError([f"{path}, line {error.line}: is no YAML: {error}; check indentation and quotes"]) from None
    try:
        return ArchiveMapping.model_validate(content)
    except pydantic.ValidationError as error:
        raise MappingError([_problem(path, each) for each in error.errors()]) from None


def _problem(path: Path, error: Any) -> str:
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]).lstrip(".")
    remedies = {
        "extra_forbidden": "unknown key; remove it or correct its spelling",
        "missing": "is required; add it",
        "model_type": "must be a mapping of keys; indent its keys below it",
    }
    said = remedies.get(error["type"], error["msg"].removeprefix("Value error, "))
    return f"{path}, {key or 'top level'}: {said}"


def sql_type(dtype: Dtype) -> str:
    """The DuckDB type of a landed column.

    Raises:
        TypeError: The registry uses a polars type that has no counterpart here; add it to `SQL_TYPES`.
    """
    for candidate, name in SQL_TYPES:
        if dtype == candidate:
            return name
    raise TypeError(f"no DuckDB type for {dtype}; add it to SQL_TYPES")


def quote_name(name: str) -> str:
    """A column name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def quote_value(value: Scalar) -> str:
    """A literal as SQL."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, date):
        return f"DATE '{value.isoformat()}'"
    return "'" + value.replace("'", "''") + "'"
