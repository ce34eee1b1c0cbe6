"""Sections of docs/results/ranking.md that rest on the weekly panel: skill by group, portfolios, attribution.

Belongs here: which figures of `models_ml.learning.evaluation` are shown, and in which words.
Does not: reading the panel and the other sections (`evaluate.py`), the figures (`models_ml.learning.evaluation`).

A panel has one row a week and token of the broad universe: as_of_week, token_id, is_liquid, score, sector, the known factors, the
median volume and the lagged 14-day return.
"""

from __future__ import annotations

import polars as pl

from models_ml.learning.calendar import HORIZON_DAYS
from models_ml.learning.evaluation.attribution import attribute, factor_returns
from models_ml.learning.evaluation.costs import CostModel
from models_ml.learning.evaluation.deflated_sharpe import ReturnSample, deflated_sharpe
from models_ml.learning.evaluation.performance import gross_returns, performance, spaced_weeks
from models_ml.learning.evaluation.performance_summary import excess_over, summarise_performance
from models_ml.learning.evaluation.portfolios import BITCOIN, Weighting, standard_portfolios
from models_ml.learning.evaluation.rank_skill import KNOWN_FACTORS, share_of_groups_above_zero
from models_ml.learning.evaluation.resampling import block_weeks
from models_ml.learning.evaluation.skill_table import skill_table, weekly_skill
from orchestration.lib.metadata import markdown_table

MODEL = "trader"
BLOCK = block_weeks(HORIZON_DAYS)
WEIGHTINGS: tuple[Weighting, ...] = ("equal", "cap")
TRIALS = (1, 10, 100)
"""Numbers of trials the deflated Sharpe ratio is shown for, until tuning logs its own."""


def _universes(panel: pl.DataFrame) -> tuple[tuple[str, pl.DataFrame], ...]:
    """The broad universe and its liquid part, by name."""
    return ("broad", panel), ("liquid", panel.filter(pl.col("is_liquid")))


def skill_sections(panel: pl.DataFrame) -> list[str]:
    """Rank IC and partial rank IC with intervals: beside baselines, by size bucket, by sector."""
    weekly = weekly_skill(panel, model=MODEL)
    table = skill_table(weekly, block=BLOCK).drop("hac_low", "hac_high")
    whole = table.filter(pl.col("grouping") == "all").drop("grouping", "group")
    grouped = table.filter((pl.col("grouping") != "all") & (pl.col("model") == MODEL)).drop("model")
    by_year = skill_table(weekly.filter(pl.col("model") == MODEL), block=BLOCK, by_year=True)
    bucket_years = by_year.filter((pl.col("grouping") == "size_bucket") & (pl.col("measure") == "rank_ic"))
    shares = ", ".join(
        f"{universe} {share_of_groups_above_zero(bucket_years.filter(pl.col('universe') == universe)):.0%}"
        for universe in ("broad", "liquid")
    )
    return [
        "## Beside the baselines, with intervals\n\nRank IC and partial rank IC with one day of lag. The partial one takes out of the "
        f"score what the ranks of {', '.join(KNOWN_FACTORS)} explain of it, so a baseline that is one of them has none. 95 % intervals "
        f"from blocks of {BLOCK} weeks.\n\n" + markdown_table(whole),
        f"## By size and sector\n\nBucket-years with a rank IC above 0: {shares}.\n\n" + markdown_table(grouped),
    ]


def portfolio_section(panel: pl.DataFrame) -> str:
    """What the score's portfolios earned after costs, against the market and bitcoin."""
    parts = []
    for universe, members in _universes(spaced_weeks(panel, holding_days=HORIZON_DAYS)):
        for weighting in WEIGHTINGS:
            periods = performance(standard_portfolios(members, weighting=weighting), members, holding_days=HORIZON_DAYS)
            spread = ReturnSample.of(periods.filter(pl.col("portfolio") == "long_short")["net_return"].to_numpy())
            deflated = ", ".join(
                f"{deflated_sharpe(spread, trials=trials, variance=1 / (spread.periods - 1)):.2f} of {trials}"
                for trials in TRIALS
            )
            chosen = pl.col("portfolio").is_in(["decile_10", "market_without_worst"])
            excess = excess_over(periods, ["market", BITCOIN], holding_days=HORIZON_DAYS).filter(chosen)
            parts.append(
                f"{universe.capitalize()}, {weighting}-weighted. Probability that the net Sharpe ratio of long against short is more than "
                f"the luck of the best of so many trials without skill: {deflated}.\n\n"
                + markdown_table(summarise_performance(periods, holding_days=HORIZON_DAYS))
                + "\n\nNet return a period over the market's and bitcoin's:\n\n"
                + markdown_table(excess.drop("hac_low", "hac_high", "icir"))
            )
    costs = ", ".join(f"{bps:g} bp above {edge:,.0f} USD a day" for edge, bps in CostModel().buckets)
    return (
        f"## Portfolios\n\nRebalanced every {HORIZON_DAYS} days, one day after the call; costs a side, an assumption: {costs}.\n\n"
        + "\n\n".join(parts)
    )


def attribution_section(panel: pl.DataFrame) -> str:
    """How much of the long-short and the best decile our own factor portfolios explain."""
    tables = []
    for universe, members in _universes(panel):
        for weighting in WEIGHTINGS:
            returns = gross_returns(standard_portfolios(members, weighting=weighting), members)
            series = returns.filter(pl.col("portfolio").is_in(["long_short", "decile_10"]))
            explained = attribute(
                series.select("as_of_week", "portfolio", value="gross_return"),
                factor_returns(members, weighting=weighting),
                lags=BLOCK - 1,
                period_days=HORIZON_DAYS,
                by=["portfolio"],
            )
            names = [pl.lit(universe).alias("universe"), pl.lit(weighting).alias("weighting")]
            tables.append(explained.select(*names, pl.all()))
    return (
        "## Attribution\n\nGross 14-day returns regressed on our own market, size, momentum, low-volatility and liquidity portfolios; "
        "alpha a period and a year, Newey-West intervals.\n\n" + markdown_table(pl.concat(tables))
    )
