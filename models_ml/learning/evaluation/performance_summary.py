"""What portfolios earned over all their periods: annual figures, Sharpe ratios with intervals, excess over benchmarks.

Belongs here: summaries of `performance.performance`.
Does not: the returns of the periods (`performance.py`), whether the best of many trials was luck (`deflated_sharpe.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

from models_ml.features.feature import DAYS_A_YEAR
from models_ml.learning.evaluation.deflated_sharpe import sharpe_of_totals
from models_ml.learning.evaluation.hac import Floats
from models_ml.learning.evaluation.intervals import bootstrap_interval, paired_difference
from models_ml.learning.evaluation.resampling import Counts, block_weeks


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

    Raises:
        ValueError: A benchmark is not among the portfolios.
    """
    absent = sorted(set(benchmarks) - set(periods["portfolio"]))
    if absent:
        raise ValueError(f"no portfolio is named {absent}; the panel of the weights has to hold what they are made of")
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
