"""The mapping of the development archive, against that archive where it is at hand.

The whole archive but its hourly prices is imported once for all tests here: for one week, then for the next.
"""

import os
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest

from orchestration.lib.bulk_import import ArchiveMapping, ImportResult, import_archive, load_mapping
from orchestration.lib.landing import LandingStore, read_lags, read_parquet_sql
from orchestration.sources.datasets import find_dataset

REPOSITORY = Path(__file__).parents[4]
ARCHIVE = Path(os.environ.get("TIDEMARK_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
AS_OF = datetime(2024, 6, 24, tzinfo=UTC)
A_WEEK_LATER = AS_OF + timedelta(days=7)
LOADED_AT = datetime(2026, 11, 20, tzinfo=UTC)
HOURLY = "prices_hourly_binance.parquet"

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not ARCHIVE.is_dir(), reason=f"no archive in {ARCHIVE} (TIDEMARK_SHARED_DATA)"),
]


def whole_mapping() -> ArchiveMapping:
    return load_mapping(REPOSITORY / "orchestration" / "mappings" / "shared_data.yaml")


def mapping_of(*paths: str) -> ArchiveMapping:
    return ArchiveMapping(version=1, files=tuple(entry for entry in whole_mapping().files if entry.path in paths))


def run(
    store: LandingStore, mapping: ArchiveMapping, *, as_of: datetime = AS_OF, loaded_at: datetime = LOADED_AT
) -> list[ImportResult]:
    lags = read_lags(REPOSITORY / "dbt_project" / "seeds" / "publication_lags.csv")
    return import_archive(mapping, ARCHIVE, store, as_of=as_of, loaded_at=loaded_at, lags=lags)


@dataclass(frozen=True)
class Imported:
    """A store, and what two imports into it did."""

    store: LandingStore
    first: list[ImportResult]
    a_week_later: list[ImportResult]

    def rows(self, label: str, query: str, *parameters: object) -> list[tuple]:
        """A query over `landed`, the rows of a dataset that were known at AS_OF."""
        source, _, name = label.partition("/")
        files = read_parquet_sql(self.store.files(find_dataset(source, name)))
        known = f"select * from {files} where available_at is null or available_at <= '{AS_OF.isoformat()}'"
        with duckdb.connect() as connection:
            connection.execute("set TimeZone = 'UTC'")
            return connection.execute(f"with landed as ({known}) {query}", parameters).fetchall()


@pytest.fixture(scope="module")
def imported(tmp_path_factory) -> Imported:
    store = LandingStore(tmp_path_factory.mktemp("archive"))
    files = tuple(entry for entry in whole_mapping().files if entry.path != HOURLY)
    mapping = ArchiveMapping(version=1, files=files)
    first = run(store, mapping)
    later = run(store, mapping, as_of=A_WEEK_LATER, loaded_at=LOADED_AT + timedelta(hours=2))
    return Imported(store, first, later)


def adds_up(result: ImportResult) -> bool:
    parts = (
        result.filtered,
        result.after_as_of,
        result.quarantined,
        result.duplicates,
        result.unchanged,
        result.landed,
    )
    return result.read == sum(parts)


def counts_in_the_reference() -> dict[tuple[str, str], tuple[int, ...]]:
    """Of each file and dataset, what docs/reference/archive-mapping.md says: read, filtered, later, refused, twice, landed."""
    text = (REPOSITORY / "docs" / "reference" / "archive-mapping.md").read_text(encoding="utf-8")
    line = re.compile(r"^\| `([a-z0-9_]+\.parquet)` \| `([a-z0-9_]+/[a-z0-9_]+)` \|((?: [0-9,]+ \|){6})$", re.MULTILINE)
    return {
        (path, dataset): tuple(int(cell.replace(",", "")) for cell in cells.split("|")[:-1])
        for path, dataset, cells in line.findall(text)
    }


def counts_of(result: ImportResult) -> tuple[int, ...]:
    landed = result.landed + result.unchanged
    return (result.read, result.filtered, result.after_as_of, result.quarantined, result.duplicates, landed)


# The archive as a whole


