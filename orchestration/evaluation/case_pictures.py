"""The pictures of the case studies: a market with its calls, and the price of a token around a Monday.

Belongs here: how cases are drawn.
Does not: which cases (`case_studies.py`).
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from orchestration.evaluation.case_studies import FOLLOWED_DAYS, Cases, signed

WIDE_RANGE = 200
"""Highest over lowest price from which only powers of ten are labelled."""
BEFORE_DAYS, AFTER_DAYS = 90, 150
PRICE, MARK, GOOD, BAD = "#1f4e79", "#444444", "#1a7f37", "#cf222e"


def draw_cases(cases: Cases, folder: Path) -> None:
    """Write the four pictures as PNG into an existing folder."""
    draw_flip(cases.market, cases.flips["market_date"][0], folder / "case-flip.png")
    for name, case in (("winner", cases.winner), ("failure", cases.failure), ("pump", cases.pump)):
        closes = cases.closes.filter(pl.col("token_id") == case["token_id"])
        what = "kept out" if name == "pump" else "picked"
        draw_token(closes, case, what=what, path=folder / f"case-{name}.png")


def draw_flip(market: pl.DataFrame, day: date, path: Path) -> None:
    """The market by cap above, shares of bearish and bullish calls below, around the day of a flip."""
    rows = market.filter(
        pl.col("market_date").is_between(day - timedelta(days=BEFORE_DAYS), day + timedelta(days=BEFORE_DAYS))
    ).sort("market_date")
    at_flip = rows.filter(pl.col("market_date") == day)["market_index_level"][0]
    figure, (above, below) = _figure(2, heights=(1.2, 1.0))
    days = rows["market_date"].to_list()
    above.plot(days, (100 * rows["market_index_level"] / at_flip).to_list(), color=PRICE, linewidth=1.6)
    above.set_ylabel("market by cap,\nday of the flip = 100", fontsize=8)
    for column, colour in (("bearish_share", BAD), ("bullish_share", GOOD)):
        below.plot(days, (100 * rows[column]).to_list(), color=colour, linewidth=1.4, label=column.split("_")[0])
    below.set_ylabel("share of calls, %", fontsize=8)
    below.set_ylim(bottom=0, top=1.25 * below.get_ylim()[1])  # room for the legend above the lines
    below.legend(fontsize=8, frameon=False, loc="upper right", ncols=2)
    for axes in (above, below):
        axes.axvline(day, color=MARK, linewidth=1, linestyle="--")
    above.set_title(f"Bearish calls jump on {day:%d %B %Y} (archive data)", fontsize=10)
    _save(figure, path)


def draw_token(closes: pl.DataFrame, case: dict[str, Any], *, what: str, path: Path) -> None:
    """Price on a log scale above, volume below, around the Monday of a pick or a rejection; entry and twice the entry are marked.

    Args:
        closes: market_date, price_usd, volume_24h_usd of the token.
        case: as_of_week, symbol, entry_usd, return_90d.
        what: 'picked' or 'kept out'.
        path: Of the PNG.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    week, entry = case["as_of_week"], case["entry_usd"]
    end = week + timedelta(days=FOLLOWED_DAYS)
    shown = closes.filter(
        pl.col("market_date").is_between(week - timedelta(days=BEFORE_DAYS), week + timedelta(days=AFTER_DAYS))
    ).sort("market_date")
    priced = list(zip(shown["market_date"], shown["price_usd"] / entry, strict=True))
    rows = shown.upsample("market_date", every="1d")  # a day without a price is a gap in the line
    days, multiples = rows["market_date"].to_list(), (rows["price_usd"] / entry).fill_null(float("nan")).to_list()
    figure, (above, below) = _figure(2, heights=(2.0, 1.0))
    above.plot(days, multiples, color=PRICE, linewidth=1.6)
    above.set_yscale("log")
    is_wide = max(value for _, value in priced) > WIDE_RANGE * min(value for _, value in priced)
    above.yaxis.set_major_locator(LogLocator(subs=(1.0,) if is_wide else (1.0, 2.0, 5.0)))
    above.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    above.yaxis.set_minor_formatter(NullFormatter())
    above.set_ylabel("close, entry = 1 (log)", fontsize=8)
    above.axhline(1, color=MARK, linewidth=0.8, linestyle=":")
    above.axhline(2, color=GOOD, linewidth=0.8, linestyle=":")
    above.plot(week, 1.0, "o", color=MARK, markersize=5)
    known = [(day, value) for day, value in priced if day <= end]
    above.plot(*known[-1], "s", color=GOOD if case["return_90d"] > 0 else BAD, markersize=6)
    above.annotate(
        f"{signed(case['return_90d'])}\nafter {(known[-1][0] - week).days} days",
        known[-1],
        xytext=(known[-1][0] + timedelta(days=6), 0.55),
        textcoords=("data", "axes fraction"),
        fontsize=8,
        arrowprops={"arrowstyle": "-", "linewidth": 0.6, "color": MARK},
    )
    volume = (rows["volume_24h_usd"] / 1e6).fill_null(float("nan")).to_list()  # unknown volume is a gap, not 0
    below.fill_between(days, volume, step="mid", color=PRICE, alpha=0.6, linewidth=0)
    below.set_ylim(bottom=0)
    below.set_ylabel("volume, M USD a day", fontsize=8)
    for axes in (above, below):
        axes.axvspan(week, end, color=MARK, alpha=0.06)
        axes.axvline(week, color=MARK, linewidth=1, linestyle="--")
    above.set_title(
        f"{case['symbol']}, {what} on {week:%d %B %Y}; shaded: the 90 days that count (archive data)", fontsize=10
    )
    _save(figure, path)


def _figure(panels: int, *, heights: tuple[float, ...]) -> tuple[Any, Any]:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.6), layout="constrained")
    axes = figure.subplots(panels, sharex=True, gridspec_kw={"height_ratios": heights})
    for each in axes:
        each.tick_params(labelsize=8, which="both")
        each.spines[["top", "right"]].set_visible(False)
        each.grid(visible=True, alpha=0.25)
        each.set_axisbelow(True)
    locator = AutoDateLocator()
    axes[-1].xaxis.set_major_locator(locator)
    axes[-1].xaxis.set_major_formatter(ConciseDateFormatter(locator))
    return figure, axes


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, dpi=100)
