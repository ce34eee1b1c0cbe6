"""Sentiment features: whether what news and posts say of a token is good or bad.

Belongs here: means of the scores of texts about one token. Does not: how often it is named and how people vote (`community.py`), the
whole market (`market.py`), how texts are scored (`models_ml/sentiment`).
"""

from __future__ import annotations

import polars as pl

from models_ml.features.feature import Feature

SENTIMENT = ("fct_sentiment_daily",)


def mean_of_texts(kind: str, window_days: int) -> pl.Expr:
    """Mean score of the texts of a window, each text counted once; null where there is none."""
    texts = pl.col(f"{kind}_texts")
    total = (texts * pl.col(f"{kind}_sentiment")).rolling_sum(window_days, min_samples=1)
    return total / texts.rolling_sum(window_days, min_samples=1)


def text_sentiment(kind: str, what: str, window_days: int) -> Feature:
    """How good or bad the texts of some days are."""
    return Feature(
        name=f"{kind}_sentiment_{window_days}d",
        family="sentiment",
        unit="-1 to 1",
        formula=f"mean compound score of the {what} of {window_days} days about the token, each counted once",
        look_back_days=window_days - 1,
        sources=SENTIMENT,
        expr=mean_of_texts(kind, window_days),
        null_policy=f"null without such a text in {window_days} days",
        source="Hutto, Gilbert (2014), VADER, ICWSM; the lexicon is our own",
        is_model_input=False,
    )


def sentiment_change(short_days: int, long_days: int) -> Feature:
    """How much better headlines have become: outlets write about some tokens kindlier than about others, always."""
    return Feature(
        name=f"news_sentiment_change_{short_days}d_{long_days}d",
        family="sentiment",
        unit="-2 to 2",
        formula=f"news_sentiment_{short_days}d less the same over {long_days} days",
        look_back_days=long_days - 1,
        sources=SENTIMENT,
        expr=mean_of_texts("news", short_days) - mean_of_texts("news", long_days),
        null_policy=f"null without a headline about the token in {short_days} days",
        source="Tetlock (2007), Giving Content to Investor Sentiment, J. Finance 62(3), on one token",
        is_model_input=False,
    )


FEATURES = [
    text_sentiment("news", "headlines", 7),
    sentiment_change(7, 90),
    text_sentiment("social", "posts", 7),
]
