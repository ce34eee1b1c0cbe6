"""Portfolios that a week's scores make: deciles, the market with and without its worst-graded, long against short.

Belongs here: weights at each rebalance, as one row a week, portfolio and token.
Does not: what they earned and cost (`performance.py`), factor portfolios (`attribution.py`), indices (`models_ml.indices`).

Weights of a portfolio sum to 1, those of long against short to 0 (1 long, 1 short, on a capital of 1).
"""

from __future__ import annotations

from typing import Literal

import polars as pl

Weighting = Literal["equal", "cap"]

DECILES = 10
WORST_SHARE = 0.2
BITCOIN = "bitcoin"


def with_quantile(panel: pl.DataFrame, *, score: str = "score", count: int = DECILES) -> pl.DataFrame:
    """The rows with a score, with `quantile` from 1 (lowest scores of the week) to `count`.

    Quantiles are as equal in number as ties allow: tokens of one score share a quantile, so no order among them is made up.

    Args:
        panel: as_of_week, token_id, the score (null or NaN: the row is left out), and anything else.
        score: Column to order by.
        count: Number of quantiles.
    """
    place = (pl.col(score).rank("average") - 0.5) / pl.len() * count
    return (
        panel.with_columns(pl.col(score).cast(pl.Float64).fill_nan(None))
        .drop_nulls(score)
        .with_columns(quantile=(place.over("as_of_week").floor() + 1).cast(pl.Int32))
    )


def weighted(panel: pl.DataFrame, *, portfolio: str, weighting: Weighting) -> pl.DataFrame:
    """All rows of a panel as one portfolio a week.

    Args:
        panel: as_of_week, token_id, and log_market_cap (ln USD) for cap weights; a token without a cap then has no weight.
        portfolio: Its name.
        weighting: 'equal' or 'cap'.

    Returns:
        as_of_week, portfolio, token_id, weight; weights sum to 1 a week.
    """
    size = pl.lit(1.0) if weighting == "equal" else pl.col("log_market_cap").cast(pl.Float64).exp()
    return (
        panel.select("as_of_week", "token_id", portfolio=pl.lit(portfolio), size=size)
        .drop_nulls("size")
        .select("as_of_week", "portfolio", "token_id", weight=pl.col("size") / pl.col("size").sum().over("as_of_week"))
    )


def long_short(high: pl.DataFrame, low: pl.DataFrame, *, portfolio: str) -> pl.DataFrame:
    """One portfolio long and another short, in the weeks that have both; a token in both has one row, its weights netted."""
    weeks = high.select("as_of_week").unique().join(low.select("as_of_week").unique(), on="as_of_week")
    legs = pl.concat([high, low.with_columns(-pl.col("weight"))]).join(weeks, on="as_of_week", how="semi")
    return (
        legs.group_by("as_of_week", "token_id")
        .agg(pl.col("weight").sum())
        .select("as_of_week", "token_id", "weight", portfolio=pl.lit(portfolio))
        .select("as_of_week", "portfolio", "token_id", "weight")
    )


def without_worst(panel: pl.DataFrame, *, score: str = "score", share: float = WORST_SHARE) -> pl.DataFrame:
    """The panel less the worst-scored `share` of each week's scored tokens; a token without a score stays, nothing speaks against it.

    Raises:
        ValueError: `share` is not between 0 and 1.
    """
    if not 0 < share < 1:
        raise ValueError(f"share is {share:g}; it is a fraction of the market to leave out, above 0 and below 1")
    place = (pl.col(score).rank("average") - 0.5) / pl.col(score).count()
    known = panel.with_columns(pl.col(score).cast(pl.Float64).fill_nan(None))
    return known.filter((place.over("as_of_week") >= share) | pl.col(score).is_null())


def standard_portfolios(panel: pl.DataFrame, *, score: str = "score", weighting: Weighting = "equal") -> pl.DataFrame:
    """The portfolios every score is judged by.

    Args:
        panel: One row a week and token of the universe: as_of_week, token_id, the score (nullable), log_market_cap (nullable).
        score: Column whose high values are bought.
        weighting: Within each portfolio.

    Returns:
        as_of_week, portfolio, token_id, weight; by week, portfolio and token. Portfolios: decile_01 (worst) to decile_10,
        long_short (decile_10 less decile_01), market (every token), market_without_worst (less the worst-graded fifth), and
        bitcoin in the weeks that have it.
    """
    ranked = with_quantile(panel, score=score)
    deciles = {
        number: weighted(
            ranked.filter(pl.col("quantile") == number), portfolio=f"decile_{number:02d}", weighting=weighting
        )
        for number in range(1, DECILES + 1)
    }
    return pl.concat(
        [
            *deciles.values(),
            long_short(deciles[DECILES], deciles[1], portfolio="long_short"),
            weighted(panel, portfolio="market", weighting=weighting),
            weighted(without_worst(panel, score=score), portfolio="market_without_worst", weighting=weighting),
            weighted(panel.filter(pl.col("token_id") == BITCOIN), portfolio=BITCOIN, weighting="equal"),
        ]
    ).sort("as_of_week", "portfolio", "token_id")
