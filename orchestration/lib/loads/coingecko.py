"""Loads of CoinGecko: the market list, categories, totals, and daily prices.

Belongs here: from which day each coin is asked. Does not: documents of coins (`coingecko_coins.py`), wire
formats (`sources/coingecko`).

Prices, volumes and caps of all coins come in bulk with the market list, 250 a request. Charts cost one request a coin
and are asked once a week: where the newest close lies seven days back, and always at the end of a week, when grades need
it. A coin without any close is asked at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Final

from orchestration.lib.connections import Connections
from orchestration.lib.contradictions import PRICES_OFF
from orchestration.lib.ingestion import Ingested, Ingestion, Reach
from orchestration.lib.landing import LandingStore
from orchestration.lib.loads.batches import ask_in_batches
from orchestration.lib.loads.coingecko_coins import coingecko_of, load_assets
from orchestration.lib.loads.market_list import read_market_list
from orchestration.lib.loads.old_days import land_by_age
from orchestration.lib.loads.step import Step
from orchestration.lib.loads.turns import FIRST_RUN_PARTS, TURN_DAYS
from orchestration.lib.progress import sentence
from orchestration.lib.sector_names import seed_category_names
from orchestration.sources.coingecko import (
    ASSET_CATEGORIES,
    ASSETS,
    CATEGORY_DAILY,
    COIN_ACTIVITY,
    CONTRACTS,
    GLOBAL_DAILY,
    MARKET_DAILY,
    MARKETS,
    Chart,
    CoinGecko,
    join_charts,
    oldest_public_day,
)
from orchestration.sources.errors import HistoryRangeError
from orchestration.sources.one_by_one import OneByOne
from orchestration.sources.validation import Fetched, Rejected

DEAD_AFTER_DAYS: Final = 30
"""A coin that left the market list and has had no price for so long is not asked any more."""


def load_markets(ingestion: Ingestion, connections: Connections, reach: Reach) -> Sequence[Ingested]:
    """The market list: price, volume, cap and supply of the largest coins, as of now."""
    markets = coingecko_of(connections).fetch_markets(now=reach.now, max_coins=connections.settings.live_universe)
    return [ingestion.land(markets, reach)]


def load_categories(ingestion: Ingestion, connections: Connections, reach: Reach) -> Sequence[Ingested]:
    """Members of the categories that sectors and pegged classes are made of, by display name: at first and at each week's end."""
    if ingestion.store.files(ASSET_CATEGORIES) and not reach.is_week_end:
        return [Ingested(ASSET_CATEGORIES)]
    coingecko = coingecko_of(connections)
    wanted = {name.strip().casefold() for name in seed_category_names()}
    available = coingecko.fetch_categories()
    ids = sorted(category_id for category_id, name in available.items() if name.strip().casefold() in wanted)
    fetched = coingecko.fetch_asset_categories(
        ids, names=available, now=reach.now, max_coins=connections.settings.live_universe
    )
    ingestion.report(f"coingecko/asset_categories: {len(ids)} of {len(wanted)} category names exist")
    return [ingestion.land(fetched, reach)]


def load_totals(ingestion: Ingestion, connections: Connections, reach: Reach) -> Sequence[Ingested]:
    """Totals of all categories and of the whole market, as of now: two requests.

    One number cannot be judged by how many others agree, so the market's goes with those of the categories.
    """
    coingecko = coingecko_of(connections)
    categories = ingestion.land(coingecko.fetch_category_daily(now=reach.now), reach)
    market = coingecko.fetch_global_daily(now=reach.now)
    if ingestion.is_refuted(CATEGORY_DAILY):
        refused = tuple(Rejected.of(PRICES_OFF, row) for row in market.frame.to_dicts())
        market = Fetched(GLOBAL_DAILY, GLOBAL_DAILY.empty(), (*market.rejected, *refused))
    return [categories, ingestion.land(market, reach)]


def load_market_daily(ingestion: Ingestion, connections: Connections, reach: Reach) -> Sequence[Ingested]:
    """Daily price, cap and volume of every coin whose chart is due, each from a few days before its newest landed day."""
    charts = _Charts(coingecko_of(connections), reach)
    due = due_charts(ingestion.store, reach, universe=connections.settings.live_universe)
    total = Ingested(MARKET_DAILY)
    one_by_one = OneByOne()

    def ask(coin: DueChart) -> Chart | None:
        return one_by_one.ask(coin.coin_id, partial(charts.fetch, coin))

    for number, batch in ask_in_batches(due, ask, one_by_one):
        total += land_by_age(ingestion, join_charts(batch, now=reach.now), reach)
        ingestion.report(sentence("coingecko/market_daily", number, len(due), "coins"))
    if one_by_one.stopped_by is not None:
        one_by_one.raise_if_nothing_came()
    return [total.with_failures(one_by_one.report() | charts.notes())]


