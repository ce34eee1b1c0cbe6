"""Empty places: what no token fills is held in stablecoins, and the tables say so."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models_ml.indices.definition import parse_definition
from models_ml.indices.engine import fold
from models_ml.indices.errors import DefinitionError
from models_ml.indices.market import MarketState
from models_ml.indices.state import new_state
from tests.unit.models_ml.indices.folds import START, day, flat, mondays, reasons_of, targets_of, weights_of

FIELDS = {
    "eligibility": {"features": [{"feature": "rsi_14d", "at_least": 50}]},
    "calendar": {"rule": "weekly_model"},
    "selection": {"count": 5, "empty_places": "stablecoins"},
    "weighting": {"method": "equal"},
    "minimum_constituents": 3,
}


def market_with(market_of, by_week, *, caps=None, **closes):
    """Tokens a to e, stablecoins as `closes`, and the strength indices of each week."""
    prices = {name: flat(10) for name in "abcde"} | closes
    stables = dict.fromkeys(closes, True)
    market = market_of(prices, is_stable=stables, supply=caps or {})
    market.features = {
        "rsi_14d": lambda token_id, date: by_week[min((date - START).days // 7, len(by_week) - 1)].get(token_id, 40.0)
    }
    return market


def test_each_empty_place_parks_its_share_until_a_token_fills_it(market_of, definition_of):
    definition = definition_of(**FIELDS)
    weeks = [{"a": 60.0, "b": 50.0, "c": 70.0}, {}, {}, dict.fromkeys("abcde", 55.0)]
    market = market_with(market_of, weeks, usd=flat(1))

    results = list(fold(definition, new_state(definition), mondays(5), market.data()))

    assert [targets_of(result) for result in results[:4]] == [
        pytest.approx({"a": 0.2, "b": 0.2, "c": 0.2, "usd": 0.4}),
        pytest.approx({"a": 0, "b": 0, "c": 0, "usd": 1}),
        {},
        pytest.approx({"a": 0.2, "b": 0.2, "c": 0.2, "d": 0.2, "e": 0.2, "usd": 0}),
    ]
    assert reasons_of(results[0]) == {
        "a": "entered at the base (rank 1); 3 of 5 places filled",
        "b": "entered at the base (rank 2); 3 of 5 places filled",
        "c": "entered at the base (rank 3); 3 of 5 places filled",
        "usd": (
            "rotated into stables: 40.0 % of the index, 2 of 5 places are empty: 3 of 5 tokens pass "
            "(RSI of 14 days at least 50)"
        ),
    }
    assert reasons_of(results[1])["a"] == "left: its RSI of 14 days is 40, below 50"
    assert "5 of 5 places are empty: 0 of 5 tokens pass" in reasons_of(results[1])["usd"]
    assert reasons_of(results[3]) == {name: f"entered (rank {rank})" for rank, name in enumerate("abcde", 1)} | {
        "usd": "left: rotated back out of stables"
    }
    assert weights_of(results[3]) == {"usd": 1.0}
    assert all(result.status == "available" for result in results[1:])


def test_who_enters_an_empty_place_replaces_nobody(market_of, definition_of):
    definition = definition_of(**FIELDS)
    market = market_with(market_of, [{"a": 60.0, "b": 60.0}, {"b": 60.0, "c": 60.0}], usd=flat(1))

    _, second = fold(definition, new_state(definition), mondays(2), market.data())

    assert reasons_of(second)["c"] == "entered (rank 2); 2 of 5 places filled"
    assert reasons_of(second)["a"] == "left: its RSI of 14 days is 40, below 50"


@settings(max_examples=40, deadline=None)
@given(
    weeks=st.lists(st.sets(st.sampled_from("abcde")), min_size=1, max_size=5),
    method=st.sampled_from(["equal", "market_cap", "rank"]),
)
def test_constituents_hold_as_many_places_as_they_fill_whatever_they_weigh(weeks, method, market_of, definition_of):
    definition = definition_of(**FIELDS | {"weighting": {"method": method, "cap": 0.3}})
    caps = {name: 1e6 * 2**position for position, name in enumerate("abcde")}
    market = market_with(market_of, [dict.fromkeys(passing, 60.0) for passing in weeks], caps=caps, usd=flat(1))

    results = list(fold(definition, new_state(definition), mondays(len(weeks)), market.data()))

    holdings = {}
    for passing, result in zip(weeks, results, strict=True):
        # A week that would change nothing makes no rebalance.
        holdings = {name: weight for name, weight in targets_of(result).items() if weight > 0} or holdings
        members = {name: weight for name, weight in holdings.items() if name != "usd"}
        assert members.keys() == passing
        assert holdings.get("usd", 0.0) == pytest.approx(1 - len(passing) / 5)
        assert all(weight <= 0.3 + 1e-9 for weight in members.values())


def test_limits_are_fractions_of_all_places(market_of, definition_of):
    # Market caps 60, 30, 10: of three places in five 36, 18 and 6 %; a is cut to 25 %, its excess goes to b and c.
    definition = definition_of(**FIELDS | {"weighting": {"cap": 0.25}})
    market = market_with(
        market_of,
        [{"a": 60.0, "b": 60.0, "c": 60.0}],
        caps={"a": 60e6, "b": 30e6, "c": 10e6, "d": 1e6, "e": 1e6},
        usd=flat(1),
    )

    (first,) = fold(definition, new_state(definition), mondays(1), market.data())

    assert targets_of(first) == pytest.approx({"a": 0.25, "b": 0.25, "c": 0.1, "usd": 0.4})
    assert "capped from 36.0 % to 25.0 %; 3 of 5 places filled" in reasons_of(first)["a"]


def test_a_rotation_and_empty_places_add_up(market_of, definition_of):
    definition = definition_of(**FIELDS | {"rotation": {}})
    market = market_with(market_of, [dict.fromkeys("abcd", 60.0)], usd=flat(1))
    market.bitcoin = lambda date: MarketState(85, 90, 80) if date < day(7) else MarketState(70, 90, 80)

    first, second = fold(definition, new_state(definition), mondays(2), market.data())

    # Half is rotated, and of the other half a fifth is parked.
    assert targets_of(first) == pytest.approx(dict.fromkeys("abcd", 0.1) | {"usd": 0.6})
    assert reasons_of(first)["a"].endswith("50.0 % of it invested; 4 of 5 places filled")
    assert reasons_of(first)["usd"] == (
        "rotated into stables: 60.0 % of the index, BTC 85 USD is below its 100-day average 90 USD; "
        "1 of 5 places is empty: 4 of 5 tokens pass (RSI of 14 days at least 50)"
    )
    assert targets_of(second) == pytest.approx(dict.fromkeys("abcd", 0.0) | {"usd": 1.0})
    assert reasons_of(second)["a"] == "left: rotated into stables"
    assert "places" not in reasons_of(second)["usd"]


def test_too_few_that_could_be_judged_keep_the_holdings(market_of, definition_of):
    definition = definition_of(**FIELDS)
    market = market_with(market_of, [{"a": 60.0}, dict.fromkeys("abc", None)], usd=flat(1))

    first, second = fold(definition, new_state(definition), mondays(2), market.data())

    assert targets_of(first) == pytest.approx({"a": 0.2, "usd": 0.8})
    assert second.rebalances.is_empty()
    assert second.reason == (
        "no new target, holdings stay: 2 tokens could be judged at the close of 2024-01-14, at least 3 needed"
    )


def test_without_a_stablecoin_at_its_peg_empty_places_are_not_shared_out(market_of, definition_of):
    definition = definition_of(**FIELDS)
    everyone = dict.fromkeys("abcde", 60.0)
    market = market_with(market_of, [{"a": 60.0}, everyone, {"b": 60.0}])

    first, second, third = fold(definition, new_state(definition), mondays(3), market.data())

    assert (first.status, first.reason) == (
        "unavailable",
        "4 of 5 places are empty: 1 of 5 tokens pass (RSI of 14 days at least 50); "
        "no eligible stablecoin within 2.0 % of 1 USD on 2024-01-07",
    )
    assert targets_of(second) == pytest.approx(dict.fromkeys("abcde", 0.2))
    assert third.rebalances.is_empty()
    assert third.reason.startswith("no new target, holdings stay: 4 of 5 places are empty")


def test_a_parked_stablecoin_that_loses_its_peg_in_the_week_is_left_at_the_next_close(market_of, definition_of):
    definition = definition_of(**FIELDS | {"rotation": {"steps": [], "stables": 1}})
    fallen = flat(1) | {day(offset): 0.95 for offset in range(9, 120)}
    market = market_with(market_of, [{"a": 60.0, "b": 60.0}], caps={"usd": 9e9, "eur": 1e9}, usd=fallen, eur=flat(1))

    first, second = fold(definition, new_state(definition), mondays(2), market.data())

    assert targets_of(first) == pytest.approx({"a": 0.2, "b": 0.2, "usd": 0.6})
    exit_at = second.rebalances.sort("effective_at")["effective_at"][0]
    assert exit_at.date() == day(11)  # below 0.985 at the close of day 9, traded at the close of day 10
    out = {row["token_id"]: row for row in second.rebalances.filter(effective_at=exit_at).iter_rows(named=True)}
    assert out["usd"]["reason"] == "left: USD closed at 0.9500 USD on 2024-01-10, replaced by EUR"
    assert out["eur"]["target_weight"] == pytest.approx(0.57 / 0.97)
    assert weights_of(second) == pytest.approx({"a": 0.2 / 0.97, "b": 0.2 / 0.97, "eur": 0.57 / 0.97})


GOOD = """\
index_id: strong
name: Strong
kind: thematic
methodology: The strongest.
selection:
  count: 5
  empty_places: stablecoins
