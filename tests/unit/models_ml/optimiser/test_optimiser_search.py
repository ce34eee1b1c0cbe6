"""A search becomes valid definitions, all different, the one as it is first."""

import pytest

from models_ml.indices.definition import DEFINITIONS_FOLDER, load_definitions
from models_ml.optimiser.errors import SearchError, UnsupportedRuleError
from models_ml.optimiser.rules import compile_variants, simplified
from models_ml.optimiser.search import Search, default_search, expand, parse_search


def test_every_combination_that_is_a_definition_is_there_once(definition_of):
    search = Search(vary={"selection.count": [5, 8, 10], "selection.exit_rank": [8, 12], "weighting.cap": [0.2, 1.0]})

    found = expand(definition_of(), search)

    # 3 x 2 x 2 combinations; count 10 with exit rank 8 is refused under both caps. The definition itself has no exit rank.
    assert len(found.definitions) == 1 + 10
    assert (found.refused, found.repeated) == (2, 0)
    assert "exit_rank" in found.example
    assert found.definitions[0] == definition_of()
    assert {(each.selection.count, each.selection.exit_rank, each.weighting.cap) for each in found.definitions[1:]} == {
        (each["selection.count"], each["selection.exit_rank"], each["weighting.cap"]) for each in found.choices[1:]
    }


def test_a_combination_that_is_the_definition_itself_is_not_there_twice(definition_of):
    found = expand(definition_of(), Search(vary={"selection.count": [8, 9]}))

    assert [each.selection.count for each in found.definitions] == [8, 9]
    assert found.repeated == 1


def test_the_fewest_constituents_follow_a_smaller_count(definition_of):
    found = expand(definition_of(minimum_constituents=8), Search(vary={"selection.count": [4]}))

    assert found.definitions[1].minimum_constituents == 4


def test_a_sample_has_the_size_asked_for_and_repeats_with_its_seed(definition_of):
    vary = {"selection.count": list(range(5, 45)), "calendar.retrade_band": [number / 100 for number in range(50)]}

    one, again, other = (
        expand(definition_of(), Search(vary=vary, variants=60, seed=seed)).definitions for seed in (1, 1, 2)
    )

    assert len(one) == 60
    assert one == again
    assert {(each.selection.count, each.calendar.retrade_band) for each in one} != {
        (each.selection.count, each.calendar.retrade_band) for each in other
    }


def test_a_method_takes_the_place_of_a_blend_and_a_blend_that_of_a_method(definition_of):
    blend = [{"method": "equal", "share": 0.5}, {"method": "volume", "share": 0.5}]

    blended = expand(definition_of(weighting={"method": "rank"}), Search(vary={"weighting.blend": [blend]}))
    plain = expand(definition_of(weighting={"blend": blend}), Search(vary={"weighting.method": ["rank"]}))

    assert blended.definitions[1].weighting.methods == ("equal", "volume")
    assert plain.definitions[1].weighting.methods == ("rank",)


def test_sections_can_be_left_out_or_filled(definition_of):
    steps = {"steps": [{"below_btc_average_days": 200, "share": 1.0}]}

    found = expand(definition_of(), Search(vary={"rotation": [None, steps]}))

    assert [each.rotation is None for each in found.definitions] == [True, False]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("vary: {selection.counts: [5]}", "counts is not among count, entry_rank"),
        ("vary: {selection.count: []}", "has no values"),
        ("vary: {index_id: [a, b]}", "says what an index is called"),
        ("vary: {}", "at least 1 item"),
        ("variants: 5", "vary: Field required"),
        ("- a", "holds no keys"),
        ("vary: {a: [}", "not valid YAML"),
        ("vary: {selection.count: [8]}", "none of 1 combinations is a definition other than"),
        ("vary: {selection.exit_rank: [2]}", "exit_rank 2 lies below selection.count 8"),
    ],
)
def test_a_search_that_cannot_be_meant_is_refused(definition_of, text, told):
    with pytest.raises(SearchError, match=told):
        expand(definition_of(), parse_search(text, name="search.yaml"))


SHIPPED = {each.index_id: each for each in load_definitions(DEFINITIONS_FOLDER) if each.is_model_driven}


@pytest.mark.parametrize("index_id", SHIPPED)
def test_the_search_that_is_made_for_a_shipped_index_is_one_the_walk_knows_or_its_rule_is_named(index_id):
    definition = SHIPPED[index_id]
    if definition.ranking.by not in {"score", "trader_grade", "market_cap_usd"} or definition.weighting.core:
        with pytest.raises(UnsupportedRuleError, match=r"ranking\.feature|weighting\.core"):
            simplified(definition)
        return
    known, _ = simplified(definition)

    found = expand(known, default_search(known, variants=200))

    assert len(found.definitions) == 200
    assert len(compile_variants(found.definitions).rules) == 200


@pytest.mark.parametrize("index_id", ["ai_top100", "defi_ai", "l1_ai"])
def test_the_flagship_and_its_relatives_are_searched_as_they_are(index_id):
    definition = SHIPPED[index_id]

    found = expand(definition, default_search(definition, variants=300)).definitions

    assert simplified(definition) == (definition, ())
    assert len(compile_variants(found).rules) == 300
    assert {each.rotation.trigger for each in found if each.rotation} == {"daily", "weekly"}
    assert {each.eligibility.leave_out_calls for each in found} == {("bearish",), ()}
    assert {each.weighting.volatility_cap for each in found} == {True, False}
    assert definition.rotation in {each.rotation for each in found[1:]}
