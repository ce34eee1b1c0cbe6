"""Relative strength: a token's return against bitcoin, ether and the median token, and its day-to-day memory.

Belongs here: differences of returns to others, autocorrelation, standardised moves.
Does not: plain returns (`momentum.py`); sector-relative values, which are cross-sectional and live in SQL.
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from models_ml.features.feature import Feature, enough

LOG_RETURN = pl.col("log_return")
REFERENCES = {"btc": "btc_log_return", "eth": "eth_log_return", "market": "market_log_return"}


def return_against(reference: str, window_days: int) -> Feature:
    """Log return over a window less that of a reference, summed over the days on which the token has a return."""
    samples = enough(window_days)
    difference = LOG_RETURN - pl.col(REFERENCES[reference])
    return Feature(
        name=f"return_vs_{reference}_{window_days}d",
        family="relative strength",
        unit="log return",
        formula=f"sum(log return - {reference}'s log return, {window_days} days)",
        look_back_days=window_days + 1,
        expr=difference.rolling_sum(window_days, min_samples=samples),
        source="Jegadeesh, Titman (1993), Returns to Buying Winners and Selling Losers, J. Finance 48(1)",
    )


def autocorrelation(window_days: int) -> Feature:
    """First-order autocorrelation of daily log returns about zero."""
    product = LOG_RETURN * LOG_RETURN.shift(1)
    square = (LOG_RETURN**2).rolling_mean(window_days, min_samples=enough(window_days))
    return Feature(
        name=f"autocorrelation_{window_days}d",
        family="momentum",
        unit="ratio",
        formula=f"mean(r[t] * r[t-1]) / mean(r[t]^2), {window_days} days",
        look_back_days=window_days + 2,
        expr=pl.when(square > 1e-10).then(product.rolling_mean(window_days, min_samples=enough(window_days)) / square),
    )


def standardised_move(window_days: int) -> Feature:
    """Today's log return in standard deviations of the window."""
    spread = LOG_RETURN.rolling_std(window_days, min_samples=enough(window_days))
    return Feature(
        name=f"move_zscore_{window_days}d",
        family="momentum",
        unit="standard deviations",
        formula=f"log return[t] / std(log return, {window_days} days)",
        look_back_days=window_days + 1,
        expr=pl.when(spread > 1e-6).then(LOG_RETURN / spread),
    )


FEATURES = [
    *(return_against("market", days) for days in (7, 30, 90)),
    return_against("btc", 30),
    return_against("eth", 30),
    replace(return_against("btc", 90), is_model_input=False),
    autocorrelation(30),
    standardised_move(30),
]
