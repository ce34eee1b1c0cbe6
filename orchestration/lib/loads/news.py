"""Loads of the news: headlines of the feeds as they stand, and GDELT's tone by subject and day.

Belongs here: which subjects, whose turn it is. Does not: wire formats (`sources/rss.py`, `sources/gdelt.py`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, timedelta
from functools import partial

import polars as pl

from models_ml.sentiment.mentions import AMBIGUOUS_NAMES
from orchestration.lib import progress
from orchestration.lib.connections import Connections
from orchestration.lib.ingestion import Ingested, Ingestion, Reach
from orchestration.lib.landing import LandingStore
from orchestration.lib.loads.batches import ask_in_batches
from orchestration.lib.loads.rotation import choose_due
from orchestration.lib.loads.step import Step
from orchestration.sources.datasets import find_dataset
from orchestration.sources.errors import RequestRejectedError, SourceError
from orchestration.sources.gdelt import TONE_DAILY, fetch_tone
from orchestration.sources.one_by_one import OneByOne
from orchestration.sources.rss import HEADLINES, fetch_feed
from orchestration.sources.validation import Fetched

MARKETS = find_dataset("coingecko", "markets")

SUBJECTS = ("bitcoin", "ethereum", "cryptocurrency")
"""Asked in every run; the names of the largest tokens besides them in rotation."""
MOST_OTHER_SUBJECTS = 20
ROTATION_DAYS = 10
RECENT_DAYS = 84
"""Span that is asked for where a longer one is refused."""
AMBIGUOUS_IN_NEWS = AMBIGUOUS_NAMES | frozenset(
    (
        *("algorand", "aptos", "arbitrum", "axelar", "balancer", "celestia", "chia", "conflux", "cosmos", "hedera"),
        *(
            "immutable",
            "internet computer",
            "kava",
            "mantra",
            "merlin",
            "osmosis",
            "pepe",
            "polygon",
            "ronin",
            "stellar",
        ),
        *("terra", "the graph", "the sandbox", "theta", "toncoin", "trump", "tron", "worldcoin", "wormhole"),
    )
)
"""Names that the world's news, unlike crypto news, use for other things as well: their articles would not be about the token."""

_SUBJECT = re.compile(r"[A-Za-z][A-Za-z0-9]*( [A-Za-z0-9]+)?")
_NOT_OF_ITS_OWN = re.compile(r"\b(usd|dollar|wrapped|staked|bridged|restaked|lido)\b", re.IGNORECASE)


def load_headlines(ingestion: Ingestion, connections: Connections, reach: Reach) -> Sequence[Ingested]:
    """What every feed holds now, the running day included; a feed that fails leaves the others."""
    http, parts, failures = connections.http("rss"), [], {}
    last: SourceError | None = None
    for feed, address in connections.provider("rss").hosts.items():
        try:
            parts.append(fetch_feed(http, feed, connections.url(address), now=reach.now))
        except SourceError as error:  # every feed is a host of its own
            failures[feed], last = str(error), error
    if not parts and last is not None:
        raise last
    return [ingestion.land(Fetched.join(HEADLINES, parts), reach).with_failures(failures)]


def load_tone(ingestion: Ingestion, connections: Connections, reach: Reach) -> Sequence[Ingested]:
    """Tone and number of articles by day, of the constant subjects and of those tokens whose turn it is."""
    store = ingestion.store
    newest = store.newest_market_dates(TONE_DAILY, by="query")
    others = other_subjects(store)
    due = [name for name in SUBJECTS if reach.start_after(newest.get(name)) <= reach.last]
    due += choose_due(others, newest, wanted=reach.last, last=reach.last, every_days=ROTATION_DAYS)
    asking, total = OneByOne(), Ingested(TONE_DAILY)

    def ask(subject: str) -> Fetched | None:
        start = reach.start_after(newest.get(subject))
        return asking.ask(subject, partial(_fetch_tone, connections, subject, start, reach))

    for number, parts in ask_in_batches(due, ask, asking):
        total += ingestion.land(Fetched.join(TONE_DAILY, parts), reach)
        ingestion.report(progress.sentence(TONE_DAILY.label, number, len(due), "subjects"))
    asking.raise_if_nothing_came()
    return [total.with_failures(asking.report())]


def _fetch_tone(connections: Connections, subject: str, start: date, reach: Reach) -> Fetched:
    """The whole span where GDELT gives it, else the last months, which it always does."""
    recent = reach.last - timedelta(days=RECENT_DAYS)
    ask = partial(
        fetch_tone,
        connections.http("gdelt"),
        subject,
        end=reach.last,
        now=reach.now,
        base_url=connections.base_url("gdelt"),
    )
    try:
        return ask(start=start)
    except RequestRejectedError:
        if start >= recent:
            raise
        return ask(start=recent)


def other_subjects(store: LandingStore) -> list[str]:
    """Names of the largest tokens that stand for nothing else, in lower case, the largest first."""
    markets = store.newest(MARKETS)
    if markets.is_empty():
        return []
    day = markets["market_date"].dt.max()
    names = (
        markets.filter((pl.col("market_date") == day) & pl.col("name").is_not_null())
        .sort("market_cap_usd", "coin_id", descending=[True, False], nulls_last=True)["name"]
        .to_list()
    )
    wanted = dict.fromkeys(name.lower() for name in names if is_subject(name))
    return [name for name in wanted if name not in SUBJECTS][:MOST_OTHER_SUBJECTS]


def is_subject(name: str) -> bool:
    """Whether articles that hold the name are about the token: one or two plain words that mean nothing else."""
    is_plain = len(name) >= 4 and _SUBJECT.fullmatch(name) is not None
    return is_plain and name.lower() not in AMBIGUOUS_IN_NEWS and _NOT_OF_ITS_OWN.search(name) is None


STEPS = (
    Step(name="rss_headlines", provider="rss", load=load_headlines, datasets=(HEADLINES,), has_history=False),
    Step(name="gdelt_tone_daily", provider="gdelt", load=load_tone, datasets=(TONE_DAILY,), needs=(MARKETS,)),
)
