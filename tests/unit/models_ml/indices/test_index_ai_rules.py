"""What model-driven indices add: calls that keep tokens out, turns in the middle of the week, ceilings lowered by volatility."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from models_ml.indices.engine import fold
from models_ml.indices.limits import bounds_on
from models_ml.indices.market import MarketState
from models_ml.indices.past_returns import PastReturns
from models_ml.indices.state import new_state
from models_ml.indices.weighting import weigh
from models_ml.indices.weighting_rules import Weighting
from tests.unit.models_ml.indices.folds import START, day, flat, mondays, reasons_of, targets_of, weights_of

MODEL = {"calendar": {"rule": "weekly_model"}, "ranking": {"by": "score"}, "weighting": {"method": "equal"}}
ABOVE, BELOW_ONE, BELOW_BOTH = MarketState(95, 90, 80), MarketState(85, 90, 80), MarketState(70, 90, 80)


def scored(market, **scores):
    market.scores = lambda token_id, date: scores.get(token_id)
    return market


def test_a_token_that_turns_bearish_leaves_for_the_next_best_and_the_reason_says_so(market_of, definition_of):
    definition = definition_of(
        **MODEL, selection={"count": 2, "exit_rank": 3}, eligibility={"leave_out_calls": ["bearish"]}
    )
    market = scored(market_of({name: flat(10) for name in "abc"}), a=3.0, b=2.0, c=1.0)
    market.calls = lambda token_id, date: {"a": -1}.get(token_id) if date >= day(13) else None

    first, second = fold(definition, new_state(definition), mondays(2), market.data())

    assert targets_of(first) == {"a": 0.5, "b": 0.5}
    assert targets_of(second) == {"a": 0.0, "b": 0.5, "c": 0.5}
    assert reasons_of(second)["a"] == "left: it turned bearish, replaced by C"
    assert reasons_of(second)["c"] == "entered (rank 2), replaces A"


@pytest.mark.parametrize(("left_out", "held"), [(["bearish"], {"a", "b", "d"}), (["bearish", "neutral"], {"a", "d"})])
def test_calls_that_are_left_out(market_of, definition_of, left_out, held):
    definition = definition_of(**MODEL, selection={"count": 4}, eligibility={"leave_out_calls": left_out})
    market = scored(market_of({name: flat(10) for name in "abcd"}), a=4.0, b=3.0, c=2.0, d=1.0)
    market.calls = lambda token_id, date: {"a": 1, "b": 0, "c": -1}.get(token_id)  # d has none

    (result,) = fold(definition, new_state(definition), mondays(1), market.data())

    assert set(targets_of(result)) == held


def test_calls_that_leave_too_few_send_all_into_the_stablecoin_and_back(market_of, definition_of):
    definition = definition_of(
        **MODEL,
        rotation={"min_hold_days": 14},
        selection={"count": 2},
        eligibility={"leave_out_calls": ["bearish"]},
        minimum_constituents=2,
    )
    prices = {"a": flat(10), "b": flat(20), "c": flat(30), "usd": flat(1)}
    market = scored(market_of(prices, is_stable={"usd": True}), a=3.0, b=2.0, c=1.0)
    market.bitcoin = lambda date: ABOVE
    market.calls = lambda token_id, date: -1 if date == day(13) and token_id in {"a", "b"} else 1

    _, second, third, fourth = fold(definition, new_state(definition), mondays(4), market.data())

    assert targets_of(second) == {"a": 0.0, "b": 0.0, "usd": 1.0}
    assert reasons_of(second)["usd"] == (
        "rotated into stables: 100.0 % of the index, 2 of its tokens are called bearish, which leaves 1, at least 2 needed"
    )
    assert reasons_of(second)["a"] == "left: rotated into stables"
    assert third.rebalances.is_empty()  # the minimum hold keeps it there for two weeks
    assert targets_of(fourth) == {"a": 0.5, "b": 0.5, "usd": 0.0}


def test_without_scores_nothing_is_parked_and_holdings_stay(market_of, definition_of):
    definition = definition_of(**MODEL, rotation={}, eligibility={"leave_out_calls": ["bearish"]})
    market = scored(market_of({"a": flat(10), "b": flat(20), "usd": flat(1)}, is_stable={"usd": True}), a=3.0, b=2.0)
    scores = market.scores
    market.scores = lambda token_id, date: scores(token_id, date) if date < day(13) else None
    market.bitcoin = lambda date: ABOVE

    _, second = fold(definition, new_state(definition), mondays(2), market.data())

    assert second.rebalances.is_empty()
    assert (
        second.reason
        == "no new target, holdings stay: 0 eligible constituents at the close of 2024-01-14, at least 2 needed"
    )


def test_a_market_that_turns_parks_all_even_where_too_few_pass(market_of, definition_of):
    definition = definition_of(**MODEL, rotation={}, eligibility={"min_market_cap_usd": 5e6})
    fallen = flat(10) | {day(offset): 1.0 for offset in range(10, 120)}
    market = scored(market_of({"a": fallen, "b": flat(20), "usd": flat(1)}, is_stable={"usd": True}), a=3.0, b=2.0)
    market.bitcoin = lambda date: ABOVE if date < day(13) else BELOW_BOTH

    _, second = fold(definition, new_state(definition), mondays(2), market.data())

    assert targets_of(second) == {"a": 0.0, "b": 0.0, "usd": 1.0}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"eligibility": {"leave_out_calls": ["bearish"]}}, "eligibility.leave_out_calls"),
        ({"rotation": {"trigger": "daily"}}, "rotation.trigger"),
    ],
)
def test_what_is_known_a_day_later_is_refused_where_the_index_trades_at_once(definition_of, fields, field):
    with pytest.raises(ValidationError) as refused:
        definition_of(**fields)
    assert field in str(refused.value)
    assert "calendar.rule monthly trades at" in str(refused.value)


def turning(market_of, definition_of, states, **rotation):
    """Three weeks of an equally weighted index beside a stablecoin; `states` gives Bitcoin by offset, else above both averages."""
    definition = definition_of(**MODEL, rotation={"trigger": "daily"} | rotation)
    prices = {"a": flat(10), "b": flat(20), "usd": flat(1)}
    market = scored(market_of(prices, is_stable={"usd": True}), a=1.0, b=2.0)
    market.bitcoin = lambda date: states.get((date - START).days, ABOVE)
    return list(fold(definition, new_state(definition), mondays(4), market.data()))


def trades_of(result):
    """Effective day and share in the stablecoin of each rebalance."""
    rows = result.rebalances.sort("effective_at")
    return [
        (instant.date(), dict(part.select("token_id", "target_weight").iter_rows()).get("usd", 0.0))
        for (instant,), part in rows.partition_by("effective_at", as_dict=True).items()
    ]


def test_a_daily_trigger_trades_one_day_after_the_close_that_asks_for_it(market_of, definition_of):
    wednesday, friday = 9, 11
    states = {wednesday: BELOW_ONE, wednesday + 1: BELOW_ONE, friday: ABOVE}

    _, second, *_ = turning(market_of, definition_of, states)

    # Wednesday's close is known at Thursday 00:00 and traded at Thursday's close, which ends at Friday 00:00.
    assert trades_of(second) == [(day(wednesday + 2), pytest.approx(0.5)), (day(friday + 2), 0.0)]
    assert (
        "BTC 85 USD is below its 100-day average 90 USD"
        in (second.rebalances.filter(pl.col("token_id") == "usd")["reason"].to_list()[0])
    )


def test_a_weekly_trigger_waits_for_sunday(market_of, definition_of):
    _, second, *_ = turning(market_of, definition_of, {9: BELOW_ONE, 10: BELOW_ONE}, trigger="weekly")

    assert trades_of(second) == []


def test_out_of_the_market_and_back_within_a_week(market_of, definition_of):
    states = {8: BELOW_BOTH, 9: BELOW_BOTH, 10: BELOW_BOTH}

    _, second, third, _ = turning(market_of, definition_of, states)

    assert trades_of(second) == [(day(10), pytest.approx(1.0)), (day(13), 0.0)]
    assert weights_of(second) == pytest.approx({"a": 0.5, "b": 0.5})
    assert third.levels["level"].to_list() == pytest.approx([1000.0] * 7)


def test_a_minimum_hold_binds_the_daily_trigger(market_of, definition_of):
    states = dict.fromkeys((8, 9, 10), BELOW_ONE)

    _, second, third, _ = turning(market_of, definition_of, states, min_hold_days=5)

    # Traded at day 10; the close of day 11 asks to turn back, which the hold forbids until day 15: Sunday's decision does it.
    assert trades_of(second) == [(day(10), pytest.approx(0.5)), (day(15), 0.0)]
    assert trades_of(third) == []


@pytest.mark.parametrize("seed", range(6))
def test_a_daily_trigger_holds_what_the_close_before_last_asked_for(walk_of, definition_of, seed):
    """At the end of every day the share in stables is what BTC's averages said one close earlier."""
    market = walk_of(seed=seed, first=START, days=7 * 12)
    definition = definition_of(**MODEL, rotation={"trigger": "daily"}, minimum_constituents=1)

    results = list(fold(definition, new_state(definition), mondays(12), market.data()))
    shares = {
        instant.date(): sum(
            weight
            for weight, reason in part.select("target_weight", "reason").iter_rows()
            if reason.startswith("rotated into stables")
        )
        for result in results
        for (instant,), part in result.rebalances.partition_by("effective_at", as_dict=True).items()
    }
    started = min(shares)
    held, checked = None, 0
    for offset in range(7 * 11):
        date = day(offset)
        held = shares.get(date, held)
        if date <= started or held is None:
            continue
        state = market.bitcoin(date - dt.timedelta(days=2))
        wanted = 0.5 * (state.btc_price_usd < state.btc_sma_100_usd) + 0.5 * (
            state.btc_price_usd < state.btc_sma_200_usd
        )
        assert held == pytest.approx(wanted), date
        checked += 1
    assert checked > 50


