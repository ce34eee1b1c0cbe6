"""How dbt's nodes appear in Dagster: keys, groups, owners and kinds.

Belongs here: one method a decision. Does not: running dbt (`orchestration/defs/warehouse`).
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings

DBT_PROJECT = Path(__file__).resolve().parents[2] / "dbt_project"
DBT_EXECUTABLE = Path(sys.executable).parent / "dbt"
MANIFEST = DBT_PROJECT / "target" / "manifest.json"


class WarehouseTranslator(DagsterDbtTranslator):
    """Models are `<schema>/<name>`; sources carry their asset key in meta; tests become asset checks."""

    def __init__(self) -> None:
        """Tests as checks of the models, sources' tests too."""
        super().__init__(DagsterDbtTranslatorSettings(enable_asset_checks=True, enable_source_tests_as_checks=False))

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """`marts/fct_daily`; a source's key is the one its meta names."""
        if dbt_resource_props["resource_type"] == "source":
            return dg.AssetKey(dbt_resource_props["meta"]["dagster"]["asset_key"])
        return dg.AssetKey([dbt_resource_props["schema"], dbt_resource_props["name"]])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """Seeds and models by schema: staging, intermediate, marts, quality, api."""
        return str(dbt_resource_props["schema"])

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        """The warehouse belongs to the researchers."""
        return ["team:research"]
