"""Holder features: how many addresses hold a token, and how much of it the ten largest have.

Belongs here: concentration and growth of holders.
Does not: supply and its growth (`tokenomics.py`), flows to exchanges (`onchain.py`).
"""

from __future__ import annotations

from models_ml.features.carried import growth_between_readings, newest_reading
from models_ml.features.feature import Feature

HOLDERS = ("fct_holders_daily",)
CARRY_DAYS = 35
"""A contract is read every four weeks; a week more allows for a run that was late."""

FEATURES = [
    Feature(
        name="top_10_holder_share",
        family="holders",
        unit="fraction of supply",
        formula=f"share of the ten largest holders of the token's largest contract, the newest reading of {CARRY_DAYS} days",
        look_back_days=CARRY_DAYS,
        sources=HOLDERS,
        expr=newest_reading("top_10_holder_share", carry_days=CARRY_DAYS),
        is_model_input=False,
    ),
    Feature(
        name="holders_growth_28d",
        family="holders",
        unit="log ratio per 28 days",
        formula="growth of ln(holders) between the newest reading and the one 28 days before, per 28 days",
        look_back_days=28 + CARRY_DAYS,
        sources=HOLDERS,
        expr=growth_between_readings("holders", days=28, carry_days=CARRY_DAYS),
        is_model_input=False,
    ),
]
