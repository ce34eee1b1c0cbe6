"""A DuckDB for SQL that somebody else wrote: it reads and writes a few folders, and nothing else.

Belongs here: the fence, and that a piece of SQL is a part of one query and no more. Does not: what is asked through it
(`bulk_import.py`), queries of the user's own alerts (`orchestration/alerts/own_events.py`).

A mapping file may come with an archive, from a stranger. Its conditions and queries can compute whatever they like; they cannot
read another file, load an extension, reach a network, or write a file of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb


@contextmanager
def fenced(folders: Iterable[Path]) -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory DuckDB in UTC that sees the given folders only, for good: its settings are locked.

    Args:
        folders: What may be read and written, all below included.
    """
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_external_file_cache = false")
        # Both as they are written and as they resolve: paths are compared as text.
        allowed = sorted({str(path) for folder in folders for path in (folder.absolute(), folder.resolve())})
        connection.execute("SET allowed_directories = ?", [allowed])
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        yield connection


def refuse_more_than_one_query(fragment: str) -> None:
    """Refuse SQL that would end the query it is put into and begin another statement.

    Args:
        fragment: An expression or a query that will stand between brackets.

    Raises:
        ValueError: It is no part of a single SELECT.
    """
    try:
        statements = duckdb.extract_statements(f"SELECT * FROM (SELECT ({fragment}\n))")
    except duckdb.Error as error:
        said = str(error).strip().splitlines()[0]
        raise ValueError(f"is no SQL that can stand in a query ({said:.200})") from None
    if [each.type for each in statements] != [duckdb.StatementType.SELECT]:
        raise ValueError("holds more than one statement; write one expression or query, without `;`")
