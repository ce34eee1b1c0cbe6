"""Features of the catalogue in definitions: bounds, ranking and tilts."""

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_ml.features.catalogue import CATALOGUE, FEATURE_NAMES
from models_ml.features.market import MARKET_FEATURES
from models_ml.indices.definition import parse_definition
from models_ml.indices.engine import advance, fold
from models_ml.indices.errors import DefinitionError, MarketDataError
from models_ml.indices.feature_rules import FEATURE_MARTS, Tilt, feature_column
from models_ml.indices.reasons import ineligible
from models_ml.indices.selection import rank_candidates
from models_ml.indices.state import new_state
from models_ml.indices.tilting import tilt_factors, tilted
from tests.unit.models_ml.indices.folds import day, flat, mondays, reasons_of, targets_of

DAY = dt.date(2024, 3, 3)
GOOD = """\
index_id: strong
name: Strong
kind: thematic
methodology: The strongest.
selection:
  count: 5
calendar:
  rule: monthly
minimum_constituents: 3
"""


def problems_of(text):
    with pytest.raises(DefinitionError) as caught:
        parse_definition(text, name="mine.yaml")
    return caught.value.problems


def market_with(market_of, values, *, caps=None):
    """Tokens at 1 USD with the values of features: `{feature: {token_id: value}}`."""
    tokens = sorted({token_id for of_tokens in values.values() for token_id in of_tokens})
    history = {DAY - dt.timedelta(days=offset): 1.0 for offset in range(10)}
    market = market_of({token_id: dict(history) for token_id in tokens}, supply=caps or {})
    market.features = {name: lambda token_id, _, known=known: known.get(token_id) for name, known in values.items()}
    return market


def rank(definition, market):
    data = market.data()
    return rank_candidates(definition, data.snapshot(DAY), close_date=DAY, prices=data.lookup)


def why_excluded(definition, ranked):
    return {
        row["token_id"]: ineligible(row["exclusion"], row, definition) for row in ranked.excluded.iter_rows(named=True)
    }


def test_every_feature_of_the_catalogue_has_a_mart():
    assert set(FEATURE_NAMES) <= {name for name, mart in FEATURE_MARTS.items() if mart == "feat_token_daily"}
    assert {feature.name for feature in MARKET_FEATURES} == {
        name for name, mart in FEATURE_MARTS.items() if mart == "feat_market_daily"
    }
    assert len(FEATURE_MARTS) > len(CATALOGUE) + len(MARKET_FEATURES)


def test_an_unknown_feature_is_refused_with_the_nearest_names():
    (problem,) = problems_of(GOOD + "eligibility:\n  features:\n    - {feature: rsi_14, at_least: 50}\n")

    assert problem.startswith("mine.yaml:12: eligibility.features.0.feature: 'rsi_14' must be a feature of ")
    assert "rsi_14d" in problem


@pytest.mark.parametrize(
    ("section", "field", "expected"),
    [
        ("eligibility: {features: [{feature: rsi_14d}]}", "eligibility.features.0", "no bound"),
        (
            "eligibility: {features: [{feature: rsi_14d, at_least: 60, at_most: 40}]}",
            "eligibility.features.0",
            "at_least 60 lies above at_most 40",
        ),
        (
            "eligibility: {features: [{feature: rsi_14d, at_least: 1}, {feature: rsi_14d, at_most: 2}]}",
            "eligibility.features",
            "more than once",
        ),
        ("ranking: {by: feature}", "ranking.by", "add ranking.feature"),
        ("ranking: {feature: rsi_14d}", "ranking.feature", "ranking.by is market_cap_usd"),
        ("ranking: {by: feature, feature: vix}", "ranking.feature", "one of the whole market"),
        ("weighting: {tilt: {features: [vix], strength: 1}}", "weighting.tilt.features.0", "one of the whole market"),
        ("weighting: {tilt: {features: [rsi_14d], strength: 1.5}}", "weighting.tilt.strength", "less than or equal"),
        ("weighting: {tilt: {features: [rsi_14d, rsi_14d], strength: 1}}", "weighting.tilt.features", "more than once"),
        ("weighting: {tilt: {features: [], strength: 1}}", "weighting.tilt.features", "name at least one"),
    ],
)
def test_sections_that_cannot_hold_are_refused_with_their_field(section, field, expected):
    (problem,) = problems_of(f"{GOOD}{section}\n")

    assert problem.split(": ")[1] == field
    assert expected in problem


def test_a_feature_out_of_bounds_or_unknown_excludes_a_token_and_says_why(market_of, definition_of):
    definition = definition_of(
        eligibility={
            "features": [
                {"feature": "rsi_14d", "at_least": 50},
                {"feature": "sma_cross_20d_50d", "at_least": 0, "at_most": 0.5},
            ]
        }
    )
    market = market_with(
        market_of,
        {
            "rsi_14d": {"good": 50.0, "low": 41.2, "unknown": None, "infinite": float("inf"), "steep": 60.0},
            "sma_cross_20d_50d": {"good": 0.5, "low": 0.1, "unknown": 0.1, "infinite": 0.1, "steep": 0.75},
        },
    )

    ranked = rank(definition, market)

    assert ranked.eligible["token_id"].to_list() == ["good"]
    assert ranked.judged == 3
    assert why_excluded(definition, ranked) == {
        "low": "its RSI of 14 days is 41.2, below 50",
        "steep": "its SMA cross of 20 days and 50 days is 0.75, above 0.5",
        "unknown": "its RSI of 14 days is unknown",
        "infinite": "its RSI of 14 days is unknown",
    }


