"""Importing again: whatever changed since, exactly the news lands, however cheaply it was found."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.lib.bulk_import import ArchiveMapping, ImportResult, import_archive
from orchestration.lib.import_mapping import FileMapping
from orchestration.lib.landing import LandingStore
from orchestration.sources.datasets import find_dataset

GREED = find_dataset("alternative_me", "fear_greed")
MARKET_DAILY = find_dataset("coingecko", "market_daily")
CATEGORIES = find_dataset("coingecko", "asset_categories")
LAGS = {(each.source, each.name): 0.0 for each in (GREED, MARKET_DAILY, CATEGORIES)}
AS_OF = datetime(2024, 6, 24, tzinfo=UTC)
LOADED_AT = datetime(2026, 11, 20, tzinfo=UTC)
FIRST_DAY = date(2024, 1, 1)

PRICES = FileMapping(
    path="prices.parquet",
    dataset="coingecko/market_daily",
    columns={"coin_id": "coin", "market_date": "day", "price_usd": "price", "market_cap_usd": "cap"},
)
NAMES = FileMapping(
    path="names.parquet",
    dataset="coingecko/asset_categories",
    columns={"coin_id": "coin", "category_id": "id", "category_name": "name"},
)


class Archive:
    """A folder with one file, imported into a store as often as asked."""

    def __init__(self, root: Path, entry: FileMapping) -> None:
        self.folder, self.store, self.entry, self.imports = root / "archive", LandingStore(root / "data"), entry, 0
        self.folder.mkdir(parents=True)

    def imported(self, rows: list[dict], *, schema: dict) -> ImportResult:
        pl.DataFrame(rows, schema=schema).write_parquet(self.folder / self.entry.path)
        self.imports += 1
        (result,) = import_archive(
            ArchiveMapping(version=1, files=(self.entry,)),
            self.folder,
            self.store,
            as_of=AS_OF,
            loaded_at=LOADED_AT + timedelta(hours=self.imports),
            lags=LAGS,
        )
        return result

    def prices(self, table: dict[tuple[str, int], float]) -> ImportResult:
        """Import one price a coin and day number; a price of 0 is malformed."""
        rows = [
            {"coin": coin, "day": FIRST_DAY + timedelta(days=day), "price": price, "cap": None}
            for (coin, day), price in table.items()
        ]
        return self.imported(rows, schema={"coin": pl.String, "day": pl.Date, "price": pl.Float64, "cap": pl.Float64})

    def newest_prices(self) -> dict[tuple[str, int], float]:
        rows = self.store.newest(MARKET_DAILY).select("coin_id", "market_date", "price_usd").iter_rows()
        return {(coin, (day - FIRST_DAY).days): price for coin, day, price in rows}


@pytest.fixture
def archive(tmp_path) -> Archive:
    return Archive(tmp_path, PRICES)


def test_two_values_of_one_day_that_change_places_are_corrections(archive):
    archive.prices({("a", 0): 1.0, ("b", 0): 2.0, ("a", 1): 1.0, ("b", 1): 2.0})

    result = archive.prices({("a", 0): 2.0, ("b", 0): 1.0, ("a", 1): 1.0, ("b", 1): 2.0})

    assert (result.landed, result.corrections, result.unchanged) == (2, 2, 2)
    assert archive.newest_prices() == {("a", 0): 2.0, ("b", 0): 1.0, ("a", 1): 1.0, ("b", 1): 2.0}


def test_a_value_that_went_back_and_forth_is_recognised(archive):
    before, after = {("a", 0): 1.0, ("b", 0): 5.0}, {("a", 0): 2.0, ("b", 0): 5.0}

    results = [archive.prices(table) for table in (before, after, before, before)]

    assert [(each.landed, each.corrections) for each in results] == [(2, 0), (1, 1), (1, 1), (0, 0)]
    assert archive.newest_prices() == before


def test_a_row_that_left_the_file_stays_landed_and_its_day_is_compared_again(archive):
    archive.prices({("a", 0): 1.0, ("b", 0): 2.0})

    result = archive.prices({("a", 0): 1.0, ("c", 0): 2.0})

    assert (result.landed, result.corrections, result.unchanged) == (1, 0, 1)
    assert set(archive.newest_prices()) == {("a", 0), ("b", 0), ("c", 0)}


def test_a_landed_file_that_was_lost_lands_anew(archive):
    table = {("a", 0): 1.0, ("a", 400): 2.0}  # the second is after as_of
    archive.prices(table | {("a", -200): 3.0})
    lost = [load for load in archive.store.loads() if load.partition == "2023"]
    lost[0].path.unlink()

    result = archive.prices(table | {("a", -200): 3.0})

    assert (result.landed, result.unchanged, result.after_as_of) == (1, 1, 1)


def test_a_reference_table_is_compared_as_a_whole(tmp_path):
    archive = Archive(tmp_path, NAMES)
    schema = {"coin": pl.String, "id": pl.String, "name": pl.String}
    rows = [{"coin": coin, "id": None, "name": "Meme"} for coin in ("a", "b")]
    archive.imported(rows, schema=schema)

    same = archive.imported(rows, schema=schema)
    changed = archive.imported([rows[0], rows[1] | {"id": "meme-token"}], schema=schema)

    assert (same.landed, same.unchanged) == (0, 2)
    assert (changed.landed, changed.corrections, changed.unchanged) == (1, 1, 1)


keys = st.tuples(st.sampled_from("abc"), st.integers(0, 3))
tables = st.dictionaries(keys, st.sampled_from([0.0, 1.0, 2.0]), min_size=1, max_size=8)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=tables, second=tables, third=tables)
def test_any_three_imports_end_where_a_plain_ledger_does(tmp_path_factory, first, second, third):
    archive = Archive(tmp_path_factory.mktemp("ledger"), PRICES)
    ledger: dict[tuple[str, int], float] = {}

    for table in (first, second, third):
        good = {key: price for key, price in table.items() if price > 0}
        news = {key: price for key, price in good.items() if ledger.get(key) != price}
        corrections = len(set(news) & set(ledger))
        ledger |= good

        result = archive.prices(table)

        assert (result.landed, result.corrections) == (len(news), corrections)
        assert (result.quarantined, result.unchanged) == (len(table) - len(good), len(good) - len(news))
    assert archive.newest_prices() == ledger
