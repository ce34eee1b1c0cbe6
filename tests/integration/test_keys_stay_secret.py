"""Keys come from the environment and go to their provider, and nowhere else."""

import gzip

import duckdb
import polars as pl
import pytest


def texts_of(path):
    """A file as bytes, and as text where it compresses what it holds."""
    yield path.read_bytes()
    if path.suffix == ".parquet":
        columns = pl.read_parquet(path).select(pl.selectors.string()).unique()
        yield columns.write_json().encode()
    if path.suffix == ".gz":
        yield gzip.decompress(path.read_bytes())


def test_no_file_of_a_run_holds_a_key(first, canaries):
    files = [path for path in first.folder.rglob("*") if path.is_file()]

    leaks = [
        f"{path}: {key}" for path in files for content in texts_of(path) for key in canaries if key.encode() in content
    ]

    assert len(files) > 100
    assert leaks == []


@pytest.mark.parametrize("part", ["warehouse.duckdb", "published/warehouse.duckdb"])
def test_no_table_holds_a_key(first, canaries, part):
    """DuckDB compresses text, so its file alone would hide one."""
    with duckdb.connect(str(first.folder / part), read_only=True) as connection:
        columns = connection.execute(
            """select table_schema, table_name, column_name from information_schema.columns
            where data_type in ('VARCHAR', 'JSON') and table_schema not in ('information_schema', 'raw')"""
        ).fetchall()
        found = []
        for schema, table, column in columns:
            name = f'"{schema}"."{table}"'
            hits = connection.execute(f"select count(*) from {name} where contains(\"{column}\", 'canary-')").fetchone()
            found += [f"{name}.{column}"] if hits and hits[0] else []

    assert len(columns) > 50
    assert found == []


def test_nothing_printed_holds_a_key(first_output, canaries):
    assert not any(key in first_output for key in canaries)
