"""A table brought up to a query by the parts that differ: what a new published copy takes over from the one before.

A part is a month of a token, or of whatever the first column of text names: a late fact changes years of a few tokens, a new week
the newest days of all. Nothing is taken on trust. Every row of both sides is hashed, parts are compared by the number of their rows and
the sum of the rows' hashes, and a part that is not the same is written anew. To hash a value costs a tenth of what writing it does, and
most rows of a week's copy are those of the week before.

Belongs here: comparing and replacing parts of one table. Does not: which tables are copied, and from where (`published_copy.py`).
"""

from __future__ import annotations

import duckdb

from orchestration.lib.sql_quoting import quoted
from orchestration.lib.warehouse import count_rows

FEWEST_VALUES = 2_000_000
"""Rows times columns below which a table is written whole: it takes less than a second."""
MOST_DIFFERING = 0.5
"""Share of the rows above which comparing gains nothing."""


def brought_up(connection: duckdb.DuckDBPyConnection, target: str, query: str, *, order: str = "") -> bool:
    """Replace the parts of a table whose rows are not those of a query.

    Args:
        connection: Open for writing, outside a transaction.
        target: Quoted name of an existing table with the columns of the query.
        query: What it shall hold.
        order: Columns by which the rows of replaced parts are written.

    Returns:
        Whether the table holds what the query gives. False, and nothing was done, where it is better written whole: it is small, has
        no column of days, or most of it differs.
    """
    columns = {name: kind for name, kind, *_ in connection.execute(f"describe {target}").fetchall()}
    days = [quoted(name) for name, kind in columns.items() if kind == "DATE"]
    texts = [quoted(name) for name, kind in columns.items() if kind == "VARCHAR"]
    rows = count_rows(connection, target)
    if not days or rows * len(columns) < FEWEST_VALUES:
        return False
    of_part = ", ".join([f"date_trunc('month', {days[0]})", *texts[:1]])
    part = f"hash({of_part})"  # parts that have the same are compared and replaced together
    digest = f"sum(hash({', '.join(map(quoted, columns))}))"
    parts = f"select {part} as part, count(*) as rows, {digest} as digest from"
    connection.execute(
        f"""
        create or replace temp table differing as
        with here as ({parts} {target} group by part), there as ({parts} ({query}) group by part)
        select coalesce(here.part, there.part) as part, there.rows
        from here full join there on here.part = there.part
        where here.rows is distinct from there.rows or here.digest is distinct from there.digest
        """
    )
    ((differing,),) = connection.execute("select coalesce(sum(rows), 0) from differing").fetchall()
    if differing > rows * MOST_DIFFERING:
        return False
    is_differing = f"{part} in (select part from differing)"
    ordered = f"order by {order}" if order else ""
    connection.execute(f"delete from {target} where {is_differing}")
    connection.execute(f"insert into {target} by name select * from ({query}) where {is_differing} {ordered}")
    return True
