"""Screened indices: the members of a passive twin without the worst-graded, by scores known before the close they trade at."""

import datetime as dt

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models_ml.indices.definition import DEFINITIONS_FOLDER, load_definitions, parse_definition
from models_ml.indices.engine import advance, fold
from models_ml.indices.errors import DefinitionError
from models_ml.indices.sections import number_left_out
from models_ml.indices.selection import worst_of
from models_ml.indices.state import new_state, state_from_rows
from tests.unit.models_ml.indices.folds import START, day, flat, mondays, reasons_of, targets_of, weights_of

TOKENS = "abcdefghij"
SCORES = st.one_of(st.none(), st.integers(-3, 3).map(float))


def chosen_of(scores):
    return pl.DataFrame(
        {"token_id": list(scores), "prior_score": list(scores.values())},
        schema={"token_id": pl.String, "prior_score": pl.Float64},
    )


def screened(definition_of, **fields):
    content = {
        "selection": {"count": 5, "leave_out_worst": 0.2},
        "minimum_constituents": 3,
        "index_id": "screened",
    }
    return definition_of(**content | fields)


def five_tokens(market_of, *, first_scores=START):
    """Five tokens of equal, constant market caps; `e` is the worst, then `d`, from a day on."""
    market = market_of({token: flat(10, days=150) for token in "abcde"})
    market.prior_scores = lambda token, day_: -float(ord(token)) if day_ >= first_scores else None
    return market


