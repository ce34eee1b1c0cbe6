"""The contract of the SQL interface: what every view of `api` owes its readers, and whether a published copy keeps it.

Two things are promised. What a view holds stands beside its query, in dbt's YAML (`config.meta.promise`): the key that is unique, how old
its newest row may be, how many rows it has then, which view has as many. That names, columns and types stay stands in
docs/reference/api-columns.csv, to which columns are only added: one leaves after a release in which it said that it would.

Belongs here: reading both, and holding them against dbt's manifest and a published copy.
Does not: the pages made from them (`orchestration/table_reference.py`), dbt's own contracts and tests (they hold while a run builds).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import duckdb
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orchestration.lib.errors import TidemarkError

SCHEMA: Final = "api"
DEPRECATED: Final = re.compile(r"^Deprecated since (\d+\.\d+\.\d+): ")
DEPRECATED_FORM: Final = "Deprecated since <version>: use <what instead>."

HOW_TO_DEPRECATE: Final = (
    "Readers have been promised it. Put it back; to take it away, begin its description in dbt's YAML with "
    f"'{DEPRECATED_FORM}', note it under Deprecated in CHANGELOG.md, run make table-reference, release, and remove it in a later version"
)


class ContractError(TidemarkError):
    """The contract cannot be read, or a change would break it."""


class Promise(BaseModel):
    """What a view holds, as written in `config.meta.promise` of its YAML.

    Attributes:
        key: Columns whose combination no two rows share; nulls count as a value.
        newest: Column of type date or instant, and how many days its newest value may lie before as_of, least and most; negative ahead.
        least_rows: Fewest rows with the newest value, or in all where `newest` is not given.
        same_rows_as: View of as many rows in all.
        follows_a_source: Whether a source that may be absent or over decides on rows and age, so that both are held only
            where every source is there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: tuple[str, ...] = Field(min_length=1)
    newest: dict[str, tuple[int, int]] = Field(default_factory=dict, max_length=1)
    least_rows: int = Field(ge=0)
    same_rows_as: str | None = None
    follows_a_source: bool = False


@dataclass(frozen=True)
class ApiColumn:
    """A column of a view: its name, its type as DuckDB writes it, and its description."""

    name: str
    data_type: str
    description: str

    @property
    def deprecated_in(self) -> str:
        """Version since which it is to leave, empty where it stays."""
        found = DEPRECATED.match(self.description)
        return found[1] if found else ""


@dataclass(frozen=True)
class ApiView:
    """A view of the SQL interface as dbt's YAML says it is."""

    name: str
    description: str
    promise: Promise
    columns: tuple[ApiColumn, ...]

    @property
    def grain(self) -> str:
        """What a row is, as said in the description ("a week and token"); empty where it is not said."""
        found = re.search(r"Grain - one row (.+?)(?:\. |\.?$)", " ".join(self.description.split()))
        return found[1] if found else ""

    @property
    def example(self) -> str:
        """The query at the end of the description; empty where there is none."""
        found = re.search(r"Example - (.+?)\.?$", " ".join(self.description.split()))
        return found[1] if found else ""


@dataclass(frozen=True)
class PromisedColumn:
    """A column that readers were promised, a row of docs/reference/api-columns.csv."""

    view: str
    column: str
    data_type: str
    deprecated_in: str = ""


def read_views(manifest: Mapping[str, Any]) -> dict[str, ApiView]:
    """All views of `api` by name, from dbt's manifest.

    Raises:
        ContractError: A view promises nothing, or something that cannot be; all of them are named.
    """
    views, problems = {}, []
    for node in manifest["nodes"].values():
        if node["resource_type"] != "model" or node["schema"] != SCHEMA:
            continue
        columns = tuple(
            ApiColumn(name, str(facts["data_type"]).upper(), " ".join(str(facts["description"]).split()))
            for name, facts in node["columns"].items()
        )
        try:
            promise = Promise.model_validate(node["config"]["meta"].get("promise", {}))
        except ValidationError as error:
            told = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
            problems.append(f"{SCHEMA}.{node['name']}: config.meta.promise in {node['patch_path']} cannot be ({told})")
            continue
        unknown = {*promise.key, *promise.newest} - {column.name for column in columns}
        if unknown:
            problems.append(
                f"{SCHEMA}.{node['name']}: config.meta.promise names {sorted(unknown)}, which are no columns of it"
            )
        views[node["name"]] = ApiView(node["name"], str(node["description"]), promise, columns)
    problems += [
        f"{SCHEMA}.{view.name}: config.meta.promise has as many rows as {view.promise.same_rows_as}, which is no view"
        for view in views.values()
        if view.promise.same_rows_as not in {None, *views}
    ]
    if problems:
        raise ContractError("\n".join(problems))
    return dict(sorted(views.items()))


def read_promised(text: str) -> list[PromisedColumn]:
    """Rows of docs/reference/api-columns.csv."""
    return [
        PromisedColumn(row["view"], row["column"], row["type"], row["deprecated_in"])
        for row in csv.DictReader(io.StringIO(text))
    ]


