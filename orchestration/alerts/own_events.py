"""Alerts of the user's own: a query of `alerts.yaml` on the published copy, each row an event.

Belongs here: asking it within bounds. Does not: its schema (`rules.py`).
"""

from __future__ import annotations

import threading
from datetime import date
from pathlib import Path
from typing import Final

import duckdb

from orchestration.alerts.events import Event, event
from orchestration.alerts.rules import OwnAlert

MOST_ROWS: Final = 500
LONGEST_SECONDS: Final = 60.0


def own_events(warehouse: Path, alerts: tuple[OwnAlert, ...], *, week: date) -> tuple[list[Event], list[str]]:
    """The rows of every query as events, and the queries that gave none because something is wrong with them.

    The copy is open for reading and cut off from files and networks; a query that takes longer than a minute is stopped.
    """
    events: list[Event] = []
    problems: list[str] = []
    if not alerts:
        return events, problems
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("set enable_external_access = false")
        connection.execute("set lock_configuration = true")
        for alert in alerts:
            try:
                events += _ask(connection, alert, week=week)
            except (duckdb.Error, ValueError) as error:
                said = str(error).strip().splitlines()[0][:200]
                problems.append(f"own alert {alert.name!r} cannot be asked: {said}; correct its sql or key")
    return events, problems


def _ask(connection: duckdb.DuckDBPyConnection, alert: OwnAlert, *, week: date) -> list[Event]:
    """Rows as events.

    Raises:
        ValueError: The query gives too many rows, or not the columns of its key.
    """
    timer = threading.Timer(LONGEST_SECONDS, connection.interrupt)
    timer.start()
    try:
        values = {"week": week} if "$week" in alert.sql else None
        rows = connection.execute(alert.sql, values).pl().head(MOST_ROWS + 1)
    finally:
        timer.cancel()
    missing = [column for column in alert.key if column not in rows.columns]
    if missing:
        raise ValueError(
            f"it has no column {', '.join(missing)}, which its key names (it has {', '.join(rows.columns)})"
        )
    if rows.height > MOST_ROWS:
        raise ValueError(f"it gives more than {MOST_ROWS} rows; an alert is about a few")
    return [
        event(alert.name, week, *(row[column] for column in alert.key), week=week, facts=row) for row in rows.to_dicts()
    ]
