"""Tokens that only pools are known of, as the screen takes them: what their figures are, and what they may know."""

import math
import statistics
from datetime import UTC, date, datetime, timedelta

import duckdb
import polars as pl
import pytest

from models_ml.screens.moonshots import MoonshotSettings
from orchestration.lib.dex_inputs import dex_closes, dex_contracts, dex_snapshots

WEEK = date(2024, 1, 22)
CLOSE = WEEK - timedelta(days=1)
COIN = "geckoterminal:eth_0xabc"
SETTINGS = MoonshotSettings()


def price(days_ago):
    return 2.0 + math.sin(days_ago)


def volume(days_ago):
    return 100_000.0 + 1_000 * days_ago


@pytest.fixture
def warehouse():
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'; create schema marts")
        days = [
            {
                "token_id": COIN,
                "market_date": WEEK - timedelta(days=1 + back),
                "network": "eth",
                "contract_address": "0xabc",
                "price_usd": price(back),
                "priced_date": WEEK - timedelta(days=1 + back),
                "is_carried": False,
                "volume_24h_usd": volume(back),
                "data_source": "live",
                "available_at": datetime(2024, 1, 22, tzinfo=UTC) - timedelta(days=back),
            }
            for back in range(-5, 60)
        ]
        table(connection, "fct_dex_tokens_daily", days)
        table(connection, "fct_pools_daily", [reading(CLOSE, fdv_usd=4e6), reading(WEEK, fdv_usd=9e6)])
        yield connection


def reading(day, *, name=COIN, fdv_usd=4e6, is_known=False):
    return {
        "token_id": name,
        "market_date": day,
        "symbol": "ABC",
        "is_known_token": is_known,
        "first_created_at": datetime(2023, 11, 1, 12, tzinfo=UTC),
        "fdv_usd": fdv_usd,
        "available_at": datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1),
    }


def table(connection, name, rows):
    connection.register("incoming", pl.DataFrame(rows).to_arrow())
    connection.execute(f"create or replace table marts.{name} as select * from incoming")
    connection.unregister("incoming")


def test_its_figures_are_those_of_the_candles_before_the_week(warehouse):
    (row,) = dex_snapshots(warehouse, [WEEK], SETTINGS).to_dicts()

    log_returns = [math.log(price(back) / price(back + 1)) for back in range(30)]
    logs = [math.log(volume(back)) for back in range(30)]
    assert (row["price_usd"], row["priced_date"], row["market_cap_usd"]) == (price(0), CLOSE, 4e6)
    assert row["return_7d"] == pytest.approx(price(0) / price(7) - 1)
    assert row["return_30d"] == pytest.approx(price(0) / price(30) - 1)
    assert row["volatility_30d"] == pytest.approx(math.sqrt(365) * statistics.stdev(log_returns))
    assert row["volume_30d_median_usd"] == pytest.approx(statistics.median(volume(back) for back in range(30)))
    assert row["volume_surge_7d_30d"] == pytest.approx(math.exp(statistics.mean(logs[:7]) - statistics.mean(logs)))
    assert (row["age_days"], row["dex_listed_at"]) == (81, date(2023, 11, 1))
    assert (row["has_exchange_data"], row["has_dex_data"]) == (False, True)


def test_what_is_known_later_changes_nothing(warehouse):
    before = dex_snapshots(warehouse, [WEEK], SETTINGS)

    warehouse.execute("update marts.fct_dex_tokens_daily set price_usd = 99 where market_date >= ?", [WEEK])
    warehouse.execute("update marts.fct_pools_daily set fdv_usd = 99 where market_date >= ?", [WEEK])

    assert dex_snapshots(warehouse, [WEEK], SETTINGS).equals(before)


@pytest.mark.parametrize(
    "readings",
    [
        [reading(CLOSE, is_known=True)],
        [reading(CLOSE - timedelta(days=8))],
        [reading(CLOSE, fdv_usd=60e6)],
        [reading(CLOSE, fdv_usd=None), reading(CLOSE, name="other")],
    ],
    ids=["on the market list by now", "not read for a week", "too large", "of unknown size"],
)
def test_a_token_is_left_to_others_or_out(warehouse, readings):
    table(warehouse, "fct_pools_daily", readings)

    assert dex_snapshots(warehouse, [WEEK], SETTINGS).is_empty()


def test_a_token_without_a_price_at_the_close_is_left_out(warehouse):
    warehouse.execute("delete from marts.fct_dex_tokens_daily where market_date = ?", [CLOSE])

    assert dex_snapshots(warehouse, [WEEK], SETTINGS).is_empty()


def test_a_short_history_has_neither_volatility_nor_a_median_volume(warehouse):
    warehouse.execute("delete from marts.fct_dex_tokens_daily where market_date < ?", [CLOSE - timedelta(days=10)])

    (row,) = dex_snapshots(warehouse, [WEEK], SETTINGS).to_dicts()

    assert row["return_7d"] is not None
    assert [row[name] for name in ("return_30d", "volatility_30d", "volume_30d_median_usd", "volume_surge_7d_30d")] == [
        None
    ] * 4


def test_closes_before_the_week_are_followed(warehouse):
    closes = dex_closes(warehouse, until=WEEK)

    assert closes["market_date"].max() == CLOSE
    assert closes.columns == ["token_id", "market_date", "price_usd", "volume_24h_usd", "is_carried"]


def test_its_contract_is_linked_by_the_name_of_the_chain(warehouse):
    picks = pl.DataFrame({"as_of_week": [WEEK, WEEK], "token_id": [COIN, "bitcoin"]})

    (link,) = dex_contracts(warehouse, picks).to_dicts()

    assert (link["kind"], link["platform"], link["value"]) == ("contract", "ethereum", "0xabc")
