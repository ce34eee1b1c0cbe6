"""A market whose only predictable thing is one feature of known strength, and the rank IC that this strength allows.

Belongs here: prices and volumes of the market, and the derivation of what can be reached.
Does not: training on it (`orchestration/evaluation/planted.py`); the simulated market of the default run, whose strengths are many and
mixed (`orchestration/sandbox`).

Log turnover of a token is a stationary AR(1), u, with variance 1. A day's log return, in units of its volatility and less the market's,
is a u + sqrt(1 - a^2) e: u of the day before, e standard normal, a the strength. Prices act on nothing else, so past returns, volatility
and size say nothing that turnover does not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from models_ml.learning.calendar import LAG_DAYS, TRADER_HORIZON_DAYS
from models_ml.learning.evaluation.hac import Floats

TURNOVER_DAYS = 7
"""Window of the feature that shows u (`turnover_7d`)."""

DAILY_VOLATILITY = 0.04
MARKET_VOLATILITY = 0.03
TURNOVER = 0.05
TURNOVER_SPREAD = 0.5
"""Deviation of log turnover between tokens."""

LARGEST_CAP_USD, SMALLEST_CAP_USD = 2e10, 2e7


@dataclass(frozen=True)
class PlantedMarket:
    """Settings of the market.

    Attributes:
        tokens: Their number; the first two are bitcoin and ethereum, and like all others.
        first: First day.
        days: Days of history.
        strength: a: deviation of a day's own return that is predictable, in units of its whole deviation, 0 to 1; 0 for no skill.
        half_life_days: Days after which half of u's deviation is left.
        seed: Of all draws.
    """

    tokens: int
    first: date
    days: int
    strength: float
    half_life_days: float = 60.0
    seed: int = 1

    @property
    def persistence(self) -> float:
        """Autocorrelation of u after a day."""
        return float(0.5 ** (1 / self.half_life_days))


def daily_rows(market: PlantedMarket) -> pl.DataFrame:
    """Prices, caps and volumes of every token and day, as `features.compute.token_features` takes them."""
    rng = np.random.default_rng(market.seed)
    shape = (market.days, market.tokens)
    shocks = rng.standard_normal(shape)
    activity = np.empty(shape)
    activity[0] = shocks[0]
    kept = market.persistence
    for day in range(1, market.days):
        activity[day] = kept * activity[day - 1] + math.sqrt(1 - kept**2) * shocks[day]
    noise, common = rng.standard_normal(shape), rng.standard_normal((market.days, 1))
    known_before = np.vstack([np.zeros((1, market.tokens)), activity[:-1]])
    own = market.strength * known_before + math.sqrt(1 - market.strength**2) * noise
    log_prices = np.cumsum(MARKET_VOLATILITY * common + DAILY_VOLATILITY * own, axis=0)
    caps = np.geomspace(LARGEST_CAP_USD, SMALLEST_CAP_USD, market.tokens) * np.exp(log_prices)
    volumes = caps * TURNOVER * np.exp(TURNOVER_SPREAD * activity)
    names = ["bitcoin", "ethereum", *(f"planted-{token:04d}" for token in range(market.tokens - 2))]
    days = [market.first + timedelta(days=day) for day in range(market.days)]
    return pl.DataFrame(
        {
            "token_id": np.repeat(np.array(names), market.days),
            "market_date": days * market.tokens,
            "price_usd": np.exp(log_prices).T.ravel(),
            "market_cap_usd": caps.T.ravel(),
            "volume_24h_usd": volumes.T.ravel(),
        }
    ).with_columns(is_supply_carried=pl.lit(value=False), first_date=pl.lit(market.first))


def attainable_rank_ic(
    market: PlantedMarket, *, lag_days: int = LAG_DAYS, horizon_days: int = TRADER_HORIZON_DAYS
) -> float:
    """Weekly rank IC of ordering by `turnover_7d`, the best that the market allows but for some 2 %.

    With c(h) = persistence^|h|, H the horizon and w the feature's window, the feature is (but for the curvature of the exponential) the
    mean of w days of u, and the return is normal too:

        covariance = a * sum over h = lag .. lag + H - 1 and k = 0 .. w - 1 of c(h + k) / w
        variance of the return = H (1 - a^2) + a^2 * sum over h, j = 1 .. H of c(h - j)
        variance of the feature = sum over k, l = 1 .. w of c(k - l) / w^2
        rho = covariance / sqrt(both variances)

    and Spearman's correlation of two normal variables is 6 / pi * arcsin(rho / 2) (Pearson 1907; Kruskal 1958, Journal of the American
    Statistical Association 53). u itself, which the feature blurs by averaging, would reach a little more.

    Args:
        market: The market.
        lag_days: Days between the close that the feature is of and the purchase.
        horizon_days: Days the return covers.

    Returns:
        The rank correlation, 0 to 1.
    """
    strength, kept = market.strength, market.persistence
    ahead = np.arange(lag_days, lag_days + horizon_days, dtype=np.float64)
    back = np.arange(TURNOVER_DAYS, dtype=np.float64)
    covariance = strength * float((kept ** (ahead[:, None] + back[None, :])).sum()) / TURNOVER_DAYS
    of_return = horizon_days * (1 - strength**2) + strength**2 * _sum_of_correlations(kept, ahead)
    of_feature = _sum_of_correlations(kept, back) / TURNOVER_DAYS**2
    return 6 / math.pi * math.asin(covariance / math.sqrt(of_return * of_feature) / 2)


def _sum_of_correlations(kept: float, days: Floats) -> float:
    return float((kept ** np.abs(days[:, None] - days[None, :])).sum())
