"""The input frame of the scam filter for many weeks at once, from the warehouse.

Belongs here: queries and windows that give `INPUT_SCHEMA` (models_ml/screens/scam_filter/inputs.py), one pass over the days each.
Does not: any judgement (`models_ml.screens.scam_filter`), versions (`warning_weeks.py`).

Nothing looks ahead: of as_of_week W only days before W are read, and facts that providers publish later only where they were known by
its 00:00. Marks of cleaning (`int_daily_cleaned`) are judged on their own day.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import duckdb
import polars as pl

from models_ml.screens.scam_filter.inputs import INPUT_SCHEMA
from models_ml.screens.scam_filter.pump_shape import pump_states
from models_ml.screens.scam_filter.token_warnings import FilterSettings
from orchestration.lib.weekly_inputs import newest_readings, token_of_day

MIN_CAP_USD = 1e6
MAX_LOW_CAP_USD = 50e6
MIN_EXCHANGES_FOLLOWED = 3
"""Where fewer are read directly, a single listing says more of us than of the token."""
MIN_PEERS = 5
SPLIT_STEP = 1.8
"""Daily step of the supply from which a split of the unit is considered."""
SPLIT_MISMATCH = 0.35
"""Part of the step that the inverse move of the price may miss."""

KEYS = ("as_of_week", "token_id")


def filter_inputs(
    connection: duckdb.DuckDBPyConnection, weeks: Sequence[date], *, settings: FilterSettings
) -> pl.DataFrame:
    """One row a week and token that the filter judges: graded ones, and all others with a claimed cap of a million USD or more.

    Pegged and wrapped tokens are left out; tokens that only a pool is known of are in from the week in which the pool was read.

    Args:
        connection: The warehouse.
        weeks: Mondays, in any order.
        settings: The filter's, for the shape of pumps.

    Returns:
        Columns of `INPUT_SCHEMA`, by week and token.
    """
    if not weeks:
        return pl.DataFrame(schema=dict(INPUT_SCHEMA))
    first, last = min(weeks), max(weeks)
    wanted = pl.DataFrame({"as_of_week": sorted(set(weeks))}, schema={"as_of_week": pl.Date})
    days = _days(connection, since=first - timedelta(days=settings.pump.look_back_days), until=last)
    subjects = _subjects(connection, wanted)
    known = subjects.join(pump_weeks(days, settings), on=KEYS, how="left")
    for frame in (
        _volume_weeks(days),
        _supply_weeks(days),
        _exchange_weeks(connection, wanted),
        _pool_weeks(connection, wanted),
        _holder_weeks(connection, wanted),
        _held_back_weeks(connection, wanted),
    ):
        known = known.join(frame.unique(KEYS, keep="first"), on=KEYS, how="left")
    # The most exchanges that any token was quoted on is what was followed; one quoted nowhere says so by silence.
    followed = pl.col("venues").max().over("as_of_week").fill_null(0)
    known = known.with_columns(
        prices_held_back_30d=pl.col("prices_held_back_30d").fill_null(0),
        exchanges_followed=followed,
        venues=pl.when(followed >= MIN_EXCHANGES_FOLLOWED).then(pl.col("venues").fill_null(0)),
    )
    known = known.with_columns(turnover_to_peers=_to_peers(pl.col("turnover_week"), pl.col("claimed_cap_usd")))
    unknown = _pool_only_weeks(connection, wanted)
    columns = [pl.col(name).cast(dtype) for name, dtype in INPUT_SCHEMA.items()]
    return pl.concat([known.select(columns), unknown.select(columns)]).sort(*KEYS)


def pump_weeks(days: pl.DataFrame, settings: FilterSettings) -> pl.DataFrame:
    """`pump_states` at the close before each Monday."""
    states = pump_states(days.select("token_id", "market_date", "price_usd", "volume_24h_usd"), settings.pump)
    return states.filter(pl.col("market_date").dt.weekday() == 7).select(
        pl.col("market_date").dt.offset_by("1d").alias("as_of_week"), pl.exclude("market_date")
    )


def _days(connection: duckdb.DuckDBPyConnection, *, since: date, until: date) -> pl.DataFrame:
    """Cleaned days of all tokens from `since` to the day before `until`, with what was claimed."""
    return connection.execute(
        """
        select
            daily.token_id, daily.market_date, daily.price_usd, daily.volume_24h_usd,
            coalesce(cleaned.claimed_cap_usd, daily.market_cap_usd) as claimed_cap_usd,
            coalesce(cleaned.cap_rule = 'implausible_cap', false) as is_cap_held_back,
            coalesce(daily.wash_mark = 'unmoved', false) as is_unmoved,
            cleaned.excess_over_exchanges
        from marts.fct_daily as daily
        left join intermediate.int_daily_cleaned as cleaned
            on daily.token_id = cleaned.token_id and daily.market_date = cleaned.market_date
        where daily.market_date >= $since and daily.market_date < $until
        order by daily.token_id, daily.market_date
        """,
        {"since": since, "until": until},
    ).pl()


def _subjects(connection: duckdb.DuckDBPyConnection, wanted: pl.DataFrame) -> pl.DataFrame:
    """Whom the filter judges in which week."""
    return connection.execute(
        f"""
        select
            universe.market_date + 1 as as_of_week, universe.token_id, universe.price_usd,
            coalesce(cleaned.claimed_cap_usd, universe.market_cap_usd) as claimed_cap_usd,
            coalesce(coalesce(cleaned.claimed_cap_usd, universe.market_cap_usd) between $low and $high, false) as is_low_cap,
            universe.is_broad as is_graded,
            coalesce(tokens.migrated_date <= universe.market_date, false) as is_migrated,
            case when tokens.migrated_date <= universe.market_date then tokens.successor_token_id end as successor_token_id
        from marts.fct_universe_daily as universe
        inner join {token_of_day("universe")}
        left join intermediate.int_daily_cleaned as cleaned
            on universe.token_id = cleaned.token_id and universe.market_date = cleaned.market_date
        where
            universe.market_date in (select unnest($closes::date[])) and not universe.is_stable and not universe.is_wrapped
            and (universe.is_broad or coalesce(cleaned.claimed_cap_usd, universe.market_cap_usd) >= $low)
        """,
        {
            "low": MIN_CAP_USD,
            "high": MAX_LOW_CAP_USD,
            "closes": [week - timedelta(days=1) for week in wanted["as_of_week"]],
        },
    ).pl()


def _windows(days: pl.DataFrame, length: int, *expressions: pl.Expr) -> pl.DataFrame:
    """Expressions over the days [W - length, W) of each token and Monday W."""
    return (
        days.group_by_dynamic(
            "market_date",
            every="1w",
            period=f"{length}d",
            offset=f"-{length}d",
            closed="left",
            label="left",
            start_by="monday",
            group_by="token_id",
        )
        .agg(*expressions)
        .select(pl.col("market_date").dt.offset_by(f"{length}d").alias("as_of_week"), pl.exclude("market_date"))
    )


def _at_least(expression: pl.Expr, count: int, of: str) -> pl.Expr:
    return pl.when(pl.col(of).count() >= count).then(expression)


def _volume_weeks(days: pl.DataFrame) -> pl.DataFrame:
    volume = pl.col("volume_24h_usd")
    digits = volume.log10().floor() - 2
    unit = pl.lit(10.0).pow(digits)
    days = days.with_columns(
        log_volume=volume.log(),
        is_round=(
            (volume >= 1000)
            & (
                (((volume / unit).round() * unit - volume).abs() < 1e-9 * volume)
                | (volume == volume.shift(1).over("token_id"))
            )
        ),
    )
    week = _windows(
        days,
        7,
        _at_least(volume.sum() / volume.count() * 7, 5, "volume_24h_usd").alias("week_volume_usd"),
        _at_least(pl.col("log_volume").std(), 7, "log_volume").alias("volume_deviation_7d"),
        pl.col("claimed_cap_usd").last().alias("last_cap_usd"),
    ).with_columns(turnover_week=pl.col("week_volume_usd") / pl.col("last_cap_usd"))
    fortnight = _windows(
        days,
        14,
        _at_least(pl.col("is_round").sum(), 7, "volume_24h_usd").cast(pl.Int64).alias("round_days_14d"),
        _at_least(pl.col("is_unmoved").sum(), 7, "volume_24h_usd").cast(pl.Int64).alias("unmoved_days_14d"),
        pl.col("excess_over_exchanges").median().alias("venue_excess_14d"),
    )
    month = _windows(
        days,
        30,
        _at_least(volume.median(), 10, "volume_24h_usd").alias("volume_30d_usd"),
        pl.when(pl.col("claimed_cap_usd").count() > 0)
        .then(pl.col("is_cap_held_back").sum())
        .cast(pl.Int64)
        .alias("cap_held_back_days"),
    )
    week = week.drop("week_volume_usd", "last_cap_usd")
    return month.join(fortnight, on=KEYS, how="left").join(week, on=KEYS, how="left")


def _supply_weeks(days: pl.DataFrame) -> pl.DataFrame:
    """Supply implied by the claimed cap against a month before, and the largest split of the unit within the month."""
    supply = pl.col("claimed_cap_usd") / pl.col("price_usd")
    days = days.with_columns(supply_tokens=supply).with_columns(
        supply_step=pl.col("supply_tokens").log().diff().over("token_id"),
        price_step=pl.col("price_usd").log().diff().over("token_id"),
    )
    step = pl.col("supply_step")
    is_split = (step.abs() > pl.lit(SPLIT_STEP).log()) & (
        (step + pl.col("price_step")).abs() < SPLIT_MISMATCH * step.abs()
    )
    days = days.with_columns(split_step=pl.when(is_split.fill_null(value=False)).then(step).otherwise(0.0))
    month = _windows(
        days,
        34,
        pl.col("supply_tokens").last().alias("supply_now"),
        pl.col("supply_tokens").head(5).median().alias("supply_before"),
        pl.col("market_date").first().alias("first_date"),
        pl.col("split_step").tail(30).get(pl.col("split_step").tail(30).abs().arg_max()).exp().alias("split_ratio_30d"),
    )
    is_full = pl.col("first_date") <= pl.col("as_of_week").dt.offset_by("-30d")
    return month.select(
        *KEYS,
        supply_ratio_30d=pl.when(is_full).then(pl.col("supply_now") / pl.col("supply_before")),
        split_ratio_30d=pl.when(pl.col("supply_now").is_not_null()).then("split_ratio_30d"),
    )


def _to_peers(turnover: pl.Expr, cap: pl.Expr) -> pl.Expr:
    """A turnover over the median of tokens of its size in the same week; null with fewer than five, as nothing is like bitcoin."""
    size = ["as_of_week", cap.log10().floor()]
    return turnover / pl.when(turnover.count().over(size) >= MIN_PEERS).then(turnover.median().over(size))


def _exchange_weeks(connection: duckdb.DuckDBPyConnection, wanted: pl.DataFrame) -> pl.DataFrame:
    # A book that was cut off by its provider holds more than was read, so its depth is no upper bound.
    columns = """
        facts.venues_listing as venues, case when facts.is_depth_complete then facts.depth_2pct_usd end as depth_2pct_usd
    """
    return newest_readings(
        connection, wanted["as_of_week"].to_list(), mart="fct_liquidity_daily", columns=columns, days=7
    )


def _holder_weeks(connection: duckdb.DuckDBPyConnection, wanted: pl.DataFrame) -> pl.DataFrame:
    return newest_readings(
        connection,
        wanted["as_of_week"].to_list(),
        mart="fct_holders_daily",
        columns="facts.top_10_holder_share",
        days=35,
    )


_POOL_COLUMNS = """
    facts.liquidity_usd as pool_liquidity_usd, facts.buys_24h as pool_buys_24h, facts.sells_24h as pool_sells_24h,
    facts.is_honeypot as is_honeypot_reported, facts.is_known_token, facts.fdv_usd,
    epoch(facts.available_at - facts.first_created_at) / 86400 as pool_age_days
