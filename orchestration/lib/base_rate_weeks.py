"""Base rates for the weeks of a build: the finished windows of the marts, and the versions their shares become.

Belongs here: which tokens are followed from which week on, which closes count, and where a series ended but not its token.
Does not: what the closes of a window came to (`models_ml.screens.outcome_windows`), buckets, shares and intervals
(`models_ml.screens.base_rates`), Dagster.

**Prices that stop.** A token whose newest close lies days before the end of a window has stopped, and counts as lost. But not every
series that ends is a token that died, and a window that reaches past another end tells nothing:

- *Archives end.* Where at least `MASS_END_SHARE` of the tokens that a source priced on a day have their last close on it, the source
  ended and not the tokens (2,316 of the 2,456 that one file prices on 2020-12-16 end there). Decided from closes up to the window's end.
- *Identities are found out.* A series is a token of its own until prices tie it to a coin; from then on, and some days back, the coin has
  its closes (Binance Coin in November 2017, as `coinmarketcap:binance-coin` before).
- *Tokens migrate*, and their holders are given the successor.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

import duckdb
import polars as pl

from models_ml.screens.base_rates import ALL, CAP_BUCKETS, HORIZONS_DAYS, VOLATILITY_BUCKETS, base_rates
from models_ml.screens.moonshots import MoonshotSettings
from models_ml.screens.outcome_windows import CARRIED_DAYS, outcome_windows
from orchestration.lib.run_context import RunContext
from orchestration.lib.versioned_tables import BASE_RATES, TRADER_GRADES
from orchestration.lib.versions import Appended
from orchestration.lib.weekly_versions import append_weeks, weeks_behind

MASS_END_SHARE: Final = 0.2
MASS_END_TOKENS: Final = 10
"""Fewer tokens than this ending on one day are deaths, however few the source priced."""


def finished_windows(connection: duckdb.DuckDBPyConnection, *, until: date, settings: MoonshotSettings) -> pl.DataFrame:
    """Every window that had ended before Monday 00:00 of `until`.

    A token is followed from a Sunday on which it met what the screen asks of age, volume and smallest cap, whatever its size, and
    had a close on the Monday after it, the entry. Pegged and wrapped tokens are left out. Only closes that were reported count,
    never carried ones, so three consecutive closes are three reports.

    Args:
        connection: The warehouse, with the marts.
        until: A Monday.
        settings: What the screen asks.

    Returns:
        `outcome_windows.WINDOW_SCHEMA`.
    """
    entries = _entries(connection, until=until, settings=settings)
    closes = _closes(connection, until=until, tokens=entries["token_id"].unique().to_list())
    return outcome_windows(entries, closes, until=until, horizons_days=HORIZONS_DAYS)


def build_base_rates(
    connection: duckdb.DuckDBPyConnection,
    context: RunContext,
    settings: MoonshotSettings,
    *,
    weeks: Sequence[date] | None = None,
) -> Appended:
    """Base rates of the weeks a build has to compute, all weeks at once, as versions of `screens.base_rates`."""
    if weeks is None:
        weeks = weeks_behind(connection, context, BASE_RATES, TRADER_GRADES)
    if not weeks:
        return Appended.nothing(BASE_RATES)
    windows = finished_windows(connection, until=max(weeks), settings=settings)
    return append_weeks(connection, BASE_RATES, base_rates(windows, weeks=weeks), weeks, context)


def newest_odds(connection: duckdb.DuckDBPyConnection, *, outcome: str, horizon_days: int) -> pl.DataFrame:
    """Shares of the newest recorded week for people to read, in per cent with the interval: a row a cap, a column a volatility bucket.

    A bucket that had no window yet says so with a dash.
    """
    rows = connection.execute(
        f"""select cap_bucket, volatility_bucket, share, share_low, share_high, observations
        from {BASE_RATES.current_view_sql_name}
        where as_of_week = (select max(as_of_week) from {BASE_RATES.current_view_sql_name})
            and outcome = ? and horizon_days = ?""",
        [outcome, horizon_days],
    ).fetchall()
    cells = {}
    for cap, volatility, share, low, high, observations in rows:
        reach = "" if low is None else f" ({100 * low:.1f} to {100 * high:.1f})"
        cells[cap, volatility] = f"{100 * share:.1f} %{reach} of {observations:,}"
    columns = (*VOLATILITY_BUCKETS, ALL)
    return pl.DataFrame(
        [{"cap_bucket": cap, **{name: cells.get((cap, name), "-") for name in columns}} for cap in (*CAP_BUCKETS, ALL)]
    )


def _entries(connection: duckdb.DuckDBPyConnection, *, until: date, settings: MoonshotSettings) -> pl.DataFrame:
    """Who is followed from which week on: token_id, entry_week, and cap and volatility at the Sunday's close."""
    return connection.execute(
        """
        select universe.token_id, universe.market_date + 1 as entry_week, universe.market_cap_usd, features.volatility_30d
        from marts.fct_universe_daily as universe
        inner join marts.feat_token_daily as features
            on universe.token_id = features.token_id and universe.market_date = features.market_date
        where isodow(universe.market_date) = 7 and universe.market_date < $until - 1
            and not universe.is_stable and not universe.is_wrapped
            and universe.market_cap_usd >= $min_cap
            and universe.volume_30d_median_usd >= $min_volume
            and universe.volume_30d_median_usd >= $min_volume_to_cap * universe.market_cap_usd
            and universe.age_days >= $min_age
            and features.volatility_30d is not null
        order by entry_week, universe.token_id
        """,
        {
            "until": until,
            "min_cap": settings.min_market_cap_usd,
            "min_volume": settings.min_volume_30d_usd,
            "min_volume_to_cap": settings.min_volume_to_cap,
            "min_age": settings.min_age_days,
        },
    ).pl()


def _closes(connection: duckdb.DuckDBPyConnection, *, until: date, tokens: Sequence[str]) -> pl.DataFrame:
    """Reported closes of some tokens, and after which of them a series ended whose token went on."""
    return connection.execute(
        f"""
        with closes as (
            select
                token_id, market_date, price_usd, price_source,
                coalesce(
                    lead(market_date) over (partition by token_id order by market_date) > market_date + {CARRIED_DAYS + 1}, true
                ) as is_last
            from marts.fct_daily
            where not is_carried and market_date < $until
        ),
        source_ends as (
            select price_source, market_date
            from closes
            group by price_source, market_date
            having count(*) filter (is_last) >= {MASS_END_TOKENS} and count(*) filter (is_last) >= {MASS_END_SHARE} * count(*)
        ),
        continued as (
            select own.token_id
            from marts.dim_token_ids as own
            inner join marts.dim_token_ids as taken
                on own.kind = taken.kind and own.value = taken.value and own.token_id != taken.token_id
                and own.valid_to = taken.valid_from
            union
            select token_id from marts.dim_tokens where successor_token_id is not null
        )
        select
            closes.token_id, closes.market_date, closes.price_usd,
            closes.is_last and (source_ends.market_date is not null or continued.token_id is not null) as is_series_end
        from closes
        left join source_ends on closes.price_source = source_ends.price_source and closes.market_date = source_ends.market_date
        left join continued on closes.token_id = continued.token_id
        where closes.token_id in (select unnest($tokens::varchar[]))
        order by closes.token_id, closes.market_date
        """,
        {"until": until, "tokens": list(tokens)},
    ).pl()
