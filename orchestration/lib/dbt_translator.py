"""How dbt's nodes appear in Dagster: keys, groups, owners, descriptions, and tests as checks.

Belongs here: one method a decision. Does not: running dbt (`orchestration/defs/warehouse`).
"""

import itertools
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtProject

from orchestration.sources.datasets import COMMON_DESCRIPTIONS, DATASETS

DBT_PROJECT = Path(__file__).resolve().parents[2] / "dbt_project"
DBT_EXECUTABLE = Path(sys.executable).parent / "dbt"
MANIFEST = DBT_PROJECT / "target" / "manifest.json"

STATES_GRAIN = re.compile(r"\bGrain\b|[Oo]ne row")
"""How a description says what one row is."""

SOURCE_DATASETS = {f"{dataset.source}__{dataset.name}": dataset for dataset in DATASETS.values()}
"""The landed datasets by the names of their sources in dbt."""


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

    def get_metadata(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, Any]:
        """As dbt-dagster has it, but a table's name without the catalogue, which is another one at parse time."""
        name = f"{dbt_resource_props['schema']}.{dbt_resource_props['name']}"
        return {**super().get_metadata(dbt_resource_props), "dagster/table_name": name}

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """What the YAML says, else the comment that opens the model, else what its kind implies; then an example and the code."""
        code = str(dbt_resource_props.get("raw_code") or "").strip()
        said = str(dbt_resource_props.get("description") or opening_comment(code) or implied(dbt_resource_props))
        language = str(dbt_resource_props.get("language") or "sql")
        parts = [in_markdown(said if STATES_GRAIN.search(said) else f"{said} {grain_of_sources(dbt_resource_props)}")]
        if code:
            parts.append(f"The code:\n\n```{language}\n{code}\n```")
        return "\n\n".join(parts)

    def get_asset_check_spec(
        self, asset_spec: dg.AssetSpec, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> dg.AssetCheckSpec | None:
        """A test as a check of its model, with a description of what it holds where nobody wrote one."""
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        if spec is None or spec.description:
            return spec
        return spec._replace(description=words_of_test(manifest["nodes"][unique_id]))


def in_markdown(said: str) -> str:
    """A description as the UI shows it: with colons, which YAML does not take, and what follows `Example -` as SQL to copy."""
    words, _, example = " ".join(said.split()).replace("Grain - ", "Grain: ").partition(" Example - ")
    return f"{words}\n\nAn example:\n\n```sql\n{example.rstrip('.')}\n```" if example else words


def grain_of_sources(dbt_resource_props: Mapping[str, Any]) -> str:
    """The grain of a staging view: the key of the datasets it types, and which of them where it stacks several; empty for other nodes."""
    keys = [SOURCE_DATASETS[node.split(".")[-1]].key for node in _sources_of(dbt_resource_props)]
    if not keys:
        return ""
    columns = [*(["source"] if len(keys) > 1 else []), *keys[0]]
    return (
        f"Grain - one row a {', '.join(columns[:-1])} and {columns[-1]}."
        if columns[1:]
        else f"Grain - one row a {columns[0]}."
    )


def words_of_columns(dbt_resource_props: Mapping[str, Any]) -> dict[str, str]:
    """What the columns of a staging view mean, as the datasets it types describe them; empty for nodes that read none."""
    words: dict[str, str] = {}
    for node in _sources_of(dbt_resource_props):
        fields = SOURCE_DATASETS[node.split(".")[-1]].fields
        words |= {
            name: f"{field.description}{f' ({field.unit})' if field.unit else ''}" for name, field in fields.items()
        }
    return {**words, **COMMON_DESCRIPTIONS} if words else words


def _sources_of(dbt_resource_props: Mapping[str, Any]) -> list[str]:
    """Sources a node reads, `source.tidemark.raw.<source>__<dataset>` each."""
    nodes = dbt_resource_props.get("depends_on", {}).get("nodes", [])
    return [node for node in nodes if node.startswith("source.")]


def opening_comment(code: str) -> str:
    """The comment lines that open a SQL model, as one paragraph; empty where it opens with code."""
    lines = itertools.takewhile(lambda line: line.startswith("--"), code.splitlines())
    return " ".join(line.removeprefix("--").strip() for line in lines)


def implied(dbt_resource_props: Mapping[str, Any]) -> str:
    """A description of a node nobody described: seeds are kept by hand, staging views type what landed."""
    if dbt_resource_props["resource_type"] == "seed":
        return f"Reference table, kept by hand in `dbt_project/{dbt_resource_props['original_file_path']}`."
    sources = [".".join(node.split(".")[-2:]) for node in _sources_of(dbt_resource_props)]
    if sources:
        return f"`{'`, `'.join(sources)}`, typed and named: of several loads of a key the newest, and only what was known at as_of."
    return f"dbt {dbt_resource_props['resource_type']} {dbt_resource_props['name']}"


def words_of_test(test: Mapping[str, Any]) -> str:
    """`unique: token_id`; a test written as SQL is described by its opening comment."""
    generic = test.get("test_metadata")
    if not generic:
        return opening_comment(str(test.get("raw_code") or "")) or str(test["name"])
    arguments = dict(generic["kwargs"])
    nested = arguments.pop("arguments", {})
    said = {name: value for name, value in (arguments | nested).items() if name != "model"}
    subject = said.pop("column_name", None)
    parts = [str(subject)] if subject else []
    parts += [
        f"{name} {', '.join(map(str, value)) if isinstance(value, list) else value}" for name, value in said.items()
    ]
    return f"{generic['name'].replace('_', ' ')}: {'; '.join(parts)}"
