"""The mapping of the development archive and the lags of its datasets, without the archive."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from orchestration.lib.bulk_import import load_mapping
from orchestration.lib.landing import read_lags
from orchestration.sources.datasets import DATASETS

REPOSITORY = Path(__file__).parents[4]
MAPPING = load_mapping(REPOSITORY / "orchestration" / "mappings" / "shared_data.yaml")
LAGS = read_lags(REPOSITORY / "dbt_project" / "seeds" / "publication_lags.csv")

HINDSIGHT = {
    "defillama/stablecoins",
    "electric_capital/ecosystem_links",
    "electric_capital/ecosystems",
    "electric_capital/repositories",
    "electric_capital/repository_counts_monthly",
    "fred/series_revised",
    "reference/market_events",
}


def at(*moment: int) -> datetime:
    return datetime(*moment, tzinfo=UTC)


RELEASES = [
    # series and day or end of the period, and when its publisher released it (UTC, after the release calendars)
    ("fred/series_daily", "DGS10 before Martin Luther King Day", date(2024, 1, 12), at(2024, 1, 16, 21, 15)),
    ("fred/series_daily", "DFF of a Saturday before Presidents' Day", date(2024, 2, 17), at(2024, 2, 20, 14, 0)),
    (
        "fred/series_weekly",
        "DTWEXBGS of a Monday, by H.10 after a holiday",
        date(2024, 2, 12),
        at(2024, 2, 20, 21, 15),
    ),
    (
        "fred/series_weekly",
        "DCOILWTICO of a Tuesday, on Wednesday week",
        date(2024, 6, 18),
        at(2024, 6, 26, 18, 0),
    ),
    ("fred/series_weekly", "WALCL of a Wednesday", date(2024, 6, 19), at(2024, 6, 20, 20, 30)),
    ("fred/series_monthly", "UMCSENT, a month late at FRED", date(2024, 5, 31), at(2024, 6, 28, 14, 0)),
    ("fred/series_revised", "PCEPILFE over the shutdown of 2019", date(2018, 12, 31), at(2019, 3, 1, 13, 30)),
    ("fred/series_revised", "WM2NS, by the monthly H.6", date(2024, 6, 3), at(2024, 7, 23, 17, 0)),
    ("fred/series_revised", "CPIAUCSL over the shutdown of 2013", date(2013, 9, 30), at(2013, 10, 30, 12, 30)),
    ("lbma/prices_daily", "the afternoon auction of gold", date(2024, 6, 28), at(2024, 6, 28, 14, 30)),
    ("twitter/activity_daily", "the end of a day in India", date(2021, 2, 28), at(2021, 2, 28, 18, 30)),
    ("binance/prices_hourly", "the last hour of a day", date(2024, 6, 23), at(2024, 6, 24, 0, 0)),
]


def test_only_daily_prices_are_required():
    assert [entry.path for entry in MAPPING.files if entry.required] == ["market_daily_coingecko.parquet"]


@pytest.mark.parametrize(("label", "what", "period_end", "released_at"), RELEASES, ids=[each[1] for each in RELEASES])
def test_nothing_counts_as_known_before_its_release(label, what, period_end, released_at):
    source, _, name = label.partition("/")

    available_at = datetime(period_end.year, period_end.month, period_end.day, tzinfo=UTC) + timedelta(
        days=1, hours=LAGS[source, name]
    )

    assert available_at >= released_at


def test_datasets_of_hindsight_say_so_first():
    said = {dataset.label for dataset in DATASETS.values() if dataset.description.startswith("Hindsight.")}

    assert said == HINDSIGHT


def test_two_entries_of_one_dataset_read_one_file_or_are_told_apart_by_a_feed():
    # Two files that give one key with different values would correct each other in every import.
    for label in {entry.dataset for entry in MAPPING.files}:
        files = {entry.path for entry in MAPPING.files if entry.dataset == label}

        assert len(files) == 1, f"{label} comes from {sorted(files)}"
