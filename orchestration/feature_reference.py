"""Writes docs/reference/features.md: every feature, and of every dataset the features that rest on it or why none does.

Belongs here: the page, and which dataset feeds what. Does not: formulas (`models_ml/features`), columns of the market
(`dbt_project/models/marts/feat_market_daily.sql`). Run it as `python -m orchestration.feature_reference`; a test holds the page, the
catalogue, the datasets and dbt's lineage together.
"""

# ruff: noqa: T201 - a command speaks

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Final

from models_ml.features.catalogue import CATALOGUE
from models_ml.features.feature import Feature
from models_ml.features.market import MARKET_FEATURES, MarketFeature
from orchestration.settings import REPOSITORY_ROOT
from orchestration.sources.datasets import DATASETS
from orchestration.sources.datasets.exchanges import DERIVATIVES, EXCHANGES

PAGE: Final = REPOSITORY_ROOT / "docs" / "reference" / "features.md"

PRICES: Final = "all features of `fct_daily`"

_INTEREST = (
    *("open_interest_to_market_cap", "open_interest_growth_7d", "open_interest_growth_30d"),
    "open_interest_to_volume_7d",
)
_FUNDING = ("funding_rate_7d", "funding_rate_zscore_90d", "funding_positive_share_30d")
_LOCKED = ("tvl_growth_7d", "tvl_growth_30d", "market_cap_to_tvl")
_MACRO_DAILY = ("policy_rate", "yield_10y", "yield_curve", "vix")

FEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "coingecko/market_daily": (PRICES,),
    "coinmarketcap/candles_daily": (PRICES,),
    **{f"{venue}/candles_daily": (PRICES,) for venue in EXCHANGES},
    "binance/prices_hourly": (PRICES,),
    "yahoo/candles_daily": (PRICES,),
    "coinmetrics/asset_metrics": (
        *("active_addresses_growth_30d", "transactions_growth_30d", "mvrv_ratio", "exchange_net_inflow_7d"),
        *("log_market_cap_per_active_address", "nvt_ratio_30d", "network_fees_30d_to_market_cap"),
    ),
    **{f"{venue}/tickers": ("bid_ask_spread_7d", "venues_listing") for venue in EXCHANGES},
    **{f"{venue}/order_books": ("bid_ask_spread_7d", "depth_2pct_to_market_cap") for venue in EXCHANGES},
    **{f"{venue}/funding_rates": _FUNDING for venue in DERIVATIVES},
    **{f"{venue}/open_interest": _INTEREST for venue in DERIVATIVES},
    "coingecko/coin_activity": (
        *("watchlist_growth_28d", "log_watchlist_to_market_cap", "sentiment_up_share"),
        *("reddit_subscribers_growth_28d", "commits_4w"),
    ),
    "coingecko/category_daily": ("category_dispersion_7d",),
    "coingecko/global_daily": ("btc_dominance",),
    "github/commits_weekly": ("commits_growth_12w", "authors_growth_12w"),
    "github/repositories": ("stars_growth_28d",),
    "defillama/protocol_metrics": (
        *_LOCKED,
        *("fees_30d_to_market_cap", "revenue_30d_to_market_cap", "fees_growth_30d", "dex_volume_growth_30d"),
    ),
    "defillama/chain_tvl": (*_LOCKED, "defi_tvl_growth_30d"),
    "defillama/stablecoin_supply": ("stablecoin_supply_growth_30d",),
    "defillama/yields": ("stablecoin_yield",),
    "defillama/unlock_events": ("unlock_30d_share", "cliff_unlock_30d_share", "unlock_30d_to_volume"),
    "geckoterminal/token_holders": ("top_10_holder_share", "holders_growth_28d"),
    "fred/series_daily": _MACRO_DAILY,
    "fred/series_weekly": ("dollar_change_90d",),
    "fred/series_monthly": ("m2_growth_1y",),
    "alternative_me/fear_greed": ("fear_greed",),
    "rss/headlines": (
        *("news_mention_share_7d", "news_mention_surge_7d_90d"),
        *("negative_headline_share_7d", "regulation_headline_share_7d", "hack_headline_share_7d"),
        *("news_sentiment_7d", "news_sentiment_change_7d_90d"),
        *("market_news_sentiment_7d", "market_news_sentiment_zscore_90d"),
    ),
    "gdelt/tone_daily": ("news_tone_7d",),
    "reddit/posts": ("social_sentiment_7d",),
    "reddit/subreddits": ("reddit_subscribers_growth_28d",),
}
"""Features of tokens and columns of the market by the dataset that feeds them."""

