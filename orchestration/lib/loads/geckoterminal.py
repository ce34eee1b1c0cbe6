"""Loads of GeckoTerminal: pools of the day, candles of followed pools, holders of tokens.

Belongs here: from which day a pool is asked, whose holders are counted when. Does not: which pools are followed
(`followed_pools.py`), wire formats (`sources/geckoterminal`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Final

import polars as pl

from orchestration.lib.connections import Connections
from orchestration.lib.ingestion import Ingested, Ingestion, Reach
from orchestration.lib.landing import LandingStore
from orchestration.lib.loads.batches import ask_in_batches
from orchestration.lib.loads.followed_pools import SILENT_DAYS, choose_pools, listed_tickers
from orchestration.lib.loads.market_list import read_market_list
from orchestration.lib.loads.old_days import land_by_age
from orchestration.lib.loads.step import Step
from orchestration.lib.loads.turns import whose_turn
from orchestration.lib.progress import sentence
from orchestration.sources.coingecko import ASSETS, CONTRACTS, MARKETS
from orchestration.sources.geckoterminal import (
    NETWORKS,
    POOL_CANDLES,
    POOLS,
    TOKEN_HOLDERS,
    GeckoTerminal,
    PoolCandles,
    join_candles,
)
from orchestration.sources.one_by_one import OneByOne
from orchestration.sources.validation import Fetched, last_finished_day

PAGES: Final = 2
"""Pages of 20 pools, of those that trend and of those that are new."""

POOL_TOKEN_PACE: Final = 7
"""Tokens of followed pools are counted so many times as fast as those of the market list: all within four days."""


def load_pools(ingestion: Ingestion, connections: Connections, reach: Reach) -> Sequence[Ingested]:
    """Trending and new pools, and the present state of those whose candles are read."""
    geckoterminal = _geckoterminal(connections)
    parts = [
        geckoterminal.fetch_trending_pools(now=reach.now, pages=PAGES),
        geckoterminal.fetch_new_pools(now=reach.now, pages=PAGES),
    ]
    met = {pool_id for part in parts for pool_id in part.frame["pool_id"]}
    missing = _followed_by_network(ingestion.store, last=reach.last, without=met)
    parts += [geckoterminal.fetch_pools(network, pools, now=reach.now) for network, pools in missing.items()]
    return [ingestion.land(Fetched.join(POOLS, parts), reach)]


def load_pool_candles(ingestion: Ingestion, connections: Connections, reach: Reach) -> Sequence[Ingested]:
    """Daily candles of the followed pools, each from a few days before its newest landed day."""
    geckoterminal, store = _geckoterminal(connections), ingestion.store
    newest = store.newest_market_dates(POOL_CANDLES, by="pool_id")
    chosen = _chosen_pools(store, connections, last=reach.last).select("pool_id", "network", "pool_address").rows()
    asked = [(*row, reach.start_after(newest.get(row[0]))) for row in chosen]
    due = [row for row in asked if row[3] <= reach.last]
    total, one_by_one = Ingested(POOL_CANDLES), OneByOne()

    def ask(pool: tuple[str, str, str, date]) -> PoolCandles | None:
        pool_id, network, address, start = pool
        return one_by_one.ask(
            pool_id, partial(geckoterminal.fetch_pool_candles, network, address, start=start, now=reach.now)
        )

    for number, answers in ask_in_batches(due, ask, one_by_one):
        fetched = join_candles(answers, now=reach.now)
        in_reach = fetched.frame.filter(pl.col("market_date") <= reach.last)
        total += land_by_age(ingestion, Fetched(POOL_CANDLES, in_reach, fetched.rejected), reach)
        ingestion.report(sentence(POOL_CANDLES.label, number, len(due), "pools"))
    if one_by_one.stopped_by is not None:
        one_by_one.raise_if_nothing_came()
    return [total.with_failures(one_by_one.report())]


def load_token_holders(ingestion: Ingestion, connections: Connections, reach: Reach) -> Sequence[Ingested]:
    """Holders of the tokens whose turn it is: those of the market list, and those of followed pools."""
    geckoterminal = _geckoterminal(connections)
    turn = _tokens_to_count(ingestion.store, connections, reach)
    total, one_by_one = Ingested(TOKEN_HOLDERS), OneByOne()

    def ask(token: _Contract) -> Fetched | None:
        return one_by_one.ask(
            token.id, partial(geckoterminal.fetch_token_holders, token.network, token.address, now=reach.now)
        )

    for number, counted in ask_in_batches(turn, ask, one_by_one):
        total += ingestion.land(Fetched.join(TOKEN_HOLDERS, counted), reach)
        ingestion.report(sentence(TOKEN_HOLDERS.label, number, len(turn), "tokens"))
    if one_by_one.stopped_by is not None:
        one_by_one.raise_if_nothing_came()
    return [total.with_failures(one_by_one.report())]


@dataclass(frozen=True)
class _Contract:
    """A token on a chain."""

    network: str
    address: str

    @property
    def id(self) -> str:
        """GeckoTerminal's id of it."""
        return f"{self.network}_{self.address}"


