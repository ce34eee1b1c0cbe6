"""Readers of raw records: what an adapter quarantined is read again by the parser it came from."""

import json
from datetime import UTC, date, datetime

import pytest

from orchestration.lib.landing import LandingStore
from orchestration.lib.quarantine_replay import replay
from orchestration.sources.alternative_me import parse_fear_greed
from orchestration.sources.coingecko import parse_market_chart, parse_markets
from orchestration.sources.coinmetrics import parse_asset_metrics
from orchestration.sources.datasets import find_dataset
from orchestration.sources.replay import READERS
from orchestration.sources.validation import UnreadableValueError

NOW = datetime(2025, 1, 6, 0, 45, tzinfo=UTC)
SATURDAY_MS = int(datetime(2025, 1, 4, tzinfo=UTC).timestamp() * 1000)

KLINE = [SATURDAY_MS, "1.0", "3.0", "0.5", "2.0", "10", SATURDAY_MS + 86_399_999, "20.5", 7, "5", "10", "0"]
POINT = [SATURDAY_MS, 95_000.5]
MARKET = {"id": "bitcoin", "symbol": "btc", "last_updated": "2025-01-06T00:30:00.000Z", "current_price": 95_000.5}
METRICS = {"asset": "btc", "time": "2025-01-04T00:00:00.000000000Z", "AdrActCnt": "7", "TxCnt": None}
GREED = {"value": "53", "value_classification": "Neutral", "timestamp": str(SATURDAY_MS // 1000)}


def read(label, payload):
    return READERS[label](json.loads(json.dumps(payload)), NOW)


@pytest.mark.parametrize(
    ("label", "payload", "expected"),
    [
        (
            "binance/candles_daily",
            {"market_id": "BTC/USDT", "candle": KLINE},
            {"market_id": "BTC/USDT", "symbol": "BTC", "quote": "USDT", "close_quote": 2.0, "volume_quote": 20.5},
        ),
        (
            "coingecko/market_daily",
            {"coin_id": "bitcoin", "point": POINT},
            {"coin_id": "bitcoin", "market_date": date(2025, 1, 3), "price_usd": 95_000.5, "market_cap_usd": None},
        ),
        (
            "coingecko/markets",
            MARKET,
            {"coin_id": "bitcoin", "market_date": date(2025, 1, 5), "price_usd": 95_000.5},
        ),
        ("coinmetrics/asset_metrics", METRICS, {"asset": "btc", "metric": "AdrActCnt", "value": 7.0}),
        ("alternative_me/fear_greed", GREED, {"market_date": date(2025, 1, 4), "value": 53}),
    ],
)
def test_a_record_gives_the_row_that_its_parser_gives(label, payload, expected):
    (row,) = read(label, payload)

    assert {name: row[name] for name in expected} == expected
    assert set(row) <= set(find_dataset(*label.split("/")).columns)


@pytest.mark.parametrize(
    ("label", "payload", "reason"),
    [
        ("binance/candles_daily", {"market_id": "BTC/USDT", "candle": [1, 2]}, "candle is no list"),
        ("binance/candles_daily", {"market_id": "BTC/USDT", "candle": [SATURDAY_MS + 1, *KLINE[1:]]}, "not 00:00 UTC"),
        ("binance/candles_daily", {"market_id": "A/USDT", "candle": [KLINE[0], "NaN", *KLINE[2:]]}, "not finite"),
        ("binance/candles_daily", {"market_id": "A/USDT", "candle": [SATURDAY_MS * 2, *KLINE[1:]]}, "in the future"),
        ("binance/candles_daily", [1, 2], "record lacks"),
        ("coingecko/market_daily", {"coin_id": "bitcoin", "point": [SATURDAY_MS, "95000"]}, "price is text"),
        ("coingecko/markets", {**MARKET, "current_price": "95000"}, "current_price is text"),
        ("coingecko/markets", "text", "record is no object"),
        ("coinmetrics/asset_metrics", {**METRICS, "AdrActCnt": "many"}, "reads as no number"),
        ("coinmetrics/asset_metrics", {"time": METRICS["time"]}, "record lacks"),
        ("alternative_me/fear_greed", {**GREED, "value": "53.5"}, "no whole number"),
    ],
)
def test_a_record_that_still_cannot_be_read_says_why(label, payload, reason):
    with pytest.raises(UnreadableValueError, match=reason):
        read(label, payload)


def test_a_record_of_the_running_day_holds_no_row():
    running = int(datetime(2025, 1, 6, tzinfo=UTC).timestamp() * 1000)

    assert read("binance/candles_daily", {"market_id": "BTC/USDT", "candle": [running, *KLINE[1:]]}) == []


@pytest.mark.parametrize(
    ("label", "refused"),
    [
        ("alternative_me/fear_greed", parse_fear_greed({"data": [{**GREED, "value": "many"}]}, now=NOW)),
        (
            "coingecko/market_daily",
            parse_market_chart({"prices": [[SATURDAY_MS, "x"]]}, coin_id="bitcoin", symbol="btc", now=NOW),
        ),
        ("coingecko/markets", parse_markets([{**MARKET, "current_price": "x"}], now=NOW)),
        (
            "coinmetrics/asset_metrics",
            parse_asset_metrics({"data": [{**METRICS, "AdrActCnt": "x"}]}, metrics=["AdrActCnt"], now=NOW),
        ),
    ],
)
def test_what_an_adapter_refuses_today_is_understood_and_refused_again(tmp_path, label, refused):
    store, dataset = LandingStore(tmp_path), find_dataset(*label.split("/"))
    store.write_quarantine(dataset, refused.rejected, data_source="live", partition="2025-01-05", loaded_at=NOW)

    result = replay(store, dataset, READERS, loaded_at=NOW, lag_hours=0.0)

    assert (result.records, result.accepted) == (1, 0)
    assert list(result.refused) == [refused.rejected[0].reason]


def test_readers_are_registered_for_datasets_that_exist():
    assert all(find_dataset(*label.split("/")).label == label for label in READERS)
