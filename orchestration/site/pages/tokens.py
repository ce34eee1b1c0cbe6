"""The table of graded tokens, and a page a token: its grades over time, its calls on its price, why, and how risky it is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from orchestration.site.charts import Event, line_chart
from orchestration.site.formats import call, change, compact, day, file_name, number, percent, points, usd, yes_no
from orchestration.site.pages import Page
from orchestration.site.reading import Published
from orchestration.site.tables import Column, of_call, sign, table

SHOWN_DAYS = 730
"""Days of a token's charts."""

GLYPHS = {1: ("▲", "up"), 0: ("●", "flat"), -1: ("▼", "down")}
CONFIRMATIONS = {
    "is_volume_confirming": "Volume rises with the move",
    "is_sector_aligned": "Its sector moves the same way",
    "is_peer_confirmed": "Peers turned the same way",
    "is_market_aligned": "Bitcoin and ether move the same way",
    "is_repeated": "The call was repeated within a week",
}


def graded_tokens(copy: Published) -> list[dict[str, Any]]:
    """What was said of each token graded in the week, the highest Trader Grade first."""
    return copy.rows(
        """select grades.token_id, grades.symbol, tokens.name, tokens.sector, grades.trader_grade, grades.trader_rank,
            grades.is_grade_provisional, grades.coverage, grades.universe, investor.investor_grade, signals.signal, signals.p_bullish,
            signals.p_bearish, signals.signal_since_date, signals.flip_price_usd, signals.return_since_flip, actions.action,
            actions.action_reason, actions.position_weight, actions.what_changed, actions.is_volume_confirming,
            actions.is_sector_aligned, actions.is_peer_confirmed, actions.is_market_aligned, actions.is_repeated,
            confidence.trader_confidence, daily.price_usd, daily.market_cap_usd, daily.volume_24h_usd
        from api.trader_grades as grades
        left join api.tokens as tokens using (token_id)
        left join api.investor_grades as investor using (as_of_week, token_id)
        left join api.trading_signals as signals using (as_of_week, token_id)
        left join api.trade_actions as actions using (as_of_week, token_id)
        left join api.confidence as confidence using (as_of_week, token_id)
        left join api.daily as daily on grades.token_id = daily.token_id and daily.date = $week - 1
        where grades.as_of_week = $week order by trader_grade desc, grades.token_id""",
        week=copy.week,
    )


def tokens(copy: Published, graded: list[dict[str, Any]], flips: pl.DataFrame) -> Iterator[Page]:
    """The list and the pages.

    Args:
        copy: The published copy.
        graded: As `graded_tokens` gives them.
        flips: `api.signal_flips` before the week, by token, newest first.
    """
    # One read serves the charts and the changes: the view ranks every day there is, whatever is asked of it.
    daily = copy.frame(
        """select token_id, market_date, trader_grade, investor_grade, trader_grade_change_7d from api.daily_grades
        where market_date >= $since and market_date < $week order by token_id, market_date""",
        since=copy.week - dt.timedelta(days=SHOWN_DAYS),
        week=copy.week,
    )
    newest = daily.filter(pl.col("market_date") == copy.week - dt.timedelta(days=1))
    changes = dict(newest.select("token_id", "trader_grade_change_7d").rows())
    rows = [row | {"trader_grade_change_7d": changes.get(row["token_id"])} for row in graded]
    yield Page(
        path="tokens.html",
        title="Tokens",
        template="tokens.html",
        section="Tokens",
        context={"tokens": _list(rows), "count": len(rows)},
    )
    yield from _pages(copy, rows, _by_token(daily), _by_token(flips))


def _pages(
    copy: Published,
    rows: list[dict[str, Any]],
    grades: Mapping[str, pl.DataFrame],
    flips: Mapping[str, pl.DataFrame],
) -> Iterator[Page]:
    week, since = copy.week, copy.week - dt.timedelta(days=SHOWN_DAYS)
    of_week = (
        "where as_of_week = $week and token_id in (select token_id from api.trader_grades where as_of_week = $week)"
    )
    prices = _by_token(
        copy.frame(
            """select token_id, date, price_usd from api.daily where date >= $since and date < $week and token_id in
            (select token_id from api.trader_grades where as_of_week = $week) order by token_id, date""",
            since=since,
            week=week,
        )
    )
    reasons = _by_token(
        copy.frame(f"select * from api.grade_explanations {of_week} order by token_id, model desc, place", week=week)
    )
    subs = _by_token(copy.frame(f"select * from api.sub_grades {of_week} order by sub_grade", week=week))
    spans = _by_token(copy.frame(f"select * from api.price_ranges {of_week} order by horizon_days", week=week))
    risks = {
        row["token_id"]: row for row in copy.rows("select * from api.quant_metrics where date = $week - 1", week=week)
    }
    places = {
        row["token_id"]: row
        for row in copy.rows("select * from api.support_resistance where as_of_week = $week", week=week)
    }
    for row in rows:
        token_id = row["token_id"]
        own_flips = flips.get(token_id)
        yield Page(
            path=f"tokens/{file_name(token_id)}.html",
            title=row["symbol"],
            template="token_page.html",
            section="Tokens",
            context={
                "token": row,
                "price": _price_chart(prices.get(token_id), own_flips),
                "grades": _grade_chart(grades.get(token_id)),
                "flips": _flips(own_flips),
                "reasons": _reasons(reasons.get(token_id)),
                "subs": _subs(subs.get(token_id)),
                "spans": _spans(spans.get(token_id)),
                "risk": risks.get(token_id),
                "place": places.get(token_id),
                "confirmations": [(text, yes_no(row[name])) for name, text in CONFIRMATIONS.items()],
            },
        )


