"""What the site reads: the published copy, its manifest, and queries on `api`.

Belongs here: opening the copy, and what every page states of it. Does not: queries of single pages (`pages/`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from orchestration.lib.errors import TidemarkError
from orchestration.lib.manifest import MANIFEST_NAME, WAREHOUSE_NAME, Manifest, read_manifest
from orchestration.lib.whole_file import sha256_of
from orchestration.site.formats import file_name


class NothingPublishedError(TidemarkError):
    """There is no published copy to write pages from."""


@dataclass(frozen=True)
class Published:
    """A published copy that is open for reading.

    Attributes:
        connection: Read-only; instants are UTC.
        manifest: Its manifest.
        manifest_sha256: What a reader checks the manifest with.
        week: The newest published week.
        graded: Tokens graded in it, which have a page.
    """

    connection: duckdb.DuckDBPyConnection
    manifest: Manifest
    manifest_sha256: str
    week: date
    graded: frozenset[str]

    def page_of_token(self, token_id: str, up: str = "") -> str | None:
        """The page of a token, seen from a page `up` away from the site's folder; None where it has none."""
        return f"{up}tokens/{file_name(token_id)}.html" if token_id in self.graded else None

    def frame(self, sql: str, **values: Any) -> pl.DataFrame:
        """The answer to a query, `$name` its parameters."""
        return self.connection.execute(sql, values or None).pl()

    def rows(self, sql: str, **values: Any) -> list[dict[str, Any]]:
        """The same, a dictionary a row."""
        return self.frame(sql, **values).to_dicts()

    def row(self, sql: str, **values: Any) -> dict[str, Any] | None:
        """The only row, None where there is none."""
        found = self.rows(sql, **values)
        return found[0] if found else None


@contextmanager
def published(folder: Path) -> Iterator[Published]:
    """Open the copy in a folder.

    Raises:
        NothingPublishedError: There is none.
    """
    warehouse, manifest = folder / WAREHOUSE_NAME, folder / MANIFEST_NAME
    if not warehouse.is_file() or not manifest.is_file():
        raise NothingPublishedError(f"{folder} holds no published copy; make run publishes one")
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        read = read_manifest(manifest)
        graded = connection.execute(
            "select token_id from api.trader_grades where as_of_week = ?", [read.as_of_week]
        ).fetchall()
        yield Published(
            connection, read, sha256_of(manifest), read.as_of_week, frozenset(token_id for (token_id,) in graded)
        )
