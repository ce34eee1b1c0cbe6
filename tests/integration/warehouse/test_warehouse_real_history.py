"""The documented defects of the development archive, in the warehouse that is built from a part of it.

The part: every coin with a pegged category, some majors, and the namesakes and twins that the archive's README names, over all
days. Numbers are from that README or were read in the files themselves.
"""

import os
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest

from orchestration.lib.bulk_import import import_archive, load_mapping
from orchestration.lib.connections import LAGS
from orchestration.lib.landing import LandingStore, read_lags
from orchestration.settings import REPOSITORY_ROOT
from tests.integration.warehouse.scratch import TESTED

ARCHIVE = Path(os.environ.get("TIDEMARK_SHARED_DATA", REPOSITORY_ROOT.parent / "shared" / "data"))
WEEK = date(2024, 6, 24)
CRASH = "market_date between date '2022-05-05' and date '2022-05-16'"

MAJORS = [
    "bitcoin",
    "ethereum",
    "ripple",
    "litecoin",
    "dogecoin",
    "binancecoin",
    "chainlink",
    "monero",
    "stellar",
    "cardano",
]
STABLE = ["tether", "usd-coin", "true-usd", "paxos-standard", "gemini-dollar", "sai", "nusd", "stasis-eurs"]
WRAPPED = ["wrapped-bitcoin", "weth"]
PLACED = {
    "AI": ["fetch-ai", "singularitynet", "the-graph", "bittensor", "ocean-protocol"],
    "DeFi": ["aave", "lido-dao", "uniswap", "thorchain", "dydx-chain", "gmx"],
    "Meme": ["dogecoin", "shiba-inu", "pepe", "dogwifcoin", "bonk", "floki"],
    "RWA": ["coinmarketcap:maker", "ondo-finance", "polymesh", "xdce-crowd-sale", "centrifuge"],
    "L1": ["ethereum", "solana", "avalanche-2", "near", "sui", "the-open-network", "bitcoin", "ripple", "litecoin"],
}
"""Where people expect well-known tokens, each as its primary sector. NUM is not in the archive, DYDX only as its chain's token."""
SECTOR_COINS = sorted({token for tokens in PLACED.values() for token in tokens if ":" not in token})
COINS = sorted({*MAJORS, *STABLE, *WRAPPED, *SECTOR_COINS, "uniswap", "terra-luna", "terra-luna-2", "medibloc"})
NAMESAKES = ["luna-coin", "uni-coin"]
TWINS = ["omg", "omisego"]
SLUGS = [
    *NAMESAKES,
    *TWINS,
    "bitcoin",
    "ethereum",
    "tether",
    "usd-coin",
    "binance-coin",
    "innovative-bioresearch-classic",
    "electronero-pulse",
    "electra",
    "moac",
    "medibloc",
    "maker",
]
PARTS = {
    "market_daily_coingecko.parquet": "coin_id in (select unnest($coins)) or coin_id in (select coin_id from pegged_coins)",
    "candles_daily_cmc.parquet": "slug in (select unnest($slugs))",
    "candles_daily_binance_2021_2022.parquet": "symbol in ('LUNA', 'BTC')",
    "candles_daily_yahoo.parquet": "market in ('ECA-USD', 'MOAC-USD')",
    "assets_coingecko.parquet": "true",
    "asset_categories_coingecko.parquet": "true",
    "asset_contracts_coingecko.parquet": "true",
    "macro_daily.parquet": "series_id in ('GOLD', 'SILVER')",
}

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not ARCHIVE.is_dir(), reason=f"no archive in {ARCHIVE} (TIDEMARK_SHARED_DATA)"),
]


@pytest.fixture(scope="module")
def part(tmp_path_factory):
    """The part of the archive as an archive of its own."""
    folder = tmp_path_factory.mktemp("archive")
    with duckdb.connect(config={"threads": 2}) as connection:
        pegged = REPOSITORY_ROOT / "dbt_project" / "seeds" / "pegged_categories.csv"
        connection.execute(
            f"""create table pegged_coins as select distinct coin_id from '{ARCHIVE}/asset_categories_coingecko.parquet'
            where category in (select category_name from '{pegged}')"""
        )
        for name, condition in PARTS.items():
            used = {"coins": COINS, "slugs": SLUGS}
            values = {key: value for key, value in used.items() if f"${key}" in condition}
            rows = connection.execute(f"select * from '{ARCHIVE}/{name}' where {condition}", values)
            rows.pl().write_parquet(folder / name)
    return folder