FEEDS_NOTHING: Final[Mapping[str, str]] = {
    "aspie/social_daily": "18 projects, ends in 2018: too few to rank and too old to continue",
    "binance/perpetuals": "says since when a perpetual exists; only survivors, so its dates are hindsight",
    "coingecko/asset_categories": "sectors and classes of dim_tokens; the first load is undated, so hindsight; no number",
    "coingecko/assets": "names, tickers and flags that tie the other datasets to tokens; no number",
    "coingecko/categories": "names of categories; no number",
    "coingecko/contracts": "ids of dim_token_ids; tells which contracts holders and pools are asked for; no number",
    "coingecko/markets": "the universe of a run and its supplies; the same caps come dated in market_daily",
    "coinmarketcap/market_cap_snapshots": "a day a month of 200 tokens, for indices of that time",
    "coinmarketcap/supply_monthly": "the supplies of market_cap_snapshots once more",
    "defillama/protocols": "tells who stands for a coin; its values come dated in protocol_metrics",
    "defillama/stablecoins": "names of stablecoins; undated",
    "defillama/unlock_schedules": "tells which schedules exist; the releases are in unlock_events",
    "defipulse/tvl_daily": "counts other protocols than DefiLlama does and ended in 2021: no series to continue",
    "electric_capital/ecosystems": "hindsight: dated by those who kept the list later",
    "electric_capital/ecosystem_links": "hindsight, as the ecosystems",
    "electric_capital/repositories": "hindsight, matched by name, cut at 300 a token",
    "electric_capital/repository_counts_monthly": "repositories that were added to a list are no activity",
    "fred/series_revised": "hindsight: values of the newest vintage, not those that were published then",
    "gdelt/tone_weekly": "a sample of 2 to 173 articles a week, another quantity than the daily tone",
    "geckoterminal/pool_candles": "prices of tokens that no exchange lists yet, for the moonshot screen of issue 7",
    "geckoterminal/pools": "liquidity, buyers and sellers of new and trending pools, for the moonshot screen of issue 7",
    "lbma/prices_daily": "metals, for comparison with indices and for fct_security_tracking_daily",
    "published_indices/constituents": "what our index engine is held against",
    "published_indices/levels": "what our index engine is held against",
    "reference/market_events": "hindsight: events that somebody later found important",
    "twitter/activity_daily": "twelve tokens, 2017 to 2021: too few to rank and no way to continue",
}
"""Why a dataset feeds no feature."""


def page() -> str:
    """The page as Markdown."""
    return "\n".join(
        [
            "# Features",
            "",
            "Written by `python -m orchestration.feature_reference` from the catalogue, which is `marts.feature_catalogue` in the",
            "warehouse. A value is known at the close of its row's day: a fact that is published later enters the rows from that day",
            "on. Where a source is absent its features are null, never zero. `coverage` is the share of the models' inputs that is",
            "known, `coverage_all` that of all features. The models read the features marked as inputs; the others wait for the",
            "measurement that lets them in.",
            "",
            "## Features of tokens (`marts.feat_token_daily`)",
            "",
            *_feature_table(CATALOGUE),
            "",
            "The look-back of an exponential mean is its memory: older days, 1e-9 of the weight, are cut off, so that a day computed",
            "anew equals that of a full computation. It is also the warm-up after which TA-Lib, which begins with a simple mean,",
            "agrees to 1e-8 of the price. Not here because no exact and finite form exists on closes alone: indicators that need",
            "highs and lows (ATR, ADX, CCI), KAMA (its memory never ends), Aroon and days since a high (no rolling position of the",
            "extreme), expected shortfall, the distance from an all-time high. Not here because no source lands them: burns, buybacks",
            "and what holders receive; `revenue_30d_to_market_cap` is what protocols keep.",
            "",
            "`marts.feat_token_relative_daily` has the places of chosen features among the broad universe of the day, and distances",
            "from the median of the token's sector. The models rank their inputs themselves.",
            "",
            "## Features of the market (`marts.feat_market_daily`)",
            "",
            "One value a day for all tokens. Macro values stand on the days from their release on.",
            "",
            *_feature_table(MARKET_FEATURES),
            "",
            "## Datasets and what rests on them",
            "",
            "| dataset | features of tokens, columns of the market |",
            "|---|---|",
            *(f"| {label} | {_fed(FEEDS[label])} |" for label in sorted(FEEDS)),
            "",
            "## Datasets without a feature",
            "",
            "| dataset | why |",
            "|---|---|",
            *(f"| {label} | {FEEDS_NOTHING[label]} |" for label in sorted(FEEDS_NOTHING)),
            "",
            "## Market caps of days before the free plan",
            "",
            "CoinGecko's free plan gives one year, exchanges give many. Days of a linked exchange market before the coin's first day",
            "are the coin's, back to a gap or a lasting jump, and their market cap is the supply of its first known day times the",
            "price. Both are hindsight: `is_supply_carried` in `fct_daily`, `fct_universe_daily` and `api.daily` says so. It is never",
            "done for archive rows, and no index takes such a token as a candidate. Features that read the market cap rest on it.",
            "",
        ]
    )


def unaccounted() -> set[str]:
    """Datasets that are in neither list, or in both."""
    return {entry.label for entry in DATASETS.values()} ^ set(FEEDS) ^ set(FEEDS_NOTHING)


def _feature_table(features: Sequence[Feature] | Sequence[MarketFeature]) -> list[str]:
    return [
        "| feature | family | unit | formula | look-back, days | lag, days | from | no value | input |",
        "|---|---|---|---|---:|---:|---|---|---|",
        *(_feature_row(feature) for feature in features),
    ]


def _feature_row(feature: Feature | MarketFeature) -> str:
    formula = feature.formula.replace("|", "\\|")
    sources = ", ".join(f"`{source}`" for source in feature.sources)
    is_input = "yes" if feature.is_model_input else ""
    days = f"{feature.look_back_days} | {feature.lag_days}"
    nulls = feature.nulls.removeprefix("null ")
    return f"| `{feature.name}` | {feature.family} | {feature.unit} | {formula} | {days} | {sources} | {nulls} | {is_input} |"


def _fed(names: tuple[str, ...]) -> str:
    return ", ".join(name if name == PRICES else f"`{name}`" for name in names)


def main() -> int:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
