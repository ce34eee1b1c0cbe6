"""CoinGecko's bulk lists and GeckoTerminal against answers that were recorded from, or documented by, the providers."""

import json
import os
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from orchestration.sources.coingecko import (
    CoinDocument,
    parse_category_daily,
    parse_coin_list,
    parse_coins,
    parse_contracts,
    parse_global_daily,
)
from orchestration.sources.geckoterminal import join_candles, parse_pools, parse_token_holders, read_candles

REPOSITORY = Path(__file__).parents[4]
FIXTURES = Path(os.environ.get("TIDEMARK_SHARED_DATA", REPOSITORY.parent / "shared" / "data")) / "api_fixtures"
NOW = datetime(2026, 8, 1, tzinfo=UTC)
LAST_DAY = date(2026, 7, 31)
PIPPIN = "Dfh5DzRgSvvCFDoYc2ciTkMrbDfRKybA4SoFbPmApump"

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not FIXTURES.is_dir(), reason=f"no recorded answers in {FIXTURES} (TIDEMARK_SHARED_DATA)"),
]


def recorded(name: str):
    return json.loads((FIXTURES / name).read_text(encoding="utf-8"))


def test_the_documented_coin_has_community_and_developers():
    activity = parse_coins([CoinDocument.of(recorded("coingecko_oas/coins_id.json"))], now=NOW)[1]

    assert activity.rejected == ()
    (row,) = activity.frame.to_dicts()
    assert (row["coin_id"], row["market_date"]) == ("bitcoin", LAST_DAY)
    assert row["sentiment_up_share"] == pytest.approx(0.8407)
    assert (row["watchlist_users"], row["reddit_subscribers"], row["telegram_users"]) == (1541900, 6127543, None)
    assert (row["stars"], row["forks"], row["contributors"]) == (76697, 36433, 829)
    assert (row["pull_requests_merged"], row["commits_4w"]) == (11204, 108)
    assert (row["additions_4w"], row["deletions_4w"]) == (1264, 1314)


def test_the_documented_coin_has_its_links():
    (row,) = parse_coins([CoinDocument.of(recorded("coingecko_oas/coins_id.json"))], now=NOW)[0].frame.to_dicts()

    assert (row["homepage"], row["is_native"]) == ("http://www.bitcoin.org", True)
    assert json.loads(row["github_repos"]) == ["https://github.com/bitcoin/bitcoin", "https://github.com/bitcoin/bips"]


def test_a_document_without_community_and_links_is_one_with_unknowns():
    _, activity = parse_coins([CoinDocument.of(recorded("coingecko_v3/coins_id_response.json"))], now=NOW)

    (row,) = activity.frame.to_dicts()
    assert {value for name, value in row.items() if name not in ("coin_id", "market_date")} == {None}


def test_the_documented_list_gives_names_and_contracts():
    payload = recorded("coingecko_oas/coins_list.json")

    assert parse_coin_list(payload, now=NOW).frame["symbol"].to_list() == ["trump", "ondo"]
    assert parse_contracts(payload, now=NOW).frame.rows() == [
        ("official-trump", "solana", "6p6xgHyF7AeE6TZkSmFsko444wqoP15icUSqi2jfGiPN"),
        ("ondo-finance", "ethereum", "0xfaba6f8e4a5e8ab82f62fe7c39859fa577269be3"),
    ]


@pytest.mark.parametrize("name", ["coins_list_response.json", "coins_list_new_response.json"])
def test_recorded_lists_are_read(name):
    content = recorded(f"coingecko_v3/{name}")

    assert parse_coin_list(content, now=NOW).frame.height == len(content)


@pytest.mark.parametrize("name", ["coingecko_oas/coins_categories.json", "coingecko_v3/coins_categories_response.json"])
def test_recorded_totals_of_categories_are_read(name):
    content = recorded(name)

    fetched = parse_category_daily(content, now=NOW)

    assert fetched.rejected == ()
    assert fetched.frame["category_id"].to_list() == [each["id"] for each in content]
    assert fetched.frame["market_cap_usd"][0] == content[0]["market_cap"]


