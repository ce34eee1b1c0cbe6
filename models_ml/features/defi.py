"""DeFi features: how much is locked in a token's protocols or on its chain, and what their users pay.

Belongs here: value locked and fees per token.
Does not: DeFi as a whole, stablecoins and their yields (`feat_market_daily`).
"""

from __future__ import annotations

import polars as pl

from models_ml.features.carried import mean_of_days
from models_ml.features.feature import Feature

DEFI = ("fct_defi_daily",)
LAG_DAYS = 1
"""DefiLlama's day is known a day after its end."""

CAP = pl.col("market_cap_usd")
# What is locked on a token's chain holds what is locked in its protocols there, so the chain has the word.
LOCKED = pl.coalesce("chain_tvl_usd", "protocol_tvl_usd")


def _growth(column: str, days: int) -> pl.Expr:
    value = pl.when(pl.col(column) > 0).then(pl.col(column))
    return (value / value.shift(days)).log()


FEATURES = [
    Feature(
        name="tvl_growth_30d",
        family="DeFi usage",
        unit="log ratio",
        formula="ln(value locked[t] / value locked[t-30]) of the token's chain, else of its protocols",
        look_back_days=30,
        lag_days=LAG_DAYS,
        sources=DEFI,
        expr=pl.coalesce(_growth("chain_tvl_usd", 30), _growth("protocol_tvl_usd", 30)),
        is_model_input=False,
    ),
    Feature(
        name="market_cap_to_tvl",
        family="valuation",
        unit="ratio",
        formula="market_cap_usd / value locked on the token's chain, else in its protocols",
        look_back_days=0,
        lag_days=LAG_DAYS,
        sources=("fct_defi_daily", "fct_daily"),
        expr=pl.when(LOCKED > 0).then(CAP / LOCKED),
        is_model_input=False,
    ),
    Feature(
        name="fees_30d_to_market_cap",
        family="valuation",
        unit="fraction",
        formula="30 * mean(fees of the token's protocols a day, 30 days) / market_cap_usd",
        look_back_days=29,
        lag_days=LAG_DAYS,
        sources=("fct_defi_daily", "fct_daily"),
        expr=30 * mean_of_days("fees_usd", 30) / CAP,
        is_model_input=False,
    ),
]
