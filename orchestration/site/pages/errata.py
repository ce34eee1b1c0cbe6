"""Errata: what was recorded and later replaced, with the reason; a published week is never rewritten, so both versions stay."""

from __future__ import annotations

from typing import Any

from orchestration.site.formats import day, number
from orchestration.site.pages import Page
from orchestration.site.reading import Published
from orchestration.site.tables import Column, table

MOST_SHOWN = 500
NAMED_INDICES = 3


def errata(copy: Published) -> Page:
    """The page."""
    counts = copy.row(
        """select count(*) filter (origin = 'published') as published, count(*) filter (origin != 'published') as backfilled
        from api.errata"""
    )
    return Page(
        path="errata.html",
        title="Errata",
        template="errata.html",
        section="Errata",
        context={"counts": counts, "published": _published(copy), "backfilled": _backfilled(copy)},
    )


def _published(copy: Published) -> Any:
    """A row a table, week and version: the indices of a week are replaced together more often than not."""
    rows = copy.rows(
        """select as_of_week, table_name, list(index_id order by index_id) filter (index_id is not null) as indices, version,
            recorded_at, superseded_at, replaced_by_version, reason, sum(row_count)::bigint as row_count,
            sum(replaced_by_rows)::bigint as replaced_by_rows
        from api.errata where origin = 'published'
        group by as_of_week, table_name, version, recorded_at, superseded_at, replaced_by_version, reason
        order by superseded_at desc, as_of_week desc, table_name, version limit $shown""",
        shown=MOST_SHOWN,
    )
    return table(
        "published",
        f"Published weeks that have a newer version, the newest replacement first (at most {MOST_SHOWN}; all are in api.errata).",
        rows,
        [
            Column("Week", "as_of_week", day),
            Column("Table", "table_name"),
            Column("Of", "indices", _named),
            Column("Version", "version", number, is_number=True),
            Column("Published", "recorded_at", day),
            Column("Replaced", "superseded_at", day),
            Column("By version", "replaced_by_version", number, is_number=True),
            Column("Why", "reason", is_prose=True),
            Column("Rows", "row_count", number, is_number=True),
            Column("Rows now", "replaced_by_rows", number, is_number=True),
        ],
        is_searchable=len(rows) > 15,
        none="None: no published week has a newer version.",
    )


def _backfilled(copy: Published) -> Any:
    rows = copy.rows(
        """select table_name, superseded_at, reason, count(*) as units, min(as_of_week) as first_week, max(as_of_week) as last_week
        from api.errata where origin != 'published' group by table_name, superseded_at, reason
        order by superseded_at desc, table_name limit $shown""",
        shown=MOST_SHOWN,
    )
    return table(
        "backfilled",
        "Weeks computed after the fact and computed anew since, a row a table and replacement.",
        rows,
        [
            Column("Replaced", "superseded_at", day),
            Column("Table", "table_name"),
            Column("Units", "units", number, is_number=True),
            Column("From week", "first_week", day),
            Column("To week", "last_week", day),
            Column("Why", "reason", is_prose=True),
        ],
        is_searchable=len(rows) > 15,
        none="None.",
    )


def _named(indices: list[str]) -> str:
    """`hodl10, hodl5 and 50 more`."""
    more = len(indices) - NAMED_INDICES
    return ", ".join(indices[:NAMED_INDICES]) + (f" and {more} more" if more > 0 else "")
