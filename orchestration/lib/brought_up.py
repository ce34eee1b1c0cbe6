"""A table brought up to a query by the days that differ: what a new published copy takes over from the one before.

Nothing is taken on trust. Every row of both sides is hashed, days are compared by the number of their rows and the sum of the rows' hashes,
and a day that is not the same is written anew. To hash a value costs a fraction of what writing it does, and most rows of a week's
copy are those of the week before.

Belongs here: comparing and replacing days of one table. Does not: which tables are copied, and from where (`published_copy.py`).
"""

from __future__ import annotations

from datetime import date

import duckdb

from orchestration.lib.sql_quoting import quoted

FEWEST_VALUES = 2_000_000
"""Rows times columns below which a table is written whole: it takes less than a second."""
MOST_DIFFERING = 0.5
"""Share of the days above which comparing gains nothing."""


def brought_up(connection: duckdb.DuckDBPyConnection, target: str, query: str, *, order: str = "") -> bool:
    """Replace the days of a table whose rows are not those of a query.

    Args:
        connection: Open for writing, outside a transaction.
        target: Quoted name of an existing table with the columns of the query; the first of type date says the day of a row.
        query: What it shall hold.
        order: Columns by which the rows of replaced days are written.

    Returns:
        Whether the table holds what the query gives. False, and nothing was done, where it is better written whole: it is small, has
        no day, or most days differ.
    """
    columns = connection.execute(f"describe {target}").fetchall()
    day = next((quoted(name) for name, kind, *_ in columns if kind == "DATE"), None)
    if day is None or _rows(connection, target) * len(columns) < FEWEST_VALUES:
        return False
    digests = (
        f"select {day} as day, count(*) as rows, sum(hash({', '.join(quoted(name) for name, *_ in columns)})) as digest"
    )
    compared = connection.execute(
        f"""
        with here as ({digests} from {target} group by all), there as ({digests} from ({query}) group by all)
        select
            coalesce(here.day, there.day),
            here.digest is distinct from there.digest or here.rows is distinct from there.rows
        from here full join there on here.day is not distinct from there.day
        """
    ).fetchall()
    differing = [found for found, differs in compared if differs]
    if len(differing) > len(compared) * MOST_DIFFERING:
        return False
    if differing:
        _replace(connection, target, query, day=day, days=differing, order=order)
    return True


def _rows(connection: duckdb.DuckDBPyConnection, target: str) -> int:
    ((rows,),) = connection.execute(f"select count(*) from {target}").fetchall()
    return int(rows)


def _replace(
    connection: duckdb.DuckDBPyConnection, target: str, query: str, *, day: str, days: list[date | None], order: str
) -> None:
    dated = ", ".join(f"date '{found}'" for found in days if found)
    alternatives = [f"{day} in ({dated})"] * bool(dated) + [f"{day} is null"] * (None in days)
    of_days = " or ".join(alternatives)
    ordered = f"order by {order}" if order else ""
    connection.execute(f"delete from {target} where {of_days}")
    connection.execute(f"insert into {target} by name select * from ({query}) where {of_days} {ordered}")
