"""The weekly fold: calendars, halts, unavailability, rotation and reasons."""

import datetime as dt

import pytest

from models_ml.indices.engine import advance, fold
from models_ml.indices.errors import StateError
from models_ml.indices.market import MarketState
from models_ml.indices.state import new_state
from tests.unit.models_ml.indices.folds import START, day, flat, mondays, reasons_of, targets_of, weights_of


def scored(market, **scores):
    market.scores = lambda token_id, day: scores.get(token_id)
    return market


def test_an_automatic_base_is_the_first_monday_with_enough_constituents(market_of, definition_of):
    market = market_of({"a": flat(10), "b": flat(20, start=9)})

    first, second, third = fold(definition_of(), new_state(definition_of()), mondays(3), market.data())

    assert (first.status, first.reason) == (
        "unavailable",
        "1 eligible constituents at the close of 2024-01-07, at least 2 needed",
    )
    assert second.levels.rows() == [(day(13), "top3", 1000.0)]
    assert reasons_of(second) == {"a": "entered at the base (rank 2)", "b": "entered at the base (rank 1)"}
    assert weights_of(second) == pytest.approx({"a": 1 / 3, "b": 2 / 3})
    assert third.levels["date"].to_list() == [day(offset) for offset in range(14, 21)]


def test_a_base_date_holds_its_level_at_the_close_of_that_day(market_of, definition_of):
    definition = definition_of(base={"level": 100, "date": "2024-01-10"})
    market = market_of({"a": flat(10), "b": flat(20)})

    before, week = fold(definition, new_state(definition), mondays(2), market.data())

    assert before.reason == "starts at the close of 2024-01-10"
    assert week.levels["date"].to_list() == [day(offset) for offset in range(9, 14)]
    assert week.levels["level"].to_list() == pytest.approx([100] * 5)
    assert week.rebalances["effective_at"].unique().to_list() == [dt.datetime(2024, 1, 11, tzinfo=dt.UTC)]


def test_a_monthly_index_trades_at_the_first_of_the_month_from_the_snapshot_of_the_day_before(market_of, definition_of):
    market = market_of({"a": flat(10), "b": flat(20), "c": flat(5), "new": flat(50, start=30)})
    results = list(fold(definition_of(), new_state(definition_of()), mondays(6), market.data()))

    week = results[4]  # as_of 2024-02-05 holds the instant 2024-02-01 00:00

    assert [result.rebalances.height > 0 for result in results] == [True, False, False, False, True, False]
    assert market.asked == [day(6), day(30)]
    assert week.rebalances["effective_at"].unique().to_list() == [dt.datetime(2024, 2, 1, tzinfo=dt.UTC)]
    assert reasons_of(week) == {
        "new": "entered (rank 1), replaces C",
        "b": "stays (rank 2)",
        "a": "stays (rank 3)",
        "c": "left (rank 4), replaced by NEW",
    }
    assert targets_of(week)["c"] == 0
    assert week.compositions["reason"].to_list() == ["entered (rank 1), replaces C", "stays (rank 2)", "stays (rank 3)"]


def test_a_month_that_begins_on_a_monday_is_traded_in_that_weeks_composition(market_of, definition_of):
    market = market_of({"a": flat(10), "b": flat(20), "new": flat(50, start=90)})
    *_, week = fold(definition_of(), new_state(definition_of()), mondays(13), market.data())

    assert week.as_of_week == dt.date(2024, 4, 1)
    assert week.rebalances["effective_at"].unique().to_list() == [dt.datetime(2024, 4, 1, tzinfo=dt.UTC)]
    assert weights_of(week) == pytest.approx({"new": 50 / 80, "b": 20 / 80, "a": 10 / 80})


