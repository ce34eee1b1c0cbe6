"""Bulk import: what lands, when, what is refused, and what a second import adds."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
import yaml

from orchestration.lib.bulk_import import MappingError, import_archive, load_mapping, validate_archive
from orchestration.lib.landing import LandingError, LandingStore
from orchestration.sources.datasets import find_dataset

MARKET_DAILY = find_dataset("coingecko", "market_daily")
FEAR_GREED = find_dataset("alternative_me", "fear_greed")
METRICS = find_dataset("coinmetrics", "asset_metrics")
LAGS = {
    ("coingecko", "market_daily"): 0.0,
    ("coingecko", "asset_categories"): 0.0,
    ("alternative_me", "fear_greed"): 0.0,
    ("coinmetrics", "asset_metrics"): 24.0,
}
AS_OF = datetime(2024, 6, 24, tzinfo=UTC)
LOADED_AT = datetime(2026, 11, 20, tzinfo=UTC)

PRICES = {
    "path": "prices.parquet",
    "dataset": "coingecko/market_daily",
    "required": True,
    "columns": {
        "coin_id": "coin",
        "market_date": "day",
        "price_usd": "price",
        "market_cap_usd": {"column": "cap", "zero_to_null": True},
    },
}
GREED = {
    "path": "greed.csv",
    "dataset": "alternative_me/fear_greed",
    "columns": {"market_date": "date", "value": "value", "classification": {"column": "word", "case": "upper"}},
}


def price(coin: str, day: date, value: float | None = 1.0, cap: float | None = 5.0) -> dict:
    return {"coin": coin, "day": day, "price": value, "cap": cap}


def prices(folder: Path, rows: list[dict]) -> None:
    schema = {"coin": pl.String, "day": pl.Date, "price": pl.Float64, "cap": pl.Float64}
    pl.DataFrame(rows, schema_overrides=schema).write_parquet(folder / "prices.parquet")


@pytest.fixture
def archive(tmp_path) -> Path:
    folder = tmp_path / "archive"
    folder.mkdir()
    return folder


@pytest.fixture
def store(tmp_path) -> LandingStore:
    return LandingStore(tmp_path / "data")


def mapping(tmp_path: Path, *files: dict):
    path = tmp_path / "mapping.yaml"
    path.write_text(yaml.safe_dump({"version": 1, "files": list(files)}))
    return load_mapping(path)


def run(mapping, archive: Path, store: LandingStore, *, as_of: datetime = AS_OF, loaded_at: datetime = LOADED_AT):
    return import_archive(mapping, archive, store, as_of=as_of, loaded_at=loaded_at, lags=LAGS)


def adds_up(result) -> bool:
    parts = (
        result.filtered,
        result.after_as_of,
        result.quarantined,
        result.duplicates,
        result.unchanged,
        result.landed,
    )
    return result.read == sum(parts)


def quarantined(store: LandingStore, dataset) -> list[tuple[str, dict]]:
    files = store.files(dataset, area="quarantine")
    rows = pl.concat([pl.read_parquet(path) for path in files]).rows(named=True) if files else []
    return [(row["reason"], json.loads(row["payload"])) for row in rows]


def test_rows_land_by_calendar_year_with_their_time_of_knowledge(tmp_path, archive, store):
    prices(archive, [price("a", date(2023, 12, 31), 2.0, 0.0), price("a", date(2024, 1, 1), 3.0)])

    (result,) = run(mapping(tmp_path, PRICES), archive, store)

    assert [(load.partition, load.rows) for load in store.loads()] == [("2023", 1), ("2024", 1)]
    newest = store.newest(MARKET_DAILY)
    assert newest.select(
        "coin_id", "symbol", "market_date", "price_usd", "market_cap_usd", "volume_24h_usd"
    ).rows() == [
        ("a", None, date(2023, 12, 31), 2.0, None, None),
        ("a", None, date(2024, 1, 1), 3.0, 5.0, None),
    ]
    assert newest["available_at"].to_list() == [datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC)]
    assert set(newest["data_source"]) == {"archive"}
    assert (result.read, result.landed) == (2, 2)


def test_what_was_not_known_yet_waits_and_lands_alone_a_week_later(tmp_path, archive, store):
    days = [date(2024, 6, 17) + timedelta(days=number) for number in range(14)]
    prices(archive, [price("a", day) for day in days])
    mapped = mapping(tmp_path, PRICES)

    (first,) = run(mapped, archive, store)
    (again,) = run(mapped, archive, store)
    (later,) = run(mapped, archive, store, as_of=AS_OF + timedelta(days=7), loaded_at=LOADED_AT + timedelta(hours=1))

    assert (first.landed, first.after_as_of) == (7, 7)
    assert store.newest(MARKET_DAILY)["available_at"].max() == AS_OF + timedelta(days=7)
    assert (again.landed, again.unchanged, again.after_as_of) == (0, 7, 7)
    assert (later.landed, later.unchanged, later.after_as_of) == (7, 7, 0)
    assert [load.rows for load in store.loads()] == [7, 7]
    assert all(map(adds_up, (first, again, later)))


def test_the_publication_lag_holds_rows_back(tmp_path, archive, store):
    pl.DataFrame({"day": [date(2024, 6, 22), date(2024, 6, 23)], "count": [1.0, 2.0]}).write_parquet(
        archive / "m.parquet"
    )
    columns = {
        "asset": {"constant": "btc"},
        "market_date": "day",
        "metric": {"constant": "AdrActCnt"},
        "value": "count",
    }
    entry = {
        "path": "m.parquet",
        "dataset": "coinmetrics/asset_metrics",
        "columns": columns | {"feed": {"constant": "f"}},
    }

    (result,) = run(mapping(tmp_path, entry), archive, store)

    assert (result.landed, result.after_as_of) == (1, 1)
    assert store.newest(METRICS)["available_at"].to_list() == [AS_OF]


def test_a_changed_row_lands_as_a_correction(tmp_path, archive, store):
    mapped = mapping(tmp_path, PRICES)
    prices(archive, [price("a", date(2024, 1, 1), 1.0), price("b", date(2024, 1, 1), 1.0)])
    run(mapped, archive, store)

    prices(archive, [price("a", date(2024, 1, 1), 1.5), price("b", date(2024, 1, 1), 1.0)])
    (result,) = run(mapped, archive, store, loaded_at=LOADED_AT + timedelta(hours=1))
    (again,) = run(mapped, archive, store, loaded_at=LOADED_AT + timedelta(hours=2))

    assert (result.landed, result.corrections, result.unchanged) == (1, 1, 1)
    assert (again.landed, again.unchanged) == (0, 2)
    assert store.newest(MARKET_DAILY)["price_usd"].to_list() == [1.5, 1.0]


def test_what_a_live_load_said_is_not_corrected_back(tmp_path, archive, store):
    mapped = mapping(tmp_path, PRICES)
    prices(archive, [price("a", date(2024, 1, 1), 1.0), price("b", date(2024, 1, 1), 1.0)])
    live = {
        "symbol": None,
        "market_date": date(2024, 1, 1),
        "price_usd": 7.0,
        "market_cap_usd": None,
        "volume_24h_usd": None,
    }
    options = {"data_source": "live", "partition": "2024-01-01", "lag_hours": 0.0}
    store.write(MARKET_DAILY, pl.DataFrame([{"coin_id": "b", **live}]), loaded_at=LOADED_AT, **options)

    (first,) = run(mapped, archive, store)
    store.write(
        MARKET_DAILY, pl.DataFrame([{"coin_id": "a", **live}]), loaded_at=LOADED_AT + timedelta(hours=1), **options
    )
    (second,) = run(mapped, archive, store, loaded_at=LOADED_AT + timedelta(hours=2))

    assert (first.landed, first.unchanged) == (1, 1)
    assert second.landed == 0
    assert store.newest(MARKET_DAILY)["price_usd"].to_list() == [7.0, 7.0]


def test_rows_that_break_a_rule_are_quarantined_once_as_they_stood_in_the_file(tmp_path, archive, store):
    day = date(2024, 1, 1)
    nan = float("nan")
    rows = [
        price("good", day),
        price("zero", day, 0.0),
        price("none", day, None),
        price("nan", day, nan),
        price("gone", day, 1.0, nan),
    ]
    prices(archive, [*rows, price("future", date(2025, 1, 1), 0.0)])
    mapped = mapping(tmp_path, PRICES)

    (first,) = run(mapped, archive, store)
    (again,) = run(mapped, archive, store, loaded_at=LOADED_AT + timedelta(hours=1))

    assert store.newest(MARKET_DAILY).select("coin_id", "market_cap_usd").rows() == [("gone", None), ("good", 5.0)]
    assert first.reasons == {"price_usd is missing or not readable": 2, "price_usd is not above zero": 1}
    kept = quarantined(store, MARKET_DAILY)
    assert sorted(payload["coin"] for _, payload in kept) == ["nan", "none", "zero"]
    assert {payload["coin"]: payload["price"] for _, payload in kept} == {"nan": "nan", "none": None, "zero": 0.0}
    assert (again.quarantined, len(store.files(MARKET_DAILY, area="quarantine"))) == (3, 1)
    assert adds_up(first)
    assert adds_up(again)


def test_csv_text_that_does_not_read_is_quarantined(tmp_path, archive, store):
    lines = [
        "date,value,word",
        "2024-01-01,50,Neutral",
        "2024-01-02,high,Greed",
        "someday,50,Fear",
        "2024-01-04,101,Greed",
    ]
    (archive / "greed.csv").write_text("\n".join(lines))

    (result,) = run(mapping(tmp_path, GREED), archive, store)

    assert store.newest(FEAR_GREED).select("market_date", "value", "classification").rows() == [
        (date(2024, 1, 1), 50, "NEUTRAL")
    ]
    assert result.reasons == {
        "market_date is text that does not read as DATE": 1,
        "value is outside 0-100": 1,
        "value is text that does not read as BIGINT": 1,
    }
    assert adds_up(result)


def test_the_dedupe_rule_decides_and_without_one_disagreeing_rows_are_refused(tmp_path, archive, store):
    day = date(2024, 1, 1)
    rows = [price("a", day, 1.0, 1.0), price("a", day, 2.0, 2.0), price("b", day, 3.0), price("b", day, 3.0)]
    prices(archive, rows)
    decided = PRICES | {"dedupe": [{"column": "cap", "prefer": "least"}]}

    (undecided,) = validate_archive(mapping(tmp_path, PRICES), archive)
    (result,) = run(mapping(tmp_path, decided), archive, store)

    assert (undecided.landed, undecided.quarantined, undecided.duplicates) == (1, 2, 1)
    assert list(undecided.reasons) == ["rows of one key disagree and no dedupe rule decides"]
    assert (result.landed, result.duplicates) == (2, 2)
    assert store.newest(MARKET_DAILY)["price_usd"].to_list() == [1.0, 3.0]


def test_a_refused_row_leaves_its_key_to_the_next_best(tmp_path, archive, store):
    day = date(2024, 1, 1)
    prices(archive, [price("a", day, 0.0, 1.0), price("a", day, 2.0, 2.0)])

    (result,) = run(mapping(tmp_path, PRICES | {"dedupe": [{"column": "cap", "prefer": "least"}]}), archive, store)

    assert (result.landed, result.quarantined) == (1, 1)
    assert store.newest(MARKET_DAILY)["price_usd"].to_list() == [2.0]


def test_filters_and_transforms_shape_the_rows(tmp_path, archive, store):
    (archive / "c.csv").write_text(
        "id,kind,when,cents\nBTC,daily,31.12.2023,250\nETH,hourly,31.12.2023,9\n,daily,31.12.2023,9\n"
    )
    entry = {
        "path": "c.csv",
        "dataset": "coingecko/market_daily",
        "filters": [{"column": "kind", "equals": "daily"}, {"column": "id", "not_null": True}],
        "where": "cents::int > 5",
        "columns": {
            "coin_id": {"column": "id", "case": "lower"},
            "symbol": {"sql": "substr(id, 1, 2)"},
            "market_date": {"column": "when", "date_format": "%d.%m.%Y"},
            "price_usd": {"sql": "cents::double", "multiply": 0.01},
            "volume_24h_usd": {"constant": 7},
        },
    }

    (result,) = run(mapping(tmp_path, entry), archive, store)

    assert store.newest(MARKET_DAILY).select(list(MARKET_DAILY.columns)).rows() == [
        ("btc", "BT", date(2023, 12, 31), 2.5, None, 7.0)
    ]
    assert (result.read, result.filtered) == (3, 2)


def test_reference_tables_land_undated_whatever_as_of_is(tmp_path, archive, store):
    pl.DataFrame({"id": ["a"], "category": ["Meme"]}).write_parquet(archive / "k.parquet")
    entry = {
        "path": "k.parquet",
        "dataset": "coingecko/asset_categories",
        "columns": {"coin_id": "id", "category_name": "category"},
    }
    mapped = mapping(tmp_path, entry)

    (first,) = run(mapped, archive, store, as_of=datetime(2010, 1, 4, tzinfo=UTC))
    (again,) = run(mapped, archive, store)

    assert [load.partition for load in store.loads()] == ["undated"]
    assert store.newest(find_dataset("coingecko", "asset_categories"))["available_at"].to_list() == [None]
    assert (first.landed, again.landed, again.unchanged) == (1, 0, 1)


def test_an_absent_file_is_skipped_unless_it_is_required(tmp_path, archive, store):
    (archive / "greed.csv").write_text("date,value,word\n2024-01-01,50,Neutral")
    prices(archive, [price("a", date(2024, 1, 1))])
    (archive / "greed.csv").unlink()

    results = run(mapping(tmp_path, PRICES, GREED), archive, store)

    assert [(result.file, result.skipped) for result in results] == [
        ("prices.parquet", None),
        ("greed.csv", "not in the archive"),
    ]
    (archive / "prices.parquet").unlink()
    with pytest.raises(MappingError, match=r"prices\.parquet: is required for coingecko/market_daily and absent"):
        run(mapping(tmp_path, PRICES, GREED), archive, store)


def test_columns_the_files_lack_are_all_named_before_anything_is_written(tmp_path, archive, store):
    prices(archive, [price("a", date(2024, 1, 1))])
    (archive / "greed.csv").write_text("date,value\n2024-01-01,50")
    broken = PRICES | {"columns": PRICES["columns"] | {"volume_24h_usd": {"sql": "turnover * 2"}}}

    with pytest.raises(MappingError) as caught:
        run(mapping(tmp_path, broken, GREED), archive, store)

    first, second = caught.value.problems
    assert "prices.parquet: columns.volume_24h_usd of the mapping does not run" in first
    assert "turnover" in first
    assert "the file has coin, day, price, cap" in first
    assert second.endswith("greed.csv: has no column word; the file has date, value")
    assert not store.root.exists()


def test_a_file_that_is_no_parquet_is_named(tmp_path, archive, store):
    (archive / "prices.parquet").write_text("<html>not found</html>")

    with pytest.raises(MappingError, match=r"prices\.parquet: cannot be read as parquet"):
        run(mapping(tmp_path, PRICES), archive, store)


def test_checking_an_archive_writes_nothing(tmp_path, archive, store):
    prices(archive, [price("a", date(2024, 1, 1)), price("a", date(2099, 1, 1)), price("b", date(2024, 1, 1), -1.0)])
    before = sorted(tmp_path.rglob("*"))

    (result,) = validate_archive(mapping(tmp_path, PRICES), archive)

    assert (result.read, result.landed, result.quarantined) == (3, 2, 1)
    assert [path for path in sorted(tmp_path.rglob("*")) if path.name != "mapping.yaml"] == before


def test_an_import_without_time_zone_or_lag_is_refused(tmp_path, archive, store):
    prices(archive, [price("a", date(2024, 1, 1))])
    mapped = mapping(tmp_path, PRICES)

    with pytest.raises(LandingError, match=r"as_of .* no time zone"):
        run(mapped, archive, store, as_of=AS_OF.replace(tzinfo=None))
    with pytest.raises(LandingError, match="no publication lag"):
        import_archive(mapped, archive, store, as_of=AS_OF, loaded_at=LOADED_AT, lags={})
    assert not store.root.exists()


def test_two_imports_of_a_half_finished_one_complete_it(tmp_path, archive, store):
    prices(archive, [price("a", date(2023, 1, 1)), price("a", date(2024, 1, 1))])
    mapped = mapping(tmp_path, PRICES)
    run(mapped, archive, store)
    store.loads()[1].path.unlink()  # as if the import had been killed between two years

    (result,) = run(mapped, archive, store, loaded_at=LOADED_AT + timedelta(hours=1))

    assert (result.landed, result.unchanged) == (1, 1)
    assert store.newest(MARKET_DAILY).height == 2