def test_bounds_are_asked_of_the_pool_so_the_next_largest_does_not_move_up(market_of, definition_of):
    definition = definition_of(
        eligibility={"features": [{"feature": "rsi_14d", "at_least": 50}]}, ranking={"among_largest": 3}
    )
    values = {"a": 60.0, "b": 40.0, "c": None, "d": 55.0, "e": 70.0}
    market = market_with(market_of, {"rsi_14d": values}, caps={"a": 5e6, "b": 4e6, "c": 3e6, "d": 2e6, "e": 1e6})

    ranked = rank(definition, market)

    # c could not be judged, so the three largest that could are a, b and d.
    assert ranked.eligible["token_id"].to_list() == ["a", "d"]
    assert ranked.judged == 3
    assert why_excluded(definition, ranked)["e"] == "not among the 3 largest"


def test_a_feature_of_the_market_passes_all_or_none(market_of, definition_of):
    definition = definition_of(eligibility={"features": [{"feature": "fear_greed", "at_most": 40}]})
    market = market_with(market_of, {"fear_greed": {"a": 55.0, "b": 55.0}})

    ranked = rank(definition, market)

    assert ranked.eligible.is_empty()
    assert why_excluded(definition, ranked)["a"] == "the market's fear greed is 55, above 40"


@pytest.mark.parametrize(
    ("order", "expected"), [("descending", ["c", "b", "a", "d"]), ("ascending", ["d", "b", "a", "c"])]
)
def test_tokens_are_ranked_by_a_feature_in_either_order_and_ties_go_by_size(order, expected, market_of, definition_of):
    definition = definition_of(ranking={"by": "feature", "feature": "rsi_14d", "order": order})
    values = {"a": 50.0, "b": 50.0, "c": 60.0, "d": 40.0, "unknown": None}
    market = market_with(market_of, {"rsi_14d": values}, caps={"b": 9e6})

    ranked = rank(definition, market)

    assert ranked.eligible["token_id"].to_list() == expected
    assert why_excluded(definition, ranked) == {"unknown": "it has no RSI of 14 days"}


def test_candidates_without_a_feature_that_is_asked_for_are_refused(market_of, definition_of):
    definition = definition_of(ranking={"by": "feature", "feature": "rsi_14d"})

    with pytest.raises(MarketDataError, match="top3 rests on the features rsi_14d, which they lack"):
        rank(definition, market_with(market_of, {"return_7d": {"a": 1.0}}))


def test_features_of_sectors_are_hindsight(definition_of):
    tilt = {"features": ["sector_relative_return_30d"], "strength": 0.5}

    assert "sector" in definition_of(weighting={"tilt": tilt}).undated_inputs
    assert "sector" not in definition_of(weighting={"tilt": tilt | {"features": ["return_30d"]}}).undated_inputs


def test_a_tilt_by_two_features_equals_the_case_by_hand(market_of, definition_of):
    # Places of growth: a 1/6, b 3/6, c 5/6; of value locked, known of a and b only: a 3/4, b 1/4, c the middle.
    # Means 11/24, 9/24, 16/24; factors at strength 0.5: 23/24, 21/24, 28/24 of equal weights, summing to 3.
    definition = definition_of(
        weighting={"method": "equal", "tilt": {"features": ["fees_growth_30d", "tvl_growth_30d"], "strength": 0.5}}
    )
    market = market_of({name: flat(10) for name in "abc"})
    market.features = {
        "fees_growth_30d": lambda token_id, _: {"a": -1.0, "b": 0.0, "c": 7.0}[token_id],
        "tvl_growth_30d": lambda token_id, _: {"a": 0.2, "b": 0.1}.get(token_id),
    }

    result = advance(definition, new_state(definition), day(7), market.data())

    assert targets_of(result) == pytest.approx({"a": 23 / 72, "b": 21 / 72, "c": 28 / 72})
    assert reasons_of(result)["c"] == (
        "entered at the base (rank 3); tilted by 1.17 (fees growth of 30 days; unknown: TVL growth of 30 days)"
    )


def test_a_constituent_of_which_no_feature_is_known_says_that_it_is_not_tilted(market_of, definition_of):
    definition = definition_of(weighting={"method": "equal", "tilt": {"features": ["tvl_growth_30d"], "strength": 1}})
    market = market_of({name: flat(10) for name in "abc"})
    market.features = {"tvl_growth_30d": lambda token_id, _: {"a": 0.1, "b": 0.2}.get(token_id)}

    result = advance(definition, new_state(definition), day(7), market.data())

    assert targets_of(result) == pytest.approx({"a": 0.5 / 3, "b": 1.5 / 3, "c": 1 / 3})
    assert reasons_of(result)["c"] == "entered at the base (rank 3); not tilted, unknown: TVL growth of 30 days"


