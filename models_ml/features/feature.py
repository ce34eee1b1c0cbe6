"""What a feature is: an expression over one token's days together with its catalogue entry.

Belongs here: the `Feature` type and the names of the prepared columns that expressions may use.
Does not: the features themselves (one module a family), their computation (`compute.py`).

Prepared columns, one row a token and calendar day, oldest first, null where the day has no price:
`price_usd`, `market_cap_usd`, `volume_24h_usd`, `log_price`, `log_return` (daily), `log_volume`, `btc_log_return`, `eth_log_return`,
`market_log_return` (median token of the day), `age_days`, `is_after_first` (0 on the first day read, else 1). Features of on-chain
metrics have `ONCHAIN_COLUMNS` besides, features of other tables (`reads_facts`) `FACT_COLUMNS` and `headlines`, each on the day at
whose close it was known.
Expressions are evaluated within one token, so they may use `shift` and `rolling_*` freely.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

DAYS_A_YEAR = 365
"""Tokens trade every day; the 252 of equities would understate volatility by a sixth."""


PRICE_SOURCES = frozenset({"fct_daily"})
"""What price features are computed from."""

DAILY_SOURCES = PRICE_SOURCES | {"fct_onchain_daily"}
"""Tables whose rows features read as they are; all others are sparse facts."""

ONCHAIN_COLUMNS = (
    "active_addresses",
    "transactions",
    "mvrv_ratio",
    "exchange_inflow_tokens",
    "exchange_outflow_tokens",
    "supply_tokens",
    "fees_tokens",
    "transfer_value_usd",
)
"""Columns of `fct_onchain_daily` that features read, each on the day at whose close it was known."""

FACT_COLUMNS = (
    "venues_listing",
    "bid_ask_spread",
    "depth_2pct_usd",
    "funding_rate_8h",
    "open_interest_usd",
    "open_interest_venues",
    "protocol_tvl_usd",
    "chain_tvl_usd",
    "fees_usd",
    "revenue_usd",
    "dex_volume_usd",
    "commits_week",
    "authors_week",
    "commits_repositories",
    "commits_4w",
    "stars",
    "stars_repositories",
    "watchlist_users",
    "sentiment_up_share",
    "reddit_subscribers",
    "holders",
    "top_10_holder_share",
    "cliff_unlock_30d_tokens",
    "linear_unlock_30d_tokens",
    "mentions",
    "news_texts",
    "news_sentiment",
    "social_texts",
    "social_sentiment",
)
"""Columns of `int_token_facts`, as they were known at the close of their day."""


@dataclass(frozen=True, kw_only=True)
class Feature:
    """A feature and everything its users need to know of it.

    Attributes:
        name: Column name: quantity, window, unit.
        family: One of the families of design section 8.
        unit: Unit of the value.
        formula: The formula in words a reader can check.
        look_back_days: Days before the row that the value may depend on.
        lag_days: Days the newest input is older than the row, from the publication lag of its source.
        sources: Tables the value is computed from.
        expr: polars expression over the prepared columns of one token.
        source: Where the formula comes from, empty where it needs none.
        null_policy: When there is no value, where it is not what `nulls` says of features of its kind.
        is_model_input: Whether the models may read it. New families wait until a measurement lets them in.
    """

    name: str
    family: str
    unit: str
    formula: str
    look_back_days: int
    expr: pl.Expr
    lag_days: int = 0
    sources: tuple[str, ...] = ("fct_daily",)
    source: str = ""
    null_policy: str = ""
    is_model_input: bool = True

    @property
    def span_days(self) -> int:
        """Days before the row of the oldest input."""
        return self.look_back_days + self.lag_days

    @property
    def nulls(self) -> str:
        """When there is no value, in words."""
        if self.null_policy:
            return self.null_policy
        if self.reads_facts:
            return "null without a fact of the token in reach; an absent source leaves nulls, never zeros"
        if self.reads_onchain:
            return "null for tokens that Coin Metrics does not cover and where too few days of the window are known"
        if self.look_back_days == 0:
            return "null where an input of the day is unknown"
        return "null where an input is unknown or fewer than half of the window's days, at least five, are known"

    @property
    def reads_prices_alone(self) -> bool:
        """Whether it is computed from nothing but prices, caps and volumes."""
        return PRICE_SOURCES.issuperset(self.sources)

    @property
    def reads_onchain(self) -> bool:
        """Whether it is computed from on-chain metrics."""
        return "fct_onchain_daily" in self.sources

    @property
    def reads_facts(self) -> bool:
        """Whether it is computed from the sparse facts."""
        return not DAILY_SOURCES.issuperset(self.sources)


def enough(window_days: int) -> int:
    """Observations a rolling window needs before it has a value: half of its days, at least five."""
    return min(window_days, max(5, window_days // 2))
