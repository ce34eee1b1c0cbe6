"""How much memory the buffers of a DuckDB connection may take: by default less than DuckDB would, for a run is two processes.

Belongs here: the limit as DuckDB takes it. Does not: opening the warehouse (`warehouse.py`), memory of what leaves DuckDB as frames.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import duckdb

from orchestration.settings import is_set, load_settings

SHARE: Final = 0.25
"""Of what DuckDB takes the machine (or its control group) to have. What does not fit is written to disk beside the warehouse."""

DUCKDB_SHARE: Final = 0.8
"""Of the same, what DuckDB itself would take (DuckDB, *Configuration*, memory_limit)."""


def memory_limit() -> str:
    """The limit that the settings name, else `SHARE` of the machine's memory, as DuckDB writes it (`5.9GiB`)."""
    named = load_settings().duckdb_memory if is_set("DUCKDB_MEMORY") else None
    return named or _usual()


@cache
def _usual() -> str:
    with duckdb.connect() as connection:
        row = connection.execute("select current_setting('memory_limit')").fetchone()
    if row is None:
        raise AssertionError("a setting without a value")
    number, unit = str(row[0]).split()
    return f"{float(number) * SHARE / DUCKDB_SHARE:.1f}{unit}"
