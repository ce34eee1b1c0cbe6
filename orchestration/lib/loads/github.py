"""Loads of GitHub: repositories of the followed tokens, and their commits by week.

Belongs here: which repositories, whose turn it is, how many a run. Does not: the wire format (`sources/github.py`).

Every repository is read once a week, two requests each. A run reads a seventh of them for each day since the last one, so a
daily run is small and a weekly one complete. Without a token GitHub allows 60 requests an hour: then 20 repositories a run.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import polars as pl

from orchestration.lib import progress
from orchestration.lib.connections import Connections
from orchestration.lib.ingestion import Ingested, Ingestion, Reach
from orchestration.lib.landing import LandingStore
from orchestration.lib.loads.rotation import choose_due
from orchestration.lib.loads.step import Step
from orchestration.settings import REPOSITORY_ROOT
from orchestration.sources.datasets import find_dataset
from orchestration.sources.github import COMMITS_WEEKLY, REPOSITORIES, RETRY_PAUSE_SECONDS, GitHub, repository_of
from orchestration.sources.one_by_one import OneByOne

ASSETS = find_dataset("coingecko", "assets")
MARKETS = find_dataset("coingecko", "markets")

CURATED = REPOSITORY_ROOT / "orchestration" / "mappings" / "github_repositories.csv"
"""Repositories of the largest tokens, in place of CoinGecko's links, which are often out of date; live runs only."""

MOST_REPOSITORIES = 300
REPOSITORIES_WITHOUT_TOKEN = 8
BATCH_REPOSITORIES = 10
"""Repositories landed at a time: statistics that GitHub still computes are awaited together."""
ROTATION_DAYS = 35
REREAD_WEEKS = 4
"""Weeks before the newest landed one that are compared again: commits are pushed late."""

SIMULATED_TOKEN = "simulated"  # noqa: S105 - the sandbox counts requests with and without a token apart


def load_repositories(ingestion: Ingestion, connections: Connections, reach: Reach) -> Sequence[Ingested]:
    """Stars, forks and the finished weeks' commits of the repositories whose turn it is."""
    store = ingestion.store
    token = SIMULATED_TOKEN if connections.is_simulated else connections.key("github")
    wanted = wanted_repositories(store, with_curated=not connections.is_simulated)
    newest = store.newest_market_dates(REPOSITORIES, by="repository")
    due = choose_due(
        list(wanted),
        newest,
        wanted=reach.last,
        last=reach.last,
        every_days=ROTATION_DAYS,
        at_least=REPOSITORIES_WITHOUT_TOKEN,
    )
    due = due if token else due[:REPOSITORIES_WITHOUT_TOKEN]
    github = GitHub(
        connections.http("github"),
        base_url=connections.base_url("github"),
        token=token,
        retry_pause_seconds=0.0 if connections.is_simulated else RETRY_PAUSE_SECONDS,
    )
    landed = store.newest_market_dates(COMMITS_WEEKLY, by="repository") if due else {}
    starts = {name: _start(landed.get(name), reach) for name in due}
    asking, results = OneByOne(), [Ingested(REPOSITORIES), Ingested(COMMITS_WEEKLY)]
    for first in range(0, len(due), BATCH_REPOSITORIES):
        batch = due[first : first + BATCH_REPOSITORIES]
        gathered = github.fetch({name: wanted[name] for name in batch}, starts=starts, now=reach.now, asking=asking)
        # Commits first: a repository that has landed is not asked again, though a kill came in between.
        results[1] += ingestion.land(gathered.commits, reach)
        results[0] += ingestion.land(gathered.repositories, reach)
        ingestion.report(progress.sentence(COMMITS_WEEKLY.label, first + len(batch), len(due), "repositories"))
        if asking.stopped_by is not None:
            break
    asking.raise_if_nothing_came()
    ingestion.report(f"github: {github.requests} requests for {len(due)} of {len(wanted)} repositories")
    return [result.with_failures(asking.report()) for result in results]


def wanted_repositories(store: LandingStore, *, with_curated: bool) -> dict[str, str]:
    """CoinGecko ids by owner/name, the largest tokens first: the curated ones, else the first link that CoinGecko has."""
    assets = store.newest(ASSETS).select("coin_id", "github_repos")
    markets = store.newest(MARKETS).select("coin_id", "market_date", "market_cap_usd")
    caps = markets.sort("market_date").unique("coin_id", keep="last").select("coin_id", "market_cap_usd")
    by_size = assets.join(caps, on="coin_id", how="left").sort(
        pl.col("market_cap_usd").fill_null(-1.0), "coin_id", descending=[True, False]
    )
    curated = read_curated() if with_curated else {}
    found: dict[str, str] = {}
    for coin_id, links in by_size.select("coin_id", "github_repos").iter_rows():
        for name in curated.get(coin_id) or _linked(links)[:1]:
            found.setdefault(name, coin_id)
    return dict(list(found.items())[:MOST_REPOSITORIES])


def read_curated() -> Mapping[str, Sequence[str]]:
    """Curated repositories by CoinGecko id."""
    found: dict[str, list[str]] = {}
    with CURATED.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["coin_id"], []).append(row["repository"].lower())
    return found


def _linked(links: str | None) -> list[str]:
    """Repositories among the links of a token, a list as JSON text."""
    try:
        listed = json.loads(links or "[]")
    except ValueError:
        return []
    names = (repository_of(link) for link in listed if isinstance(link, str)) if isinstance(listed, list) else ()
    return [name for name in names if name]


def _start(newest: date | None, reach: Reach) -> date:
    return reach.first if newest is None else max(reach.first, newest - timedelta(weeks=REREAD_WEEKS))


STEPS = (
    Step(
        name="github_repositories",
        provider="github",
        load=load_repositories,
        datasets=(REPOSITORIES, COMMITS_WEEKLY),
        needs=(ASSETS, MARKETS),
    ),
)
