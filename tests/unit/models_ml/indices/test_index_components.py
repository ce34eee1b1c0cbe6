"""Indices of indices: set back by the calendar, looked through in between, and nothing but what was published is needed."""

import datetime as dt
import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_ml.indices.components import ComponentHistory, Components
from models_ml.indices.engine import advance, fold
from models_ml.indices.errors import StateError
from models_ml.indices.state import new_state, state_from_rows
from tests.examples import examples
from tests.unit.models_ml.indices.folds import START, day, flat, mondays, reasons_of, targets_of, weights_of

DAYS = 7 * 24
WEEKS = mondays(23)
MARKETS = examples(3, many=10)
TABLES = ("rebalances", "levels", "compositions")
MODEL = {"calendar": {"rule": "weekly_model"}, "ranking": {"by": "score", "among_largest": 8}}
MIXED = {"top": 0.4, "scored": 0.35, "parked": 0.25}


@pytest.fixture(scope="session")
def parts_of(definition_of):
    """Definitions of three components: by rule, by score, and by score with a rotation into stables on any day of the week."""
    return [
        definition_of(index_id="top", weighting={"cap": 0.5}),
        definition_of(index_id="scored", **MODEL),
        definition_of(index_id="parked", **MODEL, rotation={"min_hold_days": 8, "trigger": "daily"}),
    ]


@pytest.fixture(scope="session")
def composite_of(definition_of):
    def make(weights, **fields):
        content = definition_of(index_id="x").model_dump(include={"kind", "methodology"})
        return type(definition_of()).model_validate(
            {
                **content,
                "index_id": "mix",
                "name": "Mix",
                "components": [{"index": name, "weight": weight} for name, weight in weights.items()],
                "calendar": {"rule": "monthly"},
                **fields,
            }
        )

    return make


def history_of(definition, results):
    return ComponentHistory.from_rows(
        definition,
        pl.concat([result.rebalances for result in results]),
        pl.concat([result.levels for result in results]),
        unavailable={result.as_of_week: result.reason for result in results if result.status == "unavailable"},
    )


def folded(definitions, data, weeks=WEEKS):
    """Results of every component, by index_id."""
    return {each.index_id: list(fold(each, new_state(each), weeks, data)) for each in definitions}


def components_of(composite, definitions, results, data):
    histories = {each.index_id: history_of(each, results[each.index_id]) for each in definitions}
    return Components(composite, histories, data.lookup)


def rows_of(results, table):
    return pl.concat([getattr(result, table) for result in results])


def levels_of(results):
    return dict(rows_of(results, "levels").select("date", "level").iter_rows())


def same(left, right):
    return (left.status, left.reason) == (right.status, right.reason) and all(
        getattr(left, table).equals(getattr(right, table)) for table in TABLES
    )


def levels_by_hand(weights, levels, *, months):
    """The slow, obvious way: w_k x L_k(t) / L_k(t0), summed, day after day, from one occasion to the next."""
    found, anchor, since, is_due = {}, 1000.0, None, False
    for date in (day(offset) for offset in range(DAYS - 7)):
        instant = date + dt.timedelta(days=1)
        is_named = instant.day == 1 and instant.month in months
        is_due = is_due or (is_named and since is not None)
        is_known = all(date in each for each in levels.values())
        if not is_known:
            continue
        if since is not None:
            ratios = (weight * levels[name][date] / levels[name][since] for name, weight in weights.items())
            found[date] = anchor * math.fsum(ratios)
        if is_named or (is_due and instant.weekday() == 0):
            anchor = found.setdefault(date, anchor)
            since, is_due = date, False
    return found


CALENDARS = st.sampled_from([tuple(range(1, 13)), (1, 4, 7, 10), (2, 5)])


@MARKETS
@given(seed=st.integers(0, 10**6), months=CALENDARS)
def test_the_level_is_the_weighted_sum_of_component_levels_chained_over_own_occasions(
    seed, months, walk_of, parts_of, composite_of
):
    data = walk_of(seed=seed, first=START, days=DAYS).data()
    composite = composite_of(MIXED, calendar={"rule": "monthly", "months": list(months)})
    parts = folded(parts_of, data)

    results = list(fold(composite, new_state(composite), WEEKS, data, components_of(composite, parts_of, parts, data)))

    expected = levels_by_hand(MIXED, {name: levels_of(each) for name, each in parts.items()}, months=months)
    published = levels_of(results)
    assert published.keys() == expected.keys()
    assert list(published.values()) == pytest.approx([expected[date] for date in published], rel=1e-9)