@pytest.fixture(scope="module")
def real(new_warehouse, part):
    warehouse = new_warehouse()
    import_archive(
        load_mapping(REPOSITORY_ROOT / "orchestration" / "mappings" / "shared_data.yaml"),
        part,
        LandingStore(warehouse.root),
        as_of=datetime(WEEK.year, WEEK.month, WEEK.day, tzinfo=UTC),
        loaded_at=datetime(2026, 1, 1, tzinfo=UTC),
        lags=read_lags(LAGS),
    )
    warehouse.build(WEEK, arguments=TESTED)
    return warehouse


def test_bitcoin_follows_the_closes_of_coinmarketcap_across_the_day_the_feed_flipped(real):
    # Until 2018-01-29 CoinGecko's `date` is the day of the close, from 2018-01-30 on the day after it. So the first half of these
    # days would be wrong by a day with one convention, the second half with the other.
    days = real.query(
        f"""select market_date < date '2018-01-30' as is_before, daily.price_source,
            abs(ln(daily.price_usd / lag(daily.price_usd) over days) - ln(same.close / lag(same.close) over days)) as same_day,
            abs(ln(daily.price_usd / lag(daily.price_usd) over days) - ln(lead(same.close) over days / same.close)) as day_after,
            abs(ln(daily.price_usd / lag(daily.price_usd) over days) - ln(lag(same.close) over days / lag(same.close, 2) over days))
                as day_before
        from marts.fct_daily as daily
        inner join '{ARCHIVE}/candles_daily_cmc.parquet' as same on same.date = daily.market_date
        where daily.token_id = 'bitcoin' and same.slug = 'bitcoin' and same.source = 'cmc_to_2020'
            and daily.market_date between date '2018-01-15' and date '2018-02-13'
        window days as (order by market_date)"""
    )
    told = days.filter(pl.col("price_source") == "coingecko")
    gaps = told.group_by("is_before").agg(pl.col("same_day", "day_after", "day_before").median())

    assert days.height == 30
    assert set(told["is_before"].value_counts()["count"] > 8) == {True}
    assert gaps["same_day"].max() < 0.015
    assert min(gaps["day_after"].min(), gaps["day_before"].min()) > 0.03


def test_a_market_cap_of_zero_is_unknown(real, part):
    zeros = f"select count(*) from '{part}/market_daily_coingecko.parquet' where market_cap_usd = 0 and close_date < date '{WEEK}'"
    unknown = "select count(*) from marts.fct_daily where market_cap_usd is null and not is_carried"

    assert real.query(zeros).item() > 5000
    assert real.query("select count(*) from marts.fct_daily where market_cap_usd <= 0").item() == 0
    assert real.query(unknown).item() > 5000


def test_every_zero_that_stood_for_unknown_is_listed(real, part):
    zeros = real.query(
        f"""select count(*) from '{part}/market_daily_coingecko.parquet'
        where market_cap_usd = 0 and close_date < date '{WEEK}' and (date = close_date or obs_second_of_day < 600)
        and (coin_id, close_date) not in (
            select (coin_id, close_date) from '{part}/market_daily_coingecko.parquet' group by all having count(*) > 1
        )"""
    )
    listed = real.query(
        "select count(*) from quality.corrections where rule = 'zero_cap' and price_source = 'coingecko' and value_before = 0"
    )

    assert listed.item() == pytest.approx(zeros.item(), rel=0.02)


