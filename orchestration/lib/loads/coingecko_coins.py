"""Loads of CoinGecko about coins one by one: who they are, where their contracts lie, their communities and developers.

Belongs here: tracking of names, merging of what lists and documents say, whose document is asked for when.
Does not: prices (`coingecko.py`), wire formats (`sources/coingecko`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

import polars as pl

from orchestration.lib.connections import Connections
from orchestration.lib.ingestion import Ingested, Ingestion, Reach, with_columns_of
from orchestration.lib.landing import LandingStore
from orchestration.lib.loads.batches import ask_in_batches
from orchestration.lib.loads.market_list import read_market_list
from orchestration.lib.loads.turns import whose_turn
from orchestration.lib.progress import sentence
from orchestration.sources.coingecko import (
    ASSETS,
    COIN_ACTIVITY,
    CoinDocument,
    CoinGecko,
    parse_coins,
)
from orchestration.sources.errors import RequestRejectedError
from orchestration.sources.one_by_one import OneByOne
from orchestration.sources.validation import Fetched, last_finished_day

METADATA: Final = tuple(name for name in ASSETS.values if name not in ("symbol", "name"))
"""What only documents say of a coin."""


def load_assets(ingestion: Ingestion, connections: Connections, reach: Reach) -> Sequence[Ingested]:
    """Names of all coins we follow, contracts of all there are, and the documents of those whose turn it is.

    A coin that is renamed lands again under its id, and one that leaves the list stays: nothing is ever taken out.
    """
    coingecko = coingecko_of(connections)
    names, contracts = coingecko.fetch_coin_list(now=reach.now)
    inactive = _inactive(coingecko, ingestion, reach)
    assets = ingestion.land(_with_known_metadata(ingestion.store, names, inactive), reach)
    landed_contracts = ingestion.land(contracts, reach)
    more_assets, activity = _load_documents(coingecko, ingestion, connections, reach)
    return [assets + more_assets, landed_contracts, activity]


def coingecko_of(connections: Connections) -> CoinGecko:
    """The adapter of a run."""
    return CoinGecko(
        connections.http("coingecko"), base_url=connections.base_url("coingecko"), api_key=connections.key("coingecko")
    )


def _inactive(coingecko: CoinGecko, ingestion: Ingestion, reach: Reach) -> Fetched:
    """Coins that are traded no more, so that history has the dead too; nobody where the plan refuses to say."""
    try:
        return coingecko.fetch_inactive(now=reach.now)
    except RequestRejectedError as error:
        ingestion.report(f"coingecko/assets: the plan gives no list of inactive coins, goes on without: {error}")
        return Fetched(ASSETS, ASSETS.empty())


def _with_known_metadata(store: LandingStore, names: Fetched, inactive: Fetched) -> Fetched:
    """Coins on the market list, coins we knew before and inactive ones, by their present names.

    Names come from the list of all coins, so that renames of coins that left the market list are seen too.
    """
    known = store.newest(ASSETS).select(list(ASSETS.columns))
    followed = pl.concat(
        [read_market_list(store).select("coin_id", "symbol", "name"), known.select("coin_id", "symbol", "name")]
    )
    present = pl.concat([each.frame.select("coin_id", "symbol", "name") for each in (names, inactive)])
    named = followed.unique("coin_id", keep="first").join(present, on="coin_id", how="left", suffix="_present")
    current = named.select(
        "coin_id",
        symbol=pl.coalesce("symbol_present", "symbol"),
        name=pl.coalesce("name_present", "name"),
    )
    dead = inactive.frame.select("coin_id", "symbol", "name").join(current, on="coin_id", how="anti")
    listed = pl.concat([current, dead]).unique("coin_id", keep="first").sort("coin_id")
    merged = listed.join(known.select("coin_id", *METADATA), on="coin_id", how="left")
    return Fetched(ASSETS, with_columns_of(ASSETS, merged), (*names.rejected, *inactive.rejected))


def _load_documents(
    coingecko: CoinGecko, ingestion: Ingestion, connections: Connections, reach: Reach
) -> tuple[Ingested, Ingested]:
    store = ingestion.store
    turn = whose_turn(
        read_market_list(store)["coin_id"],
        read=store.newest_market_dates(COIN_ACTIVITY, by="coin_id"),
        today=last_finished_day(reach.now),
        universe=connections.settings.live_universe,
    )
    assets, activity = Ingested(ASSETS), Ingested(COIN_ACTIVITY)
    one_by_one = OneByOne()

    def ask(coin_id: str) -> CoinDocument | None:
        return one_by_one.ask(coin_id, partial(coingecko.fetch_coin, coin_id))

    for number, documents in ask_in_batches(turn, ask, one_by_one):
        described, counted = parse_coins(documents, now=reach.now)
        assets += ingestion.land(described, reach)
        activity += ingestion.land(counted, reach)
        ingestion.report(sentence("coingecko/coin_activity", number, len(turn), "coins"))
    if one_by_one.stopped_by is not None:
        one_by_one.raise_if_nothing_came()
    return assets, activity.with_failures(one_by_one.report())
