"""The rows that the audit of claims rests on, read once from a warehouse with real history.

Belongs here: grades, calls and what stood beside them, with what came after, as four frames.
Does not: claims and their tests (`claims.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import duckdb
import polars as pl

from models_ml.indices.definition import DEFINITIONS_FOLDER, load_definitions
from models_ml.learning.calendar import INVESTOR_HORIZON_DAYS, LAG_DAYS, TRADER_HORIZON_DAYS
from models_ml.learning.labels import forward_returns
from orchestration.evaluation.history import FIRST_WEEK
from orchestration.lib.index_backtest import SMALL_CAPITAL_USD
from orchestration.lib.weekly_inputs import daily_closes, token_of_day

NEAR_DAYS = 30
"""Days on either side of a close among which highs and lows are looked for."""

FLAGSHIP, LOW_RISK = "ai_top100", "ai_low_risk"
LARGE_LOSS = -0.20


@dataclass(frozen=True)
class Panel:
    """Rows of the tests; `period` is the Monday of the week, or the day in `market`. Returns are fractions and begin at the next close.

    Attributes:
        daily: One row a day and token with a call: grades, call, flips, what came after, highs and lows around it.
        weekly: Those of Sundays, with confirmations, peers, risk, confidence and changes of the grade.
        market: One row a day: share of bearish calls, its change in 7 days, what the market did after.
        windows: One row a week: lead of indices over their twins in 90 days, and the market's return in them and before.
        until: Newest day on which a call was made whose 14 days have ended.
        origins: Calls by origin ('published', 'backfilled').
    """

    daily: pl.DataFrame
    weekly: pl.DataFrame
    market: pl.DataFrame
    windows: pl.DataFrame
    until: date
    origins: dict[str, int]


def read_panel(connection: duckdb.DuckDBPyConnection) -> Panel:
    """Read the panel of a warehouse with grades, calls and indices."""
    newest = connection.execute("select max(as_of_week) from learning.daily_signals_current").fetchone()
    calls = with_flips(_calls(connection)).filter(pl.col("market_date") >= FIRST_WEEK)
    closes = daily_closes(
        connection,
        until=newest[0] if newest and newest[0] else FIRST_WEEK,
        tokens=[*calls["token_id"].unique().sort(), "bitcoin"],
    )
    daily = with_outcomes(calls, closes.filter(pl.col("market_date") >= FIRST_WEEK - timedelta(days=NEAR_DAYS)))
    known = daily.filter(pl.col("return_14d").is_not_null())["market_date"].max()
    return Panel(
        daily=daily,
        weekly=with_peers(_beside(connection, daily.filter(pl.col("market_date").dt.weekday() == 7))),
        market=market_days(daily, _market(connection)),
        windows=index_windows(_net_levels(connection), _market(connection), _twins()),
        until=known if isinstance(known, date) else FIRST_WEEK,
        origins=dict(calls["origin"].value_counts().sort("origin").iter_rows()),
    )


def with_flips(calls: pl.DataFrame) -> pl.DataFrame:
    """Add how long a call has stood, and what the same token said before.

    Args:
        calls: One row a day and token: market_date, token_id, signal, signal_since_date, trader_grade, trader_rank.

    Returns:
        `calls` with period, days_standing (0 on the day of the flip), days_since_bearish_flip (since the token's flip to bearish before
        the present run, null where there was none), signal_7d_before, grade_change_7d and rank_change_7d (null where there was no grade
        7 days before).
    """
    flips = calls.filter((pl.col("signal") == -1) & (pl.col("market_date") == pl.col("signal_since_date"))).select(
        "token_id", flipped="market_date"
    )
    before = calls.select(
        "token_id",
        pl.col("market_date") + timedelta(days=7),
        signal_7d_before="signal",
        grade_before="trader_grade",
        rank_before="trader_rank",
    )
    return (
        calls.with_columns(
            period=pl.col("market_date").dt.truncate("1w"), looked_from=pl.col("signal_since_date") - timedelta(days=1)
        )
        .sort("looked_from")
        .join_asof(
            flips.sort("flipped"),
            left_on="looked_from",
            right_on="flipped",
            by="token_id",
            strategy="backward",
            check_sortedness=False,
        )
        .join(before, on=["token_id", "market_date"], how="left")
        .with_columns(
            days_standing=(pl.col("market_date") - pl.col("signal_since_date")).dt.total_days(),
            days_since_bearish_flip=(pl.col("signal_since_date") - pl.col("flipped")).dt.total_days(),
            grade_change_7d=pl.col("trader_grade") - pl.col("grade_before"),
            rank_change_7d=pl.col("trader_rank") - pl.col("rank_before"),
        )
        .drop("looked_from", "flipped", "grade_before", "rank_before")
        .sort("market_date", "token_id")
    )


def with_outcomes(calls: pl.DataFrame, closes: pl.DataFrame) -> pl.DataFrame:
    """Add what came after each call: returns from the next close, and where the close lies among those around it.

    Args:
        calls: One row a day and token: market_date, token_id, signal, volatility_30d; further columns are kept.
        closes: token_id, market_date, price_usd, volume_24h_usd; a token's days follow one another.

    Returns:
        `calls` with return_14d, return_90d (nullable fractions), forward_barrier, excess_14d and excess_90d (less the mean of the day's
        calls), beats_median_14d and _90d, shortfall_14d, fall_14d, gain_of_call_14d, is_spared_14d, is_right, and is_near_high,
        is_nearer_high, is_near_high_so_far, is_near_low (0 or 1; null where the days around are not all known).
    """
    keyed = calls.select(
        "token_id", "volatility_30d", as_of_week=pl.col("market_date") + timedelta(days=1), beta_btc_90d=pl.lit(1.0)
    )
    outcomes = forward_returns(keyed, closes).select(
        "token_id",
        pl.col("as_of_week") - timedelta(days=1),
        "forward_barrier",
        return_14d=f"forward_return_{TRADER_HORIZON_DAYS}d_lag1",
        return_90d=f"forward_return_{INVESTOR_HORIZON_DAYS}d_lag1",
    )
    judged = calls.join(
        outcomes.rename({"as_of_week": "market_date"}), on=["market_date", "token_id"], how="left"
    ).join(_around(closes), on=["market_date", "token_id"], how="left")
    day = "market_date"
    return judged.with_columns(
        excess_14d=pl.col("return_14d") - pl.col("return_14d").mean().over(day),
        excess_90d=pl.col("return_90d") - pl.col("return_90d").mean().over(day),
        beats_median_14d=(pl.col("return_14d") > pl.col("return_14d").median().over(day)).cast(pl.Float64),
        beats_median_90d=(pl.col("return_90d") > pl.col("return_90d").median().over(day)).cast(pl.Float64),
        fall_14d=-pl.col("return_14d"),
        is_spared_14d=(pl.col("return_14d") > LARGE_LOSS).cast(pl.Float64),
        is_right=(pl.col("forward_barrier") == pl.col("signal")).cast(pl.Float64),
    ).with_columns(
        shortfall_14d=-pl.col("excess_14d"),
        gain_of_call_14d=pl.col("excess_14d") * pl.col("signal"),
    )


def with_peers(weekly: pl.DataFrame) -> pl.DataFrame:
    """Add peers_turned_bullish: other tokens of the sector that turned bullish at one of the week's seven closes and still are.

    Args:
        weekly: One row a week and token: period, token_id, sector (nullable), signal, days_standing, calls_confidence, p_bullish,
            p_bearish.

    Returns:
        `weekly` with peers_turned_bullish, null without a sector; place_in_confidence, the place (0 to 1) of a call's confidence among
        the week's calls other than neutral, and place_in_probability, that of its probability among those of its own kind; null where
        there is none.
    """
    turned = ((pl.col("signal") == 1) & (pl.col("days_standing") < 7)).cast(pl.Int64)
    is_call, is_up = pl.col("signal") != 0, pl.col("signal") == 1
    confidence = pl.when(is_call).then(pl.col("calls_confidence"))
    probability = pl.when(is_call).then(pl.when(is_up).then("p_bullish").otherwise("p_bearish"))
    return weekly.with_columns(
        peers_turned_bullish=pl.when(pl.col("sector").is_not_null()).then(
            turned.sum().over("period", "sector") - turned
        ),
        place_in_confidence=_place(confidence, over=["period"]),
        place_in_probability=_place(probability, over=["period", "signal"]),
    )


def _place(value: pl.Expr, *, over: list[str]) -> pl.Expr:
    """Place of a value among the known ones of its group, 0 to 1; null where it is the only one."""
    known = value.count().over(over)
    return pl.when(known > 1).then((value.rank().over(over) - 1) / (known - 1))


def market_days(daily: pl.DataFrame, market: pl.DataFrame) -> pl.DataFrame:
    """Share of bearish calls by day, its change in 7 days, and what the market did from the next day on.

    Args:
        daily: One row a day and token with a call: market_date, signal, return_14d.
        market: One row a day without gaps: market_date, market_index_level.

    Returns:
        One row a day: period (the day), bearish_share, bullish_share, bearish_share_change_7d, market_return_14d, market_fall_14d and
        median_fall_14d (signs turned), by day.
    """
    shares = daily.group_by("market_date").agg(
        bearish_share=(pl.col("signal") == -1).mean(),
        bullish_share=(pl.col("signal") == 1).mean(),
        median_return_14d=pl.col("return_14d").median(),
        tokens=pl.len(),
    )
    level, horizon = pl.col("market_index_level"), TRADER_HORIZON_DAYS + LAG_DAYS
    after = market.sort("market_date").select(
        "market_date",
        market_return_14d=level.shift(-horizon) / level.shift(-LAG_DAYS) - 1,
    )
    week_before = shares.select(pl.col("market_date") + timedelta(days=7), before="bearish_share")
    return (
        shares.join(after, on="market_date", how="left")
        .join(week_before, on="market_date", how="left")
        .sort("market_date")
        .select(
            "bearish_share",
            "bullish_share",
            "tokens",
            "market_return_14d",
            period="market_date",
            bearish_share_change_7d=pl.col("bearish_share") - pl.col("before"),
            market_fall_14d=-pl.col("market_return_14d"),
            median_fall_14d=-pl.col("median_return_14d"),
        )
    )


def index_windows(levels: pl.DataFrame, market: pl.DataFrame, twins: dict[str, str]) -> pl.DataFrame:
    """Leads of AI indices over their passive twins in windows of 90 days that begin at each Monday's close.

    Args:
        levels: One row an index and day: date, index_id, level_net.
        market: One row a day without gaps: market_date, market_index_level.
        twins: Passive twin of each AI index.

    Returns:
        One row a week from `FIRST_WEEK` on: period (the first day), market_90d and market_90d_before (fractions), lead_flagship,
        lead_low_risk and lead_themes (log return less that of the twin; the last is the mean over the themes that have both), null where
        unknown.
    """
    wide = levels.pivot(on="index_id", index="date", values="level_net").sort("date")
    days = wide.select("date").with_columns(ends=pl.col("date") + timedelta(days=INVESTOR_HORIZON_DAYS))
    ended = days.join(wide, left_on="ends", right_on="date", how="left").sort("date")
    leads = {}
    for index_id, twin in twins.items():
        if {index_id, twin} <= set(wide.columns):
            own, other = ((ended[name] / wide[name]).log() for name in (index_id, twin))
            leads[index_id] = (own - other).alias(index_id)
    by_day = wide.select("date").with_columns(*leads.values())
    themes = [index_id for index_id in leads if index_id not in (FLAGSHIP, LOW_RISK)]
    level = pl.col("market_index_level")
    around = market.sort("market_date").select(
        date="market_date",
        market_90d=level.shift(-INVESTOR_HORIZON_DAYS) / level - 1,
        market_90d_before=level / level.shift(INVESTOR_HORIZON_DAYS) - 1,
    )
    unknown = pl.lit(None, dtype=pl.Float64)
    return (
        by_day.join(around, on="date", how="left")
        .filter(
            (pl.col("date").dt.weekday() == 1) & (pl.col("date") >= FIRST_WEEK) & pl.col("market_90d").is_not_null()
        )
        .select(
            "market_90d",
            "market_90d_before",
            period="date",
            lead_flagship=pl.col(FLAGSHIP) if FLAGSHIP in leads else unknown,
            lead_low_risk=pl.col(LOW_RISK) if LOW_RISK in leads else unknown,
            lead_themes=pl.mean_horizontal(themes) if themes else unknown,
        )
        .sort("period")
    )


def _around(closes: pl.DataFrame) -> pl.DataFrame:
    """market_date, token_id and where each close lies among those of `NEAR_DAYS` before and after."""
    window = 2 * NEAR_DAYS + 1
    price, token = pl.col("price_usd"), "token_id"
    span = (
        (pl.col("market_date").shift(-NEAR_DAYS) - pl.col("market_date").shift(NEAR_DAYS)).dt.total_days().over(token)
    )
    high = price.rolling_max(window, center=True).over(token)
    low = price.rolling_min(window, center=True).over(token)
    so_far = price.rolling_max(NEAR_DAYS + 1).over(token)
    is_whole = span == 2 * NEAR_DAYS
    return closes.sort(token, "market_date").select(
        "market_date",
        token,
        is_near_high=pl.when(is_whole).then((price >= 0.90 * high).cast(pl.Float64)),
        is_nearer_high=pl.when(is_whole).then((price >= 0.95 * high).cast(pl.Float64)),
        is_near_high_so_far=pl.when(is_whole).then((price >= 0.90 * so_far).cast(pl.Float64)),
        is_near_low=pl.when(is_whole).then((price <= 1.10 * low).cast(pl.Float64)),
    )


def _calls(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Every grade and call, as published, with volatility for the barrier and whether the token was liquid."""
    return connection.execute(
        """
        select signals.market_date, signals.token_id, signals.signal, signals.signal_since_date, signals.p_bullish, signals.p_bearish,
            grades.trader_grade, grades.trader_rank, grades.investor_grade, universe.is_liquid, features.volatility_30d,
            signals.origin
        from learning.daily_signals_current as signals
        inner join marts.fct_universe_daily as universe using (token_id, market_date)
        inner join marts.feat_token_daily as features using (token_id, market_date)
        left join learning.daily_grades_current as grades using (token_id, market_date)
        order by signals.market_date, signals.token_id
        """
    ).pl()