@dataclass(frozen=True)
class DueChart:
    """A coin to ask for, and from which day on; `is_listed` where it is on the market list."""

    coin_id: str
    symbol: str | None
    start: date
    is_listed: bool


def due_charts(store: LandingStore, reach: Reach, *, universe: int) -> list[DueChart]:
    """Coins whose chart is to be asked, the largest first, then those that are on no list any more.

    Coins that died before we came to know them have no price and no cap; they are asked a share a run, in an order that
    turns with the day, as one of them may have nothing to tell and would be asked for ever.
    """
    listed = read_market_list(store)
    symbols: dict[str, str | None] = dict(store.newest(ASSETS).select("coin_id", "symbol").iter_rows())
    symbols |= dict(listed.select("coin_id", "symbol").iter_rows())
    on_list = dict.fromkeys(listed["coin_id"])
    newest = store.newest_market_dates(MARKET_DAILY, by="coin_id")
    unlisted = [coin_id for coin_id in sorted(symbols) if coin_id not in on_list]
    left = [coin_id for coin_id in unlisted if coin_id in newest and not _is_dead(newest[coin_id], reach)]
    unknown = [coin_id for coin_id in unlisted if coin_id not in newest]
    # At a week's end and in the first run: on other days the budget is small, and the dead can wait.
    dead = _share_of(unknown, reach, universe=universe) if reach.is_week_end or reach.partition == "year" else []
    wanted = [*on_list, *left, *dead]
    return [
        DueChart(coin_id, symbols[coin_id], reach.start_after(newest.get(coin_id)), coin_id in on_list)
        for coin_id in wanted
        if reach.is_week_due(newest.get(coin_id))
    ]


def _is_dead(newest: date, reach: Reach) -> bool:
    return reach.start_after(newest) < reach.last - timedelta(days=DEAD_AFTER_DAYS)


def _share_of(coin_ids: Sequence[str], reach: Reach, *, universe: int) -> list[str]:
    """So many of the coins that all of them have their turn some day; another share each day."""
    share = max(1, universe // (FIRST_RUN_PARTS if reach.partition == "year" else TURN_DAYS))
    ordered = sorted(coin_ids, key=lambda coin_id: hashlib.sha256(coin_id.encode()).digest())
    start = reach.last.toordinal() * share % max(1, len(ordered))
    return [*ordered[start:], *ordered[:start]][:share]


class _Charts:
    """Charts as far back as the plan allows: after a refusal no coin is asked for more than the plan gives."""

    def __init__(self, coingecko: CoinGecko, reach: Reach) -> None:
        self._coingecko = coingecko
        self._reach = reach
        self._oldest: date | None = None
        self._refusal = ""
        self._shortened: list[str] = []

    def fetch(self, coin: DueChart) -> Chart:
        """The chart of a coin, or the last 365 days of it."""
        if self._oldest is None:
            try:
                return self._ask(coin, coin.start)
            except HistoryRangeError as error:
                self._oldest, self._refusal = oldest_public_day(self._reach.now), str(error)
        start = max(coin.start, self._oldest)
        if start > coin.start and coin.is_listed:  # nobody misses the past of coins that died before we came
            self._shortened.append(coin.coin_id)
        return self._ask(coin, start)

    def notes(self) -> dict[str, str]:
        """What could not be had, for the record of the load."""
        if not self._shortened:
            return {}
        return {f"closes before {self._oldest} of {len(self._shortened)} coins": self._refusal}

    def _ask(self, coin: DueChart, start: date) -> Chart:
        return self._coingecko.fetch_chart(
            coin.coin_id, symbol=coin.symbol, start=start, end=self._reach.last, now=self._reach.now
        )


STEPS = (
    Step(name="coingecko_markets", provider="coingecko", load=load_markets, datasets=(MARKETS,)),
    Step(
        name="coingecko_assets",
        provider="coingecko",
        load=load_assets,
        datasets=(ASSETS, CONTRACTS, COIN_ACTIVITY),
        needs=(MARKETS,),
    ),
    Step(name="coingecko_categories", provider="coingecko", load=load_categories, datasets=(ASSET_CATEGORIES,)),
    Step(
        name="coingecko_market_daily",
        provider="coingecko",
        load=load_market_daily,
        datasets=(MARKET_DAILY,),
        needs=(MARKETS, ASSETS),
    ),
    Step(
        name="coingecko_totals",
        provider="coingecko",
        load=load_totals,
        datasets=(CATEGORY_DAILY, GLOBAL_DAILY),
        has_history=False,
    ),
)
