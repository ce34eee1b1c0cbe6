"""Publication lags are stated in the seed (hours) and told by the catalogue of features (days): they must agree."""

from pathlib import Path

import pytest

from models_ml.features.catalogue import CATALOGUE
from models_ml.features.onchain import LAG_DAYS
from orchestration.lib.landing import read_lags
from orchestration.sources.datasets import DATASETS

SEED = Path(__file__).parents[4] / "dbt_project" / "seeds" / "publication_lags.csv"


def test_features_wait_as_many_days_as_the_seed_says_onchain_metrics_take():
    lags = read_lags(SEED)

    hours = lags["coinmetrics", "asset_metrics"]

    assert hours == LAG_DAYS * 24


LANDED = {
    "fct_daily": (("coingecko", "market_daily"), ("binance", "candles_daily")),
    "fct_onchain_daily": (("coinmetrics", "asset_metrics"),),
    "fct_liquidity_daily": (("binance", "tickers"), ("okx", "order_books")),
    "fct_derivatives_daily": (("gate", "funding_rates"), ("kucoin", "open_interest")),
    "fct_defi_daily": (("defillama", "protocol_metrics"), ("defillama", "chain_tvl")),
    "fct_developers_daily": (("github", "repositories"), ("coingecko", "coin_activity")),
    "fct_community_daily": (("coingecko", "coin_activity"), ("reddit", "subreddits")),
    "fct_mentions_daily": (("rss", "headlines"),),
    "fct_news_daily": (("rss", "headlines"),),
    "fct_sentiment_daily": (("rss", "headlines"), ("reddit", "posts")),
    "fct_holders_daily": (("geckoterminal", "token_holders"),),
    "fct_unlocks_daily": (("defillama", "unlock_events"),),
}
"""Datasets whose lag a fact's features have; the commits of fct_developers_daily wait longer."""


@pytest.mark.parametrize("feature", CATALOGUE, ids=[feature.name for feature in CATALOGUE])
def test_the_catalogue_tells_the_lag_that_the_seed_gives_its_sources(feature):
    lags = read_lags(SEED)
    landed = (
        [("github", "commits_weekly")]
        if feature.name.startswith(("commits_growth", "authors_growth"))
        else LANDED[feature.sources[0]]
    )

    assert {lags[key] for key in landed} == {feature.lag_days * 24}


def test_every_dataset_has_a_publication_lag():
    lags = read_lags(SEED)

    missing = [key for key in DATASETS if key not in lags]

    assert not missing
