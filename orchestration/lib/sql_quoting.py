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