def promised_text(columns: Sequence[PromisedColumn]) -> str:
    """The same as the text of the file."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["view", "column", "type", "deprecated_in"])
    writer.writerows([each.view, each.column, each.data_type, each.deprecated_in] for each in columns)
    return out.getvalue()


def broken_names(promised: Sequence[PromisedColumn], views: Mapping[str, ApiView], *, version: str) -> list[str]:
    """Promised columns that are gone or of another type, one sentence each with the way out.

    Args:
        promised: What readers were promised.
        views: What there is now.
        version: Version of the code, major.minor.patch. A column may be gone when an earlier version said that it would.
    """
    problems = []
    for each in promised:
        view = views.get(each.view)
        found = {column.name: column.data_type for column in view.columns}.get(each.column) if view else None
        said = bool(each.deprecated_in) and _order(each.deprecated_in) < _order(version)
        if found == each.data_type or (found is None and said):
            continue
        what = "is gone" if found is None else f"is {found} and was {each.data_type}"
        problems.append(f"{SCHEMA}.{each.view}.{each.column} {what}. {HOW_TO_DEPRECATE}.")
    return problems


def promise_again(
    promised: Sequence[PromisedColumn], views: Mapping[str, ApiView], *, version: str
) -> list[PromisedColumn]:
    """What is promised from now on: all columns there are, in the order of views and columns.

    Raises:
        ContractError: Something promised would be lost without notice.
    """
    if problems := broken_names(promised, views, version=version):
        raise ContractError("\n".join(problems))
    return [
        PromisedColumn(view.name, column.name, column.data_type, column.deprecated_in)
        for view in views.values()
        for column in view.columns
    ]


def broken_promises(
    connection: duckdb.DuckDBPyConnection, views: Mapping[str, ApiView], *, as_of: date, has_all_sources: bool
) -> list[str]:
    """What a published copy does not keep of the contract, one sentence each; empty where it keeps all of it.

    Reads every view once for keys, rows and age, and runs its example. 4,400 tokens over eleven years took 223 s on a busy machine.

    Args:
        connection: On the copy.
        views: The contract (`read_views`).
        as_of: The Monday of the newest week in the copy.
        has_all_sources: Whether every source is there up to the week and history is long enough for every view, as in the
            default run of the simulated market. Then examples have to answer, too, and views that follow a source are held
            to rows and age.
    """
    connection.execute("set TimeZone = 'UTC'")
    found: dict[str, list[tuple[str, str, str | None]]] = {}
    for name, column, data_type, comment in connection.execute(
        "select table_name, column_name, data_type, comment from duckdb_columns() where schema_name = ? order by column_index",
        [SCHEMA],
    ).fetchall():
        found.setdefault(name, []).append((column, data_type, comment))
    problems = [
        f"{SCHEMA}.{name} is in no contract; describe it in dbt's YAML" for name in sorted(set(found) - set(views))
    ]
    rows: dict[str, int] = {}
    for name, view in views.items():
        if name not in found:
            problems.append(f"{SCHEMA}.{name} is not there; run the weekly job with this version of the code")
            continue
        problems += [f"{SCHEMA}.{name}{problem}" for problem in _broken_columns(view, found[name])]
        if {*view.promise.key, *view.promise.newest} <= {column for column, _, _ in found[name]}:
            rows[name], broken = _broken_rows(connection, view, as_of=as_of, has_all_sources=has_all_sources)
            problems += [f"{SCHEMA}.{name}{problem}" for problem in broken]
    for name, view in views.items():
        other = view.promise.same_rows_as
        if other in rows and name in rows and rows[name] != rows[other]:
            problems.append(
                f"{SCHEMA}.{name} has {rows[name]} rows, and {SCHEMA}.{other}, which has as many, {rows[other]}"
            )
    return problems


def _broken_columns(view: ApiView, found: Sequence[tuple[str, str, str | None]]) -> Iterator[str]:
    promised = [(column.name, column.data_type) for column in view.columns]
    there = [(column, data_type) for column, data_type, _ in found]
    if promised != there:
        other = [f"{column} {data_type}" for column, data_type in there if (column, data_type) not in promised]
        gone = [f"{column} {data_type}" for column, data_type in promised if (column, data_type) not in there]
        yield f" has other columns than its YAML: not promised {other}, promised and not there {gone}, or in another order"
    if bare := [column for column, _, comment in found if not comment]:
        yield f" has columns without a comment: {bare}"


def _broken_rows(
    connection: duckdb.DuckDBPyConnection, view: ApiView, *, as_of: date, has_all_sources: bool
) -> tuple[int, list[str]]:
    """Number of rows of a view, and what is wrong with them."""
    promise = view.promise
    column, (least_days, most_days) = next(iter(promise.newest.items()), (None, (0, 0)))
    newest = f"cast({column} as date)" if column else "null::date"
    key = ", ".join(promise.key)
    total, keys, day, at_newest = connection.execute(
        f"""
        with facts as materialized (select row({key}) as key, {newest} as day from {SCHEMA}.{view.name})
        select count(*), count(distinct key), max(day), count(*) filter (day is not distinct from (select max(day) from facts))
        from facts
        """
    ).fetchall()[0]
    problems = []
    if keys != total:
        problems.append(f" has {total - keys} rows too many for its key ({key})")
    is_held = has_all_sources or not promise.follows_a_source
    if is_held and at_newest < promise.least_rows:
        problems.append(f" has {at_newest} rows of {day or 'any day'}, and at least {promise.least_rows} are promised")
    if column and day is not None:
        age = (as_of - day).days
        if age < least_days or (is_held and age > most_days):
            first, last = as_of - timedelta(days=most_days), as_of - timedelta(days=least_days)
            problems.append(f".{column} is {day} at most in the week of {as_of}; promised is {first} to {last}")
    try:
        answer = connection.execute(view.example).fetchone() if view.example else None
    except duckdb.Error as error:
        problems.append(f": its example fails ({str(error).splitlines()[0]}): {view.example}")
    else:
        if answer is None and has_all_sources and total:
            problems.append(f": its example answers nothing, or there is none: {view.example!r}")
    return total, problems


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
