"""Texts and names as SQL, for statements that take no parameters (`attach`, `comment`, `copy`, `set`) and for names, which never are one.

Belongs here: quoting, of any text whatever. Does not: values of queries, which are parameters (`?`).
"""

from __future__ import annotations


def sql_text(text: str) -> str:
    """SQL literal of a text."""
    return "'" + text.replace("'", "''") + "'"


def quoted(identifier: str) -> str:
    """SQL identifier in double quotes."""
    return '"' + identifier.replace('"', '""') + '"'


def table_quoted(full_name: str) -> str:
    """`schema.name` as SQL, both parts in double quotes."""
    return ".".join(map(quoted, full_name.split(".", 1)))
