"""Looking for keys in everything a folder holds: in files as they are, and in what they hold once read.

All keys of the tests end in one mark, so that what is looked for are the few forms of that.

Belongs here: the forms of a mark, and the readers of each kind of file. Does not: which folders are looked through.
"""

import base64
import gzip
import io
import sqlite3
import zipfile
import zlib
from contextlib import closing
from pathlib import Path

import duckdb
import polars as pl

DEEPEST_ARCHIVE = 3


def forms_of(mark: str) -> dict[str, bytes]:
    """How a mark stands within something longer: as it is (in addresses and JSON too), in hexadecimal, in base64 at any offset."""
    raw = mark.encode()
    forms = {"plain": raw, "hex": raw.hex().encode()}
    for offset in range(3):
        # Of three bytes become four characters: those that also depend on what stands beside the mark are left out.
        text = base64.b64encode(b"\0" * offset + raw)
        first, last = (0, 2, 3)[offset], len(text) - (4 if (offset + len(raw)) % 3 else 0)
        forms[f"base64 at {offset}"] = text[first:last]
        forms[f"base64 of addresses at {offset}"] = text[first:last].replace(b"+", b"-").replace(b"/", b"_")
    return forms


def contents_of(path: Path):
    """A file as bytes, and as text where it compresses what it holds."""
    raw = path.read_bytes()
    yield raw
    if path.suffix == ".parquet":
        columns = pl.read_parquet(path).select(~pl.selectors.numeric() & ~pl.selectors.temporal())
        yield columns.write_json().encode()
    elif raw.startswith(b"SQLite format 3"):
        yield from values_of(path)
    elif path.suffix == ".duckdb":
        yield from tables_of(path)
    else:
        yield from unpacked(raw)


def unpacked(raw: bytes, depth: int = 0):
    """What zip and gzip hold, archives within them as well."""
    if depth >= DEEPEST_ARCHIVE:
        return
    inner = []
    if raw.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            inner = [archive.read(name) for name in archive.namelist()]
    elif raw.startswith(b"\x1f\x8b"):
        inner = [gzip.decompress(raw)]
    for content in inner:
        yield content
        yield from unpacked(content, depth + 1)


def values_of(path: Path):
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


def decompressed(value: bytes) -> bytes:
    try:
        return zlib.decompress(value)
    except zlib.error:
        return value


def tables_of(path: Path):
    """Texts of a DuckDB file, which compresses them: every column that can hold any, each value once."""
    with duckdb.connect(str(path), read_only=True) as connection:
        columns = connection.execute(
            """select schema_name, table_name, column_name from duckdb_columns()
            join duckdb_tables() using (schema_name, table_name)
            where data_type in ('VARCHAR', 'JSON', 'BLOB') or data_type like '%[]' or data_type like 'STRUCT%' or data_type like 'MAP%'"""
        ).fetchall()
        for schema, table, column in columns:
            texts = connection.execute(
                f'select string_agg(distinct "{column}"::varchar, chr(10)) from "{schema}"."{table}"'
            ).fetchone()
            yield (texts[0] or "").encode() if texts else b""


def leaks(paths, mark: str) -> list[str]:
    """Where keys that end in a mark stand, whole or in part: file and form."""
    forms = forms_of(mark)
    return [
        f"{path} ({form})"
        for path in paths
        for content in contents_of(path)
        for form, written in forms.items()
        if written in content
    ]


def written_since(folder: Path, instant: float):
    """Files of a folder that were written after an instant."""
    return [path for path in folder.rglob("*") if path.is_file() and path.stat().st_mtime >= instant]