calendar:
  rule: weekly_model
minimum_constituents: 3
"""


@pytest.mark.parametrize(
    ("text", "field", "expected"),
    [
        (GOOD.replace("weekly_model", "monthly"), "selection.empty_places", "set calendar.rule to weekly_model"),
        (GOOD + "universe: {exclude_stable: false}\n", "selection.empty_places", "constituent and refuge at once"),
        (GOOD + "ranking: {among_largest: 10}\n", "minimum_constituents", "20 exceeds ranking.among_largest 10"),
        (GOOD.replace("count: 5", "count: 5\n  count_rule: aic"), "selection.empty_places", "so none is ever empty"),
        (GOOD + "weighting: {max_turnover: 0.2}\n", "selection.empty_places", "weighting.max_turnover"),
        (GOOD + "rotation: {min_hold_days: 7}\n", "rotation.min_hold_days", "cannot be held for 7 days"),
        (
            GOOD.replace("stablecoins", "share_out") + "rotation: {steps: []}\n",
            "rotation.steps",
            "nothing is ever moved into stables",
        ),
    ],
)
def test_what_cannot_be_beside_empty_places_is_refused_with_its_field(text, field, expected):
    if field == "minimum_constituents":
        text = text.replace("minimum_constituents: 3", "minimum_constituents: 20")

    with pytest.raises(DefinitionError) as caught:
        parse_definition(text, name="mine.yaml")

    (problem,) = caught.value.problems
    assert problem.split(": ")[1] == field
    assert expected in problem


def test_an_index_that_parks_rests_on_which_stablecoins_dollars_back():
    definition = parse_definition(GOOD.replace("minimum_constituents: 3", "minimum_constituents: 30"), name="mine.yaml")

    assert "is_fiat_backed" in definition.undated_inputs
    assert definition.parking.steps == ()
    assert definition.minimum_constituents == 30  # counts those that could be judged, which may be more than the places
