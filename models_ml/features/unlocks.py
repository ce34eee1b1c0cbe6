"""Unlock features: how much supply the schedules are about to release, as they stood on the day.

Belongs here: releases ahead as a share of the circulating supply.
Does not: growth of the supply that has happened (`tokenomics.py`), the schedules themselves (dbt: fct_unlocks_daily).
"""

from __future__ import annotations

import polars as pl

from models_ml.features.carried import mean_of_days
from models_ml.features.feature import Feature

CLIFFS = pl.col("cliff_unlock_30d_tokens")
SUPPLY = pl.col("market_cap_usd") / pl.col("price_usd")


def share(name: str, tokens: pl.Expr, what: str) -> Feature:
    """Tokens released within the next 30 days over those in circulation."""
    return Feature(
        name=name,
        family="unlocks",
        unit="fraction of supply",
        formula=f"{what} within the next 30 days / circulating supply (market cap / price); by the schedule as known on the day",
        look_back_days=0,
        sources=("fct_unlocks_daily", "fct_daily"),
        expr=tokens / SUPPLY,
        is_model_input=False,
    )


FEATURES = [
    share("unlock_30d_share", CLIFFS + pl.col("linear_unlock_30d_tokens"), "tokens released, cliffs and linear ones,"),
    share("cliff_unlock_30d_share", CLIFFS, "tokens released at once"),
    Feature(
        name="unlock_30d_to_volume",
        family="unlocks",
        unit="days of volume",
        formula="tokens released within the next 30 days * price / mean(volume_24h_usd, 30 days); by the schedule as known on the day",
        look_back_days=29,
        sources=("fct_unlocks_daily", "fct_daily"),
        expr=(CLIFFS + pl.col("linear_unlock_30d_tokens"))
        * pl.col("price_usd")
        / mean_of_days("volume_24h_usd", 30, least=10),
        null_policy="null without a dated schedule, and below 10 days of volume",
        is_model_input=False,
    ),
]
