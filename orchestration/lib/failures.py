"""Why a run failed, in a line a person: what Dagster shows of it is the stack trace of its own machinery, with the cause at the end.

Belongs here: the innermost cause of a failed step, the sentence that a run ends with. Does not: where it is said (`resources.py`,
`run_log.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import dagster as dg
from dagster_shared.error import SerializableErrorInfo

from orchestration.lib.failure_pages import help_for_kinds

WHY = "Why the run failed: "
"""What the sentence begins with, in the log of the UI; the terminal has said it by then."""

LONGEST_CAUSE = 1500
CLASS_PATH = re.compile(r"^[A-Za-z_][\w.]*\.(?P<name>[A-Za-z_]\w*): ")


def cause_of(error: SerializableErrorInfo | None) -> str:
    """The message of the innermost cause of an error in one line, led by the name of its class without the modules."""
    while error is not None and error.cause is not None:
        error = error.cause
    if error is None:
        return "failed"
    return CLASS_PATH.sub(r"\g<name>: ", " ".join(error.message.split()))[:LONGEST_CAUSE]


def kind_of(error: SerializableErrorInfo | None) -> str | None:
    """Name of the class of the innermost cause; None where nothing is known of it."""
    while error is not None and error.cause is not None:
        error = error.cause
    return error.cls_name.rsplit(".", 1)[-1] if error is not None and error.cls_name else None


def why_failed(instance: dg.DagsterInstance, run_id: str) -> str | None:
    """Every failed step of a run with its cause, and what that means; None where no step failed.

    Args:
        instance: Dagster's records.
        run_id: The run, which may not have ended yet.
    """
    records = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.STEP_FAILURE).records
    events = [record.event_log_entry.dagster_event for record in records]
    causes = [f"{event.step_key}: {cause_of(event.step_failure_data.error)}" for event in events if event is not None]
    if not causes:
        return None
    return (
        f"{WHY}{'; '.join(causes)}. Nothing that follows from it ran, and what was published before stays. "
        f"What to do: {help_for_failures(events)}"
    )


def help_for_failures(events: Iterable[dg.DagsterEvent | None]) -> str:
    """Page and anchor for the failures among the events of a run, that of the step which failed first where there are several."""
    return help_for_kinds(
        kind_of(event.step_failure_data.error) for event in events if event is not None and event.is_step_failure
    )
