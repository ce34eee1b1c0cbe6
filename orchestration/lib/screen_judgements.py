"""What other versioned tables of the week say of the screen's tokens: chances, warnings, base rates.

Belongs here: joining them to snapshots and picks, and what a week without them looks like: nulls, never zeros.
Does not: making them, the screen (`screen_weeks.py`).
"""

from __future__ import annotations

import duckdb
import polars as pl

from models_ml.screens.base_rates import ALL, HALF, cap_bucket_of, volatility_bucket_of
from orchestration.lib.versioned_tables import BASE_RATES, MOONSHOT_CHANCES, TOKEN_WARNINGS, WARNING_COVERAGE

SCREEN_JUDGEMENTS = (BASE_RATES, MOONSHOT_CHANCES, TOKEN_WARNINGS, WARNING_COVERAGE)
"""The tables this module reads, each at the week that is screened."""

HORIZON_DAYS = 90
"""What a pick is judged by, and so what its odds are of."""

FEWEST_WINDOWS = 100
"""Windows below which a share says nothing: of 5 windows, 4 that doubled are one token in one month."""

UNIT_AND_TOKEN = ["as_of_week", "token_id"]


def with_chances(connection: duckdb.DuckDBPyConnection, snapshot: pl.DataFrame) -> pl.DataFrame:
    """Snapshot rows with p_2x_90d, p_3x_90d and chance_model_version, null where the week or the token has no chance."""
    chances = connection.execute(
        f"""select as_of_week, token_id, p_2x_90d, p_3x_90d, model_version as chance_model_version
        from {MOONSHOT_CHANCES.current_view_sql_name} where as_of_week in (select unnest(?::date[]))""",
        [snapshot["as_of_week"].unique().to_list()],
    ).pl()
    return snapshot.join(chances, on=UNIT_AND_TOKEN, how="left", maintain_order="left")


def with_warnings(connection: duckdb.DuckDBPyConnection, snapshot: pl.DataFrame) -> pl.DataFrame:
    """Snapshot rows with the names of raised warnings: empty where none is raised, null for tokens the filter has not judged."""
    weeks = snapshot["as_of_week"].unique().to_list()
    raised = connection.execute(
        f"""select
            as_of_week, token_id,
            string_agg(warning, ',' order by warning) filter (where is_excluding) as excluding_warnings,
            string_agg(warning, ',' order by warning) filter (where not is_excluding) as other_warnings
        from {TOKEN_WARNINGS.current_view_sql_name} where as_of_week in (select unnest(?::date[]))
        group by as_of_week, token_id""",
        [weeks],
    ).pl()
    judged = connection.execute(
        f"""select as_of_week, token_id, warnings_checked::bigint as warnings_checked
        from {WARNING_COVERAGE.current_view_sql_name} where as_of_week in (select unnest(?::date[]))""",
        [weeks],
    ).pl()
    is_judged = pl.col("warnings_checked").is_not_null()
    return (
        snapshot.join(judged, on=UNIT_AND_TOKEN, how="left", maintain_order="left")
        .join(raised, on=UNIT_AND_TOKEN, how="left", maintain_order="left")
        .with_columns(
            pl.when(is_judged).then(pl.col(name).fill_null("")).alias(name)
            for name in ("excluding_warnings", "other_warnings")
        )
    )


def with_base_rates(connection: duckdb.DuckDBPyConnection, picks: pl.DataFrame) -> pl.DataFrame:
    """Picks with their buckets and what tokens of those had come to before the week.

    Where fewer than `FEWEST_WINDOWS` windows of both buckets had ended, those of all sizes with the same volatility speak, and
    `cap_bucket` says `all`; where those are too few, too, the odds are null.

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
    enough = rates.filter(pl.col("base_rate_observations") >= FEWEST_WINDOWS)
    cells = enough.select("as_of_week", "cap_bucket", "volatility_bucket", has_cell=pl.lit(value=True))
    key = ["as_of_week", "cap_bucket", "volatility_bucket"]
    bucketed = picks.with_columns(cap_bucket_of(), volatility_bucket_of())
    return (
        bucketed.join(cells, on=key, how="left", maintain_order="left")
        .with_columns(cap_bucket=pl.when("has_cell").then("cap_bucket").otherwise(pl.lit(ALL)))
        .drop("has_cell")
        .join(enough, on=key, how="left", maintain_order="left")
    )
