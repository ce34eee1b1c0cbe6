"""What a whole load is worth beside what has landed."""

from datetime import date, timedelta

import polars as pl
import pytest

from orchestration.lib.contradictions import PRICES_OFF, REPEATED_DAY, SWAPPED, judge
from orchestration.lib.ingestion import with_columns_of
from orchestration.sources.datasets import find_dataset

CANDLES = find_dataset("binance", "candles_daily")
MONDAY = date(2025, 1, 6)
DAYS = [MONDAY + timedelta(days=day) for day in range(3)]
PRICES = {f"T{number}": 10.0**number for number in range(-10, 10)} | {"NEAR": 1.05}
"""Far from each other, but for one that stands by `T0`."""


def candles(prices, days):
    """Candles at a token's price on every day; what was traded differs each day."""
    rows = [
        {"market_id": f"{name}/USDT", "market_date": day, "close_quote": price, "volume_base": day.day + price}
        for name, price in prices.items()
        for day in days
    ]
    return with_columns_of(CANDLES, pl.DataFrame(rows))


@pytest.fixture
def known():
    return candles(PRICES, [MONDAY - timedelta(days=2), MONDAY - timedelta(days=1)])


def test_an_honest_load_is_believed_whole(known):
    verdict = judge(CANDLES, candles(PRICES | {"NEW": 5.0}, DAYS), known)

    assert verdict.refuted.is_empty()
    assert verdict.compared == len(PRICES)
    assert verdict.believed.columns == list(CANDLES.columns)


def test_of_mixed_up_names_none_is_believed_neither_one_that_stands_close_nor_a_newcomer(known):
    names = list(PRICES)
    mixed = dict(zip(names, [*list(PRICES.values())[1:], PRICES[names[0]]], strict=True)) | {"NEW": 5.0}
    honest_day, lied_days = DAYS[:1], DAYS[1:]
    load = pl.concat([candles(PRICES, honest_day), candles(mixed, lied_days)])

    verdict = judge(CANDLES, load, known)

    assert verdict.refuted.height == len(mixed) * len(lied_days)
    assert set(verdict.refuted["__reason"]) == {PRICES_OFF}
    assert set(verdict.believed["market_date"]) == set(honest_day)


def test_a_repeated_day_refutes_all_that_comes_with_it(known):
    repeated = candles(PRICES, DAYS).with_columns(volume_base=pl.col("close_quote"))

    verdict = judge(CANDLES, repeated, known)

    assert set(verdict.refuted["__reason"]) == {REPEATED_DAY}
    assert set(verdict.believed["market_date"]) == {DAYS[0]}


def test_two_that_changed_places_are_refused_and_the_others_believed(known):
    swapped = PRICES | {"T3": PRICES["T7"], "T7": PRICES["T3"]}

    verdict = judge(CANDLES, candles(swapped, DAYS), known)

    assert set(verdict.refuted["market_id"]) == {"T3/USDT", "T7/USDT"}
    assert set(verdict.refuted["__reason"]) == {SWAPPED}


def test_a_few_that_crash_are_left_to_the_screens_of_the_warehouse(known):
    crashed = PRICES | {name: PRICES[name] / 9 for name in ("T1", "T2", "T3", "T4")}

    assert judge(CANDLES, candles(crashed, DAYS), known).refuted.is_empty()


def test_crashes_on_different_days_of_a_week_are_no_lie_and_rugs_that_are_pulled_are_none_on_one(known):
    days = [MONDAY + timedelta(days=day) for day in range(7)]
    crashes = {f"T{number}": day for number, day in enumerate(days)}
    week = pl.concat(candles(PRICES, [day]) for day in days).with_columns(
        close_quote=pl.when(
            pl.col("market_id").str.strip_suffix("/USDT").replace_strict(crashes, default=None, return_dtype=pl.Date)
            <= pl.col("market_date")
        )
        .then(pl.col("close_quote") / 50)
        .otherwise("close_quote")
    )
    pools = find_dataset("geckoterminal", "pool_candles")

    def as_pools(frame):
        names = {"market_id": "pool_id", "close_quote": "close_usd", "volume_base": "volume_usd"}
        return with_columns_of(pools, frame.select(*names, "market_date").rename(names))

    rugged = PRICES | {f"T{number}": 10.0**number / 50 for number in range(8)}

    assert judge(CANDLES, week, known).refuted.is_empty()
    assert judge(pools, as_pools(candles(rugged, DAYS)), as_pools(known)).refuted.is_empty()
    assert not judge(CANDLES, candles(rugged, DAYS), known).refuted.is_empty()


def test_a_first_load_has_nothing_to_contradict(known):
    verdict = judge(CANDLES, candles(PRICES, DAYS), known.clear())

    assert (verdict.compared, verdict.refuted.height) == (0, 0)
