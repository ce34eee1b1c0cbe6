"""The coins that a run follows: CoinGecko's market list as it was last read.

Belongs here: reading it back from landing, for loads of all sources. Does not: asking for it (`coingecko.py`).
"""

from __future__ import annotations

import polars as pl

from orchestration.lib.landing import LandingStore, connect, newest_sql
from orchestration.sources.coingecko import MARKETS


def read_market_list(store: LandingStore) -> pl.DataFrame:
    """The newest market list: one row per coin with its ticker, name and market cap, the largest cap first.

    Coins without a known cap come last. No rows before the first list has landed.
    """
    columns = ["coin_id", "symbol", "name", "market_cap_usd"]
    newest = store.newest_market_date(MARKETS)
    if newest is None:
        return MARKETS.empty().select(columns)
    with connect() as connection:  # of that day only: all lists ever landed would be read otherwise
        sql = newest_sql(MARKETS, store.files(MARKETS), where=f"WHERE market_date = DATE '{newest}'")
        rows = connection.sql(sql).pl()
    return rows.select(columns).sort("market_cap_usd", "coin_id", descending=[True, False], nulls_last=True)
