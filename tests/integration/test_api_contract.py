"""What every view of the SQL interface promises, held on the published copy of a first run: columns, keys, rows, age, examples."""

import json
from datetime import date

import duckdb
import pytest

from orchestration.lib.api_contract import broken_promises, read_views
from orchestration.table_reference import read_manifest


@pytest.fixture(scope="module")
def views():
    return read_views(read_manifest())


def test_the_copy_of_a_first_run_keeps_all_that_its_views_promise(first, views):
    with duckdb.connect(str(first.published), read_only=True) as connection:
        problems = broken_promises(connection, views, as_of=date(2025, 1, 6), has_all_sources=True)

    assert problems == []


def test_the_objects_of_the_manifest_have_every_view(first, views):
    manifest = json.loads((first.published.parent / "manifest.json").read_text())

    assert {f"api.{name}" for name in views} <= set(manifest["objects"])
