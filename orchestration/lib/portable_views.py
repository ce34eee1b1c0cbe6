"""Views that work under any alias, though DuckDB may store a view's SQL with the catalogue it was made in.

A view's query is parsed by DuckDB itself (`json_serialize_sql`), the catalogue taken off every table and column that
names it, and the tree turned back into SQL. Text inside literals, aliases that happen to be called like the catalogue,
quoted or not: the parser tells them apart, which a search in the text could not.

Belongs here: rewriting a single view. Does not: deciding what is published (`published_copy.py`).
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import duckdb

_IDENTIFIER = r'(?:"(?:[^"]|"")*"|[^\W\d][\w$]*)'
_HEADER = re.compile(
    rf"\s*create\s+(?:or\s+replace\s+)?view\s+(?:if\s+not\s+exists\s+)?{_IDENTIFIER}(?:\s*\.\s*{_IDENTIFIER}){{0,2}}\s*"
    rf"(?P<columns>\(\s*{_IDENTIFIER}(?:\s*,\s*{_IDENTIFIER})*\s*\))?\s*as\s+(?P<query>.*?)\s*;?\s*",
    re.IGNORECASE | re.DOTALL,
)

FUNCTIONS_WITHOUT_FILES = frozenset({"unnest", "range", "generate_series", "repeat", "repeat_row"})
"""Table functions a published view may use; any other may read files or this process, so the view becomes a table."""


@dataclass(frozen=True)
class PortableView:
    """A view without its catalogue.

    Attributes:
        columns: Column aliases in brackets, or empty.
        query: The query, naming no catalogue.
        tables: Tables and views it reads, as (schema, name); the schema is empty where the query gives none.
    """

    columns: str
    query: str
    tables: frozenset[tuple[str, str]]

    def create_sql(self, sql_name: str) -> str:
        """Statement that creates the view under a (quoted) name."""
        return f"create view {sql_name} {self.columns} as {self.query}"


def portable_view(
    connection: duckdb.DuckDBPyConnection, sql: str, *, catalogue: str, schemas: frozenset[str]
) -> PortableView | None:
    """Take the catalogue off a stored view.

    Args:
        connection: Any connection; only its parser is used.
        sql: As in `duckdb_views().sql`.
        catalogue: Name of the catalogue the view was stored in.
        schemas: Schemas of that catalogue, in lower case: they tell catalogue.schema.table from alias.struct.field.

    Returns:
        The view, or None where it cannot be one: it reads files or another catalogue, or its SQL cannot be taken apart.
    """
    header = _HEADER.fullmatch(sql)
    if header is None:
        return None
    tree = json.loads(_one_text(connection, "select json_serialize_sql(?)", header["query"]))
    if tree["error"]:
        return None
    nodes = list(_nodes(tree))
    sources = [node for node in nodes if node.get("type") == "BASE_TABLE" and "table_name" in node]
    functions = [node["function"]["function_name"] for node in nodes if node.get("type") == "TABLE_FUNCTION"]
    if any(node["catalog_name"].lower() not in ("", catalogue.lower()) for node in sources):
        return None
    if any(name.lower() not in FUNCTIONS_WITHOUT_FILES for name in functions):
        return None
    for node in sources:
        node["catalog_name"] = ""
    _strip_columns(nodes, catalogue=catalogue.lower(), schemas=schemas)
    named_in_query = {entry["key"].lower() for node in nodes for entry in _common_tables(node)}
    tables = {(node["schema_name"], node["table_name"]) for node in sources}
    return PortableView(
        columns=header["columns"] or "",
        query=_one_text(connection, "select json_deserialize_sql(?)", json.dumps(tree)),
        tables=frozenset((schema, name) for schema, name in tables if schema or name.lower() not in named_in_query),
    )


def _strip_columns(nodes: list[dict], *, catalogue: str, schemas: frozenset[str]) -> None:
    """Turn catalogue.schema.table.column into schema.table.column, unless an alias is called like the catalogue."""
    if any(str(node.get("alias", "")).lower() == catalogue for node in nodes):
        return
    for node in nodes:
        names = node.get("column_names")
        if node.get("class") == "COLUMN_REF" and names and len(names) > 2:
            first, second = names[0].lower(), names[1].lower()
            if first == catalogue and second in schemas:
                node["column_names"] = names[1:]


def _common_tables(node: dict) -> list[dict]:
    common = node.get("cte_map")
    return common["map"] if isinstance(common, dict) else []


def _nodes(tree: object) -> Iterator[dict]:
    if isinstance(tree, dict):
        yield tree
        for child in tree.values():
            yield from _nodes(child)
    elif isinstance(tree, list):
        for child in tree:
            yield from _nodes(child)


def _one_text(connection: duckdb.DuckDBPyConnection, sql: str, value: str) -> str:
    row = connection.execute(sql, [value]).fetchone()
    return str(row[0]) if row else ""
