"""Data Docs: pages of the newest results, complete without a network, swapped in whole."""

import re

import pandas as pd
import pytest

from orchestration.lib.data_docs import keep_validation, write_data_docs
from orchestration.lib.expectations import ExpectationSpec, run_suite

POSITIVE = ExpectationSpec("expect_column_values_to_be_between", "price", {"min_value": 0})
ABSENT = ExpectationSpec("expect_column_values_to_not_be_null", "volume")


@pytest.fixture
def docs(tmp_path):
    def check(name, prices, suite):
        keep_validation(tmp_path, run_suite(pd.DataFrame({"price": prices}), suite, name=name))
        return write_data_docs(tmp_path, tmp_path / "published")

    return check


def test_every_suite_has_a_page_and_the_index_names_failures_first(docs):
    docs("marts.fct_daily", [1.0, 2.0], [POSITIVE])
    written = docs("coingecko/market_daily", [1.0, -4.5], [POSITIVE, ABSENT])

    index = written.index.read_text()
    page = (written.index.parent / "coingecko.market_daily.html").read_text()
    assert (written.suites, written.failed) == (2, 1)
    assert index.index("coingecko/market_daily") < index.index("marts.fct_daily")
    assert "0 of 2" in index
    assert re.search(r"<td>20\d\d-\d\d-\d\d \d\d:\d\d</td>", index)
    assert "-4.5" in page


def test_a_page_asks_nothing_of_the_network(docs):
    written = docs("marts.fct_daily", [1.0, 2.0], [POSITIVE])

    for page in written.index.parent.glob("*.html"):
        fetched = re.findall(r"<(?:link|script|img)[^>]*(?:src|href)=[\"'](?:https?:)?//[^>]*>", page.read_text())
        assert fetched == [], page.name
        assert "newsletter" not in page.read_text(), page.name


def test_a_suite_that_ran_again_replaces_its_page_and_nothing_is_left_behind(docs):
    docs("marts.fct_daily", [-1.0], [POSITIVE])
    written = docs("marts.fct_daily", [1.0], [POSITIVE])

    assert (written.suites, written.failed) == (1, 0)
    published = written.index.parent.parent
    assert sorted(path.name for path in published.iterdir()) == ["data_docs"]
    assert sorted(path.name for path in written.index.parent.iterdir()) == ["index.html", "marts.fct_daily.html"]


def test_pages_as_new_as_the_results_are_not_written_again(docs, tmp_path):
    written = docs("marts.fct_daily", [1.0], [POSITIVE])
    before = written.index.stat().st_mtime_ns

    again = write_data_docs(tmp_path, tmp_path / "published")

    assert again == written
    assert again.index.stat().st_mtime_ns == before


def test_without_a_suite_there_are_no_pages(tmp_path):
    assert write_data_docs(tmp_path, tmp_path / "published") is None
    assert not (tmp_path / "published").exists()