@given(
    scores=st.dictionaries(st.sampled_from(TOKENS), SCORES),
    share=st.sampled_from([0.0, 0.1, 0.2, 0.29, 0.5, 0.99]),
    random=st.randoms(use_true_random=False),
)
def test_the_worst_are_a_share_rounded_down_whatever_the_order_and_never_without_a_score(scores, share, random):
    shuffled = list(scores.items())
    random.shuffle(shuffled)

    worst = worst_of(chosen_of(scores), share=share)["token_id"].to_list()

    assert worst == worst_of(chosen_of(dict(shuffled)), share=share)["token_id"].to_list()
    scored = {token: score for token, score in scores.items() if score is not None}
    assert set(worst) <= set(scored)
    assert len(worst) == min(len(scored), int(round(100 * share) * len(scores) // 100))
    stays = [(score, token) for token, score in scored.items() if token not in worst]
    assert all((scored[token], token) < kept for token in worst for kept in stays)


@pytest.mark.parametrize(
    ("chosen", "share", "expected"), [(100, 0.29, 29), (25, 0.2, 5), (24, 0.2, 4), (4, 0.2, 0), (10, 0.3, 3)]
)
def test_a_share_is_rounded_down_but_not_by_what_floats_lose(chosen, share, expected):
    assert number_left_out(chosen, share=share) == expected


def test_the_worst_is_left_out_with_a_reason_and_the_others_take_its_weight(market_of, definition_of):
    market = five_tokens(market_of)

    (result,) = fold(screened(definition_of), new_state(screened(definition_of)), mondays(1), market.data())

    assert weights_of(result) == pytest.approx(dict.fromkeys("abcd", 0.25))
    assert targets_of(result)["e"] == 0
    assert reasons_of(result)["e"] == (
        "left out: among the worst-graded 20.0 % of the chosen (score -101 at the close before)"
    )


def test_a_held_token_that_falls_among_the_worst_goes_and_the_one_left_out_comes_back(market_of, definition_of):
    market = five_tokens(market_of)
    fallen = day(20)
    market.prior_scores = lambda name, day_: 0.0 if (name == "a") == (day_ >= fallen) else 1.0
    definition = screened(definition_of)

    results = list(fold(definition, new_state(definition), mondays(5), market.data()))

    first, last = (reasons_of(result) for result in results if result.rebalances.height)
    assert first["b"].startswith("left out: among the worst-graded")
    assert last["a"] == "left out: among the worst-graded 20.0 % of the chosen (score 0 at the close before)"
    assert last["b"] == "entered (rank 2)"
    assert set(weights_of(results[-1])) == set("bcde")


def test_a_screened_index_starts_with_the_first_scores_and_says_why_it_has_not(market_of, definition_of):
    definition = screened(definition_of)
    market = five_tokens(market_of, first_scores=day(13))

    results = list(fold(definition, new_state(definition), mondays(3), market.data()))

    assert [result.status for result in results] == ["unavailable", "available", "available"]
    assert results[0].reason == (
        "no scores known before the close of 2024-01-07, with which the worst-graded could be left out"
    )
    assert results[1].levels.rows() == [(day(13), "screened", 1000.0)]


def test_an_index_too_small_to_leave_one_out_does_not_start(market_of, definition_of):
    definition = screened(definition_of)
    market = market_of({name: flat(10, start=0 if name < "e" else 10) for name in "abcde"})
    market.prior_scores = lambda name, day_: float(ord(name))

    results = list(fold(definition, new_state(definition), mondays(2), market.data()))

    assert [result.status for result in results] == ["unavailable", "available"]
    assert results[0].reason == "20.0 % of the 4 tokens chosen at the close of 2024-01-07 is less than one to leave out"


def test_scores_that_cease_later_leave_nothing_out(market_of, definition_of):
    definition = screened(definition_of)
    market = five_tokens(market_of)
    market.prior_scores = lambda token, day_: -float(ord(token)) if day_ < day(20) else None

    results = list(fold(definition, new_state(definition), mondays(6), market.data()))

    assert all(result.status == "available" for result in results)
    assert set(weights_of(results[-1])) == set("abcde")


def test_the_fewest_constituents_are_counted_after_the_worst_are_out(market_of, definition_of):
    definition = screened(definition_of, selection={"count": 6, "leave_out_worst": 0.2}, minimum_constituents=5)

    (result,) = fold(definition, new_state(definition), mondays(1), five_tokens(market_of).data())

    assert result.status == "unavailable"
    assert result.reason == (
        "5 eligible constituents at the close of 2024-01-07, 1 of them left out as the worst-graded, at least 5 needed"
    )


def test_a_token_left_out_at_a_review_stays_out_until_the_next(market_of, definition_of):
    definition = screened(definition_of, calendar={"rule": "monthly", "review_months": [1, 3]})
    market = five_tokens(market_of)
    market.prior_scores = lambda name, day_: 0.0 if (name == "e") == (day_ < day(20)) else 1.0

    results = list(fold(definition, new_state(definition), mondays(9), market.data()))

    start, between, review = (reasons_of(result) for result in results if result.rebalances.height)
    assert start["e"].startswith("left out: among the worst-graded")
    assert between["e"] == "left out until the next review"
    assert between["a"].startswith("stays")
    assert review["a"].startswith("left out: among the worst-graded")
    assert review["e"].startswith("entered")


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    scores=st.lists(st.permutations(range(12)), min_size=6, max_size=6),
    buffer=st.integers(0, 3),
)
def test_a_screened_index_holds_what_its_twin_holds_less_the_worst_and_continues_from_rows(
    seed, scores, buffer, walk_of, definition_of
):
    selection = {"count": 6, "exit_rank": 6 + buffer}
    market = walk_of(seed=seed, first=START, days=120)

    def score(token, day_):
        place = scores[(day_ - START).days // 20][int(token[1:])] if token[0] == "t" else None
        return None if place == 11 else place

    market.prior_scores = score
    twin = definition_of(index_id="twin", selection=selection, minimum_constituents=2)
    own = screened(definition_of, selection=selection | {"leave_out_worst": 0.34}, minimum_constituents=2)
    data = market.data()

    passive = list(fold(twin, new_state(twin), mondays(16), data))
    results = list(fold(own, new_state(own), mondays(16), data))

    rebalances = 0
    for of_twin, of_own in zip(passive, results, strict=True):
        assert (
            of_twin.rebalances["effective_at"].unique().to_list()
            == of_own.rebalances["effective_at"].unique().to_list()
        )
        if of_own.rebalances.is_empty():
            continue
        rebalances += 1
        members = {token for token, weight in targets_of(of_twin).items() if weight > 0}
        held = {token for token, weight in targets_of(of_own).items() if weight > 0}
        snapshot_day = of_own.rebalances["effective_at"][0].date() - dt.timedelta(days=1)
        known = sorted(
            (score(token, snapshot_day), token) for token in members if score(token, snapshot_day) is not None
        )
        assert members - held == {token for _, token in known[: int(0.34 * len(members))]}
        assert held < members
    assert rebalances == 4
    rows = [
        pl.concat([getattr(each, name) for each in results[:9]]) for name in ("rebalances", "levels", "compositions")
    ]
    continued = advance(own, state_from_rows(own, *rows), mondays(16)[9], data)
    assert continued.rebalances.equals(results[9].rebalances)
    assert continued.compositions.equals(results[9].compositions)


@pytest.mark.parametrize(
    ("change", "field", "expected"),
    [
        (("rule: monthly", "rule: weekly_model"), "selection.leave_out_worst", "belongs to rule monthly"),
        (("minimum_constituents: 3", "minimum_constituents: 5"), "minimum_constituents", "set at most 4"),
        (("leave_out_worst: 0.2", "leave_out_worst: 1"), "selection.leave_out_worst", "less than 1"),
        (("leave_out_worst: 0.2", "leave_out_worst: 0.19"), "selection.leave_out_worst", "raise it to at least 0.2"),
    ],
)
def test_a_screen_that_cannot_work_is_refused(change, field, expected):
    text = """\
index_id: top5
name: Top 5
kind: passive
methodology: The five largest without the worst.
selection:
  count: 5
  leave_out_worst: 0.2
calendar:
  rule: monthly
minimum_constituents: 3
"""
    parse_definition(text, name="mine.yaml")

    with pytest.raises(DefinitionError) as caught:
        parse_definition(text.replace(*change), name="mine.yaml")

    (problem,) = caught.value.problems
    assert f": {field}: " in problem
    assert expected in problem


def test_each_shipped_screened_index_has_the_rules_of_its_twin_but_for_the_screen():
    definitions = {definition.index_id: definition for definition in load_definitions(DEFINITIONS_FOLDER)}
    screens = [definition for definition in definitions.values() if definition.selection.leave_out_worst > 0]

    assert {definition.index_id for definition in screens} == {
        "top25_screened",
        *(f"{theme}_screened" for theme in ("ai", "defi", "depin", "gaming", "l1", "l2", "meme", "nft", "rwa")),
    }
    for own in screens:
        twin = definitions[own.twin]
        assert own.selection.leave_out_worst == 0.2
        assert own.selection.model_copy(update={"leave_out_worst": 0.0}) == twin.selection
        for section in ("universe", "eligibility", "ranking", "weighting", "calendar", "base"):
            assert getattr(own, section) == getattr(twin, section), (own.index_id, section)
        fewest = twin.minimum_constituents
        # So it runs whenever its twin does and scores are known.
        assert own.minimum_constituents == fewest - number_left_out(fewest, share=0.2)
        assert own.undated_inputs == twin.undated_inputs
