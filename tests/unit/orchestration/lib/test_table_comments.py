"""Columns of the tables that runs write anew are described in the UI and in the published copy, by the words of the api views."""

import json

import duckdb
import pytest

from orchestration.lib.dbt_translator import MANIFEST
from orchestration.lib.metadata import table_metadata
from orchestration.lib.table_comments import comment_tables, view_descriptions
from orchestration.lib.warehouse import create_schemas
from orchestration.lib.warehouse_tables import create_written_tables


@pytest.fixture
def described():
    """An empty warehouse with the tables that runs write anew, commented."""
    with duckdb.connect() as connection:
        create_schemas(connection)
        create_written_tables(connection, view_descriptions(json.loads(MANIFEST.read_text())))
        yield connection


def test_every_column_of_every_table_is_described(described):
    silent = described.execute(
        "select table_name, column_name from duckdb_columns() where not internal and comment is null"
    ).fetchall()

    assert silent == []


def test_the_ui_shows_what_the_view_says(described):
    schema = table_metadata(described, "indices.net_levels")["dagster/column_schema"]

    told = {column.name: column.description for column in schema.columns}

    views = view_descriptions(json.loads(MANIFEST.read_text()))
    assert told == {name: views["index_net_levels"][name] for name in told}
    assert "cost_paid" in told


def test_a_column_follows_what_its_view_says_now(described):
    comment_tables(described, {"index_plans": {"plan": "otherwise"}})

    comments = described.execute(
        "select column_name, comment from duckdb_columns() where table_name = 'plans' and column_name in ('plan', 'index_id')"
    ).fetchall()
    views = view_descriptions(json.loads(MANIFEST.read_text()))
    assert dict(comments) == {"plan": "otherwise", "index_id": views["index_plans"]["index_id"]}
