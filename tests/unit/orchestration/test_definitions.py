"""What the UI shows of every asset, check, job and schedule before anything ran: nobody adds one without telling what it is.

The definitions are loaded once: in a process of its own, since settings are read from the environment.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]

ASKED = """
import json, os
from dagster import AssetKey
from orchestration.definitions import defs

def told(source):
    os.environ["TIDEMARK_SOURCE"] = source
    repository = defs().get_repository_def()
    graph = repository.asset_graph
    schema = "dagster/column_schema"
    resources = repository.get_job("build_week").run_config_schema.config_type.fields["resources"].config_type.fields
    week = resources["week"].config_type.fields["config"].config_type.fields
    return {
        "assets": {
            node.key.to_user_string(): {
                "group": node.group_name,
                "description": (node.description or "").split("The code:")[0],
                "owners": list(node.owners),
                "kinds": sorted(node.kinds),
                "columns": {column.name: column.description for column in getattr(node.metadata.get(schema), "columns", [])},
                "is_made": node.is_materializable,
                "is_due": node.freshness_policy is not None,
            }
            for node in (graph.get(key) for key in graph.get_all_asset_keys())
        },
        "checks": {
            f"{key.asset_key.to_user_string()}:{key.name}": graph.get_check_spec(key).description for key in graph.asset_check_keys
        },
        "blocking": [
            f"{key.asset_key.to_user_string()}:{key.name}" for key in graph.asset_check_keys if graph.get_check_spec(key).blocking
        ],
        "published_after": [key.to_user_string() for key in graph.get(AssetKey(["published", "warehouse"])).parent_keys],
        "jobs": {job.name: job.description for job in repository.get_all_jobs() if not job.name.startswith("__")},
        "schedules": {schedule.name: schedule.description for schedule in repository.schedule_defs},
        "week": {name: field.description for name, field in week.items()},
        "resources": {name: each.description for name, each in repository.get_top_level_resources().items()},
    }

print(json.dumps({source: told(source) for source in ("simulated", "live")}))
"""

FILES = {"landing/history", "published/warehouse", "published/site", "published/alerts"}
"""Assets that are folders or messages and no tables: they have neither rows nor columns."""

SEEN_AFTER_A_RUN = ("staging", "intermediate", "reference")
"""Groups whose columns only the warehouse knows; a run shows them (`metadata.table_columns`)."""


@pytest.fixture(scope="module")
def shown() -> dict[str, Any]:
    """What the definitions of each data source tell."""
    done = subprocess.run([sys.executable, "-c", ASKED], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def simulated(shown: dict[str, Any]) -> dict[str, Any]:
    return shown["simulated"]


def test_every_asset_says_what_one_row_is(simulated):
    silent = [
        key
        for key, asset in simulated["assets"].items()
        if key not in FILES and "Grain" not in asset["description"] and "ne row" not in asset["description"]
    ]

    assert silent == []


def test_every_asset_has_an_owner_a_group_and_kinds(simulated):
    lacking = [
        key
        for key, asset in simulated["assets"].items()
        if not (asset["owners"] and asset["kinds"] and asset["group"] not in (None, "default"))
    ]

    assert lacking == []


def test_every_table_has_columns_and_every_column_is_described(simulated):
    tables = {
        key: asset["columns"]
        for key, asset in simulated["assets"].items()
        if key not in FILES and asset["group"] not in SEEN_AFTER_A_RUN
    }

    assert [key for key, columns in tables.items() if not columns] == []
    assert [f"{key}.{name}" for key, columns in tables.items() for name, said in columns.items() if not said] == []


def test_every_check_job_schedule_and_resource_is_described(simulated):
    for what in ("checks", "jobs", "schedules", "resources"):
        assert [name for name, said in simulated[what].items() if not said] == [], what


def test_a_week_without_prices_is_not_published(simulated):
    assert "quality/source_health:prices_are_there" in simulated["blocking"]
    assert "quality/source_health" in simulated["published_after"]


def test_the_launchpad_explains_every_field_of_a_week_with_its_form_and_what_empty_means(simulated):
    assert set(simulated["week"]) == {"as_of", "rebuild_from", "rebuild_to", "reason"}
    assert [name for name, said in simulated["week"].items() if "Empty:" not in (said or "")] == []
    assert "YYYY-MM-DD" in simulated["week"]["as_of"]


def test_nothing_is_late_on_data_that_do_not_move_with_the_calendar(simulated):
    assert [key for key, asset in simulated["assets"].items() if asset["is_due"]] == []


def test_a_live_warehouse_knows_when_each_asset_is_late_but_for_what_comes_once(shown):
    live = shown["live"]["assets"]

    assert {key for key, asset in live.items() if asset["is_made"] and not asset["is_due"]} == {"landing/history"}
    assert {key for key, asset in live.items() if not asset["is_made"] and asset["is_due"]} == {
        "quality/check_results",
        "quality/run_rows",
        "quality/run_steps",
        "quality/unit_versions",
    }
