"""Loads of DefiLlama: protocols with TVL, fees, revenue and volume, chains, stablecoins, yields.

Belongs here: protocols and their coins, chains, stablecoins, pools. Does not: metrics of protocols (`defillama_metrics.py`), unlock
schedules (`unlocks.py`), wire formats (`sources/defillama`).

Lists and overviews have everybody in one answer; histories cost one request each and are asked where days are missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Final

import polars as pl

from orchestration.lib.connections import Connections
from orchestration.lib.ingestion import Ingested, Ingestion, Reach
from orchestration.lib.landing import LandingStore, connect, read_parquet_sql
from orchestration.lib.loads.defillama_metrics import load_metrics
from orchestration.lib.loads.followed import followed_coins
from orchestration.lib.loads.histories import land_histories
from orchestration.lib.loads.step import Step
from orchestration.sources.coingecko import ASSETS
from orchestration.sources.defillama.chains import ALL_CHAINS, CHAIN_TVL, fetch_chain_tvl, fetch_chains
from orchestration.sources.defillama.families import FAMILY_PREFIX
from orchestration.sources.defillama.metrics import PROTOCOL_METRICS
from orchestration.sources.defillama.protocols import PROTOCOLS, ProtocolList, fetch_family_coin, fetch_protocols
from orchestration.sources.defillama.stablecoins import (
    ALL_COINS,
    STABLECOIN_SUPPLY,
    fetch_stablecoins,
    fetch_supply_history,
)
from orchestration.sources.defillama.wire import Host
from orchestration.sources.defillama.yields import YIELDS, fetch_yields
from orchestration.sources.one_by_one import OneByOne
from orchestration.sources.validation import Fetched, last_finished_day

MOST_FAMILIES_ASKED: Final = 20
"""Families asked for their coin in one run, the largest first. Their answers are large; the others wait for the next run."""


def load_protocols(ingestion: Ingestion, connections: Connections, reach: Reach) -> Sequence[Ingested]:
    """All protocols with what they hold now; TVL, fees, revenue and volume of those that stand for a coin."""
    host = host_of(connections, "defillama")
    seen = _seen_families(ingestion.store)
    known = {family: coin for family, coin in seen.items() if coin}
    protocols, failures = _named(host, fetch_protocols(host, coins=known, now=reach.now), seen)
    landed = ingestion.land(protocols.fetched, reach).with_failures(failures)
    return [landed, load_metrics(host, protocols, ingestion, connections, reach)]


def load_chains(ingestion: Ingestion, connections: Connections, reach: Reach) -> Sequence[Ingested]:
    """TVL by day of all chains together, and once a week of the largest chains whose coin is followed."""
    host = host_of(connections, "defillama")
    followed = pl.col("coin_id").is_in(sorted(followed_coins(ingestion.store)))
    chains, refused = fetch_chains(host)
    largest = chains.filter(followed).head(connections.settings.chain_histories)
    coins: dict[str, str | None] = {ALL_CHAINS: None, **dict(largest.select("chain", "coin_id").iter_rows())}
    newest = ingestion.store.newest_market_dates(CHAIN_TVL, by="chain")
    starts = {chain: reach.start_after(newest.get(chain)) for chain in coins}
    due = {
        chain: start
        for chain, start in starts.items()
        if start <= reach.last and (chain == ALL_CHAINS or reach.is_week_due(newest.get(chain)))
    }
    asking = OneByOne()

    def fetch(chain: str) -> Fetched | None:
        return asking.ask(chain, partial(fetch_chain_tvl, host, chain, coin_id=coins[chain], now=reach.now))

    listed = ingestion.land(Fetched(CHAIN_TVL, CHAIN_TVL.empty(), refused), reach)
    return [land_histories(listed, due, fetch, asking, ingestion, reach, unit="chains")]


def load_stablecoins(ingestion: Ingestion, connections: Connections, reach: Reach) -> Sequence[Ingested]:
    """Supply of all stablecoins together by day, of each now, and histories of the largest where days are missing.

    A coin's chart has no prices and is computed another way than the list, so it fills only days that have no row yet.
    """
    host = host_of(connections, "defillama_stablecoins")
    now = fetch_stablecoins(host, now=reach.now)
    newest = ingestion.store.newest_market_dates(STABLECOIN_SUPPLY, by="stablecoin_id")
    largest = now.frame.sort("circulating_usd", descending=True).head(connections.settings.stablecoin_histories)
    coins = {row["stablecoin_id"]: row for row in largest.iter_rows(named=True)}
    starts = {ALL_COINS: reach.start_after(newest.get(ALL_COINS))}
    starts |= {name: newest[name] + timedelta(days=1) if name in newest else reach.first for name in coins}
    last_listed = last_finished_day(reach.now)
    asking = OneByOne()

    def fetch(name: str) -> Fetched | None:
        if name == ALL_COINS:
            return asking.ask(name, partial(fetch_supply_history, host, now=reach.now))
        names = {each: coins[name][each] for each in ("stablecoin_id", "coin_id", "symbol", "peg")}
        fetched = asking.ask(name, partial(fetch_supply_history, host, now=reach.now, **names))
        if fetched is None:
            return None
        return Fetched(STABLECOIN_SUPPLY, fetched.frame.filter(pl.col("market_date") != last_listed), fetched.rejected)

    due = {
        name: start
        for name, start in starts.items()
        if start <= reach.last and (name == ALL_COINS or start < last_listed)
    }
    landed = land_histories(Ingested(STABLECOIN_SUPPLY), due, fetch, asking, ingestion, reach, unit="coins")
    answered = now.frame.filter(
        ~pl.col("stablecoin_id").is_in(sorted(asking.failures))
    )  # the others keep their gap for the next run
    return [landed + ingestion.land(Fetched(STABLECOIN_SUPPLY, answered, now.rejected), reach)]


def load_yields(ingestion: Ingestion, connections: Connections, reach: Reach) -> Sequence[Ingested]:
    """Yields of all pools above a million USD now."""
    return [ingestion.land(fetch_yields(host_of(connections, "defillama_yields"), now=reach.now), reach)]


def host_of(connections: Connections, name: str) -> Host:
    """One of DefiLlama's hosts by the name of its settings."""
    return Host(connections.http(name), connections.base_url(name))


