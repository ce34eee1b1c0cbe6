"""Writes what docs/reference says of tables, so that no page drifts from the warehouse.

Belongs here: docs/reference/data-dictionary.md, the list of views in docs/reference/tables.md, and docs/reference/api-columns.csv,
the names and types that readers were promised.
Does not: the contract itself (`lib/api_contract.py`), descriptions (dbt's YAML, `lib/versioned_tables.py`).
"""

# ruff: noqa: T201 - a command speaks

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from orchestration.lib.api_contract import (
    ApiView,
    ContractError,
    promise_again,
    promised_text,
    read_promised,
    read_views,
)
from orchestration.lib.versioned_tables import VERSION_COLUMNS, VERSION_DESCRIPTIONS, VERSIONED_TABLES, VersionedTable
from orchestration.settings import REPOSITORY_ROOT

REFERENCE = REPOSITORY_ROOT / "docs" / "reference"
DICTIONARY = REFERENCE / "data-dictionary.md"
TABLES = REFERENCE / "tables.md"
PROMISED = REFERENCE / "api-columns.csv"
MANIFEST = REPOSITORY_ROOT / "dbt_project" / "target" / "manifest.json"

FIRST_MARK = "<!-- views of api, written by make table-reference -->"
LAST_MARK = "<!-- end of the views -->"
SCHEMAS = {
    "marts": "Facts and dimensions that the views, features and models are made of; built by dbt.",
    "quality": "What cleaning changed, and how providers date their days; built by dbt.",
}


def read_manifest() -> dict[str, Any]:
    """Dbt's picture of the project, which `make setup` writes.

    Raises:
        ContractError: It is not there.
    """
    if not MANIFEST.exists():
        raise ContractError(f"{MANIFEST} is not there; run make setup first")
    content: dict[str, Any] = json.loads(MANIFEST.read_text(encoding="utf-8"))
    return content


def version_of_code() -> str:
    """Version in pyproject.toml, major.minor.patch."""
    project = tomllib.loads((REPOSITORY_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return str(project["project"]["version"])


def dictionary_page(manifest: Mapping[str, Any]) -> str:
    """The page of all columns as Markdown."""
    views = read_views(manifest)
    lines = [
        "# Data dictionary",
        "",
        "Written by `make table-reference` from dbt's YAML and the registry of versioned tables. The same descriptions are comments in the",
        "published copy. Keys, rows and age are held by tests on the simulated market and on real history.",
        "",
        f"- [`api`](#api): {len(views)} views, what users query",
        f"- [versioned tables](#versioned-tables): {len(VERSIONED_TABLES)} append-only tables, all versions of what was published",
        *(f"- [`{schema}`](#{schema}): {text}" for schema, text in SCHEMAS.items()),
        "",
        "## api",
        "",
        *(line for view in views.values() for line in _view(view)),
        "## Versioned tables",
        "",
        "`<name>_current` shows the newest version of each unit. Each of them has these columns besides its own:",
        "",
        *_columns((name, kind, VERSION_DESCRIPTIONS[name]) for name, kind in VERSION_COLUMNS.items()),
        *(line for table in VERSIONED_TABLES for line in _versioned(table)),
    ]
    for schema, text in SCHEMAS.items():
        lines += [f"## {schema}", "", text, ""]
        nodes = [
            node for node in manifest["nodes"].values() if node["resource_type"] == "model" and node["schema"] == schema
        ]
        for node in sorted(nodes, key=lambda each: str(each["name"])):
            facts = ((name, str(c["data_type"] or ""), str(c["description"])) for name, c in node["columns"].items())
            lines += [f"### {schema}.{node['name']}", "", _cell(node["description"]), "", *_columns(facts)]
    return "\n".join(lines)


def tables_page(text: str, views: Mapping[str, ApiView]) -> str:
    """docs/reference/tables.md with its list of views written anew.

    Raises:
        ContractError: The marks between which the list stands are gone.
    """
    before, first, rest = text.partition(FIRST_MARK)
    _, last, after = rest.partition(LAST_MARK)
    if not first or not last:
        raise ContractError(
            f"{TABLES} has lost the lines {FIRST_MARK!r} and {LAST_MARK!r}; put them around its list of views"
        )
    rows = [
        f"| [`{view.name}`](data-dictionary.md#api{view.name}) | {_cell(view.grain)} | {_cell(_what(view))} |"
        for view in views.values()
    ]
    return "\n".join([before + first, "| view | one row | what |", "| --- | --- | --- |", *rows, last + after])


def _view(view: ApiView) -> Iterator[str]:
    promise = view.promise
    yield from (f"### api.{view.name}", "", _cell(view.description.partition("Grain - ")[0]), "")
    yield f"- One row: {_cell(view.grain)}. Key: {', '.join(f'`{name}`' for name in promise.key)}."
    held = "" if not promise.follows_a_source else " Its source may be absent or over; then it is empty or older."
    for column, (least, most) in promise.newest.items():
        yield f"- Newest `{column}`: {_age(least, most)}; at least {_count(promise.least_rows)} of it.{held}"
    if not promise.newest:
        yield f"- At least {_count(promise.least_rows)}.{held}"
    if promise.same_rows_as:
        yield f"- As many rows as `api.{promise.same_rows_as}`."
    yield from ("", "```sql", view.example, "```", "")
    yield from _columns((column.name, column.data_type, column.description) for column in view.columns)


def _versioned(table: VersionedTable) -> Iterator[str]:
    yield from (f"### {table.full_name}", "", _cell(table.description), "")
    yield f"- Unit: {', '.join(f'`{name}`' for name in table.unit_columns)}."
    yield f"- Key within it: {', '.join(f'`{name}`' for name in table.key_columns) or 'one row'}."
    yield ""
    yield from _columns((name, kind, table.value_descriptions[name]) for name, kind in table.value_columns.items())


def _columns(columns: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    yield from ("| column | type | what |", "| --- | --- | --- |")
    yield from (f"| `{name}` | {kind.lower()} | {_cell(text)} |" for name, kind, text in columns)
    yield ""


def _what(view: ApiView) -> str:
    """The first sentence of a description."""
    return " ".join(view.description.partition("Grain - ")[0].split()).split(". ")[0].removesuffix(".")


def _age(least: int, most: int) -> str:
    if least == most:
        return "as_of itself" if most == 0 else f"{most} days before as_of" if most > 1 else "the day before as_of"
    first = f"{-least} days after" if least < 0 else f"{least} days before" if least else "as_of"
    return f"between {most} days before and {first}{' as_of' if least else ''}"


def _count(rows: int) -> str:
    return "1 row" if rows == 1 else f"{rows} rows"


def _cell(text: str) -> str:
    """Text on one line that a Markdown table can hold."""
    return " ".join(str(text).split()).replace("|", "\\|")


def main() -> int:
    """Write the pages; names that readers were promised are not taken away."""
    try:
        manifest = read_manifest()
        views = read_views(manifest)
        promised = read_promised(PROMISED.read_text(encoding="utf-8")) if PROMISED.exists() else []
        pages = {
            PROMISED: promised_text(promise_again(promised, views, version=version_of_code())),
            DICTIONARY: dictionary_page(manifest),
            TABLES: tables_page(TABLES.read_text(encoding="utf-8"), views),
        }
    except ContractError as error:
        print(f"tidemark: {error}", file=sys.stderr)
        return 2
    for path, text in pages.items():
        path.write_text(text, encoding="utf-8")
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
