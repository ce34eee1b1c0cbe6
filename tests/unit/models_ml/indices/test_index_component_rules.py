"""Definitions of indices of indices: what is refused, and in which order indices follow from each other."""

import pytest

from models_ml.indices.component_rules import Component, in_order_of_dependency
from models_ml.indices.definition import DEFINITIONS_FOLDER, load_definitions, parse_definition
from models_ml.indices.errors import DefinitionError

TOKENS = """\
index_id: {index_id}
name: Tokens
kind: passive
methodology: The five largest.
selection: {{count: 5}}
calendar: {{rule: monthly}}
minimum_constituents: 3
"""
MIX = """\
index_id: {index_id}
name: Mix
kind: composite
methodology: Indices.
components:
{components}calendar: {{rule: monthly, months: [1, 7]}}
"""


def mix(index_id="mix", **weights):
    held = "".join(f"  - {{index: {name}, weight: {weight}}}\n" for name, weight in weights.items())
    return MIX.format(index_id=index_id, components=held)


def problems_of(text):
    with pytest.raises(DefinitionError) as caught:
        parse_definition(text, name="mix.yaml")
    return caught.value.problems


def problems_of_folder(folder, **texts):
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text)
    with pytest.raises(DefinitionError) as caught:
        load_definitions(folder)
    return caught.value.problems


def test_a_mix_needs_nothing_but_components_and_a_calendar():
    definition = parse_definition(mix(one=0.4, two=0.6), name="mix.yaml")

    assert [(each.index, each.weight) for each in definition.components] == [("one", 0.4), ("two", 0.6)]
    assert not definition.is_model_driven
    assert definition.undated_inputs == ()


def test_fields_that_components_have_for_themselves_are_refused_beside_them():
    text = mix(one=0.4, two=0.6) + "selection: {count: 5}\nuniverse: {sector: DeFi}\nminimum_constituents: 3\n"

    assert problems_of(text) == [
        "mix.yaml:9: selection: is given beside components, and each component has its own; leave selection or components out",
        "mix.yaml:10: universe: is given beside components, and each component has its own; leave universe or components out",
        "mix.yaml:11: minimum_constituents: is given beside components, and each component has its own; "
        "leave minimum_constituents or components out",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (mix(one=0.4, two=0.5), "mix.yaml:5: components: weights add up to 0.9; make them add up to 1"),
        (mix(one=1.0), "mix.yaml:5: components: there is only one; name at least 2 indices"),
        (mix(one=0.5, mix=0.5), "mix.yaml:5: components: mix holds itself; leave it out"),
        (
            mix(one=0.5, two=0.5).replace("rule: monthly, months: [1, 7]", "rule: weekly_model"),
            "mix.yaml:8: calendar.rule: weekly_model decides by a model, but an index of indices sets weights back by the "
            "calendar; set monthly, and calendar.months if not in each",
        ),
        (
            mix(one=0.5, two=0.5).replace("months: [1, 7]", "review_months: [1]"),
            "mix.yaml:8: calendar.review_months: components are not chosen, so nothing is reviewed; leave it out",
        ),
        (
            mix(one=0.5, two=0.5).replace("weight: 0.5", "weigt: 0.5", 1),
            "mix.yaml:6: components.0.weigt: unknown key; did you mean 'weight'?",
        ),
    ],
)
def test_a_wrong_mix_says_what_to_change(text, problem):
    assert problem in problems_of(text)


def test_an_index_named_twice_is_refused():
    text = mix(one=0.4, two=0.3).replace("calendar", "  - {index: one, weight: 0.3}\ncalendar")

    assert problems_of(text) == [
        "mix.yaml:5: components: one is there more than once; name every index once, with its whole weight"
    ]


def test_without_components_a_selection_is_needed():
    text = (
        TOKENS.format(index_id="tokens").replace("selection: {count: 5}\n", "").replace("minimum_constituents: 3\n", "")
    )

    assert problems_of(text) == [
        "mix.yaml:1: minimum_constituents: is missing; add it",
        "mix.yaml:1: selection: is missing; add it",
    ]


def test_an_unknown_component_is_told_at_load(tmp_path):
    problems = problems_of_folder(tmp_path, tokens=TOKENS.format(index_id="tokens"), mix=mix(tokens=0.5, tokans=0.5))

    assert problems == [
        "mix.yaml: components: 'tokans' is no index_id of any definition; name one that is there, or leave it out"
    ]


def test_a_circle_is_told_once_with_its_whole_way(tmp_path):
    problems = problems_of_folder(
        tmp_path,
        tokens=TOKENS.format(index_id="tokens"),
        b=mix("b", c=0.5, tokens=0.5),
        c=mix("c", d=0.5, tokens=0.5),
        d=mix("d", b=0.5, tokens=0.5),
        e=mix("e", b=0.5, tokens=0.5),
    )

    assert problems == [
        "b.yaml: components: b -> c -> d -> b hold each other in a circle; take one of them out of another's components"
    ]


def test_indices_come_after_their_components():
    def held(*names):
        return tuple(Component(index=name, weight=1 / len(names)) for name in names)

    ordered = in_order_of_dependency(
        {"a_mix": held("m_mix", "z"), "m_mix": held("x", "z"), "x": (), "z": (), "b": held("gone", "x")}
    )

    assert ordered == ["x", "z", "m_mix", "a_mix", "b"]


def test_the_shipped_mix_holds_three_shipped_indices():
    definitions = {each.index_id: each for each in load_definitions(DEFINITIONS_FOLDER)}

    mix = definitions["balanced_mix"]

    assert {each.index: each.weight for each in mix.components} == {
        "hodl100_capped": 0.4,
        "ai_top100": 0.3,
        "defi_passive": 0.3,
    }
    assert mix.calendar.months == (1, 4, 7, 10)
    assert mix.twin == "hodl100_capped"