def test_every_file_of_the_archive_is_mapped_or_listed_with_a_reason_not_to_be():
    text = (REPOSITORY / "docs" / "reference" / "archive-mapping.md").read_text(encoding="utf-8")
    mapped = {entry.path for entry in whole_mapping().files}
    not_mapped = set(re.findall(r"^- `([a-z0-9_]+\.parquet)`: .+", text, re.MULTILINE))

    assert {path.name for path in ARCHIVE.glob("*.parquet")} == mapped | not_mapped
    assert not mapped & not_mapped


def test_no_file_is_skipped_and_all_rows_are_accounted_for(imported):
    results = [*imported.first, *imported.a_week_later]

    assert [result.file for result in results if result.skipped] == []
    assert [result for result in results if not adds_up(result)] == []
    assert [result.file for result in imported.first if result.landed == 0] == []


def test_a_second_import_lands_only_what_became_known_since(imported):
    newly = {(each.file, each.dataset): each.landed for each in imported.a_week_later if each.landed}

    assert sum(result.corrections for result in imported.a_week_later) == 0
    assert newly["fear_greed.parquet", "alternative_me/fear_greed"] == 7
    assert newly["candles_daily_coinbase.parquet", "coinbase/candles_daily"] == 334
    assert all(
        before.after_as_of - after.after_as_of == after.landed + after.duplicates - before.duplicates
        and after.unchanged == before.landed + before.unchanged
        for before, after in zip(imported.first, imported.a_week_later, strict=True)
        if before.quarantined == after.quarantined
    )


def test_nothing_lands_before_it_was_known(imported):
    latest = {
        label: imported.rows(label, "select max(available_at), max(market_date) from landed")[0]
        for label in {result.dataset for result in imported.first}
        if find_dataset(*label.split("/")).is_dated
    }

    assert max(available_at for available_at, _ in latest.values()) == AS_OF
    assert latest["coingecko/market_daily"][1] == date(2024, 6, 23)
    assert latest["coinmetrics/asset_metrics"][1] == date(2024, 6, 22)  # a day late
    assert latest["github/commits_weekly"][1] == date(2024, 6, 16)  # the week to the 23rd is known on the 25th
    assert latest["fred/series_daily"][1] == date(2024, 6, 19)
    assert latest["fred/series_monthly"][1] == date(2024, 4, 30)


def test_the_reference_says_what_lands(imported):
    said = {key: counts for key, counts in counts_in_the_reference().items() if key[0] != HOURLY}

    assert said == {(result.file, result.dataset): counts_of(result) for result in imported.a_week_later}


# Prices


def test_the_day_of_the_feeds_break_keeps_the_row_taken_after_the_close(imported):
    # README of the archive: close_date 2018-01-29 occurs twice; bitcoin has 11157.66 (old day) and 11095.21 (new day).
    bitcoin = imported.rows(
        "coingecko/market_daily",
        "select price_usd from landed where coin_id = 'bitcoin' and market_date = date '2018-01-29'",
    )

    assert bitcoin == [(11095.2106891266,)]


def test_caps_of_zero_land_as_they_were_delivered(imported):
    # 89,060 rows in the README of the archive, one of them the other row of 2018-01-29; the warehouse makes them unknown and says so.
    ((zeros, below),) = imported.rows(
        "coingecko/market_daily",
        "select count(*) filter (where market_cap_usd = 0), count(*) filter (where market_cap_usd < 0) from landed",
    )

    assert 88_000 < zeros <= 89_060
    assert below == 0


def test_first_observations_that_were_taken_long_after_the_close_are_left_out(imported):
    # uma's first row of 2020-04-29 was taken at 17:00:41 and would stand for the close of 2020-04-28.
    first_days = imported.rows(
        "coingecko/market_daily",
        "select coin_id, min(market_date) from landed where coin_id in ('aptos', 'uma') group by 1 order by 1",
    )

    assert first_days == [("aptos", date(2022, 10, 19)), ("uma", date(2020, 4, 29))]


