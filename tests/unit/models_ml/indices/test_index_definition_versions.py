"""Versions of a methodology: what counts as a change, and of which kind."""

import hashlib
import json

import pytest
from pydantic import Field

from models_ml.indices.definition import DEFINITIONS_FOLDER, IndexDefinition, load_definitions, parse_definition
from models_ml.indices.definition_versions import changes_since, definition_yaml, fields_of, next_version, values_json
from models_ml.indices.sections import Selection


def values(definition):
    return json.loads(values_json(definition))


def version_after(before, now, *, number="1.0"):
    return next_version((number, values_json(before)), now)


@pytest.mark.parametrize("definition", load_definitions(DEFINITIONS_FOLDER), ids=lambda each: each.index_id)
def test_the_recorded_yaml_reads_back_as_the_same_definition(definition):
    assert parse_definition(definition_yaml(definition), name="recorded") == definition


def test_every_value_has_a_path_and_sections_that_are_lists_stay_whole(definition_of):
    definition = definition_of(weighting={"blend": [{"method": "equal", "share": 1.0}]})

    found = values(definition)

    assert found["weighting.blend"] == [{"method": "equal", "share": 1.0}]
    assert found["selection.count"] == 3
    assert found["rotation"] is None
    assert [field.path for field in fields_of(definition) if field.path.startswith("base")] == [
        "base.level",
        "base.date",
    ]


def test_a_definition_never_seen_begins_at_the_first_version(definition_of):
    first = next_version(None, definition_of())

    assert (first.version, first.changes) == ("1.0", ())
    assert first.content_hash == hashlib.sha256(first.values_json.encode()).hexdigest()


def test_the_same_values_are_no_new_version_however_they_are_written(definition_of):
    written_out = definition_of(universe={"exclude_stable": True, "sector": None}, ranking={"by": "market_cap_usd"})

    assert version_after(definition_of(), written_out) is None


def test_a_rule_counts_as_major_and_words_as_minor(definition_of):
    before = definition_of()

    rule = version_after(before, definition_of(selection={"count": 4}, name="Top 4"), number="2.3")
    words = version_after(before, definition_of(methodology="The 3 largest.", twin="other"), number="2.3")

    assert (rule.version, rule.changes) == ("3.0", ("name: Top 3 -> Top 4", "selection.count: 3 -> 4"))
    assert (words.version, words.changes) == ("2.4", ("methodology: reworded", "twin: none -> other"))


def test_a_section_that_comes_or_goes_is_a_change_even_if_all_of_it_is_at_its_default(definition_of):
    without, with_rotation = definition_of(), definition_of(rotation={})

    comes = changes_since(values(without), with_rotation)
    goes = changes_since(values(with_rotation), without)

    assert comes["rotation.min_hold_days"] == "rotation.min_hold_days: none -> 0"
    assert goes.keys() == {"rotation"}
    assert goes["rotation"].endswith("-> none")


class LargerSelection(Selection):
    """A selection that has learnt a field."""

    skip_noisiest: float = Field(default=0.0)


class LargerDefinition(IndexDefinition):
    """A language that has learnt a field."""

    selection: LargerSelection


def test_a_field_that_the_language_learns_is_a_change_only_where_it_is_used(definition_of):
    before, content = definition_of(), definition_of().model_dump(exclude_unset=True)
    unused = LargerDefinition.model_validate(content)
    used = LargerDefinition.model_validate({**content, "selection": {"count": 3, "skip_noisiest": 0.1}})

    assert version_after(before, unused) is None
    assert version_after(before, used).changes == ("selection.skip_noisiest: none -> 0.1",)


def test_a_field_that_the_language_loses_is_a_change(definition_of):
    content = definition_of().model_dump(exclude_unset=True)
    before = values(LargerDefinition.model_validate(content))

    assert changes_since(before, definition_of()) == {
        "selection.skip_noisiest": "selection.skip_noisiest: 0.0, no field of the language any more"
    }