def _beside(connection: duckdb.DuckDBPyConnection, sundays: pl.DataFrame) -> pl.DataFrame:
    """What stood beside the calls of Sundays: volume, confidence, risk class and sector, as they were known."""
    beside = connection.execute(
        f"""
        select actions.as_of_week - 1 as market_date, actions.token_id, actions.is_volume_confirming, confidence.calls_confidence,
            risk.risk_class, tokens.sector
        from learning.trade_actions_current as actions
        inner join marts.fct_universe_daily as universe
            on actions.token_id = universe.token_id and universe.market_date = actions.as_of_week - 1
        inner join {token_of_day("universe")}
        left join learning.confidence_current as confidence
            on actions.token_id = confidence.token_id and actions.as_of_week = confidence.as_of_week
        left join marts.fct_risk_daily as risk
            on actions.token_id = risk.token_id and risk.market_date = actions.as_of_week - 1
        """
    ).pl()
    return sundays.join(beside, on=["market_date", "token_id"], how="left").sort("market_date", "token_id")


def _market(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    return connection.execute(
        "select market_date, market_index_level from marts.fct_market_daily order by market_date"
    ).pl()


def _net_levels(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    return connection.execute(
        "select date, index_id, level_net from indices.net_levels where capital_usd = ? order by date, index_id",
        [SMALL_CAPITAL_USD],
    ).pl()


def _twins() -> dict[str, str]:
    """Passive twin of the flagship, of its calm version and of each thematic AI index."""
    return {
        each.index_id: each.twin
        for each in load_definitions(DEFINITIONS_FOLDER)
        if each.twin is not None and (each.index_id in (FLAGSHIP, LOW_RISK) or each.index_id.endswith("_ai"))
    }
