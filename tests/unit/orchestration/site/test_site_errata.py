"""Errata: a correction of a published week is told with both versions and its reason, and nothing is told where nothing was corrected."""

import re
from datetime import UTC, date, datetime, timedelta

import duckdb
import polars as pl
import pytest

from orchestration.lib.manifest import InputVersions, Manifest
from orchestration.lib.versioned_tables import BULL_BEAR, COMPOSITIONS
from orchestration.lib.versions import Provenance, append_versions, create_versioned_tables
from orchestration.settings import REPOSITORY_ROOT
from orchestration.site.build import environment
from orchestration.site.pages.errata import errata
from orchestration.site.reading import Published

WEEK = date(2025, 1, 6)
MORNING = datetime(2025, 1, 6, 1, tzinfo=UTC)


@pytest.fixture
def copy():
    """A copy whose ledger is written as runs write it, with the view as dbt makes it."""
    view = (REPOSITORY_ROOT / "dbt_project" / "models" / "api" / "errata.sql").read_text()
    with duckdb.connect() as connection:
        create_versioned_tables(connection, tables=(BULL_BEAR, COMPOSITIONS))
        connection.execute("create schema api; set TimeZone = 'UTC'")
        sql = re.sub(r"\{\{ source\('(\w+)', '(\w+)'\) \}\}", r"\1.\2", view)
        connection.execute(f"create view api.errata as {sql}")
        manifest = Manifest(
            sequence=1,
            created_at=MORNING,
            data_source="archive",
            as_of_week=WEEK,
            code_version="abc",
            model_versions={},
            inputs=InputVersions(inputs_hash="in", input_cutoff=MORNING, loads={}),
            attribution={},
            files={},
            versioned_tables={},
            objects={},
            content_fingerprint="0",
            previous_manifest_sha256=None,
        )
        yield Published(connection, manifest, "0" * 64, WEEK, frozenset())


def record(copy, table, rows, *, at=MORNING, reason="scheduled"):
    provenance = Provenance(
        recorded_at=at, run_id="run", code_version="abc", inputs_hash="in", input_cutoff=at, version_reason=reason
    )
    frame = pl.DataFrame(rows).cast(kinds_of(table, rows))
    units = frame.select(table.unit_columns).unique()
    append_versions(copy.connection, table, frame, provenance=provenance, units=units)


def kinds_of(table, rows):
    kinds = {"DOUBLE": pl.Float64, "INTEGER": pl.Int32, "VARCHAR": pl.String, "DATE": pl.Date}
    return {name: kinds[table.content_columns[name]] for name in rows}


def moods(share, *, week=WEEK):
    return {
        "as_of_week": [week],
        "universe": ["broad"],
        "bullish_share": [share],
        "bearish_share": [0.25],
        "tokens": [100],
    }


def holdings(*indices, weight):
    known = {"as_of_week": [WEEK], "token_id": ["bitcoin"], "weight": [weight], "symbol": ["BTC"]}
    columns = {name: known.get(name, [None]) * len(indices) for name in COMPOSITIONS.content_columns}
    return columns | {"index_id": list(indices)}


def shown(page, name):
    return [[cell.text for cell in row] for row in page.context[name].rows]


def html_of(copy, page):
    return environment(copy).get_template(page.template).render(page=page, **page.context)


def test_a_corrected_published_week_is_told_with_both_versions_and_the_reason(copy):
    record(copy, BULL_BEAR, moods(0.5))
    record(copy, BULL_BEAR, moods(0.4), at=MORNING + timedelta(days=7), reason="correction of <b>binance</b>")

    page = errata(copy)

    assert shown(page, "published") == [
        [
            *("2025-01-06", "learning.bull_bear", "1", "2025-01-06 01:00 UTC", "2025-01-13 01:00 UTC", "2"),
            *("correction of <b>binance</b>", "1", "1"),
        ]
    ]
    assert page.context["backfilled"].rows == []
    assert "correction of &lt;b&gt;binance&lt;/b&gt;" in html_of(copy, page)


def test_indices_that_are_replaced_together_share_a_row(copy):
    names = ("alpha", "beta", "delta", "gamma")
    record(copy, COMPOSITIONS, holdings(*names, weight=1.0))
    record(copy, COMPOSITIONS, holdings(*names, weight=0.9), at=MORNING + timedelta(days=7), reason="correction")

    (row,) = shown(errata(copy), "published")

    assert row[2] == "alpha, beta, delta and 1 more"
    assert row[-2:] == ["4", "4"]


def test_a_week_computed_after_the_fact_is_told_apart(copy):
    record(copy, BULL_BEAR, moods(0.5, week=date(2024, 1, 1)))
    record(copy, BULL_BEAR, moods(0.4, week=date(2024, 1, 1)), at=MORNING + timedelta(days=7), reason="rebuild")

    page = errata(copy)

    assert page.context["published"].rows == []
    assert shown(page, "backfilled") == [
        ["2025-01-13 01:00 UTC", "learning.bull_bear", "1", "2024-01-01", "2024-01-01", "rebuild"]
    ]


def test_where_nothing_was_replaced_it_says_none(copy):
    record(copy, BULL_BEAR, moods(0.5))
    record(copy, BULL_BEAR, moods(0.5), at=MORNING + timedelta(days=7), reason="correction")

    text = html_of(copy, errata(copy))

    assert "None: no published week has a newer version." in text
    assert "<table" not in text
