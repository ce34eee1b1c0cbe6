"""DeFi features: how much is locked in a token's protocols or on its chain, and what their users pay.

Belongs here: value locked and fees per token.
Does not: DeFi as a whole, stablecoins and their yields (`feat_market_daily`).
"""

from __future__ import annotations

import polars as pl

from models_ml.features.carried import mean_of_days
from models_ml.features.feature import Feature, enough

DEFI = ("fct_defi_daily",)
LAG_DAYS = 1
"""DefiLlama's day is known a day after its end."""

CAP = pl.col("market_cap_usd")
# What is locked on a token's chain holds what is locked in its protocols there, so the chain has the word.
LOCKED = pl.coalesce("chain_tvl_usd", "protocol_tvl_usd")


def _growth(column: str, days: int) -> pl.Expr:
    value = pl.when(pl.col(column) > 0).then(pl.col(column))
    return (value / value.shift(days)).log()


def locked_growth(days: int) -> Feature:
    """Growth of the value locked on the token's chain or in its protocols."""
    return Feature(
        name=f"tvl_growth_{days}d",
        family="DeFi usage",
        unit="log ratio",
        formula=f"ln(value locked[t] / value locked[t-{days}]) of the token's chain, else of its protocols",
        look_back_days=days,
        lag_days=LAG_DAYS,
        sources=DEFI,
        expr=pl.coalesce(_growth("chain_tvl_usd", days), _growth("protocol_tvl_usd", days)),
        is_model_input=False,
    )


def flow_growth(column: str, name: str, what: str, days: int) -> Feature:
    """A window's mean of a daily flow against that of the window before."""
    mean = mean_of_days(column, days)
    return Feature(
        name=f"{name}_growth_{days}d",
        family="DeFi usage",
        unit="log ratio",
        formula=f"ln(mean({what}, {days} days) / mean(the same, the {days} days before))",
        look_back_days=2 * days - 1,
        lag_days=LAG_DAYS,
        sources=DEFI,
        expr=pl.when((mean > 0) & (mean.shift(days) > 0)).then((mean / mean.shift(days)).log()),
        null_policy=f"null where one of the two windows has fewer than {enough(days)} known days or a mean of zero",
        is_model_input=False,
    )


def paid_to_cap(column: str, name: str, what: str) -> Feature:
    """What 30 days brought in over the market cap."""
    return Feature(
        name=f"{name}_30d_to_market_cap",
        family="valuation",
        unit="fraction",
        formula=f"30 * mean({what} of the token's protocols a day, 30 days) / market_cap_usd",
        look_back_days=29,
        lag_days=LAG_DAYS,
        sources=("fct_defi_daily", "fct_daily"),
        expr=30 * mean_of_days(column, 30) / CAP,
        is_model_input=False,
    )


FEATURES = [
    locked_growth(30),
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
    paid_to_cap("fees_usd", "fees", "fees"),
    paid_to_cap("revenue_usd", "revenue", "revenue, the fees that the protocol keeps,"),
    locked_growth(7),
    flow_growth("fees_usd", "fees", "fees of the token's protocols a day", 30),
    flow_growth("dex_volume_usd", "dex_volume", "volume of the token's exchanges on chain a day", 30),
]
