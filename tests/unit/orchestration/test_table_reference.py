"""docs/reference says of tables what dbt's YAML does, and no name that readers were promised is gone."""

import csv

import pytest

from orchestration.lib.api_contract import (
    ContractError,
    broken_names,
    promise_again,
    promised_text,
    read_promised,
    read_views,
)
from orchestration.table_reference import (
    DICTIONARY,
    FIRST_MARK,
    MANIFEST,
    PROMISED,
    TABLES,
    dictionary_page,
    read_manifest,
    tables_page,
    version_of_code,
)

RATING_SERVICE = (
    *("daily_ohlcv", "investor_grades", "daily_grades", "daily_signals", "technology_grade"),
    *("fundamental_grade", "signal_flips", "market_metrics", "market_signal", "quant_metrics"),
    *("price_ranges", "support_resistance", "sentiments", "scenario_analysis", "correlations"),
    *("moonshot_outcomes", "base_rates", "index_statistics", "top_market_cap", "sector_rotation"),
    *("bull_bear", "unlocks", "listings", "report_card", "grade_explanations"),
    *("source_health", "weekly_report"),
)
"""What people expect of a rating service."""

OUT_OF_DATE = "out of date; run: make table-reference"

pytestmark = pytest.mark.skipif(not MANIFEST.exists(), reason="no manifest; make test parses the dbt project first")


@pytest.fixture(scope="module")
def manifest():
    return read_manifest()


@pytest.fixture(scope="module")
def views(manifest):
    return read_views(manifest)


def test_no_promised_column_is_gone_or_of_another_type(views):
    promised = read_promised(PROMISED.read_text(encoding="utf-8"))

    assert broken_names(promised, views, version=version_of_code()) == []


def test_every_column_there_is_is_promised(views):
    promised = read_promised(PROMISED.read_text(encoding="utf-8"))

    again = promised_text(promise_again(promised, views, version=version_of_code()))

    assert PROMISED.read_text(encoding="utf-8") == again, OUT_OF_DATE


def test_what_a_rating_service_has_is_there(views):
    assert set(RATING_SERVICE) <= set(views)


def test_every_view_says_its_grain_and_has_an_example(views):
    assert [view.name for view in views.values() if not view.grain or not view.example] == []


def test_every_view_with_a_day_or_week_says_how_old_it_may_be(views):
    ageless = {view.name for view in views.values() if not view.promise.newest}

    # Of these the dates say when something was, not up to when the view goes.
    assert ageless == {
        *("errata", "index_methodology", "index_pro_forma", "index_start_dates", "listings"),
        *("market_calls", "moonshot_record", "second_bearish_call"),
    }


def test_the_dictionary_is_the_one_that_the_descriptions_make(manifest):
    assert DICTIONARY.read_text(encoding="utf-8") == dictionary_page(manifest), OUT_OF_DATE


def test_the_list_of_views_is_the_one_that_the_descriptions_make(views):
    text = TABLES.read_text(encoding="utf-8")

    assert text == tables_page(text, views), OUT_OF_DATE


def test_a_page_that_lost_its_marks_is_refused(views):
    text = TABLES.read_text(encoding="utf-8").replace(FIRST_MARK, "")

    with pytest.raises(ContractError, match="has lost the lines"):
        tables_page(text, views)


def test_the_dictionary_has_every_column_of_the_interface(views):
    text = DICTIONARY.read_text(encoding="utf-8")

    with PROMISED.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))

    missing = [row for row in rows if f"| `{row['column']}` | {row['type'].lower()} |" not in text]
    assert missing == []
    assert [name for name in views if f"\n### api.{name}\n" not in text] == []
