"""Jumps that revert: single bad days are found, everything that a market can do is left alone."""

import json
from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.sources.datasets import find_dataset
from orchestration.sources.validation import REVERTING_JUMP, reverting_jumps

MARKET_DAILY = find_dataset("coingecko", "market_daily")
FIRST = date(2025, 1, 1)


def prices(*values: float | None, coin: str = "a", skip: int | None = None) -> pl.DataFrame:
    days = [FIRST + timedelta(days=number + (skip is not None and number >= skip)) for number in range(len(values))]
    frame = pl.DataFrame({"coin_id": coin, "market_date": days, "price_usd": list(values)})
    return frame.with_columns(pl.col("price_usd").cast(pl.Float64))


def found(frame: pl.DataFrame, **options) -> list[tuple[str, str]]:
    rejected = reverting_jumps(MARKET_DAILY, frame, entity="coin_id", price="price_usd", **options)
    assert {each.reason for each in rejected} <= {REVERTING_JUMP}
    rows = [json.loads(each.payload) for each in rejected]
    return [(row["coin_id"], row["market_date"]) for row in rows]


@pytest.mark.parametrize(
    "values",
    [
        pytest.param((1.0, 1.1, 15.0, 1.2, 1.1), id="up"),
        pytest.param((1.0, 1.1, 0.1, 1.2, 1.1), id="down"),
        pytest.param((1.0, 1.0, 10.0, 1.0), id="exactly ten times"),
        pytest.param((1.0, 1.0, 1e9, 2.0), id="neighbours a factor of two apart"),
    ],
)
def test_a_day_that_stands_alone_is_found(values):
    assert found(prices(*values)) == [("a", "2025-01-03")]


@pytest.mark.parametrize(
    "values",
    [
        pytest.param((100.0, 100.0, 1.0, 1.1, 0.9), id="crash"),
        pytest.param((1.0, 1.0, 100.0, 90.0, 80.0), id="pump"),
        pytest.param((1.0, 1.0, 100.0, 100.0, 1.0), id="two days"),
        pytest.param((1.0, 1.0, 15.0, 2.1), id="neighbours too far apart"),
        pytest.param((1.0, 1.0, 9.9, 1.0), id="below ten times"),
        pytest.param((15.0, 1.0, 1.0), id="first day"),
        pytest.param((1.0, 1.0, 15.0), id="last day"),
        pytest.param((1.0, 15.0, None, 1.0), id="price missing after"),
        pytest.param((1.0, 0.0, 1.0), id="zero is no price"),
    ],
)
def test_what_a_market_can_do_is_no_finding(values):
    assert found(prices(*values)) == []


def test_a_jump_beside_a_missing_day_is_no_finding():
    assert found(prices(1.0, 15.0, 1.0, skip=2)) == []


def test_series_are_told_apart_whatever_their_order():
    frame = pl.concat([prices(1.0, 20.0, 1.0, coin="b"), prices(20.0, 20.0, 20.0)]).sample(
        fraction=1.0, shuffle=True, seed=3
    )

    assert found(frame) == [("b", "2025-01-02")]


def test_the_rows_themselves_are_left_as_they_are():
    frame = prices(1.0, 20.0, 1.0)
    before = frame.clone()

    found(frame)

    assert frame.equals(before)


@given(values=st.lists(st.floats(0.01, 1e4), min_size=3, max_size=12), factor=st.floats(3.0, 50.0))
def test_findings_are_those_of_a_plain_loop(values, factor):
    expected = []
    for number in range(1, len(values) - 1):
        before, own, after = values[number - 1 : number + 2]
        low, high = min(before, after), max(before, after)
        if high <= 2 * low and (own >= factor * high or own * factor <= low):
            expected.append(("a", str(FIRST + timedelta(days=number))))

    assert found(prices(*values), factor=factor) == expected