def test_snapshots_keep_one_row_per_token_and_the_right_cap_of_a_rounded_price(imported):
    baby_doge = imported.rows(
        "coinmarketcap/market_cap_snapshots",
        "select price_usd, rank from landed where symbol = 'BabyDoge' and market_date = date '2024-01-01'",
    )
    bnx = imported.rows(
        "coinmarketcap/supply_monthly",
        "select name from landed where symbol = 'BNX' and market_date = date '2023-03-01' order by name",
    )

    assert baby_doge == [(None, 199)]
    assert bnx == [("BinaryX",), ("BinaryX (old)",)]
    assert not {"max_supply", "max_supply_tokens"} & set(find_dataset("coinmarketcap", "supply_monthly").columns)


def test_two_collections_of_candles_become_one_without_mixing_tokens(imported):
    def on_march_first(what: str, market_id: str) -> object:
        query = f"select {what} from landed where market_id = ? and market_date = date '2018-03-01'"
        ((value,),) = imported.rows("coinmarketcap/candles_daily", query, market_id)
        return value

    assert on_march_first("market_cap_usd", "cybermiles") > 6e7
    assert on_march_first("market_cap_usd", "symbol:cmt") < 2e5
    assert on_march_first("symbol", "bitcoin") == "BTC"  # cmc_to_2020 stays
    unsure = "select count(*) from landed where market_id = 'compound' and symbol is null"  # a ticker of several coins
    assert imported.rows("coinmarketcap/candles_daily", unsure) == [(184,)]


def test_the_two_coins_behind_lunausdt_never_share_a_market(imported):
    spans = imported.rows(
        "binance/candles_daily",
        """select market_id, symbol, min(market_date), max(market_date), max(close_quote) from landed
        where market_id like 'LUN%' group by 1, 2 order by 1""",
    )
    steepest = imported.rows(
        "binance/candles_daily",
        """select max(ratio) from (select close_quote / lag(close_quote) over (partition by market_id order by market_date)
        as ratio from landed)""",
    )

    assert [(market, symbol, first, last) for market, symbol, first, last, _ in spans] == [
        ("LUNA/USDT", "LUNA", date(2022, 5, 31), date(2022, 9, 30)),
        ("LUNC/USDT", "LUNC", date(2021, 1, 1), date(2022, 5, 13)),
    ]
    assert spans[0][-1] < 12  # the new coin never cost more, the old one 116
    assert steepest[0][0] < 6  # neither the splice nor a new unit: UNFI on 2022-06-07 is the steepest true day


def test_leveraged_tokens_and_currencies_are_no_tokens(imported):
    markets = {market for (market,) in imported.rows("binance/candles_daily", "select distinct market_id from landed")}

    assert len(markets) == 203 - 16 - 3 + 1
    assert not [
        market for market in markets if re.match(r"\w+(UP|DOWN)/USDT$", market) and not market.startswith("SUP")
    ]
    assert not markets & {"EUR/USDT", "GBP/USDT", "AUD/USDT"}
    assert {"1INCH/USDT", "FTT/USDT", "SRM/USDT"} <= markets


def test_yahoos_zero_prices_are_refused_and_its_numbered_tickers_are_none(imported):
    (yahoo,) = (each for each in imported.first if each.dataset == "yahoo/candles_daily")
    digits = imported.rows("yahoo/candles_daily", "select count(*) from landed where regexp_matches(symbol, '[0-9]$')")
    terra = imported.rows("yahoo/candles_daily", "select distinct symbol from landed where market_id = 'LUNA1-USD'")

    assert yahoo.reasons == {"open_quote or high_quote or low_quote or close_quote is not above zero": 1165}
    assert (digits, terra) == ([(0,)], [(None,)])


