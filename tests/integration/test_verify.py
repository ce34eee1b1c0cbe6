"""The chain of manifests: it passes as published, and finds what somebody changed."""

import shutil

import duckdb
import pytest


@pytest.fixture
def tampered(next_week, tmp_path):
    """A copy of what was published, for a test to change."""
    shutil.copytree(next_week.tidemark.published.parent, tmp_path / "data" / "published")
    return type(next_week.tidemark)(tmp_path / "data")


def test_what_was_published_passes(next_week):
    finished = next_week.tidemark.call("verify")

    assert finished.code == 0, finished.said
    assert str(next_week.tidemark.published.parent) in finished.out


def test_a_changed_parquet_file_is_found(tampered):
    file = tampered.published.parent / "parquet" / "learning.trader_grades.parquet"
    duckdb.sql(f"select * replace (100.0 as trader_grade) from '{file}'").write_parquet(str(file))

    finished = tampered.call("verify")

    assert finished.code == 1, finished.said
    assert "parquet/learning.trader_grades.parquet" in finished.out + finished.err
    assert "Traceback" not in finished.err


def test_a_backdated_call_in_the_published_warehouse_is_found(tampered):
    with duckdb.connect(str(tampered.published)) as connection:
        connection.execute("update learning.trader_grades set score = score + 1 where as_of_week = '2024-06-03'")

    finished = tampered.call("verify")

    assert finished.code == 1, finished.said
    assert "learning.trader_grades: rows do not match their content_hash" in finished.out + finished.err


def test_a_removed_manifest_is_found(tampered):
    (tampered.published.parent / "manifests" / "000001.json").unlink()

    finished = tampered.call("verify")

    assert finished.code == 1, finished.said
    assert "000002.json" in finished.out + finished.err
