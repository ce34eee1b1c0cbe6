"""What must always hold of the fold, on random markets in which tokens appear, halt and die."""

import datetime as dt
import itertools

import polars as pl
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from models_ml.indices.engine import advance, fold
from models_ml.indices.state import new_state, state_from_rows
from tests.examples import examples

START = dt.date(2024, 1, 1)
WEEKS = [START + dt.timedelta(days=7 * week) for week in range(1, 27)]
DAYS = 7 * 27
KINDS = st.sampled_from(
    [
        "monthly",
        "capped",
        "dated",
        "model",
        "rotating",
        "tilted",
        "places",
        "rotating_places",
        "turning",
        "core",
        "floored",
    ]
)
MARKETS = examples(6, many=25)


@pytest.fixture(scope="session")
def index_of(definition_of):
    """Makes one of several kinds of index over the random market."""

    def make(kind):
        model = {"calendar": {"rule": "weekly_model"}, "ranking": {"by": "score", "among_largest": 8}}
        places = {
            "calendar": {"rule": "weekly_model"},
            "eligibility": {"features": [{"feature": "rsi_14d", "at_least": 55}]},
            "ranking": {"by": "feature", "feature": "rsi_14d", "among_largest": 6},
            "selection": {"count": 4, "exit_rank": 5, "empty_places": "stablecoins"},
        }
        fields = {
            "monthly": {},
            "capped": {"weighting": {"cap": 0.4, "floor": 0.05}, "minimum_constituents": 4, "selection": {"count": 5}},
            "dated": {"base": {"date": "2024-01-17"}, "weighting": {"method": "equal"}},
            "model": model,
            "tilted": {"weighting": {"tilt": {"features": ["rsi_14d"], "strength": 0.8}, "cap": 0.6}},
            "places": places | {"weighting": {"method": "equal"}},
            "rotating_places": places | {"rotation": {}, "weighting": {"cap": 0.4}},
            "rotating": model | {"rotation": {"min_hold_days": 8}, "selection": {"count": 3, "exit_rank": 5}},
            "turning": model
            | {
                "rotation": {"trigger": "daily"},
                "weighting": {"volatility_cap": True, "volatility_days": 10, "cap": 0.5},
            },
            "core": {"weighting": {"core": [{"token_id": "t01", "weight": 0.4}], "cap": 0.4}},
            "floored": model | {"rotation": {"floor_share": 0.3, "min_hold_days": 8}, "weighting": {"method": "equal"}},
        }
        return definition_of(**fields[kind])

    return make


def rows_of(results, table):
    return pl.concat([getattr(result, table) for result in results])


def same(left, right):
    return (
        (left.status, left.reason) == (right.status, right.reason)
        and left.levels.equals(right.levels)
        and left.rebalances.equals(right.rebalances)
        and left.compositions.equals(right.compositions)
    )


@MARKETS
@given(seed=st.integers(0, 10**6), kind=KINDS)
def test_a_state_rebuilt_from_published_rows_continues_as_the_one_carried_in_memory(seed, kind, walk_of, index_of):
    definition, data = index_of(kind), walk_of(seed=seed, first=START, days=DAYS).data()
    carried = list(fold(definition, new_state(definition), WEEKS, data))

    state, rebuilt = new_state(definition), []
    for week in WEEKS:
        rebuilt.append(advance(definition, state, week, data))
        tables = [rows_of(rebuilt, table).reverse() for table in ("rebalances", "levels", "compositions")]
        state = state_from_rows(definition, *tables)
        assert state == rebuilt[-1].state

    for one, other in zip(carried, rebuilt, strict=True):
        assert one.status == other.status
        assert one.levels["level"].to_list() == pytest.approx(other.levels["level"].to_list(), rel=1e-12)
        assert one.compositions["weight"].to_list() == pytest.approx(other.compositions["weight"].to_list(), abs=1e-12)
        assert one.rebalances.equals(other.rebalances)


@MARKETS
@given(seed=st.integers(0, 10**6), kind=KINDS, position=st.integers(1, len(WEEKS) - 1))
def test_a_single_week_is_reproduced_from_all_that_was_published_since(seed, kind, position, walk_of, index_of):
    definition, data = index_of(kind), walk_of(seed=seed, first=START, days=DAYS).data()
    results = list(fold(definition, new_state(definition), WEEKS, data))
    tables = [rows_of(results, table) for table in ("rebalances", "levels", "compositions")]

    state = state_from_rows(definition, *tables, as_of_week=WEEKS[position - 1])

    assert same(advance(definition, state, WEEKS[position], data), results[position])