def test_hours_carry_the_unit_they_were_traded_in(tmp_path):
    store = LandingStore(tmp_path)

    (result,) = run(store, mapping_of(HOURLY), as_of=datetime(2021, 7, 5, tzinfo=UTC))

    landed = pl.read_parquet(store.files(find_dataset("binance", "prices_hourly")))
    sun = landed.filter(pl.col("market_id") == "SUN/USDT").sort("market_date", "hour")
    before, after = sun.filter(pl.col("multiplier") == 1000), sun.filter(pl.col("multiplier") == 1)
    last_day = landed.filter((pl.col("market_id") == "BTC/USDT") & (pl.col("market_date") == date(2021, 1, 3)))
    assert adds_up(result)
    assert landed["market_date"].max() == date(2021, 7, 4)
    assert (before["market_date"].max(), after["market_date"].min()) == (date(2021, 6, 14), date(2021, 6, 18))
    assert after["close_quote"][0] == pytest.approx(before["close_quote"][-1] / 1000, rel=0.15)
    # The last hour of a day closes it: candles_daily_binance_2021_2022 has 33000.05.
    assert last_day.sort("hour")["close_quote"][-1] == 33000.05
    assert last_day["hour"].max() == 23
    assert not landed.filter(pl.col("market_id") == "EUR/USDT").height


@pytest.mark.slow
def test_seven_million_hours_land_once_and_are_recognised(tmp_path):
    """A drill: the largest file of the archive, three times; the tests import all others."""
    store = LandingStore(tmp_path)

    (first,) = run(store, mapping_of(HOURLY))
    (again,) = run(store, mapping_of(HOURLY), loaded_at=LOADED_AT + timedelta(hours=1))
    (later,) = run(store, mapping_of(HOURLY), as_of=A_WEEK_LATER, loaded_at=LOADED_AT + timedelta(hours=2))

    assert (first.landed, again.landed, again.unchanged) == (7_050_171, 0, 7_050_171)
    assert (later.landed, later.corrections) == (53_424, 0)
    assert all(map(adds_up, (first, again, later)))
    assert counts_in_the_reference()[HOURLY, "binance/prices_hourly"] == counts_of(later)
    files = read_parquet_sql(store.files(find_dataset("binance", "prices_hourly")))
    units = "select symbol, multiplier, count(*) from landed where multiplier <> 1 group by 1, 2 order by 1"
    spans = "select market_id, min(market_date), max(market_date) from landed where market_id like 'LUN%' group by 1 order by 1"
    with duckdb.connect() as connection:
        connection.execute(f"create view landed as select * from {files}")
        assert connection.execute(units).fetchall() == [
            ("QUICK", 1000, 16_860),
            ("SATS", 1000, 4836),
            ("STRAX", 10, 28_165),
            ("SUN", 1000, 3933),
        ]
        assert connection.execute(spans).fetchall() == [
            ("LUNA/USDT", date(2022, 5, 31), date(2024, 6, 30)),
            ("LUNC/USDT", date(2021, 1, 1), date(2024, 6, 30)),
        ]


# Derivatives


def test_open_interest_goes_to_the_venue_it_was_counted_at(imported):
    okx = imported.rows("okx/open_interest", "select distinct market_id from landed")
    settled_in_the_coin = imported.rows(
        "binance/open_interest", "select count(distinct market_id) from landed where market_id like '%/USD:%'"
    )

    assert okx == [("BONK/USDT:USDT",)]
    assert settled_in_the_coin == [(13,)]


def test_perpetuals_of_multiples_are_told_from_names_that_begin_with_a_digit(imported):
    rows = imported.rows("binance/perpetuals", "select market_id, symbol, multiplier from landed")
    perpetuals = {market: (symbol, multiplier) for market, symbol, multiplier in rows}

    assert perpetuals["1000SHIB/USDT:USDT"] == ("SHIB", 1000.0)
    assert perpetuals["1INCH/USDT:USDT"] == ("1INCH", 1.0)
    assert "2Z/USDT:USDT" not in perpetuals  # listed in 2025


# On-chain, DeFi, unlocks


def test_provisional_days_are_marked_and_an_unpriced_realised_cap_is_unknown(imported):
    flash = imported.rows(
        "coinmetrics/asset_metrics",
        "select feed, min(market_date), count(*) from landed where status = 'flash' group by 1 order by 1",
    )
    zeros = imported.rows(
        "coinmetrics/asset_metrics",
        "select metric, count(*) from landed where value = 0 and metric in ('CapRealUSD', 'IssTotNtv') group by 1",
    )

    assert flash == [
        ("coinmetrics_csv_2022-01", date(2022, 1, 23), 412),
        ("coinmetrics_csv_2023-02", date(2023, 2, 24), 32),
    ]
    assert zeros == [("IssTotNtv", 7133)]


