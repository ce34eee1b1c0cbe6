"""The first page: how the market stands, what was called, what changed this week."""

from __future__ import annotations

from typing import Any

from orchestration.site.charts import line_chart
from orchestration.site.formats import call, change, day, file_name, number, percent, points, shift, usd
from orchestration.site.pages import Page
from orchestration.site.reading import Published
from orchestration.site.tables import Column, of_call, sign, table

CHANGED_INDICES = ("ai_top100", "hodl10")
"""Indices of which the first page tells every change; the others have pages of their own."""


def overview(copy: Published) -> Page:
    """The page."""
    week = {"week": copy.week}
    return Page(
        path="index.html",
        title=f"Week of {copy.week}",
        template="overview.html",
        section="Overview",
        context={
            "report": copy.row("select * from api.weekly_report where as_of_week = $week", **week),
            "market": copy.row("select * from api.market where date < $week order by date desc limit 1", **week),
            "regime": copy.row("select * from api.market_regime where date < $week order by date desc limit 1", **week),
            "signal": copy.row("select * from api.market_signal where date < $week order by date desc limit 1", **week),
            "moods": _moods(copy),
            "level": _market_level(copy),
            "sectors": _sectors(copy),
            "best": _best(copy),
            "movers": _movers(copy),
            "flips": _flips(copy),
            "changes": _changes(copy),
            "indices": _indices(copy),
        },
    )


def _moods(copy: Published) -> Any:
    frame = copy.frame("select as_of_week, bullish_share, bearish_share from api.bull_bear order by as_of_week")
    return line_chart(
        "Share of tokens called bullish and bearish",
        frame["as_of_week"],
        {"bullish": frame["bullish_share"], "bearish": frame["bearish_share"]},
        write=lambda value: percent(value, 0),
        bounds=(0.0, 1.0),
    )


def _market_level(copy: Published) -> Any:
    frame = copy.frame(
        """select date, market_index_level, bitcoin.price_usd / first_value(bitcoin.price_usd) over (order by date) * 100 as bitcoin
        from api.market as market
        left join (select date, price_usd from api.daily where token_id = 'bitcoin') as bitcoin using (date)
        where market_index_level is not null order by date"""
    )
    return line_chart(
        "The market by cap, and bitcoin (100 at the start)",
        frame["date"],
        {"market": frame["market_index_level"], "bitcoin": frame["bitcoin"]},
        write=lambda value: number(value, 0),
    )


def _sectors(copy: Published) -> Any:
    rows = copy.rows(
        """select sector, tokens, phase, return_7d, return_30d, return_less_btc_30d, volume_share_change_7d, breadth_50d,
            rank_30d, rank_gain_7d
        from api.sector_rotation where date = (select max(date) from api.sector_rotation where date < $week)
        order by rank_30d nulls last, sector""",
        week=copy.week,
    )
    return table(
        "sectors",
        "Sectors by their return of 30 days. Sector lists are undated: hindsight.",
        rows,
        [
            Column("Sector", "sector"),
            Column("Phase", "phase"),
            Column("Rank", "rank_30d", number, is_number=True),
            Column("Places gained, 7 d", "rank_gain_7d", lambda value: points(value, 0), is_number=True, tone=sign),
            Column("Return 7 d", "return_7d", change, is_number=True, tone=sign),
            Column("30 d", "return_30d", change, is_number=True, tone=sign),
            Column("30 d less bitcoin", "return_less_btc_30d", change, is_number=True, tone=sign),
            Column("Share of volume, change 7 d", "volume_share_change_7d", shift, is_number=True, tone=sign),
            Column("Above 50-day average", "breadth_50d", lambda value: percent(value, 0), is_number=True),
            Column("Tokens", "tokens", number, is_number=True),
        ],
    )


def _token_columns(copy: Published) -> list[Column]:
    return [Column("Token", "symbol", link=lambda row: copy.page_of_token(row["token_id"])), Column("Name", "name")]


