"""The call of the market, its record, and how far back a value like today's is."""

from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_ml.market.extremes import last_as_high, last_as_low, with_extremes
from models_ml.market.signal import MarketCallRules, call_record, market_calls

FIRST = date(2023, 1, 1)
RULES = MarketCallRules(smoothing_days=1, memory_days=10, fewest_days=4)
SHARES = st.lists(st.floats(0, 1), min_size=6, max_size=40)


def day(number):
    return FIRST + timedelta(days=number)


def shares_of(net):
    """Days whose bullish share less the bearish one is so much."""
    return pl.DataFrame(
        {
            "market_date": [day(number) for number in range(len(net))],
            "bullish_share": [max(value, 0.0) for value in net],
            "bearish_share": [max(-value, 0.0) for value in net],
        }
    )


def calls_of(signals):
    """Calls as `market_calls` has them, whatever they rest on."""
    frame = pl.DataFrame({"market_date": [day(number) for number in range(len(signals))], "signal": signals})
    return frame.with_columns(pl.col("signal").cast(pl.Int8))


def closes_of(levels):
    return pl.DataFrame(
        {
            "market_date": [day(number) for number in range(len(levels))],
            "market_index_level": levels,
            "market_cap_usd": [1e12 + number for number in range(len(levels))],
        }
    )


def test_a_call_begins_at_the_edge_of_its_past_and_stands_until_the_middle():
    #        four to judge by      above all  half above   just below half
    net = [0.1, 0.2, 0.3, 0.4, 0.5, 0.35, 0.25]

    calls = market_calls(shares_of(net), RULES)

    assert calls["net_share_place"].to_list()[:4] == [None] * 4
    assert calls["net_share_place"].to_list()[4:] == pytest.approx([1.0, 0.6, 1 / 3])
    assert calls["signal"].to_list() == [None, None, None, None, 1, 1, 0]
    assert calls["flipped_date"].to_list() == [None] * 4 + [day(4), day(4), day(6)]


def test_a_call_may_turn_over_in_a_day():
    calls = market_calls(shares_of([0.1, 0.2, 0.3, 0.4, 0.5, -0.5]), RULES)

    assert calls["signal"].to_list()[-2:] == [1, -1]


@given(net=SHARES, cut=st.integers(5, 39))
def test_calls_up_to_a_day_ignore_all_later_days(net, cut):
    full = market_calls(shares_of(net), RULES)

    truncated = market_calls(shares_of(net[:cut]), RULES)

    assert truncated.equals(full.head(cut))


@given(net=SHARES)
def test_mirrored_shares_have_mirrored_calls(net):
    calls = market_calls(shares_of(net), RULES)["signal"].to_list()

    mirrored = market_calls(shares_of([-value for value in net]), RULES)["signal"].to_list()

    assert mirrored == [None if call is None else -call for call in calls]


def test_a_record_shows_losses_and_trades_a_day_late():
    signals = [1, 1, 1, -1, -1, 0, 0]
    levels = [100.0, 110.0, 121.0, 99.0, 90.0, 108.0, 108.0]

    record = call_record(calls_of(signals), closes_of(levels))

    bullish, bearish, neutral = record.rows(named=True)
    # In at 110, out at 90, the close after the bearish flip; the way led over 121.
    assert bullish["return_after_entry"] == pytest.approx(90 / 110 - 1)
    assert bullish["best_excursion"] == pytest.approx(0.1)
    assert bullish["worst_excursion"] == pytest.approx(90 / 110 - 1)
    assert bullish["return_from_flip"] == pytest.approx(-0.01)
    assert (bullish["is_hit"], bullish["ended_date"], bullish["days"]) == (False, day(3), 3)
    assert bullish["market_cap_at_flip_usd"] == 1e12
    # Short from 90 to 108: a loss, too.
    assert bearish["return_after_entry"] == pytest.approx(0.2)
    assert (bearish["is_hit"], bearish["previous_signal"]) == (False, 1)
    assert (neutral["is_hit"], neutral["ended_date"], neutral["base_hit_rate"]) == (None, None, None)


def test_what_a_call_had_to_beat_is_how_often_the_market_went_its_way_over_as_many_days():
    levels = [100.0, 101.0, 102.0, 101.0, 104.0, 105.0]

    record = call_record(calls_of([1, 1, -1, -1, -1, -1]), closes_of(levels))

    # Held from the second to the fourth close: over two days the market rose in 3 of 4 windows, and was unchanged in one.
    assert record["base_hit_rate"][0] == pytest.approx(3 / 4)
    assert record["is_hit"].to_list() == [False, None]


def test_past_hits_are_those_of_calls_that_had_ended_by_the_flip():
    signals = [1, 1, 0, 1, 1, 0, 0, 1, 1]
    levels = [100.0, 100.0, 110.0, 120.0, 130.0, 120.0, 110.0, 100.0, 90.0]

    record = call_record(calls_of(signals), closes_of(levels)).filter(pl.col("signal") == 1)

    # The first (100 to 120) is sold on the day of the second flip and counts; the second (130 to 110) is a loss.
    assert record["is_hit"].to_list() == [True, False, None]
    assert record["past_calls"].to_list() == [0, 1, 2]
    assert record["past_hits"].to_list() == [0, 1, 1]


def test_a_call_of_the_newest_day_has_no_entry_yet():
    record = call_record(calls_of([0, 0, 1]), closes_of([1.0, 2.0, 3.0]))

    assert record["return_after_entry"].to_list()[-1] is None
    assert record["days"].to_list() == [2, 1]


def test_without_calls_there_is_no_record():
    assert call_record(calls_of([None, None]), closes_of([1.0, 2.0])).is_empty()


def test_the_highest_since_is_the_last_day_that_was_as_high():
    days = [day(number) for number in range(6)]
    values = [5.0, 3.0, 4.0, None, 4.0, 6.0]

    assert last_as_high(days, values) == [None, days[0], days[0], None, days[2], None]
    assert last_as_low(days, values) == [None, None, days[1], None, days[2], days[4]]


@given(values=st.lists(st.one_of(st.none(), st.integers(0, 5).map(float)), max_size=30))
def test_the_last_as_high_is_what_looking_back_day_by_day_finds(values):
    days = [day(number) for number in range(len(values))]

    expected = [
        next((days[at] for at in range(place - 1, -1, -1) if values[at] is not None and values[at] >= value), None)
        if value is not None
        else None
        for place, value in enumerate(values)
    ]

    assert last_as_high(days, values) == expected


def test_columns_get_both_dates():
    rows = pl.DataFrame({"market_date": [day(1), day(0)], "share": [0.2, 0.1]})

    found = with_extremes(rows, ["share"])

    assert found["share_highest_since_date"].to_list() == [None, None]
    assert found["share_lowest_since_date"].to_list() == [None, day(0)]
