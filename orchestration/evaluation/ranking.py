"""Pages of the ranking heads: skill beside baselines, by group and year, portfolios after costs, attribution.

Belongs here: docs/results/ranking.md and investor.md, each from a panel of `history.py`.
Does not: calls (`calls.py`), models trained on purpose (`experiments.py`).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import polars as pl

from models_ml.learning.calendar import INVESTOR_HORIZON_DAYS, TRADER_HORIZON_DAYS
from models_ml.learning.evaluation.attribution import attribute, factor_returns
from models_ml.learning.evaluation.costs import CostModel
from models_ml.learning.evaluation.deflated_sharpe import ReturnSample, deflated_sharpe
from models_ml.learning.evaluation.intervals import summarise_weekly
from models_ml.learning.evaluation.performance import gross_returns, performance, spaced_weeks
from models_ml.learning.evaluation.performance_summary import excess_over, summarise_performance
from models_ml.learning.evaluation.portfolios import BITCOIN, Weighting, standard_portfolios
from models_ml.learning.evaluation.rank_skill import KNOWN_FACTORS, share_of_groups_above_zero, weekly_rank_ic
from models_ml.learning.evaluation.resampling import block_weeks
from models_ml.learning.evaluation.skill_table import skill_table, weekly_skill
from orchestration.evaluation.history import FIRST_WEEK, KEYS, History
from orchestration.lib.metadata import markdown_table

WEIGHTINGS: tuple[Weighting, ...] = ("equal", "cap")
TRIALS = (1, 10, 100)
"""Numbers of trials the deflated Sharpe ratio is shown for: the parameters were looked at about ten times, and nobody knows exactly."""

BANDS = {"below 50": (0.0, 50.0), "50 to 60": (50.0, 60.0), "60 to 80": (60.0, 80.0), "80 and above": (80.0, 100.01)}
"""Bands of a grade, each from its lower to below its upper bound."""


@dataclass(frozen=True)
class Head:
    """What is shown of a ranking head.

    Attributes:
        name: As in model versions.
        title: Heading of its page.
        grade: Column of its grade.
        view: Table of its grades.
        horizon_days: How far it looks ahead.
    """

    name: str
    title: str
    grade: str
    view: str
    horizon_days: int

    @property
    def outcome(self) -> str:
        """The return a day after the call."""
        return f"forward_return_{self.horizon_days}d_lag1"

    @property
    def block(self) -> int:
        """Weeks in a block of the bootstrap."""
        return block_weeks(self.horizon_days)


TRADER = Head("trader", "Trader Grade", "trader_grade", "api.trader_grades", TRADER_HORIZON_DAYS)
INVESTOR = Head("investor", "Investor Grade", "investor_grade", "api.investor_grades", INVESTOR_HORIZON_DAYS)


def page(history: History, head: Head, code: str) -> str:
    """The page of a head."""
    grades = history.query(f"select as_of_week, token_id, score, {head.grade} as grade from {head.view}")
    panel = history.panel(grades)
    span = grades.select(pl.format("{} to {}", pl.col("as_of_week").min(), pl.col("as_of_week").max())).item()
    sections = [
        f"# {head.title}, out of sample\n\n"
        "Walk-forward: quarterly refits on expanding windows, purged by the horizon and two days; every score comes from a model that\n"
        f"had not seen its week. The outcome is the return of {head.horizon_days} days from the close a day after the call. Sectors and\n"
        f"part of the exclusions rest on undated categories (hindsight). Graded weeks {span}; figures from {FIRST_WEEK} on. Code {code}.",
        year_section(panel, head),
        coverage_section(history, grades, head),
        *skill_sections(panel, head),
        band_section(panel, head),
        portfolio_section(panel, head),
        attribution_section(panel, head),
    ]
    return "\n\n".join(sections)


def year_section(panel: pl.DataFrame, head: Head) -> str:
    """Rank IC by year, and the worst weeks by name."""
    parts = []
    for universe, members in _universes(panel):
        weekly = weekly_rank_ic(members, outcome=head.outcome)
        parts.append(weekly.with_columns(universe=pl.lit(universe), year=pl.col("as_of_week").dt.year()))
    weekly = pl.concat(parts)
    by_year = summarise_weekly(weekly, block=head.block, by=["universe", "year"]).drop("hac_low", "hac_high")
    worst = weekly.filter(pl.col("universe") == "broad").sort("value").head(8).select("as_of_week", "value", "tokens")
    return (
        "## By year\n\n"
        + markdown_table(by_year)
        + "\n\nThe eight worst weeks of the broad universe:\n\n"
        + markdown_table(worst)
    )


def coverage_section(history: History, grades: pl.DataFrame, head: Head) -> str:
    """Share of the universe with a score, and with a known return."""
    weeks = grades["as_of_week"].unique()
    universe = history.weekly.filter(pl.col("as_of_week").is_in(weeks.implode()) & (pl.col("as_of_week") >= FIRST_WEEK))
    joined = (
        universe.select(*KEYS, "is_liquid").join(grades, on=KEYS, how="left").join(history.labels, on=KEYS, how="left")
    )
    ended = joined.filter(pl.col("as_of_week") <= joined.drop_nulls(head.outcome)["as_of_week"].max())
    rows = []
    for name, members in _universes(ended):
        weekly = members.group_by("as_of_week").agg(
            scored=pl.col("score").is_not_null().mean(),
            known=pl.col(head.outcome).is_not_null().mean(),
            tokens=pl.len(),
        )
        for column in ("scored", "known"):
            rows.append((name, column, weekly[column].mean(), weekly[column].min(), weekly["tokens"].mean()))
    table = pl.DataFrame(rows, schema=["universe", "share", "mean", "smallest_week", "tokens_a_week"], orient="row")
    return "## Coverage\n\nShare of the universe with a score, and with a known return.\n\n" + markdown_table(table)


def band_section(panel: pl.DataFrame, head: Head) -> str:
    """What came of the grades of each band: excess over the market, hit rate over bitcoin, share in the worst decile."""
    outcome = pl.col(head.outcome)
    bitcoin = panel.filter(pl.col("token_id") == "bitcoin").select("as_of_week", bitcoin_return=head.outcome)
    judged = (
        panel.drop_nulls([head.outcome, "grade"])
        .join(bitcoin, on="as_of_week", how="left")
        .with_columns(
            excess=outcome - outcome.mean().over("as_of_week"),
            beats_bitcoin=(outcome > pl.col("bitcoin_return")).cast(pl.Float64),
            in_worst_decile=(outcome.rank().over("as_of_week") <= pl.len().over("as_of_week") / 10).cast(pl.Float64),
        )
    )
    parts = []
    for name, (low, high) in BANDS.items():
        members = judged.filter((pl.col("grade") >= low) & (pl.col("grade") < high))
        median = members["excess"].median()
        for measure in ("excess", "beats_bitcoin", "in_worst_decile"):
            weekly = (
                members.group_by("as_of_week").agg(value=pl.col(measure).mean()).drop_nulls("value").sort("as_of_week")
            )
            summary = summarise_weekly(weekly, block=head.block).select("mean", "low", "high", "weeks")
            parts.append(
                summary.select(
                    pl.lit(name).alias("band"),
                    pl.lit(measure).alias("measure"),
                    pl.all(),
                    median_excess=pl.lit(median),
                    rows=pl.lit(members.height),
                )
            )
    table = pl.concat(parts)
    means = table.filter(pl.col("measure") == "excess")["mean"].to_list()
    ordered = all(one <= other for one, other in itertools.pairwise(means))
    verdict = (
        "The bands are ordered: a higher band earned more."
        if ordered
        else "The bands are **not ordered** in mean excess return: position size does not grow with the grade above 50."
    )
    return (
        f"## Bands of the grade\n\nReturn of {head.horizon_days} days less the mean of the week's universe, means of weekly means with "
        f"intervals. {verdict}\n\n" + markdown_table(table)
    )


def _universes(panel: pl.DataFrame) -> tuple[tuple[str, pl.DataFrame], ...]:
    """The broad universe and its liquid part, by name."""
    return ("broad", panel), ("liquid", panel.filter(pl.col("is_liquid")))


def skill_sections(panel: pl.DataFrame, head: Head) -> list[str]:
    """Rank IC and partial rank IC with intervals: beside baselines, by size bucket, by sector."""
    weekly = weekly_skill(panel, model=head.name, outcome=head.outcome)
    table = skill_table(weekly, block=head.block).drop("hac_low", "hac_high")
    whole = table.filter(pl.col("grouping") == "all").drop("grouping", "group")
    grouped = table.filter((pl.col("grouping") != "all") & (pl.col("model") == head.name)).drop("model")
    by_year = skill_table(weekly.filter(pl.col("model") == head.name), block=head.block, by_year=True)
    bucket_years = by_year.filter((pl.col("grouping") == "size_bucket") & (pl.col("measure") == "rank_ic"))
    shares = ", ".join(
        f"{universe} {share_of_groups_above_zero(bucket_years.filter(pl.col('universe') == universe)):.0%}"
        for universe in ("broad", "liquid")
    )
    return [
        "## Beside the baselines, with intervals\n\nRank IC and partial rank IC with one day of lag. The partial one takes out of the "
        f"score what the ranks of {', '.join(KNOWN_FACTORS)} explain of it, so a baseline that is one of them has none. 95 % intervals "
        f"from blocks of {head.block} weeks.\n\n" + markdown_table(whole),
        f"## By size and sector\n\nBucket-years with a rank IC above 0: {shares}.\n\n" + markdown_table(grouped),
    ]


def portfolio_section(panel: pl.DataFrame, head: Head) -> str:
    """What the score's portfolios earned after costs, against the market and bitcoin."""
    parts = []
    for universe, members in _universes(spaced_weeks(panel, holding_days=head.horizon_days)):
        for weighting in WEIGHTINGS:
            periods = performance(
                standard_portfolios(members, weighting=weighting),
                members,
                holding_days=head.horizon_days,
                outcome=head.outcome,
            )
            spread = ReturnSample.of(periods.filter(pl.col("portfolio") == "long_short")["net_return"].to_numpy())
            deflated = ", ".join(
                f"{deflated_sharpe(spread, trials=trials, variance=1 / (spread.periods - 1)):.2f} of {trials}"
                for trials in TRIALS
            )
            chosen = pl.col("portfolio").is_in(["decile_10", "market_without_worst"])
            excess = excess_over(periods, ["market", BITCOIN], holding_days=head.horizon_days).filter(chosen)
            parts.append(
                f"{universe.capitalize()}, {weighting}-weighted. Probability that the net Sharpe ratio of long against short is more than "
                f"the luck of the best of so many trials without skill: {deflated}.\n\n"
                + markdown_table(summarise_performance(periods, holding_days=head.horizon_days))
                + "\n\nNet return a period over the market's and bitcoin's:\n\n"
                + markdown_table(excess.drop("hac_low", "hac_high", "icir"))
            )
    costs = ", ".join(f"{bps:g} bp above {edge:,.0f} USD a day" for edge, bps in CostModel().buckets)
    return (
        f"## Portfolios\n\nRebalanced every {head.horizon_days} days, one day after the call; costs a side, an assumption: {costs}.\n\n"
        + "\n\n".join(parts)
    )


def attribution_section(panel: pl.DataFrame, head: Head) -> str:
    """How much of the long-short and the best decile our own factor portfolios explain."""
    tables = []
    for universe, members in _universes(panel):
        for weighting in WEIGHTINGS:
            returns = gross_returns(standard_portfolios(members, weighting=weighting), members, outcome=head.outcome)
            series = returns.filter(pl.col("portfolio").is_in(["long_short", "decile_10"]))
            explained = attribute(
                series.select("as_of_week", "portfolio", value="gross_return"),
                factor_returns(members, weighting=weighting, outcome=head.outcome),
                lags=head.block - 1,
                period_days=head.horizon_days,
                by=["portfolio"],
            )
            names = [pl.lit(universe).alias("universe"), pl.lit(weighting).alias("weighting")]
            tables.append(explained.select(*names, pl.all()))
    return (
        f"## Attribution\n\nGross returns of {head.horizon_days} days regressed on our own market, size, momentum, low-volatility and "
        "liquidity portfolios; "
        "alpha a period and a year, Newey-West intervals.\n\n" + markdown_table(pl.concat(tables))
    )
