"""News and talk: headlines, tone, communities and their posts.

Belongs here: datasets of RSS feeds, GDELT and Reddit. Does not: what is made of them (`models_ml/sentiment`).
"""

from __future__ import annotations

from typing import Final

import polars as pl

from orchestration.sources.datasets.base import (
    INSTANT,
    MARKET_DATE,
    SEEN_DATE,
    Column,
    Dataset,
    below_zero,
    count,
    number,
    outside,
    text,
)

_HEADLINES = Dataset(
    source="rss",
    name="headlines",
    fields={
        "feed": text("coindesk, cointelegraph, decrypt, or the publisher of an import"),
        "article_id": text("guid of the item, else its address without query"),
        "market_date": Column(pl.Date, "UTC day", "day of publication"),
        "published_at": Column(INSTANT, "UTC instant", "as the feed says"),
        "title": text("headline; never the text, which is the publisher's"),
        "url": text("address of the article", nullable=True),
    },
    key=("feed", "article_id"),
    description="One row per article. Feeds hold some 25 items and no history: the archive is what was polled.",
)

_TONE = Dataset(
    source="gdelt",
    name="tone_daily",
    fields={
        "query": text("what was searched for, e.g. bitcoin"),
        "market_date": MARKET_DATE,
        "tone": number("points, about -10 to 10", "mean tone of the day's articles; null where none was measured"),
        "articles": number("articles", "that match, of those GDELT reads"),
        "article_share": number("fraction", "of all articles that match"),
    },
    key=("query", "market_date"),
    description="One row per query and finished day; a day that was not measured has no row, never 0.",
    rules=(outside("tone", -100, 100), below_zero(("articles", "article_share"))),
)

_SUBREDDITS = Dataset(
    source="reddit",
    name="subreddits",
    fields={
        "subreddit": text("name without r/, lower case"),
        "coin_id": text("CoinGecko id of the token it is about", nullable=True),
        "market_date": SEEN_DATE,
        "subscribers": count("users", "of the subreddit"),
        "active_users": count("users", "present when read"),
        "posts_24h": count("posts", "of the last 24 hours among the newest hundred"),
        "comments_24h": count("comments", "on those posts"),
        "score_24h": count("votes", "up less down, on those posts"),
    },
    key=("subreddit", "market_date"),
    description="One row per subreddit and day read; only with a key.",
    rules=(below_zero(("subscribers", "active_users", "posts_24h", "comments_24h")),),
)

_POSTS = Dataset(
    source="reddit",
    name="posts",
    fields={
        "subreddit": text("name without r/, lower case"),
        "post_id": text("id of the post"),
        "coin_id": text("CoinGecko id of the token the subreddit is about", nullable=True),
        "market_date": Column(pl.Date, "UTC day", "day of posting"),
        "posted_at": Column(INSTANT, "UTC instant", "as Reddit says"),
        "title": text("title; never the text below it nor the author, whose they are"),
    },
    key=("subreddit", "post_id"),
    description="One row per post among the newest hundred of a subreddit when it was read; only with a key. Removed ones are left out.",
)

DATASETS: Final = (_HEADLINES, _TONE, _SUBREDDITS, _POSTS)