@pytest.mark.parametrize(
    ("label", "condition", "value"),
    [
        ("defillama/chain_tvl", "chain = 'ALL'", "tvl_usd"),
        ("defipulse/tvl_daily", "entity = 'ALL' and feed like '%zmaznevegor'", "tvl_usd"),
        ("defipulse/tvl_daily", "entity = 'maker'", "tvl_usd"),
    ],
)
def test_value_locked_moves_on_the_day_on_which_ether_moves(imported, label, condition, value):
    ether = dict(
        imported.rows("coingecko/market_daily", "select market_date, price_usd from landed where coin_id = 'ethereum'")
    )
    locked = imported.rows(
        label, f"select market_date, {value} from landed where {condition} and market_date > '2019-06-01'"
    )

    frame = (
        pl.DataFrame(locked, schema=["day", "locked"], orient="row")
        .join(pl.DataFrame({"day": list(ether), "ether": list(ether.values())}), on="day")
        .sort("day")
        .with_columns(pl.col("locked", "ether").log().diff())
        .with_columns(pl.col("ether").shift(1).alias("day_before"), pl.col("ether").shift(-1).alias("day_after"))
        .drop_nulls()
    )
    correlation = {name: frame.select(pl.corr("locked", name)).item() for name in ("ether", "day_before", "day_after")}

    assert correlation["ether"] > 0.6
    assert max(correlation["day_before"], correlation["day_after"]) < 0.2


@pytest.mark.parametrize(
    ("label", "value"),
    [
        ("defillama/chain_tvl", "tvl_usd"),
        ("defillama/stablecoin_supply", "circulating_usd"),
        ("defipulse/tvl_daily", "tvl_usd"),
    ],
)
def test_what_was_not_measured_is_no_zero(imported, label, value):
    assert imported.rows(label, f"select count(*) from landed where {value} <= 0") == [(0,)]


def test_a_step_of_a_vesting_schedule_becomes_its_releases(imported):
    # unlocks.parquet: a cliff on 2017-12-09, and from then four steps of 180,000 tokens, half a year (15,778,463 s) each.
    steps = imported.rows(
        "defillama/unlock_events",
        """select starts_at::date, unlock_type, amount_tokens, coin_id from landed
        where protocol = 'aave' and section = 'LEND core development' order by 1""",
    )
    kinds = imported.rows("defillama/unlock_events", "select unlock_type, count(*) from landed group by 1 order by 1")

    assert steps == [
        (day, "cliff", 180_000.0, "aave")
        for day in (date(2017, 12, 9), date(2018, 6, 9), date(2018, 12, 9), date(2019, 6, 9), date(2019, 12, 9))
    ]
    assert kinds == [("cliff", 1628 - 196 + 10_965), ("linear", 12_337 - 279 - 3)]


def test_a_schedule_finds_its_coin_by_id_or_address(imported):
    coins = dict(
        imported.rows(
            "defillama/unlock_schedules",
            "select protocol, coin_id from landed where protocol in ('avax', 'across', 'SmarDex', 'sun', 'vvsfinance')",
        )
    )

    assert coins["avax"] == "avalanche-2"
    assert coins["across"] == "across-protocol"
    assert (coins["sun"], coins["vvsfinance"]) == ("sun-token", "vvs-finance")


# Talk, developers, macro


def test_a_headline_without_its_time_counts_as_the_last_of_its_day(imported):
    midnight = imported.rows(
        "rss/headlines", "select count(*) from landed where published_at = date_trunc('day', published_at)"
    )
    moved = imported.rows(
        "rss/headlines", "select count(*) from landed where strftime(published_at, '%H:%M:%S') = '23:59:59'"
    )
    days = imported.rows("rss/headlines", "select count(*) from landed where published_at::date <> market_date")

    assert (midnight, moved, days) == ([(0,)], [(129,)], [(0,)])


