"""Building the warehouse that is published: what is copied from the working warehouse, as tables or as portable views.

    versioned tables and the ledger    as tables, in their order, with their `_current` views
    schemas marts and quality          as tables, views included
    schema api                         views as views without a catalogue; as tables where that cannot work
    anything else                      stays behind (raw, staging, intermediate, unversioned working tables)

A copy starts from the one before where there is one: views and comments are written anew, of large tables only what differs
(`brought_up.py`). It comes to the same rows as one written whole; their order in the file is another.

What terms of sources forbid to pass on keeps its columns and loses its rows or values, so that no reader's query breaks; views that
were computed from it become tables.

Belongs here: reading the source, building and checking one file. Does not: renaming it into place, manifests
(`publishing.py`), what is left out (`redistribution.py`).
"""

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import duckdb

from orchestration.lib.brought_up import brought_up
from orchestration.lib.duckdb_memory import memory_limit
from orchestration.lib.lake import attach_lake, is_lake, is_lake_path
from orchestration.lib.ledger import LEDGER_COLUMNS, LEDGER_NAME, LEDGER_SCHEMA, LEDGER_SQL_NAME
from orchestration.lib.manifest import ObjectEntry
from orchestration.lib.portable_views import PortableView, portable_view
from orchestration.lib.redistribution import NOTHING_LEFT_OUT, LeftOut
from orchestration.lib.sql_quoting import quoted, sql_text
from orchestration.lib.versioned_layout import create_versioned_tables
from orchestration.lib.versioned_tables import VersionedTable
from orchestration.lib.warehouse import count_rows

API_SCHEMA = "api"
TABLE_SCHEMAS = ("marts", LEDGER_SCHEMA)


class PublishError(RuntimeError):
    """Nothing was published; the message says why and what to do."""


@dataclass(frozen=True)
class SourceObject:
    """A table or view of the working warehouse that is published besides the versioned tables.

    Attributes:
        schema: Its schema.
        name: Its name.
        kind: What it is in the source.
        sql: SQL of a view, empty for a table.
        columns: Names and types, as one text.
    """

    schema: str
    name: str
    kind: Literal["table", "view"]
    sql: str
    columns: str

    @property
    def full_name(self) -> str:
        """`schema.name`, as in the manifest."""
        return f"{self.schema}.{self.name}"

    @property
    def sql_name(self) -> str:
        """Quoted name for SQL."""
        return f"{quoted(self.schema)}.{quoted(self.name)}"