@MARKETS
@given(seed=st.integers(0, 10**6))
def test_levels_follow_from_the_published_targets_of_tokens_alone(seed, walk_of, parts_of, composite_of):
    data = walk_of(seed=seed, first=START, days=DAYS).data()
    composite = composite_of(MIXED)
    components = components_of(composite, parts_of, folded(parts_of, data), data)
    results = list(fold(composite, new_state(composite), WEEKS, data, components))

    levels, trades = levels_of(results), rows_of(results, "rebalances").filter(pl.col("target_weight") > 0)

    by_instant = trades.partition_by("effective_at", as_dict=True, maintain_order=True)
    closes = [instant.date() - dt.timedelta(days=1) for (instant,) in by_instant]
    for (instant,), targets in by_instant.items():
        bought = instant.date() - dt.timedelta(days=1)
        until = min((date for date in closes if date > bought), default=WEEKS[-1])
        if bought not in levels:
            continue
        token_ids, weights = targets["token_id"].to_list(), targets["target_weight"].to_numpy()
        assert weights.sum() == pytest.approx(1, abs=1e-12)
        block = data.lookup.block(token_ids, bought, until).prices_usd
        for date, level in levels.items():
            if bought < date <= until:
                grown = float((weights * block[(date - bought).days] / block[0]).sum())
                assert level == pytest.approx(levels[bought] * grown, rel=1e-9)


@MARKETS
@given(seed=st.integers(0, 10**6), position=st.integers(1, len(WEEKS) - 1))
def test_a_week_is_reproduced_from_what_was_published_and_priced_by_its_end(
    seed, position, walk_of, parts_of, composite_of
):
    market = walk_of(seed=seed, first=START, days=DAYS)
    data, known = market.data(), market.data(until=WEEKS[position] - dt.timedelta(days=1))
    composite = composite_of(MIXED)
    parts = folded(parts_of, data)
    results = list(fold(composite, new_state(composite), WEEKS, data, components_of(composite, parts_of, parts, data)))

    state = state_from_rows(composite, *(rows_of(results, table) for table in TABLES), as_of_week=WEEKS[position - 1])
    published = {name: each[: position + 1] for name, each in parts.items()}
    week = advance(composite, state, WEEKS[position], known, components_of(composite, parts_of, published, known))

    assert state == results[position - 1].state
    assert same(week, results[position])


def test_components_drift_between_occasions_and_go_back_to_their_weights_at_them(
    market_of, definition_of, composite_of
):
    rising = {day(offset): 10.0 if offset < 40 else 20.0 for offset in range(100)}
    market = market_of({"a": rising, "b": flat(10)}, sector={"a": "Up", "b": "Flat"})
    single = {"selection": {"count": 1}, "minimum_constituents": 1}
    parts = [
        definition_of(index_id="up", universe={"sector": "Up"}, **single),
        definition_of(index_id="flat", universe={"sector": "Flat"}, **single),
    ]
    composite = composite_of({"up": 0.5, "flat": 0.5}, calendar={"rule": "monthly", "months": [2, 4]})
    data = market.data()
    results = list(
        fold(
            composite,
            new_state(composite),
            mondays(14),
            data,
            components_of(composite, parts, folded(parts, data, mondays(14)), data),
        )
    )

    by_instant = {
        instant.date(): dict(rows.select("token_id", "target_weight").iter_rows())
        for (instant,), rows in rows_of(results, "rebalances").partition_by("effective_at", as_dict=True).items()
    }

    assert results[3].reason == "starts at 2024-02-01 00:00 UTC, if all components have levels then"
    assert by_instant[dt.date(2024, 2, 1)] == pytest.approx({"a": 0.5, "b": 0.5})
    assert by_instant[dt.date(2024, 3, 1)] == pytest.approx({"a": 2 / 3, "b": 1 / 3})  # the components trade, drifted
    assert by_instant[dt.date(2024, 4, 1)] == pytest.approx({"a": 0.5, "b": 0.5})
    assert levels_of(results)[dt.date(2024, 4, 2)] == pytest.approx(1500)