@MARKETS
@given(seed=st.integers(0, 10**6), kind=KINDS, position=st.integers(1, len(WEEKS)))
def test_prices_after_a_week_change_nothing_in_it(seed, kind, position, walk_of, index_of):
    definition, market = index_of(kind), walk_of(seed=seed, first=START, days=DAYS)
    weeks = WEEKS[:position]

    full = list(fold(definition, new_state(definition), weeks, market.data()))
    asked = list(market.asked)
    cut = list(fold(definition, new_state(definition), weeks, market.data(until=weeks[-1] - dt.timedelta(days=1))))

    assert all(same(one, other) for one, other in zip(full, cut, strict=True))
    assert all(date < weeks[-1] for date in asked)


@MARKETS
@given(seed=st.integers(0, 10**6), kind=KINDS)
def test_weights_sum_to_one_and_every_row_says_why(seed, kind, walk_of, index_of):
    definition, data = index_of(kind), walk_of(seed=seed, first=START, days=DAYS).data()

    results = list(fold(definition, new_state(definition), WEEKS, data))

    compositions = rows_of(results, "compositions")
    targets = rows_of(results, "rebalances")
    sums = compositions.group_by("as_of_week").agg(pl.col("weight").sum())["weight"].to_list()
    sums += targets.group_by("effective_at").agg(pl.col("target_weight").sum())["target_weight"].to_list()
    assert sums == pytest.approx([1.0] * len(sums), abs=1e-12)
    assert (compositions["reason"].str.len_chars() > 0).all()
    assert (targets["reason"].str.len_chars() > 0).all()
    assert compositions.select("as_of_week", "token_id").is_duplicated().sum() == 0
    assert targets.select("effective_at", "token_id").is_duplicated().sum() == 0
    for before, after in itertools.pairwise(results):
        if before.status == after.status == "available":
            left = before.compositions.join(after.compositions, on="token_id", how="anti")["weight"].sum()
            assert after.compositions["weight_change"].sum() == pytest.approx(left, abs=1e-9)


@MARKETS
@given(seed=st.integers(0, 10**6), kind=KINDS)
def test_levels_follow_the_target_weights_from_rebalance_to_rebalance(seed, kind, walk_of, index_of):
    definition, data = index_of(kind), walk_of(seed=seed, first=START, days=DAYS).data()
    results = list(fold(definition, new_state(definition), WEEKS, data))
    published = dict(rows_of(results, "levels").select("date", "level").iter_rows())

    expected = levels_by_hand(rows_of(results, "rebalances"), data, base=definition.base.level)

    assert published
    for date, level in published.items():
        assert level == pytest.approx(expected[date], rel=1e-9)


@MARKETS
@given(seed=st.integers(0, 10**6), kind=KINDS, factor=st.floats(0.1, 10))
@example(seed=0, kind="turning", factor=2.0)
def test_a_correction_of_prices_before_the_last_rebalance_moves_nothing_after_it(seed, kind, factor, walk_of, index_of):
    definition, market = index_of(kind), walk_of(seed=seed, first=START, days=DAYS)
    results = list(fold(definition, new_state(definition), WEEKS[:13], market.data()))
    tables = [rows_of(results[:12], table) for table in ("rebalances", "levels", "compositions")]
    state = state_from_rows(definition, *tables)
    assume(state.is_started)
    # The oldest price the state can rest on: bought at this close, at a price that could be three days old. A ceiling by
    # volatility is decided anew, from the returns of that many days before.
    look_back_days = definition.weighting.volatility_days if definition.weighting.volatility_cap else 0
    oldest = state.rebalances[0].close_date - dt.timedelta(days=3 + look_back_days)
    corrected = pl.when(pl.col("market_date") < oldest).then(pl.col("price_usd") * factor).otherwise("price_usd")
    market.prices = market.prices.with_columns(price_usd=corrected)

    later = advance(definition, state, WEEKS[12], market.data())

    assert same(later, results[12])


def levels_by_hand(rebalances, data, *, base):
    """The slow, obvious way: multiply the level by the weighted price ratios of each day since the last rebalance."""
    trades = {}
    for effective_at, token_id, weight in rebalances.select("effective_at", "token_id", "target_weight").iter_rows():
        trades.setdefault(effective_at.date() - dt.timedelta(days=1), {})[token_id] = weight
    levels, held, bought = {}, {}, None
    last = {}
    prices = {}
    for date, token_id, price in data.prices.iter_rows():
        prices.setdefault(date, {})[token_id] = price
    anchor = base
    for offset in range(DAYS):
        date = START + dt.timedelta(days=offset)
        last |= prices.get(date, {})
        if held:
            levels[date] = anchor * sum(
                weight * last[token] / bought[token] for token, weight in held.items() if weight
            )
        if date in trades:
            anchor = levels.get(date, base)
            levels[date] = anchor
            held, bought = trades[date], dict(last)
    return levels
