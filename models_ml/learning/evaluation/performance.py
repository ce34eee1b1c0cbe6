"""What portfolios earned: returns, turnover, costs, and what is left of them in a year.

Belongs here: gross and net return of each holding period, their summary, their excess over a benchmark.
Does not: which tokens are held (`portfolios.py`), the cost model (`costs.py`), whether the best of many trials was luck
(`deflated_sharpe.py`).

Holding periods may not overlap here, because a portfolio is traded from one into the next: of 14-day returns every second week is
kept (`spaced_weeks`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import date

import numpy as np
import polars as pl

from models_ml.learning.evaluation.costs import CostModel
from models_ml.learning.evaluation.deflated_sharpe import sharpe_of_totals
from models_ml.learning.evaluation.hac import Floats
from models_ml.learning.evaluation.intervals import bootstrap_interval, paired_difference
from models_ml.learning.evaluation.rank_skill import LAGGED_OUTCOME
from models_ml.learning.evaluation.resampling import Counts, block_weeks

DAYS_A_YEAR = 365
VOLUME = "volume_30d_median_usd"
FIRST_MONDAY = date(1970, 1, 5)


def spaced_weeks(panel: pl.DataFrame, *, holding_days: int, offset: int = 0) -> pl.DataFrame:
    """Rows of every n-th week, n being the holding period in weeks, counted from a fixed Monday so that the start changes nothing."""
    every = math.ceil(holding_days / 7)
    weeks = (pl.col("as_of_week") - pl.lit(FIRST_MONDAY)).dt.total_days() // 7
    return panel.filter(weeks % every == offset % every)


def performance(
    weights: pl.DataFrame,
    panel: pl.DataFrame,
    *,
    holding_days: int,
    outcome: str = LAGGED_OUTCOME,
    costs: CostModel | None = None,
    unknown_return: float = 0.0,
) -> pl.DataFrame:
    """Return, turnover and cost of each portfolio in each period.

    A position drifts with its return until the next rebalance: w (1 + r) / (1 + R). The first period pays for building the portfolio.

    Args:
        weights: As `portfolios.standard_portfolios` gives them.
        panel: as_of_week, token_id, the outcome (fraction, nullable), volume_30d_median_usd (nullable).
        holding_days: Days the outcome spans.
        outcome: Column with the return of the period.
        costs: Cost model; the default one where None.
        unknown_return: Return of a token whose outcome is unknown: 0 holds it at its last price, -1 writes it off. Leaving it out
            instead would use the knowledge that it had no later price.

    Returns:
        as_of_week, portfolio, gross_return, turnover (half the sum of traded weights; 1 replaces a long-only portfolio), cost
        (fraction of the capital), net_return, unknown_weight (sum of absolute weights without an outcome); by portfolio and week.
        A week without any outcome has not ended and is left out.

    Raises:
        ValueError: Weeks lie closer together than the holding period.
    """
    _refuse_overlap(weights["as_of_week"].unique().sort(), holding_days)
    facts = panel.select("as_of_week", "token_id", VOLUME, gain=pl.col(outcome).cast(pl.Float64))
    ended = facts.drop_nulls("gain").select("as_of_week").unique()
    held = weights.join(ended, on="as_of_week", how="semi").join(facts, on=["as_of_week", "token_id"], how="left")
    held = held.sort("portfolio", "as_of_week", "token_id")  # sums in one order, so that equal inputs give equal bits
    earned = held.group_by("portfolio", "as_of_week", maintain_order=True).agg(
        gross_return=(pl.col("weight") * pl.col("gain").fill_null(unknown_return)).sum(),
        unknown_weight=pl.col("weight").filter(pl.col("gain").is_null()).abs().sum(),
    )
    held = held.join(earned, on=["portfolio", "as_of_week"]).with_columns(gain=pl.col("gain").fill_null(unknown_return))
    return (
        earned.join(_trades(held, (costs or CostModel()).fraction(VOLUME)), on=["portfolio", "as_of_week"])
        .with_columns(net_return=pl.col("gross_return") - pl.col("cost"))
        .select("as_of_week", "portfolio", "gross_return", "turnover", "cost", "net_return", "unknown_weight")
        .sort("portfolio", "as_of_week")
    )


def _refuse_overlap(weeks: pl.Series, holding_days: int) -> None:
    """Refuse weeks closer together than the holding period."""
    closest = weeks.diff().dt.total_days().min()
    if isinstance(closest, int) and closest < holding_days:
        raise ValueError(
            f"weeks {closest} days apart overlap where each is held for {holding_days} days; pass the panel through spaced_weeks first"
        )


def _trades(held: pl.DataFrame, cost: pl.Expr) -> pl.DataFrame:
    """portfolio, as_of_week, turnover, cost: from what the holdings of the period before had become to those of this one."""
    weeks = held.select("portfolio", "as_of_week").unique().sort("portfolio", "as_of_week")
    following = weeks.with_columns(next_week=pl.col("as_of_week").shift(-1).over("portfolio")).drop_nulls()
    growth = 1 + pl.col("gross_return")
    before = held.join(following, on=["portfolio", "as_of_week"]).select(
        "portfolio",
        "token_id",
        as_of_week="next_week",
        # A portfolio that lost everything (a short one can) has nothing to carry into the next period.
        before=pl.when(growth > 0).then(pl.col("weight") * (1 + pl.col("gain")) / growth).otherwise(0.0),
        volume_before=VOLUME,
    )
    trade = (pl.col("weight").fill_null(0.0) - pl.col("before").fill_null(0.0)).abs()
    return (
        held.select("portfolio", "as_of_week", "token_id", "weight", VOLUME)
        .join(before, on=["portfolio", "as_of_week", "token_id"], how="full", coalesce=True)
        .with_columns(pl.coalesce(VOLUME, "volume_before").alias(VOLUME))
        .sort("portfolio", "as_of_week", "token_id")
        .group_by("portfolio", "as_of_week", maintain_order=True)
        .agg(turnover=trade.sum() / 2, cost=(trade * cost).sum())
    )


def summarise_performance(periods: pl.DataFrame, *, holding_days: int) -> pl.DataFrame:
    """Figures of each portfolio over all its periods.

    Args:
        periods: As `performance` gives them.
        holding_days: Length of a period.

    Returns:
        portfolio, mean_return (gross, a period), annual_net_return (compounded; -1 where all was lost), annual_volatility (net), sharpe
        (gross), net_sharpe, net_sharpe_low, net_sharpe_high (block bootstrap, blocks of at least 14 days), max_drawdown (net, at
        most 0), turnover (mean a period after the first), periods; by portfolio. Sharpe ratios are annual, by the square root of
        time and without a riskless rate; null where the return never varies.
    """
    a_year = DAYS_A_YEAR / holding_days
    block = block_weeks(holding_days, spacing_days=holding_days)
    rows = []
    for (name,), frame in periods.sort("as_of_week").partition_by("portfolio", as_dict=True).items():
        net = frame["net_return"].to_numpy()
        gross_sharpe = float(_sharpe_measure(frame["gross_return"].to_numpy())(np.ones((1, len(net))))[0])
        sharpe = bootstrap_interval(_sharpe_measure(net), len(net), block=block)
        wealth = np.cumprod(1 + np.maximum(net, -1))
        high = np.maximum.accumulate(np.maximum(wealth, 1))
        figures = (gross_sharpe, sharpe.estimate, sharpe.low, sharpe.high)
        rows.append(
            (
                name,
                float(frame["gross_return"].to_numpy().mean()),
                float(wealth[-1] ** (a_year / len(net)) - 1),
                float(net.std(ddof=1) * math.sqrt(a_year)) if len(net) > 1 else None,
                *(None if value is None or math.isnan(value) else value * math.sqrt(a_year) for value in figures),
                float((wealth / high - 1).min()),
                float(frame["turnover"].to_numpy()[1:].mean()) if len(net) > 1 else None,
                len(net),
            )
        )
    names = ["mean_return", "annual_net_return", "annual_volatility", "sharpe", "net_sharpe", "net_sharpe_low"]
    names += ["net_sharpe_high", "max_drawdown", "turnover"]
    schema = {"portfolio": pl.String()} | {name: pl.Float64() for name in names} | {"periods": pl.Int64()}
    return pl.DataFrame(rows, schema=schema, orient="row").sort("portfolio")


def _sharpe_measure(returns: Floats) -> Callable[[Counts], Floats]:
    """Measure of a Sharpe ratio per period for `bootstrap_interval`."""
    totals = np.column_stack([returns, np.square(returns), np.ones(len(returns))])
    return lambda counts: sharpe_of_totals(counts @ totals)


def excess_over(periods: pl.DataFrame, benchmarks: Sequence[str], *, holding_days: int) -> pl.DataFrame:
    """Mean net return of each portfolio less that of each benchmark in the same periods, with intervals.

    Args:
        periods: As `performance` gives them.
        benchmarks: Names of portfolios, such as 'bitcoin' and 'market'.
        holding_days: Length of a period.

    Returns:
        portfolio, benchmark and the columns of `intervals.summarise_weekly` (fractions a period), without a portfolio against itself.
    """
    block = block_weeks(holding_days, spacing_days=holding_days)
    series = {
        name: frame.select("as_of_week", value="net_return")
        for (name,), frame in periods.partition_by("portfolio", as_dict=True).items()
    }
    return pl.concat(
        paired_difference(series[name], series[benchmark], block=block).select(
            pl.lit(name).alias("portfolio"), pl.lit(benchmark).alias("benchmark"), pl.all()
        )
        for benchmark in benchmarks
        for name in sorted(series)
        if name != benchmark
    )
