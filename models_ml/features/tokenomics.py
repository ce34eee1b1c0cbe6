"""Size, supply and age of a token.

Belongs here: market cap, growth of the supply it implies, days since the first price.
Does not: unlock schedules (`unlocks.py`), holders (`holders.py`).
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from models_ml.features.feature import Feature

SUPPLY = pl.when(~pl.col("is_supply_carried")).then(pl.col("market_cap_usd") / pl.col("price_usd"))
"""Null where the cap rests on a supply carried back from later days: its growth of 0 would be made up."""


def supply_growth(window_days: int) -> Feature:
    """Growth of the circulating supply that market cap and price imply."""
    log_supply = SUPPLY.log()
    return Feature(
        name=f"supply_growth_{window_days}d",
        family="tokenomics",
        unit="log ratio",
        formula=f"ln(supply[t] / supply[t-{window_days}]), supply = market cap / price; null where is_supply_carried",
        look_back_days=window_days,
        expr=log_supply - log_supply.shift(window_days),
        null_policy="null where one of the two days has no price or market cap, or a supply carried back from later days",
    )


FEATURES = [
    Feature(
        name="log_market_cap",
        family="size",
        unit="ln(USD)",
        formula="ln(market_cap_usd)",
        look_back_days=0,
        expr=pl.col("market_cap_usd").log(),
        source="Liu, Tsyvinski, Wu (2022), Common Risk Factors in Cryptocurrency, J. Finance 77(2)",
    ),
    supply_growth(30),
    supply_growth(90),
    replace(supply_growth(365), is_model_input=False),
    Feature(
        name="age_days",
        family="size",
        unit="days",
        formula="days since the first price",
        look_back_days=0,
        expr=pl.col("age_days").cast(pl.Float64),
    ),
]
