"""The first page: how the market stands, what was called, what changed this week."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl

from orchestration.site.charts import line_chart
from orchestration.site.formats import call, change, day, file_name, number, percent, points, shift, usd
from orchestration.site.pages import Page
from orchestration.site.reading import Published
from orchestration.site.tables import Column, of_call, sign, table

CHANGED_INDICES = ("ai_top100", "hodl10")
"""Indices of which the first page tells every change; the others have pages of their own."""

SHOWN_BEST = 10
SHOWN_MOVERS = 6
"""Tokens of either direction."""

SHOWN_FLIPS = 40


def overview(copy: Published, graded: list[dict[str, Any]], flips: pl.DataFrame) -> Page:
    """The page.

    Args:
        copy: The published copy.
        graded: What was said of each token, as `pages/tokens.py` reads it.
        flips: `api.signal_flips` before the week, by token, newest first.
    """
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
            "best": _best(copy, graded),
            "movers": _movers(copy),
            "flips": _flips(copy, graded, flips),
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


def _best(copy: Published, graded: list[dict[str, Any]]) -> Any:
    return table(
        "best",
        "The ten highest Trader Grades.",
        graded[:SHOWN_BEST],
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
        """select token_id, movers.symbol, tokens.name, trader_grade, trader_grade_change_7d
        from api.grade_movers as movers left join api.tokens as tokens using (token_id)
        where rank <= $shown order by trader_grade_change_7d desc, token_id""",
        shown=SHOWN_MOVERS,
    )
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


def _flips(copy: Published, graded: list[dict[str, Any]], flips: pl.DataFrame) -> Any:
    """The newest change of each token, the largest tokens first."""
    known = {row["token_id"]: row for row in graded}
    newest = flips.filter(pl.col("flip_date") >= copy.week - dt.timedelta(days=7)).unique("token_id", keep="first")
    rows = [known[row["token_id"]] | row for row in newest.to_dicts() if row["token_id"] in known]
    rows.sort(key=lambda row: (-(row["market_cap_usd"] or 0), row["token_id"]))
    return table(
        "flips",
        f"Calls that turned in the seven days before: the {SHOWN_FLIPS} largest tokens of {len(rows)}, with the newest turn of each."
        if len(rows) > SHOWN_FLIPS
        else "Calls that turned in the seven days before, with the newest turn of each token.",
        rows[:SHOWN_FLIPS],
        [
            *_token_columns(copy),
            Column("Day", "flip_date", day),
            Column("Was", "previous_signal", call, tone=of_call),
            Column("Is", "signal", call, tone=of_call),
            Column("Price then", "flip_price_usd", usd, is_number=True),
        ],
        is_searchable=len(rows) > 15,
        none="No call turned.",
    )


def _changes(copy: Published) -> Any:
    rows = copy.rows(
        """select index_id, effective_at, symbol, target_weight, reason from api.index_rebalances
        where effective_at >= ($week - 7)::timestamp and index_id in (select unnest($shown))
            and regexp_matches(reason, 'entered|left|rotated|replaced|turned')
        order by index_id desc, effective_at desc, target_weight desc, symbol""",
        week=copy.week,
        shown=list(CHANGED_INDICES),
    )
    return table(
        "changes",
        "Who entered or left the flagship and the plain ten since the Monday before, and what is decided and not traded yet.",
        rows,
        [
            Column("Index", "index_id", link=lambda row: f"indices/{file_name(row['index_id'])}.html"),
            Column("Effective", "effective_at", day),
            Column("Token", "symbol"),
            Column("Target weight", "target_weight", percent, is_number=True),
            Column("Why", "reason", is_prose=True),
        ],
        none="Nobody entered or left the flagship or the plain ten.",
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
