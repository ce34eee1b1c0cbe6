"""dbt as a Dagster resource that starts at once: the project parsed before, and nothing asked or loaded that no step uses.

Belongs here: how the dbt subprocess is started. Does not: which parsed project fits (`dbt_prepared.py`), what is run
(`orchestration/defs/warehouse`).
"""

import sys
from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version
from typing import Any

from dagster_dbt import DbtCliResource
from packaging.version import Version

RUN_PREPARED = ("-m", "orchestration.lib.dbt_prepared")


class PreparedDbt(DbtCliResource):
    """dagster-dbt's resource, with dbt run by `dbt_prepared.py` of this Python."""

    def __init__(self, *, project_dir: str, profiles_dir: str) -> None:
        """Say where the project is.

        Args:
            project_dir: Folder of `dbt_project.yml`.
            profiles_dir: Folder of `profiles.yml`.
        """
        super().__init__(
            project_dir=project_dir,
            profiles_dir=profiles_dir,
            dbt_executable=sys.executable,
            global_config_flags=list(RUN_PREPARED),
        )

    @cached_property
    def _cli_version(self) -> Version:
        """Version of dbt as it is installed: `dbt --version` takes four seconds, and asks the internet whether there is a newer one."""
        return Version(version("dbt-core"))

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> Any:
        """No second adapter in this process: it is there to fetch row counts and columns, which `shown_events` does itself."""
        return None