@contextmanager
def attached(path: Path, *, alias: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """Read a database file under an alias that is also the default catalogue.

    It is attached to a database in memory rather than opened: DuckDB would hand out a connection to whatever file this
    process had open under the same path before, even if another has been renamed over it since.

    Raises:
        PublishError: The file cannot be opened, e.g. because somebody writes to it.
    """
    with duckdb.connect(config={"memory_limit": memory_limit()}) as connection:
        attach(connection, path, alias=alias)
        connection.execute(f"use {quoted(alias)}")
        yield connection


def attach(connection: duckdb.DuckDBPyConnection, path: Path, *, alias: str) -> None:
    """Attach a database file read-only.

    Raises:
        PublishError: The file cannot be opened.
    """
    try:
        if is_lake_path(path):
            attach_lake(connection, alias=alias, read_only=True)
        else:
            connection.execute(f"attach {sql_text(str(path))} as {quoted(alias)} (read_only)")
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise PublishError(
            f"{path}: cannot be opened ({reason}); close every connection to it, then try again"
        ) from error


def source_objects(
    connection: duckdb.DuckDBPyConnection, *, catalogue: str, tables: Sequence[VersionedTable]
) -> list[SourceObject]:
    """Tables and views of marts, quality and api, sorted by name; not versioned tables, their views, the ledger."""
    own = {(LEDGER_SCHEMA, LEDGER_NAME)} | {(t.schema, name) for t in tables for name in (t.name, f"{t.name}_current")}
    found = connection.execute(
        """
        with objects as (
            select schema_name, table_name as name, 'table' as kind, '' as sql
            from duckdb_tables() where database_name = $catalogue
            union all
            select schema_name, view_name, 'view', sql
            from duckdb_views() where database_name = $catalogue and not internal
        ),
        columns as (
            select schema_name, table_name as name, string_agg(column_name || ' ' || data_type, ', ' order by
            column_index) as columns from duckdb_columns() where database_name = $catalogue group by all
        )
        select schema_name, name, kind, sql, coalesce(columns, '')
        from objects left join columns using (schema_name, name)
        where schema_name in (select unnest($schemas))
        order by schema_name, name
        """,
        {"catalogue": catalogue, "schemas": [*TABLE_SCHEMAS, API_SCHEMA]},
    ).fetchall()
    return [SourceObject(*row) for row in found if row[:2] not in own]


def build_copy(
    path: Path,
    source: Path,
    *,
    alias: str,
    tables: Sequence[VersionedTable],
    left_out: LeftOut = NOTHING_LEFT_OUT,
    before: Path | None = None,
) -> dict[str, ObjectEntry]:
    """Write the published warehouse to a new file and check that it works under another name.

    Args:
        path: A file that does not exist yet.
        source: The working warehouse, to which no connection is open for writing.
        alias: Name under which its views expect it, the stem of its file name.
        tables: Versioned tables.
        left_out: What stays behind; versioned tables are always whole.
        before: A published warehouse to start from, which stays as it is; without one everything is written.

    Returns:
        What the copy holds, by `schema.name`.

    Raises:
        PublishError: The source cannot be read, or a view in it is broken; names all broken views.
    """
    if before:
        shutil.copyfile(before, path)
    with duckdb.connect(str(path), config={"memory_limit": memory_limit()}) as connection:
        attach(connection, source, alias=alias)
        objects = source_objects(connection, catalogue=alias, tables=tables)
        changed = [one for one in objects if one.full_name in left_out.tables or one.full_name in left_out.columns]
        whole = [one for one in objects if one not in changed]
        views = [one for one in whole if one.schema == API_SCHEMA and one.kind == "view"]
        _drop_unlike(connection, views, alias=alias)
        _copy_versioned(connection, alias=alias, tables=tables)
        _copy_tables(connection, [one for one in whole if one not in views], alias=alias)
        as_views = _copy_views(connection, views, changed, alias=alias)
        # Last: views over it have become tables.
        _copy_without(connection, changed, left_out, alias=alias)
        _copy_comments(connection, objects, alias=alias)
        _comment_left_out(connection, changed, left_out)
    if broken := _broken_attached(path, as_views):
        _replace_by_tables(path, broken, source=source, alias=alias)
    with duckdb.connect(str(path), config={"memory_limit": memory_limit()}) as connection:
        contents = _contents(connection)
        connection.execute("checkpoint")
    return contents


def _drop_unlike(connection: duckdb.DuckDBPyConnection, views: Sequence[SourceObject], *, alias: str) -> None:
    """Drop what the copy before has but tables that the source has with the same columns and that may not be views this time."""
    alike = connection.execute(
        """
        with objects as (
            select schema_name, table_name, list((column_name, data_type) order by column_index) as columns
            from duckdb_columns() where database_name in (current_database(), $alias)
            group by database_name, schema_name, table_name
        )
        select schema_name, table_name from objects group by all having count(*) = 2 and count(distinct columns) = 1
        """,
        {"alias": alias},
    ).fetchall()
    kept = set(alike) - {(view.schema, view.name) for view in views}
    for schema, name, kind in _listing(connection):
        if kind == "view" or (schema, name) not in kept:
            connection.execute(f"drop {kind} {quoted(schema)}.{quoted(name)}")


def _copy_versioned(connection: duckdb.DuckDBPyConnection, *, alias: str, tables: Sequence[VersionedTable]) -> None:
    create_versioned_tables(connection, tables=tables)
    order = "table_name, recorded_at, unit, version"
    layouts = [(LEDGER_SQL_NAME, LEDGER_COLUMNS, order)]
    layouts += [(table.sql_name, table.columns, versioned_order(table)) for table in tables]
    for sql_name, columns, ordered in layouts:
        rows = f"select {', '.join(quoted(column) for column in columns)} from {quoted(alias)}.{sql_name}"
        if not brought_up(connection, sql_name, rows, order=ordered):
            connection.execute(f"truncate {sql_name}")
            connection.execute(f"insert into {sql_name} by name {rows} order by {ordered}")


def versioned_order(table: VersionedTable) -> str:
    """Order by unit, key and version, in which copies and Parquet files are written."""
    return ", ".join(quoted(column) for column in (*table.unit_columns, *table.key_columns, "version"))


def _copy_tables(connection: duckdb.DuckDBPyConnection, objects: Sequence[SourceObject], *, alias: str) -> None:
    problems = []
    there = _names_in_copy(connection)
    for one in objects:
        connection.execute(f"create schema if not exists {quoted(one.schema)}")
        try:
            _copy_table(connection, one, f"select * from {quoted(alias)}.{one.sql_name}", there)
        except duckdb.Error as error:
            problems.append(f"{one.full_name} ({str(error).splitlines()[0]})")
    if problems:
        raise PublishError(f"cannot be read: {'; '.join(problems)}; rebuild the models behind them, then publish again")


def _copy_table(
    connection: duckdb.DuckDBPyConnection, one: SourceObject, rows: str, there: set[tuple[str, str]]
) -> None:
    """Bring up a table that is there already, or write it whole."""
    is_there = (one.schema.lower(), one.name.lower()) in there
    if not (is_there and brought_up(connection, one.sql_name, rows)):
        connection.execute(f"create or replace table {one.sql_name} as {rows}")


def _copy_without(
    connection: duckdb.DuckDBPyConnection, objects: Sequence[SourceObject], left_out: LeftOut, *, alias: str
) -> None:
    """Copy tables and views as tables without the rows or the values that are left out; names and types stay."""
    there = _names_in_copy(connection)
    for one in objects:
        connection.execute(f"create schema if not exists {quoted(one.schema)}")
        types = dict(
            connection.execute(
                "select column_name, data_type from duckdb_columns() where database_name = ? and schema_name = ? and table_name = ?",
                [alias, one.schema, one.name],
            ).fetchall()
        )
        withheld = left_out.columns.get(one.full_name, {})
        if unknown := sorted(set(withheld) - set(types)):
            raise PublishError(
                f"{one.full_name} has no column {', '.join(unknown)}, which is to be left out; correct lib/redistribution.py"
            )
        empty = ", ".join(f"null::{types[column]} as {quoted(column)}" for column in withheld)
        columns = f"* replace ({empty})" if empty else "*"
        rows = "where false" if one.full_name in left_out.tables else ""
        _copy_table(connection, one, f"select {columns} from {quoted(alias)}.{one.sql_name} {rows}", there)


def _copy_views(
    connection: duckdb.DuckDBPyConnection, views: Sequence[SourceObject], changed: Sequence[SourceObject], *, alias: str
) -> list[SourceObject]:
    """Create views whose tables are all in the copy, and whole, one layer after another; the rest become tables."""
    not_whole = {(one.schema.lower(), one.name.lower()) for one in changed}
    connection.execute(f"create schema if not exists {quoted(API_SCHEMA)}")
    schemas = frozenset(
        str(row[0]).lower()
        for row in connection.execute(
            "select schema_name from duckdb_schemas() where database_name = ?", [alias]
        ).fetchall()
    )
    pending: dict[SourceObject, PortableView | None] = {
        view: portable_view(connection, view.sql, catalogue=alias, schemas=schemas) for view in views
    }
    created: list[SourceObject] = []
    while pending:
        available = _names_in_copy(connection) - not_whole
        ready = [view for view, portable in pending.items() if portable and _reads(portable) <= available]
        if not ready:
            to_come = {(API_SCHEMA, view.name.lower()) for view in pending}
            stuck = [
                view
                for view, portable in pending.items()
                if not portable or not _reads(portable) <= available | to_come
            ]
            _copy_tables(connection, stuck or list(pending), alias=alias)
            for view in stuck or list(pending):
                del pending[view]
        for view in ready:
            portable = pending.pop(view)
            if portable and _creates(connection, view, portable):
                created.append(view)
            else:
                _copy_tables(connection, [view], alias=alias)
    return created


def _reads(portable: PortableView) -> set[tuple[str, str]]:
    # Without a schema DuckDB looks into the view's own.
    return {((schema or API_SCHEMA).lower(), name.lower()) for schema, name in portable.tables}


def _creates(connection: duckdb.DuckDBPyConnection, view: SourceObject, portable: PortableView) -> bool:
    try:
        connection.execute(portable.create_sql(view.sql_name))
    except duckdb.Error:
        return False
    return True


def _names_in_copy(connection: duckdb.DuckDBPyConnection) -> set[tuple[str, str]]:
    return {(schema.lower(), name.lower()) for schema, name, _ in _listing(connection)}


def _listing(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str, str]]:
    return connection.execute(
        """
        select schema_name, table_name, 'table' from duckdb_tables() where database_name = current_database()
        union all
        select schema_name, view_name, 'view' from duckdb_views() where database_name = current_database() and not
        internal order by all
        """
    ).fetchall()


