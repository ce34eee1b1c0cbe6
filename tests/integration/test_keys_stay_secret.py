"""Keys come from the environment and go to their provider, and nowhere else."""

import base64
import gzip
import json
import sqlite3
import urllib.parse
import zipfile
import zlib
from contextlib import closing

import duckdb
import polars as pl
import pytest

from orchestration.settings import ProviderSettings, Settings
from tests.conftest import MARK
from tests.integration.leaks import contents_of, forms_of, leaks

KEY = f"canary+x/api_key={MARK}"


def in_sqlite(path, text):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table snapshots (body blob)")
        connection.execute("insert into snapshots values (?)", [zlib.compress(json.dumps({"key": text}).encode())])
        connection.commit()


def in_duckdb(path, text):
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table t as select [?, 'b'] as tags from range(5000)", [text])


def in_zip(path, text):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner.json.gz", gzip.compress(text.encode() * 50))


WRITERS = {
    "runs.db": in_sqlite,
    "warehouse.duckdb": in_duckdb,
    "backup.zip": in_zip,
    "landed.parquet": lambda path, text: pl.DataFrame({"tags": [[text] * 3]}).write_parquet(path),
    "log.gz": lambda path, text: path.write_bytes(gzip.compress(text.encode() * 50)),
    "run.log": lambda path, text: path.write_text(f"GET /list?a=b {text} 200"),
}


@pytest.mark.parametrize("form", ["plain", "url", "base64", "base64 behind a name"])
@pytest.mark.parametrize("name", WRITERS)
def test_a_key_would_be_found_however_it_is_written_and_packed(tmp_path, name, form):
    written = {
        "plain": KEY,
        "url": urllib.parse.quote(KEY, safe=""),
        "base64": base64.b64encode(KEY.encode()).decode(),
        "base64 behind a name": base64.b64encode(f"user:{KEY}".encode()).decode(),
    }[form]
    WRITERS[name](tmp_path / name, written)

    assert leaks([tmp_path / name], MARK)
    assert not leaks([tmp_path / name], "0f1e2d3c4b5a")


def test_every_provider_has_a_canary(canaries):
    providers = [name for name, field in Settings.model_fields.items() if field.annotation is ProviderSettings]

    assert len(providers) > 15
    assert len(set(canaries)) == 2 * len(providers)
    assert all(key.endswith(MARK) for key in canaries)
    assert min(map(len, forms_of(MARK).values())) > 10


def test_no_file_of_a_run_holds_a_key_in_any_form(first):
    """Landed Parquet, warehouse and published copy, Dagster's records, logs of steps and of dbt, documents, journals, site."""
    files = [path for path in first.folder.rglob("*") if path.is_file()]

    found = leaks(files, MARK)

    assert len(files) > 100
    assert {path.suffix for path in files} >= {".parquet", ".duckdb", ".db", ".json", ".html", ".log"}
    assert found == []


def test_nothing_printed_holds_a_key(first_output, canaries):
    assert not any(key in first_output for key in canaries)


def test_a_file_that_is_no_archive_is_looked_at_as_it_is(tmp_path):
    (tmp_path / "a.txt").write_text("text")

    assert list(contents_of(tmp_path / "a.txt")) == [b"text"]
