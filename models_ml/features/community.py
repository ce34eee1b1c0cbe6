"""Community and attention features: who watches a token, how they vote, how often the news name it.

Belongs here: watch lists, votes, subreddits, headlines about one token.
Does not: what texts say (`sentiment.py`), the tone of all news (`feat_market_daily`), how headlines are read (dbt: fct_mentions_daily).
"""

from __future__ import annotations

import polars as pl

from models_ml.features.carried import growth_between_readings, newest_reading
from models_ml.features.feature import Feature

COMMUNITY = ("fct_community_daily",)
CARRY_DAYS = 35
"""CoinGecko's page of a coin is read every four weeks; a week more allows for a run that was late."""


def followers_growth(column: str, name: str, days: int) -> Feature:
    """Growth of a count of people between two readings."""
    return Feature(
        name=f"{name}_growth_{days}d",
        family="community",
        unit=f"log ratio per {days} days",
        formula=f"growth of ln({column}) between the newest reading and the one {days} days before, per {days} days",
        look_back_days=days + CARRY_DAYS,
        sources=COMMUNITY,
        expr=growth_between_readings(column, days=days, carry_days=CARRY_DAYS),
        is_model_input=False,
    )


def mention_share(window_days: int, followed_days: int) -> Feature:
    """Headlines that name the token among all headlines: feeds come and go, so a bare count would grow with them."""
    headlines = pl.col("headlines")
    mentions = pl.when(headlines > 0).then(pl.col("mentions").fill_null(0))
    is_followed = pl.col("mentions").rolling_sum(followed_days, min_samples=1) > 0
    share = mentions.rolling_sum(window_days, min_samples=1) / headlines.rolling_sum(window_days, min_samples=1)
    return Feature(
        name=f"news_mention_share_{window_days}d",
        family="sentiment",
        unit="fraction of headlines",
        formula=(
            f"headlines that name the token / all headlines, {window_days} days; null for tokens without a mention in "
            f"{followed_days} days"
        ),
        look_back_days=followed_days - 1,
        sources=("fct_mentions_daily", "fct_news_daily"),
        expr=pl.when(is_followed).then(share),
        is_model_input=False,
    )


def mention_surge(short_days: int, long_days: int) -> Feature:
    """Share of the headlines of some days that name the token against that of a longer window."""
    headlines = pl.col("headlines")
    mentions = pl.when(headlines > 0).then(pl.col("mentions").fill_null(0))

    def share(days: int) -> pl.Expr:
        return mentions.rolling_sum(days, min_samples=1) / headlines.rolling_sum(days, min_samples=1)

    usual = share(long_days)
    return Feature(
        name=f"news_mention_surge_{short_days}d_{long_days}d",
        family="sentiment",
        unit="ratio",
        formula=f"share of headlines that name the token, {short_days} days / the same, {long_days} days",
        look_back_days=long_days - 1,
        sources=("fct_mentions_daily", "fct_news_daily"),
        expr=pl.when(usual > 0).then(share(short_days) / usual),
        null_policy=f"null for tokens without a mention in {long_days} days",
        source="Da, Engelberg, Gao (2011), In Search of Attention, J. Finance 66(5), on headlines",
        is_model_input=False,
    )


FEATURES = [
    followers_growth("watchlist_users", "watchlist", 28),
    Feature(
        name="sentiment_up_share",
        family="sentiment",
        unit="0-1",
        formula=f"share of CoinGecko's votes of the day that are up, the newest reading of {CARRY_DAYS} days",
        look_back_days=CARRY_DAYS,
        sources=COMMUNITY,
        expr=newest_reading("sentiment_up_share", carry_days=CARRY_DAYS),
        is_model_input=False,
    ),
    followers_growth("reddit_subscribers", "reddit_subscribers", 28),
    mention_share(7, 90),
    mention_surge(7, 90),
    Feature(
        name="log_watchlist_to_market_cap",
        family="community",
        unit="ln(users per USD)",
        formula=f"ln(watchlist_users / market_cap_usd), the newest reading of {CARRY_DAYS} days",
        look_back_days=CARRY_DAYS,
        sources=("fct_community_daily", "fct_daily"),
        expr=(newest_reading("watchlist_users", carry_days=CARRY_DAYS) / pl.col("market_cap_usd")).log(),
        is_model_input=False,
    ),
]
