"""Adapters against answers that were recorded from, or documented by, the providers."""

import csv
import json
import os
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from orchestration.sources.coingecko import (
    CoinDocument,
    parse_categories,
    parse_coins,
    parse_market_chart,
    parse_markets,
    parse_members,
)
from orchestration.sources.coinmetrics import parse_catalogue

REPOSITORY = Path(__file__).parents[4]
FIXTURES = Path(os.environ.get("TIDEMARK_SHARED_DATA", REPOSITORY.parent / "shared" / "data")) / "api_fixtures"
NOW = datetime(2026, 8, 1, tzinfo=UTC)

pytestmark = pytest.mark.skipif(
    not FIXTURES.is_dir(), reason=f"no recorded answers in {FIXTURES} (TIDEMARK_SHARED_DATA)"
)


def recorded(name: str):
    return json.loads((FIXTURES / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["coingecko_v3/coins_markets_response.json", "coingecko_oas/coins_markets.json"])
def test_recorded_markets_are_read(name):
    fetched = parse_markets(recorded(name), now=NOW)

    assert fetched.rejected == ()
    bitcoin = fetched.frame.row(0, named=True)
    assert (bitcoin["coin_id"], bitcoin["symbol"]) == ("bitcoin", "btc")
    assert bitcoin["price_usd"] > 40_000
    assert bitcoin["max_supply_tokens"] == 21_000_000


def test_recorded_markets_with_sparkline_are_read():
    fetched = parse_markets(recorded("coingecko_v3/coins_markets_sparkline_2021-11-08.json"), now=NOW)

    assert fetched.rejected == ()
    assert fetched.frame.height > 0


@pytest.mark.parametrize(
    ("name", "days"),
    [
        ("coingecko_v3/coins_contract_address_market_chart_response.json", 5),
        ("coingecko_v3/coins_contract_address_market_chart_range_response.json", 5),
        ("coingecko_oas/coins_id_contract_contract_address_market_chart_range.json", 2),
        ("coingecko_oas/coins_id_contract_contract_address_market_chart.json", 0),
        ("coingecko_oas/coins_id_market_chart.json", 0),
    ],
)
def test_charts_of_other_routes_have_the_same_shape_and_intraday_points_close_no_day(name, days):
    fetched = parse_market_chart(recorded(name), coin_id="a-coin", symbol="abc", now=NOW)

    assert (fetched.frame.height, fetched.rejected) == (days, ())


def test_a_recorded_daily_chart_gives_the_closes_of_the_days_before():
    fetched = parse_market_chart(
        recorded("coingecko_v3/coins_id_market_chart_response.json"), coin_id="bitcoin", symbol="btc", now=NOW
    )

    assert fetched.rejected == ()
    assert fetched.frame["market_date"].to_list() == [date(2023, 12, day) for day in range(16, 21)]
    assert fetched.frame["price_usd"][0] == 42247.06788172229


def test_a_recorded_range_is_read():
    fetched = parse_market_chart(
        recorded("coingecko_v3/coins_id_market_chart_range_response.json"), coin_id="bitcoin", symbol="btc", now=NOW
    )

    assert fetched.frame["market_date"][0] == date(2014, 2, 16)
    assert fetched.frame.height == 5


def test_a_documented_intraday_range_holds_no_close():
    fetched = parse_market_chart(
        recorded("coingecko_oas/coins_id_market_chart_range.json"), coin_id="bitcoin", symbol="btc", now=NOW
    )

    assert fetched.frame.is_empty()
    assert fetched.rejected == ()


@pytest.mark.parametrize(
    "name",
    [
        "coingecko_v3/coins_platform_id_contract_address_response.json",
        "coingecko_oas/coins_id_contract_contract_address.json",
    ],
)
def test_a_coin_found_by_its_contract_is_read(name):
    asset, activity = parse_coins([CoinDocument.of(recorded(name))], now=NOW)

    assert (asset.rejected, activity.rejected) == ((), ())
    assert asset.frame.row(0, named=True)["platform"] is not None


@pytest.mark.parametrize("name", ["coingecko_v3/coins_id_response.json", "coingecko_oas/coins_id.json"])
def test_recorded_metadata_is_read_although_null_may_be_text(name):
    asset, activity = parse_coins([CoinDocument.of(recorded(name))], now=NOW)

    assert (asset.rejected, activity.rejected) == ((), ())
    row = asset.frame.row(0, named=True)
    assert (row["coin_id"], row["platform"], row["is_native"]) == ("bitcoin", None, True)
    assert row["genesis_date"] in (None, date(2009, 1, 3))  # the older recording lacks it


@pytest.mark.parametrize(
    "name",
    [
        "coingecko_v3/coins_categories_list_response.json",
        "coingecko_oas/coins_categories_list.json",
        "coingecko_v3/coins_categories_response.json",
        "coingecko_oas/coins_categories.json",
    ],
)
def test_recorded_categories_are_read(name):
    content = recorded(name)

    assert len(parse_categories(content)) == len(content)


def test_recorded_markets_give_members_of_a_category():
    page = recorded("coingecko_oas/coins_markets.json")

    fetched = parse_members(page, category_id="layer-1", category_name="Layer 1 (L1)", now=NOW)

    assert fetched.frame.row(0) == ("bitcoin", "layer-1", "Layer 1 (L1)")


def test_the_recorded_catalogue_of_coin_metrics_is_read_in_the_shape_of_the_api():
    # The recording is the table the vendor's client makes of the answer; it is put back into the answer's shape here.
    with (FIXTURES / "coinmetrics_v4" / "catalog_assets_metrics.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    metrics = [
        {"metric": row["metric"], "frequencies": [{"frequency": row["frequency"], "community": True}]} for row in rows
    ]

    catalogue = parse_catalogue({"data": [{"asset": rows[0]["asset"], "metrics": metrics}]})

    assert catalogue == {"btc": tuple(row["metric"] for row in rows if row["frequency"] == "1d")}
