"""Rows of the low-cap universe as the chance model and the outcomes of the moonshot screen read them.

Belongs here: reading weeks of it from the marts.
Does not: who belongs to it (`models_ml.screens.universe`), models (`chance_weeks.py`), outcomes (`moonshot_outcomes.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import duckdb
import polars as pl

from models_ml.screens.chances import READ_FEATURES
from models_ml.screens.moonshots import MoonshotSettings
from models_ml.screens.universe import is_low_cap, with_buckets
from orchestration.lib.weekly_inputs import SUNDAYS_OF, last_close, token_of_day


def low_cap_weeks(
    connection: duckdb.DuckDBPyConnection,
    settings: MoonshotSettings,
    *,
    until: date,
    weeks: Sequence[date] | None = None,
) -> pl.DataFrame:
    """The universe at the close before each Monday up to `until`.

    Args:
        connection: Warehouse with the marts.
        settings: Who belongs to it.
        until: Newest week, a Monday; its close is that of the day before.
        weeks: These weeks alone; by default all.

    Returns:
        One row a week and token, by week and token: as_of_week, token_id, symbol, price_usd, market_cap_usd, `READ_FEATURES`,
        volatility_quintile and cap_tercile within the week.
    """
    chosen = "isodow(features.market_date) = 7" if weeks is None else SUNDAYS_OF
    parameters: list[object] = [until] if weeks is None else [until, [last_close(week) for week in weeks]]
    features = ", ".join(f"features.{name}" for name in READ_FEATURES if name != "age_days")
    rows = connection.execute(
        f"""
        select
            features.market_date + 1 as as_of_week, features.token_id, tokens.symbol, universe.is_stable, universe.is_wrapped,
            universe.price_usd, universe.market_cap_usd, universe.volume_30d_median_usd, universe.age_days, {features}
        from marts.feat_token_daily as features
        inner join marts.fct_universe_daily as universe
            on features.token_id = universe.token_id and features.market_date = universe.market_date
        inner join {token_of_day("features")}
        where features.market_date < ? and {chosen}
        order by features.market_date, features.token_id
        """,
        parameters,
    ).pl()
    chosen_columns = ["as_of_week", "token_id", "symbol", "price_usd", "market_cap_usd", *READ_FEATURES]
    return with_buckets(rows.filter(is_low_cap(settings))).select(
        *dict.fromkeys(chosen_columns), "volatility_quintile", "cap_tercile"
    )


def market_closes(connection: duckdb.DuckDBPyConnection, *, until: date) -> pl.DataFrame:
    """Closes of the whole market known at Monday 00:00 of `until`, as `models_ml.screens.outcomes.follow` takes them."""
    return connection.execute(
        """select token_id, market_date, price_usd, volume_24h_usd, is_carried from marts.fct_daily
        where market_date < ? order by token_id, market_date""",
        [until],
    ).pl()