def _seen_families(store: LandingStore) -> Mapping[str, str | None]:
    """Families that have landed, with their coin; None where they said that they have none."""
    files = store.files(PROTOCOLS)
    if not files:
        return {}
    with connect() as connection:
        rows = connection.sql(
            f"SELECT protocol_id, max_by(coalesce(coin_id, ''), load_id) FROM {read_parquet_sql(files)} "
            f"WHERE starts_with(protocol_id, '{FAMILY_PREFIX}') GROUP BY protocol_id"
        ).fetchall()
    return {family: coin or None for family, coin in rows}


def _named(
    host: Host, protocols: ProtocolList, seen: Mapping[str, str | None]
) -> tuple[ProtocolList, Mapping[str, str]]:
    """The list with the coins of families never seen before, asked one by one; those not asked yet wait, and do not land."""
    asking = OneByOne()
    coins: dict[str, str] = {}
    unseen = [row for row in protocols.families_without_coin().iter_rows() if row[0] not in seen]
    waiting = {family for family, _ in unseen[MOST_FAMILIES_ASKED:]}
    for family, slug in unseen[:MOST_FAMILIES_ASKED]:
        answer = asking.ask(f"{slug}: coin", partial(_coin_of, host, slug, family))
        if answer is None:
            waiting.add(family)
        elif answer[0] is not None:
            coins[family] = answer[0]
    if asking.stopped_by is not None:
        raise asking.stopped_by
    frame = protocols.with_coins(coins).fetched.frame.filter(~pl.col("protocol_id").is_in(sorted(waiting)))
    fetched = Fetched(PROTOCOLS, frame, protocols.fetched.rejected)
    return ProtocolList(fetched, protocols.family_of), asking.failures


def _coin_of(host: Host, slug: str, family: str) -> tuple[str | None]:
    return (fetch_family_coin(host, slug, protocol_id=family),)


STEPS = (
    Step(
        name="defillama_protocols",
        provider="defillama",
        load=load_protocols,
        datasets=(PROTOCOLS, PROTOCOL_METRICS),
        needs=(ASSETS,),
    ),
    Step(name="defillama_chains", provider="defillama", load=load_chains, datasets=(CHAIN_TVL,), needs=(ASSETS,)),
    Step(
        name="defillama_stablecoins",
        provider="defillama_stablecoins",
        load=load_stablecoins,
        datasets=(STABLECOIN_SUPPLY,),
    ),
    Step(
        name="defillama_yields",
        provider="defillama_yields",
        load=load_yields,
        datasets=(YIELDS,),
        has_history=False,
    ),
)
