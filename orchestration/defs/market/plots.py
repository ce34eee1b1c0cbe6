"""Plots that the UI shows of the state of the market: regime against bitcoin, calls, and the rotation of sectors.

Belongs here: which columns a plot shows. Does not: lines and metadata (`orchestration/lib/metadata.py`), prices and dominance
(`orchestration/defs/warehouse/plots.py`).

A figure costs a third of a second in every run, so there are two.
"""

from datetime import date, timedelta
from typing import Any

import dagster as dg
import polars as pl

from orchestration.lib.market_tables import SCHEMA
from orchestration.lib.metadata import draw_lines, panels_plot, plot

HEIGHT = 6.0
ROTATION_WEEKS = 104
SHADES = {"bear": "#f4c7c3", "bull": "#cfe8cf"}


def state_plots(connection: Any, data_source: str) -> dict[str, dict[str, dg.MarkdownMetadataValue]]:
    """Plots by table and by the name the UI shows them under; none before there is anything to show."""
    regime = regime_plot(connection, data_source)
    rotation = rotation_plot(connection, data_source)
    return {
        "regime": {} if regime is None else {"regime": regime},
        "bull_bear": {} if rotation is None else {"sector_rotation": rotation},
    }


def regime_plot(connection: Any, data_source: str) -> dg.MarkdownMetadataValue | None:
    """Bitcoin over the trend that was named at the time, both probabilities, and the shares of bullish and bearish calls."""
    rows = connection.execute(
        f"""select regime.*, bitcoin.btc_price_usd, bull_bear.bullish_share, bull_bear.bearish_share
        from {SCHEMA}.regime as regime
        left join marts.feat_market_daily as bitcoin using (market_date)
        left join {SCHEMA}.bull_bear as bull_bear using (market_date)
        order by market_date"""
    ).pl()
    if rows.is_empty():
        return None
    days = rows["market_date"].to_list()
    # A week's mean: days jump, and the picture is of years.
    shares = rows.with_columns(pl.col("bullish_share", "bearish_share").rolling_mean(7, min_samples=1))

    def price(axes: Any) -> None:
        draw_lines(axes, {"bitcoin": (days, rows["btc_price_usd"].to_list())}, is_log=True)
        for trend, first, last in trend_spans(rows):
            axes.axvspan(first, last, color=SHADES[trend], linewidth=0, zorder=0)

    def probabilities(axes: Any) -> None:
        lines = {"bull": (days, rows["p_bull"].to_list()), "turbulent": (days, rows["p_turbulent"].to_list())}
        draw_lines(axes, lines, is_legend_beside=True)

    def calls(axes: Any) -> None:
        lines = {name: (days, shares[f"{name}_share"].to_list()) for name in ("bullish", "bearish")}
        draw_lines(axes, lines, is_legend_beside=True)

    return panels_plot(
        [
            (price, "bitcoin, USD, log scale", 2.0),
            (probabilities, "probability, filtered", 1.0),
            (calls, "share of calls", 1.0),
        ],
        title="Regime as it was named at the time (green bull, red bear)",
        data_source=data_source,
        height=HEIGHT,
    )


def trend_spans(rows: pl.DataFrame) -> list[tuple[str, date, date]]:
    """Runs of the same named trend: its name, first day, and the day after its last."""
    runs = rows.group_by("trend_since_date", maintain_order=True).agg(
        pl.col("trend").first(), pl.col("market_date").max().alias("last")
    )
    return [(trend, first, last + timedelta(days=1)) for first, trend, last in runs.iter_rows()]


def rotation_weeks(connection: Any) -> tuple[list[date], list[str], list[list[float]]]:
    """Relative strength in % by sector and Sunday of two years, NaN where unknown; the strongest of the newest week first."""
    rows = connection.execute(
        """select sector, market_date, 100 * relative_strength as strength from marts.fct_sector_rotation_daily
        where isodow(market_date) = 7 and market_date > (select max(market_date) from marts.fct_sector_rotation_daily) - 7 * ?
        order by market_date, sector""",
        [ROTATION_WEEKS],
    ).pl()
    if rows.is_empty():
        return [], [], []
    weeks = rows["market_date"].unique().sort().to_list()
    newest = rows.group_by("sector").agg(pl.col("strength").last()).sort("strength", "sector", descending=[True, False])
    by_place = {(sector, week): strength for sector, week, strength in rows.iter_rows()}
    sectors = newest["sector"].to_list()
    return weeks, sectors, [[by_place.get((sector, week), float("nan")) for week in weeks] for sector in sectors]


def rotation_plot(connection: Any, data_source: str) -> dg.MarkdownMetadataValue | None:
    """Heat map of the sectors' strength against the market."""
    weeks, sectors, strengths = rotation_weeks(connection)
    if not weeks:
        return None

    def draw(axes: Any) -> None:
        image = axes.imshow(strengths, aspect="auto", cmap="RdYlGn", vmin=-30, vmax=30, interpolation="nearest")
        axes.set_yticks(range(len(sectors)), sectors)
        shown = range(0, len(weeks), max(1, len(weeks) // 8))
        axes.set_xticks(list(shown), [weeks[place].isoformat() for place in shown], rotation=30, ha="right")
        axes.figure.colorbar(image, ax=axes, shrink=0.8)

    return plot(draw, title="Sectors against the market, by week", unit="relative strength, %", data_source=data_source)