def test_compositions_drift_with_prices_and_tell_the_change_since_last_week(market_of, definition_of):
    prices = {"a": flat(10), "b": flat(10)}
    prices["a"] |= {day(offset): 30.0 for offset in range(10, 120)}
    market = market_of(prices)

    base, drifted = fold(definition_of(), new_state(definition_of()), mondays(2), market.data())

    assert base.compositions["weight_change"].to_list() == pytest.approx([0.5, 0.5])
    assert weights_of(drifted) == pytest.approx({"a": 0.75, "b": 0.25})
    assert drifted.compositions["weight_change"].to_list() == pytest.approx([0.25, -0.25])
    assert drifted.compositions["reason"][0] == "held since 2024-01-08, weight drifted with prices"
    assert drifted.levels["level"][-1] == pytest.approx(2000)


def test_a_capped_weight_says_from_what_to_what(market_of, definition_of):
    definition = definition_of(weighting={"cap": 0.5})
    market = market_of({"a": flat(80), "b": flat(15), "c": flat(5)})

    result = advance(definition, new_state(definition), day(7), market.data())

    assert reasons_of(result)["a"] == "entered at the base (rank 1); capped from 80.0 % to 50.0 %"
    assert targets_of(result) == pytest.approx({"a": 0.5, "b": 0.375, "c": 0.125})


def test_a_dead_constituent_keeps_its_last_price_and_leaves_at_it(market_of, definition_of):
    market = market_of({"a": flat(96), "b": flat(96), "dead": flat(8, days=20), "next": flat(2)})
    definition = definition_of()

    results = list(fold(definition, new_state(definition), mondays(6), market.data()))

    levels = [level for result in results for level in result.levels["level"]]
    assert levels == pytest.approx([1000] * len(levels))
    assert len(levels) == 1 + 5 * 7
    assert "no price since 2024-01-20, valued at its last one" in results[3].compositions["reason"][2]
    assert reasons_of(results[4])["dead"] == "left: no price since 2024-01-20, replaced by NEXT"


def test_a_week_with_under_ninety_percent_priced_has_no_levels_and_the_level_goes_on_after(market_of, definition_of):
    prices = {"a": flat(50), "b": flat(50)}
    prices["b"] = {date: price for date, price in prices["b"].items() if not day(14) <= date < day(21)}
    prices["b"] |= {date: 75.0 for date in prices["b"] if date >= day(21)}
    market = market_of(prices)
    definition = definition_of()

    results = list(fold(definition, new_state(definition), mondays(4), market.data()))

    assert [result.status for result in results] == ["available", "available", "unavailable", "available"]
    assert results[2].reason == (
        "only 50.0 % of the weight has a price of the last 3 days at the close of 2024-01-18, 90.0 % needed"
    )
    assert results[2].levels.is_empty()
    assert results[2].compositions.is_empty()
    assert results[3].levels["level"].to_list() == pytest.approx([1250] * 7)


def test_an_index_that_finds_too_few_is_unavailable_and_resumes_from_the_old_basket(market_of, definition_of):
    # b and c are not among the candidates from the end of January to mid February, though their prices go on.
    market = market_of({"a": flat(10), "b": flat(10), "c": flat(10)})
    plain = market.candidates
    gone = {day(offset) for offset in range(28, 45)}
    data = market.data()
    object.__setattr__(data, "candidates", lambda date: plain(date).head(1) if date in gone else plain(date))
    definition = definition_of()

    results = list(fold(definition, new_state(definition), mondays(8), data))

    assert [result.status for result in results] == [*["available"] * 4, *["unavailable"] * 2, *["available"] * 2]
    failed, waiting, resumed = results[4], results[5], results[6]
    assert failed.reason == (
        "rebalance of 2024-02-01: 1 eligible constituents at the close of 2024-01-31, at least 2 needed"
    )
    assert waiting.reason.startswith("no valid basket since the rebalance of 2024-02-01")
    assert resumed.levels.rows() == [(day(48), "top3", pytest.approx(1000))]
    assert resumed.reason == "resumed at 2024-02-19 from the level of the basket held before"


