"""The command that holds the published copy against the contract of its SQL interface.

Belongs here: that command. Does not: the contract (`lib/api_contract.py`), hashes and manifests (`lib/verification.py`).
"""

# ruff: noqa: T201 - the command line speaks here

from __future__ import annotations

import duckdb

from orchestration.lib.api_contract import broken_promises, read_views
from orchestration.lib.data_folder import DataFolder
from orchestration.lib.errors import TidemarkError
from orchestration.lib.manifest import MANIFEST_NAME, WAREHOUSE_NAME, read_manifest
from orchestration.settings import load_settings
from orchestration.table_reference import read_manifest as read_dbt_manifest


def check_api() -> int:
    """Say what the published copy does not keep of columns, keys, rows, age and examples; 1 where there is something.

    Raises:
        TidemarkError: Nothing has been published in the data folder.
    """
    published = DataFolder(load_settings().folder).published
    if not (published / MANIFEST_NAME).exists():
        raise TidemarkError(
            f"{published} has no {MANIFEST_NAME}; nothing has been published there yet, run make run first"
        )
    made = read_manifest(published / MANIFEST_NAME)
    views = read_views(read_dbt_manifest())
    with duckdb.connect(str(published / WAREHOUSE_NAME), read_only=True) as connection:
        problems = broken_promises(connection, views, as_of=made.as_of_week, has_all_sources=False)
    for problem in problems:
        print(problem)
    columns = sum(len(view.columns) for view in views.values())
    if not problems:
        print(
            f"{published}: {len(views)} views with {columns} columns keep what they promise in the week of {made.as_of_week}"
        )
    return 1 if problems else 0
