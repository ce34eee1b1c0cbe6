"""What went wrong with runs: those that failed, the checks that stopped them, a week that is late.

Read from what Dagster records and from the manifest of the published copy, never from the warehouse: a run may have it open.

Belongs here: finding these events. Does not: waking up to look (`orchestration/defs/automation/alerts.py`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Final

import dagster as dg
from dagster import DagsterEventType, DagsterRunStatus, RunsFilter

from orchestration.alerts.events import Event, event, key_of
from orchestration.lib.check_results import rows_of_run
from orchestration.lib.data_folder import DataFolder
from orchestration.lib.due_weeks import WEEKLY_RUN_AFTER, newest_owed
from orchestration.lib.weeks import instant_of

LOOKED_BACK: Final = timedelta(days=7)
"""A run that failed longer ago is no news."""

MOST_CHECKS: Final = 50


def failed_runs(
    instance: dg.DagsterInstance, *, now: datetime, is_known: Callable[[str], bool], secrets: Iterable[str]
) -> Iterator[Event]:
    """Runs that failed in the last days, each with the checks that stopped it.

    Args:
        instance: Dagster's records of the data folder.
        now: Current instant, UTC.
        is_known: Whether a key was found before; the events of such a run are not read again.
        secrets: Values that must not appear in what is told of an error.
    """
    found = instance.get_run_records(
        filters=RunsFilter(statuses=[DagsterRunStatus.FAILURE], updated_after=now - LOOKED_BACK), ascending=True
    )
    hidden = tuple(secret for secret in secrets if secret)
    for record in found:
        run = record.dagster_run
        if is_known(key_of("failed_runs", run.run_id)):
            continue
        step, error = _first_failure(instance, run.run_id)
        yield event(
            "failed_runs",
            run.run_id,
            week=None,
            facts={
                "run_id": run.run_id[:8],
                "job": run.job_name,
                "step": step.replace("__", "/") if step else None,
                "error": _without(hidden, error),
                "failed_at": datetime.fromtimestamp(record.end_time, UTC) if record.end_time else None,
            },
        )
        stopped = [
            row
            for row in rows_of_run(instance, run.run_id, as_of_week=None)
            if row.severity == "error" and not row.is_passed
        ]
        for row in stopped[:MOST_CHECKS]:
            yield event(
                "blocked_checks",
                run.run_id,
                row.table_name,
                row.check_name,
                row.column_name,
                week=None,
                facts={
                    "run_id": run.run_id[:8],
                    "table_name": row.table_name,
                    "check_name": row.check_name,
                    "column_name": row.column_name,
                    "rows_failed": row.rows_failed,
                    "detail": _without(hidden, row.detail or ""),
                },
            )


def late_week(folder: DataFolder, published: date | None, *, now: datetime, after_hours: float) -> Event | None:
    """The newest week that should be published by now and is not.

    Only a source that moves with the calendar can be late; the caller asks for no other. A folder that was made after the time of
    the run owes that week nothing.

    Args:
        folder: The data folder.
        published: The newest published week, None before the first.
        now: Current instant, UTC.
        after_hours: Hours after the time of the weekly run from which a week is late.
    """
    week = newest_owed(now=now, late_after=timedelta(hours=after_hours))
    due_at = instant_of(week) + WEEKLY_RUN_AFTER
    made_at = _made_at(folder)
    if (published is not None and published >= week) or made_at is None or made_at > due_at:
        return None
    facts = {"week": week, "due_at": due_at, "published_week": published, "late_hours": after_hours}
    return event("late_weeks", week, week=week, facts=facts)


def _first_failure(instance: dg.DagsterInstance, run_id: str) -> tuple[str | None, str]:
    """The step that failed first and its error at the root; without one, what Dagster says of the run."""
    for entry in instance.all_logs(run_id, of_type={DagsterEventType.STEP_FAILURE, DagsterEventType.RUN_FAILURE}):
        happened = entry.dagster_event
        if happened is None:
            continue
        if happened.event_type == DagsterEventType.STEP_FAILURE:
            error = happened.step_failure_data.error
            while error is not None and error.cause is not None:
                error = error.cause
            return happened.step_key, error.message if error is not None else "no message"
        return None, happened.message or "no message"
    return None, "no message"


def _made_at(folder: DataFolder) -> datetime | None:
    if not folder.marker.exists():
        return None
    text = json.loads(folder.marker.read_text()).get("created_at")
    return datetime.fromisoformat(text) if text else None


def _without(secrets: Iterable[str], text: str) -> str:
    for secret in secrets:
        text = text.replace(secret, "(hidden)")
    return text