def _broken_attached(path: Path, views: Sequence[SourceObject]) -> list[SourceObject]:
    """Views without the source's columns when the copy is attached under a name it was never made with."""
    alias = "a name it was never made with"
    with duckdb.connect() as connection:
        attach(connection, path, alias=alias)
        return [view for view in views if _described(connection, view, alias=alias) != view.columns]


def _described(connection: duckdb.DuckDBPyConnection, view: SourceObject, *, alias: str) -> str | None:
    """Names and types of a view's columns as one text, None where it cannot be read."""
    try:
        described = connection.execute(f"describe select * from {quoted(alias)}.{view.sql_name}").fetchall()
    except duckdb.Error:
        return None
    return ", ".join(f"{name} {kind}" for name, kind, *_ in described)


def _replace_by_tables(path: Path, views: Sequence[SourceObject], *, source: Path, alias: str) -> None:
    with duckdb.connect(str(path), config={"memory_limit": memory_limit()}) as connection:
        attach(connection, source, alias=alias)
        for view in views:
            connection.execute(f"drop view {view.sql_name}")
        _copy_tables(connection, views, alias=alias)
        _copy_comments(connection, views, alias=alias)


def _copy_comments(connection: duckdb.DuckDBPyConnection, objects: Sequence[SourceObject], *, alias: str) -> None:
    kinds = {(schema, name): kind for schema, name, kind in _listing(connection)}
    comments = connection.execute(
        """
        select schema_name, table_name, null, comment from duckdb_tables() where database_name = $catalogue
        union all
        select schema_name, view_name, null, comment from duckdb_views() where database_name = $catalogue
        union all
        select schema_name, table_name, column_name, comment from duckdb_columns() where database_name = $catalogue
        """,
        {"catalogue": alias},
    ).fetchall()
    if is_lake(connection, alias):
        comments += _told_of_views(objects)
    names = {(one.schema, one.name): one.sql_name for one in objects}
    connection.execute("begin")  # else each of two thousand comments waits for the disk
    for schema, name, column, comment in comments:
        if (schema, name) not in names:
            continue
        target = names[schema, name]
        subject = f"{kinds[schema, name]} {target}" if column is None else f"column {target}.{quoted(column)}"
        said = "null" if comment is None else sql_text(comment)  # a table taken over may say what is true no more
        connection.execute(f"comment on {subject} is {said}")
    connection.execute("commit")


