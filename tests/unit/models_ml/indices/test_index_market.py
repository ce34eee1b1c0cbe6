"""Closes, snapshots and smoothed market caps as the engine sees them."""

import datetime as dt
import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_ml.indices.errors import MarketDataError
from models_ml.indices.market import PRICE_SCHEMA, STALE_AFTER_DAYS, MarketData, MarketState, PriceLookup

DAYS = [dt.date(2024, 3, 1) + dt.timedelta(days=offset) for offset in range(6)]


@pytest.fixture
def data(market_of):
    market = market_of({"a": dict.fromkeys(DAYS, 1.0), "b": dict.fromkeys(DAYS, 1.0)})
    caps = pl.DataFrame(
        {"market_date": [DAYS[0], DAYS[1], DAYS[4]], "token_id": ["a"] * 3, "market_cap_usd": [100.0, 200.0, 400.0]}
    )
    return MarketData(
        prices=market.prices, candidates=market.candidates, market_state=lambda day: MarketState(None), market_caps=caps
    )


def caps_of(data, day, half_life_days):
    rows = data.snapshot(day, half_life_days=half_life_days)
    return dict(rows.select("token_id", "market_cap_usd").iter_rows())


def test_the_average_halves_the_weight_of_the_past_in_a_half_life(data):
    assert caps_of(data, DAYS[0], 1.0)["a"] == pytest.approx(100.0)
    assert caps_of(data, DAYS[1], 1.0)["a"] == pytest.approx(150.0)
    # Three days later an eighth of the past is left.
    assert caps_of(data, DAYS[4], 1.0)["a"] == pytest.approx(150 / 8 + 400 * 7 / 8)


def test_a_token_without_an_average_that_day_keeps_its_own_market_cap(data):
    assert caps_of(data, DAYS[4], 1.0)["b"] == caps_of(data, DAYS[4], 0.0)["b"]
    assert caps_of(data, DAYS[2], 1.0)["a"] == caps_of(data, DAYS[2], 0.0)["a"]


def test_smoothing_without_a_past_is_refused(market_of):
    market = market_of({"a": dict.fromkeys(DAYS, 1.0)}).data()

    with pytest.raises(MarketDataError, match="pass them by day and token"):
        market.snapshot(DAYS[2], half_life_days=5.0)


@given(
    closes=st.dictionaries(
        st.tuples(st.sampled_from("abc"), st.integers(0, 14)),
        st.sampled_from([1.5, 2.0, 7.0, 0.0, math.nan]),
        max_size=25,
    ),
    first=st.integers(-3, 16),
    days=st.integers(1, 6),
)
def test_closes_are_those_that_looking_back_day_by_day_finds(closes, first, days):
    rows = [(DAYS[0] + dt.timedelta(days=offset), token_id, price) for (token_id, offset), price in closes.items()]
    lookup = PriceLookup(pl.DataFrame(rows, schema=PRICE_SCHEMA, orient="row"))
    names = ["c", "unknown", "a", "b"]
    start = DAYS[0] + dt.timedelta(days=first)

    block = lookup.block(names, start, start + dt.timedelta(days=days - 1))

    for row, day in enumerate(block.days):
        past = [
            {offset: price for (token_id, offset), price in closes.items() if token_id == name and price > 0}
            for name in names
        ]
        until = [{offset for offset in known if offset <= first + row} for known in past]
        newest = [max(offsets, default=None) for offsets in until]
        assert lookup.closes_until(names, day).tolist() == [len(offsets) for offsets in until]
        assert lookup.are_priced(names, day).tolist() == [
            offset is not None and first + row - offset <= STALE_AFTER_DAYS for offset in newest
        ]
        for column, (name, offset, known) in enumerate(zip(names, newest, past, strict=True)):
            if offset is None:
                assert math.isnan(block.prices_usd[row, column])
                assert lookup.last_priced(name, day) is None
            else:
                assert block.prices_usd[row, column] == known[offset]
                assert lookup.last_priced(name, day) == DAYS[0] + dt.timedelta(days=offset)


def test_a_snapshot_begins_with_the_largest_and_ends_with_those_whose_size_is_not_known(market_of):
    history = dict.fromkeys(DAYS, 1.0)
    market = market_of(dict.fromkeys("abcd", history), supply={"a": 1.0, "b": 5.0, "c": 5.0, "d": math.nan})

    assert market.data().snapshot(DAYS[2])["token_id"].to_list() == ["b", "c", "a", "d"]