@pytest.mark.parametrize("slug", ["innovative-bioresearch-classic", "electronero-pulse"])
def test_a_coin_that_claims_a_larger_cap_than_bitcoin_has_none(real, slug):
    token = f"coinmarketcap:{slug}"
    claimed = real.query(
        f"""select max(value_before) as cap, max(value_after) as kept from quality.corrections
        where token_id = '{token}' and rule = 'implausible_cap'"""
    )
    largest = real.query(
        f"""select max(tokens.market_cap_usd / bitcoin.market_cap_usd) from marts.fct_daily as tokens
        inner join marts.fct_daily as bitcoin using (market_date) where tokens.token_id = '{token}' and bitcoin.token_id = 'bitcoin'"""
    )
    broad = real.query(
        f"select count(*) filter (where is_broad) from marts.fct_universe_daily where token_id = '{token}'"
    )

    assert claimed["cap"].item() > 1e15
    assert claimed["kept"].item() is None
    assert (largest.item() or 0) < 0.01
    assert broad.item() == 0


def test_the_market_of_luna_is_two_coins_and_each_has_its_own_days(real):
    days = real.query(
        """select token_id, min(market_date) as first_date, max(market_date) as last_date
        from intermediate.int_closes_resolved where source = 'binance' and market_id like 'LUN%' group by all order by all"""
    )
    tokens = dict(zip(days["token_id"], days.select("first_date", "last_date").rows(), strict=True))
    wrong = real.query(
        """select count(*) from marts.fct_daily where token_id = 'terra-luna' and market_date >= date '2022-06-01'
        and price_usd > 0.01"""
    )

    assert tokens["terra-luna"][1] == date(2022, 5, 13)
    assert tokens["terra-luna-2"][0] > date(2022, 5, 31)
    assert wrong.item() == 0


def test_where_another_source_has_the_day_no_jump_of_yahoos_reaches_the_price(real):
    jumps = real.query(
        f"""select count(*) from (
            select abs(ln(close / lag(close) over (partition by market order by date))) > ln(10) as is_jump
            from '{ARCHIVE}/candles_daily_yahoo.parquet' where market in ('ECA-USD', 'MOAC-USD') and close > 0
        ) where is_jump"""
    )
    tokens = "('coinmarketcap:electra', 'coinmarketcap:moac')"
    prices = real.query(
        f"""select price_source, abs(ln(daily.price_usd / same.close)) as distance from marts.fct_daily as daily
        inner join '{ARCHIVE}/candles_daily_cmc.parquet' as same on daily.market_date = same.date
            and daily.token_id = 'coinmarketcap:' || same.slug
        where daily.token_id in {tokens} and not is_carried and same.close > 0 and same.source = 'cmc_to_2020'"""
    )
    alone = real.query(
        f"""select count(*) from quality.corrections
        where token_id in {tokens} and price_source = 'yahoo' and rule = 'held_back'"""
    )

    assert jumps.item() >= 10
    assert prices.height > 1000
    assert (prices["distance"] < 0.11).mean() > 0.99
    assert alone.item() > 5


def test_a_price_that_two_other_sources_contradict_is_replaced(real):
    # CoinGecko's MediBloc of 2019-03-14 is four times that of the days around it and of CoinMarketCap.
    row = real.query(
        """select price_source, value_before, value_after from quality.corrections
        where token_id = 'medibloc' and market_date = date '2019-03-14' and rule = 'source_outlier'"""
    )

    assert row.rows() == [("coingecko", pytest.approx(0.0088, rel=0.01), pytest.approx(0.00224, rel=0.01))]


def test_namesakes_of_luna_and_uni_stay_tokens_of_their_own(real):
    tokens = real.query(
        """select market_id, list(distinct token_id) as tokens from intermediate.int_closes_resolved
        where market_id in ('luna-coin', 'uni-coin') group by market_id order by market_id"""
    )
    sources = real.query(
        "select distinct price_source from marts.fct_daily where token_id in ('terra-luna', 'uniswap')"
    )

    assert tokens.rows() == [("luna-coin", ["coinmarketcap:luna-coin"]), ("uni-coin", ["coinmarketcap:uni-coin"])]
    assert sources.rows() == [("coingecko",)]


