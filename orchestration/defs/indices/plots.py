"""Plots that the UI shows of the flagship index: what it is worth beside its benchmarks, and what it holds and trades.

Belongs here: which columns a plot shows. Does not: drawing lines and turning figures into metadata (`orchestration/lib/metadata.py`).

A figure costs a third of a second in every run, so there are two, of one index; the other indices are in `api.index_fact_sheet`.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import dagster as dg
import polars as pl

from models_ml.indices.definition import FLAGSHIP, IndexDefinition
from orchestration.lib.index_backtest import SMALL_CAPITAL_USD
from orchestration.lib.metadata import draw_lines, panels_plot

SHOWN_TOKENS = 8
"""Constituents with an area of their own; colours beyond could not be told apart."""

COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#17becf")
OTHERS, STABLES = "others", "stablecoins"
HEIGHT = 5.0
Series = dict[str, tuple[Sequence[date], Sequence[float]]]


def flagship(definitions: Sequence[IndexDefinition]) -> IndexDefinition | None:
    """The index that is shown: the flagship, else the first with a twin, else the first; None where there is none."""
    by_rank = sorted(definitions, key=lambda each: (each.index_id != FLAGSHIP, each.twin is None, each.index_id))
    return by_rank[0] if by_rank else None


def index_plots(
    connection: Any, definitions: Sequence[IndexDefinition], data_source: str
) -> dict[str, dg.MarkdownMetadataValue]:
    """Both figures of the flagship by the name the UI shows them under; none where it has no levels yet."""
    shown = flagship(definitions)
    if shown is None:
        return {}
    worth = worth_of(connection, shown)
    if shown.index_id not in worth:
        return {}
    return {
        "performance": performance_plot(worth, shown, data_source),
        "holdings": holdings_plot(connection, shown, data_source),
    }


def worth_of(connection: Any, shown: IndexDefinition) -> Series:
    """Levels after costs of an index and its twin, bitcoin and the market, all 100 on the first day that all of them have."""
    rows = connection.execute(
        """
        with first as (
            select max(first_date) as day from (
                select min(date) as first_date from indices.net_levels where index_id in ($own, $twin) group by index_id
            )
        ),
        levels as (
            select index_id, date, level_net as level from indices.net_levels
            where index_id in ($own, $twin) and capital_usd = $capital
            union all
            select token_id, market_date, price_usd from marts.fct_daily where token_id = 'bitcoin' and price_usd > 0
            union all
            select 'total_market', market_date, market_index_level from marts.fct_market_daily where market_index_level > 0
        )
        select index_id, date, 100 * level / first_value(level) over (partition by index_id order by date) as level
        from levels where date >= (select day from first) and date <= (select max(date) from indices.net_levels)
        order by index_id, date
        """,
        {"own": shown.index_id, "twin": shown.twin or shown.index_id, "capital": SMALL_CAPITAL_USD},
    ).pl()
    found = {
        str(index_id): (part["date"].to_list(), part["level"].to_list())
        for (index_id,), part in rows.partition_by("index_id", as_dict=True, maintain_order=True).items()
    }
    ordered = [shown.index_id, shown.twin, "bitcoin", "total_market"]
    return {name: found[name] for name in ordered if name is not None and name in found}


def drawdowns(worth: Mapping[str, tuple[Sequence[date], Sequence[float]]]) -> Series:
    """Worth over the highest so far less 1, %, of each series."""
    return {
        name: (days, (100 * (pl.Series(levels) / pl.Series(levels).cum_max() - 1)).to_list())
        for name, (days, levels) in worth.items()
    }


def performance_plot(worth: Series, shown: IndexDefinition, data_source: str) -> dg.MarkdownMetadataValue:
    """Worth after costs beside the benchmarks, and drawdowns."""
    falls = drawdowns(worth)

    def below(axes: Any) -> None:
        draw_lines(axes, falls)
        axes.get_legend().remove()

    return panels_plot(
        [
            (lambda axes: draw_lines(axes, worth, is_log=True), "100 at the start, log scale", 2.0),
            (below, "drawdown, %", 1.0),
        ],
        title=f"{shown.name} after costs",
        data_source=data_source,
        height=HEIGHT,
    )


def holdings_by_week(connection: Any, shown: IndexDefinition) -> tuple[list[date], dict[str, list[float]]]:
    """Weights in % of the largest constituents, of all others and of stablecoins, by week; a week without a composition has zeros."""
    rows = connection.execute(
        """
        with holdings as (
            select as_of_week, token_id, symbol, weight, reason like '%rotated into stables%' as is_stable
            from indices.compositions_current where index_id = $own
        ),
        largest as (
            select token_id, any_value(symbol) as symbol from holdings
            where not is_stable group by token_id order by sum(weight) desc, token_id limit $shown
        )
        select
            as_of_week,
            case when is_stable then $stables else coalesce(largest.symbol, $others) end as part,
            sum(100 * weight) as weight
        from holdings left join largest using (token_id)
        group by all order by all
        """,
        {"own": shown.index_id, "shown": SHOWN_TOKENS, "stables": STABLES, "others": OTHERS},
    ).pl()
    if rows.is_empty():
        return [], {}
    first, last = rows["as_of_week"].min(), rows["as_of_week"].max()
    weeks = pl.date_range(first, last, interval="1w", eager=True)
    by_size = rows.group_by("part").agg(pl.col("weight").sum()).sort("weight", "part", descending=[True, False])["part"]
    parts = [part for part in by_size if part not in (OTHERS, STABLES)]
    parts += [part for part in (OTHERS, STABLES) if part in set(by_size)]
    weights = {
        part: dict(rows.filter(pl.col("part") == part).select("as_of_week", "weight").iter_rows()) for part in parts
    }
    return weeks.to_list(), {part: [weights[part].get(week, 0.0) for week in weeks] for part in parts}


def turnover_by_month(connection: Any, shown: IndexDefinition) -> tuple[list[date], list[float]]:
    """Half of what was bought and sold in each month, % of the index, the first purchase left out."""
    rows = connection.execute(
        """
        select date_trunc('month', date)::date as month, sum(100 * turnover) as turnover from indices.net_levels
        where index_id = $own and capital_usd = $capital
            and date > (select min(date) from indices.net_levels where index_id = $own)
        group by month order by month
        """,
        {"own": shown.index_id, "capital": SMALL_CAPITAL_USD},
    ).pl()
    return rows["month"].to_list(), rows["turnover"].to_list()


def holdings_plot(connection: Any, shown: IndexDefinition, data_source: str) -> dg.MarkdownMetadataValue:
    """What the index held week by week, and what it traded month by month."""
    weeks, weights = holdings_by_week(connection, shown)
    months, turnover = turnover_by_month(connection, shown)

    def areas(axes: Any) -> None:
        colours = {**dict(zip(weights, COLOURS, strict=False)), OTHERS: "#d8d8d8", STABLES: "#6e6e6e"}
        shades = [colours[part] for part in weights]
        axes.stackplot(weeks, list(weights.values()), labels=list(weights), colors=shades, linewidth=0, step="post")
        axes.margins(x=0)
        axes.set_ylim(0, 100)
        axes.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5), reverse=True)

    def bars(axes: Any) -> None:
        axes.bar(months, turnover, width=timedelta(days=26), align="edge", color="#4c72b0")
        axes.grid(visible=True, alpha=0.25)

    return panels_plot(
        [(areas, "weight, %", 2.0), (bars, "turnover a month, %", 1.0)],
        title=f"{shown.name}: holdings and turnover",
        data_source=data_source,
        height=HEIGHT,
    )