def test_a_token_of_several_components_says_what_each_makes_it_weigh(market_of, definition_of, composite_of):
    market = market_of({"a": flat(30), "b": flat(20), "c": flat(10), "new": flat(50, start=40)})
    market.scores = lambda token_id, date: {"a": 1, "b": 2, "c": 3}.get(token_id)
    parts = [
        definition_of(index_id="pair", selection={"count": 2}),
        definition_of(index_id="best", selection={"count": 2}, weighting={"method": "equal"}, **MODEL),
    ]
    composite, data = composite_of({"pair": 0.5, "best": 0.5}), market.data()
    components = components_of(composite, parts, folded(parts, data, mondays(10)), data)
    results = list(fold(composite, new_state(composite), mondays(10), data, components))

    start, later = results[4], results[8]  # 2024-02-01 and 2024-03-01

    assert targets_of(start) == pytest.approx({"a": 0.3, "b": 0.45, "c": 0.25})
    assert reasons_of(start)["b"] == (
        "component weights set back; in pair (20.0 % of the index): stays (rank 2); "
        "in best (25.0 % of the index): held since 2024-01-09, weight drifted with prices"
    )
    assert targets_of(later)["a"] == pytest.approx(0.5 * 3 / 8)
    assert reasons_of(later)["a"].startswith(
        "component weights set back; in pair (18.8 % of the index): stays (rank 2)"
    )
    assert targets_of(later)["b"] == pytest.approx(0.25)
    assert "in pair: left (rank 3), replaced by NEW" in reasons_of(later)["b"]
    assert weights_of(results[5]) == pytest.approx({"a": 0.3, "b": 0.45, "c": 0.25})


def test_a_token_that_its_only_component_gives_up_leaves_for_the_reason_it_has_there(
    market_of, definition_of, composite_of
):
    market = market_of({"a": flat(30), "b": flat(20), "new": flat(50, start=40)})
    parts = [definition_of(index_id=name, selection={"count": 2}) for name in ("one", "two")]
    composite, data = composite_of({"one": 0.5, "two": 0.5}, calendar={"rule": "monthly", "months": [2]}), market.data()
    components = components_of(composite, parts, folded(parts, data, mondays(9)), data)

    last = list(fold(composite, new_state(composite), mondays(9), data, components))[-1]

    assert targets_of(last)["b"] == 0
    assert reasons_of(last)["b"] == ("in one: left (rank 3), replaced by NEW; in two: left (rank 3), replaced by NEW")
    assert "b" not in weights_of(last)


def test_stablecoins_that_a_component_parks_in_keep_its_reason(market_of, definition_of, composite_of):
    from models_ml.indices.market import MarketState

    market = market_of({"a": flat(30), "b": flat(20), "usdx": flat(1)}, is_stable={"usdx": True}, supply={"usdx": 1e12})
    market.bitcoin = lambda date: MarketState(90.0, 100.0, 80.0)
    parts = [
        definition_of(index_id="plain"),
        definition_of(index_id="safe", calendar={"rule": "weekly_model"}, rotation={}),
    ]
    composite, data = composite_of({"plain": 0.6, "safe": 0.4}), market.data()
    components = components_of(composite, parts, folded(parts, data, mondays(7)), data)
    results = list(fold(composite, new_state(composite), mondays(7), data, components))

    assert targets_of(results[4])["usdx"] == pytest.approx(0.2)
    rotated = "rotated into stables: 50.0 % of the index, BTC 90 USD is below its 100-day average 100 USD"
    assert reasons_of(results[4])["usdx"] == (
        f"component weights set back; in safe (20.0 % of the index): held since 2024-01-09; {rotated}"
    )
    kept = dict(results[6].compositions.select("token_id", "reason").iter_rows())
    assert kept["usdx"].startswith("held since 2024-02-01; ")
    assert rotated in kept["usdx"]
    assert kept["a"] == "held since 2024-02-01, weight drifted with prices"