def test_a_model_driven_index_decides_on_monday_and_trades_a_day_later(market_of, definition_of):
    definition = definition_of(calendar={"rule": "weekly_model"}, ranking={"by": "score"}, kind="ai")
    market = scored(market_of({"a": flat(10), "b": flat(20)}), a=1.0, b=2.0)

    decided, first, second = fold(definition, new_state(definition), mondays(3), market.data())

    assert (decided.status, decided.reason) == ("unavailable", "starts at 2024-01-09 00:00 UTC")
    assert decided.rebalances["effective_at"].unique().to_list() == [dt.datetime(2024, 1, 9, tzinfo=dt.UTC)]
    assert first.levels["date"].to_list() == [day(offset) for offset in range(7, 14)]
    assert first.levels["level"][0] == 1000
    assert first.compositions["reason"][0].startswith("entered at the base (rank 1)")
    assert market.asked == [day(6), day(13), day(20)]
    assert first.rebalances.is_empty()
    assert second.rebalances.is_empty()


def test_a_model_driven_index_with_a_base_date_buys_at_the_close_of_that_monday(market_of, definition_of):
    definition = definition_of(
        calendar={"rule": "weekly_model"}, ranking={"by": "score"}, base={"level": 100, "date": "2024-01-15"}
    )
    market = scored(market_of({"a": flat(10), "b": flat(20)}), a=1.0, b=2.0)

    waiting, decided, first = fold(definition, new_state(definition), mondays(3), market.data())

    assert waiting.reason == "starts at the close of 2024-01-15"
    assert decided.reason == "starts at 2024-01-16 00:00 UTC"
    assert first.levels.row(0) == (dt.date(2024, 1, 15), "top3", 100.0)


