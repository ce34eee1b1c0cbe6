"""What other versioned tables of the week say of the screen's tokens: chances, warnings, base rates.

Belongs here: joining them to snapshots and picks, and what a week without them looks like: nulls, never zeros.
Does not: making them, the screen (`screen_weeks.py`).
"""

from __future__ import annotations

import duckdb
import polars as pl

UNIT_AND_TOKEN = ["as_of_week", "token_id"]


def with_chances(connection: duckdb.DuckDBPyConnection, snapshot: pl.DataFrame) -> pl.DataFrame:
    """Snapshot rows with p_2x_90d, p_3x_90d and chance_model_version, null where the week or the token has no chance."""
    del connection
    return snapshot.with_columns(
        p_2x_90d=pl.lit(None, pl.Float64),
        p_3x_90d=pl.lit(None, pl.Float64),
        chance_model_version=pl.lit(None, pl.String),
    )


def with_warnings(connection: duckdb.DuckDBPyConnection, snapshot: pl.DataFrame) -> pl.DataFrame:
    """Snapshot rows with the names of raised warnings: empty where none is raised, null in weeks the filter has not judged."""
    del connection
    return snapshot.with_columns(
        excluding_warnings=pl.lit(None, pl.String),
        other_warnings=pl.lit(None, pl.String),
        warnings_checked=pl.lit(None, pl.Int64),
    )


def with_base_rates(connection: duckdb.DuckDBPyConnection, picks: pl.DataFrame) -> pl.DataFrame:
    """Picks with their buckets and what tokens of those had come to before the week."""
    del connection
    absent = ("base_rate_2x_90d", "base_rate_3x_90d", "base_rate_half_90d")
    return picks.with_columns(
        cap_bucket=pl.lit(None, pl.String),
        volatility_bucket=pl.lit(None, pl.String),
        base_rate_observations=pl.lit(None, pl.Int64),
        **{name: pl.lit(None, pl.Float64) for name in absent},
    )
