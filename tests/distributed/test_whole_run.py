"""The weekly job with three processes, a lake on Postgres and landing in an object store, against the embedded run: the same tables.

DISTRIBUTED_RESULTS=docs/results/distributed.md    also writes the measured part of that page
"""

import os
import resource
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.distributed.comparing import compare_copies, measured_part, with_measured

pytestmark = pytest.mark.slow  # a drill: two whole first runs, some 10 minutes of an idle machine with two cores

PROJECT = Path(__file__).resolve().parents[2]
PROCESSES = 3


@dataclass(frozen=True)
class Ran:
    """A whole run.

    Attributes:
        seconds: From start to end.
        processor_seconds: Of it and its processes, servers not counted.
    """

    seconds: float
    processor_seconds: float


def run_week(folder: Path, settings: dict[str, str]) -> Ran:
    """The weekly job from the command line, on the smallest simulated market."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TIDEMARK_")}
    environment = {
        **inherited,
        "PYTHONPATH": str(PROJECT),
        "TIDEMARK_DATA_DIR": str(folder),
        "TIDEMARK_SIMULATION__TOKENS": "130",
        **settings,
    }
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "orchestration.cli", "run"], cwd=PROJECT, env=environment, capture_output=True, text=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    used = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    return Ran(time.monotonic() - began, used)


def processes_that_wrote(url: str) -> int:
    """Processes that were at work at once, by the events of Dagster's storage: the most steps between their start and end."""
    import sqlalchemy

    with sqlalchemy.create_engine(url).connect() as connection:
        events = connection.execute(
            sqlalchemy.text(
                "select timestamp, dagster_event_type from event_logs where dagster_event_type in "
                "('STEP_START', 'STEP_SUCCESS', 'STEP_FAILURE') order by timestamp"
            )
        ).fetchall()
    at_once = most = 0
    for _, kind in events:
        at_once += 1 if kind == "STEP_START" else -1
        most = max(most, at_once)
    return most


def test_three_processes_and_a_lake_make_the_tables_of_the_embedded_run(tmp_path, postgres_server, bucket):
    postgres_server.create("whole_lake")
    postgres_server.create("whole_dagster")
    spread_settings = {
        **bucket,
        "TIDEMARK_LANDING_URL": "s3://landing/whole",
        "TIDEMARK_LAKE__CATALOGUE": postgres_server.catalogue("whole_lake"),
        "TIDEMARK_LAKE__DATA": str(tmp_path / "lake"),
        "TIDEMARK_DAGSTER_POSTGRES_URL": postgres_server.url("whole_dagster"),
        "TIDEMARK_PROCESSES": str(PROCESSES),
    }

    results = os.environ.get("DISTRIBUTED_RESULTS")
    before = Path(results).read_text() if results else ""  # a name mistyped shows before the runs

    embedded = run_week(tmp_path / "embedded", {})
    spread = run_week(tmp_path / "spread", spread_settings)

    compared = compare_copies(tmp_path / "embedded" / "published", tmp_path / "spread" / "published")
    at_once = processes_that_wrote(spread_settings["TIDEMARK_DAGSTER_POSTGRES_URL"])
    if results:
        Path(results).write_text(with_measured(before, measured_part(compared, embedded, spread, at_once)))
    assert [each.name for each in compared if not each.is_equal] == []
    assert sum(each.rows_lost for each in compared) == 0
    assert len(compared) > 100
    assert at_once >= PROCESSES
    # The build can be asked for as of its run.
    catalogue = postgres_server.query(
        "whole_lake", "select count(*) from ducklake_snapshot_changes where commit_extra_info <> ''"
    )
    assert int(catalogue) >= 1
    shutil.rmtree(tmp_path / "lake")