def test_binance_coin_is_one_token_from_the_day_its_two_names_were_known_to_be_one(real):
    tokens = real.query(
        """select token_id, min(market_date) as first_date, max(market_date) as last_date, max(linked_date) as linked_date
        from intermediate.int_closes_resolved where market_id = 'binance-coin' group by token_id order by first_date"""
    )
    before, after = tokens.rows(named=True)
    left = real.query(
        f"""select count(*) from marts.fct_daily where token_id = 'coinmarketcap:binance-coin' and not is_carried
        and market_date >= date '{after["linked_date"]}'"""
    )

    assert (before["token_id"], after["token_id"]) == ("coinmarketcap:binance-coin", "binancecoin")
    assert before["last_date"] < after["linked_date"] == after["first_date"]
    assert left.item() == 0


def test_of_the_two_names_of_omisego_one_is_left_after_ten_equal_days(real):
    last = dict(
        real.query(
            """select market_id, max(market_date) from intermediate.int_coinmarketcap_closes
            where market_id in ('omg', 'omisego') group by all"""
        ).rows()
    )

    assert last["omisego"] < date(2018, 2, 1)
    assert last["omg"] == date(2020, 12, 16)


def test_no_stablecoin_and_no_wrapped_coin_is_in_the_universe(real):
    universe = dict(
        real.query(
            "select token_id, exclusion_reason from marts.fct_universe_daily where market_date = date '2019-06-23'"
        ).rows()
    )
    broad = {token for token, reason in universe.items() if reason is None}

    assert {universe[token] for token in STABLE} == {"pegged: stable"}
    assert {universe[token] for token in WRAPPED} == {"pegged: wrapped"}
    assert set(MAJORS) <= broad
    assert not {token for token in broad if "usd" in token}


def test_terras_fall_of_may_2022_is_a_crash_and_no_bad_tick(real):
    prices = real.query(f"select price_usd, is_carried from marts.fct_daily where token_id = 'terra-luna' and {CRASH}")
    held_back = real.query(
        f"select count(*) from quality.corrections where token_id = 'terra-luna' and rule = 'held_back' and {CRASH}"
    )

    assert prices.height == 12
    assert not prices["is_carried"].any()
    assert prices["price_usd"].max() > 80
    assert prices["price_usd"].min() < 0.0002
    assert held_back.item() == 0


@pytest.mark.parametrize("sector", PLACED)
def test_well_known_tokens_are_in_the_sectors_where_people_expect_them(sector, real):
    sectors = dict(real.query("select token_id, sector from marts.dim_tokens where is_current").rows())

    assert {token: sectors[token] for token in PLACED[sector]} == dict.fromkeys(PLACED[sector], sector)


def test_maker_was_defi_before_it_lent_against_real_world_assets(real):
    sectors = real.query(
        """select sector, valid_from, valid_to from marts.dim_token_sectors
        where token_id = 'coinmarketcap:maker' and is_primary order by valid_from nulls first"""
    )

    assert sectors.rows() == [("DeFi", None, date(2021, 4, 21)), ("RWA", date(2021, 4, 21), None)]


def test_tokenised_gold_is_never_graded_and_keeps_near_the_auction_of_london(real):
    reasons = real.query(
        "select distinct exclusion_reason from marts.fct_universe_daily where token_id in ('pax-gold', 'tether-gold')"
    )
    premiums = real.query(
        """select token_id, count(*) as days, abs(median(premium)) as middle, quantile_cont(abs(premium), 0.95) as wide
        from marts.fct_security_tracking_daily where token_id in ('pax-gold', 'tether-gold', 'kinesis-silver') group by token_id"""
    )

    assert reasons["exclusion_reason"].to_list() == ["tokenised commodity"]
    assert premiums["days"].min() > 400
    assert premiums["middle"].max() < 0.01
    assert premiums["wide"].max() < 0.06


def test_a_contract_leads_to_its_token(real):
    found = real.query(
        """select token_id, is_hindsight from marts.dim_token_ids
        where kind = 'contract on ethereum' and lower(value) = '0x7fc66500c84a76ad7e9c93437bfc5ac33e2ddae9'"""
    )

    assert found.rows() == [("aave", True)]
