"""Whether the service of a data folder works: its UI answers, the definitions are loaded, the daemons beat, the due week is published.

Belongs here: asking, and the line that says it. Does not: what follows from it (`supervisor.py`, `commands_service.py`).
"""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from orchestration.lib.data_folder import DataFolder
from orchestration.lib.due_weeks import WEEKLY_RUN_AFTER, due_week, moves_with_calendar
from orchestration.lib.manifest import published_week
from orchestration.lib.weeks import WEEK, instant_of
from orchestration.settings import Settings

ASKED = """{
  workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError {
    __typename ... on PythonError { message }
    ... on RepositoryLocation { repositories { schedules { name scheduleState { status } } sensors { name sensorState { status } } } }
  } } } }
  instance { daemonHealth { allDaemonStatuses { daemonType required healthy } } }
  runsOrError(filter: {statuses: [STARTED, STARTING]}, limit: 1) { ... on Runs { results { jobName startTime } } }
}"""

ANSWER_SECONDS = 20.0

SWITCHED_ON = ("weekly_schedule", "ingest_daily_schedule", "weekly_catch_up")


@dataclass(frozen=True)
class Health:
    """How a service is.

    Attributes:
        problems: What does not work, a sentence each; nothing where all is well.
        off: Schedules and sensors that somebody switched off in the UI.
        running: Job under way and since when, or None.
    """

    problems: tuple[str, ...] = ()
    off: tuple[str, ...] = field(default=())
    running: str | None = None

    @property
    def is_well(self) -> bool:
        """Whether all of it works."""
        return not self.problems


def ask_health(port: int, *, seconds: float = ANSWER_SECONDS) -> Health:
    """How the service is whose UI has a port of this machine."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql",
        data=json.dumps({"query": ASKED}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        # Not through a proxy that the environment names: it would look for 127.0.0.1 elsewhere.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=seconds) as answer:
            return judge(json.load(answer)["data"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Health(problems=(f"the UI on port {port} does not answer ({error})",))


def judge(data: dict[str, Any]) -> Health:
    """Health from what the UI answered to `ASKED`."""
    problems, off = [], []
    entries = data["workspaceOrError"].get("locationEntries") or []
    loaded = [entry["locationOrLoadError"] or {"__typename": "nothing yet"} for entry in entries]
    if not loaded or any(each["__typename"] != "RepositoryLocation" for each in loaded):
        said = next((each.get("message") for each in loaded if each.get("message")), "not loaded yet")
        problems.append(f"the definitions cannot be used: {str(said).strip().splitlines()[0][:200]}")
    for location in loaded:
        for repository in location.get("repositories", []):
            off += [each["name"] for each in repository["schedules"] if each["scheduleState"]["status"] != "RUNNING"]
            off += [each["name"] for each in repository["sensors"] if each["sensorState"]["status"] != "RUNNING"]
    for daemon in data["instance"]["daemonHealth"]["allDaemonStatuses"]:
        if daemon["required"] and not daemon["healthy"]:
            problems.append(f"the daemon {daemon['daemonType'].lower()} does not beat")
    runs = data["runsOrError"].get("results") or []
    since = (
        f" since {datetime.fromtimestamp(runs[0]['startTime'], UTC):%a %H:%M} UTC"
        if runs and runs[0]["startTime"]
        else ""
    )
    return Health(
        problems=tuple(problems),
        off=tuple(name for name in off if name in SWITCHED_ON),
        running=f"{runs[0]['jobName']}{since}" if runs else None,
    )


def health_line(health: Health, settings: Settings, *, now: datetime) -> str:
    """One line for the log: how the service is, which week is published, what comes next."""
    published = published_week(DataFolder(settings.folder).published)
    due = due_week(settings, now=now)
    parts = [f"NOT WELL: {'; '.join(health.problems)}" if health.problems else "well"]
    parts.append(f"week {published} is published" if published else "nothing is published yet")
    if published is None or published < due:
        parts.append(f"week {due} is due")
    if health.running:
        parts.append(f"{health.running} is running")
    if health.off:
        parts.append(f"switched off in the UI: {', '.join(health.off)}")
    if moves_with_calendar(settings, now=now):
        parts.append(f"next week {instant_of(due + WEEK) + WEEKLY_RUN_AFTER:%a %Y-%m-%d %H:%M} UTC")
    else:
        parts.append(f"no new week comes by itself from {settings.source} data")
    return "; ".join(parts)
