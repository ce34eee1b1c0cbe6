"""docs/results/index-twins.md: every index that has a passive twin against it, net of costs.

Belongs here: the page, from the net levels of a run on real history.
Does not: the figures (`models_ml.backtest.statistics`), how the flagship's rules were chosen (`ai_rules.py`).
"""

from __future__ import annotations

from datetime import date

import duckdb
import polars as pl

from models_ml.backtest.statistics import summarise_levels
from models_ml.indices.definition import DEFINITIONS_FOLDER, IndexDefinition, load_definitions
from orchestration.lib.index_backtest import SMALL_CAPITAL_USD
from orchestration.lib.metadata import markdown_table

FIRST, LAST = date(2019, 1, 1), date(2024, 6, 30)

AGAINST = (
    "annual_return_difference",
    "probability_of_higher_return",
    "information_ratio",
    "tracking_error",
    "sharpe_difference",
)
ALONE = ("max_drawdown", "worst_year")


def page(connection: duckdb.DuckDBPyConnection, code: str) -> str:
    """The page as Markdown, from a built warehouse of real history."""
    twins = {each.index_id: each for each in load_definitions(DEFINITIONS_FOLDER) if each.twin is not None}
    levels = connection.execute(
        "select date, index_id, level_net as level from indices.net_levels where capital_usd = ? and date between ? and ?",
        [SMALL_CAPITAL_USD, FIRST, LAST],
    ).pl()
    return (
        "# Indices against their passive twins\n\n"
        f"From {FIRST} to {LAST} or the part of it that both have, after costs with 10,000 USD. The twin has the same universe and "
        "the same ceiling and no model. In brackets the 95 % interval of the stationary bootstrap (runs of 60 days); `p_higher_return` "
        "is the share of resamples in which the index earns more. Returns, drawdowns and tracking errors are fractions, a year; "
        f"`worst_year` is the worst 365 days of the index and, after the slash, of the twin. Code {code}.\n\n"
        + markdown_table(compare(levels, twins))
        + "\n\n"
        + READING
    )


def compare(levels: pl.DataFrame, twins: dict[str, IndexDefinition]) -> pl.DataFrame:
    """One row an index: figures against its twin as text, with intervals."""
    known = set(levels["index_id"])
    pairs = {index_id: each.twin for index_id, each in twins.items() if {index_id, each.twin} <= known and each.twin}
    benchmarks: dict[str, list[str]] = {twin: [] for twin in pairs.values()}
    benchmarks |= {index_id: [twin] for index_id, twin in pairs.items()}
    found = {
        (row["index_id"], row["benchmark"], row["metric"]): row
        for row in summarise_levels(levels, benchmarks).iter_rows(named=True)
    }
    rows = []
    for index_id, twin in sorted(pairs.items()):
        against = {metric: found[index_id, twin, metric] for metric in AGAINST}
        rows.append(
            {
                "index": index_id,
                "twin": twin,
                "from": str(against["information_ratio"]["first_date"]),
                "return_difference": _with_interval(against["annual_return_difference"]),
                "p_higher_return": _number(against["probability_of_higher_return"]["value"]),
                "information_ratio": _with_interval(against["information_ratio"]),
                "sharpe_difference": _with_interval(against["sharpe_difference"]),
                "tracking_error": _number(against["tracking_error"]["value"]),
                **{
                    metric: " / ".join(_number(found[name, None, metric]["value"]) for name in (index_id, twin))
                    for metric in ALONE
                },
            }
        )
    return pl.DataFrame(rows)


def _with_interval(row: dict[str, float | None]) -> str:
    if row["value"] is None or row["low"] is None or row["high"] is None:
        return _number(row["value"])
    return f"{row['value']:+.2f} ({row['low']:+.2f} to {row['high']:+.2f})"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


READING = """Reading it: an index of a theme holds few tokens whose sector is undated reference data, so its absolute return is
hindsight; the difference to its twin, which shares the sector, is less so. Dozens of pairs are compared here: one of twenty differences
lies outside its interval by luck alone."""
