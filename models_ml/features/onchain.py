"""On-chain features: use of a network and flows to and from exchanges, where a source covers the token.

Belongs here: growth and levels of on-chain metrics.
Does not: DeFi usage (`defi.py`), developers (`developers.py`). A token without coverage has nulls, never zeros.
"""

from __future__ import annotations

import polars as pl

from models_ml.features.feature import Feature

CAP = pl.col("market_cap_usd")
ONCHAIN = ("fct_onchain_daily",)
LAG_DAYS = 1
"""Coin Metrics publishes a day about a day after its end; `compute.py` shifts the metrics by it."""


def growth(metric: str, name: str) -> Feature:
    """Mean of the last 7 days against the mean of the 30 days up to a week ago, as a log ratio."""
    value = pl.col(metric)
    recent = value.rolling_mean(7, min_samples=4)
    before = value.shift(7).rolling_mean(30, min_samples=15)
    return Feature(
        name=name,
        family="on-chain",
        unit="log ratio",
        formula=f"ln(mean({metric}, 7 days) / mean({metric}, the 30 days before))",
        look_back_days=38,
        lag_days=LAG_DAYS,
        sources=ONCHAIN,
        expr=pl.when((recent > 0) & (before > 0)).then((recent / before).log()),
    )


FEATURES = [
    growth("active_addresses", "active_addresses_growth_30d"),
    growth("transactions", "transactions_growth_30d"),
    Feature(
        name="mvrv_ratio",
        family="valuation",
        unit="ratio",
        formula="market cap / realised cap",
        look_back_days=1,
        lag_days=LAG_DAYS,
        sources=ONCHAIN,
        expr=pl.col("mvrv_ratio"),
        source="Mahmudov, Puell (2018), Bitcoin Market-Value-to-Realized-Value Ratio",
    ),
    Feature(
        name="exchange_net_inflow_7d",
        family="exchange flow",
        unit="fraction of supply",
        formula="sum(exchange inflow - outflow, 7 days) / supply",
        look_back_days=8,
        lag_days=LAG_DAYS,
        sources=ONCHAIN,
        expr=(pl.col("exchange_inflow_tokens") - pl.col("exchange_outflow_tokens")).rolling_sum(7, min_samples=4)
        / pl.col("supply_tokens"),
    ),
    Feature(
        name="log_market_cap_per_active_address",
        family="valuation",
        unit="ln(USD an address)",
        formula="ln(market_cap_usd / mean(active_addresses, 7 days))",
        look_back_days=6,
        lag_days=LAG_DAYS,
        sources=("fct_onchain_daily", "fct_daily"),
        expr=(CAP / pl.col("active_addresses").rolling_mean(7, min_samples=4)).log(),
        source="Cong, Li, Wang (2021), Tokenomics: Dynamic Adoption and Valuation, Review of Financial Studies 34(3)",
        is_model_input=False,
    ),
    Feature(
        name="nvt_ratio_30d",
        family="valuation",
        unit="days",
        formula="market_cap_usd / mean(adjusted value transferred on chain, 30 days)",
        look_back_days=29,
        lag_days=LAG_DAYS,
        sources=("fct_onchain_daily", "fct_daily"),
        expr=CAP / pl.col("transfer_value_usd").rolling_mean(30, min_samples=15),
        source="Woo (2017), Is Bitcoin in a Bubble? Check the NVT Ratio, Forbes; Kalichkin (2018) for the window",
        is_model_input=False,
    ),
    Feature(
        name="network_fees_30d_to_market_cap",
        family="valuation",
        unit="fraction",
        formula="30 * mean(fees of the chain in tokens a day, 30 days) * price / market_cap_usd",
        look_back_days=29,
        lag_days=LAG_DAYS,
        sources=("fct_onchain_daily", "fct_daily"),
        expr=30 * pl.col("fees_tokens").rolling_mean(30, min_samples=15) * pl.col("price_usd") / CAP,
        is_model_input=False,
    ),
]
