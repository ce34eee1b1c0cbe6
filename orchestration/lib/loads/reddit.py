"""Loads of Reddit: size, talk and posts of the largest tokens' communities. The step is absent without a key.

Belongs here: which communities. Does not: the wire format (`sources/reddit.py`).
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from functools import partial

from orchestration.lib.connections import Connections
from orchestration.lib.ingestion import Ingested, Ingestion, Reach
from orchestration.lib.landing import LandingStore
from orchestration.lib.loads.step import Step
from orchestration.settings import REPOSITORY_ROOT
from orchestration.sources.datasets import find_dataset
from orchestration.sources.errors import RequestRejectedError
from orchestration.sources.one_by_one import OneByOne
from orchestration.sources.reddit import POSTS, SUBREDDITS, Reddit
from orchestration.sources.validation import Fetched

MARKETS = find_dataset("coingecko", "markets")
CURATED = REPOSITORY_ROOT / "orchestration" / "mappings" / "subreddits.csv"
"""Communities of the largest tokens; live runs only."""
MOST_SUBREDDITS = 40
TOKEN_PATH = "/api/v1/access_token"  # noqa: S105 - a path


def load_subreddits(ingestion: Ingestion, connections: Connections, reach: Reach) -> Sequence[Ingested]:
    """Subscribers, users present, the talk of the last day and titles of posts; a community that fails leaves the others.

    Raises:
        SourceError: Reddit does not answer, or the key lacks its secret.
    """
    provider = connections.provider("reddit")
    if provider.api_key is None or provider.api_secret is None:
        raise RequestRejectedError(
            "reddit: the key needs its secret; set TIDEMARK_REDDIT__API_SECRET, or remove the key", status=401
        )
    reddit = Reddit(
        connections.http("reddit"),
        key=provider.api_key.get_secret_value(),
        secret=provider.api_secret.get_secret_value(),
        base_url=connections.base_url("reddit"),
        token_url=connections.url(provider.hosts["token"].rstrip("/") + TOKEN_PATH),
    )
    wanted = _simulated(ingestion.store) if connections.is_simulated else read_curated()
    newest = ingestion.store.newest_market_dates(SUBREDDITS, by="subreddit")
    asking, parts = OneByOne(), []
    for subreddit, coin_id in wanted.items():
        if subreddit in newest and newest[subreddit] >= reach.last:
            continue
        part = asking.ask(subreddit, partial(reddit.fetch_subreddit, subreddit, coin_id=coin_id, now=reach.now))
        if part is not None:
            parts.append(part)
    asking.raise_if_nothing_came()
    sizes, posts = ([part[place] for part in parts] for place in (0, 1))
    return [
        ingestion.land(Fetched.join(SUBREDDITS, sizes), reach).with_failures(asking.report()),
        ingestion.land(Fetched.join(POSTS, posts), reach),
    ]


def read_curated() -> dict[str, str]:
    """CoinGecko ids by community, in lower case."""
    with CURATED.open(newline="", encoding="utf-8") as file:
        return {row["subreddit"].lower(): row["coin_id"] for row in csv.DictReader(file)}


def _simulated(store: LandingStore) -> dict[str, str]:
    """The sandbox names communities by the id of their token."""
    markets = store.newest(MARKETS).sort("market_cap_usd", "coin_id", descending=[True, False], nulls_last=True)
    coin_ids = dict.fromkeys(markets["coin_id"].to_list())
    return {coin_id.replace("-", ""): coin_id for coin_id in list(coin_ids)[:MOST_SUBREDDITS]}


STEPS = (
    Step(
        name="reddit_subreddits",
        provider="reddit",
        load=load_subreddits,
        datasets=(SUBREDDITS, POSTS),
        needs=(MARKETS,),
        has_history=False,
        needs_key=True,
    ),
)