def _told_of_views(objects: Sequence[SourceObject]) -> list[tuple[str, str, str | None, str]]:
    """What dbt's manifest says of views and their columns, which a lake does not keep: schema, name, column or None, text."""
    from orchestration.lib.dbt_translator import MANIFEST

    nodes = json.loads(MANIFEST.read_text())["nodes"].values()
    models = {(node["schema"], node["name"]): node for node in nodes if node["resource_type"] == "model"}
    told: list[tuple[str, str, str | None, str]] = []
    for view in objects:
        node = models.get((view.schema, view.name))
        if node is None or view.kind != "view":
            continue
        shown = {entry.rsplit(" ", 1)[0] for entry in view.columns.split(", ")}
        told.append((view.schema, view.name, None, node["description"]))
        told += [
            (view.schema, view.name, name, column["description"])
            for name, column in node["columns"].items()
            if name in shown
        ]
    return told


def _comment_left_out(
    connection: duckdb.DuckDBPyConnection, objects: Sequence[SourceObject], left_out: LeftOut
) -> None:
    """Say in front of a comment that something is left out, and why."""
    for one in objects:
        reasons: dict[str | None, str] = dict(left_out.columns.get(one.full_name, {}).items())
        if one.full_name in left_out.tables:
            reasons[None] = left_out.tables[one.full_name]
        comments = connection.execute(
            """
            select null, comment from duckdb_tables()
            where database_name = current_database() and schema_name = $schema and table_name = $name
            union all
            select column_name, comment from duckdb_columns()
            where database_name = current_database() and schema_name = $schema and table_name = $name
            """,
            {"schema": one.schema, "name": one.name},
        ).fetchall()
        for column, comment in comments:
            if reason := reasons.get(column):
                subject = f"table {one.sql_name}" if column is None else f"column {one.sql_name}.{quoted(column)}"
                said = f"Left out of this copy ({reason}). {comment or ''}".rstrip()
                connection.execute(f"comment on {subject} is {sql_text(said)}")


def _contents(connection: duckdb.DuckDBPyConnection) -> dict[str, ObjectEntry]:
    contents = {}
    for schema, name, kind in _listing(connection):
        rows = count_rows(connection, f"{quoted(schema)}.{quoted(name)}") if kind == "table" else None
        contents[f"{schema}.{name}"] = ObjectEntry(kind="table" if kind == "table" else "view", rows=rows)
    return contents
