"""docs/results/index-survivors.md: what an index of a hundred tokens gains when the dead ones are forgotten.

Belongs here: the rules of one index over the years whose dead coins are known, with and without them.
Does not: the same question about grades (`survivors.py`), published indices.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, timedelta

import duckdb
import polars as pl

from models_ml.features.feature import DAYS_A_YEAR
from models_ml.indices.definition import DEFINITIONS_FOLDER, IndexDefinition, load_definitions
from models_ml.indices.engine import fold
from models_ml.indices.market import MarketData
from models_ml.indices.state import new_state
from orchestration.lib.index_weeks import first_market_week, read_market
from orchestration.lib.metadata import markdown_table
from orchestration.lib.weeks import mondays

UNTIL = date(2020, 12, 14)
"""The CoinMarketCap history, which has the coins that died, ends two days later."""

ALIVE_WITHIN = timedelta(days=30)
RULES = "hodl100"


def page(connection: duckdb.DuckDBPyConnection, code: str) -> str:
    """The page as Markdown, from a built warehouse."""
    rules = next(each for each in load_definitions(DEFINITIONS_FOLDER) if each.index_id == RULES)
    equal = rules.model_copy(update={"weighting": rules.weighting.model_copy(update={"method": "equal"})})
    market = read_market(connection, [rules, equal], until=UNTIL)
    first = first_market_week(connection, UNTIL)
    compared = [] if first is None else [compare(each, market, mondays(first, UNTIL)) for each in (rules, equal)]
    if not compared:
        return "# The dead in an index of a hundred\n\nThe warehouse has no prices."
    return (
        f"# The dead in an index of a hundred\n\nThe rules of `{RULES}`, weighted by market cap and equally, over the years whose dead "
        "coins the history has, and once more without every token that had no price in the last "
        f"{ALIVE_WITHIN.days} days of them. Growth a year as a fraction, price return without costs. A list of today's tokens cannot "
        f"show `a_year`: the difference is what a backtest on such a list invents. Code {code}.\n\n"
        + markdown_table(pl.concat(compared))
    )


def compare(definition: IndexDefinition, market: MarketData, weeks: Sequence[date]) -> pl.DataFrame:
    """Growth of an index with all tokens and with those only whose prices reach the end.

    Args:
        definition: The rules.
        market: Prices and candidates.
        weeks: Consecutive Mondays.

    Returns:
        One row: weights, first and last day, a_year and a_year_survivors (fractions), difference, tokens_held, died_of_them.
    """
    newest = market.prices.group_by("token_id").agg(pl.col("market_date").max())
    alive = set(newest.filter(pl.col("market_date") >= weeks[-1] - ALIVE_WITHIN)["token_id"])
    results = list(fold(definition, new_state(definition), weeks, market))
    levels = pl.concat([result.levels for result in results])
    held = set(pl.concat([result.compositions for result in results])["token_id"])
    survivors = pl.concat(
        [result.levels for result in fold(definition, new_state(definition), weeks, _only(market, alive))]
    )
    first = max(frame["date"].to_list()[0] for frame in (levels, survivors))
    a_year, a_year_survivors = (_growth_a_year(frame.filter(pl.col("date") >= first)) for frame in (levels, survivors))
    return pl.DataFrame(
        {
            "weights": [definition.weighting.method],
            "first": [first],
            "last": [levels["date"].to_list()[-1]],
            "a_year": [a_year],
            "a_year_survivors": [a_year_survivors],
            "difference": [a_year_survivors - a_year],
            "tokens_held": [len(held)],
            "died_of_them": [len(held - alive)],
        }
    )


def _only(market: MarketData, tokens: Collection[str]) -> MarketData:
    kept = list(tokens)
    return MarketData(
        prices=market.prices,
        candidates=lambda day: market.candidates(day).filter(pl.col("token_id").is_in(kept)),
        market_state=market.market_state,
        market_caps=market.market_caps,
    )


def _growth_a_year(levels: pl.DataFrame) -> float:
    """Growth a year between the first and the last level."""
    days = (levels["date"].to_list()[-1] - levels["date"].to_list()[0]).days
    values = levels["level"].to_list()
    return float((values[-1] / values[0]) ** (DAYS_A_YEAR / days) - 1)
