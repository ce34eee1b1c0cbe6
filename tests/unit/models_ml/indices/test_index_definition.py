"""Definitions: what is accepted, and that a wrong file says where and what to change."""

import datetime as dt

import pytest

from models_ml.indices.definition import DEFINITIONS_FOLDER, load_definitions, parse_definition
from models_ml.indices.errors import DefinitionError

GOOD = """\
index_id: top5
name: Top 5
kind: passive
methodology: The five largest.
selection:
  count: 5
weighting:
  cap: 0.4
calendar:
  rule: monthly
minimum_constituents: 3
"""


def problems_of(text):
    with pytest.raises(DefinitionError) as caught:
        parse_definition(text, name="mine.yaml")
    return caught.value.problems


def test_a_definition_has_the_documented_defaults():
    definition = parse_definition(GOOD, name="mine.yaml")

    assert definition.eligibility.min_volume_to_cap == 0.0002
    assert definition.universe.exclude_stable
    assert definition.weighting.capping == "iterative"
    assert definition.base.date == "auto"
    assert definition.rotation is None
    assert not definition.is_model_driven


def test_the_shipped_definitions_load_sorted_by_index_id():
    definitions = load_definitions(DEFINITIONS_FOLDER)

    ids = [definition.index_id for definition in definitions]
    assert ids == sorted(ids)
    assert {"ai_top100", "bgci", "bitwise10", "cci30", "crix", "defi_passive", "hodl10"} <= set(ids)
    by_id = dict(zip(ids, definitions, strict=True))
    flagship = by_id["ai_top100"]
    assert flagship.is_model_driven
    assert flagship.weighting.cap == 0.2
    assert [(step.below_btc_average_days, step.share) for step in flagship.rotation.steps] == [(200, 1.0)]
    assert by_id["defi_passive"].undated_inputs == ("is_stable", "is_wrapped", "sector")


def test_an_index_that_follows_features_has_a_twin_that_differs_in_nothing_but_them():
    by_id = {definition.index_id: definition for definition in load_definitions(DEFINITIONS_FOLDER)}
    for index_id in ("ma_cross", "rsi_rotation", "dpi_usage"):
        index, twin = by_id[index_id], by_id[by_id[index_id].twin]

        assert index.features_used
        assert not twin.features_used
        assert index.universe == twin.universe
        assert index.eligibility.model_copy(update={"features": ()}) == twin.eligibility
        assert index.weighting.model_copy(update={"tilt": None}) == twin.weighting
        assert (index.ranking.among_largest or index.selection.count) == twin.selection.count


def test_all_problems_are_told_at_once_with_file_line_field_and_remedy():
    text = GOOD.replace("kind: passive", "kind: magic").replace("  cap: 0.4", "  kap: 0.4")
    text = text.replace("index_id: top5", "index_id: Top-5").replace("  count: 5", "  count: many")

    problems = problems_of(text)

    assert [problem.split(": ")[0:2] for problem in problems] == [
        ["mine.yaml:1", "index_id"],
        ["mine.yaml:3", "kind"],
        ["mine.yaml:6", "selection.count"],
        ["mine.yaml:8", "weighting.kap"],
    ]
    assert "lower-case letters" in problems[0]
    assert "'passive', 'replica', 'thematic' or 'ai'" in problems[1]
    assert "'many'" in problems[2]
    assert "did you mean 'cap'?" in problems[3]


def test_a_missing_field_is_told_at_the_section_it_belongs_to():
    assert problems_of(GOOD.replace("  rule: monthly\n", "  retrade: on_change\n")) == [
        "mine.yaml:9: calendar.rule: is missing; add it"
    ]


def test_a_cap_that_cannot_reach_one_names_both_values_and_the_way_out():
    (problem,) = problems_of(GOOD.replace("cap: 0.4", "cap: 0.1"))

    assert problem == (
        "mine.yaml:8: weighting.cap: 0.1 x selection.count 5 = 0.5, but weights must reach 1; "
        "raise the cap to at least 0.2 or select at least 10 tokens"
    )


