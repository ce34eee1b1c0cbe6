"""Weighting inside the weekly fold: reasons, turnover from month to month, risk from past prices, refusals."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models_ml.indices.engine import advance, fold
from models_ml.indices.market import MarketState
from models_ml.indices.state import new_state, state_from_rows
from tests.unit.models_ml.indices.folds import START, day, flat, mondays, reasons_of, targets_of

WEEKS = [START + dt.timedelta(days=7 * week) for week in range(1, 27)]
DAYS = 7 * 27


def first_of(definition, market):
    return advance(definition, new_state(definition), day(7), market.data())


def test_every_limit_that_moved_a_weight_is_said_in_its_reason(market_of, definition_of):
    definition = definition_of(
        selection={"count": 5},
        minimum_constituents=3,
        weighting={
            "rank_caps": [0.4],
            "cap": 0.3,
            "group_caps": {"exceptions": [{"group": "Meme", "cap": 0.2}]},
            "liquidity": {"capital_usd": 1e6, "max_volume_share": 0.1},
        },
    )
    market = market_of(
        {"big": flat(50), "dog": flat(20), "cat": flat(10), "slow": flat(15), "tiny": flat(1)},
        sector={"dog": "Meme", "cat": "Meme"},
        volume_30d_median_usd={"slow": 1e6},
    )

    result = first_of(definition, market)

    assert targets_of(result) == pytest.approx({"big": 0.4, "dog": 0.4 / 3, "cat": 0.2 / 3, "slow": 0.1, "tiny": 0.3})
    assert reasons_of(result) == {
        "big": "entered at the base (rank 1); capped from 52.1 % to 40.0 %",
        "cat": "entered at the base (rank 4); sector Meme capped from 31.2 % to 20.0 %",
        "dog": "entered at the base (rank 2); sector Meme capped from 31.2 % to 20.0 %",
        "slow": "entered at the base (rank 3); capped from 15.6 % to 10.0 % by its liquidity",
        "tiny": "entered at the base (rank 5); held at the cap of 30.0 %",
    }


def test_a_floor_and_a_sector_pushed_to_its_ceiling_are_said_too(market_of, definition_of):
    definition = definition_of(weighting={"floor": 0.14, "group_caps": {"cap": 0.5}})
    market = market_of({"a": flat(60), "b": flat(34), "c": flat(6)}, sector={"a": "L1", "b": "Gaming", "c": "Gaming"})

    result = first_of(definition, market)

    assert targets_of(result) == pytest.approx({"a": 0.5, "b": 0.36, "c": 0.14})
    assert reasons_of(result) == {
        "a": "entered at the base (rank 1); sector L1 capped from 60.0 % to 50.0 %",
        "b": "entered at the base (rank 2); sector Gaming held at its cap of 50.0 %",
        "c": "entered at the base (rank 3); raised from 6.0 % to 14.0 % by the floor; "
        "sector Gaming held at its cap of 50.0 %",
    }


def test_a_sector_that_only_takes_up_what_another_gives_up_has_no_limit_in_its_reason(market_of, definition_of):
    definition = definition_of(weighting={"group_caps": {"cap": 0.5}})
    market = market_of({"a": flat(60), "b": flat(30), "c": flat(10)}, sector={"a": "L1", "b": "Gaming", "c": "AI"})

    result = first_of(definition, market)

    assert targets_of(result) == pytest.approx({"a": 0.5, "b": 0.375, "c": 0.125})
    assert reasons_of(result)["b"] == "entered at the base (rank 2)"


def test_a_flexible_ceiling_is_said_with_its_way(market_of, definition_of):
    definition = definition_of(weighting={"cap": 0.5, "capping": "flexible"})
    prices = {"a": flat(50), "b": flat(30), "c": flat(20)}
    prices["a"] |= {day(offset): 150.0 for offset in range(20, 120)}

    *_, february = fold(definition, new_state(definition), mondays(5), market_of(prices).data())

    assert targets_of(february) == pytest.approx({"a": 0.625, "b": 0.225, "c": 0.15})
    assert reasons_of(february)["a"] == (
        "stays (rank 1); capped from 75.0 % to 62.5 %, half way from its present weight to the cap"
    )


def test_limits_no_weights_can_meet_make_the_index_unavailable_with_the_reason_until_they_can(market_of, definition_of):
    definition = definition_of(weighting={"group_caps": {"cap": 0.5}})
    market = market_of({"a": flat(10), "b": flat(20), "other": flat(5, start=9)}, sector={"other": "L1"})

    refused, weighed = fold(definition, new_state(definition), mondays(2), market.data())

    assert refused.status == "unavailable"
    assert refused.reason == (
        "no weights at the close of 2024-01-07: the ceilings of sectors (DeFi 0.5) and of their constituents let the "
        "index hold only 0.5, but weights must reach 1; raise weighting.group_caps, or hold constituents of more sectors"
    )
    assert weighed.status == "available"
    assert targets_of(weighed) == pytest.approx({"a": 1 / 6, "b": 1 / 3, "other": 0.5})


def test_a_running_index_that_can_no_longer_be_weighed_is_unavailable_and_says_so(market_of, definition_of):
    definition = definition_of(weighting={"group_caps": {"cap": 0.5}})
    market = market_of({"a": flat(10), "b": flat(20), "other": flat(5, days=29)}, sector={"other": "L1"})

    *_, failed, waiting = fold(definition, new_state(definition), mondays(6), market.data())

    assert failed.reason.startswith(
        "rebalance of 2024-02-01: no weights at the close of 2024-01-31: the ceilings of sectors"
    )
    assert waiting.reason == (
        "no valid basket since the rebalance of 2024-02-01, which found fewer than 2 eligible constituents, or no "
        "weights inside its limits"
    )


def test_a_turnover_limit_is_spread_over_several_months_and_leavers_go_by_parts(market_of, definition_of):
    definition = definition_of(selection={"count": 2}, weighting={"method": "equal", "max_turnover": 0.3})
    prices = {"a": flat(30), "old": flat(20), "new": flat(25, start=20)}

    results = list(fold(definition, new_state(definition), mondays(13), market_of(prices).data()))

    base, february, march, _ = [result for result in results if result.rebalances.height]
    assert targets_of(base) == pytest.approx({"a": 0.5, "old": 0.5})
    assert targets_of(february) == pytest.approx({"a": 0.5, "new": 0.3, "old": 0.2})
    assert reasons_of(february) == {
        "a": "stays (rank 1)",
        "new": "entered (rank 2), replaces OLD; moved from 0.0 % to 30.0 % on the way to 50.0 % (turnover limit 30.0 %)",
        "old": "leaves (rank 3); moved from 50.0 % to 20.0 % on the way out (turnover limit 30.0 %)",
    }
    assert targets_of(march) == pytest.approx({"a": 0.5, "new": 0.5, "old": 0.0})
    assert reasons_of(march)["old"] == "left (rank 3)"


def test_under_a_turnover_limit_a_weight_that_drifted_over_its_ceiling_comes_down_by_parts(market_of, definition_of):
    definition = definition_of(weighting={"cap": 0.5, "max_turnover": 0.1})
    prices = {"a": flat(10), "b": flat(10), "c": flat(10)}
    prices["a"] |= {day(offset): 80.0 for offset in range(20, 120)}

    *_, february = fold(definition, new_state(definition), mondays(5), market_of(prices).data())

    assert targets_of(february) == pytest.approx({"a": 0.7, "b": 0.15, "c": 0.15})
    assert reasons_of(february)["a"] == (
        "stays (rank 1); capped from 80.0 % to 50.0 %; moved from 80.0 % to 70.0 % on the way to 50.0 % "
        "(turnover limit 10.0 %)"
    )


def test_a_constituent_that_stopped_trading_goes_at_once_whatever_the_turnover_limit(market_of, definition_of):
    definition = definition_of(weighting={"method": "equal", "max_turnover": 0.05})
    prices = {"a": flat(10), "b": flat(10), "dead": flat(10, days=20)}

    *_, february = fold(definition, new_state(definition), mondays(5), market_of(prices).data())

    assert targets_of(february) == pytest.approx({"a": 0.5, "b": 0.5, "dead": 0.0})
    assert reasons_of(february)["dead"] == "left: no price since 2024-01-20"


def test_a_model_driven_index_goes_on_towards_what_the_turnover_limit_put_off(market_of, definition_of):
    definition = definition_of(
        calendar={"rule": "weekly_model", "retrade_band": 0.2},
        ranking={"by": "score"},
        selection={"count": 2},
        weighting={"method": "equal", "max_turnover": 0.15},
    )
    market = market_of({"a": flat(10), "old": flat(10), "new": flat(10)})
    scores = {"a": 3.0, "old": 2.0, "new": 1.0}
    market.scores = lambda token_id, date: (scores | ({"new": 9.0} if date > day(7) else {}))[token_id]

    results = list(fold(definition, new_state(definition), mondays(6), market.data()))

    # From the second step on no weight moves by more than the band, but `old` is no constituent any more.
    assert [targets_of(result) for result in results] == [
        pytest.approx({"a": 0.5, "old": 0.5}),
        pytest.approx({"a": 0.5, "new": 0.15, "old": 0.35}),
        pytest.approx({"a": 0.5, "new": 0.30, "old": 0.20}),
        pytest.approx({"a": 0.5, "new": 0.45, "old": 0.05}),
        pytest.approx({"a": 0.5, "new": 0.5, "old": 0.0}),
        {},
    ]


def test_a_turnover_limit_does_not_hold_up_a_rotation_into_stables(market_of, definition_of):
    definition = definition_of(
        calendar={"rule": "weekly_model"},
        ranking={"by": "score"},
        weighting={"method": "equal", "max_turnover": 0.1},
        rotation={},
    )
    market = market_of({"a": flat(10), "b": flat(20), "usd": flat(1)}, is_stable={"usd": True})
    market.scores = lambda token_id, date: 1.0
    states = [MarketState(100, 90, 80), MarketState(70, 90, 80), MarketState(100, 90, 80)]
    market.bitcoin = lambda date: states[min((date - START).days // 7, 2)]

    results = list(fold(definition, new_state(definition), mondays(3), market.data()))

    assert [targets_of(result) for result in results] == [
        {"a": 0.5, "b": 0.5},
        {"a": 0.0, "b": 0.0, "usd": 1.0},
        {"a": 0.5, "b": 0.5, "usd": 0.0},
    ]


def test_inverse_volatility_is_measured_from_the_closes_up_to_the_snapshot(market_of, definition_of):
    definition = definition_of(weighting={"method": "inverse_volatility", "volatility_days": 20})
    rng = np.random.default_rng(3)
    moves = {"calm": rng.normal(0, 0.01, DAYS), "wild": rng.normal(0, 0.05, DAYS)}
    prices = {
        token_id: {day(offset): float(close) for offset, close in enumerate(10 * np.cumprod(1 + steps))}
        for token_id, steps in moves.items()
    }

    *_, february = fold(definition, new_state(definition), mondays(5), market_of(prices).data())

    # The snapshot is the close of 31 January, day 30: the moves of days 11 to 30.
    inverse = {token_id: 1 / steps[11:31].std(ddof=1) for token_id, steps in moves.items()}
    expected = {token_id: value / sum(inverse.values()) for token_id, value in inverse.items()}
    assert targets_of(february) == pytest.approx(expected)


def test_a_free_float_among_the_candidates_reaches_the_weights(market_of, definition_of):
    definition = definition_of(weighting={"method": "free_float_cap"})
    market = market_of({"a": flat(10), "b": flat(10)})
    data, plain = market.data(), market.candidates
    with_float = pl.when(pl.col("token_id") == "a").then(0.5).alias("free_float_share")
    object.__setattr__(data, "candidates", lambda date: plain(date).with_columns(with_float))

    result = advance(definition, new_state(definition), day(7), data)

    assert targets_of(result) == pytest.approx({"a": 1 / 3, "b": 2 / 3})
    assert targets_of(first_of(definition, market)) == pytest.approx({"a": 0.5, "b": 0.5})


def test_a_token_without_volume_is_no_constituent_where_volume_weighs(market_of, definition_of):
    fields = {"eligibility": {"min_volume_to_cap": 0}}
    blend = [{"method": "equal", "share": 0.5}, {"method": "volume", "share": 0.5}]
    market = market_of({"a": flat(10), "b": flat(10), "none": flat(10)}, volume_30d_median_usd={"b": 3e9, "none": 0.0})

    weighed = first_of(definition_of(**fields, weighting={"blend": blend}), market)
    plain = first_of(definition_of(**fields), market)

    assert targets_of(weighed) == pytest.approx({"a": 0.375, "b": 0.625})
    assert set(targets_of(plain)) == {"a", "b", "none"}


def test_between_reviews_a_constituent_that_lost_what_its_weight_rests_on_leaves(market_of, definition_of):
    definition = definition_of(
        calendar={"rule": "monthly", "review_months": [1]},
        weighting={"blend": [{"method": "equal", "share": 0.5}, {"method": "volume", "share": 0.5}]},
    )
    market = market_of({"a": flat(10), "b": flat(10), "quiet": flat(10)})
    data, plain = market.data(), market.candidates
    silenced = pl.when(pl.col("token_id") != "quiet").then("volume_30d_median_usd").alias("volume_30d_median_usd")
    object.__setattr__(
        data, "candidates", lambda date: plain(date).with_columns(silenced) if date > day(20) else plain(date)
    )

    *_, february = fold(definition, new_state(definition), mondays(5), data)

    assert targets_of(february) == pytest.approx({"a": 0.5, "b": 0.5, "quiet": 0.0})
    assert reasons_of(february)["quiet"] == "left: its volume is unknown"


WEIGHTINGS = {
    "inverse_volatility": {"method": "inverse_volatility", "volatility_days": 20, "cap": 0.5},
    "risk_parity": {"method": "risk_parity", "covariance_days": 20},
    "hierarchical": {"method": "hierarchical_risk_parity", "covariance_days": 20, "max_turnover": 0.2},
    "minimum_variance": {"method": "minimum_variance", "covariance_days": 20, "floor": 0.02},
    "blend": {
        "blend": [{"method": "rank", "share": 0.5}, {"method": "inverse_volatility", "share": 0.5}],
        "volatility_days": 20,
        "liquidity": {"capital_usd": 1e9, "max_volume_share": 0.5},
    },
    "flexible": {"cap": 0.3, "capping": "flexible", "max_turnover": 0.3},
}


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), kind=st.sampled_from(sorted(WEIGHTINGS)), position=st.integers(4, 14))
def test_weights_sum_to_one_say_why_reproduce_and_know_nothing_of_later_prices(
    seed, kind, position, walk_of, definition_of
):
    definition = definition_of(
        weighting=WEIGHTINGS[kind], selection={"count": 5, "exit_rank": 6}, minimum_constituents=4
    )
    market = walk_of(seed=seed, first=START, days=DAYS)
    weeks = WEEKS[:position]

    full = list(fold(definition, new_state(definition), weeks, market.data()))
    cut = list(fold(definition, new_state(definition), weeks, market.data(until=weeks[-1] - dt.timedelta(days=1))))

    tables = [
        pl.concat([getattr(result, table) for result in full]) for table in ("rebalances", "levels", "compositions")
    ]
    state = state_from_rows(definition, *tables, as_of_week=weeks[-2])
    assert advance(definition, state, weeks[-1], market.data()).rebalances.equals(full[-1].rebalances)
    assert any(result.rebalances.height for result in full)
    for result, same in zip(full, cut, strict=True):
        assert result.rebalances.equals(same.rebalances)
        assert result.levels.equals(same.levels)
        sums = result.rebalances.group_by("effective_at").agg(pl.col("target_weight").sum())["target_weight"].to_list()
        assert sums == pytest.approx([1.0] * len(sums), abs=1e-11)
        assert (result.rebalances["reason"].str.len_chars() > 0).all()
