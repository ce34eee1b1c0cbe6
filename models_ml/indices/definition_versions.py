"""What an index definition says, value by value, and how that changed: the versions of a methodology.

A version is `major.minor`. Major counts changes of rules, minor changes of words and benchmarks, which move no weight
(`WORDS`). Values are compared rather than files, so comments, order and a default written out are no change; neither is a
field that the language learns later, as long as the definition leaves it at its default.

Belongs here: values by path, comparing two states of a definition, counting versions.
Does not: the language (`definition.py`), wording (`methodology.py`), recording versions (`orchestration/lib/index_kit.py`).
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from models_ml.indices.definition import IndexDefinition

WORDS = frozenset({"name", "kind", "methodology", "twin"})
"""Fields that move no weight."""

FIRST_VERSION = "1.0"
LONGEST_SHOWN = 60


@dataclass(frozen=True)
class Field:
    """One value of a definition.

    Attributes:
        path: Where it stands, such as `selection.count`.
        value: As JSON has it: numbers, texts, lists, null; lists of sections are kept whole.
        is_default: Whether it is what the language assumes where nothing is written.
        description: What the language says of it, or None.
    """

    path: str
    value: Any
    is_default: bool
    description: str | None


@dataclass(frozen=True)
class DefinitionVersion:
    """A state of a definition that was in force.

    Attributes:
        version: `major.minor`, from 1.0.
        content_hash: SHA-256 of `values_json`.
        values_json: All values by path, those left at their default too, as canonical JSON.
        definition_yaml: The definition as YAML, without what is at its default; reads back as the same definition.
        changes: What changed against the version before, one sentence a value; empty for the first.
    """

    version: str
    content_hash: str
    values_json: str
    definition_yaml: str
    changes: tuple[str, ...]


def fields_of(definition: IndexDefinition) -> Iterator[Field]:
    """Every value of a definition in the order of the language; an optional section that is left out is one null value."""
    yield from _fields(definition, prefix="")


def values_json(definition: IndexDefinition) -> str:
    """All values by path as JSON with sorted keys, so that equal definitions have equal texts."""
    return json.dumps({field.path: field.value for field in fields_of(definition)}, sort_keys=True, ensure_ascii=False)


def definition_yaml(definition: IndexDefinition) -> str:
    """The definition as YAML without what is at its default."""
    return yaml.safe_dump(_written(definition), sort_keys=False, allow_unicode=True, width=120)


def changes_since(before: Mapping[str, Any], definition: IndexDefinition) -> dict[str, str]:
    """What a definition says differently than before, one sentence by path.

    Args:
        before: Values by path as they were (`DefinitionVersion.values_json`, read).
        definition: The definition now.
    """
    now = {field.path: field for field in fields_of(definition)}
    values = {path: field.value for path, field in now.items()}
    changes = {}
    for path, field in now.items():
        if path in before:
            if before[path] != field.value:
                changes[path] = _changed(path, before[path], field.value)
        elif _section(path, before):
            changes[path] = _changed(path, _section(path, before), None)
        elif not field.is_default or _is_inside_null(path, before):
            changes[path] = _changed(path, None, field.value)
    for path, value in before.items():
        if path not in now and not _section(path, values) and not _is_inside_null(path, values):
            changes[path] = f"{path}: {_short(value)}, no field of the language any more"
    return changes


def next_version(previous: tuple[str, str] | None, definition: IndexDefinition) -> DefinitionVersion | None:
    """The version that a definition begins, or None where it says what the newest version says.

    Args:
        previous: `version` and `values_json` of the newest recorded version; None for a definition never recorded.
        definition: The definition in force.
    """
    changes: dict[str, str] = {}
    number = FIRST_VERSION
    if previous is not None:
        version, recorded = previous
        changes = changes_since(json.loads(recorded), definition)
        if not changes:
            return None
        major, minor = (int(part) for part in version.split("."))
        number = f"{major}.{minor + 1}" if changes.keys() <= WORDS else f"{major + 1}.0"
    content = values_json(definition)
    return DefinitionVersion(
        version=number,
        content_hash=hashlib.sha256(content.encode()).hexdigest(),
        values_json=content,
        definition_yaml=definition_yaml(definition),
        changes=tuple(changes.values()),
    )


def _fields(section: BaseModel, *, prefix: str, is_default: bool = False) -> Iterator[Field]:
    """Fields of a section; all are at their default where the section is what the one around it assumes."""
    for name, info in type(section).model_fields.items():
        value = getattr(section, name)
        default = None if info.is_required() else info.get_default(call_default_factory=True, validated_data={})
        is_same = is_default or (not info.is_required() and value == default)
        if isinstance(value, BaseModel):
            yield from _fields(value, prefix=f"{prefix}{name}.", is_default=is_same)
            continue
        yield Field(
            path=f"{prefix}{name}",
            value=to_jsonable_python(value),
            is_default=is_same,
            description=" ".join(info.description.split()) if info.description else None,
        )


def _written(section: BaseModel) -> dict[str, Any]:
    """What must be written to say a section, nested; pydantic's own dump warns of values that a plain validator made."""
    content = {}
    for name, info in type(section).model_fields.items():
        value = getattr(section, name)
        if not info.is_required() and value == info.get_default(call_default_factory=True, validated_data={}):
            continue
        content[name] = _written(value) if isinstance(value, BaseModel) else to_jsonable_python(value)
    return content


def _section(path: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of the section at a path by the rest of their path; empty where there is none."""
    return {name.removeprefix(f"{path}."): value for name, value in values.items() if name.startswith(f"{path}.")}


def _is_inside_null(path: str, values: Mapping[str, Any]) -> bool:
    """Whether a section that holds the path is left out in `values`."""
    parts = path.split(".")
    return any(values.get(".".join(parts[:length]), "") is None for length in range(1, len(parts)))


def _changed(path: str, before: Any, after: Any) -> str:
    if path == "methodology":
        return "methodology: reworded"
    return f"{path}: {_short(before)} -> {_short(after)}"


def _short(value: Any) -> str:
    text = "none" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 3]}..."
