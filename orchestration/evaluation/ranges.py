"""docs/results/ranges.md: how often prices ended inside their ranges, and whether the ranges beat historical volatility.

Belongs here: coverage by year and horizon, pinball loss beside quantiles from volatility.
Does not: the ranges (`models_ml.learning.price_ranges`).
"""

from __future__ import annotations

import polars as pl

from models_ml.learning.calendar import RANGE_HORIZONS_DAYS
from models_ml.learning.evaluation.quantile_skill import coverage, quantile_skill, with_volatility_benchmark
from models_ml.learning.evaluation.resampling import block_weeks
from orchestration.evaluation.history import FIRST_WEEK, KEYS, History
from orchestration.lib.metadata import markdown_table

BENCHMARKS = ("volatility_90d", "volatility_30d")


def page(history: History, code: str) -> str:
    """The page of the price ranges."""
    ranges = history.query(
        "select as_of_week, token_id, horizon_days, return_low as q10, return_median as q50, return_high as q90 "
        f"from learning.price_ranges_current where as_of_week >= '{FIRST_WEEK}'"
    )
    facts = history.weekly.select(*KEYS, *BENCHMARKS).join(history.labels, on=KEYS, how="left")
    covered, skills = [], []
    for horizon in RANGE_HORIZONS_DAYS:
        outcome, block = f"forward_return_{horizon}d", block_weeks(horizon)
        rows = (
            ranges.filter(pl.col("horizon_days") == horizon)
            .join(facts, on=KEYS, how="left")
            .with_columns(year=pl.col("as_of_week").dt.year())
        )
        covered.append(
            coverage(rows, outcome=outcome, block=block, by=["year"]).select(
                pl.lit(horizon).alias("days"),
                "year",
                "coverage",
                "coverage_low",
                "coverage_high",
                "below",
                "above",
                "rows",
            )
        )
        for benchmark in BENCHMARKS:
            compared = with_volatility_benchmark(rows, volatility=benchmark, horizon_days=horizon)
            skills.append(
                quantile_skill(compared, outcome=outcome, block=block)
                .filter(pl.col("quantile") == "mean")
                .select(
                    pl.lit(horizon).alias("days"),
                    pl.lit(benchmark).alias("benchmark"),
                    "pinball",
                    "benchmark_pinball",
                    "skill",
                    "skill_low",
                    "skill_high",
                )
            )
    return "\n\n".join(
        [
            "# Price ranges, out of sample\n\nA range holds the 10 % to the 90 % quantile, so four of five outcomes should fall inside. "
            f"Weeks from {FIRST_WEEK} on; 95 % intervals from blocks as long as the horizon, at least 14 days. Code {code}.",
            "## Coverage by year\n\n" + markdown_table(pl.concat(covered)),
            "## Against historical volatility\n\nMean pinball loss of the three quantiles; the benchmark is a log-normal return without "
            "drift whose volatility is the past one.\n\n" + markdown_table(pl.concat(skills)),
        ]
    )