def test_headlines_have_neither_escapes_nor_texts(imported):
    escaped = imported.rows("rss/headlines", r"select count(*) from landed where contains(title, '\x')")
    nameless = imported.rows("rss/headlines", "select count(distinct article_id) from landed where url is null")

    assert (escaped, nameless) == ([(0,)], [(32,)])
    assert set(find_dataset("rss", "headlines").columns) == {
        "feed", "article_id", "market_date", "published_at", "title", "url",
    }  # fmt: skip


def test_weeks_end_on_the_day_they_are_dated_by(imported):
    for label in ("github/commits_weekly", "gdelt/tone_weekly"):
        assert imported.rows(label, "select distinct isodow(market_date) from landed") == [(7,)]
    approval = imported.rows("gdelt/tone_weekly", "select articles from landed where market_date = date '2024-01-14'")
    assert approval == [(103,)]  # spot funds were approved on 2024-01-10


def test_commits_of_a_forks_upstream_have_a_feed_of_their_own(imported):
    upstream = imported.rows(
        "github/commits_weekly",
        "select distinct repository from landed where feed = 'git_history_with_upstream' order by 1",
    )
    earliest = imported.rows("github/commits_weekly", "select min(market_date) from landed where feed = 'git_history'")

    assert len(upstream) == 7
    assert earliest[0][0] > date(2013, 12, 1)  # bitcoin's commits since 2009 are those of litecoin's upstream


def test_revised_series_stand_apart_from_those_that_are_not(imported):
    def series(label: str) -> set[str]:
        return {name for (name,) in imported.rows(label, "select distinct series_id from landed")}

    revised = series("fred/series_revised")

    assert {"CPIAUCSL", "M2SL", "PAYEMS", "STLFSI4", "ANFCI"} <= revised
    for label in ("fred/series_daily", "fred/series_weekly", "fred/series_monthly"):
        assert not revised & series(label)
    assert series("fred/series_monthly") == {"FEDFUNDS", "UMCSENT"}
    assert imported.rows("fred/series_monthly", "select count(*) from landed where day(market_date + 1) <> 1") == [(0,)]


def test_two_collections_agree_on_every_day_of_a_series_that_is_not_revised(imported):
    for label in ("fred/series_daily", "fred/series_weekly"):
        differing = imported.rows(
            label,
            """select distinct series_id from landed group by series_id, market_date
            having min(value) <> max(value) order by 1""",
        )
        assert differing == ([] if label == "fred/series_daily" else [("DTWEXBGS",)])  # reweighted once a year


def test_stars_of_a_day_are_not_called_a_total(imported):
    metrics = {name for (name,) in imported.rows("aspie/social_daily", "select distinct metric from landed")}
    weeks = imported.rows(
        "aspie/social_daily",
        "select distinct isodow(market_date), max(market_date) from landed where metric = 'github_commits_week' group by 1",
    )

    assert "github_stars_new" in metrics
    assert not metrics & {"github_stars_total", "google_search_interest"}
    assert weeks == [(6, date(2018, 2, 24))]  # the week of 2018-02-25 was not over


# Indices, ecosystems


def test_constituents_whose_day_is_unknown_wait_for_the_end_of_their_month(imported):
    rebalances = imported.rows(
        "published_indices/constituents",
        "select index_id, as_of_label, market_date, count(*) from landed group by 1, 2, 3 order by 1, 3",
    )

    assert rebalances == [
        ("CCI30", "2/1/22", date(2022, 2, 1), 30),
        ("DPI", "2021-1", date(2021, 1, 31), 11),
        ("DPI", "2021-march", date(2021, 3, 31), 12),
        ("DPI", "2021-april", date(2021, 4, 30), 14),
        ("DPI", "2021-may", date(2021, 5, 31), 14),
        ("MVI", "2021-may", date(2021, 5, 31), 15),
        ("MVI", "2021-july", date(2021, 7, 31), 15),
    ]


def test_ecosystems_wait_for_their_own_date(imported):
    waiting = {
        each.dataset: each.after_as_of for each in imported.first if each.dataset.startswith("electric_capital/")
    }

    assert waiting["electric_capital/ecosystems"] == 541
    assert waiting["electric_capital/repositories"] > 9000