def test_a_restless_constituent_has_a_lower_ceiling():
    members = pl.DataFrame({"token_id": ["calm", "median", "wild"], "market_cap_usd": [1.0, 1.0, 98.0]})
    swings = np.array([[0.01, 0.02, 0.08], [-0.01, -0.02, -0.08]] * 30)
    past = PastReturns(swings, np.array([True, True, True]))
    weighting = Weighting(cap=0.6, volatility_cap=True)

    shares, weights = weigh(members, weighting, past=lambda days: past)
    bounds = bounds_on(members, shares, weighting, past=lambda days: past)

    # The median moves 2 % a day, the wild one 8 %: a quarter of the ceiling; calm and median keep all of theirs.
    assert bounds.upper.tolist() == pytest.approx([0.6, 0.6, 0.15])
    assert bounds.kinds == ("cap", "cap", "volatility")
    assert weights.to_list() == pytest.approx([0.425, 0.425, 0.15])


def test_a_token_without_enough_closes_keeps_its_ceiling():
    members = pl.DataFrame({"token_id": ["new", "old"], "market_cap_usd": [98.0, 2.0]})
    past = PastReturns(np.full((30, 2), 0.01), np.array([False, False]))

    shares, weights = weigh(members, Weighting(cap=0.7, volatility_cap=True), past=lambda days: past)

    assert shares.to_list() == pytest.approx([0.98, 0.02])
    assert weights.to_list() == pytest.approx([0.7, 0.3])


def test_volatility_ceilings_without_returns_are_refused():
    members = pl.DataFrame({"token_id": ["a", "b"], "market_cap_usd": [1.0, 1.0]})

    with pytest.raises(ValueError, match="volatility_cap rests on past returns"):
        weigh(members, Weighting(volatility_cap=True))
