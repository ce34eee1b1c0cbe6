"""The command that writes dbt's documentation: every model, column and test, and the lineage from source to api view and report.

Belongs here: that command. Does not: pages about checks (`lib/data_docs.py`), the pages in `docs/`.
"""

# ruff: noqa: T201 - the command line speaks here

from __future__ import annotations

import os
import shutil
import subprocess
from datetime import date

from orchestration.lib.data_folder import DataFolder
from orchestration.lib.errors import TidemarkError
from orchestration.lib.run_lock import RunLock
from orchestration.lib.weeks import instant_of
from orchestration.settings import REPOSITORY_ROOT, load_settings

NAME = "dbt_docs.html"
LATEST = date(2999, 1, 1)


def write_dbt_docs() -> int:
    """Write one page that needs nothing else, with row counts and types where the data folder has a warehouse.

    By command and not in a run: dbt compiles the whole project for it, which takes as long as all its tests. The page goes beside the
    warehouse and not to what is published, which a run swaps in whole.
    """
    from orchestration.lib.dbt_translator import DBT_EXECUTABLE, DBT_PROJECT
    from orchestration.lib.resources import RebuiltDays, dbt_environment

    folder = DataFolder(load_settings().folder)
    has_warehouse = folder.warehouse.exists()
    target = folder.root / "dbt" / "docs" if has_warehouse else DBT_PROJECT / "target" / "docs"
    arguments = ["docs", "generate", "--static", "--no-version-check", "--target-path", str(target)]
    if not has_warehouse:
        arguments.append("--empty-catalog")
        done = _run([str(DBT_EXECUTABLE), *arguments], env=dict(os.environ))
    else:
        # dbt opens the warehouse, so no run may be under way.
        with RunLock(folder.root), dbt_environment(folder, as_of=instant_of(LATEST), rebuilt=RebuiltDays(LATEST)):
            done = _run([str(DBT_EXECUTABLE), *arguments], env=dict(os.environ))
    if done.returncode:
        raise TidemarkError(
            f"dbt could not write its documentation: {' '.join((done.stdout + done.stderr).split())[-600:]}"
        )
    page = (folder.root if has_warehouse else DBT_PROJECT / "target") / NAME
    shutil.copyfile(target / "static_index.html", page)
    print(f"dbt documentation, one page without a server: {page}")
    return 0


def _run(command: list[str], *, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run dbt in its project, quietly."""
    profiles = str(REPOSITORY_ROOT / "dbt_project")
    return subprocess.run(  # noqa: S603 - our own program, no shell
        command,
        cwd=profiles,
        env=env | {"DBT_PROFILES_DIR": profiles},
        capture_output=True,
        text=True,
        check=False,
    )
