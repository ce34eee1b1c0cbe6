"""Suites of the exchanges: good loads pass, broken ones do not."""

from datetime import UTC, date, datetime

import polars as pl
import pytest

from orchestration.lib.expectations import run_suite
from orchestration.lib.suite_parts import PreviousLoad
from orchestration.lib.suites_exchanges import EXCHANGE_SUITES
from orchestration.lib.suites_landing import LANDING_SUITES
from orchestration.sources.datasets import find_dataset

AS_OF = datetime(2025, 1, 6, tzinfo=UTC)
SUNDAY, FRIDAY = date(2025, 1, 5), date(2025, 1, 3)
ALWAYS = {"source": "x", "data_source": "live", "available_at": AS_OF, "loaded_at": AS_OF, "load_id": "load-1"}

ROWS = {
    "candles_daily": {
        "quote": "USDT", "open_quote": 10.0, "high_quote": 12.0, "low_quote": 9.0, "close_quote": 11.0,
        "volume_base": 5.0, "volume_quote": 52.5,
    },
    "tickers": {
        "quote": "USD", "observed_at": AS_OF, "last_quote": 10.0, "bid_quote": None, "ask_quote": None,
        "volume_base": None, "volume_quote": None,
    },
    "order_books": {
        "quote": "USDT", "observed_at": AS_OF, "mid_quote": 10.0, "spread": 0.001, "bid_depth_2pct_quote": 5e5,
        "ask_depth_2pct_quote": 4e5, "is_depth_complete": False,
    },
    "funding_rates": {"funding_rate": 0.0001, "interval_hours": 8.0, "settlements": 3},
    "open_interest": {"open_interest_usd": 1e9, "open_interest_base": 1e4},
}  # fmt: skip


def landed(name: str, *, venue: str = "okx", day: date = SUNDAY, **changes) -> pl.DataFrame:
    """Two markets, the second with changes."""
    dataset = find_dataset(venue, name)
    rows = [
        {"market_id": "BTC/USDT", "symbol": "BTC", "market_date": day, **ROWS[name], **ALWAYS},
        {"market_id": "ETH/USDT", "symbol": "ETH", "market_date": day, **ROWS[name], **ALWAYS, **changes},
    ]
    return pl.DataFrame(rows, schema=dict(dataset.landed_columns))


def judge(name: str, frame: pl.DataFrame, *, venue: str = "okx", previous: PreviousLoad | None = None):
    label = f"{venue}/{name}"
    return run_suite(frame, LANDING_SUITES[label](as_of=AS_OF, previous=previous), name=label)


def test_every_dataset_of_every_exchange_has_a_suite():
    assert len(EXCHANGE_SUITES) == 3 * 7 + 2 * 4
    assert set(EXCHANGE_SUITES) <= set(LANDING_SUITES)
    for label in EXCHANGE_SUITES:
        find_dataset(*label.split("/"))


@pytest.mark.parametrize("name", ROWS)
def test_good_rows_pass(name):
    result = judge(name, landed(name), previous=PreviousLoad(ids=2))

    assert result.success, [each for each in result.results if not each.success]


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("candles_daily", {"close_quote": 0.0}),
        ("candles_daily", {"open_quote": None}),
        ("candles_daily", {"volume_base": -1.0}),
        ("candles_daily", {"market_id": "BTC/USDT"}),
        ("tickers", {"last_quote": -1.0}),
        ("tickers", {"observed_at": None}),
        ("order_books", {"spread": -0.001}),
        ("order_books", {"bid_depth_2pct_quote": -1.0}),
        ("funding_rates", {"funding_rate": 0.5}),
        ("open_interest", {"open_interest_usd": None}),
        ("open_interest", {"open_interest_usd": 1e13}),
    ],
)
def test_what_no_exchange_means_blocks(name, changes):
    assert judge(name, landed(name, **changes)).is_blocking


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("candles_daily", {"high_quote": 10.5}),
        ("tickers", {"bid_quote": 10.2, "ask_quote": 10.1}),
        ("order_books", {"spread": 0.7}),
        ("funding_rates", {"settlements": 48}),
    ],
)
def test_what_is_odd_warns(name, changes):
    result = judge(name, landed(name, **changes))

    assert not result.success
    assert not result.is_blocking


@pytest.mark.parametrize("name", ["candles_daily", "tickers", "order_books"])
def test_a_feed_that_shrinks_or_stops_warns_and_blocks_nothing(name):
    shrunk = judge(name, landed(name), previous=PreviousLoad(ids=10))
    stopped = judge(name, landed(name, day=date(2025, 1, 2)))

    for result in (shrunk, stopped):
        assert not result.success
        assert not result.is_blocking


def test_funding_that_is_asked_once_a_week_is_fresh_for_a_week():
    assert judge("funding_rates", landed("funding_rates", day=FRIDAY)).success
