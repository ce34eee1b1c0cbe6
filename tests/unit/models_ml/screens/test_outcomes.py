"""What became of a pick: the entry, three closes in a row, the end of prices and of feeds."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_ml.screens.outcomes import HORIZON_DAYS, follow, labels_of_multiples

WEEK = date(2024, 1, 1)
UNTIL = date(2024, 4, 8)  # the first Monday after the 90 days


def closes(prices, *, name="a", first=WEEK, volume=1e6, carried=()):
    """A price a day from the week's Monday on; None is a day without a row."""
    days = [first + timedelta(days=ahead) for ahead in range(len(prices))]
    return pl.DataFrame(
        {
            "token_id": name,
            "market_date": days,
            "price_usd": prices,
            "volume_24h_usd": volume,
            "is_carried": [ahead in carried for ahead in range(len(prices))],
        },
        schema_overrides={"price_usd": pl.Float64, "volume_24h_usd": pl.Float64},
    ).drop_nulls("price_usd")


def entries(*tokens, week=WEEK):
    return pl.DataFrame({"as_of_week": [week] * len(tokens), "token_id": list(tokens)})


def followed(prices, *, until=UNTIL, **further):
    return follow(entries("a"), closes(prices, **further), until=until).row(0, named=True)


def path(**changes):
    """91 closes at 1, but for the days named by place: d5=2.5."""
    prices = [1.0] * (HORIZON_DAYS + 1)
    for name, price in changes.items():
        prices[int(name.removeprefix("d"))] = price
    return prices


def test_three_closes_in_a_row_at_twice_the_entry_are_a_success():
    result = followed(path(d10=2.0, d11=2.4, d12=2.0))

    assert (result["is_success"], result["success_date"]) == (True, WEEK + timedelta(days=12))
    assert (result["is_success_3x"], result["ended_how"], result["status"]) == (False, "held_2x", "closed")


def test_two_closes_and_a_third_apart_are_none():
    assert followed(path(d10=2.0, d11=2.4, d13=2.0))["is_success"] is False


def test_a_carried_close_confirms_nothing():
    assert followed(path(d10=2.0, d11=2.0, d12=2.0), carried=(11,))["is_success"] is False


def test_the_last_three_days_of_the_window_count_and_the_day_after_does_not():
    late = path(d88=2.0, d89=2.0, d90=2.0)
    later = [*path(d89=2.0, d90=2.0), 2.0]

    assert followed(late)["is_success"] is True
    assert followed(later)["is_success"] is False


def test_the_entry_is_the_close_of_the_day_after_the_pick():
    # The pick rests on Sunday's close of 1; by Monday's close of 2 it can be bought, and 2 is then no doubling.
    prices = [1.0, 2.0, *[2.0] * HORIZON_DAYS]

    result = followed(prices, first=WEEK - timedelta(days=1))

    assert (result["entry_price_usd"], result["is_success"], result["return_90d"]) == (2.0, False, 0.0)


def test_a_token_whose_prices_stop_has_failed():
    result = followed([1.0, 1.2, 0.4])

    assert (result["is_success"], result["ended_how"]) == (False, "prices_stopped")
    assert result["return_90d"] == pytest.approx(-0.6)
    assert result["last_price_date"] == WEEK + timedelta(days=2)


def test_a_token_that_could_not_be_sold_when_its_prices_stopped_is_lost():
    result = followed([1.0, 1.2, 0.9], volume=500.0)

    assert (result["return_90d"], result["worst_excursion"], result["has_halved"]) == (-1.0, -1.0, True)


def test_a_success_before_prices_stop_stays_one():
    result = followed([1.0, 2.0, 2.0, 2.0, 1.0])

    assert (result["is_success"], result["ended_how"]) == (True, "held_2x")


def test_where_many_tokens_stop_on_one_day_a_feed_has_ended_and_nothing_is_known():
    names = [f"t{number}" for number in range(12)]
    many = pl.concat([closes([1.0] * 30, name=name) for name in names] + [closes(path(), name="a")])

    result = follow(entries("a", "t0"), many, until=UNTIL)

    assert result["ended_how"].to_list() == ["expired", "feed_ended"]
    assert result["is_success"].to_list() == [False, None]


def test_an_open_window_says_what_is_known_so_far():
    result = followed([1.0, 1.5, 0.8], until=WEEK + timedelta(days=7))

    assert (result["status"], result["ended_how"], result["is_success"]) == ("open", None, None)
    assert result["best_excursion"] == pytest.approx(0.5)
    assert result["worst_excursion"] == pytest.approx(-0.2)
    assert result["return_7d"] is None


def test_a_token_without_a_price_on_the_next_day_has_no_entry():
    result = followed([1.0], first=WEEK - timedelta(days=1))

    assert (result["status"], result["ended_how"], result["entry_price_usd"]) == ("closed", "no_entry", None)


def test_returns_are_those_of_the_days_they_name():
    result = followed(path(d7=1.1, d30=1.3, d90=0.7))

    assert [result[f"return_{days}d"] for days in (7, 30, 90)] == pytest.approx([0.1, 0.3, -0.3])


def test_a_success_known_early_is_no_label_before_its_window_is_over():
    early = follow(entries("a"), closes([1.0, 2.0, 2.0, 2.0, 2.0]), until=WEEK + timedelta(days=7))

    assert early["is_success"].to_list() == [True]
    assert labels_of_multiples(early)["forward_is_2x"].to_list() == [None]


@given(st.lists(st.floats(0.2, 4.0), min_size=91, max_size=91), st.integers(2, 3))
def test_success_equals_a_plain_loop(prices, multiple):
    entry = prices[0]
    plain = any(all(price >= multiple * entry for price in prices[day : day + 3]) for day in range(1, HORIZON_DAYS - 1))

    result = followed(prices)

    assert result["is_success" if multiple == 2 else "is_success_3x"] is plain
    assert result["best_excursion"] == pytest.approx(max(prices[1:]) / entry - 1)


@given(st.integers(0, 10_000))
def test_closes_after_a_closed_window_change_nothing(seed):
    random = np.random.default_rng(seed)
    past = closes(list(np.exp(random.normal(0, 0.2, HORIZON_DAYS + 1).cumsum())))
    future = closes(list(np.exp(random.normal(0, 2, 200))), first=WEEK + timedelta(days=HORIZON_DAYS + 1))

    before = follow(entries("a"), past, until=UNTIL)
    after = follow(entries("a"), pl.concat([past, future]), until=UNTIL + timedelta(days=140))

    assert after.equals(before)
