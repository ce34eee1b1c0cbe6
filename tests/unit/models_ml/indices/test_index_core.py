"""A fixed core in an index: always there, at its share, and all else shares the rest."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models_ml.indices.definition import DEFINITIONS_FOLDER, load_definitions, parse_definition
from models_ml.indices.engine import fold
from models_ml.indices.errors import DefinitionError, InfeasibleCapError
from models_ml.indices.state import new_state
from models_ml.indices.weighting import weigh
from models_ml.indices.weighting_rules import Weighting
from tests.unit.models_ml.indices.folds import day, flat, mondays, reasons_of, targets_of

CORE = [{"token_id": "btc", "weight": 0.6}]
TEXT = """\
index_id: barbell
name: Barbell
kind: ai
methodology: A core and others.
selection: {count: 4}
weighting:
  cap: 0.15
  core:
    - {token_id: bitcoin, weight: 0.6}
calendar: {rule: monthly}
minimum_constituents: 3
"""


def problems_of(text):
    with pytest.raises(DefinitionError) as caught:
        parse_definition(text, name="mine.yaml")
    return caught.value.problems


def members_of(**caps):
    return pl.DataFrame(
        {
            "token_id": list(caps),
            "market_cap_usd": list(caps.values()),
            "sector": ["Store" if name in ("btc", "ltc") else "Other" for name in caps],
            "volume_30d_median_usd": [100.0] * len(caps),
        }
    )


def weights_of(members, **fields):
    _, weights = weigh(members, Weighting.model_validate({"core": CORE, **fields}))
    return dict(zip(members["token_id"], weights.to_list(), strict=True))


def test_limits_of_the_others_are_fractions_of_the_whole_index():
    weights = weights_of(members_of(btc=1e6, a=70.0, b=20.0, c=10.0), cap=0.2)

    # 0.4 by market cap would be 0.28, 0.08 and 0.04; the excess of 0.08 goes two to one.
    assert weights == pytest.approx({"btc": 0.6, "a": 0.2, "b": 0.4 / 3, "c": 0.2 / 3})


@pytest.mark.parametrize("capping", ["iterative", "single_pass", "flexible"])
def test_every_kind_of_capping_leaves_the_core_alone(capping):
    weights = weights_of(members_of(btc=1.0, a=70.0, b=20.0, c=10.0), cap=0.2, capping=capping)

    assert weights == pytest.approx({"btc": 0.6, "a": 0.2, "b": 0.4 / 3, "c": 0.2 / 3})


def test_without_a_limit_in_the_way_one_pass_changes_nothing():
    weights = weights_of(members_of(btc=1.0, a=30.0, b=10.0), cap=0.4, capping="single_pass")

    assert weights == pytest.approx({"btc": 0.6, "a": 0.3, "b": 0.1})


def test_the_core_counts_in_the_ceiling_of_its_sector():
    members = members_of(btc=1.0, ltc=50.0, a=30.0, b=20.0)

    weights = weights_of(members, group_caps={"cap": 0.7})

    assert weights == pytest.approx({"btc": 0.6, "ltc": 0.1, "a": 0.18, "b": 0.12})
    with pytest.raises(
        InfeasibleCapError, match=r"the core and the floors of sector Store hold 0\.6, but the sector at most 0\.5"
    ):
        weights_of(members, group_caps={"cap": 0.5})


def test_the_core_is_exempt_from_liquidity_and_the_others_are_not():
    limit = {"capital_usd": 1000.0, "max_volume_share": 1.5}

    weights = weights_of(members_of(btc=1.0, a=80.0, b=10.0, c=10.0), liquidity=limit)

    assert weights == pytest.approx({"btc": 0.6, "a": 0.15, "b": 0.125, "c": 0.125})


def test_a_tilt_leans_the_others_and_leaves_the_core_alone():
    members = members_of(btc=1.0, a=50.0, b=50.0).with_columns(pl.Series("feature:rsi_14d", [90.0, 80.0, 20.0]))

    weights = weights_of(members, tilt={"features": ["rsi_14d"], "strength": 0.5})

    assert weights["btc"] == pytest.approx(0.6)
    assert weights["a"] + weights["b"] == pytest.approx(0.4)
    assert weights["a"] > weights["b"]


@settings(max_examples=100, deadline=None)
@given(
    caps=st.lists(st.floats(1, 1e9), min_size=4, max_size=12),
    core=st.floats(0.05, 0.9),
    method=st.sampled_from(["market_cap", "equal", "sqrt_market_cap"]),
    slack=st.floats(1.01, 3),
)
def test_the_core_is_at_its_share_and_all_weights_sum_to_one(caps, core, method, slack):
    members = members_of(btc=5.0, **{f"t{number}": cap for number, cap in enumerate(caps)})
    cap = min(1.0, slack * (1 - core) / len(caps))

    weights = weights_of(members, core=[{"token_id": "btc", "weight": core}], method=method, cap=cap)

    assert sum(weights.values()) == pytest.approx(1, abs=1e-12)
    assert weights.pop("btc") == pytest.approx(core, abs=1e-12)
    assert all(0 < weight <= cap + 1e-9 for weight in weights.values())


def test_the_core_is_a_constituent_beside_the_selected_and_says_so(market_of, definition_of):
    market = market_of({"btc": flat(100), "a": flat(30), "b": flat(10), "c": flat(5)})
    definition = definition_of(selection={"count": 2}, weighting={"core": CORE})

    first = next(fold(definition, new_state(definition), mondays(1), market.data()))

    assert targets_of(first) == pytest.approx({"btc": 0.6, "a": 0.3, "b": 0.1})
    assert reasons_of(first) == {
        "btc": "core, fixed at 60.0 %",
        "a": "entered at the base (rank 1)",
        "b": "entered at the base (rank 2)",
    }


def test_the_pool_of_the_largest_is_counted_without_the_core(market_of, definition_of):
    market = market_of({"btc": flat(100), "a": flat(30), "b": flat(10), "c": flat(5)})
    market.scores = lambda token_id, date: {"btc": 9.0, "a": 1.0, "b": 2.0, "c": 3.0}[token_id]
    definition = definition_of(
        ranking={"by": "score", "among_largest": 2},
        selection={"count": 1},
        minimum_constituents=1,
        weighting={"core": CORE},
        calendar={"rule": "weekly_model"},
    )

    first = next(fold(definition, new_state(definition), mondays(1), market.data()))

    assert targets_of(first) == pytest.approx({"btc": 0.6, "b": 0.4})


def test_the_core_drifts_between_rebalances_and_goes_back_at_them(market_of, definition_of):
    doubling = {day(offset): 100.0 if offset < 20 else 200.0 for offset in range(60)}
    market = market_of({"btc": doubling, "a": flat(30), "b": flat(10)})
    definition = definition_of(selection={"count": 2}, weighting={"core": CORE})

    results = list(fold(definition, new_state(definition), mondays(5), market.data()))

    held = dict(results[3].compositions.select("token_id", "weight").iter_rows())
    assert held["btc"] == pytest.approx(1.2 / 1.6)
    assert targets_of(results[4])["btc"] == pytest.approx(0.6)  # 1 February
    assert "replaces" not in " ".join(reasons_of(results[4]).values())


def test_members_kept_between_reviews_do_not_take_the_core_in_twice(market_of, definition_of):
    market = market_of({"btc": flat(100), "a": flat(30), "b": flat(10), "c": flat(50, start=20)})
    definition = definition_of(
        selection={"count": 2}, weighting={"core": CORE}, calendar={"rule": "monthly", "review_months": [1]}
    )

    results = list(fold(definition, new_state(definition), mondays(5), market.data()))

    assert targets_of(results[4]) == pytest.approx({"btc": 0.6, "a": 0.3, "b": 0.1})


def test_a_core_without_a_price_makes_the_index_unavailable_with_the_reason(market_of, definition_of):
    market = market_of({"btc": flat(100, start=10), "a": flat(30), "b": flat(10)})
    definition = definition_of(selection={"count": 2}, weighting={"core": CORE})

    first, second = fold(definition, new_state(definition), mondays(2), market.data())

    assert (first.status, first.reason) == ("unavailable", "core token btc: no price so far")
    assert second.status == "available"


def test_a_core_that_stops_trading_suspends_a_rule_index_at_its_next_rebalance(market_of, definition_of):
    market = market_of({"btc": flat(100, days=26), "a": flat(30), "b": flat(10)})
    definition = definition_of(selection={"count": 2}, weighting={"core": CORE})

    results = list(fold(definition, new_state(definition), mondays(6), market.data()))

    assert [result.status for result in results[3:]] == ["available", "unavailable", "unavailable"]
    assert results[4].reason.startswith("rebalance of 2024-02-01: core token btc: no price since 2024-01-26")
    assert results[5].reason.startswith("no valid basket since the rebalance of 2024-02-01")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "weight: 0.6",
            "weight: 0.5",
            "mine.yaml:7: weighting.cap: 0.15 x minimum_constituents 3 = 0.45, but weights must reach 0.5 then, too; "
            "raise the cap to at least 0.1667 or minimum_constituents to 4",
        ),
        (
            "cap: 0.15",
            "cap: 0.05",
            "mine.yaml:7: weighting.cap: 0.05 x selection.count 4 = 0.2, but weights must reach 0.4; "
            "raise the cap to at least 0.1 or select at least 8 tokens",
        ),
        (
            "weight: 0.6}",
            "weight: 0.6}\n    - {token_id: ethereum, weight: 0.4}",
            "mine.yaml:8: weighting.core: its weights add up to 1, which leaves nothing to the selected tokens; "
            "lower them to a sum of less than 1",
        ),
        (
            "weight: 0.6}",
            "weight: 0.3}\n    - {token_id: bitcoin, weight: 0.4}",
            "mine.yaml:8: weighting.core: bitcoin is there more than once; name every token once",
        ),
        (
            "selection:",
            "universe: {exclude_tokens: [bitcoin]}\nselection:",
            "mine.yaml:9: weighting.core: universe.exclude_tokens leaves out bitcoin; take it out of one of the two; "
            "a token of the core is never selected a second time",
        ),
        (
            "count: 4}",
            "count: 4, empty_places: stablecoins}",
            "mine.yaml:8: weighting.core: has a fixed share of what is invested, which selection.empty_places stablecoins would "
            "lower with every empty place; leave one of the two out",
        ),
        (
            "token_id: bitcoin",
            "token: bitcoin",
            "mine.yaml:9: weighting.core.0.token: unknown key; did you mean 'token_id'?",
        ),
    ],
)
def test_a_wrong_core_says_what_to_change(old, new, problem):
    assert problem in problems_of(TEXT.replace(old, new))


def test_the_shipped_barbells_differ_by_the_model_alone():
    definitions = {each.index_id: each for each in load_definitions(DEFINITIONS_FOLDER)}

    barbell, twin = definitions["barbell"], definitions[definitions["barbell"].twin]

    assert barbell.weighting == twin.weighting
    assert barbell.universe == twin.universe
    assert barbell.eligibility == twin.eligibility
    assert (barbell.ranking.by, twin.ranking.by) == ("score", "market_cap_usd")
    assert barbell.weighting.core_weights == {"bitcoin": 0.6}
