"""Keys come from the environment and go to their provider, and nowhere else."""

import gzip
import json
import sqlite3
import zlib
from contextlib import closing

import duckdb
import polars as pl
import pytest


def texts_of(path):
    """A file as bytes, and as text where it compresses what it holds."""
    yield path.read_bytes()
    if path.suffix == ".parquet":
        columns = pl.read_parquet(path).select(~pl.selectors.numeric() & ~pl.selectors.temporal())
        yield columns.write_json().encode()
    if path.suffix == ".gz":
        yield gzip.decompress(path.read_bytes())
    if path.suffix == ".db":
        yield from values_of(path)


def values_of(path):
    """Texts of an SQLite file; Dagster keeps snapshots of runs compressed, and those as text."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
        for table in tables:
            for row in connection.execute(f'select * from "{table}"'):
                for value in row:
                    if isinstance(value, bytes):
                        yield decompressed(value)
                    elif isinstance(value, str):
                        yield value.encode()


def decompressed(value):
    try:
        return zlib.decompress(value)
    except zlib.error:
        return value


def test_a_key_in_a_compressed_snapshot_or_a_list_would_be_found(tmp_path):
    with closing(sqlite3.connect(tmp_path / "runs.db")) as connection:
        connection.execute("create table snapshots (body blob)")
        connection.execute(
            "insert into snapshots values (?)", [zlib.compress(json.dumps({"key": "canary-x"}).encode())]
        )
        connection.commit()
    pl.DataFrame({"tags": [["canary-x"] * 3]}).write_parquet(tmp_path / "landed.parquet")

    for name in ("runs.db", "landed.parquet"):
        assert any(b"canary-x" in content for content in list(texts_of(tmp_path / name))[1:]), name


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
            where (data_type in ('VARCHAR', 'JSON') or data_type like '%[]' or data_type like 'STRUCT%' or data_type like 'MAP%')
            and table_schema not in ('information_schema', 'raw')"""
        ).fetchall()
        found = []
        for schema, table, column in columns:
            name = f'"{schema}"."{table}"'
            hits = connection.execute(
                f"select count(*) from {name} where contains(\"{column}\"::varchar, 'canary-')"
            ).fetchone()
            found += [f"{name}.{column}"] if hits and hits[0] else []

    assert len(columns) > 50
    assert found == []


def test_nothing_printed_holds_a_key(first_output, canaries):
    assert not any(key in first_output for key in canaries)
