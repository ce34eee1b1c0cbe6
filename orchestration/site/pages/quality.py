"""Data quality and sources: which sources were well, what was checked, what did not hold, and whose data it is."""

from __future__ import annotations

from typing import Any

from orchestration.site.formats import day, number
from orchestration.site.pages import Page
from orchestration.site.reading import Published
from orchestration.site.tables import Column, table


def quality(copy: Published) -> Page:
    """The page."""
    checks = copy.row(
        "select count(*) as checks, count(*) filter (is_passed) as held, count(distinct table_name) as tables from api.check_results"
    )
    return Page(
        path="quality.html",
        title="Data quality and sources",
        template="quality.html",
        section="Data",
        context={
            "checks": checks,
            "failed": _failed(copy),
            "sources": _sources(copy),
            "attribution": sorted(copy.manifest.attribution.items()),
            "left_out": _left_out(copy),
            "publish_for": copy.manifest.publish_for.replace("_", "-"),
            "loads": copy.manifest.inputs.loads,
        },
    )


def _left_out(copy: Published) -> list[tuple[str, list[str]]]:
    """Every reason to leave something out, with the tables and columns it holds for."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in copy.manifest.left_out.items():
        by_reason.setdefault(reason, []).append(name)
    return list(by_reason.items())


def _failed(copy: Published) -> Any:
    rows = copy.rows(
        """select severity, table_name, check_name, column_name, rows_failed, rows_checked, detail from api.check_results
        where not is_passed order by severity, table_name, check_name"""
    )
    return table(
        "failed",
        "Checks that did not hold. One of severity error stops a run, so these are warnings.",
        rows,
        [
            Column("Table", "table_name"),
            Column("Check", "check_name"),
            Column("Column", "column_name"),
            Column("Rows", "rows_failed", number, is_number=True),
            Column("Of", "rows_checked", number, is_number=True),
            Column("Detail", "detail", is_prose=True),
        ],
        none="Every check held.",
    )


def _sources(copy: Published) -> Any:
    rows = copy.rows(
        """select source, dataset, status, newest_date, days_behind, received, quarantined, reason from api.source_health
        where as_of_week = $week order by status in ('fresh'), source, dataset""",
        week=copy.week,
    )
    return table(
        "sources",
        "Every dataset of every source in this run.",
        rows,
        [
            Column("Source", "source"),
            Column("Dataset", "dataset"),
            Column("Status", "status", tone=lambda value: "bad" if value in ("down", "stale") else ""),
            Column("Newest day", "newest_date", day),
            Column("Days behind", "days_behind", number, is_number=True),
            Column("Rows received", "received", number, is_number=True),
            Column("Set aside", "quarantined", number, is_number=True),
            Column("Why", "reason", is_prose=True),
        ],
        is_searchable=True,
    )
