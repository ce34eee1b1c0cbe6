"""The list of indices, and the fact sheet of each: what it holds and why, its level, its risk with intervals, its costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import polars as pl

from orchestration.site.charts import line_chart
from orchestration.site.formats import change, day, file_name, interval, number, percent, shift
from orchestration.site.pages import Page
from orchestration.site.reading import Published
from orchestration.site.tables import Column, sign, table

Writer = Callable[[float | None], str]

METRICS: Mapping[str, tuple[str, Writer]] = {
    "annual_return": ("Return a year", change),
    "volatility": ("Volatility a year", percent),
    "sharpe": ("Sharpe ratio", lambda value: number(value, 2)),
    "sortino": ("Sortino ratio", lambda value: number(value, 2)),
    "max_drawdown": ("Largest drawdown", change),
    "worst_year": ("Worst 12 months", change),
    "turnover_per_year": ("Turnover a year", lambda value: number(value, 2)),
}
AGAINST: Mapping[str, tuple[str, Writer]] = {
    "annual_return_difference": ("Return a year above it", change),
    "information_ratio": ("Information ratio", lambda value: number(value, 2)),
    "tracking_error": ("Tracking error", percent),
    "sharpe_difference": ("Sharpe ratio above it", lambda value: number(value, 2)),
    "probability_of_higher_return": ("Chance that its return is higher", lambda value: percent(value, 0)),
    "beta": ("Beta", lambda value: number(value, 2)),
}
SHOWN_CHANGES = 60
NET = "net_10k"
"""Basis of the figures after costs, of the smallest capital."""


def indices(copy: Published) -> Iterator[Page]:
    """The list and a page an index."""
    sheets = copy.rows(
        "select * from api.index_fact_sheet left join api.index_coverage using (index_id) order by kind, name"
    )
    yield Page(
        path="indices.html",
        title="Indices",
        template="indices.html",
        section="Indices",
        context={"sheets": _list(sheets)},
    )
    levels = copy.frame("select index_id, date, level from api.index_levels order by index_id, date")
    net = copy.frame(
        """select index_id, date, level_net from api.index_net_levels
        qualify capital_usd = min(capital_usd) over () order by index_id, date"""
    )
    bitcoin = copy.frame("select date, price_usd from api.daily where token_id = 'bitcoin' order by date")
    compositions = copy.frame(
        """select * from api.index_compositions where as_of_week = $week order by weight desc, symbol""",
        week=copy.week,
    )
    changes = copy.frame(
        """select index_id, effective_at, symbol, target_weight, reason from api.index_rebalances
        where effective_at > ($week - 7 * 26)::timestamp and regexp_matches(reason, 'entered|left|rotated|replaced|turned')
        order by effective_at desc, target_weight desc, symbol""",
        week=copy.week,
    )
    figures = copy.frame("select * from api.index_statistics")
    methods = {row["index_id"]: row for row in copy.rows("select index_id, kind, methodology from api.indices")}
    insurance = copy.frame("select * from api.index_insurance order by year")
    capacity = {row["index_id"]: row for row in copy.rows("select * from api.index_capacity")}
    for sheet in sheets:
        index_id = sheet["index_id"]
        of_index = pl.col("index_id") == index_id
        own = levels.filter(of_index)
        yield Page(
            path=f"indices/{file_name(index_id)}.html",
            title=sheet["name"],
            template="index_page.html",
            section="Indices",
            context={
                "sheet": sheet,
                "method": methods.get(index_id),
                "level": _level_chart(own, net.filter(of_index), levels, bitcoin, sheet["twin"]),
                "drawdown": _drawdown_chart(own),
                "holdings": _holdings(copy, compositions.filter(of_index)),
                "changes": _changes(changes.filter(of_index)),
                "figures": _figures(figures.filter(of_index)),
                "against": _against(figures.filter(of_index)),
                "insurance": _insurance(insurance.filter(of_index).to_dicts()),
                "capacity": capacity.get(index_id),
            },
        )


def _list(sheets: list[dict[str, Any]]) -> Any:
    return table(
        "all-indices",
        "Every index there is. Levels are price returns before costs; those after costs are on the index's page.",
        sheets,
        [
            Column("Index", "name", link=lambda row: f"indices/{file_name(row['index_id'])}.html"),
            Column("Kind", "kind"),
            Column("Holds", "members", number, is_number=True),
            Column("Level", "last_level", lambda value: number(value, 1), is_number=True),
            Column("Week", "return_1w", change, is_number=True, tone=sign),
            Column("Month", "return_1m", change, is_number=True, tone=sign),
            Column("Year", "return_1y", change, is_number=True, tone=sign),
            Column("A year since start", "annual_return", change, is_number=True, tone=sign),
            Column("Largest drawdown", "max_drawdown", change, is_number=True),
            Column("Last day", "last_date", day),
        ],
        is_searchable=True,
    )


def _level_chart(
    own: pl.DataFrame, net: pl.DataFrame, levels: pl.DataFrame, bitcoin: pl.DataFrame, twin: str | None
) -> Any:
    if own["level"].count() < 2:
        return None
    start = own.filter(pl.col("level").is_not_null())["date"][0]
    frame = own.select("date", "level").join(net.select("date", "level_net"), on="date", how="left")
    others: dict[str, pl.DataFrame] = {"bitcoin": bitcoin.rename({"price_usd": "other"})}
    if twin:
        others = {"its twin": levels.filter(pl.col("index_id") == twin).select("date", other="level"), **others}
    lines = {"index": frame["level"], "after costs (10,000 USD)": frame["level_net"]}
    for name, other in others.items():
        joined = frame.select("date", "level").join(other, on="date", how="left")
        both = joined.filter(pl.col("level").is_not_null() & pl.col("other").is_not_null() & (pl.col("date") >= start))
        if both.height < 2:
            continue
        # Both at the index's level on the first day they share.
        lines[name] = joined["other"] * (both["level"][0] / both["other"][0])
    known = {name: values for name, values in lines.items() if values.count() >= 2}
    return line_chart("Level", frame["date"], known, write=lambda value: number(value, 0))


def _drawdown_chart(own: pl.DataFrame) -> Any:
    frame = own.with_columns(drawdown=pl.col("level") / pl.col("level").cum_max() - 1)
    return line_chart(
        "Below its highest level so far",
        frame["date"],
        {"drawdown": frame["drawdown"]},
        write=lambda value: change(value, 0),
        is_area=True,
    )


def _holdings(copy: Published, rows: pl.DataFrame) -> Any:
    newest = rows.to_dicts()
    return table(
        "holdings",
        f"What it holds from Monday {newest[0]['as_of_week']} 00:00 UTC on." if newest else "",
        newest,
        [
            Column("Token", "symbol", link=lambda row: copy.page_of_token(row["token_id"], "../")),
            Column("Weight", "weight", lambda value: percent(value, 2), is_number=True),
            Column("Change", "weight_change", lambda value: shift(value, 2), is_number=True, tone=sign),
            Column("Why", "reason", is_prose=True),
        ],
        is_searchable=len(newest) > 15,
        none="It holds nothing.",
    )


def _changes(rows: pl.DataFrame) -> Any:
    return table(
        "changes",
        f"Who entered, who left and what was parked in half a year, newest first (at most {SHOWN_CHANGES}), with what is decided and "
        "not traded yet.",
        rows.head(SHOWN_CHANGES).to_dicts(),
        [
            Column("Effective", "effective_at", day),
            Column("Token", "symbol"),
            Column("Target weight", "target_weight", lambda value: percent(value, 2), is_number=True),
            Column("Why", "reason", is_prose=True),
        ],
        none="Nobody entered or left in half a year.",
    )


def _interval(low: float | None, high: float | None, write: Writer) -> str:
    return interval(write(low), write(high)) if low is not None and high is not None else ""


def _figures(rows: pl.DataFrame) -> Any:
    found = {(row["basis"], row["metric"]): row for row in rows.filter(pl.col("benchmark").is_null()).to_dicts()}
    shown = [
        {
            "metric": name,
            "gross": write(found["gross", metric]["value"]),
            "interval": _interval(found["gross", metric]["low"], found["gross", metric]["high"], write),
            "net": write(found[NET, metric]["value"]) if (NET, metric) in found else None,
        }
        for metric, (name, write) in METRICS.items()
        if ("gross", metric) in found
    ]
    return table(
        "figures",
        "Return and risk; intervals hold nineteen in twenty times, from a bootstrap of blocks.",
        shown,
        [
            Column("Figure", "metric"),
            Column("Before costs", "gross"),
            Column("Interval", "interval", str),
            Column("After costs (10,000 USD)", "net"),
        ],
    )


def _against(rows: pl.DataFrame) -> Any:
    found = rows.filter(
        pl.col("benchmark").is_not_null() & (pl.col("basis") == NET) & pl.col("metric").is_in(list(AGAINST))
    )
    shown = [
        {
            "benchmark": row["benchmark"],
            "metric": AGAINST[row["metric"]][0],
            "value": AGAINST[row["metric"]][1](row["value"]),
            "interval": _interval(row["low"], row["high"], AGAINST[row["metric"]][1]),
        }
        for row in found.sort("benchmark", "metric").to_dicts()
    ]
    return table(
        "against",
        "After costs against others, over the days both have.",
        shown,
        [
            Column("Against", "benchmark"),
            Column("Figure", "metric"),
            Column("Value", "value"),
            Column("Interval", "interval", str),
        ],
    )


def _insurance(rows: list[dict[str, Any]]) -> Any:
    return table(
        "insurance",
        "What leaving the market gave up and avoided, year by year.",
        rows,
        [
            Column("Year", "year", str),
            Column("With", "return_with", change, is_number=True, tone=sign),
            Column("Without", "return_without", change, is_number=True, tone=sign),
            Column("Given up", "given_up", change, is_number=True),
            Column("Drawdown with", "max_drawdown_with", change, is_number=True),
            Column("Without", "max_drawdown_without", change, is_number=True),
        ],
    )
