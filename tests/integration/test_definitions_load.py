"""The code location: loaded without what only runs need, complete, and silent towards the outside."""

import json
import re
import subprocess
import sys
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[2]

SHOWN = """
import json, sys
from orchestration.definitions import defs

repository = defs().get_repository_def()
graph = repository.asset_graph
nodes = [graph.get(key) for key in graph.materializable_asset_keys]
print(json.dumps({
    "jobs": [job.name for job in repository.get_all_jobs()],
    "schedules": {schedule.name: schedule.cron_schedule for schedule in repository.schedule_defs},
    "executors": sorted({job.executor_def.name for job in repository.get_all_jobs()}),
    "no_group": [node.key.to_user_string() for node in nodes if node.group_name in (None, "default")],
    "no_description": [node.key.to_user_string() for node in nodes if not node.description],
    "assets": len(nodes),
    "heavy": [name for name in ("great_expectations", "ccxt", "lightgbm", "matplotlib", "apprise") if name in sys.modules],
}))
"""


def test_definitions_load_and_write_nothing(fresh):
    finished = fresh.call("check-definitions")

    assert finished.code == 0, finished.said
    assert re.search(r"\d+ assets, \d+ checks, .* loaded in [\d.]+ s", finished.out)
    assert not fresh.folder.exists()


def test_jobs_schedules_groups_and_descriptions_are_there(fresh):
    done = subprocess.run(
        [sys.executable, "-c", SHOWN],
        cwd=REPOSITORY,
        env=fresh.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    shown = json.loads(done.stdout)

    assert {"ingest_daily", "build_week", "weekly"} <= set(shown["jobs"])
    assert shown["schedules"] == {"ingest_daily_schedule": "45 0 * * 2-7", "weekly_schedule": "15 1 * * 1"}
    assert shown["executors"] == ["in_process"]
    assert shown["no_group"] == []
    assert shown["no_description"] == []
    assert shown["assets"] > 40
    assert shown["heavy"] == []


def test_nobody_is_told_that_the_project_is_used():
    dagster = yaml.safe_load((REPOSITORY / "dagster.yaml").read_text())
    dbt = yaml.safe_load((REPOSITORY / "dbt_project" / "dbt_project.yml").read_text())

    assert dagster["telemetry"] == {"enabled": False}
    assert dagster["nux"] == {"enabled": False}
    assert dbt["flags"]["send_anonymous_usage_stats"] is False
