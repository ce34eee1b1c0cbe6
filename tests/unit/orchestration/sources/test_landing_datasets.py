"""The registry of datasets, and the checks that all adapters share."""

import csv
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from orchestration.sources.datasets import COMMON_COLUMNS, DATASETS, UnknownDatasetError, find_dataset
from orchestration.sources.validation import (
    Rejected,
    UnreadableValueError,
    last_finished_day,
    read_instant,
    read_number,
    read_unix,
    validate,
)

REPOSITORY = Path(__file__).parents[4]
NOW = datetime(2025, 1, 6, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=lambda dataset: dataset.label)
def test_every_dataset_is_described_and_keyed_by_required_columns(dataset):
    assert dataset.description
    assert set(dataset.key) <= set(dataset.required)
    assert all(column.description for column in dataset.fields.values())
    assert all(column.unit for name, column in dataset.fields.items() if column.dtype in (pl.Float64, pl.Int64))
    assert not set(dataset.columns) & set(COMMON_COLUMNS)


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=lambda dataset: dataset.label)
def test_every_rule_runs_on_the_columns_of_its_dataset(dataset):
    frame = dataset.empty()

    for rule in dataset.all_rules:
        frame.filter(pl.sql_expr(rule.predicate))


def test_every_dataset_has_a_publication_lag_and_no_other_has():
    with (REPOSITORY / "dbt_project" / "seeds" / "publication_lags.csv").open(encoding="utf-8") as file:
        lags = {(row["source"], row["dataset"]): row["lag_hours"] for row in csv.DictReader(file)}

    assert set(lags) == set(DATASETS)


def test_an_unknown_dataset_names_the_known_ones():
    with pytest.raises(UnknownDatasetError, match=r"binance/candles.*alternative_me/fear_greed"):
        find_dataset("binance", "candles")


def test_nine_digits_of_a_second_are_read():
    assert read_instant("2020-02-29T00:00:00.123456789Z", column="time") == datetime(
        2020, 2, 29, 0, 0, 0, 123456, tzinfo=UTC
    )


@pytest.mark.parametrize("value", [None, "null"])
def test_missing_numbers_stay_missing(value):
    assert read_number(value, column="cap") is None


@pytest.mark.parametrize("value", [True, [], {}, "abc", float("inf"), float("nan"), "1e999"])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(UnreadableValueError):
        read_number(value, column="price", text_allowed=True)


@pytest.mark.parametrize("value", [None, "soon", 1e300])
def test_what_is_no_unix_time_is_refused(value):
    with pytest.raises(UnreadableValueError):
        read_unix(value, column="time", text_allowed=True)


def test_the_last_finished_day_is_counted_in_utc():
    assert last_finished_day(datetime.fromisoformat("2025-01-06T01:30:00+02:00")) == date(2025, 1, 4)


def test_days_that_have_not_begun_are_refused():
    fear_greed = find_dataset("alternative_me", "fear_greed")
    rows = [{"market_date": date(2025, 1, 5), "value": 50}, {"market_date": date(2025, 1, 7), "value": 50}]

    fetched = validate(fear_greed, rows, now=NOW)

    assert fetched.frame.height == 1
    assert [each.reason for each in fetched.rejected] == ["market_date lies in the future"]


def test_any_record_can_be_kept_as_text():
    assert Rejected.of("odd", {"at": date(2025, 1, 5), "values": [1, None]}).payload == (
        '{"at": "2025-01-05", "values": [1, null]}'
    )
