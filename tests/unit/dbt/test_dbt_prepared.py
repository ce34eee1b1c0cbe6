"""dbt is handed the project as make setup parsed it, and parses by itself where that does not fit."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from dagster_dbt import DbtCliResource
from dbt.version import __version__

from orchestration.lib.dbt_prepared import ERROR, PARSED, SUCCESS, main, prepared_manifest
from orchestration.lib.dbt_resource import PreparedDbt
from orchestration.lib.dbt_translator import DBT_PROJECT
from orchestration.settings import REPOSITORY_ROOT

WAREHOUSE = Path("/anywhere/warehouse.duckdb")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project with what make setup parsed, as old as the original."""
    return Path(shutil.copytree(DBT_PROJECT, tmp_path / "dbt_project"))


def run_dbt(*arguments: str, target: Path, project: Path = DBT_PROJECT) -> subprocess.CompletedProcess[str]:
    """dbt as a run starts it."""
    environment = os.environ | {
        "PYTHONPATH": str(REPOSITORY_ROOT),
        "DBT_PROFILES_DIR": str(DBT_PROJECT),
        "DBT_TARGET_PATH": str(target),
        "DBT_LOG_PATH": str(target),
        "TIDEMARK_WAREHOUSE": str(target / "warehouse.duckdb"),
    }
    return subprocess.run(
        [sys.executable, "-m", "orchestration.lib.dbt_prepared", *arguments],
        cwd=project,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )


def test_a_project_that_has_not_changed_fits_every_warehouse_of_that_name(project: Path):
    manifest = prepared_manifest(project, warehouse=WAREHOUSE)

    assert manifest is not None
    assert manifest.nodes["model.tidemark.dim_tokens"].relation_name == '"warehouse"."marts"."dim_tokens"'
    assert "model.tidemark.dim_tokens" in manifest.flat_graph["nodes"]


@pytest.mark.parametrize("changed", ["models/marts/dim_tokens.sql", "macros/newest_load.sql", "profiles.yml"])
def test_a_file_changed_since_makes_dbt_parse(project: Path, changed: str):
    os.utime(project / changed, (time.time() + 1, time.time() + 1))

    assert prepared_manifest(project, warehouse=WAREHOUSE) is None


def test_a_file_taken_away_makes_dbt_parse(project: Path):
    (project / "models" / "marts" / "dim_tokens.sql").unlink()

    assert prepared_manifest(project, warehouse=WAREHOUSE) is None


def test_a_warehouse_of_another_name_makes_dbt_parse(project: Path):
    assert prepared_manifest(project, warehouse=Path("/anywhere/copy.duckdb")) is None


def test_a_project_that_was_never_parsed_makes_dbt_parse(project: Path):
    (project / "target" / PARSED).unlink()

    assert prepared_manifest(project, warehouse=WAREHOUSE) is None


def test_dbt_runs_on_the_parsed_project_and_says_how_it_ended(tmp_path: Path):
    listed = run_dbt("--quiet", "ls", "--select", "dim_tokens", "--resource-type", "model", target=tmp_path)

    assert listed.returncode == SUCCESS, listed.stdout + listed.stderr
    assert listed.stdout.split() == ["tidemark.marts.dim_tokens"]
    # dbt writes how long parsing took whenever it parses.
    assert not (tmp_path / "perf_info.json").exists()


def test_a_command_that_dbt_does_not_know_is_an_error_that_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    # In this process, since dbt refuses before it begins anything and starting it takes seconds.
    monkeypatch.chdir(DBT_PROJECT)
    monkeypatch.setenv("TIDEMARK_WAREHOUSE", str(WAREHOUSE))

    code = main(["bild"])

    assert code == ERROR
    assert "No such command 'bild'" in capsys.readouterr().out


def test_the_resource_knows_the_version_without_asking_dbt_and_opens_no_second_adapter():
    prepared = PreparedDbt(project_dir=str(DBT_PROJECT), profiles_dir=str(DBT_PROJECT))

    assert str(prepared._cli_version) == __version__
    assert prepared._initialize_dbt_core_adapter([]) is None
    # dagster-dbt asks for them under these names; under others it would start dbt and load the adapter all the same.
    assert {"_cli_version", "_initialize_dbt_core_adapter"} <= set(vars(DbtCliResource))