def _best(copy: Published) -> Any:
    rows = copy.rows(
        """select grades.token_id, grades.symbol, tokens.name, grades.trader_grade, investor.investor_grade, signals.signal,
            actions.action, universe_price.price_usd
        from api.trader_grades as grades
        left join api.tokens as tokens using (token_id)
        left join api.investor_grades as investor using (as_of_week, token_id)
        left join api.trading_signals as signals using (as_of_week, token_id)
        left join api.trade_actions as actions using (as_of_week, token_id)
        left join api.daily as universe_price on grades.token_id = universe_price.token_id and universe_price.date = $week - 1
        where as_of_week = $week order by trader_grade desc, grades.token_id limit 10""",
        week=copy.week,
    )
    return table(
        "best",
        "The ten highest Trader Grades.",
        rows,
        [
            *_token_columns(copy),
            Column("Trader Grade", "trader_grade", lambda value: number(value, 1), is_number=True),
            Column("Investor Grade", "investor_grade", lambda value: number(value, 1), is_number=True),
            Column("Call", "signal", call, tone=of_call),
            Column("Rules say", "action"),
            Column("Price", "price_usd", usd, is_number=True),
        ],
    )


def _movers(copy: Published) -> Any:
    rows = copy.rows(
        """with changes as (
            select token_id, trader_grade, trader_grade_change_7d from api.daily_grades
            where market_date = $week - 1 and trader_grade_change_7d is not null
        )
        (select * from changes order by trader_grade_change_7d desc, token_id limit 6)
        union all (select * from changes order by trader_grade_change_7d, token_id limit 6)""",
        week=copy.week,
    )
    names = {row["token_id"]: row for row in copy.rows("select token_id, symbol, name from api.tokens")}
    rows = [{**names.get(row["token_id"], {"symbol": row["token_id"], "name": None}), **row} for row in rows]
    return table(
        "movers",
        "The Trader Grades that moved most in seven days.",
        rows,
        [
            *_token_columns(copy),
            Column("Grade", "trader_grade", lambda value: number(value, 1), is_number=True),
            Column("Change 7 d", "trader_grade_change_7d", points, is_number=True, tone=sign),
        ],
    )


def _flips(copy: Published) -> Any:
    rows = copy.rows(
        """select flips.token_id, tokens.symbol, tokens.name, flip_date, previous_signal, signal, flip_price_usd
        from api.signal_flips as flips left join api.tokens as tokens using (token_id)
        where flip_date >= $week - 7 and flip_date < $week order by flip_date desc, flips.token_id""",
        week=copy.week,
    )
    return table(
        "flips",
        "Calls that changed in the seven days before.",
        rows,
        [
            *_token_columns(copy),
            Column("Day", "flip_date", day),
            Column("Was", "previous_signal", call, tone=of_call),
            Column("Is", "signal", call, tone=of_call),
            Column("Price then", "flip_price_usd", usd, is_number=True),
        ],
        is_searchable=len(rows) > 15,
    )


def _changes(copy: Published) -> Any:
    rows = copy.rows(
        """select index_id, symbol, weight, weight_change, reason from api.index_compositions
        where as_of_week = $week and index_id in (select unnest($shown)) and abs(weight_change) > 0.005
        order by index_id desc, abs(weight_change) desc, symbol""",
        week=copy.week,
        shown=list(CHANGED_INDICES),
    )
    return table(
        "changes",
        "What changed in the flagship and the plain ten, in weight, and why.",
        rows,
        [
            Column("Index", "index_id", link=lambda row: f"indices/{file_name(row['index_id'])}.html"),
            Column("Token", "symbol"),
            Column("Weight", "weight", percent, is_number=True),
            Column("Change", "weight_change", shift, is_number=True, tone=sign),
            Column("Why", "reason", is_prose=True),
        ],
    )


def _indices(copy: Published) -> Any:
    rows = copy.rows(
        """select index_id, name, last_level, return_1w, return_1m, return_1y from api.index_fact_sheet
        where last_level is not null order by return_1w desc nulls last, index_id limit 8"""
    )
    return table(
        "indices",
        "The eight indices with the best week; all of them are on their own page.",
        rows,
        [
            Column("Index", "name", link=lambda row: f"indices/{file_name(row['index_id'])}.html"),
            Column("Level", "last_level", lambda value: number(value, 1), is_number=True),
            Column("Week", "return_1w", change, is_number=True, tone=sign),
            Column("Month", "return_1m", change, is_number=True, tone=sign),
            Column("Year", "return_1y", change, is_number=True, tone=sign),
        ],
    )