def test_a_cap_too_low_for_the_fewest_constituents_is_refused():
    (problem,) = problems_of(GOOD.replace("cap: 0.4", "cap: 0.3"))

    assert "minimum_constituents 3 = 0.9" in problem
    assert "minimum_constituents to 4" in problem


def test_every_contradiction_between_fields_is_reported_together():
    text = GOOD.replace("  count: 5", "  count: 5\n  exit_rank: 4\n  entry_rank: 6") + (
        "ranking:\n  among_largest: 3\n"
        "universe:\n  exclude_stable: false\n"
        "rotation:\n  steps:\n    - {below_btc_average_days: 100, share: 0.7}\n"
        "    - {below_btc_average_days: 200, share: 0.7}\n"
    )

    fields = {problem.split(": ")[1] for problem in problems_of(text)}

    assert fields == {
        "selection.exit_rank",
        "selection.entry_rank",
        "ranking.among_largest",
        "rotation",
        "rotation.steps",
    }


def test_a_model_driven_index_starts_on_a_monday():
    text = GOOD.replace("monthly", "weekly_model") + "base:\n  date: 2024-01-03\n"

    (problem,) = problems_of(text)

    assert problem.startswith("mine.yaml:13: base.date: 2024-01-03 is no Monday")
    assert problem.endswith("set 2024-01-08, or auto")


@pytest.mark.parametrize(
    ("calendar", "expected"),
    [
        ("rule: monthly\n  months: [3, 13]", "must be a list of months from 1 to 12"),
        ("rule: monthly\n  months: []", "must be a list of months from 1 to 12"),
        ("rule: monthly\n  months: [3, 3]", "names a month twice"),
        ("rule: monthly\n  months: [3, 6]\n  review_months: [4]", "[4] are not in calendar.months [3, 6]"),
        ("rule: weekly_model\n  months: [3]", "belong to rule monthly"),
    ],
)
def test_months_that_name_no_calendar_are_refused(calendar, expected):
    (problem,) = problems_of(GOOD.replace("rule: monthly", calendar))

    assert "calendar" in problem
    assert expected in problem


def test_a_base_date_is_a_day_or_auto():
    assert parse_definition(GOOD + "base: {date: 2024-01-03}\n", name="x").base.date == dt.date(2024, 1, 3)
    assert parse_definition(GOOD + "base: {date: '2024-01-03'}\n", name="x").base.date == dt.date(2024, 1, 3)
    assert "must be a day such as 2020-01-01, or auto" in problems_of(GOOD + "base: {date: soon}\n")[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "mine.yaml:1: holds no keys"),
        ("- a\n- b\n", "mine.yaml:1: holds no keys"),
        ("index_id: [\n", "mine.yaml:2: not valid YAML"),
        (GOOD + "name: Again\n", "mine.yaml:12: name: already given on line 2"),
        (GOOD + "base: {date: 2024-02-30}\n", "mine.yaml:1: not valid YAML (day"),
        (GOOD.replace("cap: 0.4", "cap: .nan"), "mine.yaml:8: weighting.cap: nan must be"),
        (GOOD + "? [a, b]\n: 1\n", "mine.yaml"),
    ],
)
def test_text_that_is_no_definition_is_refused_with_its_line(text, expected):
    assert problems_of(text)[0].startswith(expected)


def test_two_files_may_not_claim_one_index_id(tmp_path):
    (tmp_path / "a.yaml").write_text(GOOD)
    (tmp_path / "b.yml").write_text(GOOD)
    (tmp_path / "c.yaml").write_text(GOOD.replace("name: Top 5\n", "").replace("top5", "other"))
    (tmp_path / "notes.txt").write_text("no definition")

    with pytest.raises(DefinitionError) as caught:
        load_definitions(tmp_path)

    assert caught.value.problems == [
        "b.yml: index_id: 'top5' is already taken by a.yaml; rename one of them",
        "c.yaml:1: name: is missing; add it",
    ]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DefinitionError, match="no such folder of index definitions"):
        load_definitions(tmp_path / "gone")
