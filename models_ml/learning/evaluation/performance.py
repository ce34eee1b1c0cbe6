"""What portfolios earned: return, turnover and costs of each holding period.

Belongs here: following positions from one rebalance to the next.
Does not: which tokens are held (`portfolios.py`), the cost model (`costs.py`), annual figures (`performance_summary.py`).

Holding periods may not overlap here, because a portfolio is traded from one into the next: of 14-day returns every second week is
kept (`spaced_weeks`).
"""

from __future__ import annotations

import math
from datetime import date

import polars as pl

from models_ml.learning.evaluation.costs import CostModel
from models_ml.learning.evaluation.rank_skill import LAGGED_OUTCOME

VOLUME = "volume_30d_median_usd"
FIRST_MONDAY = date(1970, 1, 5)


def spaced_weeks(panel: pl.DataFrame, *, holding_days: int, offset: int = 0) -> pl.DataFrame:
    """Rows of every n-th week, n being the holding period in weeks, counted from a fixed Monday so that the start changes nothing."""
    every = math.ceil(holding_days / 7)
    weeks = (pl.col("as_of_week") - pl.lit(FIRST_MONDAY)).dt.total_days() // 7
    return panel.filter(weeks % every == offset % every)


def gross_returns(
    weights: pl.DataFrame, panel: pl.DataFrame, *, outcome: str = LAGGED_OUTCOME, unknown_return: float = 0.0
) -> pl.DataFrame:
    """Return of each portfolio after each week, as if bought then; weeks may overlap.

    Args:
        weights: As `portfolios.standard_portfolios` gives them.
        panel: as_of_week, token_id, the outcome (fraction, nullable).
        outcome: Column with the return of the period.
        unknown_return: As for `performance`.

    Returns:
        as_of_week, portfolio, gross_return, unknown_weight; by portfolio and week. A week without any outcome is left out.
    """
    columns = ["as_of_week", "portfolio", "gross_return", "unknown_weight"]
    return _earned(_holdings(weights, panel, outcome, unknown_return)).select(columns)


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
    held = _holdings(weights, panel, outcome, unknown_return)
    earned = _earned(held)
    held = held.join(earned, on=["portfolio", "as_of_week"], maintain_order="left")
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


def _holdings(weights: pl.DataFrame, panel: pl.DataFrame, outcome: str, unknown_return: float) -> pl.DataFrame:
    """Positions of weeks that have ended with their gain, is_known and volume, by portfolio, week and token.

    The order is fixed, so that sums run in it and equal inputs give equal bits.
    """
    facts = panel.select(
        "as_of_week", "token_id", pl.col(f"^{VOLUME}$"), gain=pl.col(outcome).cast(pl.Float64).fill_nan(None)
    )
    ended = facts.drop_nulls("gain").select("as_of_week").unique()
    return (
        weights.join(ended, on="as_of_week", how="semi")
        .join(facts, on=["as_of_week", "token_id"], how="left")
        .with_columns(is_known=pl.col("gain").is_not_null(), gain=pl.col("gain").fill_null(unknown_return))
        .sort("portfolio", "as_of_week", "token_id")
    )


def _earned(held: pl.DataFrame) -> pl.DataFrame:
    """portfolio, as_of_week, gross_return, unknown_weight of holdings."""
    return held.group_by("portfolio", "as_of_week", maintain_order=True).agg(
        gross_return=(pl.col("weight") * pl.col("gain")).sum(),
        unknown_weight=pl.col("weight").filter(~pl.col("is_known")).abs().sum(),
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