def test_a_model_driven_index_retrades_only_when_selection_or_drift_leaves_the_buffer(market_of, definition_of):
    definition = definition_of(
        calendar={"rule": "weekly_model", "retrade_band": 0.1},
        ranking={"by": "score"},
        selection={"count": 2, "exit_rank": 3},
        weighting={"method": "equal"},
    )
    prices = {"a": flat(10), "b": flat(10), "c": flat(10), "d": flat(10)}
    prices["a"] |= {day(offset): 20.0 for offset in range(29, 120)}
    market = market_of(prices)
    orders = ["abcd", "acbd", "acdb", "cabd", "cabd", "cabd"]  # by week; b leaves only once it ranks fourth
    market.scores = lambda token_id, date: -float(orders[min((date - START).days // 7, 5)].index(token_id))

    results = list(fold(definition, new_state(definition), mondays(6), market.data()))

    assert [result.rebalances.height for result in results] == [2, 0, 3, 0, 2, 0]
    assert reasons_of(results[2]) == {
        "a": "stays (rank 1)",
        "c": "entered (rank 2), replaces B",
        "b": "left (rank 4), replaced by C",
    }
    assert targets_of(results[4]) == {"a": 0.5, "c": 0.5}


def test_a_model_driven_index_without_new_scores_keeps_its_basket_and_says_so(market_of, definition_of):
    definition = definition_of(calendar={"rule": "weekly_model"}, ranking={"by": "score"})
    market = market_of({"a": flat(10), "b": flat(20)})
    market.scores = lambda token_id, date: 1.0 if date < day(10) else None

    _, kept = fold(definition, new_state(definition), mondays(2), market.data())

    assert kept.status == "available"
    assert kept.reason.startswith("no new target, holdings stay: 0 eligible constituents")


def test_rotation_moves_halves_into_the_stablecoin_and_back_and_says_why(market_of, definition_of):
    definition = definition_of(
        calendar={"rule": "weekly_model"}, ranking={"by": "score"}, weighting={"method": "equal"}, rotation={}
    )
    prices = {"a": flat(10), "b": flat(20), "usd": flat(1)}
    market = scored(market_of(prices, is_stable={"usd": True}), a=1.0, b=2.0)
    by_week = [
        MarketState(100, 90, 80),
        MarketState(85, 90, 80),
        MarketState(70, 90, 80),
        MarketState(70, 90, 80),
        MarketState(100, 90, 80),
    ]
    market.bitcoin = lambda date: by_week[min((date - START).days // 7, 4)]

    results = list(fold(definition, new_state(definition), mondays(6), market.data()))

    assert [targets_of(result) for result in results] == [
        {"a": 0.5, "b": 0.5},
        {"a": 0.25, "b": 0.25, "usd": 0.5},
        {"a": 0.0, "b": 0.0, "usd": 1.0},
        {},
        {"a": 0.5, "b": 0.5, "usd": 0.0},
        {},
    ]
    assert reasons_of(results[1])["usd"] == (
        "rotated into stables: 50.0 % of the index, BTC 85 USD is below its 100-day average 90 USD"
    )
    assert reasons_of(results[2])["a"] == "left: rotated into stables"
    assert reasons_of(results[4])["usd"] == "left: rotated back out of stables"
    assert weights_of(results[3]) == {"usd": 1.0}
    assert "rotated into stables" in results[3].compositions["reason"][0]


def test_a_minimum_hold_keeps_the_rotation_from_flickering(market_of, definition_of):
    definition = definition_of(
        calendar={"rule": "weekly_model"}, ranking={"by": "score"}, rotation={"min_hold_days": 14}
    )
    market = scored(market_of({"a": flat(10), "b": flat(20), "usd": flat(1)}, is_stable={"usd": True}), a=1.0, b=2.0)
    market.bitcoin = lambda date: MarketState(85, 90, 80) if date < day(7) else MarketState(100, 90, 80)

    results = list(fold(definition, new_state(definition), mondays(3), market.data()))

    assert [targets_of(result).get("usd") for result in results] == [0.5, None, 0.0]


def test_a_stablecoin_off_its_peg_is_left_and_without_another_the_index_stays_invested(market_of, definition_of):
    definition = definition_of(calendar={"rule": "weekly_model"}, ranking={"by": "score"}, rotation={})
    usd = flat(1) | {day(offset): 0.9 for offset in range(9, 120)}
    market = scored(market_of({"a": flat(10), "b": flat(20), "usd": usd}, is_stable={"usd": True}), a=1.0, b=2.0)
    market.bitcoin = lambda date: MarketState(85, 90, 80)

    first, second = fold(definition, new_state(definition), mondays(2), market.data())

    assert targets_of(first)["usd"] == 0.5
    assert targets_of(second)["usd"] == 0
    assert second.reason == (
        "a held stablecoin lost its peg on 2024-01-10, and no other keeps its own; "
        "no rotation: no eligible stablecoin within 2.0 % of 1 USD on 2024-01-14"
    )


def parked(market_of, definition_of, start, closes, caps):
    """Weeks of an index that is wholly in stablecoins, by the Monday that ends them."""
    days = [start + dt.timedelta(days=offset) for offset in range(28)]
    prices = {"a": dict.fromkeys(days, 10.0), "b": dict.fromkeys(days, 20.0)}
    prices |= {name: dict.fromkeys(days, 1.0) | values for name, values in closes.items()}
    market = scored(
        market_of(
            prices,
            supply=caps,
            is_stable=dict.fromkeys(closes, True),
            is_fiat_backed={name: name != "terrausd" for name in closes},
        ),
        a=1.0,
        b=2.0,
    )
    market.bitcoin = lambda date: MarketState(70, 90, 80)
    definition = definition_of(calendar={"rule": "weekly_model"}, ranking={"by": "score"}, rotation={})
    weeks = [start + dt.timedelta(days=7 * week) for week in range(1, 5)]
    return {result.as_of_week: result for result in fold(definition, new_state(definition), weeks, market.data())}


def test_an_algorithmic_stablecoin_is_never_held_as_terrausd_was_not_in_may_2022(market_of, definition_of):
    may = {
        dt.date(2022, 5, 9): 0.7988,
        dt.date(2022, 5, 10): 0.7811,
        dt.date(2022, 5, 12): 0.3702,
        dt.date(2022, 5, 14): 0.1845,
    }
    results = parked(
        market_of,
        definition_of,
        dt.date(2022, 4, 25),
        {"terrausd": may, "tether": {}, "usd-coin": {}},
        {"terrausd": 90e9, "tether": 80e9, "usd-coin": 50e9},
    )

    for result in list(results.values())[1:]:
        assert weights_of(result) == pytest.approx({"tether": 8 / 13, "usd-coin": 5 / 13})
        assert result.levels["level"].to_list() == pytest.approx([1000.0] * result.levels.height)


def test_a_stablecoin_that_falls_in_the_week_is_left_at_the_next_close_as_usd_coin_in_march_2023(
    market_of, definition_of
):
    march = {
        dt.date(2023, 3, 10): 0.9935,
        dt.date(2023, 3, 11): 0.9656,
        dt.date(2023, 3, 12): 0.9937,
        dt.date(2023, 3, 13): 0.9994,
    }
    results = parked(
        market_of,
        definition_of,
        dt.date(2023, 2, 20),
        {"usd-coin": march, "tether": {}, "binance-usd": {}},
        {"usd-coin": 42e9, "tether": 70e9, "binance-usd": 8e9},
    )
    week = results[dt.date(2023, 3, 13)]
    sold = week.rebalances.filter(week.rebalances["effective_at"] == dt.datetime(2023, 3, 13, tzinfo=dt.UTC))
    targets = dict(sold.select("token_id", "target_weight").iter_rows())
    reasons = dict(sold.select("token_id", "reason").iter_rows())

    # Below 0.985 at Saturday's close, sold at Sunday's for what it was worth then.
    assert weights_of(results[dt.date(2023, 3, 6)]) == pytest.approx({"tether": 70 / 112, "usd-coin": 42 / 112})
    worth = 70 / 112 + 42 / 112 * 0.9937
    assert week.levels["level"].to_list()[-1] == pytest.approx(1000 * worth)
    assert targets["usd-coin"] == 0
    moved = 42 / 112 * 0.9937 / worth
    assert targets["tether"] == pytest.approx(1 - moved + moved * 70 / 78)
    assert targets["binance-usd"] == pytest.approx(moved * 8 / 78)
    assert (
        reasons["usd-coin"] == "left: USD-COIN closed at 0.9656 USD on 2023-03-11, replaced by TETHER and BINANCE-USD"
    )
    assert reasons["tether"].startswith("rotated into stables: 100.0 % of the index, USD-COIN closed at 0.9656 USD")


def test_a_week_that_is_covered_or_is_no_monday_or_another_index_is_refused(market_of, definition_of):
    market = market_of({"a": flat(10), "b": flat(20)})
    definition = definition_of()
    state = advance(definition, new_state(definition), day(7), market.data()).state

    with pytest.raises(StateError, match="already covered"):
        advance(definition, state, day(7), market.data())
    with pytest.raises(StateError, match="no Monday"):
        advance(definition, state, day(15), market.data())
    with pytest.raises(StateError, match="state of top3 was handed to other"):
        advance(definition_of(index_id="other"), state, day(14), market.data())


def test_candidates_without_a_column_or_with_a_token_twice_are_refused(market_of, definition_of):
    market = market_of({"a": flat(10), "b": flat(20)})
    definition, data, plain = definition_of(), market.data(), market.candidates

    object.__setattr__(data, "candidates", lambda date: plain(date).drop("age_days"))
    with pytest.raises(ValueError, match="column age_days is missing"):
        advance(definition, new_state(definition), day(7), data)

    object.__setattr__(data, "candidates", lambda date: plain(date).vstack(plain(date)))
    with pytest.raises(ValueError, match="a is there more than once"):
        advance(definition, new_state(definition), day(7), data)