def _tokens_to_count(store: LandingStore, connections: Connections, reach: Reach) -> list[_Contract]:
    counted = store.newest(TOKEN_HOLDERS).sort("market_date")
    read: dict[str, date] = {
        f"{network}_{address}": day
        for network, address, day in counted.select("network", "token_address", "market_date").iter_rows()
    }
    settings, today = connections.settings, last_finished_day(reach.now)
    listed = {contract.id: contract for contract in _contracts_of_market_list(store)}
    read_listed = {token_id: day for token_id, day in read.items() if token_id in listed}
    turn = whose_turn(listed, read=read_listed, today=today, universe=settings.live_universe)
    pools = _chosen_pools(store, connections, last=reach.last).select("network", "base_token_address").iter_rows()
    of_pools = {contract.id: contract for contract in (_Contract(*row) for row in pools)}
    others = [token_id for token_id in of_pools if token_id not in listed]
    read_others = {token_id: read[token_id] for token_id in others if token_id in read}
    universe_of_pools = POOL_TOKEN_PACE * settings.followed_pools
    turn_of_pools = whose_turn(others, read=read_others, today=today, universe=universe_of_pools)
    return [*(listed[token_id] for token_id in turn), *(of_pools[token_id] for token_id in turn_of_pools)]


def _contracts_of_market_list(store: LandingStore) -> list[_Contract]:
    """One contract of each coin on the market list, the smallest caps first, coins of unknown cap last.

    Of several chains the coin's own counts, else the most used one; chains whose holders nobody counts are left out.
    """
    order = {platform: place for place, platform in enumerate(NETWORKS)}
    platforms = store.newest(ASSETS).select("coin_id", own_platform="platform")
    contracts = (
        store.newest(CONTRACTS)
        .select("coin_id", "platform", "contract_address")
        .filter(pl.col("platform").is_in(list(NETWORKS)))
        .join(platforms, on="coin_id", how="left")
        .with_columns(
            is_other=pl.col("platform").ne_missing(pl.col("own_platform")),
            place=pl.col("platform").replace_strict(order, return_dtype=pl.Int32),
        )
        .sort("coin_id", "is_other", "place")
        .unique("coin_id", keep="first")
    )
    ordered = (
        read_market_list(store)
        .join(contracts, on="coin_id")
        .sort("market_cap_usd", "coin_id", nulls_last=True)
        .select("platform", "contract_address")
    )
    return [_Contract(NETWORKS[platform], address) for platform, address in ordered.iter_rows()]


def _chosen_pools(store: LandingStore, connections: Connections, *, last: date) -> pl.DataFrame:
    settings = connections.settings
    return choose_pools(
        store.newest(POOLS),
        candles=store.newest_market_dates(POOL_CANDLES, by="pool_id"),
        listed=listed_tickers(store, settings.exchanges, last=last),
        last=last,
        most=settings.followed_pools,
        least_liquidity_usd=settings.followed_pool_liquidity_usd,
    )


def _followed_by_network(store: LandingStore, *, last: date, without: set[str]) -> dict[str, list[str]]:
    """Addresses of the pools whose candles have been read lately, by chain."""
    candles = store.newest_market_dates(POOL_CANDLES, by="pool_id")
    active = [pool for pool, day in candles.items() if (last - day).days <= SILENT_DAYS and pool not in without]
    if not active:
        return {}
    seen = store.newest(POOLS).unique("pool_id", keep="any").filter(pl.col("pool_id").is_in(active)).sort("pool_id")
    return {
        str(network): part["pool_address"].to_list()
        for (network,), part in seen.partition_by("network", as_dict=True, maintain_order=True).items()
    }


def _geckoterminal(connections: Connections) -> GeckoTerminal:
    return GeckoTerminal(connections.http("geckoterminal"), base_url=connections.base_url("geckoterminal"))


STEPS = (
    Step(name="geckoterminal_pools", provider="geckoterminal", load=load_pools, datasets=(POOLS,), has_history=False),
    Step(
        name="geckoterminal_pool_candles",
        provider="geckoterminal",
        load=load_pool_candles,
        datasets=(POOL_CANDLES,),
        needs=(POOLS,),
        has_history=False,
    ),
    Step(
        name="geckoterminal_token_holders",
        provider="geckoterminal",
        load=load_token_holders,
        datasets=(TOKEN_HOLDERS,),
        needs=(MARKETS, ASSETS, CONTRACTS, POOLS),
        has_history=False,
    ),
)