@pytest.mark.parametrize(
    ("name", "cap", "bitcoin"),
    [
        ("coingecko_oas/global.json", 2621040321355.0405, 0.579539332566265),
        ("coingecko_v3/global_response.json", 1785148629700.8977, None),
    ],
)
def test_recorded_totals_of_the_market_are_read(name, cap, bitcoin):
    fetched = parse_global_daily(recorded(name), now=NOW)

    assert fetched.rejected == ()
    (row,) = fetched.frame.to_dicts()
    assert row["market_cap_usd"] == cap
    assert 0.3 < row["btc_dominance"] < 0.7
    assert bitcoin is None or row["btc_dominance"] == pytest.approx(bitcoin)


PAGES = [
    "onchain_networks_new_pools",
    "onchain_networks_trending_pools",
    "onchain_networks_network_trending_pools",
    "onchain_networks_network_pools",
    "onchain_networks_network_pools_multi_addresses",
    "onchain_networks_network_tokens_token_address_pools",
    "onchain_networks_network_dexes_dex_pools",
    "onchain_search_pools",
]


@pytest.mark.parametrize("name", PAGES)
def test_documented_pages_of_pools_are_read(name):
    payload = recorded(f"coingecko_oas/{name}.json")

    fetched = parse_pools(payload, found_as="new", now=NOW)

    assert fetched.rejected == ()
    rows = fetched.frame.to_dicts()
    assert [row["pool_id"] for row in rows] == [each["id"] for each in payload["data"]]
    assert all(row["pool_id"] == f"{row['network']}_{row['pool_address']}" for row in rows)
    assert all(row["base_token_address"] and row["dex"] and row["created_at"] for row in rows)


def test_the_documented_reserve_below_zero_is_refused():
    fetched = parse_pools(recorded("coingecko_oas/onchain_networks_network_new_pools.json"), found_as="new", now=NOW)

    assert fetched.frame.is_empty()
    assert [each.reason.startswith("liquidity_usd or") for each in fetched.rejected] == [True]
    assert json.loads(fetched.rejected[0].payload)["liquidity_usd"] == pytest.approx(-97.3671492356286)


def test_the_documented_new_pool_has_no_reserve_yet():
    (row,) = parse_pools(
        recorded("coingecko_oas/onchain_networks_new_pools.json"), found_as="new", now=NOW
    ).frame.to_dicts()

    assert (row["network"], row["dex"], row["base_token_symbol"], row["coin_id"]) == (
        "solana",
        "pump-fun",
        "MadDonkey",
        None,
    )
    assert (row["liquidity_usd"], row["market_cap_usd"], row["buys_24h"]) == (None, None, 1)
    assert row["volume_24h_usd"] == pytest.approx(6.7101798706)


def test_the_documented_candles_are_read():
    payload = recorded("coingecko_oas/onchain_networks_network_pools_pool_address_ohlcv_timeframe.json")

    fetched = join_candles([read_candles(payload, pool_id="eth_0x1", now=NOW)], now=NOW)

    assert fetched.rejected == ()
    assert fetched.frame["market_date"].to_list() == [date(2026, 5, 28), date(2026, 5, 27)]
    assert fetched.frame["close_usd"].to_list() == [1.00027690571219, 1.00208165944741]


def test_the_documented_holders_are_read():
    payload = recorded("coingecko_oas/onchain_networks_network_tokens_address_info.json")

    fetched = parse_token_holders(payload, network="solana", token_address=PIPPIN, now=NOW)

    assert fetched.rejected == ()
    (row,) = fetched.frame.to_dicts()
    assert (row["coin_id"], row["holders"], row["is_honeypot"], row["has_mint_authority"]) == (
        "pippin",
        47911,
        "unknown",
        "no",
    )
    assert row["top_10_share"] == pytest.approx(0.737977)
    assert row["next_30_share"] == pytest.approx(0.143456)