"""


def _pool_weeks(connection: duckdb.DuckDBPyConnection, wanted: pl.DataFrame) -> pl.DataFrame:
    pools = newest_readings(
        connection, wanted["as_of_week"].to_list(), mart="fct_pools_daily", columns=_POOL_COLUMNS, days=7
    )
    return pools.filter("is_known_token").drop("is_known_token", "fdv_usd")


def _pool_only_weeks(connection: duckdb.DuckDBPyConnection, wanted: pl.DataFrame) -> pl.DataFrame:
    """Tokens that only pools are known of; their size is what all their tokens would be worth."""
    pools = newest_readings(
        connection, wanted["as_of_week"].to_list(), mart="fct_pools_daily", columns=_POOL_COLUMNS, days=7
    )
    given = pools.filter(~pl.col("is_known_token")).with_columns(
        is_low_cap=pl.col("fdv_usd").is_between(MIN_CAP_USD, MAX_LOW_CAP_USD).fill_null(value=False),
        is_graded=pl.lit(value=False),
    )
    absent = [pl.lit(None, dtype).alias(name) for name, dtype in INPUT_SCHEMA.items() if name not in given.columns]
    return given.with_columns(absent)


def _held_back_weeks(connection: duckdb.DuckDBPyConnection, wanted: pl.DataFrame) -> pl.DataFrame:
    return connection.execute(
        """
        select weeks.as_of_week, corrections.token_id, count(*) as prices_held_back_30d
        from (select unnest($weeks::date[]) as as_of_week) as weeks
        inner join quality.corrections as corrections
            on corrections.market_date < weeks.as_of_week and corrections.market_date >= weeks.as_of_week - 30
        where corrections.rule = 'held_back'
        group by all
        """,
        {"weeks": wanted["as_of_week"].to_list()},
    ).pl()
