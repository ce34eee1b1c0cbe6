"""The mapping of the development archive, against that archive where it is at hand."""

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from orchestration.lib.bulk_import import ArchiveMapping, import_archive, load_mapping
from orchestration.lib.landing import LandingStore, read_lags
from orchestration.sources.datasets import find_dataset

REPOSITORY = Path(__file__).parents[4]
ARCHIVE = Path(os.environ.get("TIDEMARK_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
AS_OF = datetime(2024, 6, 24, tzinfo=UTC)
LOADED_AT = datetime(2026, 11, 20, tzinfo=UTC)

needs_archive = pytest.mark.skipif(not ARCHIVE.is_dir(), reason=f"no archive in {ARCHIVE} (TIDEMARK_SHARED_DATA)")


def mapping_of(*paths: str) -> ArchiveMapping:
    whole = load_mapping(REPOSITORY / "orchestration" / "mappings" / "shared_data.yaml")
    return ArchiveMapping(version=1, files=tuple(entry for entry in whole.files if entry.path in paths))


def run(store: LandingStore, *paths: str, as_of: datetime = AS_OF):
    lags = read_lags(REPOSITORY / "dbt_project" / "seeds" / "publication_lags.csv")
    return import_archive(mapping_of(*paths), ARCHIVE, store, as_of=as_of, loaded_at=LOADED_AT, lags=lags)


def test_only_daily_prices_are_required():
    whole = load_mapping(REPOSITORY / "orchestration" / "mappings" / "shared_data.yaml")

    assert [entry.path for entry in whole.files if entry.required] == ["market_daily_coingecko.parquet"]


@needs_archive
def test_small_files_land_up_to_as_of_and_the_next_week_lands_alone(tmp_path):
    store = LandingStore(tmp_path)
    files = ("fear_greed.parquet", "candles_daily_coinbase.parquet")

    first = {result.file: result for result in run(store, *files)}
    again = run(store, *files)
    later = {result.file: result for result in run(store, *files, as_of=AS_OF + timedelta(days=7))}

    assert first["fear_greed.parquet"].landed == 2332
    assert first["candles_daily_coinbase.parquet"].landed == 51_914
    assert sum(result.landed for result in again) == 0
    assert later["fear_greed.parquet"].landed == 7
    assert later["candles_daily_coinbase.parquet"].landed == 334
    assert store.newest_market_date(find_dataset("alternative_me", "fear_greed")) == date(2024, 6, 30)


@needs_archive
def test_the_day_of_the_feeds_break_keeps_the_row_taken_after_the_close(tmp_path):
    # README of the archive: close_date 2018-01-29 occurs twice; bitcoin has 11157.66 (old day) and 11095.21 (new day).
    store = LandingStore(tmp_path)

    (result,) = run(store, "market_daily_coingecko.parquet", as_of=datetime(2018, 2, 5, tzinfo=UTC))

    landed = store.newest(find_dataset("coingecko", "market_daily"))
    bitcoin = landed.filter((pl.col("coin_id") == "bitcoin") & (pl.col("market_date") == date(2018, 1, 29)))
    assert result.duplicates == 66
    assert bitcoin["price_usd"].to_list() == [11095.2106891266]
    assert landed.filter(pl.col("market_cap_usd") <= 0).is_empty()


@needs_archive
def test_snapshots_keep_one_row_per_token_and_the_right_cap_of_a_rounded_price(tmp_path):
    store = LandingStore(tmp_path)

    (result,) = run(store, "market_cap_snapshots_cmc.parquet")

    landed = store.newest(find_dataset("coinmarketcap", "market_cap_snapshots"))
    assert (result.landed, result.duplicates, result.quarantined) == (11_600, 200, 0)
    baby_doge = landed.filter((pl.col("symbol") == "BabyDoge") & (pl.col("market_date") == date(2024, 1, 1)))
    assert baby_doge.select("price_usd", "rank").rows() == [(None, 199)]


@needs_archive
def test_two_collections_of_candles_become_one_without_mixing_tokens(tmp_path):
    store = LandingStore(tmp_path)

    (result,) = run(store, "candles_daily_cmc.parquet")

    landed = pl.read_parquet(
        [load.path for load in store.loads()], columns=["market_id", "symbol", "market_date", "market_cap_usd"]
    )
    assert (result.landed, result.quarantined, result.duplicates) == (1_634_426, 752, 82_070)
    day = landed.filter(pl.col("market_date") == date(2018, 3, 1))
    caps = dict(
        day.filter(pl.col("market_id").is_in(["cybermiles", "symbol:cmt"])).select("market_id", "market_cap_usd").rows()
    )
    assert caps["cybermiles"] > 6e7
    assert caps["symbol:cmt"] < 2e5
    assert day.filter(pl.col("market_id") == "bitcoin")["symbol"].to_list() == ["BTC"]  # cmc_to_2020 stays
    assert landed.filter(pl.col("market_id") == "compound")["symbol"].null_count() == 184  # a ticker of several coins
