"""The commands around index definitions: a new one from the template, one as it is understood, and the schema that editors read.

Belongs here: where files go and what is said. Does not: the definition language (`models_ml/indices/definition.py`).
"""

# ruff: noqa: T201 - the command line speaks here

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from models_ml.indices.definition import INDEX_ID_PATTERN, IndexDefinition, load_definitions, parse_definition
from models_ml.indices.errors import IndicesError
from orchestration.lib.errors import TidemarkError
from orchestration.settings import REPOSITORY_ROOT, SHIPPED_INDICES, load_settings

TEMPLATE = REPOSITORY_ROOT / "models_ml" / "indices" / "template.yaml"
SCHEMA = REPOSITORY_ROOT / "docs" / "reference" / "index-definition.schema.json"


def new_index(index_id: str) -> int:
    """Write a definition to start from into the user's folder of index definitions.

    Raises:
        TidemarkError: The id is no index_id or taken, or a definition that is there already is wrong.
    """
    if not re.fullmatch(INDEX_ID_PATTERN, index_id):
        raise TidemarkError(
            f"ID={index_id} is no index_id; use lower-case letters, digits and underscores and begin with a letter, e.g. "
            "make index-new ID=my_ten"
        )
    own = load_settings().own_indices_folder
    try:
        taken = {each.index_id for each in load_definitions(SHIPPED_INDICES, *([own] if own.is_dir() else []))}
    except IndicesError as error:
        raise TidemarkError(str(error)) from error
    path = own / f"{index_id}.yaml"
    if index_id in taken or path.exists():
        raise TidemarkError(f"there is an index {index_id} already; choose another ID, or edit its file")
    text = TEMPLATE.read_text(encoding="utf-8").format(
        index_id=index_id, name=index_id.replace("_", " ").title(), schema=SCHEMA.as_uri()
    )
    parse_definition(text, name=path.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    print(
        f"Wrote {path}\nEdit it, then make run: it is backtested from its first week on and published with the others."
    )
    return 0


def show_index(index_id: str) -> int:
    """Print a definition as it is understood: every field that is set, those that a risk mode sets among them.

    Raises:
        TidemarkError: There is no such index, or a definition is wrong.
    """
    try:
        definitions = {each.index_id: each for each in load_definitions(*load_settings().indices_folders)}
    except IndicesError as error:
        raise TidemarkError(str(error)) from error
    if index_id not in definitions:
        raise TidemarkError(f"ID={index_id} is no index; there are {', '.join(definitions)}")
    content = definitions[index_id].model_dump(exclude_unset=True)
    print(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120), end="")
    return 0


def schema_text() -> str:
    """JSON schema of an index definition."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **IndexDefinition.model_json_schema()}
    return json.dumps(schema, indent=2) + "\n"


def write_schema(path: Path = SCHEMA) -> int:
    """Write the schema for editors."""
    path.write_text(schema_text(), encoding="utf-8")
    print(f"Wrote {path}")
    return 0
