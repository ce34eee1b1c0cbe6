"""What other versioned tables of the week say of the screen's tokens: chances, warnings, base rates.

Belongs here: joining them to snapshots and picks, and what a week without them looks like: nulls, never zeros.
Does not: making them, the screen (`screen_weeks.py`).
"""

from __future__ import annotations

import duckdb
import polars as pl

from models_ml.screens.base_rates import HALF, cap_bucket_of, volatility_bucket_of
from orchestration.lib.versioned_tables import BASE_RATES

SCREEN_JUDGEMENTS = (BASE_RATES,)
"""The tables this module reads, each at the week that is screened."""

HORIZON_DAYS = 90
"""What a pick is judged by, and so what its odds are of."""

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
    """Picks with their buckets and what tokens of those had come to before the week, null where no window had ended.

    Args:
        connection: The warehouse.
        picks: as_of_week, market_cap_usd and volatility_30d; further columns are kept.

    Returns:
        `picks` with cap_bucket, volatility_bucket, base_rate_2x_90d, base_rate_3x_90d, base_rate_half_90d (0-1) and
        base_rate_observations, in the order of `picks`.
    """
    rates = connection.execute(
        f"""
        select
            as_of_week, cap_bucket, volatility_bucket,
            max(share) filter (where outcome = '2x') as base_rate_2x_90d,
            max(share) filter (where outcome = '3x') as base_rate_3x_90d,
            max(share) filter (where outcome = '{HALF}') as base_rate_half_90d,
            max(observations) as base_rate_observations
        from {BASE_RATES.current_view_sql_name}
        where horizon_days = {HORIZON_DAYS} and as_of_week in (select unnest(?::date[]))
        group by as_of_week, cap_bucket, volatility_bucket
        """,
        [picks["as_of_week"].unique().to_list()],
    ).pl()
    bucketed = picks.with_columns(cap_bucket_of(), volatility_bucket_of())
    return bucketed.join(rates, on=["as_of_week", "cap_bucket", "volatility_bucket"], how="left", maintain_order="left")