def test_a_tilt_by_what_is_known_of_nobody_makes_the_index_unavailable_until_it_is(market_of, definition_of):
    definition = definition_of(weighting={"method": "equal", "tilt": {"features": ["tvl_growth_30d"], "strength": 1}})
    market = market_of({name: flat(10) for name in "abc"})
    known_from = day(10)
    market.features["tvl_growth_30d"] = lambda token_id, date: (
        {"a": 0.3, "b": 0.1}.get(token_id) if date >= known_from else None
    )

    first, second = fold(definition, new_state(definition), mondays(2), market.data())

    assert first.status == "unavailable"
    assert first.reason == (
        "TVL growth of 30 days is known of no constituent at the close of 2024-01-07, so nothing could be tilted"
    )
    assert second.state.is_started
    assert targets_of(second) == pytest.approx({"a": 0.5, "b": 1 / 6, "c": 1 / 3})


def test_limits_hold_after_the_tilt(market_of, definition_of):
    definition = definition_of(
        weighting={"method": "equal", "cap": 0.35, "tilt": {"features": ["rsi_14d"], "strength": 1}},
        minimum_constituents=3,
    )
    market = market_of({name: flat(10) for name in "abc"})
    market.features = {"rsi_14d": lambda token_id, _: {"a": 10.0, "b": 20.0, "c": 90.0}[token_id]}

    result = advance(definition, new_state(definition), day(7), market.data())

    # 1/9, 3/9, 5/9 without the ceiling; b meets it, too, once c's excess is shared.
    assert targets_of(result) == pytest.approx({"a": 0.3, "b": 0.35, "c": 0.35})
    assert "tilted by 1.67 (RSI of 14 days); capped from 55.6 % to 35.0 %" in reasons_of(result)["c"]


VALUES = st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=1, max_size=30)


@given(values=VALUES, strength=st.floats(0.01, 1))
def test_factors_average_one_stay_positive_and_rise_with_the_feature(values, strength):
    members = pl.DataFrame({feature_column("rsi_14d"): values}, schema={feature_column("rsi_14d"): pl.Float64})

    factors = tilt_factors(members, Tilt(features=("rsi_14d",), strength=strength)).to_list()

    assert sum(factors) / len(factors) == pytest.approx(1)
    assert all(0 < factor < 2 for factor in factors)
    known = sorted((value, factor) for value, factor in zip(values, factors, strict=True) if value is not None)
    assert [factor for _, factor in known] == sorted(factor for _, factor in known)
    assert all(factor == 1 for value, factor in zip(values, factors, strict=True) if value is None)


@given(values=VALUES, strength=st.floats(0.01, 1))
def test_the_lowest_first_is_the_highest_first_of_the_negated_feature(values, strength):
    column = feature_column("market_cap_to_tvl")
    members = pl.DataFrame({column: values}, schema={column: pl.Float64})
    negated = members.select(-pl.col(column))
    low = Tilt(features=("market_cap_to_tvl",), strength=strength, order="ascending")
    high = low.model_copy(update={"order": "descending"})

    assert tilt_factors(members, low).to_list() == pytest.approx(tilt_factors(negated, high).to_list())


def test_a_tilt_of_which_nothing_is_known_changes_no_weight():
    members = pl.DataFrame(
        {feature_column("rsi_14d"): [None, None, None]}, schema_overrides={feature_column("rsi_14d"): pl.Float64}
    )
    shares = pl.Series("weight", [0.5, 0.3, 0.2])

    assert tilted(shares, members, Tilt(features=("rsi_14d",), strength=1)).to_list() == pytest.approx([0.5, 0.3, 0.2])


def test_values_of_features_after_a_week_change_nothing_in_it(market_of, definition_of):
    definition = definition_of(
        eligibility={"features": [{"feature": "rsi_14d", "at_least": 50}]},
        ranking={"by": "feature", "feature": "rsi_14d"},
        weighting={"tilt": {"features": ["return_30d"], "strength": 1}},
    )
    market = market_of({name: flat(10) for name in "abcd"})
    last = mondays(9)[-1]

    def results_with(later):
        market.features = {
            "rsi_14d": lambda token_id, date: (
                50.0 + (ord(token_id) * date.toordinal()) % 7 if date < last else later(token_id)
            ),
            "return_30d": lambda token_id, date: (
                float((ord(token_id) * date.toordinal()) % 5) if date < last else later(token_id)
            ),
        }
        return list(fold(definition, new_state(definition), mondays(9), market.data()))

    one, other = results_with(lambda _: None), results_with(lambda token_id: float(ord(token_id)))

    assert all(left.rebalances.equals(right.rebalances) for left, right in zip(one, other, strict=True))
    assert all(left.levels.equals(right.levels) for left, right in zip(one, other, strict=True))
    assert all(date < last for date in market.asked)
