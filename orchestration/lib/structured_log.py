"""The structured log of a run: JSON lines, one file a run in `logs/` of the data folder, for programs and for queries.

A line is an event of the run or something that was said in it:

    ts           UTC instant, ISO 8601
    level        debug, info, warning, error, critical
    run_id       Run.
    step         Step it belongs to, null for the run itself.
    event        step_start, step_success, asset_materialization, ...; `message` where somebody said something
    duration_ms  of a step that ended or failed
    table        what was materialised or checked, `schema.table`
    rows         rows of that table after the step, a count
    rows_added   rows that the step added to it, a count, where the step counts them
    passed       whether a check held
    memory_mb    at the end of a step: the most that the process, or the largest of its subprocesses, has held so far
    error        kind of the error that stopped a step, the name of the innermost cause's class
    message      in words, in one line, without secrets

Belongs here: turning events into lines, writing them, dropping old files. Does not: the tables made of them (`run_history.py`), what a
person reads while a run goes on (`run_log.py`).
"""

import json
import logging
import resource
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import dagster as dg

from orchestration.lib.check_results import table_name_of
from orchestration.lib.failures import cause_of, kind_of
from orchestration.sources.redaction import redact

LOGS_FOLDER = "logs"
LONGEST_MESSAGE = 2000
MOST_BYTES = 20_000_000
"""Of one file: beyond it only steps are written, so that a warning that repeats cannot fill the disk."""

PLUMBING = frozenset(
    {
        "ASSET_MATERIALIZATION_PLANNED",
        "ENGINE_EVENT",
        "HANDLED_OUTPUT",
        "LOADED_INPUT",
        "LOGS_CAPTURED",
        "RESOURCE_INIT_STARTED",
        "RESOURCE_INIT_SUCCESS",
        "STEP_INPUT",
        "STEP_OUTPUT",
    }
)
"""Events that tell of Dagster's machinery and not of the run; they stay in its own records."""

ENDS = ("STEP_SUCCESS", "STEP_FAILURE")


class StructuredLog:
    """Hears the events of one run and writes them, a line each, as they come."""

    def __init__(self, path: Path, *, secrets: Iterable[str]) -> None:
        """Open the file; a run that goes on after a pause appends to its own.

        Args:
            path: File of the run (`path_of`); its folder is made.
            secrets: What must not appear in it.
        """
        self._secrets = tuple(sorted(filter(None, secrets), key=len, reverse=True))
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: TextIO = path.open("a", encoding="utf-8")
        self._written = self._file.tell()
        self._began: dict[str, float] = {}

    def hear(self, entry: dg.EventLogEntry) -> None:
        """Write an event, unless it is of the machinery or the file is full."""
        line = line_of(entry)
        if line is None or self._file.closed or (self._written > MOST_BYTES and not line["event"].startswith("step_")):
            return
        if line["event"] == "step_start":
            self._began[str(line["step"])] = entry.timestamp
        elif line["event"] == "step_failure" and str(line["step"]) in self._began:
            line["duration_ms"] = round(1000 * (entry.timestamp - self._began[str(line["step"])]))
        line["message"] = redact(str(line["message"]), self._secrets)
        self._written += self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def path_of(folder: Path, run_id: str) -> Path:
    """The file of a run.

    Args:
        folder: The data folder.
        run_id: The run.
    """
    return folder / LOGS_FOLDER / f"{run_id}.jsonl"


def prune(folder: Path, *, keep: int) -> int:
    """Drop the files of the oldest runs.

    Args:
        folder: The data folder.
        keep: How many stay, the newest.

    Returns:
        Files dropped.
    """
    files = sorted((folder / LOGS_FOLDER).glob("*.jsonl"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in files[keep:]:
        path.unlink(missing_ok=True)
    return len(files[keep:])


def line_of(entry: dg.EventLogEntry) -> dict[str, Any] | None:
    """A line, None for an event of the machinery."""
    event = entry.dagster_event
    kind = event.event_type_value if event is not None else "message"
    if kind in PLUMBING:
        return None
    line: dict[str, Any] = {
        "ts": datetime.fromtimestamp(entry.timestamp, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": logging.getLevelName(entry.level).lower()
        if isinstance(entry.level, int)
        else str(entry.level).lower(),
        "run_id": entry.run_id,
        "step": entry.step_key,
        "event": kind.lower(),
    }
    message = entry.user_message
    if event is not None:
        line |= _facts(event, kind)
        if kind == "STEP_FAILURE":
            message = cause_of(event.step_failure_data.error)
    return line | {"message": " ".join(str(message or "").split())[:LONGEST_MESSAGE]}


def _facts(event: dg.DagsterEvent, kind: str) -> dict[str, Any]:
    """What a line says of an event besides its words."""
    facts: dict[str, Any] = {}
    if kind == "STEP_SUCCESS":
        facts["duration_ms"] = round(event.step_success_data.duration_ms)
    elif kind == "STEP_FAILURE":
        facts["error"] = kind_of(event.step_failure_data.error)
    elif kind == "ASSET_MATERIALIZATION" and event.asset_key is not None:
        told = {
            name: value.value
            for name, value in event.materialization.metadata.items()
            if name in ("dagster/row_count", "landed", "rows_written")
        }
        facts["table"] = table_name_of(event.asset_key)
        facts["rows"] = _count(told.get("dagster/row_count"))
        facts["rows_added"] = _count(told.get("rows_written", told.get("landed")))
    elif kind == "ASSET_CHECK_EVALUATION":
        evaluation = event.asset_check_evaluation_data
        facts["table"] = table_name_of(evaluation.asset_key)
        facts["passed"] = evaluation.passed
    if kind in ENDS:
        facts["memory_mb"] = peak_memory_mb()
    return facts


def _count(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) else None


def peak_memory_mb() -> float:
    """The most memory that this process, or the largest of its ended subprocesses, has held so far."""
    most = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return round(most / (1e6 if sys.platform == "darwin" else 1e3), 1)