def _by_token(frame: pl.DataFrame) -> Mapping[str, pl.DataFrame]:
    # Keys are read off the parts: `as_dict` runs a query for each.
    return {rows["token_id"][0]: rows for rows in frame.partition_by("token_id", maintain_order=True)}


def _rows(frame: pl.DataFrame | None) -> list[dict[str, Any]]:
    return [] if frame is None else frame.to_dicts()


def _list(rows: list[dict[str, Any]]) -> Any:
    return table(
        "graded",
        "Every token of the broad universe. Sort by a column, or type a name, a sector or a call.",
        rows,
        [
            Column("Token", "symbol", link=lambda row: f"tokens/{file_name(row['token_id'])}.html"),
            Column("Name", "name"),
            Column("Sector", "sector"),
            Column("Trader Grade", "trader_grade", lambda value: number(value, 1), is_number=True),
            Column("Change 7 d", "trader_grade_change_7d", points, is_number=True, tone=sign),
            Column("Investor Grade", "investor_grade", lambda value: number(value, 1), is_number=True),
            Column("Call", "signal", call, tone=of_call),
            Column("Since", "signal_since_date", day),
            Column("Rules say", "action"),
            Column("Price", "price_usd", usd, is_number=True),
            Column("Market cap", "market_cap_usd", usd, is_number=True),
        ],
        is_searchable=True,
    )


def _price_chart(frame: pl.DataFrame | None, flips: pl.DataFrame | None) -> Any:
    if frame is None:
        return None
    events = [
        Event(row["flip_date"], *GLYPHS[row["signal"]], f"{row['flip_date']}: turned {call(row['signal'])}")
        for row in _rows(flips)
        if row["signal"] in GLYPHS
    ]
    return line_chart(
        "Price in USD, with the days on which the call turned",
        frame["date"],
        {"price": frame["price_usd"]},
        write=usd,
        label=compact,
        events=events,
    )


def _grade_chart(frame: pl.DataFrame | None) -> Any:
    if frame is None:
        return None
    return line_chart(
        "Grades",
        frame["market_date"],
        {"Trader Grade": frame["trader_grade"], "Investor Grade": frame["investor_grade"]},
        write=lambda value: number(value, 0),
        bounds=(0.0, 100.0),
    )


def _flips(frame: pl.DataFrame | None) -> Any:
    rows = _rows(frame)[:30]
    return table(
        "flips",
        "How each call turned out, newest first: the return while it stood.",
        rows,
        [
            Column("Day", "flip_date", day),
            Column("Was", "previous_signal", call, tone=of_call),
            Column("Turned", "signal", call, tone=of_call),
            Column("Price then", "flip_price_usd", usd, is_number=True),
            Column("Until", "ended_date", day),
            Column("Return of the token", "return_of_run", change, is_number=True, tone=sign),
        ],
        none="Its call never turned.",
    )


def _reasons(frame: pl.DataFrame | None) -> Any:
    return table(
        "reasons",
        "The five largest contributions to each score.",
        _rows(frame),
        [
            Column("Grade", "model", str.capitalize),
            Column("Place", "place", number, is_number=True),
            Column("In words", "sentence", is_prose=True),
            Column("Contribution", "contribution", lambda value: points(value, 4), is_number=True, tone=sign),
        ],
    )


def _subs(frame: pl.DataFrame | None) -> Any:
    return table(
        "subs",
        "Grades by family; descriptive ones are mean ranks with fixed signs that no outcome has confirmed.",
        _rows(frame),
        [
            Column("Family", "sub_grade", str.capitalize),
            Column("Grade", "grade", lambda value: number(value, 0), is_number=True),
            Column("From", "basis"),
            Column("Known features", "coverage", lambda value: percent(value, 0), is_number=True),
        ],
    )


def _spans(frame: pl.DataFrame | None) -> Any:
    return table(
        "spans",
        "Where the price will be with a chance of four in five.",
        _rows(frame),
        [
            Column("In days", "horizon_days", number, is_number=True),
            Column("From", "price_low_usd", usd, is_number=True),
            Column("Middle", "price_median_usd", usd, is_number=True),
            Column("To", "price_high_usd", usd, is_number=True),
        ],
    )