def test_a_component_without_levels_makes_the_week_unavailable_with_its_reason(market_of, definition_of, composite_of):
    market = market_of({"a": flat(30), "b": flat(20, days=45), "c": flat(10, start=70)})
    parts = [
        definition_of(index_id="one", selection={"count": 1}, minimum_constituents=1),
        definition_of(index_id="two", selection={"count": 2}),
    ]
    composite, data = composite_of({"one": 0.5, "two": 0.5}), market.data()
    results = list(
        fold(
            composite,
            new_state(composite),
            mondays(14),
            data,
            components_of(composite, parts, folded(parts, data, mondays(14)), data),
        )
    )

    by_week = {result.as_of_week: result for result in results}

    assert by_week[day(35)].status == "available"
    unpriced = by_week[dt.date(2024, 2, 19)]  # b had its last price on 14 February
    assert unpriced.status == "unavailable"
    assert unpriced.reason.startswith("two: only 60.0 % of the weight has a price")
    assert unpriced.levels.is_empty()
    assert unpriced.compositions.is_empty()
    suspended = by_week[dt.date(2024, 3, 11)]
    assert suspended.reason.startswith("two: no valid basket since the rebalance of 2024-03-01")
    resumed = by_week[dt.date(2024, 3, 18)]  # c is there from 11 March, so the occasion of the first is made up for
    assert resumed.status == "available"
    assert resumed.levels["date"].to_list() == [dt.date(2024, 3, 17)]
    assert reasons_of(resumed)["c"].startswith("component weights set back; in two")
    assert targets_of(resumed)["a"] == pytest.approx(0.5 + 0.5 * 0.75)


def test_a_component_that_has_not_started_is_named(market_of, definition_of, composite_of):
    market = market_of({"a": flat(30), "b": flat(20)})
    parts = [definition_of(index_id="one"), definition_of(index_id="late", base={"date": "2024-03-10"})]
    composite, data = composite_of({"one": 0.5, "late": 0.5}), market.data()
    components = components_of(composite, parts, folded(parts, data, mondays(14)), data)
    results = list(fold(composite, new_state(composite), mondays(14), data, components))

    assert results[5].reason == "late: starts at the close of 2024-03-10"
    assert results[10].reason == "starts at 2024-04-01 00:00 UTC, if all components have levels then"
    assert min(levels_of(results)) == dt.date(2024, 3, 31)


def test_a_base_date_is_an_occasion(market_of, definition_of, composite_of):
    market = market_of({"a": flat(30), "b": flat(20)})
    parts = [definition_of(index_id="one"), definition_of(index_id="two", selection={"count": 2})]
    composite = composite_of({"one": 0.5, "two": 0.5}, base={"date": "2024-01-17", "level": 100})
    data = market.data()
    components = components_of(composite, parts, folded(parts, data, mondays(4)), data)
    results = list(fold(composite, new_state(composite), mondays(4), data, components))

    assert results[0].reason == "starts at 2024-01-18 00:00 UTC, if all components have levels then"
    assert min(levels_of(results).items()) == (dt.date(2024, 1, 17), 100.0)


@MARKETS
@given(seed=st.integers(0, 10**6))
def test_a_composite_may_hold_composites(seed, walk_of, parts_of, composite_of):
    data = walk_of(seed=seed, first=START, days=DAYS).data()
    inner = composite_of({"top": 0.5, "parked": 0.5}, index_id="inner")
    outer = composite_of({"inner": 0.6, "scored": 0.4}, index_id="outer")
    parts = folded(parts_of, data)
    components = components_of(inner, [each for each in parts_of if each.index_id != "scored"], parts, data)
    parts["inner"] = list(fold(inner, new_state(inner), WEEKS, data, components))

    results = list(
        fold(
            outer,
            new_state(outer),
            WEEKS,
            data,
            components_of(outer, [inner, parts_of[1]], parts, data),
        )
    )

    expected = levels_by_hand(
        {"inner": 0.6, "scored": 0.4},
        {name: levels_of(parts[name]) for name in ("inner", "scored")},
        months=range(1, 13),
    )
    published = levels_of(results)
    assert published.keys() == expected.keys()
    assert list(published.values()) == pytest.approx([expected[date] for date in published], rel=1e-9)


def test_a_composite_without_what_its_components_published_is_refused(market_of, definition_of, composite_of):
    composite, data = composite_of({"one": 0.5, "two": 0.5}), market_of({"a": flat(1)}).data()

    with pytest.raises(StateError, match="mix holds other indices"):
        advance(composite, new_state(composite), day(7), data)
    with pytest.raises(StateError, match="mix holds one, whose history was not handed over"):
        Components(composite, {}, data.lookup)
