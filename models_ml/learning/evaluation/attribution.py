"""How much of a return series is market, size, momentum, low volatility and liquidity, and what is left as alpha.

Belongs here: our own factor portfolios from token-weeks, and the regression of return series on them.
Does not: the series themselves (`performance.py`, index levels), the errors (`hac.py`).

The factors are made of the universe the score chooses from, so that alpha is what the score adds to sorting that universe by one column.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import polars as pl

from models_ml.features.feature import DAYS_A_YEAR
from models_ml.learning.evaluation.hac import linear_fit
from models_ml.learning.evaluation.intervals import LEVEL
from models_ml.learning.evaluation.performance import gross_returns
from models_ml.learning.evaluation.portfolios import Weighting, long_short, weighted, with_quantile
from models_ml.learning.evaluation.rank_skill import LAGGED_OUTCOME

MARKET = "market"

FACTORS = {
    "size": ("log_market_cap", -1),
    "momentum": ("return_30d", 1),
    "low_volatility": ("volatility_30d", -1),
    "liquidity": ("turnover_30d", 1),
}
"""Factor portfolios beside the market: the column they sort by, and whether they hold its high (1) or its low (-1) end."""

TAIL = 3
"""Tenths at each end: 30 / 40 / 30, as in Liu, Tsyvinski, Wu (2022)."""


def factor_returns(
    panel: pl.DataFrame, *, outcome: str = LAGGED_OUTCOME, weighting: Weighting = "equal", unknown_return: float = 0.0
) -> pl.DataFrame:
    """Return of each factor portfolio after each week: 30 % of the tokens at one end of a column less 30 % at the other.

    The market is weighted by cap and held long. The others are weighted as told: equally for a score's equal-weighted deciles, by cap
    for an index.

    Args:
        panel: One row a week and token: as_of_week, token_id, log_market_cap and the columns of `FACTORS` (nullable; without a value a
            token is at neither end), the outcome (nullable).
        outcome: Column with the return after the week; the same period and lag as the series to explain.
        weighting: Within each end.
        unknown_return: Return of a token whose outcome is unknown, as in `performance`.

    Returns:
        as_of_week and a column a factor (`market` and `FACTORS`), fractions, by week; only weeks that have all of them.

    Source: Liu, Tsyvinski, Wu (2022), Common Risk Factors in Cryptocurrency, Journal of Finance 77(2), for market, size and momentum;
    Frazzini, Pedersen (2014), Betting Against Beta, Journal of Financial Economics 111(1), for the idea of low risk as a factor.
    """
    weights = [weighted(panel, portfolio=MARKET, weighting="cap")]
    for name, (column, sign) in FACTORS.items():
        ordered = with_quantile(panel.with_columns(factor=pl.col(column).cast(pl.Float64) * sign), score="factor")
        high, low = ordered.filter(pl.col("quantile") > 10 - TAIL), ordered.filter(pl.col("quantile") <= TAIL)
        legs = [weighted(end, portfolio=name, weighting=weighting) for end in (high, low)]
        weights.append(long_short(*legs, portfolio=name))
    returns = gross_returns(pl.concat(weights), panel, outcome=outcome, unknown_return=unknown_return)
    names = [MARKET, *FACTORS]
    wide = returns.pivot("portfolio", index="as_of_week", values="gross_return")
    absent = [pl.lit(None, dtype=pl.Float64).alias(name) for name in names if name not in wide.columns]
    return wide.with_columns(absent).select("as_of_week", *names).drop_nulls().sort("as_of_week")


def attribute(
    series: pl.DataFrame,
    factors: pl.DataFrame,
    *,
    lags: int,
    period_days: int,
    by: Sequence[str] = (),
    level: float = LEVEL,
) -> pl.DataFrame:
    """Regression r(t) = alpha + sum of beta f(t) + e(t), with Newey-West intervals.

    Args:
        series: as_of_week, value (return after the week, fraction), and the columns of `by` where there are several series.
        factors: As `factor_returns` gives them.
        lags: Weeks by which returns overlap, at least; `resampling.block_weeks` less 1.
        period_days: Days a return spans, for alpha a year.
        by: Columns that name the series.
        level: Probability the intervals are to cover.

    Returns:
        One row a series and term: the columns of `by`, term ('alpha', a period; 'alpha_annual', alpha times the periods of a year; the
        factors), estimate, low, high, t_value, share_explained (R squared of the series' regression), weeks.

    Raises:
        ValueError: A series and the factors share too few weeks for the regression.
    """
    names = [name for name in factors.columns if name != "as_of_week"]
    reach = NormalDist().inv_cdf((1 + level) / 2)
    rows: list[tuple[object, ...]] = []
    for key, frame in (series.partition_by(by, as_dict=True) if by else {(): series}).items():
        both = frame.select("as_of_week", "value").drop_nulls().join(factors, on="as_of_week").sort("as_of_week")
        if both.height <= max(lags, len(names) + 1):
            raise ValueError(
                f"the series {key or ''} and the factors share {both.height} weeks, too few for {len(names)} factors and {lags} lags"
            )
        regressors = np.column_stack([np.ones(both.height), both.select(names).to_numpy()])
        fit = linear_fit(both["value"].to_numpy().astype(np.float64), regressors, lags=lags)
        a_year = DAYS_A_YEAR / period_days
        terms = [
            ("alpha", 0, 1.0),
            ("alpha_annual", 0, a_year),
            *((name, at + 1, 1.0) for at, name in enumerate(names)),
        ]
        for term, at, scale in terms:
            estimate, error = float(fit.coefficients[at]) * scale, float(fit.errors[at]) * scale
            t_value = estimate / error if error > 0 else None
            bounds = (estimate - reach * error, estimate + reach * error)
            rows.append((*key, term, estimate, *bounds, t_value, fit.r_squared, both.height))
    figures = ["estimate", "low", "high", "t_value", "share_explained"]
    schema = {name: series.schema[name] for name in by} | {"term": pl.String()} | dict.fromkeys(figures, pl.Float64())
    return pl.DataFrame(rows, schema=schema | {"weeks": pl.Int64()}, orient="row")
