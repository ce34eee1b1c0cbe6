"""Community and attention features: who watches a token, how they vote, how often the news name it.

Belongs here: watch lists, votes, subreddits, headlines about one token.
Does not: the tone of all news (`feat_market_daily`), how headlines are read (dbt: fct_mentions_daily).
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
]
